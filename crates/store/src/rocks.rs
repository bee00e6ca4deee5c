//! [`RocksStore`]: one directory, one process, one writer thread.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use rocksdb::statistics::Ticker;
use rocksdb::{DB, Direction, IteratorMode};
use sluis_domain::{Column, ColumnBuilder};
use sluis_port::store::{
    Commit, Completion, Condition, Family, LogEnd, Range, Recovered, Row, Store, StoreError,
};

use crate::database::{Database, Handle, bulk};
use crate::directory::{CURRENT_FILE, create_private_dir, lock, sync_entry};
use crate::error::from_rocks;
use crate::mark::Lost;
use crate::options::{self, Options};
use crate::space;
use crate::verify::verify;
use crate::writer::{Backend, Writer};
use sluis_port::rows::{self, META_FORMAT, META_STORE_ID, STORE_ID_BYTES};

/// Keys looked up by one call of RocksDB, so that the pinned blocks stay few.
const LOOKUP_CHUNK: usize = 1024;

/// The embedded store. Reads run on the caller's thread; commits are grouped by a writer thread.
///
/// Dropping it writes what was submitted, flushes, and releases the directory.
pub struct RocksStore {
    /// First, so that the writer ends before the rest goes.
    writer: Writer,
    pub(crate) handle: Arc<Handle>,
    /// One backup at a time.
    backup: Mutex<()>,
    /// Since when writes have been held back, as far as anyone looked; one look, or one opening again, at a time.
    looked: Mutex<Option<Instant>>,
    store_id: [u8; STORE_ID_BYTES],
    _lock: File,
}

impl RocksStore {
    /// Makes a new, empty store in `dir`, which is created with mode 0700 if it is absent, and opens it.
    ///
    /// # Errors
    /// [`StoreError::Io`] if there is a store already or on I/O errors; [`StoreError::Locked`].
    pub fn create(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        create_private_dir(dir)?;
        let lock = lock(dir)?;
        if dir.join(CURRENT_FILE).exists() {
            return Err(StoreError::Io(format!(
                "{} already holds a store",
                dir.display()
            )));
        }
        let mut db_options = options::database(options);
        db_options.create_if_missing(true);
        db_options.create_missing_column_families(true);
        db_options.set_error_if_exists(true);
        space::check_start(dir, options.least_free_bytes)?;
        let db = Database::open(dir, db_options, options, &Arc::default())?;
        db.write_meta()?;
        sync_entry(dir)?;
        drop(db);
        Self::open_locked(dir, options, lock)
    }

    /// Opens the store in `dir`.
    ///
    /// # Errors
    /// [`StoreError::Io`] if there is none or on I/O errors; [`StoreError::Locked`] while another process has it
    /// open; [`StoreError::Corrupt`] for damage, an unknown column family or an unknown store format.
    pub fn open(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        if !dir.join(CURRENT_FILE).exists() {
            return Err(StoreError::Io(format!("{} holds no store", dir.display())));
        }
        let lock = lock(dir)?;
        Self::open_locked(dir, options, lock)
    }

    fn open_locked(dir: &Path, options: &Options, lock: File) -> Result<Self, StoreError> {
        check_families(dir, &options::database(options))?;
        let handle = Arc::new(Handle::open(dir, options)?);
        let db = handle.db()?;
        let Some(format) = db.get_unchecked(Family::Meta, META_FORMAT)? else {
            let text = "holds a store whose creation did not finish; remove the directory and create it again";
            return Err(StoreError::Corrupt(format!("{} {text}", dir.display())));
        };
        rows::check_format(&format)?;
        let store_id = rows::store_id(
            &db.get_unchecked(Family::Meta, META_STORE_ID)?
                .unwrap_or_default(),
        )?;
        bulk::recover(&db, dir)?;
        let entries = db.next_entry()?;
        handle.acknowledge(entries);
        let writer = Writer::start(
            Arc::clone(&handle),
            entries,
            options,
            Arc::clone(&handle.trouble),
        )?;
        drop(db);
        let store = Self {
            writer,
            handle,
            backup: Mutex::new(()),
            looked: Mutex::new(None),
            store_id,
            _lock: lock,
        };
        store.condition();
        Ok(store)
    }

    /// The random id given to the store when it was created; a restored store keeps it.
    pub fn store_id(&self) -> [u8; STORE_ID_BYTES] {
        self.store_id
    }

    /// Acknowledged writes that were missing when the store was opened with [`Options::sees_loss`]. It is refused without
    /// until the loss is accepted, or more is written.
    pub fn lost(&self) -> Option<Lost> {
        self.handle.lost()
    }

    /// Takes the store as it is for all that was acknowledged.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn accept_loss(&self) -> Result<(), StoreError> {
        self.handle.accept_loss()
    }

    /// How often the write-ahead log was synced since the store was opened: evidence that an answer came after it.
    pub fn wal_syncs(&self) -> u64 {
        self.handle
            .db()
            .map_or(0, |db| db.options.get_ticker_count(Ticker::WalFileSynced))
    }

    /// Reads every row of every family, verifying checksums, layout, and that the audit sequence has no gap.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn verify(&self) -> Result<(), StoreError> {
        verify(&*self.handle.db()?).map(drop)
    }
}

impl Store for RocksStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.handle.db()?.get(family, key)
    }

    fn get_many(&self, family: Family, key_len: usize, keys: &[u8]) -> Result<Column, StoreError> {
        if key_len == 0 || !keys.len().is_multiple_of(key_len) {
            return Err(StoreError::Io(
                "packed keys do not have the stated length".into(),
            ));
        }
        let db = self.handle.db()?;
        let rows = keys.len() / key_len;
        // Neighbours share blocks: look up in key order, then answer in the caller's.
        let mut order: Vec<u32> = (0..rows as u32).collect();
        order.sort_unstable_by_key(|&row| key_of(keys, key_len, row));
        let mut found = vec![0..0; rows];
        let mut values = Vec::new();
        for chunk in order.chunks(LOOKUP_CHUNK) {
            let cf = db.family(family)?;
            let looked_up = chunk.iter().map(|&row| key_of(keys, key_len, row));
            let answers = db.db.batched_multi_get_cf(cf, looked_up, true);
            for (&row, answer) in chunk.iter().zip(answers) {
                let Some(value) = answer.map_err(|error| db.failed_read(&error))? else {
                    continue;
                };
                rows::check_row(family, key_of(keys, key_len, row), &value)?;
                found[row as usize] = values.len()..values.len() + value.len();
                values.extend_from_slice(&value);
            }
        }
        let mut column = ColumnBuilder::with_capacity(rows, values.len());
        found
            .into_iter()
            .for_each(|range| column.push(&values[range]));
        Ok(column.finish())
    }

    fn scan(&self, family: Family, start: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let db = self.handle.db()?;
        let mode = IteratorMode::From(start, Direction::Forward);
        let rows = db.db.iterator_cf(db.family(family)?, mode).take(limit);
        rows.map(|row| {
            let (key, value) = row.map_err(|error| db.failed_read(&error))?;
            rows::check_row(family, &key, &value)?;
            Ok((key.into_vec(), value.into_vec()))
        })
        .collect()
    }

    fn submit(&self, mut commit: Commit, done: Completion) {
        // Halves the work of the writer thread: neighbouring keys find their place in a memtable faster.
        commit.rows.iter_mut().for_each(|rows| rows.sort());
        self.writer.submit(commit, done);
    }

    fn protect_end(&self, end: Weak<dyn LogEnd>) {
        self.writer.protect_end(end);
    }

    fn compact(&self, range: &Range) -> Result<(), StoreError> {
        crate::compaction::compact(&*self.handle.db()?, self.handle.dir(), range)
    }

    fn entries(&self) -> u64 {
        self.writer.next_entry()
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.handle.trouble.writable()
    }

    fn condition(&self) -> Condition {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let (handle, options) = (&self.handle, self.handle.options());
        let open = handle.db().ok();
        let condition = Condition {
            free_bytes: space::free(handle.dir()),
            least_free_bytes: options.least_free_bytes,
            level0_files: open.as_ref().map_or(0, |db| db.level0_files()),
            slowed: open.as_ref().is_some_and(|db| db.is_slowed()),
            stalled: open.as_ref().is_some_and(|db| db.is_stalled()),
            background_errors: open
                .as_ref()
                .map_or(0, |db| db.number("rocksdb.background-errors")),
        };
        let now = Instant::now();
        *looked = condition.stalled.then(|| looked.unwrap_or(now));
        match handle.ready() {
            Ok(()) => handle.trouble.pass(None),
            Err(full @ StoreError::Full(_)) => handle.trouble.pass(Some(full)),
            // A short stall is nothing but a busy disk.
            Err(stalled) if looked.is_some_and(|since| now - since >= options.longest_stall) => {
                handle.trouble.pass(Some(stalled));
            }
            Err(_) => {}
        }
        condition
    }

    fn recover(&self, before: &dyn Fn(Recovered)) -> Result<Recovered, StoreError> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.handle.trouble.reopens() {
            return Ok(Recovered::Not);
        }
        self.handle.check_room()?;
        let (entries, recovered) = self.handle.reopen()?;
        self.writer.go_on_from(entries);
        *looked = None;
        before(recovered);
        self.handle.trouble.mend();
        Ok(recovered)
    }

    fn backup(&self, directory: &Path) -> Result<u64, StoreError> {
        let _one_at_a_time = self.backup.lock().unwrap_or_else(PoisonError::into_inner);
        crate::backup::backup(&self.handle, self.store_id, self.entries(), directory)
    }
}

/// One of several packed keys.
fn key_of(keys: &[u8], key_len: usize, row: u32) -> &[u8] {
    &keys[row as usize * key_len..][..key_len]
}

fn check_families(dir: &Path, db_options: &rocksdb::Options) -> Result<(), StoreError> {
    let present = DB::list_cf(db_options, dir).map_err(|error| from_rocks(&error))?;
    let unknown = present.iter().find(|name| {
        *name != rocksdb::DEFAULT_COLUMN_FAMILY_NAME
            && Family::ALL.iter().all(|family| family.name() != *name)
    });
    if let Some(unknown) = unknown {
        let text = format!(
            "the store has the column family `{unknown}`, which this version of sluisd does not know"
        );
        return Err(StoreError::Corrupt(text));
    }
    if let Some(missing) = Family::ALL
        .iter()
        .find(|family| !present.iter().any(|name| name == family.name()))
    {
        return Err(StoreError::Corrupt(format!(
            "the store has no column family `{}`",
            missing.name()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
