//! Carried links: a token holds what a link row would, so that converting it needs no store.
//!
//! `S = L xor AES(link seal key, P)`, the same 16 bytes as in a link row: a synthetic-IV construction, in which P is the
//! authenticator. Opening gives L only if L gives P again.

use std::fmt;

use crate::escrow::{EscrowKeys, LINK_VALUE_LEN};
use crate::row::ROW_FORMAT;
use crate::{LinkValue, Pseudonym, PseudonymKey, SealError};

/// The sealed link S of a token, 16 bytes. Without the version's escrow root it says nothing; like the pseudonym it is
/// personal data: `Debug` shows nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SealedLink([u8; 16]);

impl SealedLink {
    /// A sealed link from its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The value of the link row that says the same.
    pub fn as_row_value(&self) -> [u8; LINK_VALUE_LEN] {
        let mut value = [ROW_FORMAT; LINK_VALUE_LEN];
        value[1..].copy_from_slice(&self.0);
        value
    }
}

impl fmt::Debug for SealedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedLink(..)")
    }
}

impl EscrowKeys {
    /// The link that the token of a pseudonym carries. Deterministic.
    pub fn seal_carried(&self, pseudonym: &Pseudonym, link_value: &LinkValue) -> SealedLink {
        let mut sealed = [0; 16];
        sealed.copy_from_slice(&self.seal_link(pseudonym, link_value)[1..]);
        SealedLink(sealed)
    }

    /// The link value in a token, once it is seen to give the token's pseudonym.
    ///
    /// # Errors
    /// [`SealError::NotAuthentic`] if pseudonym or link were changed, forged, or are of another version or subject.
    pub fn open_carried(
        &self,
        pseudonym_key: &PseudonymKey,
        pseudonym: &Pseudonym,
        link: &SealedLink,
    ) -> Result<LinkValue, SealError> {
        self.open_link(pseudonym_key, pseudonym, &link.as_row_value())
    }
}

#[cfg(test)]
mod tests;
