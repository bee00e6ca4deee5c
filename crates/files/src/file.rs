//! Reading a whole file, if it is one.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// Longest file with certificates or a key that is read, in bytes.
pub const MAX_PEM_BYTES: u64 = 1 << 20;
/// Longest file with revocation lists that is read, in bytes: about a million revoked certificates.
pub const MAX_LIST_BYTES: u64 = 64 << 20;

/// Why a file was not read. The caller says which file it is.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system did not give it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("is {0}; a regular file is needed")]
    NotAFile(&'static str),
    /// It is larger than such a file can be; the limit in bytes.
    #[error("is larger than {0} bytes, the most that such a file may have")]
    TooLarge(u64),
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io(error) => error,
            FileError::NotAFile(_) | FileError::TooLarge(_) => {
                Self::new(io::ErrorKind::InvalidInput, error.to_string())
            }
        }
    }
}

/// The content of a regular file of at most `limit` bytes. The buffer is wiped when it is dropped.
///
/// Never waits: a pipe without a writer, which would keep a plain `open` waiting for ever, is refused like a directory, a
/// device or a socket. Symbolic links are followed.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    if length > limit {
        return Err(FileError::TooLarge(limit));
    }
    // Room for all of it and for the look whether more follows, so that no copy of a secret stays behind.
    let mut content = Zeroizing::new(Vec::with_capacity(length as usize + 64));
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(FileError::TooLarge(limit));
    }
    Ok(content)
}

/// Opens a regular file for reading, as [`read`] does.
///
/// # Errors
/// [`FileError`].
pub fn open(path: &Path) -> Result<File, FileError> {
    // Looked at before it is opened, because opening a device may already do something.
    must_be_regular(std::fs::metadata(path)?.file_type())?;
    // Does not wait for the other end of a pipe that took the file's place in the meantime.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)?;
    must_be_regular(file.metadata()?.file_type())?;
    Ok(file)
}

fn must_be_regular(kind: FileType) -> Result<(), FileError> {
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a pipe (FIFO)"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(FileError::NotAFile(what))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn refused(path: &Path) -> String {
        read(path, 10).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let directory = tempfile::tempdir().expect("scratch");
        let fifo = directory.path().join("fifo");
        mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).expect("made");
        assert!(refused(&fifo).contains("pipe (FIFO)"));
        assert!(refused(directory.path()).contains("directory"));
        assert!(refused(Path::new("/dev/zero")).contains("device"));
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).expect("made");
        assert!(refused(&link).contains("pipe (FIFO)"), "through a link");
    }

    #[test]
    fn a_file_over_its_limit_is_refused_and_one_at_it_is_read() {
        let directory = tempfile::tempdir().expect("scratch");
        let path = directory.path().join("file");
        fs::write(&path, [7; 11]).expect("written");
        assert!(refused(&path).contains("larger than 10 bytes"));
        fs::write(&path, [7; 10]).expect("written");
        assert_eq!(*read(&path, 10).expect("fits"), vec![7; 10]);
        // Files of the kernel have no size.
        assert!(refused(Path::new("/proc/self/status")).contains("larger"));
    }
}
