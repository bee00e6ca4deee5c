//! Signatures of people and of the log: ECDSA P-256 with SHA-256 (ASN.1 form) and Ed25519, by `aws-lc-rs`.
//!
//! Verification takes the key that someone pinned, never one that came with the signature.

use aws_lc_rs::signature::{self, ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sluis_domain::public_key::{Algorithm, PublicKey};

use crate::Secret;

/// Whether `signature` over `message` was made with the private half of `key`.
///
/// P-256: an ASN.1 DER `ECDSA-Sig-Value` over SHA-256 of the message. Ed25519: 64 bytes, pure (RFC 8032).
pub fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    match key.algorithm() {
        Algorithm::EcdsaP256 => {
            UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, key.raw())
                .verify(message, signature)
                .is_ok()
        }
        Algorithm::Ed25519 => UnparsedPublicKey::new(&ED25519, key.raw())
            .verify(message, signature)
            .is_ok(),
    }
}

/// The key that signs the heads of the audit log: Ed25519, from a 32-byte seed.
pub struct LogKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

impl LogKey {
    /// The key of a seed (RFC 8032, section 5.1.5).
    pub fn new(seed: &Secret) -> Self {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.expose()).expect("every 32 bytes are a seed");
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .expect("an Ed25519 public key has 32 bytes");
        Self { pair, public }
    }

    /// Its public half.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// The signature of a message: 64 bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair
            .sign(message)
            .as_ref()
            .try_into()
            .expect("an Ed25519 signature has 64 bytes")
    }
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

    use super::*;

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn the_log_key_signs_as_rfc_8032_says() {
        let seed = data_encoding::HEXLOWER
            .decode(b"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
            .expect("hexadecimal");
        let key = LogKey::new(&Secret::from_slice(&seed).expect("32 bytes"));
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        assert_eq!(
            hex(key.public()),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        assert_eq!(
            hex(&key.sign(&[0x72])),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        let public = PublicKey::ed25519(key.public());
        assert!(verify(&public, &[0x72], &key.sign(&[0x72])));
        assert!(!verify(&public, &[0x73], &key.sign(&[0x72])));
        assert!(!verify(&public, &[0x72], &[0; 64]) && !verify(&public, &[0x72], &[]));
    }

    #[test]
    fn an_ecdsa_signature_fits_its_key_and_message_only() {
        let pair = || {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("random");
            let public = PublicKey::p256(pair.public_key().as_ref().try_into().expect("65 bytes"))
                .expect("a point");
            (pair, public)
        };
        let ((mine, public), (_, other)) = (pair(), pair());
        let signature = mine.sign(&SystemRandom::new(), b"yes").expect("signs");
        assert!(verify(&public, b"yes", signature.as_ref()));
        assert!(!verify(&public, b"no", signature.as_ref()));
        assert!(!verify(&other, b"yes", signature.as_ref()));
        for at in 0..signature.as_ref().len() {
            let mut changed = signature.as_ref().to_vec();
            changed[at] ^= 1;
            assert!(!verify(&public, b"yes", &changed), "byte {at}");
        }
    }
}
