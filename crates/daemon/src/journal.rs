//! The journal of opt-outs: a file beside the head file, apart from the store, so that the restore of an older backup does
//! not forget who opted out.
//!
//! | bytes | |
//! |---|---|
//! | 16 | `sluis optouts 1` and a line feed |
//! | 2 + 2 + n + 8 | each record: length, its complement, the record as the engine seals it, first 8 bytes of its SHA-256 |
//!
//! A record is only ever added. What is left of one that was being written when the power went is overwritten by the
//! next; damage anywhere else is an error. The complement tells the two apart: a length that was changed is no beginning
//! of a record, and nothing behind it is taken for unfinished and lost.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const MAGIC: &[u8; 16] = b"sluis optouts 1\n";
const HEADER: usize = 4;
const CHECK: usize = 8;

/// A journal of opt-outs.
pub(crate) struct OptOutJournal {
    path: PathBuf,
    /// One record after the other.
    writing: Mutex<()>,
}

impl OptOutJournal {
    /// Beside a head file: its name with `.optouts` behind it.
    pub(crate) fn beside(head_file: &Path) -> Self {
        let mut name = head_file.file_name().unwrap_or_default().to_owned();
        name.push(".optouts");
        Self {
            path: head_file.with_file_name(name),
            writing: Mutex::new(()),
        }
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match sluis_files::open(&self.path).map_err(io::Error::from) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            file => drop(file?.read_to_end(&mut bytes)?),
        }
        Ok(bytes)
    }

    /// Makes the entry of a new file durable in its directory.
    fn sync_directory(&self) -> io::Result<()> {
        let directory = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl sluis_engine::Journal for OptOutJournal {
    fn append(&self, record: &[u8]) -> io::Result<()> {
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, end) = parse(&self.read()?)?;
        let mut bytes = if end == 0 { MAGIC.to_vec() } else { Vec::new() };
        bytes.extend(frame(record)?);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)?;
        file.set_len(end as u64)?;
        file.seek(SeekFrom::Start(end as u64))?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        if end == 0 {
            self.sync_directory()
        } else {
            Ok(())
        }
    }

    fn records(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(parse(&self.read()?)?.0)
    }
}

fn frame(record: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(record.len())
        .ok()
        .filter(|length| *length > 0);
    let length = length
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "a record of 1 to 65,535 bytes"))?;
    Ok([
        &length.to_be_bytes(),
        &(!length).to_be_bytes(),
        record,
        &check(record),
    ]
    .concat())
}

fn check(record: &[u8]) -> [u8; CHECK] {
    *sluis_engine::sha256(record)
        .first_chunk()
        .expect("32 bytes are more than 8")
}

/// The whole records, and where the last of them ends: there the next one goes. 0 if there is not even a beginning.
fn parse(bytes: &[u8]) -> io::Result<(Vec<Vec<u8>>, usize)> {
    let mut records = Vec::new();
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        // Cut off in its first line, or another file.
        return if MAGIC.starts_with(written(bytes)) {
            Ok((records, 0))
        } else {
            Err(damaged())
        };
    };
    while let Some((record, behind)) = take(rest) {
        records.push(record.to_vec());
        rest = behind;
    }
    if is_unfinished(rest) {
        Ok((records, bytes.len() - rest.len()))
    } else {
        Err(damaged())
    }
}

/// The first record, if it is whole.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk()?;
    let (record, rest) = rest.split_at_checked(length(*header)?)?;
    let (given, rest) = rest.split_first_chunk::<CHECK>()?;
    (*given == check(record)).then_some((record, rest))
}

/// The length in the header of a record; `None` if it is none.
fn length([a, b, c, d]: [u8; HEADER]) -> Option<usize> {
    let length = u16::from_be_bytes([a, b]);
    (length > 0 && u16::from_be_bytes([c, d]) == !length).then_some(length.into())
}

/// Whether these bytes can be what is left of one record that was being written.
fn is_unfinished(bytes: &[u8]) -> bool {
    let written = written(bytes).len();
    match bytes.split_first_chunk() {
        Some((header, _)) if written >= HEADER => {
            length(*header).is_some_and(|length| written <= HEADER + length + CHECK)
        }
        _ => true,
    }
}

/// The bytes without the zeros at the end: a file may have got its length before its content.
fn written(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    &bytes[..end]
}

fn damaged() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the file is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluis_engine::Journal;

    fn journal(directory: &Path) -> OptOutJournal {
        OptOutJournal::beside(&directory.join("head"))
    }

    #[test]
    fn records_come_back_in_order_and_the_file_is_beside_the_head() {
        let directory = tempfile::tempdir().unwrap();
        let journal = journal(directory.path());
        assert_eq!(journal.records().unwrap(), Vec::<Vec<u8>>::new());
        journal.append(b"one").unwrap();
        journal.append(b"two").unwrap();
        assert_eq!(
            journal.records().unwrap(),
            [b"one".to_vec(), b"two".to_vec()]
        );
        assert!(directory.path().join("head.optouts").exists());
    }

    #[test]
    fn a_record_cut_off_by_a_crash_is_left_out_and_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("head.optouts");
        journal(directory.path()).append(b"one").unwrap();
        let first = std::fs::read(&path).unwrap().len();
        journal(directory.path()).append(b"two").unwrap();
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            let blank = [&whole[..end], &vec![0; whole.len() - end]].concat();
            for bytes in [&whole[..end], &blank] {
                std::fs::write(&path, bytes).unwrap();
                let kept = journal(directory.path()).records().unwrap();
                assert_eq!(kept.len(), usize::from(end >= first), "{end}");
            }
            std::fs::write(&path, &whole[..end]).unwrap();
            journal(directory.path()).append(b"new").unwrap();
            assert_eq!(
                journal(directory.path()).records().unwrap().last().unwrap(),
                b"new"
            );
        }
    }

    #[test]
    fn damage_before_the_last_record_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("head.optouts");
        for record in [b"one", b"two"] {
            journal(directory.path()).append(record).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        for at in 0..MAGIC.len() + 4 + 3 + 8 {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            let kept = journal(directory.path()).records();
            assert!(kept.is_err(), "byte {at}: {kept:?}");
        }
    }
}
