//! Public keys of people: what the registry pins.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

/// DER of everything in a `SubjectPublicKeyInfo` before the point of a P-256 key (RFC 5480).
const P256_HEADER: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The same for an Ed25519 key (RFC 8410).
const ED25519_HEADER: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// What a key signs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// Ed25519.
    Ed25519,
}

/// A public key as DER `SubjectPublicKeyInfo`. Its text form is the base64 of that, as between the lines of a PEM
/// `PUBLIC KEY`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(Vec<u8>);

/// What is not a public key of a kind that may sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAPublicKey;

impl fmt::Display for NotAPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "must be the base64 of a P-256 (uncompressed) or Ed25519 public key in SubjectPublicKeyInfo form; \
             `sluis key show` prints it",
        )
    }
}

impl PublicKey {
    /// Reads a DER `SubjectPublicKeyInfo` of one of the two kinds; that a P-256 point lies on the curve is found out
    /// when a signature is verified.
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let p256 =
            der.len() == P256_HEADER.len() + 65 && der.starts_with(&P256_HEADER) && der[26] == 4;
        let ed25519 = der.len() == ED25519_HEADER.len() + 32 && der.starts_with(&ED25519_HEADER);
        (p256 || ed25519).then(|| Self(der.to_vec()))
    }

    /// An Ed25519 key from its 32 bytes.
    pub fn ed25519(raw: &[u8; 32]) -> Self {
        Self([&ED25519_HEADER[..], raw].concat())
    }

    /// A P-256 key from its uncompressed point (`0x04 || x || y`).
    pub fn p256(point: &[u8; 65]) -> Option<Self> {
        Self::from_spki(&[&P256_HEADER[..], point].concat())
    }

    /// The DER.
    pub fn spki(&self) -> &[u8] {
        &self.0
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with(&ED25519_HEADER) {
            Algorithm::Ed25519
        } else {
            Algorithm::EcdsaP256
        }
    }

    /// The key itself: 65 bytes of a point, or 32.
    pub fn raw(&self) -> &[u8] {
        match self.algorithm() {
            Algorithm::EcdsaP256 => &self.0[P256_HEADER.len()..],
            Algorithm::Ed25519 => &self.0[ED25519_HEADER.len()..],
        }
    }
}

impl FromStr for PublicKey {
    type Err = NotAPublicKey;
    fn from_str(text: &str) -> Result<Self, NotAPublicKey> {
        let der = BASE64.decode(text.as_bytes()).map_err(|_| NotAPublicKey)?;
        Self::from_spki(&der).ok_or(NotAPublicKey)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_back_and_nothing_else_is() {
        let mut point = [7; 65];
        point[0] = 4;
        let p256 = PublicKey::p256(&point).expect("the form of a point");
        let ed25519 = PublicKey::ed25519(&[9; 32]);
        assert_eq!(
            (p256.algorithm(), p256.raw()),
            (Algorithm::EcdsaP256, &point[..])
        );
        assert_eq!(
            (ed25519.algorithm(), ed25519.raw()),
            (Algorithm::Ed25519, &[9; 32][..])
        );
        for key in [p256, ed25519] {
            assert_eq!(key.to_string().parse(), Ok(key.clone()));
            let spki = key.spki();
            assert!(
                PublicKey::from_spki(&spki[1..]).is_none()
                    && PublicKey::from_spki(&[spki, &[0]].concat()).is_none()
            );
        }
        point[0] = 2;
        assert!(PublicKey::p256(&point).is_none(), "a compressed point");
        for text in ["", "AAAA", "not base64!"] {
            assert_eq!(text.parse::<PublicKey>(), Err(NotAPublicKey));
        }
    }
}
