//! Link values: the custodian's internal, irreversible value for a subject.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::mac::Mac;
use crate::{Secret, kdf, labels};

/// A link value L, 16 bytes. Never leaves the custodian; zeroised on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct LinkValue([u8; 16]);

impl LinkValue {
    /// A link value from its bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes. The name is there to be found by a reviewer.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

/// In constant time.
impl PartialEq for LinkValue {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for LinkValue {}

impl fmt::Debug for LinkValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkValue(..)")
    }
}

/// The linked or unlinked key of a (chain, namespace) version, ready for use.
pub struct LinkKey(Mac);

impl LinkKey {
    /// For `link = "escrow"` and `"inbound"`: from the namespace's root, so that chains of it can be linked by the custodian.
    pub fn linked(root_namespace: &Secret) -> Self {
        Self(Mac::new(&kdf(root_namespace, labels::LINK)))
    }

    /// For `link = "none"`: from the version's own root, which no other chain shares.
    pub fn unlinked(root_kid: &Secret) -> Self {
        Self(Mac::new(&kdf(root_kid, labels::UNLINKED)))
    }

    /// `L = HMAC(key, x)[..16]`, where `x` is the namespace's input for a subject (normalised identifier or prehash).
    pub fn link_value(&self, x: &[u8]) -> LinkValue {
        LinkValue(self.0.compute_16(x))
    }

    /// [`Self::link_value`] of each input, in order. Much faster for many than one at a time.
    pub fn link_values<'x>(
        &self,
        inputs: impl ExactSizeIterator<Item = &'x [u8]>,
    ) -> Vec<LinkValue> {
        self.0.compute_16_many(inputs, LinkValue)
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(..)")
    }
}
