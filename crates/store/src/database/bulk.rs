//! Many rows at once. They are written as sorted tables, which RocksDB takes in as they are, instead of through its log and
//! its memory: less than half the work.
//!
//! The order loses nothing that was answered, and invents nothing: (1) the tables are written and synced; (2) the rest of
//! the group is written and synced, audit entries included, with a row in `meta` that names the tables; (3) RocksDB
//! takes the tables in, durably; (4) the callers are answered. The next group replaces the row. A start takes in the
//! tables that the row names and a crash left behind, and removes all others.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rocksdb::{IngestExternalFileOptions, SstFileWriter, WriteBatch};
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_port::rows::{META_BULK_TABLES, VALUE_FORMAT};
use sluis_port::store::{Family, StoreError};

use crate::database::Database;
use crate::directory::{create_private_dir, sync_entry};
use crate::error::{from_io, from_rocks};
use crate::options::BULK;
use crate::writer::Placed;

/// Where tables lie until RocksDB takes them in, below the directory of the store: on the same disk.
const DIRECTORY: &str = "bulk";

/// A table that RocksDB takes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) family: Family,
    name: String,
}

impl Table {
    fn path(&self, store: &Path) -> PathBuf {
        store.join(DIRECTORY).join(&self.name)
    }
}

/// Tables of a group on the disk. As long as no row names them they are removed with this: rows in them must not outlive an
/// erasure.
pub(crate) struct Tables {
    store: PathBuf,
    list: Vec<Table>,
    named: bool,
}

impl Tables {
    pub(crate) fn list(&self) -> &[Table] {
        &self.list
    }

    /// From now on a row may name them: they stay until they are taken in.
    pub(crate) fn keep(&mut self) {
        self.named = true;
    }
}

impl Drop for Tables {
    fn drop(&mut self) {
        if !self.named {
            for table in &self.list {
                drop(fs::remove_file(table.path(&self.store)));
            }
        }
    }
}

/// Writes and syncs the rows of families of which a group has many.
///
/// # Errors
/// [`StoreError::Full`], [`StoreError::Io`]. Nothing is left then.
pub(crate) fn write_tables(
    db: &Database,
    store: &Path,
    group: &[Placed],
) -> Result<Tables, StoreError> {
    let mut tables = Tables {
        store: store.to_owned(),
        list: Vec::new(),
        named: false,
    };
    let Some(first) = group.first() else {
        return Ok(tables);
    };
    let directory = store.join(DIRECTORY);
    for (family, options) in db.bulk_families() {
        if !is_bulk(family, group, db.bulk_rows()) {
            continue;
        }
        if !directory.exists() {
            create_private_dir(&directory)?;
            sync_entry(&directory)?;
        }
        let name = format!("{}-{}.sst", first.first_entry, family.name());
        let table = Table { family, name };
        let path = table.path(store);
        tables.list.push(table);
        write_table(options, &path, family, group)?;
    }
    if !tables.list.is_empty() {
        sync(&directory)?;
    }
    Ok(tables)
}

/// Whether a group has at least so many rows of a family, and nothing else of it: rows would overtake removals.
fn is_bulk(family: Family, group: &[Placed], least: usize) -> bool {
    let mut rows = 0;
    for Placed { commit, .. } in group {
        let writes = commit.writes.iter().any(|write| write.family == family);
        let removals = commit.removals.iter().any(|range| range.family == family);
        if writes || removals {
            return false;
        }
        let packed = commit.rows.iter().filter(|rows| rows.family() == family);
        rows += packed.map(|rows| rows.len()).sum::<usize>();
    }
    rows > 0 && rows >= least
}

fn write_table(
    options: &rocksdb::Options,
    path: &Path,
    family: Family,
    group: &[Placed],
) -> Result<(), StoreError> {
    let commits = group.iter().map(|placed| &placed.commit);
    let packed = commits.flat_map(|commit| &commit.rows);
    let packed = packed.filter(|rows| rows.family() == family);
    let mut rows: Vec<_> = packed.flat_map(|rows| rows.iter()).collect();
    // Each commit's are sorted already. Of rows with the same key the last one counts.
    rows.sort_by_key(|(key, _)| *key);
    let mut table = SstFileWriter::create(options);
    table.open(path).map_err(|error| from_rocks(&error))?;
    for (at, (key, value)) in rows.iter().enumerate() {
        if rows.get(at + 1).is_none_or(|(next, _)| next != key) {
            table.put(key, value).map_err(|error| from_rocks(&error))?;
        }
    }
    table.finish().map_err(|error| from_rocks(&error))
}

/// Adds to a batch which tables come after it.
pub(crate) fn put_names(
    db: &Database,
    tables: &[Table],
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let meta = db.family(Family::Meta)?;
    if tables.is_empty() {
        batch.delete_cf(meta, META_BULK_TABLES);
        return Ok(());
    }
    let mut names = Writer::new(VALUE_FORMAT);
    for table in tables {
        names.u8(table.family as u8).lp(&table.name);
    }
    batch.put_cf(meta, META_BULK_TABLES, names.finish());
    Ok(())
}

/// RocksDB takes tables in, durably.
///
/// # Errors
/// [`StoreError::Io`] and what RocksDB says; the next start tries again.
pub(crate) fn take_in(db: &Database, store: &Path, tables: &[Table]) -> Result<(), StoreError> {
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    for table in tables {
        let family = db.family(table.family)?;
        let taken = db
            .db
            .ingest_external_file_cf_opts(family, &options, vec![table.path(store)]);
        taken.map_err(|error| from_rocks(&error))?;
    }
    Ok(())
}

/// Whether tables that are named were not taken in.
///
/// # Errors
/// The errors of reading the row and the directory.
pub(crate) fn are_left(db: &Database, store: &Path) -> Result<bool, StoreError> {
    let present = present(&store.join(DIRECTORY))?;
    let named = named(db)?;
    Ok(named.iter().any(|table| present.contains(&table.name)))
}

/// At a start: takes in what a crash left behind, and removes tables that no one named.
///
/// # Errors
/// [`StoreError::Corrupt`] for a row that names no tables, and those of [`take_in`].
pub(crate) fn recover(db: &Database, store: &Path) -> Result<(), StoreError> {
    let present = present(&store.join(DIRECTORY))?;
    let named = named(db)?;
    if !named.is_empty() {
        // The row stays until the next group: what needs no mending is not written to.
        db.set_names_tables();
    }
    // One that is not there any more was taken in before the crash.
    let left = named.into_iter().filter(|t| present.contains(&t.name));
    take_in(db, store, &left.collect::<Vec<_>>())?;
    for name in present {
        let path = store.join(DIRECTORY).join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(from_io(&error, &path));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The tables that the row names.
fn named(db: &Database) -> Result<Vec<Table>, StoreError> {
    let Some(row) = db.get_unchecked(Family::Meta, META_BULK_TABLES)? else {
        return Ok(Vec::new());
    };
    read_names(&row).map_err(|DecodeError| {
        StoreError::Corrupt("the row of tables that are to be taken in cannot be read".into())
    })
}

fn read_names(value: &[u8]) -> Result<Vec<Table>, DecodeError> {
    let mut input = Reader::new(value, VALUE_FORMAT)?;
    let mut tables = Vec::new();
    while input.end().is_err() {
        let number = input.u8()?;
        let family = BULK
            .into_iter()
            .find(|family| *family as u8 == number)
            .ok_or(DecodeError)?;
        let name = input.text()?.to_owned();
        if name.contains('/') {
            return Err(DecodeError);
        }
        tables.push(Table { family, name });
    }
    Ok(tables)
}

/// Names of the files in a directory, which may not exist.
fn present(directory: &Path) -> Result<BTreeSet<String>, StoreError> {
    let files = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        files => files.map_err(|error| from_io(&error, directory))?,
    };
    let mut names = BTreeSet::new();
    for file in files {
        let file = file.map_err(|error| from_io(&error, directory))?;
        names.extend(file.file_name().into_string());
    }
    Ok(names)
}

fn sync(directory: &Path) -> Result<(), StoreError> {
    let opened = File::open(directory);
    opened
        .and_then(|directory| directory.sync_all())
        .map_err(|error| from_io(&error, directory))
}

#[cfg(test)]
mod tests;
