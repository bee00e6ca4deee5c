//! On-line backup with RocksDB's backup engine.

mod check;

use std::path::Path;

use rocksdb::Env;
use rocksdb::backup::{BackupEngine, BackupEngineInfo, BackupEngineOptions};
use sluis_port::rows::STORE_ID_BYTES;
use sluis_port::store::StoreError;

use crate::database::{Handle, bulk};
use crate::directory::{create_private_dir, sync_entry};
use crate::error::from_rocks;

/// The directory in which the backup engine keeps the list of files of each backup.
pub(crate) const BACKUP_LISTS: &str = "meta";

/// Adds a backup of the store to `directory` (created with mode 0700), reads all of it, and returns its size in bytes. The
/// store has at least `entries` audit entries. One backup at a time.
pub(crate) fn backup(
    store: &Handle,
    store_id: [u8; STORE_ID_BYTES],
    entries: u64,
    directory: &Path,
) -> Result<u64, StoreError> {
    create_private_dir(directory)?;
    let mut engine = open_engine(directory)?;
    let without_bulk = store.without_bulk();
    let db = store.db()?;
    if bulk::are_left(&db, store.dir())? {
        let text = "rows that were written last are not part of the store yet";
        return Err(StoreError::Stalled(text.into()));
    }
    // Memtables are flushed first; what is written meanwhile comes with the write-ahead log.
    engine
        .create_new_backup_flush(&db.db, true)
        .map_err(|error| from_rocks(&error))?;
    drop((db, without_bulk));
    let info = latest(&engine, directory)?;
    engine
        .verify_backup(info.backup_id)
        .map_err(|error| from_rocks(&error))?;
    let checked = check::check(directory, info.backup_id, store.options())?;
    if checked.store_id != store_id || checked.entries < entries {
        let text = "the backup that was just made does not hold what the store held before";
        return Err(StoreError::Corrupt(text.into()));
    }
    sync_entry(directory)?;
    Ok(info.size)
}

pub(crate) fn open_engine(directory: &Path) -> Result<BackupEngine, StoreError> {
    let options = BackupEngineOptions::new(directory).map_err(|error| from_rocks(&error))?;
    let env = Env::new().map_err(|error| from_rocks(&error))?;
    BackupEngine::open(&options, &env).map_err(|error| from_rocks(&error))
}

pub(crate) fn latest(
    engine: &BackupEngine,
    directory: &Path,
) -> Result<BackupEngineInfo, StoreError> {
    let backups = engine.get_backup_info().into_iter();
    backups
        .max_by_key(|info| info.backup_id)
        .ok_or_else(|| StoreError::Io(format!("{} holds no backup", directory.display())))
}
