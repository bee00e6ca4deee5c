//! Room on the disk.

use std::path::Path;

use sluis_port::store::StoreError;

const MIB: u64 = 1 << 20;
/// Room that opening a store takes beside its write-ahead log.
const LEAST_TO_OPEN: u64 = 16 * MIB;
/// A disk that was full needs this part more than the least before it counts as roomy again, so that the answer does not
/// change with every write.
const MARGIN: u64 = 8;

/// Bytes of the file system of `dir` that this process may still use; `None` if it does not say.
pub(crate) fn free(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Refuses while fewer than `least` bytes are free, or, if it `was_full`, not clearly more.
///
/// # Errors
/// [`StoreError::Full`], which says how much room is missing.
pub(crate) fn check(
    dir: &Path,
    free: Option<u64>,
    least: u64,
    was_full: bool,
) -> Result<(), StoreError> {
    let needed = if was_full {
        least + least / MARGIN
    } else {
        least
    };
    match free {
        Some(free) if free < needed => Err(StoreError::Full(missing(dir, free, needed))),
        _ => Ok(()),
    }
}

/// How much room is missing, for people.
pub(crate) fn missing(dir: &Path, free: u64, needed: u64) -> String {
    format!(
        "{} MiB are free where {} lies and {} MiB are needed: make room for at least {} MiB",
        free / MIB,
        dir.display(),
        needed.div_ceil(MIB),
        needed.saturating_sub(free).div_ceil(MIB).max(1)
    )
}

/// Refuses to open a store without the room that opening takes: its write-ahead log is written into tables again, and each
/// try on a full disk would leave more small tables behind.
///
/// # Errors
/// [`StoreError::Full`].
pub(crate) fn check_start(dir: &Path, least: u64) -> Result<(), StoreError> {
    let Some(free) = free(dir) else { return Ok(()) };
    let log = bytes_of(dir, "log");
    // The log becomes tables, and half of the least serves what is written beside them.
    if least == 0 || free >= log + least / 2 {
        return Ok(());
    }
    let missing = missing(dir, free, log + least);
    let log = log.div_ceil(MIB);
    Err(StoreError::Full(format!(
        "{missing}; the store is not opened, because that writes {log} MiB of its write-ahead log into tables"
    )))
}

/// Says how much room is missing when a disk was full while the store was opened.
pub(crate) fn explain(dir: &Path, least: u64, error: StoreError) -> StoreError {
    match (error, free(dir)) {
        (StoreError::Full(text), Some(free)) => {
            let needed = bytes_of(dir, "log") + least.max(LEAST_TO_OPEN);
            StoreError::Full(format!("{}; {text}", missing(dir, free, needed)))
        }
        (error, _) => error,
    }
}

/// Bytes of all files with this extension.
fn bytes_of(dir: &Path, extension: &str) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    let mut bytes = 0;
    for entry in entries.flatten() {
        if entry.path().extension().is_some_and(|ext| ext == extension) {
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_roomy_again_only_with_a_margin_and_the_text_says_how_much_is_missing() {
        let dir = Path::new("/data");
        let least = 80 * MIB;
        assert_eq!(check(dir, Some(least), least, false), Ok(()));
        assert_eq!(check(dir, None, least, true), Ok(()));
        assert!(check(dir, Some(least), least, true).is_err());
        assert_eq!(check(dir, Some(90 * MIB), least, true), Ok(()));
        let error = check(dir, Some(12 * MIB), least, false).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("12 MiB are free"), "{text}");
        assert!(text.contains("at least 68 MiB"), "{text}");
    }
}
