//! A person who has the store and the state key still cannot approve: signatures are verified again after a start.

use sluis_domain::Reason;
use sluis_engine::{Engine, EngineError};
use sluis_keyring::Keyring;
use sluis_ledger::statement::Deed;
use sluis_port::Clock;
use sluis_port::store::Family;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people::{self, caller, signer};
use sluis_testkit::registry::{CUSTODIANS, STEWARDS, registry};

use crate::office::{Office, REGISTER, STUDY};

/// In the place of a key of the store.
const SAVED: &[u8] = concat!("saved ", env!("CARGO_PKG_VERSION")).as_bytes();

/// The state that a start begins with, after a person with all keys has changed one text in it.
fn forged(office: &Office<ModelStore>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let keyring = Keyring::load(&*office.store, office.kek()).unwrap();
    let saved = office.engine.log().save().unwrap().unwrap();
    let state = keyring.state();
    let (entries, mut bytes) = state.open(Family::Audit, SAVED, &saved).unwrap();
    let found = bytes.windows(from.len()).position(|window| window == from);
    let at = found.expect("the state has this text");
    bytes[at..at + to.len()].copy_from_slice(to);
    state.seal(Family::Audit, SAVED, entries, &bytes)
}

#[test]
fn promise_4_a_forged_state_is_found_by_the_verification_after_the_start() {
    let office = Office::open(ModelStore::new());
    office.grant(STUDY, REGISTER, 10);
    let head = office.head();
    let saved = forged(
        &office,
        b"registry-office/steward-a",
        b"registry-office/steward-b",
    );
    let engine = Engine::resume(
        office.store.clone(),
        office.kek(),
        office.clock.clone(),
        people::settings(),
        Some(&saved),
    )
    .unwrap();
    engine.log().check_head(head.note.as_bytes()).unwrap();
    let found = engine.log().verify_on();
    assert!(matches!(found, Err(EngineError::Differs(_))), "{found:?}");
    let refused = engine.life().status(&caller(CUSTODIANS[0])).unwrap_err();
    assert_eq!(refused.reason(), Reason::CorruptStore);
}

/// Whoever reads the log refuses such a signature: had it been taken, the custodian would never start again.
#[test]
fn a_certificate_that_is_not_valid_yet_signs_nothing() {
    let office = Office::open(ModelStore::new());
    let mut early = caller(CUSTODIANS[0]);
    early.not_before = office.clock.now().plus_millis(61_000);
    let proposed = office.engine.governance().propose_registry(
        &early,
        &format!("{}\n# later", registry()),
        false,
        None,
    );
    assert!(
        proposed.unwrap().proposal.is_none(),
        "a comment changes nothing"
    );
    let tighter = registry().replace("subjects_per_day = 1000000", "subjects_per_day = 7");
    let proposal = office
        .engine
        .governance()
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
        .governance()
        .sign_proposal(&steward, id, &signature)
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::CertificateNotYetValid);
    steward.not_before = office.clock.now().plus_millis(60_000);
    office
        .engine
        .governance()
        .sign_proposal(&steward, id, &signature)
        .unwrap();
}
