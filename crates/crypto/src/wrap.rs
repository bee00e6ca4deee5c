//! Wrapping of keys and other sealed values outside streams: a fresh random nonce each time.

use zeroize::Zeroizing;

use crate::{SealError, Secret, kdf, labels, random, xaes};

/// Seals `plaintext`: nonce(24) || XAES-256-GCM(key, nonce, aad, plaintext).
///
/// # Panics
/// If the operating system gives no random bytes, or over 64 GiB.
pub fn seal(key: &Secret, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let nonce = random::bytes::<{ xaes::NONCE_LEN }>();
    let mut out = Vec::with_capacity(nonce.len() + plaintext.len() + xaes::TAG_LEN);
    out.extend_from_slice(&nonce);
    xaes::seal(key, &nonce, aad, plaintext, &mut out).expect("what is wrapped is far below 64 GiB");
    out
}

/// Opens what [`seal`] made, with the same associated data.
///
/// # Errors
/// [`SealError::WrongLength`], [`SealError::NotAuthentic`].
pub fn open(key: &Secret, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, sealed) = sealed.split_first_chunk().ok_or(SealError::WrongLength)?;
    let mut out = Zeroizing::new(Vec::with_capacity(sealed.len()));
    xaes::open(key, nonce, aad, sealed, &mut out)?;
    Ok(out)
}

/// The key-check value `KDF(key, "sluis/1 key-check")[..16]`, kept beside a wrap so that a wrong wrapping key is told apart
/// from damage. It says nothing else about the key.
pub fn check_value(key: &Secret) -> [u8; 16] {
    let mut value = [0; 16];
    value.copy_from_slice(&kdf(key, labels::KEY_CHECK).expose()[..16]);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrap_opens_only_with_its_key_and_place() {
        let (key, other) = (Secret::random(), Secret::random());
        let sealed = seal(&key, b"place", b"root");
        assert_eq!(
            open(&key, b"place", &sealed).map(|v| v.to_vec()),
            Ok(b"root".to_vec())
        );
        assert_eq!(
            open(&other, b"place", &sealed),
            Err(SealError::NotAuthentic)
        );
        assert_eq!(
            open(&key, b"elsewhere", &sealed),
            Err(SealError::NotAuthentic)
        );
        assert_eq!(
            open(&key, b"place", &sealed[..23]),
            Err(SealError::WrongLength)
        );
        assert_eq!(
            open(&key, b"place", &sealed[..39]),
            Err(SealError::WrongLength)
        );
    }

    #[test]
    fn two_wraps_of_one_value_differ() {
        let key = Secret::random();
        assert_ne!(seal(&key, b"", b"root"), seal(&key, b"", b"root"));
    }

    #[test]
    fn check_values_tell_keys_apart() {
        let key = Secret::random();
        assert_eq!(check_value(&key), check_value(&key));
        assert_ne!(check_value(&key), check_value(&Secret::random()));
    }
}
