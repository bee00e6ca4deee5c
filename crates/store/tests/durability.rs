//! Answered means on disk; what is on disk is there after reopening, backup and restore.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod common;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};

use common::{copy, entry, files, flip, link_row, rows, store_in};
use sluis_port::store::{Commit, Family, Store, StoreError};
use sluis_store::{Options, RocksStore, restore};

#[test]
fn the_log_is_synced_before_the_completion_runs() {
    let (_dir, store) = store_in();
    let store = Arc::new(store);
    let before = store.wal_syncs();
    let (sender, receiver) = channel();
    let seen = Arc::downgrade(&store);
    // The receiver waits, so the store is still there when the completion looks.
    store.submit(
        rows(0..1),
        Box::new(move |_| {
            sender
                .send(seen.upgrade().map(|store| store.wal_syncs()))
                .unwrap()
        }),
    );
    assert!(receiver.recv().unwrap().unwrap() > before);
}

#[test]
fn a_power_cut_after_the_answer_loses_nothing() {
    let (dir, store) = store_in();
    for n in 0..20 {
        store
            .commit(Commit {
                entries: entry(n).entries,
                ..rows(n * 100..(n + 1) * 100)
            })
            .unwrap();
    }
    let image = copy(dir.path());
    let survivor = RocksStore::open(image.path(), &Options::default()).unwrap();
    assert_eq!(survivor.entries(), 20);
    assert!(
        (0..2000)
            .all(|n| survivor.get(Family::Link, &link_row(n).0).unwrap() == Some(link_row(n).1))
    );
}

#[test]
fn concurrent_commits_share_syncs_and_leave_no_gap() {
    let (dir, store) = store_in();
    let (threads, each) = (8, 50);
    let before = store.wal_syncs();
    let start = Barrier::new(threads);
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        for thread in 0..threads as u64 {
            let (store, start, sender) = (&store, &start, sender.clone());
            scope.spawn(move || {
                start.wait();
                for n in 0..each {
                    let sender = sender.clone();
                    let number = thread * each + n;
                    store.submit(
                        entry(number),
                        Box::new(move |done| sender.send((number, done.unwrap())).unwrap()),
                    );
                }
            });
        }
        drop(sender);
    });
    let mut receipts: Vec<_> = receiver.iter().collect();
    let order: Vec<_> = receipts
        .iter()
        .map(|(_, receipt)| receipt.first_entry)
        .collect();
    assert_eq!(
        order,
        (0..400).collect::<Vec<_>>(),
        "completions come in the order of the log"
    );
    assert!(
        store.wal_syncs() - before < 400,
        "{} syncs",
        store.wal_syncs() - before
    );
    drop(store);
    let store = RocksStore::open(dir.path(), &Options::default()).unwrap();
    let log = store.scan(Family::Audit, &[], 1000).unwrap();
    receipts.sort_by_key(|(_, receipt)| receipt.first_entry);
    for ((number, receipt), (key, value)) in receipts.iter().zip(&log) {
        assert_eq!(
            (key, value),
            (
                &receipt.first_entry.to_be_bytes().to_vec(),
                &entry(*number).entries[0]
            )
        );
    }
    assert_eq!((log.len(), store.entries()), (400, 400));
    assert_eq!(store.commit(entry(7)).unwrap().first_entry, 400);
}

#[test]
fn dropping_the_store_writes_what_was_submitted() {
    let (dir, store) = store_in();
    let (sender, receiver) = channel();
    for n in 0..100 {
        let sender = sender.clone();
        store.submit(
            rows(n..n + 1),
            Box::new(move |done| sender.send(done.is_ok()).unwrap()),
        );
    }
    drop((store, sender));
    assert_eq!(receiver.iter().filter(|done| *done).count(), 100);
    let store = RocksStore::open(dir.path(), &Options::default()).unwrap();
    assert!((0..100).all(|n| store.get(Family::Link, &link_row(n).0).unwrap().is_some()));
}

#[test]
fn a_backup_under_writes_is_consistent_and_restores() {
    let (_dir, store) = store_in();
    let place = tempfile::tempdir().unwrap();
    let backups = place.path().join("backups");
    let (stop, stored) = (AtomicBool::new(false), std::sync::atomic::AtomicU64::new(0));
    let (before, after) = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each commit writes row n and audit entry n together.
            for n in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                store
                    .commit(Commit {
                        entries: entry(n).entries,
                        ..rows(n..n + 1)
                    })
                    .unwrap();
                stored.store(n + 1, Ordering::Release);
            }
        });
        while stored.load(Ordering::Acquire) < 20 {
            std::thread::yield_now();
        }
        let bytes = store.backup(&backups).unwrap();
        assert!(bytes > 0);
        let before = stored.load(Ordering::Acquire);
        store.backup(&backups).unwrap();
        let after = stored.load(Ordering::Acquire);
        stop.store(true, Ordering::Relaxed);
        (before, after)
    });
    let target = place.path().join("target");
    let restored = restore(&backups, &target).unwrap();
    assert_eq!(
        (restored.backup_id, restored.store_id),
        (2, store.store_id())
    );
    assert!(
        (before..=after + 1).contains(&restored.entries),
        "{before} {} {after}",
        restored.entries
    );
    let copy = RocksStore::open(&target, &Options::default()).unwrap();
    assert_eq!(copy.entries(), restored.entries);
    for n in 0..restored.entries + 5 {
        assert_eq!(
            copy.get(Family::Link, &link_row(n).0).unwrap().is_some(),
            n < restored.entries,
            "row {n}"
        );
    }
    assert_eq!(copy.commit(entry(0)).unwrap().first_entry, restored.entries);
}

#[test]
fn a_restore_needs_a_backup_and_an_empty_target() {
    let (dir, store) = store_in();
    let place = tempfile::tempdir().unwrap();
    let (backups, target) = (place.path().join("backups"), place.path().join("target"));
    assert!(
        restore(&backups, &target)
            .unwrap_err()
            .to_string()
            .contains("holds no backup")
    );
    assert!(
        !target.exists() && !backups.exists(),
        "nothing is left behind"
    );
    store.backup(&backups).unwrap();
    assert!(
        restore(&backups, dir.path())
            .unwrap_err()
            .to_string()
            .contains("is not empty")
    );
    restore(&backups, &target).unwrap();
    assert!(
        restore(&backups, &target)
            .unwrap_err()
            .to_string()
            .contains("is not empty")
    );
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let (_dir, store) = store_in();
    store.commit(rows(0..5000)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (backups, target) = (place.path().join("backups"), place.path().join("target"));
    store.backup(&backups).unwrap();
    let tables = files(&backups.join("shared_checksum"));
    flip(
        tables
            .iter()
            .max_by_key(|path| fs::metadata(path).unwrap().len())
            .unwrap(),
        2000,
    );
    assert!(matches!(
        restore(&backups, &target),
        Err(StoreError::Corrupt(_))
    ));
    assert!(RocksStore::open(&target, &Options::default()).is_err());
}

#[test]
fn rocksdbs_own_files_beside_the_data_hold_no_rows() {
    let (dir, store) = store_in();
    let mut commit = rows(0..5000);
    commit.put(Family::Grants, *b"MARKED-KEY", b"\x01MARKED-VALUE");
    store.commit(commit).unwrap();
    drop(store);
    for file in files(dir.path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("LOG") || name.starts_with("OPTIONS") {
            let text = fs::read(&file).unwrap();
            assert!(!text.windows(6).any(|window| window == b"MARKED"), "{name}");
        }
    }
}
