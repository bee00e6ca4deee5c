//! Pseudonyms: what a chain sees of a subject.

use std::fmt;

use crate::mac::Mac;
use crate::{LinkValue, Secret, kdf, labels};

/// A pseudonym P, 16 bytes. Not secret from its chain, but personal data: `Debug` shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 16]);

impl Pseudonym {
    /// A pseudonym from its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl AsRef<[u8]> for Pseudonym {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(..)")
    }
}

/// The pseudonym key of one version of a (chain, namespace) line, ready for use.
pub struct PseudonymKey(Mac);

impl PseudonymKey {
    /// From the version's root.
    pub fn new(root_kid: &Secret) -> Self {
        Self(Mac::new(&kdf(root_kid, labels::PSEUDONYM)))
    }

    /// `P = HMAC(key, L)[..16]`.
    pub fn pseudonym(&self, link_value: &LinkValue) -> Pseudonym {
        Pseudonym(self.0.compute_16(link_value.expose()))
    }

    /// [`Self::pseudonym`] of each link value, in order. Much faster for many than one at a time.
    pub fn pseudonyms<'l>(
        &self,
        link_values: impl ExactSizeIterator<Item = &'l LinkValue>,
    ) -> Vec<Pseudonym> {
        let messages = link_values.map(|link_value| link_value.expose().as_slice());
        self.0.compute_16_many(messages, Pseudonym)
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(..)")
    }
}
