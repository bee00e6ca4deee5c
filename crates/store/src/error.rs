//! RocksDB's errors as the port's.

use std::io::ErrorKind as IoErrorKind;
use std::path::Path;

use rocksdb::ErrorKind;
use sluis_port::store::StoreError;

/// What RocksDB said, by its kind.
pub(crate) fn from_rocks(error: &rocksdb::Error) -> StoreError {
    let text = without_keys(error.as_ref());
    match error.kind() {
        ErrorKind::Corruption => StoreError::Corrupt(text),
        ErrorKind::Busy => StoreError::Locked(text),
        _ if is_full(error.as_ref()) => StoreError::Full(text),
        _ => StoreError::Io(text),
    }
}

/// RocksDB's C interface gives no code for a full disk, only the system's words.
fn is_full(text: &str) -> bool {
    ["No space left on device", "Disk quota exceeded"]
        .iter()
        .any(|words| text.contains(words))
}

/// An error of the file system, with the path it is about.
pub(crate) fn from_io(error: &std::io::Error, path: &Path) -> StoreError {
    let text = format!("{}: {error}", path.display());
    match error.kind() {
        IoErrorKind::StorageFull | IoErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::Io(text),
    }
}

/// Some consistency checks of RocksDB quote keys; of a text that speaks of keys or values only the kind is kept.
fn without_keys(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if lower.contains("key") || lower.contains("value") {
        let kind = text.split(':').next().unwrap_or_default();
        return format!("{kind} (RocksDB's own words are left out because they may quote a row)");
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_may_quote_a_row_are_cut_to_their_kind() {
        let cut =
            without_keys("Corruption: L1 has overlapping ranges: file #8 largest key: 6162 seq 3");
        assert!(
            cut.starts_with("Corruption (") && !cut.contains("6162"),
            "{cut}"
        );
        let path = "IO error: No space left on device: While appending to file: /s/000004.log";
        assert_eq!(without_keys(path), path);
    }
}
