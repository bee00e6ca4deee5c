//! What signatures count for when the registry changes between them, and what their signers are shown.

use sluis_domain::Reason;
use sluis_domain::grant::{Kind, Terms};
use sluis_domain::port::Clock;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::{CUSTODIANS, STEWARDS, registry};

use crate::office::{Office, STUDY, caller};

#[test]
fn an_approval_with_a_key_that_was_given_up_does_not_count() {
    let office = Office::open(ModelStore::new());
    let terms = Terms {
        kind: Kind::Reidentify { chain: STUDY.parse().unwrap(), elements: vec!["bsn".parse().unwrap()] },
        purpose: "test".into(),
        legal_basis: "test".into(),
        max_values: 1,
        max_values_per_day: None,
        not_before: None,
        not_after: office.clock.now().plus_millis(3_600_000),
    };
    let id = office.engine.request_grant(&caller("hospital-north/etl"), terms).unwrap().record.grant.id.clone();
    people::approve(&office.engine, STEWARDS[0], &id).unwrap();
    let key = |member: &str| people::public_key(member).to_string();
    let repinned = registry().replace(&key(STEWARDS[0]), &key("uni-research/spare"));
    people::apply(&office.engine, &repinned).unwrap();
    let told = people::approve(&office.engine, STEWARDS[1], &id).unwrap_err();
    assert_eq!(told.reason(), Reason::GrantStale);
}

#[test]
fn a_proposal_is_shown_with_the_registry_that_it_replaces_whatever_is_in_force() {
    let office = Office::open(ModelStore::new());
    let with = |retention: &str| registry().replace("retention = \"10y\"", &format!("retention = \"{retention}\""));
    let proposed = office.engine.propose_registry(&caller(CUSTODIANS[0]), &with("9y"), false, None).unwrap();
    let id = proposed.proposal.unwrap().record.proposal.id.clone();
    people::apply(&office.engine, &with("8y")).unwrap();
    let (_, texts) = office.engine.get_proposal(&caller(CUSTODIANS[0]), &id).unwrap();
    let texts = texts.unwrap();
    assert_eq!((texts.base, texts.proposed), (registry(), with("9y")));
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
    let told = office.engine.propose_registry(&caller(CUSTODIANS[0]), &with(801), true, None).unwrap_err();
    assert_eq!((told.reason(), told.violations()[0].field.as_str()), (Reason::InvalidRegistry, "chain"));
    people::apply(&office.engine, &with(800)).unwrap();
}
