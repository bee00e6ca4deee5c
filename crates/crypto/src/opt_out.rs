//! Opt-out marks: a subject who objected is recognised without its identifier being kept.

use std::fmt;

use crate::mac::Mac;
use crate::{LinkValue, Secret, kdf, labels};

/// Length of a mark in bytes.
pub const MARK_LEN: usize = 16;

/// The opt-out key of a namespace, ready for use.
pub struct OptOutKey(Mac);

impl OptOutKey {
    /// From the namespace's root.
    pub fn new(root_namespace: &Secret) -> Self {
        Self(Mac::new(&kdf(root_namespace, labels::OPT_OUT)))
    }

    /// The mark of a subject: `HMAC(key, L)[..16]`. `link_value` is of the namespace's linked key, also for lines with
    /// `link = "none"`.
    #[inline]
    pub fn mark(&self, link_value: &LinkValue) -> [u8; MARK_LEN] {
        self.0.compute_16(link_value.expose())
    }
}

impl fmt::Debug for OptOutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OptOutKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// Computed with Python's `hmac`: root 00 01 .. 1f, link value 0f 0e .. 00.
    #[test]
    fn marks_are_frozen() {
        let root: Vec<u8> = (0..32).collect();
        let key = OptOutKey::new(&Secret::from_slice(&root).expect("32 bytes"));
        let mut link_value = [0; 16];
        link_value
            .iter_mut()
            .zip((0..16).rev())
            .for_each(|(byte, n)| *byte = n);
        assert_eq!(
            HEXLOWER.encode(&key.mark(&LinkValue::from_bytes(link_value))),
            "f548e78f1517efa067217734400d8a4a"
        );
    }
}
