//! [`RocksStore`]: one directory, one process, one writer thread.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rocksdb::statistics::Ticker;
use rocksdb::{
    BottommostLevelCompaction, ColumnFamily, CompactOptions, DB, Direction, FlushOptions,
    IteratorMode, ReadOptions, WriteBatch, WriteOptions,
};
use sluis_domain::port::store::{Commit, Completion, Family, Range, Row, Store, StoreError};
use sluis_domain::{Column, ColumnBuilder};

use crate::error::{from_io, from_rocks};
use crate::layout::{self, META_FORMAT, META_STORE_ID, STORE_FORMAT, STORE_ID_BYTES};
use crate::options::{self, Options};
use crate::writer::{Backend, Placed, Writer};

/// The file whose lock says that a process has the store open.
pub(crate) const LOCK_FILE: &str = "sluis.lock";
/// RocksDB's pointer to its manifest: a directory holds a store if it has this file.
pub(crate) const CURRENT_FILE: &str = "CURRENT";
/// Keys looked up by one call of RocksDB, so that the pinned blocks stay few.
const LOOKUP_CHUNK: usize = 1024;

/// The embedded store. Reads run on the caller's thread; commits are grouped by a writer thread.
///
/// Dropping it writes what was submitted, flushes, and releases the directory.
pub struct RocksStore {
    /// First, so that the writer ends before the rest goes.
    writer: Writer,
    pub(crate) db: Arc<Database>,
    /// One backup at a time.
    pub(crate) backup: Mutex<()>,
    store_id: [u8; STORE_ID_BYTES],
    _lock: File,
}

/// The open RocksDB.
pub(crate) struct Database {
    pub(crate) db: DB,
    /// Holds the statistics.
    options: rocksdb::Options,
    /// Why nothing is written any more: damage stops service, it is never skipped.
    failure: Arc<OnceLock<String>>,
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
        let db = Database::open(dir, db_options, options)?;
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
        let db_options = options::database(options);
        check_families(dir, &db_options)?;
        let db = Arc::new(Database::open(dir, db_options, options)?);
        let Some(format) = db.get_unchecked(Family::Meta, META_FORMAT)? else {
            let text = "holds a store whose creation did not finish; remove the directory and create it again";
            return Err(StoreError::Corrupt(format!("{} {text}", dir.display())));
        };
        layout::check_format(&format)?;
        let store_id = layout::store_id(
            &db.get_unchecked(Family::Meta, META_STORE_ID)?
                .unwrap_or_default(),
        )?;
        let writer = Writer::start(
            Arc::clone(&db),
            db.next_entry()?,
            options,
            Arc::clone(&db.failure),
        )?;
        Ok(Self {
            writer,
            db,
            backup: Mutex::new(()),
            store_id,
            _lock: lock,
        })
    }

    /// The random id given to the store when it was created; a restored store keeps it.
    pub fn store_id(&self) -> [u8; STORE_ID_BYTES] {
        self.store_id
    }

    /// How often the write-ahead log was synced since the store was opened: evidence that an answer came after it.
    pub fn wal_syncs(&self) -> u64 {
        self.db.options.get_ticker_count(Ticker::WalFileSynced)
    }

    /// Reads every row of every family, verifying checksums, layout, and that the audit sequence has no gap.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Io`].
    pub fn verify(&self) -> Result<(), StoreError> {
        let mut next = 0;
        for family in Family::ALL {
            let mut read = ReadOptions::default();
            read.fill_cache(false);
            for row in
                self.db
                    .db
                    .iterator_cf_opt(self.db.family(family)?, read, IteratorMode::Start)
            {
                let (key, value) = row.map_err(|error| from_rocks(&error))?;
                layout::check_row(family, &key, &value)?;
                if family == Family::Audit {
                    let sequence = layout::audit_sequence(&key)?;
                    if sequence != next {
                        return Err(StoreError::Corrupt(format!(
                            "audit entry {next} is missing"
                        )));
                    }
                    next += 1;
                }
            }
        }
        Ok(())
    }
}

impl Store for RocksStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get(family, key)
    }

    fn get_many(&self, family: Family, key_len: usize, keys: &[u8]) -> Result<Column, StoreError> {
        if key_len == 0 || !keys.len().is_multiple_of(key_len) {
            return Err(StoreError::Io(
                "packed keys do not have the stated length".into(),
            ));
        }
        let rows = keys.len() / key_len;
        let key = |row: u32| &keys[row as usize * key_len..][..key_len];
        // Neighbours share blocks: look up in key order, then answer in the caller's.
        let mut order: Vec<u32> = (0..rows as u32).collect();
        order.sort_unstable_by_key(|&row| key(row));
        let mut found = vec![0..0; rows];
        let mut values = Vec::new();
        for chunk in order.chunks(LOOKUP_CHUNK) {
            let cf = self.db.family(family)?;
            let answers =
                self.db
                    .db
                    .batched_multi_get_cf(cf, chunk.iter().map(|&row| key(row)), true);
            for (&row, answer) in chunk.iter().zip(answers) {
                let Some(value) = answer.map_err(|error| self.db.failed_read(&error))? else {
                    continue;
                };
                layout::check_row(family, key(row), &value)?;
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
        let mode = IteratorMode::From(start, Direction::Forward);
        let rows = self
            .db
            .db
            .iterator_cf(self.db.family(family)?, mode)
            .take(limit);
        rows.map(|row| {
            let (key, value) = row.map_err(|error| self.db.failed_read(&error))?;
            layout::check_row(family, &key, &value)?;
            Ok((key.into_vec(), value.into_vec()))
        })
        .collect()
    }

    fn submit(&self, mut commit: Commit, done: Completion) {
        // Halves the work of the writer thread: neighbouring keys find their place in a memtable faster.
        commit.rows.iter_mut().for_each(|rows| rows.sort());
        self.writer.submit(commit, done);
    }

    fn compact(&self, range: &Range) -> Result<(), StoreError> {
        let family = self.db.family(range.family)?;
        // What is still in memory is written out first: compaction works on files. Of all families, because a file of the
        // write-ahead log, which holds the removed rows too, stays until none of them needs it.
        let families: Vec<_> = Family::ALL
            .iter()
            .filter_map(|family| self.db.db.cf_handle(family.name()))
            .collect();
        let mut flush = FlushOptions::default();
        flush.set_wait(true);
        self.db
            .db
            .flush_cfs_opt(&families, &flush)
            .map_err(|error| from_rocks(&error))?;
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        self.db
            .db
            .compact_range_cf_opt(family, Some(&range.from), Some(&range.to), &options);
        Ok(())
    }

    fn entries(&self) -> u64 {
        self.writer.next_entry()
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.writer.writable()
    }

    fn backup(&self, directory: &Path) -> Result<u64, StoreError> {
        crate::backup::backup(self, directory)
    }
}

impl Database {
    fn open(
        dir: &Path,
        db_options: rocksdb::Options,
        options: &Options,
    ) -> Result<Self, StoreError> {
        let db = DB::open_cf_descriptors(&db_options, dir, options::families(options));
        let failure = Arc::new(OnceLock::new());
        Ok(Self {
            db: db.map_err(|error| from_rocks(&error))?,
            options: db_options,
            failure,
        })
    }

    /// The port's error for what a read met. Corruption found by RocksDB ends all writing.
    fn failed_read(&self, error: &rocksdb::Error) -> StoreError {
        let error = from_rocks(error);
        if let StoreError::Corrupt(_) = error {
            self.failure.get_or_init(|| error.to_string());
        }
        error
    }

    fn family(&self, family: Family) -> Result<&ColumnFamily, StoreError> {
        let missing = || {
            StoreError::Corrupt(format!(
                "the store has no column family `{}`",
                family.name()
            ))
        };
        self.db.cf_handle(family.name()).ok_or_else(missing)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.get_unchecked(family, key)?;
        if let Some(value) = &value {
            layout::check_row(family, key, value)?;
        }
        Ok(value)
    }

    fn get_unchecked(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db
            .get_cf(self.family(family)?, key)
            .map_err(|error| self.failed_read(&error))
    }

    fn next_entry(&self) -> Result<u64, StoreError> {
        match self
            .db
            .iterator_cf(self.family(Family::Audit)?, IteratorMode::End)
            .next()
        {
            None => Ok(0),
            Some(last) => {
                let (key, _) = last.map_err(|error| from_rocks(&error))?;
                let full =
                    || StoreError::Corrupt("the last audit sequence number is used up".into());
                layout::audit_sequence(&key)?
                    .checked_add(1)
                    .ok_or_else(full)
            }
        }
    }

    fn write_meta(&self) -> Result<(), StoreError> {
        let mut id = [0; STORE_ID_BYTES];
        let source = Path::new("/dev/urandom");
        File::open(source)
            .and_then(|mut file| file.read_exact(&mut id))
            .map_err(|error| from_io(&error, source))?;
        let mut batch = WriteBatch::default();
        let meta = self.family(Family::Meta)?;
        batch.put_cf(meta, META_STORE_ID, layout::store_id_value(&id));
        batch.put_cf(meta, META_FORMAT, layout::format_value(STORE_FORMAT));
        self.write_synced(batch)
    }

    fn write_synced(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db
            .write_opt(batch, &options)
            .map_err(|error| from_rocks(&error))
    }

    fn append(&self, batch: &mut WriteBatch, placed: &Placed) -> Result<(), StoreError> {
        for range in &placed.commit.removals {
            batch.delete_range_cf(self.family(range.family)?, &range.from, &range.to);
        }
        for write in &placed.commit.writes {
            let family = self.family(write.family)?;
            match &write.value {
                Some(value) => batch.put_cf(family, &write.key, value),
                None => batch.delete_cf(family, &write.key),
            }
        }
        for rows in &placed.commit.rows {
            let family = self.family(rows.family())?;
            rows.iter()
                .for_each(|(key, value)| batch.put_cf(family, key, value));
        }
        let audit = self.family(Family::Audit)?;
        for (sequence, entry) in (placed.first_entry..).zip(&placed.commit.entries) {
            batch.put_cf(audit, layout::audit_key(sequence), entry);
        }
        Ok(())
    }
}

impl Backend for Arc<Database> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Database::get(self, family, key)
    }

    fn write(&self, group: &[Placed]) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        group
            .iter()
            .try_for_each(|placed| self.append(&mut batch, placed))?;
        self.write_synced(batch)
    }
}

/// Flushing at the end makes the next start quick; what it does not manage is in the write-ahead log.
impl Drop for Database {
    fn drop(&mut self) {
        let families: Vec<_> = Family::ALL
            .iter()
            .filter_map(|family| self.db.cf_handle(family.name()))
            .collect();
        drop(self.db.flush_cfs_opt(&families, &FlushOptions::default()));
    }
}

/// Creates `dir` for the owner alone, if it is absent.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| from_io(&error, dir))
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path);
    let file = file.map_err(|error| from_io(&error, &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(format!(
            "another sluisd uses {}",
            dir.display()
        ))),
        Err(TryLockError::Error(error)) => Err(from_io(&error, &path)),
    }
}

fn check_families(dir: &Path, db_options: &rocksdb::Options) -> Result<(), StoreError> {
    let present = DB::list_cf(db_options, dir).map_err(|error| from_rocks(&error))?;
    let ours = |name: &str| Family::ALL.iter().any(|family| family.name() == name);
    let known = |name: &str| name == rocksdb::DEFAULT_COLUMN_FAMILY_NAME || ours(name);
    if let Some(unknown) = present.iter().find(|name| !known(name)) {
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

/// Makes the entry of a new directory durable in its parent.
pub(crate) fn sync_entry(dir: &Path) -> Result<(), StoreError> {
    let parent: PathBuf = match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => ".".into(),
        Some(parent) => parent.into(),
        None => return Ok(()),
    };
    File::open(&parent)
        .and_then(|parent| parent.sync_all())
        .map_err(|error| from_io(&error, &parent))
}
