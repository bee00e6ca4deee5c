//! A file that must stay as it is while it is read.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::os::unix::fs::MetadataExt;

/// Reads a file up to where it ended when it was opened, and fails there if it changed in the meantime: its last record may
/// be half a record then.
pub(crate) struct Steady {
    file: Take<File>,
    before: Stamp,
}

/// Which file it is, and what changes with its content.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    /// Of an open file.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}

impl Steady {
    /// `before`: of the file when it was opened.
    pub(crate) fn new(file: Take<File>, before: Stamp) -> Self {
        Self { file, before }
    }

    /// Whether this is the file with these numbers.
    pub(crate) fn is(&self, device: u64, inode: u64) -> bool {
        (self.before.device, self.before.inode) == (device, inode)
    }
}

impl Read for Steady {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        if Stamp::of(&self.file.get_ref().metadata()?) == self.before {
            return Ok(0);
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it was changed while it was read; wait until it is complete",
        ))
    }
}

impl Seek for Steady {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_grows_while_it_is_read_is_refused() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("in.csv");
        let mut writer = File::create(&path).expect("writable");
        writer.write_all(b"bsn\n95000").expect("writable");
        let open = || {
            let file = File::open(&path).expect("readable");
            let before = Stamp::of(&file.metadata().expect("readable"));
            let length = before.length;
            Steady::new(file.take(length), before)
        };
        let (mut early, mut text) = (open(), String::new());
        writer.write_all(b"0012\n").expect("writable");
        let error = early.read_to_string(&mut text).expect_err("it grew");
        assert!(error.to_string().contains("changed"), "{error}");
        text.clear();
        open().read_to_string(&mut text).expect("complete");
        assert_eq!(text, "bsn\n950000012\n");
    }
}
