//! The restore of an older store, as two custodians sign it.

use crate::Timestamp;
use crate::codec::{DecodeError, Reader, Writer};

mod text;

pub use text::{MAX_ISSUERS, Request, Signature};

const FORMAT: u8 = 1;

/// What is given up and what is gone back to. Sizes are numbers of audit entries, roots those of the log's tree.
///
/// | field | bytes |
/// |---|---|
/// | format | 1: `0x01` |
/// | at | 8: when the request was made |
/// | restored size, root | 8 + 32: the log as restored |
/// | lost size, root | 8 + 32: the last signed head of the log that is given up |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restore {
    /// When the request was made.
    pub at: Timestamp,
    /// Entries of the restored log.
    pub restored_size: u64,
    /// Root of the restored log.
    pub restored_root: [u8; 32],
    /// Entries of the log that is given up.
    pub lost_size: u64,
    /// Its root.
    pub lost_root: [u8; 32],
}

impl Restore {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(FORMAT);
        out.u64(self.at.millis())
            .u64(self.restored_size)
            .fixed(&self.restored_root);
        out.u64(self.lost_size).fixed(&self.lost_root).finish()
    }

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, FORMAT)?;
        let restore = Self {
            at: Timestamp::from_millis(input.u64()?).ok_or(DecodeError)?,
            restored_size: input.u64()?,
            restored_root: input.array()?,
            lost_size: input.u64()?,
            lost_root: input.array()?,
        };
        input.end()?;
        Ok(restore)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_bytes_are_read_back_and_cuts_are_refused() {
        let restore = Restore {
            at: Timestamp::from_millis(5).expect("small"),
            restored_size: 7,
            restored_root: [1; 32],
            lost_size: 9,
            lost_root: [2; 32],
        };
        let bytes = restore.encode();
        assert_eq!(bytes.len(), 89);
        assert_eq!(Restore::decode(&bytes), Ok(restore));
        for end in 0..bytes.len() {
            assert_eq!(Restore::decode(&bytes[..end]), Err(DecodeError));
        }
    }
}
