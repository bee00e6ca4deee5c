//! Rewriting files so that removed rows leave the disk, judged by which files are left.
//!
//! RocksDB's C interface drops the status of a compaction, and a compaction on a full disk just ends. So the files are
//! listed before, and nothing counts as done until each of them that could hold removed rows is gone: tables that overlap
//! the range, tables that are no longer in use but still on the disk (a reader holds them), and the write-ahead log.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rocksdb::{BottommostLevelCompaction, CompactOptions, FlushOptions, LiveFile};
use sluis_port::store::{Family, Range, StoreError};

use crate::database::Database;
use crate::error::{from_io, from_rocks};

/// RocksDB deletes files a little after it has stopped using them.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);

/// Numbers of files that may hold removed rows.
#[derive(Default)]
struct Files {
    tables: BTreeSet<u64>,
    /// Files of the write-ahead log that are not empty.
    logs: BTreeSet<u64>,
    /// Tables that RocksDB put aside to delete later.
    trash: usize,
}

/// Rewrites the files with rows of `range`.
///
/// # Errors
/// [`StoreError`]: a file that was there before is still there.
pub(crate) fn compact(db: &Database, dir: &Path, range: &Range) -> Result<(), StoreError> {
    let mut before = Files::list(dir)?;
    flush(db)?;
    // Tables made by the flush hold rows that were removed a moment ago, too.
    before.tables.extend(Files::list(dir)?.tables);
    let mut options = CompactOptions::default();
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    // No other compaction beside it, or its result could hold rows that this one has not seen.
    options.set_exclusive_manual_compaction(true);
    let family = db.family(range.family)?;
    db.db
        .compact_range_cf_opt(family, Some(&range.from), Some(&range.to), &options);
    let started = Instant::now();
    loop {
        match left(db, dir, range, &before)? {
            None => return Ok(()),
            Some(why) if started.elapsed() >= PATIENCE => return Err(StoreError::Io(why)),
            Some(_) => std::thread::park_timeout(PAUSE),
        }
    }
}

/// What is still there of the files from before; `None` if nothing is.
fn left(
    db: &Database,
    dir: &Path,
    range: &Range,
    before: &Files,
) -> Result<Option<String>, StoreError> {
    let live = db.db.live_files().map_err(|error| from_rocks(&error))?;
    let newest = before.tables.last().copied().unwrap_or(0);
    let overlapping = live.iter().filter(|file| overlaps(file, range));
    let old = overlapping.filter(|file| number(&file.name).is_none_or(|n| n <= newest));
    let kept = old.count();
    let in_use: BTreeSet<u64> = live.iter().filter_map(|file| number(&file.name)).collect();
    let now = Files::list(dir)?;
    let unused = now.tables.intersection(&before.tables);
    let held = unused.filter(|table| !in_use.contains(table)).count();
    let logs = now.logs.intersection(&before.logs).count();
    if kept + held + logs + now.trash == 0 {
        return Ok(None);
    }
    Ok(Some(format!(
        "removed rows may still be on the disk: {kept} tables were not rewritten, {} rewritten ones and {logs} files of the \
         write-ahead log are not deleted yet",
        held + now.trash
    )))
}

/// Writes what is in memory into tables. Of all families, because a file of the write-ahead log, which holds the removed
/// rows too, stays until none of them needs it.
fn flush(db: &Database) -> Result<(), StoreError> {
    let families: Vec<_> = Family::ALL
        .iter()
        .filter_map(|family| db.db.cf_handle(family.name()))
        .collect();
    let mut flush = FlushOptions::default();
    flush.set_wait(true);
    db.db
        .flush_cfs_opt(&families, &flush)
        .map_err(|error| from_rocks(&error))
}

fn overlaps(file: &LiveFile, range: &Range) -> bool {
    let begins_before = file
        .start_key
        .as_ref()
        .is_none_or(|start| *start <= range.to);
    let ends_after = file.end_key.as_ref().is_none_or(|end| *end >= range.from);
    file.column_family_name == range.family.name() && begins_before && ends_after
}

impl Files {
    fn list(dir: &Path) -> Result<Self, StoreError> {
        let mut files = Self::default();
        let entries = std::fs::read_dir(dir).map_err(|error| from_io(&error, dir))?;
        for entry in entries {
            let entry = entry.map_err(|error| from_io(&error, dir))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // A file that goes away meanwhile is what is wanted.
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            match (number(&name), name.rsplit_once('.')) {
                (_, Some((_, "trash"))) => files.trash += 1,
                (Some(number), Some((_, "sst"))) => drop(files.tables.insert(number)),
                (Some(number), Some((_, "log"))) if bytes > 0 => drop(files.logs.insert(number)),
                _ => {}
            }
        }
        Ok(files)
    }
}

/// The number of a file that RocksDB made, such as `/000012.sst`.
fn number(name: &str) -> Option<u64> {
    let (number, _) = name.trim_start_matches('/').split_once('.')?;
    number.parse().ok()
}
