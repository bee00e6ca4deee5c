//! The mark of the last commit: a small file beside RocksDB's own.
//!
//! RocksDB cannot tell a write-ahead log whose end was cut off from one whose last write was never finished, so it opens
//! both. The mark says up to where commits were acknowledged. It is overwritten in place after the sync of each group and
//! before its answers, and is not synced itself: after a power cut it may be older than the log, never newer, so it never
//! raises a false alarm.
//!
//! | bytes of `last-commit` | meaning |
//! |---|---|
//! | 1 | format, 1 |
//! | 8 | number of audit entries after the last acknowledged group, big-endian |
//! | 8 | the same, every bit flipped |
//!
//! Every act has an audit entry, so the number of entries tells of every act. RocksDB's own sequence number does not serve:
//! it can be lower after a restart, if what was written last was removed again before it reached a table.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use sluis_port::store::StoreError;

use crate::error::from_io;

/// Name of the file.
pub(crate) const MARK_FILE: &str = "last-commit";
const FORMAT: u8 = 1;
const BYTES: usize = 17;

/// Acknowledged writes that a store does not have any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// So many audit entries, and what was written with them.
    Entries(u64),
    /// The mark is damaged.
    Unknown,
}

/// The open file.
pub(crate) struct Mark {
    file: File,
    lost: Option<Lost>,
}

impl Mark {
    /// Opens the mark of a store with `present` audit entries, and makes it if there is none. A store that is behind its
    /// mark is refused unless its loss is to be looked at; then the mark stays, the only evidence of it, until something is
    /// acknowledged.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for a store that is behind, or a mark that cannot be read; [`StoreError::Io`].
    pub(crate) fn open(dir: &Path, present: u64, sees_loss: bool) -> Result<Self, StoreError> {
        let path = dir.join(MARK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| from_io(&error, &path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| from_io(&error, &path))?;
        let lost = lost(&bytes, present);
        if let Some(lost) = lost.filter(|_| !sees_loss) {
            return Err(refusal(lost));
        }
        let mark = Self { file, lost };
        if mark.lost.is_none() {
            mark.set(present).map_err(|error| from_io(&error, &path))?;
        }
        Ok(mark)
    }

    /// What was lost when the store was opened.
    pub(crate) fn lost(&self) -> Option<Lost> {
        self.lost
    }

    /// The mark of a store with `present` audit entries, whatever was lost.
    ///
    /// # Errors
    /// The errors of the file system.
    pub(crate) fn set(&self, present: u64) -> io::Result<()> {
        self.put(present)?;
        self.file.set_len(BYTES as u64)?;
        self.file.sync_all()
    }

    /// Says how many audit entries are acknowledged.
    ///
    /// # Errors
    /// The errors of the file system.
    pub(crate) fn put(&self, entries: u64) -> io::Result<()> {
        self.file.write_all_at(&encode(entries), 0)
    }
}

fn lost(mark: &[u8], present: u64) -> Option<Lost> {
    if mark.is_empty() {
        return None;
    }
    match decode(mark) {
        None => Some(Lost::Unknown),
        Some(acknowledged) if acknowledged > present => Some(Lost::Entries(acknowledged - present)),
        Some(_) => None,
    }
}

fn refusal(lost: Lost) -> StoreError {
    let way = "put the store's files back, restore a backup, or accept the loss with `sluisd restore` \
               (docs/operations.md, \"A write-ahead log that was cut\")";
    StoreError::Corrupt(match lost {
        Lost::Unknown => format!("the file {MARK_FILE} is damaged: {way}"),
        Lost::Entries(lost) => format!(
            "the last acknowledged writes are missing, {lost} audit entries with them: the end of the write-ahead log was \
             cut off; {way}"
        ),
    })
}

fn encode(entries: u64) -> [u8; BYTES] {
    let mut bytes = [FORMAT; BYTES];
    bytes[1..9].copy_from_slice(&entries.to_be_bytes());
    bytes[9..].copy_from_slice(&(!entries).to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<u64> {
    let (&format, rest) = bytes.split_first()?;
    let (entries, _) = rest.split_first_chunk()?;
    let entries = u64::from_be_bytes(*entries);
    (format == FORMAT && bytes == encode(entries)).then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_bytes_are_frozen() {
        let mut expected = vec![1, 0, 0, 0, 0, 0, 0, 1, 2];
        expected.extend([255, 255, 255, 255, 255, 255, 254, 253]);
        assert_eq!(encode(0x102).to_vec(), expected);
        assert_eq!(decode(&expected), Some(0x102));
        for place in 0..BYTES {
            let mut damaged = expected.clone();
            damaged[place] ^= 4;
            assert_eq!(decode(&damaged), None, "{place}");
        }
        assert_eq!(decode(&expected[..16]), None);
    }

    #[test]
    fn a_store_behind_its_mark_is_refused_until_the_loss_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let mark = Mark::open(dir.path(), 2, false).unwrap();
        mark.put(4).unwrap();
        let refused = Mark::open(dir.path(), 3, false).map(drop);
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("1 audit entries"), "{text}");
        let seen = Mark::open(dir.path(), 3, true).unwrap();
        assert_eq!(seen.lost(), Some(Lost::Entries(1)));
        assert!(
            Mark::open(dir.path(), 3, false).is_err(),
            "looking at it changes nothing"
        );
        seen.set(3).unwrap();
        let mark = Mark::open(dir.path(), 3, false).unwrap();
        assert_eq!(mark.lost(), None);
    }

    #[test]
    fn a_damaged_mark_is_refused_until_the_loss_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MARK_FILE), [9; 30]).unwrap();
        assert!(Mark::open(dir.path(), 3, false).is_err());
        let seen = Mark::open(dir.path(), 3, true).unwrap();
        assert_eq!(seen.lost(), Some(Lost::Unknown));
        seen.set(3).unwrap();
        assert_eq!(Mark::open(dir.path(), 3, false).unwrap().lost(), None);
    }

    #[test]
    fn a_mark_older_than_the_store_is_no_alarm() {
        let dir = tempfile::tempdir().unwrap();
        Mark::open(dir.path(), 2, false).unwrap();
        Mark::open(dir.path(), 20, false).unwrap();
    }
}
