//! What needs a look inside: files that readers hold, stalls, and opening again.

use std::time::Duration;

use sluis_port::store::PackedRows;
use tempfile::TempDir;

use super::*;

const KID: [u8; 4] = [0, 0, 0, 1];

fn store_with(options: &Options) -> (TempDir, RocksStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::create(dir.path(), options).unwrap();
    (dir, store)
}

/// A commit of one link row, with an audit entry.
fn row(n: u8) -> Commit {
    let mut rows = PackedRows::with_capacity(Family::Link, 20, 1, 37);
    rows.push_with(|out| {
        out.extend(KID);
        out.extend([n; 16]);
        out.push(1);
        out.extend(mark(n));
    });
    let mut commit = Commit {
        rows: vec![rows],
        ..Commit::default()
    };
    commit.entry(vec![rows::ENTRY_FORMAT, n]);
    commit
}

/// Bytes that only this row has.
fn mark(n: u8) -> [u8; 16] {
    std::array::from_fn(|i| n.wrapping_mul(31) ^ (i as u8).wrapping_mul(17))
}

fn all() -> Range {
    Range {
        family: Family::Link,
        from: KID.to_vec(),
        to: vec![0, 0, 0, 2],
    }
}

fn removal() -> Commit {
    Commit {
        removals: vec![all()],
        ..Commit::default()
    }
}

/// Whether the bytes of a row are in any file of the store.
fn on_disk(dir: &Path, n: u8) -> bool {
    let files = std::fs::read_dir(dir).unwrap();
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read(path).unwrap())
        .any(|bytes| bytes.windows(16).any(|window| window == mark(n)))
}

#[test]
fn removed_rows_leave_the_tables_and_the_write_ahead_log() {
    let (dir, store) = store_with(&Options::default());
    for n in 1..5 {
        store.commit(row(n)).unwrap();
    }
    assert!(on_disk(dir.path(), 3), "in the write-ahead log");
    store.commit(removal()).unwrap();
    store.compact(&all()).unwrap();
    assert!((1..5).all(|n| !on_disk(dir.path(), n)));
}

#[test]
fn a_compaction_whose_old_files_a_reader_holds_is_not_taken_for_done() {
    let (dir, store) = store_with(&Options::default());
    store.commit(row(7)).unwrap();
    let db = store.handle.db().unwrap();
    store.compact(&all()).unwrap();
    let link = db.family(Family::Link).unwrap();
    let mut reader = db.db.raw_iterator_cf(link);
    reader.seek_to_first();
    store.commit(removal()).unwrap();
    let refused = store.compact(&all()).unwrap_err().to_string();
    assert!(refused.contains("may still be on the disk"), "{refused}");
    assert!(on_disk(dir.path(), 7));
    let refused = store.compact(&all());
    assert!(
        refused.is_err(),
        "a second try does not forget the first one's files"
    );
    drop(reader);
    store.compact(&all()).unwrap();
    assert!(!on_disk(dir.path(), 7));
}

/// Lets RocksDB stop writes: more tables in level 0 than it may have, and none merged.
fn stall(store: &RocksStore, tables: u8) {
    let db = store.handle.db().unwrap();
    let link = db.family(Family::Link).unwrap();
    let triggers = [
        ("level0_file_num_compaction_trigger", "100"),
        ("level0_slowdown_writes_trigger", "100"),
        ("level0_stop_writes_trigger", "100"),
    ];
    db.db.set_options_cf(link, &triggers).unwrap();
    for n in 0..tables {
        store.commit(row(n)).unwrap();
        db.db.flush_cf(link).unwrap();
    }
    let stop = [("level0_stop_writes_trigger", "2")];
    db.db.set_options_cf(link, &stop).unwrap();
}

#[test]
fn a_stall_refuses_commits_as_not_done_instead_of_holding_them_for_ever() {
    let (_dir, store) = store_with(&Options {
        longest_stall: Duration::ZERO,
        ..Options::default()
    });
    stall(&store, 3);
    let condition = store.condition();
    assert!(condition.stalled, "{condition:?}");
    assert_eq!(condition.level0_files, 3);
    let entries = store.entries();
    let refused = store.commit(row(9));
    assert!(
        matches!(refused, Err(StoreError::Stalled(_))),
        "{refused:?}"
    );
    assert!(matches!(store.writable(), Err(StoreError::Stalled(_))));
    assert_eq!(store.entries(), entries);

    let db = store.handle.db().unwrap();
    let link = db.family(Family::Link).unwrap();
    let free = [("level0_stop_writes_trigger", "100")];
    db.db.set_options_cf(link, &free).unwrap();
    store.condition();
    assert_eq!(store.writable(), Ok(()));
    assert_eq!(store.commit(row(9)).unwrap().first_entry, entries);
}

#[test]
fn a_store_in_a_stall_ends_at_once() {
    let (dir, store) = store_with(&Options {
        longest_stall: Duration::ZERO,
        ..Options::default()
    });
    stall(&store, 3);
    drop(store.commit(row(9)));
    drop(store);
    let store = RocksStore::open(dir.path(), &Options::default()).unwrap();
    assert_eq!(
        store.entries(),
        3,
        "what was acknowledged is there, and no more"
    );
}

#[test]
fn a_store_that_failed_for_want_of_room_is_opened_again_with_what_was_acknowledged() {
    let (_dir, store) = store_with(&Options::default());
    store.commit(row(1)).unwrap();
    store
        .handle
        .trouble
        .fail(&StoreError::Full("no room".into()));
    assert!(matches!(store.commit(row(2)), Err(StoreError::Full(_))));
    assert_eq!(store.recover(&|_| ()), Ok(Recovered::AsAcknowledged));
    assert_eq!(store.recover(&|_| ()), Ok(Recovered::Not));
    assert_eq!(store.commit(row(2)).unwrap().first_entry, 1);
    store.verify().unwrap();
}

#[test]
fn a_store_that_holds_more_than_was_acknowledged_says_so_when_it_is_opened_again() {
    let (_dir, store) = store_with(&Options::default());
    store.commit(row(1)).unwrap();
    // A write whose outcome no one was told.
    let db = store.handle.db().unwrap();
    let audit = db.family(Family::Audit).unwrap();
    let entry = [rows::ENTRY_FORMAT, 2];
    db.db.put_cf(audit, rows::audit_key(1), entry).unwrap();
    drop(db);
    store
        .handle
        .trouble
        .fail(&StoreError::Stalled("it hangs".into()));
    let told = Mutex::new(Vec::new());
    let before = |found| {
        told.lock().unwrap().push((found, store.writable().is_ok()));
    };
    assert_eq!(store.recover(&before), Ok(Recovered::WithMore));
    let told = told.into_inner().unwrap();
    assert_eq!(
        told,
        [(Recovered::WithMore, false)],
        "before anything is written"
    );
    assert_eq!(store.entries(), 2);
    assert_eq!(store.commit(row(2)).unwrap().first_entry, 2);
}

#[test]
fn a_disk_with_less_room_than_wanted_refuses_everything_and_says_how_much_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    drop(RocksStore::create(dir.path(), &Options::default()).unwrap());
    let greedy = Options {
        least_free_bytes: 1 << 60,
        ..Options::default()
    };
    let refused = RocksStore::open(dir.path(), &greedy).map(drop);
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("make room for at least"), "{text}");
}
