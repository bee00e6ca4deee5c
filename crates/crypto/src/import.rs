//! Import rows: which subject an old pseudonym stands for, in a chain that a running study moved into.
//!
//! | row | key (20 bytes) | value (57 bytes) |
//! |---|---|---|
//! | import | kid(4), HMAC(import key, LP(old pseudonym))[..16] | `0x01`, nonce(24), XAES-256-GCM(import seal key, nonce, aad, L) |
//!
//! The aad is `0x01 || key || LP(namespace)`. Both keys come from the escrow root of a version, so that cutting the escrow
//! closes this way too.

use std::fmt;

use sluis_domain::{Kid, NamespaceId};
use zeroize::Zeroizing;

use crate::escrow::{ROW_FORMAT, ROW_KEY_LEN, write_aad};
use crate::lp::lp_length;
use crate::mac::Mac;
use crate::xaes::{NONCE_LEN, Opener, Stream, TAG_LEN};
use crate::{LinkValue, SealError, Secret, kdf, labels};

/// Longest old pseudonym in bytes.
pub const MAX_OLD_LEN: usize = 255;
/// Length of an import row's value in bytes.
pub const IMPORT_VALUE_LEN: usize = 1 + NONCE_LEN + 16 + TAG_LEN;

/// The import keys of one version of a (chain, namespace) line, ready for use.
pub struct ImportKeys {
    kid: Kid,
    index: Mac,
    seal: Secret,
}

impl ImportKeys {
    /// From the version's escrow root.
    pub fn new(escrow_kid: &Secret, kid: Kid) -> Self {
        Self {
            kid,
            index: Mac::new(&kdf(escrow_kid, labels::IMPORT)),
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

impl fmt::Debug for ImportOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportOpener(..)")
    }
}

#[cfg(test)]
mod tests;
