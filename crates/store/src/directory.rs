//! The directory of a store: its files, who may read it, and who has it open.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sluis_port::store::StoreError;

use crate::error::from_io;

/// Its lock says that a process has the store open.
pub(crate) const LOCK_FILE: &str = "sluis.lock";
/// RocksDB's pointer to its manifest: a directory holds a store if it has this file.
pub(crate) const CURRENT_FILE: &str = "CURRENT";

/// Creates `dir` for the owner alone, if it is absent.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| from_io(&error, dir))
}

/// Locks `dir` for this process.
pub(crate) fn lock(dir: &Path) -> Result<File, StoreError> {
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
