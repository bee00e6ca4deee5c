//! Reads a backup from its first row to its last, as a restore would, without copying it.
//!
//! RocksDB's own check of a backup compares sizes only. Here the files of the backup are given their own names again by
//! links in a directory of their own, and that is opened read-only: every block of every table is read and its checksum
//! verified, every row is held against the layout, and the audit log is counted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sluis_port::store::{Family, StoreError};

use super::BACKUP_LISTS;
use crate::Options;
use crate::database::Database;
use crate::directory::create_private_dir;
use crate::error::from_io;
use crate::verify::verify;
use sluis_port::rows::{self, META_STORE_ID, STORE_ID_BYTES};

/// Where the links are for the time of the check.
const LINKS: &str = "checking";

/// What a backup holds.
pub(super) struct Checked {
    pub(super) store_id: [u8; STORE_ID_BYTES],
    pub(super) entries: u64,
}

/// Reads backup number `id` of `directory`. Memory stays within the caches of `options`, whatever the backup's size.
///
/// # Errors
/// [`StoreError::Corrupt`] for damage; [`StoreError::Io`].
pub(super) fn check(directory: &Path, id: u32, options: &Options) -> Result<Checked, StoreError> {
    let links = directory.join(LINKS);
    // One that was cut short left it behind.
    clear(&links)?;
    create_private_dir(&links)?;
    let checked = link_all(directory, id, &links).and_then(|()| read(&links, options));
    clear(&links)?;
    checked
}

fn read(links: &Path, options: &Options) -> Result<Checked, StoreError> {
    let db = Database::open_read_only(links, options)?;
    let entries = verify(&db)?;
    let stored = db.get_unchecked(Family::Meta, META_STORE_ID)?;
    Ok(Checked {
        store_id: rows::store_id(&stored.unwrap_or_default())?,
        entries,
    })
}

fn link_all(directory: &Path, id: u32, links: &Path) -> Result<(), StoreError> {
    let list = directory.join(BACKUP_LISTS).join(id.to_string());
    let text = fs::read_to_string(&list).map_err(|error| from_io(&error, &list))?;
    let directory = fs::canonicalize(directory).map_err(|error| from_io(&error, directory))?;
    for file in text.lines().filter_map(listed) {
        let link = links.join(own_name(&file));
        symlink(directory.join(&file), &link).map_err(|error| from_io(&error, &link))?;
    }
    Ok(())
}

/// The file that a line of a backup's list names, such as `shared_checksum/000007_s2F0A_590.sst crc32 1234`.
fn listed(line: &str) -> Option<PathBuf> {
    let (file, _) = line.split_once(" crc32 ")?;
    Some(PathBuf::from(file))
}

/// The name that a file of a backup has in a store: `000007.sst`.
fn own_name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let shared = file.starts_with("shared_checksum");
    match (name.split_once('_'), name.rsplit_once('.')) {
        (Some((number, _)), Some((_, extension))) if shared => format!("{number}.{extension}"),
        _ => name.into_owned(),
    }
}

fn clear(links: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(links) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(from_io(&error, links)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_get_the_names_back_that_they_have_in_a_store() {
        let line = "shared_checksum/000007_sABC_590.sst crc32 12";
        assert_eq!(own_name(&listed(line).unwrap()), "000007.sst");
        let line = "private/1/MANIFEST-000005 crc32 12";
        assert_eq!(own_name(&listed(line).unwrap()), "MANIFEST-000005");
        assert_eq!(listed("1764266803"), None);
    }
}
