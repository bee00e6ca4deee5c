//! Whoever verifies the log works out of which chain a key version is, and refuses entries that use one that is gone. What an
//! honest custodian writes must pass: the log is verified at every start.

use sluis_crypto::{Pseudonym, token};
use sluis_domain::{GrantId, Kid};
use sluis_ledger::audit::Act;
use sluis_ledger::grant::{Kind, OutputOrder, Terms};
use sluis_port::Clock;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;

use super::{UNI, entries, line, retire, sign_all};
use crate::office::{Office, REGISTER, STUDY, caller, custodian};
use crate::subjects;

/// A token that was never given out.
fn made_up(kid: Kid) -> Vec<String> {
    let mut text = Vec::new();
    token::write_text(kid, &Pseudonym::from_bytes([7; 16]), &mut text);
    vec![String::from_utf8(text).unwrap()]
}

fn active(office: &Office<ModelStore>, chain: &str) -> Kid {
    line(&office.engine, chain, "nl.bsn").last().unwrap().kid
}

fn cut(office: &Office<ModelStore>, chain: &str, owners: &[&str]) {
    sign_all(
        &office.engine,
        owners,
        &office
            .engine
            .life()
            .propose_cut(&custodian(), active(office, chain))
            .unwrap(),
    );
}

/// From the study's older tokens to its newer ones.
fn within(office: &Office<ModelStore>) -> GrantId {
    let bsn = || (STUDY.parse().unwrap(), "bsn".parse().unwrap());
    let terms = Terms {
        kind: Kind::Convert {
            from: bsn(),
            to: bsn(),
            order: OutputOrder::Ordered,
        },
        purpose: "test".into(),
        legal_basis: "test".into(),
        max_values: 1_000,
        max_values_per_day: None,
        not_before: None,
        not_after: office.clock.now().plus_millis(3_600_000),
    };
    let id = office
        .engine
        .governance()
        .request_grant(&caller("registry-office/etl"), terms)
        .unwrap()
        .record
        .grant
        .id
        .clone();
    UNI.iter()
        .for_each(|steward| drop(people::approve(&office.engine, steward, &id).unwrap()));
    id
}

#[test]
fn conversions_before_any_batch_tell_no_chain_too_much() {
    let mut office = Office::open(ModelStore::new());
    let (there, back) = (
        office.grant(STUDY, REGISTER, 1_000),
        office.grant(REGISTER, STUDY, 1_000),
    );
    let (study, register) = (active(&office, STUDY), active(&office, REGISTER));
    // Neither version was named with its chain, and both are in each entry.
    assert_eq!(office.converted(&there, &made_up(study)).unwrap(), [""]);
    assert_eq!(office.converted(&back, &made_up(register)).unwrap(), [""]);
    assert_eq!(
        entries(&*office.store, Act::Convert)[0].event.keys().len(),
        2
    );
    office.reopen();
    // One in an entry is the one that pseudonyms are made with.
    assert_eq!(office.converted(&back, &[String::new()]).unwrap(), [""]);
    assert_eq!(
        entries(&*office.store, Act::Convert)[2].event.keys().len(),
        1
    );
    let bsns = subjects(2);
    let tokens = office.pseudonymise(STUDY, &bsns);
    assert_eq!(
        office.converted(&there, &tokens).unwrap(),
        office.pseudonymise(REGISTER, &bsns)
    );
    office.reopen();
    retire(&office, STUDY);
    office.reopen();
}

#[test]
fn a_cut_version_is_still_converted_to() {
    let mut office = Office::open(ModelStore::new());
    let bsns = subjects(2);
    let (grant, old) = (
        office.grant(STUDY, REGISTER, 1_000),
        office.pseudonymise(STUDY, &bsns),
    );
    let there = office.converted(&grant, &old).unwrap();
    cut(
        &office,
        REGISTER,
        &["registry-office/steward-a", "registry-office/steward-b"],
    );
    assert_eq!(office.converted(&grant, &old).unwrap(), there);
    office.reopen();
    people::rotate(&office.engine, &STUDY.parse().unwrap(), None).unwrap();
    let own = within(&office);
    let new = office.converted(&own, &old).unwrap();
    assert_eq!(new, office.pseudonymise(STUDY, &bsns));
    assert_eq!(
        office.converted(&own, &[&old[..], &new].concat()).unwrap(),
        [&new[..], &new].concat()
    );
    cut(&office, STUDY, &UNI);
    assert_eq!(
        office.converted(&own, &[&old[..], &new].concat()).unwrap(),
        [&new[..], &["".into(), "".into()]].concat()
    );
    office.reopen();
}
