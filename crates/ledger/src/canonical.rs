//! What people sign, with its bytes: encoded once, and hashed once.

use std::ops::Deref;

use sluis_crypto::digest::sha256;
use sluis_domain::codec::DecodeError;

use crate::grant::Grant;
use crate::proposal::Proposal;

/// What has one canonical form, which signatures are over.
pub trait Encoded: Sized {
    /// The canonical bytes.
    fn encode(&self) -> Vec<u8>;

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`].
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError>;
}

impl Encoded for Grant {
    fn encode(&self) -> Vec<u8> {
        self.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(bytes)
    }
}

impl Encoded for Proposal {
    fn encode(&self) -> Vec<u8> {
        self.encode()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(bytes)
    }
}

/// A grant or proposal with its canonical bytes and their SHA-256.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Canonical<T> {
    object: T,
    bytes: Vec<u8>,
    digest: [u8; 32],
}

impl<T: Encoded> Canonical<T> {
    /// Encodes an object.
    pub fn new(object: T) -> Self {
        let bytes = object.encode();
        let digest = sha256(&bytes);
        Self {
            object,
            bytes,
            digest,
        }
    }

    /// Reads canonical bytes, which are kept. Bytes that the object would not be encoded as are refused.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let decoded = Self::new(T::decode(bytes)?);
        if decoded.bytes == bytes {
            Ok(decoded)
        } else {
            Err(DecodeError)
        }
    }
}

impl<T> Canonical<T> {
    /// The canonical bytes: what a signature is over.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the canonical bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl<T> Deref for Canonical<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One byte, of which the upper half means nothing.
    #[derive(Clone, PartialEq, Eq, Debug)]
    struct Half(u8);

    impl Encoded for Half {
        fn encode(&self) -> Vec<u8> {
            vec![self.0]
        }

        fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
            match bytes {
                [byte] => Ok(Self(byte & 0x0f)),
                _ => Err(DecodeError),
            }
        }
    }

    #[test]
    fn only_the_bytes_that_an_object_is_encoded_as_are_taken() {
        let canonical = Canonical::<Half>::decode(&[7]).expect("canonical");
        assert_eq!(canonical, Canonical::new(Half(7)));
        assert_eq!(canonical.digest(), &sha256(&[7]));
        assert!(Canonical::<Half>::decode(&[0x17]).is_err());
        assert!(Canonical::<Half>::decode(&[]).is_err());
    }
}
