//! What the tests of the store share.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sluis_port::store::{Commit, Family, PackedRows};
use sluis_store::{Options, RocksStore};
use tempfile::TempDir;

/// A new store in a directory of its own.
pub(crate) fn store_in() -> (TempDir, RocksStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = RocksStore::create(dir.path(), &Options::default()).unwrap();
    (dir, store)
}

/// A link row; numbers far apart get keys far apart.
pub(crate) fn link_row(n: u64) -> (Vec<u8>, Vec<u8>) {
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    let key = [&[0, 0, 0, 1][..], &spread, &spread].concat();
    let value = [&[1][..], &n.to_be_bytes(), &spread].concat();
    (key, value)
}

/// A commit of link rows.
pub(crate) fn rows(numbers: Range<u64>) -> Commit {
    let count = (numbers.end - numbers.start) as usize;
    let mut rows = PackedRows::with_capacity(Family::Link, 20, count, 37 * count);
    for (key, value) in numbers.map(link_row) {
        rows.push_with(|out| out.extend(key.into_iter().chain(value)));
    }
    Commit {
        rows: vec![rows],
        ..Commit::default()
    }
}

/// A commit of one audit entry.
pub(crate) fn entry(n: u64) -> Commit {
    let mut commit = Commit::default();
    commit.entry([&[3][..], &n.to_be_bytes()].concat());
    commit
}

/// The files of a directory.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths
}

/// What a power cut would leave of an open store.
pub(crate) fn copy(dir: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for file in files(dir) {
        fs::copy(&file, image.path().join(file.file_name().unwrap())).unwrap();
    }
    image
}

/// Changes one bit of one byte.
pub(crate) fn flip(file: &Path, at: u64) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at as usize] ^= 1;
    fs::write(file, bytes).unwrap();
}
