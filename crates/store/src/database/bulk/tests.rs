//! Bulk rows in a real store: what a crash between two steps leaves behind.

use std::sync::Arc;

use sluis_port::rows::ENTRY_FORMAT;
use sluis_port::store::{Commit, PackedRows, Range, Recovered, Store, Write};
use tempfile::TempDir;

use super::*;
use crate::database::Handle;
use crate::{Options, RocksStore};

fn options() -> Options {
    Options {
        bulk_rows: 4,
        ..Options::default()
    }
}

fn key(n: u8) -> Vec<u8> {
    [&[0, 0, 0, 1][..], &[n; 16]].concat()
}

/// Link rows of these numbers with this value, in the order given, and an audit entry.
fn rows(numbers: &[u8], value: u8) -> Commit {
    let mut packed = PackedRows::with_capacity(Family::Link, 20, numbers.len(), 64);
    for n in numbers {
        packed.push_with(|out| {
            out.extend(key(*n));
            out.extend([1, value]);
            out.extend([*n; 15]);
        });
    }
    let mut commit = Commit {
        rows: vec![packed],
        ..Commit::default()
    };
    commit.entry(vec![ENTRY_FORMAT, value]);
    commit
}

fn removal() -> Commit {
    Commit {
        removals: vec![Range {
            family: Family::Link,
            from: key(0),
            to: key(200),
        }],
        ..Commit::default()
    }
}

fn placed(commit: Commit, first_entry: u64) -> Placed {
    Placed {
        commit,
        first_entry,
    }
}

fn value_of(store: &RocksStore, n: u8) -> Option<u8> {
    let value = store.get(Family::Link, &key(n)).unwrap();
    value.map(|value| value[1])
}

fn new_store() -> (TempDir, RocksStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::create(dir.path(), &options()).unwrap();
    (dir, store)
}

fn files(dir: &TempDir) -> usize {
    present(&dir.path().join(DIRECTORY)).unwrap().len()
}

#[test]
fn many_rows_are_there_like_few_and_the_last_of_a_key_counts() {
    let (dir, store) = new_store();
    store.commit(rows(&[5, 3, 9], 1)).unwrap();
    store.commit(rows(&[9, 3, 7, 3, 1], 2)).unwrap();
    store.commit(rows(&[1], 3)).unwrap();
    let expected = [(1, 3), (3, 2), (5, 1), (7, 2), (9, 2)];
    let check = |store: &RocksStore| {
        for (n, value) in expected {
            assert_eq!(value_of(store, n), Some(value), "{n}");
        }
        assert_eq!(value_of(store, 2), None);
        assert_eq!(store.entries(), 3);
        store.verify().unwrap();
    };
    check(&store);
    assert_eq!(files(&dir), 0, "taken in");
    drop(store);
    check(&RocksStore::open(dir.path(), &options()).unwrap());
}

#[test]
fn rows_of_a_group_do_not_overtake_what_it_removes_or_writes() {
    let (_dir, store) = new_store();
    let db = store.handle.db().unwrap();
    let write = Commit {
        writes: vec![Write {
            family: Family::Link,
            key: key(3),
            value: None,
        }],
        ..Commit::default()
    };
    for with in [removal(), write] {
        let group = [placed(rows(&[1, 2, 3, 4], 1), 0), placed(with, 1)];
        let tables = write_tables(&db, store.handle.dir(), &group).unwrap();
        assert!(tables.list().is_empty());
    }
    let group = [placed(rows(&[1, 2, 3, 4], 1), 0)];
    let tables = write_tables(&db, store.handle.dir(), &group).unwrap();
    assert_eq!(tables.list().len(), 1);
}

/// What the writer does with a group, up to a step; then the process is gone.
fn crash_after(dir: &TempDir, group: &[Placed], steps: usize) {
    let handle = Handle::open(dir.path(), &options()).unwrap();
    let db = handle.db().unwrap();
    let tables = write_tables(&db, dir.path(), group).unwrap();
    assert_eq!(tables.list().len(), 1);
    if steps > 1 {
        db.write_group(group, tables.list()).unwrap();
    }
    if steps > 2 {
        take_in(&db, dir.path(), tables.list()).unwrap();
    }
    // Nothing tidies up after a crash.
    std::mem::forget(tables);
}

#[test]
fn promise_6_a_crash_between_entry_and_rows_loses_and_invents_nothing() {
    for steps in 1..=3 {
        let (dir, store) = new_store();
        store.commit(rows(&[8], 1)).unwrap();
        drop(store);
        crash_after(&dir, &[placed(rows(&[1, 2, 3, 8], 2), 1)], steps);
        let store = RocksStore::open(dir.path(), &options()).unwrap();
        // Entry and rows are both there, or none of them is.
        let (entries, old, new) = match steps {
            1 => (1, Some(1), None),
            _ => (2, Some(2), Some(2)),
        };
        assert_eq!(store.entries(), entries, "after step {steps}");
        assert_eq!(value_of(&store, 8), old, "after step {steps}");
        assert_eq!(value_of(&store, 1), new, "after step {steps}");
        assert_eq!(files(&dir), 0, "after step {steps}");
        let named = || store.get(Family::Meta, META_BULK_TABLES).unwrap();
        assert_eq!(named().is_some(), steps > 1, "after step {steps}");
        store.commit(rows(&[9], 3)).unwrap();
        assert_eq!(named(), None, "after step {steps}");
    }
}

#[test]
fn a_backup_is_not_made_while_tables_are_not_taken_in() {
    let (dir, store) = new_store();
    store.commit(rows(&[8], 1)).unwrap();
    let db = store.handle.db().unwrap();
    let group = [placed(rows(&[1, 2, 3, 4], 2), 1)];
    let mut tables = write_tables(&db, dir.path(), &group).unwrap();
    tables.keep();
    db.write_group(&group, tables.list()).unwrap();
    let backup = tempfile::tempdir().unwrap();
    let refused = store.backup(backup.path());
    assert!(
        matches!(refused, Err(StoreError::Stalled(_))),
        "{refused:?}"
    );
    take_in(&db, dir.path(), tables.list()).unwrap();
    assert!(store.backup(backup.path()).is_ok());
}

#[test]
fn tables_of_a_group_that_is_not_written_do_not_stay() {
    let (dir, store) = new_store();
    let db = store.handle.db().unwrap();
    let group = [placed(rows(&[1, 2, 3, 4], 2), 0)];
    let tables = write_tables(&db, dir.path(), &group).unwrap();
    assert_eq!(files(&dir), 1);
    drop(tables);
    assert_eq!(files(&dir), 0);
    // Nor does half of one.
    let unsealed = placed(rows(&[1, 2, 3, 4], 2), 7);
    fs::create_dir(dir.path().join(DIRECTORY).join("7-link.sst")).unwrap();
    assert!(write_tables(&db, dir.path(), &[unsealed]).is_err());
    assert!(store.backup(tempfile::tempdir().unwrap().path()).is_ok());
}

#[test]
fn opening_again_after_a_bulk_group_finds_no_more_than_was_acknowledged() {
    let (_dir, store) = new_store();
    store.commit(rows(&[1, 2, 3, 4], 1)).unwrap();
    let (entries, recovered) = store.handle.reopen().unwrap();
    assert_eq!((entries, recovered), (1, Recovered::AsAcknowledged));
}

#[test]
fn what_was_removed_after_a_bulk_group_does_not_come_back() {
    let (dir, store) = new_store();
    store.commit(rows(&[1, 2, 3, 4], 1)).unwrap();
    store.commit(removal()).unwrap();
    drop(store);
    let store = RocksStore::open(dir.path(), &options()).unwrap();
    assert_eq!(value_of(&store, 1), None);
}

#[test]
fn during_a_backup_rows_go_through_the_log_and_the_backup_has_all_of_them() {
    let (dir, store) = new_store();
    store.commit(rows(&[1, 2, 3, 4], 1)).unwrap();
    let handle = Arc::clone(&store.handle);
    let during = handle.without_bulk();
    store.commit(rows(&[5, 6, 7, 8], 1)).unwrap();
    assert_eq!(files(&dir), 0);
    drop(during);
    let backup = tempfile::tempdir().unwrap();
    store.backup(backup.path()).unwrap();
    let restored = tempfile::tempdir().unwrap();
    let target = restored.path().join("store");
    crate::restore(backup.path(), &target).unwrap();
    let restored = RocksStore::open(&target, &options()).unwrap();
    for n in 1..=8 {
        assert_eq!(value_of(&restored, n), Some(1), "{n}");
    }
}

#[test]
fn a_row_that_names_no_tables_is_refused() {
    for wrong in [
        &[2][..],
        &[1, 4, 0],
        &[1, 9, 0, 1, b'x'],
        b"\x01\x04\0\x03a/b",
    ] {
        assert_eq!(read_names(wrong), Err(DecodeError), "{wrong:?}");
    }
    assert_eq!(read_names(&[1]), Ok(Vec::new()));
}
