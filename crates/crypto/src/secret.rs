//! Secret 256-bit values: roots and keys.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::random;

/// 32 secret bytes on the heap, so that moving the value leaves no copy behind. Zeroised on drop, compared in constant
/// time, and deliberately neither `Clone` nor serialisable.
pub struct Secret(Box<[u8; 32]>);

impl Secret {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// A new independent secret from the operating system's generator.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    pub fn random() -> Self {
        let mut secret = Self::zero();
        random::fill(secret.0.as_mut_slice());
        secret
    }

    /// A copy of exactly 32 bytes; `None` for any other length. The caller wipes its own copy.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self::zero();
        (bytes.len() == Self::LEN).then(|| {
            secret.0.copy_from_slice(bytes);
            secret
        })
    }

    /// The bytes. The name is there to be found by a reviewer.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A place for `write` to put a secret straight into.
    pub(crate) fn written_by(write: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut secret = Self::zero();
        write(&mut secret.0);
        secret
    }

    fn zero() -> Self {
        Self(Box::new([0; 32]))
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl zeroize::ZeroizeOnDrop for Secret {}

impl ConstantTimeEq for Secret {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.0.as_slice().ct_eq(other.0.as_slice())
    }
}

/// In constant time.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_bytes_make_a_secret() {
        assert!(Secret::from_slice(&[1; 31]).is_none());
        assert!(Secret::from_slice(&[1; 33]).is_none());
        assert_eq!(
            Secret::from_slice(&[1; 32]).map(|s| *s.expose()),
            Some([1; 32])
        );
    }

    #[test]
    fn two_random_secrets_differ() {
        let (a, b) = (Secret::random(), Secret::random());
        assert!(a != b);
        assert!(a == Secret::from_slice(a.expose()).expect("32 bytes"));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?}", Secret::from_slice(&[0xab; 32]).expect("32 bytes")),
            "Secret(..)"
        );
    }
}
