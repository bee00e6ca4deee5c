//! Whoever has the store and the state key still cannot approve: signatures are verified again when a grant is loaded, and
//! when a proposal becomes effective.

use sluis_domain::Reason;
use sluis_engine::{Engine, EngineError};
use sluis_keyring::Keyring;
use sluis_ledger::Signed;
use sluis_ledger::grant::Record;
use sluis_ledger::proposal::{self, Signature};
use sluis_ledger::registry::Signers;
use sluis_ledger::statement::Deed;
use sluis_port::Clock;
use sluis_port::store::{Commit, Family, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people::{self, caller, signer};
use sluis_testkit::registry::{CUSTODIANS, STEWARDS, registry};

use crate::office::{Office, REGISTER, STUDY};

/// Opens the engine over the office's store after somebody with all its keys has changed a sealed value.
fn reopened(
    office: &Office<ModelStore>,
    key: &[u8],
    change: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<Engine, EngineError> {
    let keyring = Keyring::load(&*office.store, office.kek()).unwrap();
    let stored = office.store.get(Family::Grants, key).unwrap().unwrap();
    let (generation, value) = keyring.state().open(Family::Grants, key, &stored).unwrap();
    let mut commit = Commit::default();
    commit.put(
        Family::Grants,
        key,
        keyring
            .state()
            .seal(Family::Grants, key, generation, &change(&value)),
    );
    office.damage().commit(commit).unwrap();
    Engine::open(
        office.store.clone(),
        office.kek(),
        office.clock.clone(),
        people::settings(),
    )
}

#[test]
fn promise_4_a_grant_with_an_approval_that_does_not_fit_stops_the_start() {
    type Forge = fn(&mut Record, &Record);
    let forgeries: [(&str, Forge); 4] = [
        ("of another grant", |it, other| {
            it.approvals[0].signed = other.approvals[0].signed.clone()
        }),
        ("of another steward", |it, _| {
            it.approvals[0].steward = STEWARDS[1].parse().unwrap()
        }),
        ("of nobody's key", |it, _| {
            let signature = signer("nobody/x")
                .sign(Deed::ApproveGrant, "origin", &it.grant.encode())
                .unwrap();
            it.approvals[0].signed = Signed {
                signature,
                certificate: Vec::new(),
            };
        }),
        ("of a registry that never was", |it, _| {
            it.approvals[0].registry_version = 9
        }),
    ];
    for (what, forge) in forgeries {
        let office = Office::open(ModelStore::new());
        let [grant, other] = [
            office.grant(STUDY, REGISTER, 10),
            office.grant(STUDY, REGISTER, 10),
        ];
        let other = office
            .engine
            .get_grant(&caller("registry-office/etl"), &other)
            .unwrap()
            .record;
        let key = [b"g", grant.as_str().as_bytes()].concat();
        let opened = reopened(&office, &key, |value| {
            let mut record = Record::decode(value).unwrap();
            forge(&mut record, &other);
            record.encode()
        });
        assert!(
            matches!(opened, Err(EngineError::Corrupt(_))),
            "{what}: {:?}",
            opened.map(drop)
        );
    }
}

/// Whoever reads the log refuses such a signature: had it been taken, the custodian would never start again.
#[test]
fn a_certificate_that_is_not_valid_yet_signs_nothing() {
    let office = Office::open(ModelStore::new());
    let mut early = caller(CUSTODIANS[0]);
    early.not_before = office.clock.now().plus_millis(61_000);
    let proposed =
        office
            .engine
            .propose_registry(&early, &format!("{}\n# later", registry()), false, None);
    assert!(
        proposed.unwrap().proposal.is_none(),
        "a comment changes nothing"
    );
    let tighter = registry().replace("subjects_per_day = 1000000", "subjects_per_day = 7");
    let proposal = office
        .engine
        .propose_registry(&early, &tighter, false, None)
        .unwrap()
        .proposal
        .unwrap();
    let object = proposal.record.proposal.encode();
    let mut steward = caller(STEWARDS[0]);
    let signature = signer(STEWARDS[0])
        .sign(Deed::SignProposal, office.engine.origin(), &object)
        .unwrap();
    let id = &proposal.record.proposal.id;
    steward.not_before = early.not_before;
    let refused = office
        .engine
        .sign_proposal(&steward, id, &signature)
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::CertificateNotYetValid);
    steward.not_before = office.clock.now().plus_millis(60_000);
    office
        .engine
        .sign_proposal(&steward, id, &signature)
        .unwrap();
}

#[test]
fn promise_4_a_signature_that_was_written_into_a_proposal_does_not_count() {
    let office = Office::open(ModelStore::new());
    let text = registry().replace("retention = \"10y\"", "retention = \"9y\"");
    let proposed = office
        .engine
        .propose_registry(&caller(CUSTODIANS[0]), &text, false, None)
        .unwrap();
    let view = proposed.proposal.unwrap();
    let (id, object) = (&view.record.proposal.id, view.record.proposal.encode());
    let key = [b"p", id.as_str().as_bytes()].concat();
    let opened = reopened(&office, &key, |value| {
        let mut record = proposal::Record::decode(value).unwrap();
        record.signatures.push(Signature {
            signer: STEWARDS[0].parse().unwrap(),
            among: Signers::StewardsOf("uni-research".parse().unwrap()),
            at: record.proposal.at,
            signed: Signed {
                signature: vec![0x30; 70],
                certificate: Vec::new(),
            },
        });
        record.encode()
    });
    // It may be found out at once, from the log; at the latest it is when the last signature comes.
    if let Ok(engine) = opened {
        let signature = signer(STEWARDS[1])
            .sign(Deed::SignProposal, engine.origin(), &object)
            .unwrap();
        let told = engine
            .sign_proposal(&caller(STEWARDS[1]), id, &signature)
            .unwrap_err();
        assert_eq!(told.reason(), Reason::ProposalStale);
        let in_force = engine.registry_text(&caller(CUSTODIANS[0]), None).unwrap();
        assert_eq!(in_force, (1, registry()));
    }
}
