//! Digests of things that are not subjects: content of batches, grants, audit entries.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::Secret;

/// SHA-256.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// HMAC-SHA-256 over all parts, each behind its length in 8 bytes big-endian, so that no two lists of parts run together.
pub fn keyed(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac;

    #[test]
    fn parts_do_not_run_together() {
        let key = Secret::from_slice(&[1; 32]).expect("32 bytes");
        assert_ne!(keyed(&key, &[b"12", b"3x"]), keyed(&key, &[b"123", b"x"]));
        assert_ne!(keyed(&key, &[b"12", b""]), keyed(&key, &[b"12"]));
    }

    #[test]
    fn keyed_is_hmac_over_length_prefixed_parts() {
        let key = Secret::from_slice(&[1; 32]).expect("32 bytes");
        let message = b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x01c";
        assert_eq!(
            keyed(&key, &[b"ab", b"c"]),
            mac::Mac::new(&key).compute(&[message])
        );
    }
}
