//! Import rows: which subject an old pseudonym stands for, in a chain that a running study moved into.
//!
//! | row | key (20 bytes) | value (57 bytes) |
//! |---|---|---|
//! | import | kid(4), HMAC(import key, LP(old pseudonym))[..16] | `0x01`, nonce(24), XAES-256-GCM(import seal key, nonce, aad, L) |
//!
//! The aad is `0x01 || key || LP(namespace)`. Both keys come from the escrow root of a version, so that cutting the escrow
//! closes this way too.
//!
//! An erasure must find the import rows of a subject without opening all of them. So each row has an entry in an index,
//! which starts from the subject's opt-out mark:
//!
//! | row | key (22 bytes) | value (57 bytes) |
//! |---|---|---|
//! | index | kid(4), HMAC(import index key, mark)[..2], HMAC(import index key, mark \|\| row key)[..16] | `0x01`, nonce(24), XAES-256-GCM(import seal key, nonce, aad, last 16 bytes of the row key) |
//!
//! The aad is `0x02 || key || LP(namespace)`. The bucket of two bytes is shared by many subjects where there are many, so that
//! equal ones do not say whose rows belong together; which entries are the subject's is known when their rows are opened.

use std::fmt;

use sluis_domain::{Kid, NamespaceId};
use zeroize::Zeroizing;

use crate::lp::{lp, lp_length};
use crate::mac::Mac;
use crate::opt_out::MARK_LEN;
use crate::row::{ROW_FORMAT, ROW_KEY_LEN, write_aad};
use crate::xaes::{NONCE_LEN, Opener, Stream, TAG_LEN};
use crate::{LinkValue, SealError, Secret, kdf, labels};

/// Longest old pseudonym in bytes.
pub const MAX_OLD_LEN: usize = 255;
/// Length of an import row's value in bytes.
pub const IMPORT_VALUE_LEN: usize = 1 + NONCE_LEN + 16 + TAG_LEN;

/// Length of an index entry's key in bytes.
pub const INDEX_KEY_LEN: usize = 22;
/// Length of what the keys of one bucket have in common.
pub const BUCKET_LEN: usize = 6;
/// First byte of an index entry's associated data.
const INDEX_AAD: u8 = 0x02;

/// The import keys of one version of a (chain, namespace) line, ready for use.
pub struct ImportKeys {
    kid: Kid,
    index: Mac,
    of_marks: Mac,
    seal: Secret,
}

impl ImportKeys {
    /// From the version's escrow root.
    pub fn new(escrow_kid: &Secret, kid: Kid) -> Self {
        Self {
            kid,
            index: Mac::new(&kdf(escrow_kid, labels::IMPORT)),
            of_marks: Mac::new(&kdf(escrow_kid, labels::IMPORT_INDEX)),
            seal: kdf(escrow_kid, labels::IMPORT_SEAL),
        }
    }

    /// The key of an old pseudonym's row; `None` unless it has 1 to [`MAX_OLD_LEN`] bytes, which are taken as they are.
    pub fn row_key(&self, old_pseudonym: &[u8]) -> Option<[u8; ROW_KEY_LEN]> {
        if old_pseudonym.is_empty() || old_pseudonym.len() > MAX_OLD_LEN {
            return None;
        }
        let mut key = [0; ROW_KEY_LEN];
        key[..4].copy_from_slice(&self.kid.to_be_bytes());
        key[4..].copy_from_slice(
            &self
                .index
                .compute(&[&lp_length(old_pseudonym), old_pseudonym])[..16],
        );
        Some(key)
    }

    /// Where the index entries of a subject are, and those of others.
    pub fn bucket(&self, mark: &[u8; MARK_LEN]) -> [u8; BUCKET_LEN] {
        let mut bucket = [0; BUCKET_LEN];
        bucket[..4].copy_from_slice(&self.kid.to_be_bytes());
        bucket[4..].copy_from_slice(&self.of_marks.compute(&[mark])[..2]);
        bucket
    }

    /// The key of the index entry of an import row of a subject.
    pub fn index_key(
        &self,
        mark: &[u8; MARK_LEN],
        row_key: &[u8; ROW_KEY_LEN],
    ) -> [u8; INDEX_KEY_LEN] {
        let mut key = [0; INDEX_KEY_LEN];
        key[..BUCKET_LEN].copy_from_slice(&self.bucket(mark));
        key[BUCKET_LEN..].copy_from_slice(&self.of_marks.compute(&[mark, row_key])[..16]);
        key
    }

    /// Starts sealing import rows: one per batch.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    pub fn sealer(&self) -> ImportSealer {
        ImportSealer {
            stream: Stream::new(&self.seal),
            aad: Vec::new(),
        }
    }

    /// Starts opening import rows: one per batch, because it remembers the last subkey.
    pub fn opener(&self) -> ImportOpener {
        ImportOpener {
            opener: Opener::new(&self.seal),
            aad: Vec::new(),
        }
    }
}

impl fmt::Debug for ImportKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImportKeys(kid {})", self.kid)
    }
}

/// Seals import rows of one version.
pub struct ImportSealer {
    stream: Stream,
    aad: Vec<u8>,
}

impl ImportSealer {
    /// Appends the value of the import row at `row_key` to `out`.
    ///
    /// # Errors
    /// [`SealError::StreamExhausted`].
    pub fn seal(
        &mut self,
        namespace: &NamespaceId,
        row_key: &[u8; ROW_KEY_LEN],
        link_value: &LinkValue,
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        write_aad(&mut self.aad, namespace, row_key);
        let start = out.len();
        out.reserve(IMPORT_VALUE_LEN);
        out.push(ROW_FORMAT);
        self.stream
            .seal(&self.aad, link_value.expose(), out)
            .inspect_err(|_| out.truncate(start))
    }
}

impl ImportSealer {
    /// Appends the value of the index entry at `index_key`, which leads to the import row at `row_key`, to `out`.
    ///
    /// # Errors
    /// [`SealError::StreamExhausted`].
    pub fn seal_index(
        &mut self,
        namespace: &NamespaceId,
        index_key: &[u8; INDEX_KEY_LEN],
        row_key: &[u8; ROW_KEY_LEN],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        write_index_aad(&mut self.aad, namespace, index_key);
        let start = out.len();
        out.reserve(IMPORT_VALUE_LEN);
        out.push(ROW_FORMAT);
        self.stream
            .seal(&self.aad, &row_key[4..], out)
            .inspect_err(|_| out.truncate(start))
    }
}

fn write_index_aad(aad: &mut Vec<u8>, namespace: &NamespaceId, index_key: &[u8; INDEX_KEY_LEN]) {
    aad.clear();
    aad.push(INDEX_AAD);
    aad.extend_from_slice(index_key);
    lp(aad, namespace.as_str().as_bytes());
}

impl fmt::Debug for ImportSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportSealer(..)")
    }
}

/// Opens import rows of one version.
pub struct ImportOpener {
    opener: Opener,
    aad: Vec<u8>,
}

impl ImportOpener {
    /// The link value in the value of the import row at `row_key`.
    ///
    /// # Errors
    /// [`SealError::WrongLength`], [`SealError::UnknownFormat`]; [`SealError::NotAuthentic`] if the row was damaged, forged
    /// or moved.
    pub fn open(
        &mut self,
        namespace: &NamespaceId,
        row_key: &[u8; ROW_KEY_LEN],
        value: &[u8],
    ) -> Result<LinkValue, SealError> {
        let value: &[u8; IMPORT_VALUE_LEN] =
            value.try_into().map_err(|_| SealError::WrongLength)?;
        if value[0] != ROW_FORMAT {
            return Err(SealError::UnknownFormat);
        }
        write_aad(&mut self.aad, namespace, row_key);
        let mut opened = Zeroizing::new(Vec::with_capacity(16));
        self.opener.open(&self.aad, &value[1..], &mut opened)?;
        opened
            .first_chunk()
            .map(|bytes| LinkValue::from_bytes(*bytes))
            .ok_or(SealError::WrongLength)
    }
}

impl ImportOpener {
    /// The key of the import row that the index entry at `index_key` leads to.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_index(
        &mut self,
        namespace: &NamespaceId,
        index_key: &[u8; INDEX_KEY_LEN],
        value: &[u8],
    ) -> Result<[u8; ROW_KEY_LEN], SealError> {
        let value: &[u8; IMPORT_VALUE_LEN] =
            value.try_into().map_err(|_| SealError::WrongLength)?;
        if value[0] != ROW_FORMAT {
            return Err(SealError::UnknownFormat);
        }
        write_index_aad(&mut self.aad, namespace, index_key);
        let mut opened = Zeroizing::new(Vec::with_capacity(16));
        self.opener.open(&self.aad, &value[1..], &mut opened)?;
        let index: &[u8; 16] = opened.first_chunk().ok_or(SealError::WrongLength)?;
        let mut row_key = [0; ROW_KEY_LEN];
        row_key[..4].copy_from_slice(&index_key[..4]);
        row_key[4..].copy_from_slice(index);
        Ok(row_key)
    }
}

impl fmt::Debug for ImportOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportOpener(..)")
    }
}

#[cfg(test)]
mod tests;
