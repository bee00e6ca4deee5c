//! The key-encryption key and where it comes from.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sluis_crypto::Secret;
use zeroize::Zeroizing;

use crate::KekError;

/// The key-encryption key: wraps the keyring master and nothing else.
#[derive(Debug)]
pub struct Kek(Secret);

impl Kek {
    /// Reads a KEK file: 64 hexadecimal characters, or 32 raw bytes. Only its owner may have access to it.
    ///
    /// # Errors
    /// [`KekError`].
    pub fn from_file(path: &Path) -> Result<Self, KekError> {
        let io = |source| KekError::Io { path: path.display().to_string(), source };
        let mut file = fs::File::open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KekError::Permissions { path: path.display().to_string(), mode });
        }
        // One buffer that never grows, so that no copy of the key stays behind; a key file is at most 66 bytes long.
        let mut content = Zeroizing::new([0u8; 128]);
        let mut length = 0;
        loop {
            match file.read(&mut content[length..]).map_err(io)? {
                0 => break,
                n => length += n,
            }
        }
        parse(&content[..length]).ok_or_else(|| KekError::Malformed(path.display().to_string())).map(Self)
    }

    /// Reads the systemd credential `name` from `$CREDENTIALS_DIRECTORY`. systemd hands credentials out as 0440 or 0400
    /// in a directory only the service sees, so the file's own mode is not judged.
    ///
    /// # Errors
    /// [`KekError`].
    pub fn from_credential(name: &str) -> Result<Self, KekError> {
        let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(KekError::NoCredentials)?;
        let path = PathBuf::from(directory).join(name);
        let content = fs::read(&path)
            .map(Zeroizing::new)
            .map_err(|source| KekError::Io { path: path.display().to_string(), source })?;
        parse(&content).ok_or_else(|| KekError::Malformed(path.display().to_string())).map(Self)
    }

    /// Writes a new random KEK to a new file that only its owner can read, and syncs it.
    ///
    /// # Errors
    /// [`KekError::Exists`] if there is such a file, [`KekError::Io`].
    pub fn generate_file(path: &Path) -> Result<Self, KekError> {
        let io = |source| KekError::Io { path: path.display().to_string(), source };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| match e.kind() {
                ErrorKind::AlreadyExists => KekError::Exists(path.display().to_string()),
                _ => io(e),
            })?;
        let key = Secret::random();
        let mut text = Zeroizing::new(String::with_capacity(65));
        for byte in key.expose() {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
            }
        }
        text.push('\n');
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        // The name must survive a power cut as well: a store without its KEK is lost.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(io)?;
        Ok(Self(key))
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.0
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
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|d| d as u8);
    let mut bytes = Zeroizing::new([0u8; Secret::LEN]);
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Secret::from_slice(&bytes[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_read_back_and_never_overwritten() {
        let dir = tempfile::tempdir().expect("scratch");
        let path = dir.path().join("kek");
        let made = Kek::generate_file(&path).expect("writes");
        assert_eq!(made.0, Kek::from_file(&path).expect("reads").0);
        assert!(matches!(Kek::generate_file(&path), Err(KekError::Exists(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(matches!(Kek::from_file(&path), Err(KekError::Permissions { mode: 0o640, .. })));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for bad in [&b""[..], &[b'0'; 63], &[b'g'; 64], &[b'0'; 65], &[0; 33]] {
            assert!(parse(bad).is_none());
        }
        assert!(parse(&[7; 32]).is_some());
        assert!(parse(b"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\n").is_some());
    }
}
