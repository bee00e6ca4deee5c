//! How the log ends, and starts that read only its end.

use std::sync::Arc;

use sluis_domain::Reason;
use sluis_engine::{Engine, EngineError, HeadError};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Entry, Event};
use sluis_port::store::{Family, Store, StoreError};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;

use super::{all, copy, entries};
use crate::office::{Office, custodian};

pub(super) fn resumed(
    office: &Office<ModelStore>,
    store: Arc<dyn Store>,
    saved: &[u8],
) -> Result<Engine, EngineError> {
    Engine::resume(
        store,
        office.kek(),
        office.clock.clone(),
        people::settings(),
        Some(saved),
    )
}

pub(super) fn verified(engine: &Engine) -> Result<u64, EngineError> {
    loop {
        let progress = engine.log().verify_on()?;
        if progress.is_done() {
            return Ok(progress.goal);
        }
    }
}

/// A log of some hundred entries, and its state then; three entries follow.
fn grown() -> (Office<ModelStore>, Vec<u8>) {
    let office = Office::open(ModelStore::new());
    office.grow(600);
    let saved = office.engine.log().save().unwrap().unwrap();
    for _ in 0..3 {
        office
            .engine
            .refuse(&custodian(), Act::ReadStatus, Reason::RateLimited);
    }
    (office, saved)
}

#[test]
fn the_last_entries_cannot_be_edited_before_they_are_under_a_head() {
    let (office, saved) = grown();
    let rows = all(&*office.store);
    let honest = entries(&*office.store);
    let check = |what: String, edited: Vec<Vec<u8>>| {
        let store = copy(&rows, edited);
        let refused = office.reopened(store.clone(), "").map(drop);
        let found = matches!(
            refused,
            Err(EngineError::LogEnd(_) | EngineError::Wrong(_) | EngineError::EntryMissing(_))
        );
        assert!(found, "{what}: {refused:?}");
        let refused = resumed(&office, store, &saved).map(drop);
        assert!(refused.is_err(), "{what}, from a saved state");
    };
    let last = honest.len() - 1;
    for at in last - 2..=last {
        check(format!("cut at {at}"), honest[..at].to_vec());
        let mut without = honest.clone();
        without.remove(at);
        check(format!("without {at}"), without);
        let mut changed = honest.clone();
        let mut entry = Entry::decode(&changed[at]).unwrap();
        entry.header.salt[0] ^= 1;
        changed[at] = entry.encode();
        check(format!("changed {at}"), changed);
        let mut repeated = honest.clone();
        repeated.insert(at, honest[at].clone());
        check(format!("repeated {at}"), repeated);
        if at < last {
            let mut swapped = honest.clone();
            swapped.swap(at, at + 1);
            check(format!("swapped {at}"), swapped);
        }
    }
    assert!(resumed(&office, copy(&rows, honest), &saved).is_ok());
}

#[test]
fn entries_that_were_written_while_sealed_are_taken_in_and_no_others() {
    let office = Office::open(ModelStore::new());
    let head = office.head();
    let rows = all(&*office.store);
    let mut log = entries(&*office.store);
    log.push(office.noise());
    let engine = office.reopened(copy(&rows, log.clone()), &head.note);
    assert_eq!(engine.unwrap().entries(), log.len() as u64);
    let act = log.iter().rposition(|bytes| {
        let entry = Entry::decode(bytes).unwrap();
        matches!(entry.event, Event::Propose(_))
    });
    log.push(log[act.unwrap()].clone());
    let refused = office.reopened(copy(&rows, log), &head.note).map(drop);
    assert!(refused.is_err());
}

#[test]
fn a_start_from_a_saved_state_is_verified_afterwards() {
    let (office, saved) = grown();
    let head = office.head();
    let engine = resumed(&office, office.store.clone(), &saved).unwrap();
    engine.log().check_head(head.note.as_bytes()).unwrap();
    assert_eq!(engine.log().sign_head().unwrap().root, head.root);
    assert!(engine.life().status(&custodian()).is_ok());
    assert_eq!(engine.log().verify_on().unwrap().entries, 256);
    assert!(verified(&engine).is_ok());
}

#[test]
fn promise_8_an_entry_that_was_edited_before_a_saved_state_ends_all_acts() {
    let (office, saved) = grown();
    let head = office.head();
    for at in [20, 300] {
        let rows = all(&*office.store);
        let mut edited = entries(&*office.store);
        let mut entry = Entry::decode(&edited[at]).unwrap();
        entry.header.salt[0] ^= 1;
        edited[at] = entry.encode();
        let engine = resumed(&office, copy(&rows, edited), &saved).unwrap();
        engine.log().check_head(head.note.as_bytes()).unwrap();
        assert!(engine.life().status(&custodian()).is_ok());
        assert!(verified(&engine).is_err(), "entry {at}");
        let refused = engine.life().status(&custodian()).unwrap_err();
        assert_eq!(refused.reason(), Reason::CorruptStore);
        assert!(!engine.accepts());
    }
}

#[test]
fn a_saved_state_that_is_not_of_this_store_is_not_used() {
    let (office, saved) = grown();
    let head = office.head();
    for at in [0, 8, 9, 60, saved.len() - 1] {
        let mut damaged = saved.clone();
        damaged[at] ^= 1;
        let engine = resumed(&office, office.store.clone(), &damaged).unwrap();
        engine.log().check_head(head.note.as_bytes()).unwrap();
        assert!(engine.log().verify_on().unwrap().is_done(), "byte {at}");
    }
    let (other, _) = grown();
    assert!(
        resumed(&other, other.store.clone(), &saved)
            .unwrap()
            .log()
            .verify_on()
            .unwrap()
            .is_done()
    );
}

#[test]
fn a_store_that_is_older_than_the_saved_state_is_an_old_store() {
    let office = Office::open(ModelStore::new());
    let old = copy(&all(&*office.store), entries(&*office.store));
    office.grow(3);
    office.engine.admit(&custodian()).unwrap();
    let saved = office.engine.log().save().unwrap().unwrap();
    let head = office.head();
    let engine = resumed(&office, old, &saved).unwrap();
    let refused = engine.log().check_head(head.note.as_bytes());
    assert!(matches!(
        refused,
        Err(EngineError::Head(HeadError::Ahead { .. }))
    ));
}

#[test]
fn the_row_is_one_of_the_store_and_names_every_entry() {
    let office = Office::open(ModelStore::new());
    office.grow(5);
    let row = office
        .store
        .get(Family::Meta, sluis_port::rows::META_LOG_END);
    let row = row.unwrap().unwrap();
    assert_eq!(row[1..9], office.store.entries().to_be_bytes());
}

#[test]
fn a_tile_that_cannot_be_read_for_a_while_is_no_fault_of_the_log() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    office.grow(600);
    let saved = office.engine.log().save().unwrap().unwrap();
    let head = office.head();
    let engine = Engine::resume(
        office.store.clone(),
        office.kek(),
        office.clock.clone(),
        people::settings(),
        Some(&saved),
    )
    .unwrap();
    engine.log().check_head(head.note.as_bytes()).unwrap();
    let away = StoreError::Stalled("for a moment".to_owned());
    office.store.fail_reads(Family::Tree, away.clone());
    for _ in 0..2 {
        assert_eq!(
            engine.log().verify_on(),
            Err(EngineError::Store(away.clone()))
        );
    }
    assert!(engine.life().status(&custodian()).is_ok());
    office.store.mend_reads(Family::Tree);
    assert!(verified(&engine).is_ok());
    assert!(engine.life().status(&custodian()).is_ok());
}

#[test]
fn a_log_that_was_found_wrong_is_not_saved_for_the_next_start() {
    let (office, saved) = grown();
    let rows = all(&*office.store);
    let mut edited = entries(&*office.store);
    let mut entry = Entry::decode(&edited[300]).unwrap();
    entry.header.salt[0] ^= 1;
    edited[300] = entry.encode();
    let engine = resumed(&office, copy(&rows, edited), &saved).unwrap();
    assert!(engine.log().save().unwrap().is_some());
    assert!(verified(&engine).is_err());
    assert_eq!(engine.log().save().unwrap(), None);
}
