//! Restore: the latest backup becomes a store.

use std::fs::{self, File};
use std::path::Path;

use rocksdb::backup::RestoreOptions;
use sluis_port::rows::STORE_ID_BYTES;
use sluis_port::store::{Store, StoreError};

use crate::Options;
use crate::backup::{BACKUP_LISTS, latest, open_engine};
use crate::directory::{CURRENT_FILE, LOCK_FILE, create_private_dir, sync_entry};
use crate::error::{from_io, from_rocks};
use crate::rocks::RocksStore;

/// Where a restore collects the files before they count.
const STAGING: &str = "restoring";

/// What a restore found in the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Number of the backup in its directory, from 1.
    pub backup_id: u32,
    /// When the backup was made, in seconds since 1970.
    pub timestamp: i64,
    /// Bytes of the backup.
    pub bytes: u64,
    /// Id of the store, as given when it was created.
    pub store_id: [u8; STORE_ID_BYTES],
    /// Number of audit entries.
    pub entries: u64,
}

/// Copies the latest backup in `backup_dir` into `target_dir` (absent or empty), and reads all of it once. The target
/// becomes a store with the last step only: a restore that was cut short cannot be opened.
///
/// # Errors
/// [`StoreError::Io`] if there is no backup, if the target is not empty, or on I/O errors; [`StoreError::Corrupt`] if
/// the backup is damaged or of an unknown format.
pub fn restore(backup_dir: &Path, target_dir: &Path) -> Result<Restored, StoreError> {
    if !backup_dir.join(BACKUP_LISTS).is_dir() {
        return Err(StoreError::Io(format!(
            "{} holds no backup",
            backup_dir.display()
        )));
    }
    create_private_dir(target_dir)?;
    if list(target_dir)?.next().is_some() {
        return Err(StoreError::Io(format!(
            "{} is not empty: a restore needs an empty one",
            target_dir.display()
        )));
    }
    let staging = target_dir.join(STAGING);
    create_private_dir(&staging)?;
    let mut engine = open_engine(backup_dir)?;
    let info = latest(&engine, backup_dir)?;
    engine
        .verify_backup(info.backup_id)
        .map_err(|error| from_rocks(&error))?;
    engine
        .restore_from_backup(
            &staging,
            &staging,
            &RestoreOptions::default(),
            info.backup_id,
        )
        .map_err(|error| from_rocks(&error))?;
    let store = RocksStore::open(&staging, &Options::default())?;
    store.verify()?;
    let (store_id, entries) = (store.store_id(), store.entries());
    drop(store);
    publish(&staging, target_dir)?;
    Ok(Restored {
        backup_id: info.backup_id,
        timestamp: info.timestamp,
        bytes: info.size,
        store_id,
        entries,
    })
}

fn publish(staging: &Path, target: &Path) -> Result<(), StoreError> {
    let lock = staging.join(LOCK_FILE);
    fs::remove_file(&lock).map_err(|error| from_io(&error, &lock))?;
    for name in list(staging)?.filter(|name| name != CURRENT_FILE) {
        rename(staging, target, name.as_ref())?;
    }
    sync_dir(target)?;
    rename(staging, target, CURRENT_FILE.as_ref())?;
    fs::remove_dir(staging).map_err(|error| from_io(&error, staging))?;
    sync_dir(target)?;
    sync_entry(target)
}

fn rename(from: &Path, to: &Path, name: &Path) -> Result<(), StoreError> {
    fs::rename(from.join(name), to.join(name)).map_err(|error| from_io(&error, &to.join(name)))
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| from_io(&error, dir))
}

fn list(dir: &Path) -> Result<impl Iterator<Item = std::ffi::OsString>, StoreError> {
    let entries = fs::read_dir(dir).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    Ok(entries
        .map_err(|error| from_io(&error, dir))?
        .into_iter()
        .map(|entry| entry.file_name()))
}
