//! What signatures count for when the registry changes between them, and what their signers are shown.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair, SanType};
use sluis_domain::{GrantId, Reason};
use sluis_engine::Caller;
use sluis_ledger::proposal::State;
use sluis_ledger::statement::Deed;
use sluis_port::store::{Family, StoreError};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::pki::of_member;
use sluis_testkit::registry::{CUSTODIANS, STEWARDS, registry};

use crate::office::{Office, caller};

fn request(office: &Office<ModelStore>) -> GrantId {
    office
        .engine
        .governance()
        .request_grant(&caller("hospital-north/etl"), office.reidentify_terms())
        .unwrap()
        .record
        .grant
        .id
        .clone()
}

/// A certificate of a member's own key that ended long ago.
fn expired(member: &str) -> Arc<[u8]> {
    let key = KeyPair::from_pem(&people::key_pem(member)).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(
        of_member(member).uris[0].as_str().try_into().unwrap(),
    )];
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    params.self_signed(&key).unwrap().der().as_ref().into()
}

#[test]
fn an_approval_with_a_key_that_was_given_up_does_not_count() {
    let office = Office::open(ModelStore::new());
    let id = request(&office);
    people::approve(&office.engine, STEWARDS[0], &id).unwrap();
    let key = |member: &str| people::public_key(member).to_string();
    let repinned = registry().replace(&key(STEWARDS[0]), &key("uni-research/spare"));
    people::apply(&office.engine, &repinned).unwrap();
    let told = people::approve(&office.engine, STEWARDS[1], &id).unwrap_err();
    assert_eq!(told.reason(), Reason::GrantStale);
}

#[test]
fn what_the_auditors_rules_refuse_is_not_done_even_if_the_engine_has_let_it_pass() {
    let office = Office::open(ModelStore::new());
    let id = request(&office);
    let proper = caller(STEWARDS[0]);
    let view = office.engine.governance().get_grant(&proper, &id).unwrap();
    let object = view.record.grant.encode();
    let signature = people::signer(STEWARDS[0])
        .sign(Deed::ApproveGrant, office.engine.origin(), &object)
        .unwrap();
    // Whoever read the certificate saw another end in it than the auditor will.
    let expired = Caller {
        certificate: expired(STEWARDS[0]),
        ..proper.clone()
    };
    let refused = office
        .engine
        .governance()
        .approve_grant(&expired, &id, &view.digest, &signature)
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::Internal);
    assert!(
        refused.detail().contains("would not verify"),
        "{}",
        refused.detail()
    );
    assert_eq!(
        office
            .engine
            .governance()
            .get_grant(&proper, &id)
            .unwrap()
            .record
            .approvals,
        []
    );
    office
        .engine
        .governance()
        .approve_grant(&proper, &id, &view.digest, &signature)
        .unwrap();
}

#[test]
fn a_registry_that_cannot_be_read_at_the_moment_holds_up_heads_and_no_longer() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let with = |retention: &str| {
        registry().replace(
            "retention = \"10y\"",
            &format!("retention = \"{retention}\""),
        )
    };
    people::apply(&office.engine, &with("9y")).unwrap();
    office
        .store
        .fail_reads(Family::Registry, StoreError::Corrupt("checksum".into()));
    assert!(office.engine.log().sign_head().is_err());
    office.store.mend_reads(Family::Registry);
    office.engine.log().sign_head().unwrap();
    people::apply(&office.engine, &with("8y")).unwrap();
}

#[test]
fn a_proposal_is_shown_with_the_registry_that_it_replaces_while_that_is_in_force() {
    let office = Office::open(ModelStore::new());
    let with = |retention: &str| {
        registry().replace(
            "retention = \"10y\"",
            &format!("retention = \"{retention}\""),
        )
    };
    let proposed = office
        .engine
        .governance()
        .propose_registry(&caller(CUSTODIANS[0]), &with("9y"), false, None)
        .unwrap();
    let id = proposed.proposal.unwrap().record.proposal.id.clone();
    let shown = || {
        let shown = office
            .engine
            .governance()
            .get_proposal(&caller(CUSTODIANS[0]), &id);
        shown.unwrap()
    };
    let texts = shown().1.unwrap();
    assert_eq!((texts.base, texts.proposed), (registry(), with("9y")));
    people::apply(&office.engine, &with("8y")).unwrap();
    let (view, texts) = shown();
    assert_eq!(view.state, State::Stale);
    assert!(texts.is_none(), "nobody can sign it any more");
}

#[test]
fn a_registry_that_makes_more_keys_than_an_entry_can_name_is_refused() {
    let office = Office::open(ModelStore::new());
    let chain = |number: usize| {
        format!(
            "\n[[chain]]\nid = \"chain-{number}\"\nowner = \"uni-research\"\nsources = [\"gp-south\"]\n\
             recipients = [\"uni-research\"]\n[[chain.namespace]]\nid = \"nl.bsn\"\n\
             [[chain.element]]\nname = \"bsn\"\ntreatment = \"pseudonym\"\nnamespace = \"nl.bsn\"\n"
        )
    };
    let with = |chains: usize| registry() + &(0..chains).map(chain).collect::<String>();
    let told = office
        .engine
        .governance()
        .propose_registry(&caller(CUSTODIANS[0]), &with(801), true, None)
        .unwrap_err();
    assert_eq!(
        (told.reason(), told.violations()[0].field.as_str()),
        (Reason::InvalidRegistry, "chain")
    );
    people::apply(&office.engine, &with(800)).unwrap();
}
