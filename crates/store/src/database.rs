//! The open RocksDB, and the handle that opens it again.

pub(crate) mod bulk;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use rocksdb::{ColumnFamily, DB, FlushOptions, IteratorMode, WriteBatch, WriteOptions};
use sluis_port::store::{Family, Recovered, StoreError};

use crate::error::{from_io, from_rocks};
use crate::mark::{Lost, Mark};
use crate::options::{self, BULK, Options};
use crate::space;
use crate::trouble::Trouble;
use crate::writer::{Backend, Placed};
use bulk::{Table, Tables};
use sluis_port::rows::{self, META_FORMAT, META_STORE_ID, STORE_FORMAT, STORE_ID_BYTES};

/// How long reads and a write that hangs may take to let go of a RocksDB that is to be closed.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);

/// The open RocksDB, or none while it is opened again. Cheap to borrow, so that nothing keeps an old one open.
pub(crate) struct Handle {
    dir: PathBuf,
    options: Options,
    open: RwLock<Option<Arc<Database>>>,
    pub(crate) trouble: Arc<Trouble>,
    acknowledged: Mutex<Reached>,
    mark: Mark,
    /// Held while tables are named and not taken in yet. A backup that began then would miss their rows.
    bulk: Mutex<()>,
}

/// Tables of a group, before the group is written. No backup begins until they are taken in.
pub(crate) struct Prepared<'a> {
    tables: Tables,
    _guard: MutexGuard<'a, ()>,
}

/// How far a store is.
#[derive(Clone, Copy, Debug)]
struct Reached {
    /// RocksDB's sequence number. Can be lower after opening again, if what was written last was removed again before it
    /// reached a table.
    sequence: u64,
    /// Number of audit entries.
    entries: u64,
}

/// The open RocksDB.
pub(crate) struct Database {
    pub(crate) db: DB,
    /// Holds the statistics.
    pub(crate) options: rocksdb::Options,
    trouble: Arc<Trouble>,
    /// Whether what is in memory is written out at the end, which makes the next start quick.
    flushes: AtomicBool,
    /// How the tables of bulk families are written.
    tables: [rocksdb::Options; BULK.len()],
    bulk_rows: usize,
    /// Whether `meta` names tables that were taken in.
    names_tables: AtomicBool,
}

impl Handle {
    /// Opens the store in `dir`, which exists.
    ///
    /// # Errors
    /// The errors of [`crate::RocksStore::open`].
    pub(crate) fn open(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        space::check_start(dir, options.least_free_bytes)?;
        let trouble = Arc::<Trouble>::default();
        let db = Database::open(dir, options::database(options), options, &trouble)
            .map_err(|error| space::explain(dir, options.least_free_bytes, error))?;
        let reached = db.reached()?;
        Ok(Self {
            mark: Mark::open(dir, reached.entries, options.sees_loss)?,
            acknowledged: Mutex::new(reached),
            dir: dir.to_owned(),
            options: options.clone(),
            open: RwLock::new(Some(Arc::new(db))),
            trouble,
            bulk: Mutex::new(()),
        })
    }

    /// While this is held, all rows go through RocksDB's own log.
    pub(crate) fn without_bulk(&self) -> MutexGuard<'_, ()> {
        self.bulk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open RocksDB.
    ///
    /// # Errors
    /// While it is opened again, what the trouble is.
    pub(crate) fn db(&self) -> Result<Arc<Database>, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        match &*open {
            Some(db) => Ok(Arc::clone(db)),
            None => {
                self.trouble.usable()?;
                Err(StoreError::Stalled("it is being opened again".into()))
            }
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was lost when the store was opened.
    pub(crate) fn lost(&self) -> Option<Lost> {
        self.mark.lost()
    }

    /// Takes the store as it is for all that was acknowledged.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub(crate) fn accept_loss(&self) -> Result<(), StoreError> {
        let present = self.acknowledged().entries;
        self.mark
            .set(present)
            .map_err(|error| from_io(&error, &self.dir))
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether there is room.
    ///
    /// # Errors
    /// [`StoreError::Full`].
    pub(crate) fn check_room(&self) -> Result<(), StoreError> {
        let was_full = self.trouble.writable().is_err();
        let free = space::free(&self.dir);
        space::check(&self.dir, free, self.options.least_free_bytes, was_full)
    }

    /// Closes RocksDB and opens it again; the number of audit entries then, and how it compares with what was acknowledged.
    ///
    /// # Errors
    /// [`StoreError::Stalled`] if a read or write does not let go of it; the errors of [`Self::open`]; and
    /// [`StoreError::Corrupt`] if less is there than was acknowledged.
    pub(crate) fn reopen(&self) -> Result<(u64, Recovered), StoreError> {
        self.close()?;
        space::check_start(&self.dir, self.options.least_free_bytes)?;
        let db_options = options::database(&self.options);
        let db = Database::open(&self.dir, db_options, &self.options, &self.trouble)?;
        let reached = db.reached()?;
        let acknowledged = *self.acknowledged();
        if reached.entries < acknowledged.entries {
            let text = "less is there after opening again than was acknowledged before";
            return Err(StoreError::Corrupt(text.into()));
        }
        bulk::recover(&db, &self.dir)?;
        self.reached(db.reached()?);
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(db));
        self.put_mark(reached.entries);
        let more =
            reached.sequence > acknowledged.sequence || reached.entries > acknowledged.entries;
        let recovered = if more {
            Recovered::WithMore
        } else {
            Recovered::AsAcknowledged
        };
        Ok((reached.entries, recovered))
    }

    fn close(&self) -> Result<(), StoreError> {
        let taken = self
            .open
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut db) = taken else { return Ok(()) };
        db.flushes.store(false, Ordering::Relaxed);
        // A write that waits for RocksDB's compactions gives up then.
        db.db.cancel_all_background_work(false);
        let started = Instant::now();
        loop {
            db = match Arc::try_unwrap(db) {
                Ok(closed) => {
                    drop(closed);
                    return Ok(());
                }
                Err(held) => held,
            };
            if started.elapsed() >= PATIENCE {
                break;
            }
            std::thread::park_timeout(PAUSE);
        }
        // Reads still work with it.
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(db);
        Err(StoreError::Stalled(
            "a read or a write does not let go of the store".into(),
        ))
    }

    /// Remembers how far commits are acknowledged.
    fn reached(&self, reached: Reached) {
        *self.acknowledged() = reached;
    }

    /// Marks on disk how far commits are acknowledged. A mark that is too old raises no alarm, so a failure takes nothing but
    /// the alarm away.
    fn put_mark(&self, entries: u64) {
        drop(self.mark.put(entries));
    }

    fn acknowledged(&self) -> MutexGuard<'_, Reached> {
        self.acknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Database {
    /// Opens RocksDB in `dir`.
    pub(crate) fn open(
        dir: &Path,
        db_options: rocksdb::Options,
        options: &Options,
        trouble: &Arc<Trouble>,
    ) -> Result<Self, StoreError> {
        let db = DB::open_cf_descriptors(&db_options, dir, options::families(options));
        Ok(Self {
            db: db.map_err(|error| from_rocks(&error))?,
            options: db_options,
            trouble: Arc::clone(trouble),
            flushes: AtomicBool::new(true),
            tables: BULK.map(|family| options::table(family, options)),
            bulk_rows: options.bulk_rows,
            names_tables: AtomicBool::new(false),
        })
    }

    /// Opens RocksDB in `dir` without writing there.
    pub(crate) fn open_read_only(dir: &Path, options: &Options) -> Result<Self, StoreError> {
        let db_options = options::database(options);
        let families = options::families(options);
        let db = DB::open_cf_descriptors_read_only(&db_options, dir, families, false);
        Ok(Self {
            db: db.map_err(|error| from_rocks(&error))?,
            options: db_options,
            trouble: Arc::default(),
            flushes: AtomicBool::new(false),
            tables: BULK.map(|family| options::table(family, options)),
            bulk_rows: options.bulk_rows,
            names_tables: AtomicBool::new(false),
        })
    }

    /// The port's error for what a read met. Corruption found by RocksDB ends all writing.
    pub(crate) fn failed_read(&self, error: &rocksdb::Error) -> StoreError {
        let error = from_rocks(error);
        if let StoreError::Corrupt(_) = error {
            self.trouble.fail(&error);
        }
        error
    }

    pub(crate) fn family(&self, family: Family) -> Result<&ColumnFamily, StoreError> {
        let name = family.name();
        self.db
            .cf_handle(name)
            .ok_or_else(|| StoreError::Corrupt(format!("the store has no column family `{name}`")))
    }

    pub(crate) fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.get_unchecked(family, key)?;
        if let Some(value) = &value {
            rows::check_row(family, key, value)?;
        }
        Ok(value)
    }

    pub(crate) fn get_unchecked(
        &self,
        family: Family,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.db
            .get_cf(self.family(family)?, key)
            .map_err(|error| self.failed_read(&error))
    }

    /// Number of audit entries.
    pub(crate) fn next_entry(&self) -> Result<u64, StoreError> {
        let audit = self.family(Family::Audit)?;
        let Some(last) = self.db.iterator_cf(audit, IteratorMode::End).next() else {
            return Ok(0);
        };
        let (key, _) = last.map_err(|error| from_rocks(&error))?;
        rows::audit_sequence(&key)?
            .checked_add(1)
            .ok_or_else(|| StoreError::Corrupt("the last audit sequence number is used up".into()))
    }

    fn reached(&self) -> Result<Reached, StoreError> {
        Ok(Reached {
            sequence: self.db.latest_sequence_number(),
            entries: self.next_entry()?,
        })
    }

    pub(crate) fn write_meta(&self) -> Result<(), StoreError> {
        let mut id = [0; STORE_ID_BYTES];
        let source = Path::new("/dev/urandom");
        File::open(source)
            .and_then(|mut file| file.read_exact(&mut id))
            .map_err(|error| from_io(&error, source))?;
        let mut batch = WriteBatch::default();
        let meta = self.family(Family::Meta)?;
        batch.put_cf(meta, META_STORE_ID, rows::store_id_value(&id));
        batch.put_cf(meta, META_FORMAT, rows::format_value(STORE_FORMAT));
        self.write_synced(batch)
    }

    /// `meta` names tables; the next group replaces that.
    pub(crate) fn set_names_tables(&self) {
        self.names_tables.store(true, Ordering::Relaxed);
    }

    /// Each bulk family, and how a table of it is written.
    pub(crate) fn bulk_families(&self) -> impl Iterator<Item = (Family, &rocksdb::Options)> {
        BULK.into_iter().zip(&self.tables)
    }

    /// From how many rows of a family on a group is written as a table.
    pub(crate) fn bulk_rows(&self) -> usize {
        self.bulk_rows
    }

    fn write_synced(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.db
            .write_opt(batch, &options)
            .map_err(|error| from_rocks(&error))
    }

    /// Writes a group at once, but for the rows that are in tables.
    pub(crate) fn write_group(&self, group: &[Placed], tables: &[Table]) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for placed in group {
            self.append(&mut batch, placed, tables)?;
        }
        // Of an empty batch RocksDB would only write a header, into a log that no flush ends.
        if batch.is_empty() && tables.is_empty() {
            return Ok(());
        }
        let names = !tables.is_empty();
        if self.names_tables.swap(names, Ordering::Relaxed) || names {
            bulk::put_names(self, tables, &mut batch)?;
        }
        self.write_synced(batch)
    }

    /// Adds a commit to a batch, but for the rows that are in tables.
    fn append(
        &self,
        batch: &mut WriteBatch,
        placed: &Placed,
        tables: &[Table],
    ) -> Result<(), StoreError> {
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
            if tables.iter().any(|table| table.family == rows.family()) {
                continue;
            }
            let family = self.family(rows.family())?;
            rows.iter()
                .for_each(|(key, value)| batch.put_cf(family, key, value));
        }
        let audit = self.family(Family::Audit)?;
        for (sequence, entry) in (placed.first_entry..).zip(&placed.commit.entries) {
            batch.put_cf(audit, rows::audit_key(sequence), entry);
        }
        Ok(())
    }

    /// A number that RocksDB says about itself; 0 if it does not.
    pub(crate) fn number(&self, property: &str) -> u64 {
        let said = self.db.property_int_value(property).ok().flatten();
        said.unwrap_or(0)
    }

    /// Tables in level 0 of the family that has most of them.
    pub(crate) fn level0_files(&self) -> u64 {
        let counts = Family::ALL.into_iter().filter_map(|family| {
            let cf = self.db.cf_handle(family.name())?;
            let said = self
                .db
                .property_value_cf(cf, "rocksdb.num-files-at-level0")
                .ok()??;
            said.parse().ok()
        });
        counts.max().unwrap_or(0)
    }

    /// Whether RocksDB delays writes, so that merging tables keeps up.
    pub(crate) fn is_slowed(&self) -> bool {
        self.number("rocksdb.actual-delayed-write-rate") > 0
    }

    /// Whether RocksDB holds all writes back until tables are merged.
    pub(crate) fn is_stalled(&self) -> bool {
        self.number("rocksdb.is-write-stopped") > 0
    }
}

impl Backend for Arc<Handle> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db()?.get(family, key)
    }

    fn ready(&self) -> Result<(), StoreError> {
        self.check_room()?;
        let db = self.db()?;
        if db.is_stalled() {
            let files = db.level0_files();
            let why =
                format!("RocksDB holds all writes back until its {files} small tables are merged");
            return Err(StoreError::Stalled(why));
        }
        Ok(())
    }

    /// None while a backup is made.
    type Prepared<'a> = Option<Prepared<'a>>;

    fn prepare(&self, group: &[Placed]) -> Result<Option<Prepared<'_>>, StoreError> {
        let guard = match self.bulk.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(None),
        };
        Ok(Some(Prepared {
            tables: bulk::write_tables(&*self.db()?, &self.dir, group)?,
            _guard: guard,
        }))
    }

    fn write(
        &self,
        group: &[Placed],
        mut prepared: Option<Prepared<'_>>,
    ) -> Result<(), StoreError> {
        let db = self.db()?;
        let tables = match &mut prepared {
            Some(Prepared { tables, .. }) => {
                tables.keep();
                tables.list()
            }
            None => &[],
        };
        db.write_group(group, tables)?;
        bulk::take_in(&db, &self.dir, tables)
    }

    fn mark(&self, entries: u64) {
        self.put_mark(entries);
    }

    fn acknowledge(&self, entries: u64) {
        let Ok(db) = self.db() else { return };
        self.reached(Reached {
            sequence: db.db.latest_sequence_number(),
            entries,
        });
    }
}

/// Flushing at the end makes the next start quick; what it does not manage is in the write-ahead log.
impl Drop for Database {
    fn drop(&mut self) {
        if !self.flushes.load(Ordering::Relaxed) || self.trouble.writable().is_err() {
            return;
        }
        let families: Vec<_> = Family::ALL
            .iter()
            .filter_map(|family| self.db.cf_handle(family.name()))
            .collect();
        drop(self.db.flush_cfs_opt(&families, &FlushOptions::default()));
    }
}
