//! The faults do what they say.

use std::sync::mpsc::channel;

use sluis_port::store::{Commit, Family, Store, StoreError};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;

fn put(key: &[u8]) -> Commit {
    let mut commit = Commit::default();
    commit.put(Family::Grants, key, b"\x01\x10");
    commit
}

#[test]
fn the_nth_commit_fails_and_the_store_stays_read_only() {
    let store = FaultyStore::new(ModelStore::new());
    store.fail_commit(2, StoreError::Io("disk full".into()));
    assert!(store.commit(put(b"1")).is_ok());
    assert_eq!(
        store.commit(put(b"2")),
        Err(StoreError::Io("disk full".into()))
    );
    assert!(matches!(
        store.commit(put(b"3")),
        Err(StoreError::ReadOnly(_))
    ));
    assert!(matches!(store.writable(), Err(StoreError::ReadOnly(_))));
    assert_eq!(store.inner().scan(Family::Grants, b"", 9).unwrap().len(), 1);
    assert_eq!(store.commits(), 3);
}

#[test]
fn an_injected_conflict_is_only_a_conflict() {
    let store = FaultyStore::new(ModelStore::new());
    store.fail_commit(1, StoreError::Conflict);
    assert_eq!(store.commit(put(b"1")), Err(StoreError::Conflict));
    assert!(store.commit(put(b"1")).is_ok());
}

#[test]
fn reads_fail_and_values_are_damaged_on_demand() {
    let store = FaultyStore::new(ModelStore::new());
    store.commit(put(b"1")).unwrap();
    store.fail_reads(Family::Grants, StoreError::Io("gone".into()));
    assert!(
        store.get(Family::Grants, b"1").is_err() && store.scan(Family::Grants, b"", 1).is_err()
    );
    assert!(
        store.get_many(Family::Grants, 1, b"1").is_err()
            && store.get(Family::Registry, b"1").is_ok()
    );
    store.mend_reads(Family::Grants);
    store.damage_next_read(Family::Grants);
    assert_eq!(
        store.get_many(Family::Grants, 1, b"01").unwrap().get(1),
        b"\x01\x11"
    );
    assert_eq!(
        store.get(Family::Grants, b"1").unwrap().unwrap(),
        b"\x01\x10"
    );
}

#[test]
fn held_completions_run_in_order_when_released() {
    let store = FaultyStore::new(ModelStore::new());
    store.hold_completions();
    let (sender, receiver) = channel();
    for n in 0..3 {
        let sender = sender.clone();
        store.submit(
            put(&[n]),
            Box::new(move |outcome| sender.send((n, outcome.is_ok())).unwrap()),
        );
    }
    while store.held() < 3 {
        std::thread::yield_now();
    }
    assert!(receiver.try_recv().is_err());
    assert!(
        store.get(Family::Grants, &[2]).unwrap().is_some(),
        "durable already"
    );
    store.release_completions();
    assert_eq!(
        receiver.try_iter().collect::<Vec<_>>(),
        [(0, true), (1, true), (2, true)]
    );
}
