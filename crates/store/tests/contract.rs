//! The embedded store and the model store keep the same contract, and agree on random operations.

use proptest::prelude::*;
use sluis_port::store::{Commit, Expectation, Family, PackedRows, Range, Store, Write};
use sluis_store::{Options, RocksStore};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::store_contract;

#[test]
fn the_model_keeps_the_contract() {
    store_contract::check(ModelStore::new);
}

#[test]
fn the_embedded_store_keeps_the_contract() {
    let dirs = tempfile::tempdir().unwrap();
    let mut number = 0;
    store_contract::check(|| {
        number += 1;
        RocksStore::create(&dirs.path().join(number.to_string()), &Options::default()).unwrap()
    });
}

#[test]
fn a_store_without_faults_keeps_the_contract() {
    store_contract::check(|| FaultyStore::new(ModelStore::new()));
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Commit),
    Reopen,
}

/// Few keys and values, so that they meet.
fn key() -> impl Strategy<Value = Vec<u8>> {
    (0u8..4).prop_map(|n| vec![n])
}

fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of((0u8..3).prop_map(|n| vec![1, n]))
}

fn rows() -> impl Strategy<Value = PackedRows> {
    proptest::collection::vec((0u8..4, 0u8..3), 0..4).prop_map(|pairs| {
        let mut rows = PackedRows::with_capacity(Family::Link, 20, pairs.len(), 37 * pairs.len());
        for (key, value) in pairs {
            rows.push_with(|out| {
                out.extend_from_slice(&[key; 20]);
                out.push(1);
                out.extend_from_slice(&[value; 16]);
            });
        }
        rows
    })
}

fn commit() -> impl Strategy<Value = Commit> {
    let family = || prop_oneof![Just(Family::Grants), Just(Family::Registry)];
    let expect = (family(), key(), value()).prop_map(|(family, key, value)| Expectation {
        family,
        key,
        value,
    });
    let write =
        (family(), key(), value()).prop_map(|(family, key, value)| Write { family, key, value });
    let range = (family(), 0u8..4, 0u8..5).prop_map(|(family, from, to)| Range {
        family,
        from: vec![from],
        to: vec![to.max(from)],
    });
    let entry = any::<u8>().prop_map(|n| vec![2, n]);
    (
        proptest::collection::vec(expect, 0..2),
        proptest::collection::vec(range, 0..2),
        proptest::collection::vec(write, 0..4),
        proptest::collection::vec(rows(), 0..2),
        proptest::collection::vec(entry, 0..3),
    )
        .prop_map(|(expect, removals, writes, rows, entries)| Commit {
            expect,
            removals,
            writes,
            rows,
            entries,
        })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![20 => commit().prop_map(Step::Commit), 1 => Just(Step::Reopen)];
    proptest::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_store_does_what_the_model_does(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let model = ModelStore::new();
        let mut rocks = RocksStore::create(dir.path(), &Options::default()).unwrap();
        let (sender, outcomes) = std::sync::mpsc::channel();
        for step in steps {
            match step {
                Step::Commit(commit) => {
                    let expected = model.commit(commit.clone());
                    let sender = sender.clone();
                    rocks.submit(commit, Box::new(move |outcome| sender.send((expected, outcome)).unwrap()));
                }
                Step::Reopen => {
                    drop(rocks);
                    rocks = RocksStore::open(dir.path(), &Options::default()).unwrap();
                }
            }
        }
        drop((rocks, sender));
        for (expected, outcome) in outcomes {
            prop_assert_eq!(outcome, expected);
        }
        let rocks = RocksStore::open(dir.path(), &Options::default()).unwrap();
        prop_assert_eq!(rocks.entries(), model.entries());
        for family in [Family::Grants, Family::Registry, Family::Link, Family::Audit] {
            let all = |store: &dyn Store| store.scan(family, &[], usize::MAX).unwrap();
            prop_assert_eq!(all(&rocks), all(&model));
        }
    }
}
