//! The key-encryption key and where it comes from: a file or a systemd credential here, people and tokens beside.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluis_crypto::Secret;
use zeroize::Zeroizing;

use crate::{KekError, Protection};

pub(crate) mod collecting;
pub(crate) mod record;
pub(crate) mod share;
pub(crate) mod token;

/// Longest file with a secret that is read, in bytes; a key file has at most 66, a PIN file at most 127.
const MAX_FILE: usize = 128;

/// The key-encryption key: wraps the keyring master and nothing else. It knows how it comes back, so that a keyring
/// made or re-wrapped with it says so in the store. Cloning shares the key; the last clone wipes it.
#[derive(Clone)]
pub struct Kek {
    secret: Arc<Secret>,
    protection: Arc<Protection>,
}

impl Kek {
    pub(crate) fn new(secret: Secret, protection: Protection) -> Self {
        Self {
            secret: Arc::new(secret),
            protection: Arc::new(protection),
        }
    }

    /// How it comes back.
    pub fn protection(&self) -> &Protection {
        &self.protection
    }

    /// Reads a KEK file: 64 hexadecimal characters, or 32 raw bytes. Only its owner may have access to it.
    ///
    /// # Errors
    /// [`KekError`].
    pub fn from_file(path: &Path) -> Result<Self, KekError> {
        Self::parse(path, &read_private("KEK", path)?)
    }

    /// Reads the systemd credential `name` from `$CREDENTIALS_DIRECTORY`. systemd hands credentials out as 0440 or 0400
    /// in a directory only the service sees, so the file's own mode is not judged.
    ///
    /// # Errors
    /// [`KekError`].
    pub fn from_credential(name: &str) -> Result<Self, KekError> {
        let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(KekError::NoCredentials)?;
        let path = PathBuf::from(directory).join(name);
        let content = sluis_files::read(&path, MAX_FILE as u64).map_err(|error| KekError::Io {
            what: "KEK",
            path: path.display().to_string(),
            source: error.into(),
        })?;
        Self::parse(&path, &content)
    }

    fn parse(path: &Path, content: &[u8]) -> Result<Self, KekError> {
        let secret =
            parse(content).ok_or_else(|| KekError::Malformed(path.display().to_string()))?;
        Ok(Self::new(secret, Protection::Key))
    }

    /// Writes a new random KEK to a new file that only its owner can read, and syncs it.
    ///
    /// # Errors
    /// [`KekError::Exists`] if there is such a file, [`KekError::Io`].
    pub fn generate_file(path: &Path) -> Result<Self, KekError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| match e.kind() {
                ErrorKind::AlreadyExists => KekError::Exists(path.display().to_string()),
                _ => io_error("KEK", path)(e),
            })?;
        let key = Secret::random();
        let mut text = Zeroizing::new(String::with_capacity(65));
        for byte in key.expose() {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
        }
        text.push('\n');
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(io_error("KEK", path))?;
        // The name must survive a power cut as well: a store without its KEK is lost.
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        fs::File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(io_error("KEK", path))?;
        Ok(Self::new(key, Protection::Key))
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kek(from {})", self.protection.name())
    }
}

/// The content of a file with a secret that only its owner has access to; what is beyond [`MAX_FILE`] is not read.
fn read_private(what: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, KekError> {
    let io = io_error(what, path);
    let mut file = sluis_files::open(path).map_err(|error| io(error.into()))?;
    let mode = file.metadata().map_err(&io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KekError::Permissions {
            what,
            path: path.display().to_string(),
            mode,
        });
    }
    // One buffer that never grows, so that no copy of the secret stays behind.
    let mut content = Zeroizing::new(vec![0u8; MAX_FILE]);
    let mut length = 0;
    loop {
        match file.read(&mut content[length..]).map_err(&io)? {
            0 => break,
            n => length += n,
        }
    }
    content.truncate(length);
    Ok(content)
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> KekError {
    move |source| KekError::Io {
        what,
        path: path.display().to_string(),
        source,
    }
}

fn parse(content: &[u8]) -> Option<Secret> {
    if content.len() == Secret::LEN {
        return Secret::from_slice(content);
    }
    let text = content.trim_ascii();
    if text.len() != 2 * Secret::LEN {
        return None;
    }
    let mut bytes = Zeroizing::new([0u8; Secret::LEN]);
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Secret::from_slice(&bytes[..])
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|d| d as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_read_back_and_never_overwritten() {
        let dir = tempfile::tempdir().expect("scratch");
        let path = dir.path().join("kek");
        let made = Kek::generate_file(&path).expect("writes");
        assert_eq!(made.secret, Kek::from_file(&path).expect("reads").secret);
        assert!(matches!(
            Kek::generate_file(&path),
            Err(KekError::Exists(_))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(matches!(
            Kek::from_file(&path),
            Err(KekError::Permissions { mode: 0o640, .. })
        ));
    }

    #[test]
    fn a_key_file_that_is_a_pipe_or_a_directory_is_refused_without_waiting() {
        let dir = tempfile::tempdir().expect("scratch");
        let fifo = dir.path().join("kek");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.expect("mkfifo").success());
        for (path, seen) in [(fifo.as_path(), "pipe (FIFO)"), (dir.path(), "directory")] {
            let refused = Kek::from_file(path)
                .expect_err("no regular file")
                .to_string();
            assert!(refused.contains(seen), "{refused}");
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for bad in [&b""[..], &[b'0'; 63], &[b'g'; 64], &[b'0'; 65], &[0; 33]] {
            assert!(parse(bad).is_none());
        }
        assert!(parse(&[7; 32]).is_some());
        assert!(
            parse(b"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n").is_some()
        );
    }
}
