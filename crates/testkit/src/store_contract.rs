//! What every store must do, as functions that panic when it does not. Each takes a new, empty store.

use std::sync::mpsc::channel;

use sluis_ledger::audit::MAX_ENTRY;
use sluis_port::rows::audit_key;
use sluis_port::store::{Commit, Family, PackedRows, Receipt, Store, StoreError};

/// All of the contract; `new` makes an empty store.
pub fn check<S: Store>(mut new: impl FnMut() -> S) {
    for rule in [
        values_come_back,
        later_writes_of_a_commit_win,
        a_commit_is_whole_or_nothing,
        expectations_compare_exact_values,
        removals_come_before_writes_and_leave_the_rest,
        completions_keep_the_order_of_the_calls,
        entries_are_numbered_without_gaps,
        scans_are_ascending_and_bounded,
        many_values_come_in_the_order_of_their_keys,
        rows_outside_the_layout_are_refused,
        an_entry_that_no_log_can_hold_is_refused,
    ] {
        rule(&new());
    }
}

fn put(key: &[u8], value: &[u8]) -> Commit {
    let mut commit = Commit::default();
    commit.put(Family::Grants, key, value);
    commit
}

fn delete(key: &[u8]) -> Commit {
    let mut commit = put(key, &[]);
    commit.writes[0].value = None;
    commit
}

fn packed(rows: &[([u8; 20], [u8; 17])]) -> PackedRows {
    let mut packed = PackedRows::with_capacity(Family::Link, 20, rows.len(), 37 * rows.len());
    for (key, value) in rows {
        packed.push_with(|out| {
            out.extend_from_slice(key);
            out.extend_from_slice(value);
        });
    }
    packed
}

fn value(n: u8) -> [u8; 17] {
    let mut value = [n; 17];
    value[0] = 1;
    value
}

fn values_come_back(store: &dyn Store) {
    assert_eq!(store.get(Family::Grants, b"a"), Ok(None));
    store.commit(put(b"a", b"\x01x")).expect("written");
    assert_eq!(store.get(Family::Grants, b"a"), Ok(Some(b"\x01x".to_vec())));
    assert_eq!(
        store.get(Family::Registry, b"a"),
        Ok(None),
        "families are apart"
    );
    store.commit(put(b"a", b"\x01y")).expect("overwritten");
    assert_eq!(store.get(Family::Grants, b"a"), Ok(Some(b"\x01y".to_vec())));
    store.commit(delete(b"a")).expect("deleted");
    assert_eq!(store.get(Family::Grants, b"a"), Ok(None));
    assert_eq!(store.writable(), Ok(()));
}

fn later_writes_of_a_commit_win(store: &dyn Store) {
    let mut commit = put(b"a", b"\x01first");
    commit
        .put(Family::Grants, b"a", b"\x01second")
        .put(Family::Link, [7; 20], value(1));
    commit.rows = vec![packed(&[
        ([9; 20], value(2)),
        ([7; 20], value(3)),
        ([7; 20], value(4)),
    ])];
    store.commit(commit).expect("written");
    assert_eq!(
        store.get(Family::Grants, b"a"),
        Ok(Some(b"\x01second".to_vec()))
    );
    assert_eq!(
        store.get(Family::Link, &[7; 20]),
        Ok(Some(value(4).to_vec()))
    );
}

fn a_commit_is_whole_or_nothing(store: &dyn Store) {
    let mut commit = put(b"a", b"\x01");
    commit
        .expect(Family::Grants, b"absent", Some(vec![1]))
        .entry(vec![3]);
    commit.rows = vec![packed(&[([7; 20], value(1))])];
    assert_eq!(store.commit(commit.clone()), Err(StoreError::Conflict));
    assert_eq!(store.get(Family::Grants, b"a"), Ok(None));
    assert_eq!(store.get(Family::Link, &[7; 20]), Ok(None));
    assert_eq!(store.entries(), 0, "a conflict takes no sequence number");
    commit.expect.clear();
    assert_eq!(store.commit(commit), Ok(Receipt { first_entry: 0 }));
    assert!(
        store
            .get(Family::Link, &[7; 20])
            .expect("readable")
            .is_some()
    );
    assert_eq!(store.entries(), 1);
}

fn expectations_compare_exact_values(store: &dyn Store) {
    let conditional = |expected: Option<&[u8]>, to: &[u8]| {
        let mut commit = put(b"counter", to);
        commit.expect(Family::Grants, b"counter", expected.map(<[u8]>::to_vec));
        store.commit(commit).map(|_| ())
    };
    assert_eq!(
        conditional(Some(b"\x01"), b"\x01a"),
        Err(StoreError::Conflict),
        "absent, a value expected"
    );
    assert_eq!(conditional(None, b"\x01a"), Ok(()));
    assert_eq!(
        conditional(None, b"\x01b"),
        Err(StoreError::Conflict),
        "present, absence expected"
    );
    assert_eq!(
        conditional(Some(b"\x01"), b"\x01b"),
        Err(StoreError::Conflict),
        "a prefix is another value"
    );
    assert_eq!(conditional(Some(b"\x01a"), b"\x01b"), Ok(()));
    assert_eq!(
        store.get(Family::Grants, b"counter"),
        Ok(Some(b"\x01b".to_vec()))
    );
    let mut commit = put(b"counter", b"\x01c");
    commit
        .entry(vec![3])
        .expect(Family::Audit, audit_key(0), None);
    assert!(store.commit(commit.clone()).is_ok());
    assert_eq!(
        store.commit(commit),
        Err(StoreError::Conflict),
        "the audit sequence can be expected"
    );
}

fn removals_come_before_writes_and_leave_the_rest(store: &dyn Store) {
    for key in [b"a", b"b", b"c", b"d"] {
        store.commit(put(key, b"\x01old")).expect("written");
    }
    let mut commit = put(b"c", b"\x01new");
    commit.remove(Family::Grants, *b"b", *b"d");
    store.commit(commit.clone()).expect("removed");
    let rows = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    let left = [
        rows(b"a", b"\x01old"),
        rows(b"c", b"\x01new"),
        rows(b"d", b"\x01old"),
    ];
    assert_eq!(store.scan(Family::Grants, &[], 10), Ok(left.to_vec()));
    store.compact(&commit.removals[0]).expect("compacted");
    assert_eq!(store.scan(Family::Grants, &[], 10), Ok(left.to_vec()));
    let mut history = Commit::default();
    history.remove(Family::Audit, audit_key(0), audit_key(9));
    assert!(
        matches!(store.commit(history), Err(StoreError::Corrupt(_))),
        "entries stay"
    );
}

fn completions_keep_the_order_of_the_calls(store: &dyn Store) {
    let (sender, receiver) = channel();
    for n in 0..200u32 {
        let mut commit = put(&n.to_be_bytes(), b"\x01");
        commit.entry([&[3][..], &n.to_be_bytes()].concat());
        if n % 3 == 1 {
            commit.expect(Family::Grants, (n - 1).to_be_bytes(), Some(vec![1]));
        } else if n % 3 == 2 {
            commit.expect(Family::Grants, (n - 1).to_be_bytes(), None);
        }
        let sender = sender.clone();
        store.submit(
            commit,
            Box::new(move |outcome| drop(sender.send((n, outcome)))),
        );
    }
    drop(sender);
    let mut next = 0;
    for (n, (number, outcome)) in (0..).zip(receiver) {
        assert_eq!(number, n);
        let expected = if n % 3 == 2 {
            Err(StoreError::Conflict)
        } else {
            Ok(Receipt { first_entry: next })
        };
        next += u64::from(n % 3 != 2);
        assert_eq!(outcome, expected, "commit {n}");
    }
    assert_eq!((next, store.entries()), (134, 134));
}

fn entries_are_numbered_without_gaps(store: &dyn Store) {
    let entries = |entries: &[u8]| Commit {
        entries: entries.iter().map(|n| vec![3, *n]).collect(),
        ..Commit::default()
    };
    assert_eq!(
        store.commit(entries(&[0, 1, 2])),
        Ok(Receipt { first_entry: 0 })
    );
    assert_eq!(store.commit(entries(&[])), Ok(Receipt { first_entry: 3 }));
    assert_eq!(store.commit(entries(&[3])), Ok(Receipt { first_entry: 3 }));
    let log = store
        .scan(Family::Audit, &audit_key(1), 10)
        .expect("readable");
    let expected: Vec<_> = (1..4)
        .map(|n| (audit_key(u64::from(n)).to_vec(), vec![3, n]))
        .collect();
    assert_eq!((log, store.entries()), (expected, 4));
}

fn scans_are_ascending_and_bounded(store: &dyn Store) {
    for key in [&b"b"[..], b"a", b"c", b"ab", b"\xff"] {
        store.commit(put(key, b"\x01")).expect("written");
    }
    store
        .commit(Commit {
            rows: vec![packed(&[([0; 20], value(1))])],
            ..Commit::default()
        })
        .expect("written");
    let keys = |start: &[u8], limit| {
        let rows = store.scan(Family::Grants, start, limit).expect("readable");
        rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys(b"", 10), [&b"a"[..], b"ab", b"b", b"c", b"\xff"]);
    assert_eq!(keys(b"ab", 2), [&b"ab"[..], b"b"]);
    assert_eq!(keys(b"aba", 1), [b"b"]);
    assert!(keys(b"\xff\xff", 10).is_empty() && keys(b"", 0).is_empty());
}

fn many_values_come_in_the_order_of_their_keys(store: &dyn Store) {
    let rows: Vec<_> = (0..200u8)
        .map(|n| ([n.wrapping_mul(77); 20], value(n)))
        .collect();
    store
        .commit(Commit {
            rows: vec![packed(&rows)],
            ..Commit::default()
        })
        .expect("written");
    let mut asked: Vec<[u8; 20]> = rows.iter().map(|(key, _)| *key).collect();
    asked.extend([[200u8.wrapping_mul(77); 20], asked[5]]);
    let found = store
        .get_many(Family::Link, 20, &asked.concat())
        .expect("readable");
    assert_eq!(found.rows(), asked.len());
    for (row, key) in asked.iter().enumerate() {
        let alone = store
            .get(Family::Link, key)
            .expect("readable")
            .unwrap_or_default();
        assert_eq!(found.get(row), alone, "row {row}");
    }
    assert_eq!(found.get(5), found.get(201), "a key may be asked twice");
    assert!(found.present() < found.rows(), "some are missing");
    assert_eq!(
        store
            .get_many(Family::Link, 20, &[])
            .map(|found| found.rows()),
        Ok(0)
    );
    assert!(store.get_many(Family::Link, 20, &[0; 30]).is_err());
}

fn rows_outside_the_layout_are_refused(store: &dyn Store) {
    let corrupt = |commit| matches!(store.commit(commit), Err(StoreError::Corrupt(_)));
    assert!(corrupt(put(b"a", b"")) && corrupt(put(b"a", b"\x02x")));
    let mut audit = Commit::default();
    audit.put(Family::Audit, audit_key(0), [1]);
    assert!(corrupt(audit), "entries are appended only");
    let mut short = Commit::default();
    short.put(Family::Link, [1; 19], value(1));
    assert!(corrupt(short));
    assert!(corrupt(Commit {
        entries: vec![vec![]],
        ..Commit::default()
    }));
    assert_eq!((store.entries(), store.writable()), (0, Ok(())));
}

/// Had it been written, no one could verify the log again, and its custodian would not start.
fn an_entry_that_no_log_can_hold_is_refused(store: &dyn Store) {
    let entry = |length| Commit {
        entries: vec![vec![3; length]],
        ..put(b"a", b"\x01")
    };
    assert!(matches!(
        store.commit(entry(MAX_ENTRY + 1)),
        Err(StoreError::Corrupt(_))
    ));
    assert_eq!(
        store.get(Family::Grants, b"a"),
        Ok(None),
        "nothing of its commit is written"
    );
    assert_eq!(
        (store.entries(), store.writable()),
        (0, Ok(())),
        "and the store goes on"
    );
    assert_eq!(
        store.commit(entry(MAX_ENTRY)),
        Ok(Receipt { first_entry: 0 })
    );
}
