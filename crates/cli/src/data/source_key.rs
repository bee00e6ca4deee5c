//! Source-key files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sluis_client::{SourceKey, Zeroizing};

use crate::error::CliError;
use crate::file_kind;

/// Bytes that are read at most: a key is 64 characters.
const LONGEST: u64 = 4096;

/// Reads a source-key file. A byte order mark before the hexadecimal form is taken off.
///
/// # Errors
/// [`CliError::Input`] for what is no source key; says what it is, where that can be told.
pub(crate) fn read(path: &Path) -> Result<SourceKey, CliError> {
    let mut file = File::open(path).map_err(CliError::reading(path))?;
    // Room for the whole content, so that growing leaves no copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(LONGEST as usize));
    Read::by_ref(&mut file)
        .take(LONGEST)
        .read_to_end(&mut content)
        .map_err(CliError::reading(path))?;
    // As it is first: 32 random bytes may begin like anything.
    let text = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content);
    SourceKey::from_file_content(&content)
        .or_else(|_| SourceKey::from_file_content(text))
        .map_err(|error| match file_kind::recognise(&content) {
            Some(kind) => CliError::input(format!("{}: {kind}", path.display())),
            None => CliError::input(format!("{}: {error}", path.display())),
        })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_key_is_read_in_every_form_and_what_is_none_is_named() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("source.key");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).expect("writable");
            super::read(&path)
        };
        let hex = "0f".repeat(32);
        let key = read(&[0x0f; 32]).expect("raw");
        for text in [
            hex.clone(),
            format!("{hex}\r\n"),
            format!("\u{feff}{hex}\n"),
        ] {
            assert!(read(text.as_bytes()).expect("hexadecimal") == key, "{text}");
        }
        let begins_like_gzip = [&[0x1f, 0x8b][..], &[7; 30]].concat();
        assert!(read(&begins_like_gzip).is_ok());
        let utf_16: Vec<u8> = hex.bytes().flat_map(|byte| [byte, 0]).collect();
        for (content, expected) in [
            (&[&b"\xff\xfe"[..], &utf_16].concat()[..], "UTF-16"),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"-----BEGIN PRIVATE KEY-----\n", "PEM"),
            (b"0f0f", "64 hexadecimal"),
        ] {
            let message = read(content).expect_err(expected).to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
