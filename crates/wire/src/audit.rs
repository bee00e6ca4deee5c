//! The audit log.

mod entry;

pub use entry::{EntryView, KeyUseView};

use bytes::Bytes;

use crate::{Invalid, field, v1};

/// The last signed head of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogHead {
    /// The checkpoint as a signed note.
    pub checkpoint: String,
    /// Verifier key of the present signing key.
    pub verifier_key: String,
    /// Checkpoints signed by two keys, one per change of the signing key, the oldest first.
    pub handovers: Vec<String>,
}

impl From<LogHead> for v1::GetCheckpointResponse {
    fn from(head: LogHead) -> Self {
        Self {
            checkpoint: head.checkpoint,
            verifier_key: head.verifier_key,
            handovers: head.handovers,
        }
    }
}

impl From<v1::GetCheckpointResponse> for LogHead {
    fn from(wire: v1::GetCheckpointResponse) -> Self {
        Self {
            checkpoint: wire.checkpoint,
            verifier_key: wire.verifier_key,
            handovers: wire.handovers,
        }
    }
}

/// Some entries of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entries {
    /// The entries.
    pub entries: Vec<EntryView>,
    /// Sequence number to go on with.
    pub next_sequence: u64,
    /// Number of entries of the log.
    pub log_size: u64,
}

impl From<v1::ReadEntriesResponse> for Entries {
    fn from(wire: v1::ReadEntriesResponse) -> Self {
        let entries = wire.entries.into_iter();
        Self {
            entries: entries.map(EntryView::from).collect(),
            next_sequence: wire.next_sequence,
            log_size: wire.log_size,
        }
    }
}

impl From<Entries> for v1::ReadEntriesResponse {
    fn from(page: Entries) -> Self {
        let entries = page.entries.into_iter();
        Self {
            entries: entries.map(v1::AuditEntry::from).collect(),
            next_sequence: page.next_sequence,
            log_size: page.log_size,
        }
    }
}

/// Hashes of a proof.
pub fn hashes<'a>(hashes: impl IntoIterator<Item = &'a [u8; 32]>) -> Vec<Bytes> {
    let hashes = hashes.into_iter();
    hashes.map(|hash| Bytes::copy_from_slice(hash)).collect()
}

/// Parses hashes of a proof.
///
/// # Errors
/// [`Invalid`] names the first that is none.
pub fn parse_hashes(hashes: &[Bytes]) -> Result<Vec<[u8; 32]>, Invalid> {
    let numbered = hashes.iter().enumerate();
    numbered
        .map(|(i, hash)| field::digest(&format!("hashes[{i}]"), hash))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_32_bytes_each() {
        let some = [[1; 32], [2; 32]];
        assert_eq!(parse_hashes(&hashes(&some)), Ok(some.to_vec()));
        let short = [Bytes::from(vec![1; 32]), Bytes::from(vec![2; 31])];
        let invalid = parse_hashes(&short).expect_err("short");
        assert_eq!(invalid.field, "hashes[1]");
    }
}
