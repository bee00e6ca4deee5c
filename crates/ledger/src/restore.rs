//! The restore of an older store, as two custodians sign it.

use std::collections::BTreeSet;
use std::fmt;

use sluis_domain::Timestamp;
use sluis_domain::codec::{DecodeError, Reader, Writer};

use crate::statement::CLOCKS_DIFFER_MILLIS;

mod text;

pub use text::{MAX_ISSUERS, Request, Signature};

// Format 1 had neither nonce nor rows given up; retired.
const FORMAT: u8 = 2;

/// Bytes of the nonce that binds a request to one copy of a store.
pub const NONCE_BYTES: usize = 16;
/// Most rows that a restore gives up: a store with more needs another backup.
pub const MAX_LOST_ROWS: usize = 256;
/// Longest name of a row that is given up.
const MAX_NAME: usize = 64;
/// For how long a request serves: seven days, in milliseconds. What was signed must not serve for another loss, later.
pub const LIFE_MILLIS: u64 = 7 * sluis_domain::time::DAY_MILLIS;

/// What is given up and what is gone back to. Sizes are numbers of audit entries, roots are roots of the log's tree.
///
/// | field | bytes |
/// |---|---|
/// | format | 1: `0x02` |
/// | at | 8: when the request was made |
/// | restored size, root | 8 + 32: the log as restored |
/// | lost size, root | 8 + 32: the last signed head of the log that is given up; if there was none, size and root of the log as restored |
/// | nonce | 16: random, kept in the restored copy until the restore is accepted |
/// | number of rows given up | 2 |
/// | each row | kind 1, LP(name), see [`LostRow`]; sorted |
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// Only the copy of the store that the request was made for holds it.
    pub nonce: [u8; NONCE_BYTES],
    /// Rows that cannot be read, and are given up.
    pub lost_rows: BTreeSet<LostRow>,
}

/// A row that cannot be read and that the restore would need: which subject opted out since the backup, it may tell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LostRow {
    /// What kind of row.
    pub kind: LostKind,
    /// Of a row of the store its key; of a record of the journal its SHA-256.
    pub name: Vec<u8>,
}

/// Kinds of rows that can be given up. Numbers are frozen; numbers of rows are the numbers of their family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum LostKind {
    /// A record of the journal of opt-outs: a subject who opted out, or has not.
    Journal = 0,
    /// A link row, and the identity row beside it: nothing leads from the pseudonym any more.
    Link = 4,
    /// A row of an old pseudonym.
    Import = 8,
    /// An entry of the index of old pseudonyms: what it led to stays, and is refused by the mark of the subject.
    ImportIndex = 13,
}

impl fmt::Display for LostRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = data_encoding::HEXLOWER.encode(&self.name);
        write!(f, "{} {name}", self.kind.as_str())
    }
}

impl LostKind {
    /// As it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal of opt-outs",
            Self::Link => "link",
            Self::Import => "import",
            Self::ImportIndex => "import-index",
        }
    }

    fn from_number(number: u8) -> Result<Self, DecodeError> {
        match number {
            0 => Ok(Self::Journal),
            4 => Ok(Self::Link),
            8 => Ok(Self::Import),
            13 => Ok(Self::ImportIndex),
            _ => Err(DecodeError),
        }
    }
}

impl Restore {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(FORMAT);
        out.u64(self.at.millis())
            .u64(self.restored_size)
            .fixed(&self.restored_root);
        out.u64(self.lost_size)
            .fixed(&self.lost_root)
            .fixed(&self.nonce);
        let rows = u16::try_from(self.lost_rows.len()).expect("at most MAX_LOST_ROWS");
        out.u16(rows);
        for row in &self.lost_rows {
            out.u8(row.kind as u8).lp(&row.name);
        }
        out.finish()
    }

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, FORMAT)?;
        let mut restore = Self {
            at: Timestamp::from_millis(input.u64()?).ok_or(DecodeError)?,
            restored_size: input.u64()?,
            restored_root: input.array()?,
            lost_size: input.u64()?,
            lost_root: input.array()?,
            nonce: input.array()?,
            lost_rows: BTreeSet::new(),
        };
        for _ in 0..input.u16()? {
            let row = LostRow {
                kind: LostKind::from_number(input.u8()?)?,
                name: input.lp()?.to_vec(),
            };
            let sorted = restore.lost_rows.last().is_none_or(|last| *last < row);
            if !sorted || row.name.len() > MAX_NAME || restore.lost_rows.len() >= MAX_LOST_ROWS {
                return Err(DecodeError);
            }
            restore.lost_rows.insert(row);
        }
        input.end()?;
        Ok(restore)
    }

    /// Whether no one knows what is given up: there was no signed head any more.
    pub fn head_is_lost(&self) -> bool {
        (self.lost_size, self.lost_root) == (self.restored_size, self.restored_root)
    }

    /// Whether it may be accepted at this moment: within seven days after it was requested.
    pub fn is_timely(&self, now: Timestamp) -> bool {
        self.at <= now.plus_millis(CLOCKS_DIFFER_MILLIS) && now <= self.at.plus_millis(LIFE_MILLIS)
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
            nonce: [3; NONCE_BYTES],
            lost_rows: [(LostKind::Link, 20), (LostKind::Journal, 32)]
                .map(|(kind, length)| LostRow {
                    kind,
                    name: vec![4; length],
                })
                .into(),
        };
        let bytes = restore.encode();
        assert_eq!(bytes.len(), 89 + 16 + 2 + 3 + 20 + 3 + 32);
        assert_eq!(Restore::decode(&bytes), Ok(restore));
        let other_order = [&bytes[..107], &bytes[107 + 35..], &bytes[107..107 + 35]].concat();
        assert_eq!(Restore::decode(&other_order), Err(DecodeError));
        for end in 0..bytes.len() {
            assert_eq!(Restore::decode(&bytes[..end]), Err(DecodeError));
        }
    }
}
