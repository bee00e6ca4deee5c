//! Keys that verify signed notes (C2SP signed-note): a name, an id and an Ed25519 public key.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};
use sluis_domain::PublicKey;

/// The signature type of Ed25519.
const ED25519: u8 = 0x01;

/// A key that verifies notes. Its text form, the *vkey*, is `<name>+<id, 8 hexadecimal digits>+<base64 of 0x01 || key>`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

/// What is not a verifier key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// Not three parts.
    #[error("a verifier key is a name, 8 hexadecimal digits and base64, with + between them")]
    Form,
    /// A name that cannot stand in a note.
    #[error(
        "the name of a key must not be empty and must not contain spaces, control characters or +"
    )]
    Name,
    /// The id is not 8 lower-case hexadecimal digits.
    #[error("the id of a key must be 8 lower-case hexadecimal digits")]
    Id,
    /// The last part is not the base64 of 33 bytes.
    #[error(
        "the last part of a verifier key must be the base64 of a type byte and 32 bytes of key"
    )]
    Key,
    /// A key of another signature type.
    #[error("the key is of signature type {0:#04x}; only Ed25519 (0x01) is supported")]
    Type(u8),
    /// The id is not that of the name and key: one of the three was changed.
    #[error("the id of the key does not belong to its name and key: it was mistyped or changed")]
    WrongId,
}

impl VerifierKey {
    /// An Ed25519 key under a name, which should be a URL without scheme, like `custodian.example/audit`. The id follows.
    pub fn new(name: &str, key: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519])
            .chain_update(key)
            .finalize();
        let id = *hash.first_chunk().expect("a hash has more than 4 bytes");
        Ok(Self {
            name: name.to_owned(),
            id,
            key: *key,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id: the first four bytes of SHA-256(name || 0x0A || 0x01 || key).
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The Ed25519 public key.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Whether `signature` was made over `text` with this key.
    pub fn verify(&self, text: &str, signature: &[u8]) -> bool {
        crate::signature::verify(&PublicKey::ed25519(&self.key), text.as_bytes(), signature)
    }
}

/// Whether a text can be the name of a key.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c < ' ' || c == '+')
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // Base64 has + too, so only the first two of them part.
        let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
        let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
        let id = HEXLOWER
            .decode(id.as_bytes())
            .ok()
            .and_then(|id| <[u8; 4]>::try_from(id).ok())
            .ok_or(KeyError::Id)?;
        let key = BASE64.decode(key.as_bytes()).map_err(|_| KeyError::Key)?;
        let (kind, key) = key.split_first().ok_or(KeyError::Key)?;
        if *kind != ED25519 {
            return Err(KeyError::Type(*kind));
        }
        let key = Self::new(name, key.try_into().map_err(|_| KeyError::Key)?)?;
        if key.id == id {
            Ok(key)
        } else {
            Err(KeyError::WrongId)
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64.encode(&[&[ED25519], &self.key[..]].concat());
        write!(f, "{}+{}+{key}", self.name, HEXLOWER.encode(&self.id))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_key_has_one_spelling() {
        let key: VerifierKey = PETER.parse().expect("a key");
        assert_eq!(key.to_string(), PETER);
        assert_eq!(
            (key.name(), key.id()),
            ("PeterNeumann", [0xc7, 0x4f, 0x20, 0xa3])
        );
        assert_eq!(VerifierKey::new("PeterNeumann", key.key()), Ok(key));
    }

    #[test]
    fn what_is_wrong_with_a_key_is_said() {
        let parse = |text: &str| text.parse::<VerifierKey>();
        assert_eq!(parse(""), Err(KeyError::Form));
        assert_eq!(parse("PeterNeumann+c74f20a3"), Err(KeyError::Form));
        assert_eq!(
            parse(&PETER.replace("Peter", "Peter ")),
            Err(KeyError::Name)
        );
        assert_eq!(
            parse(&PETER.replace("Peter", "Peter\u{a0}")),
            Err(KeyError::Name)
        );
        assert_eq!(
            parse(&PETER.replace("Peter", "Peter\u{7}")),
            Err(KeyError::Name)
        );
        assert_eq!(
            parse(&PETER.replace("PeterNeumann", "")),
            Err(KeyError::Name)
        );
        assert_eq!(
            parse(&PETER.replace("c74f20a3", "C74F20A3")),
            Err(KeyError::Id)
        );
        assert_eq!(
            parse(&PETER.replace("c74f20a3", "c74f20")),
            Err(KeyError::Id)
        );
        assert_eq!(
            parse(&PETER.replace("c74f20a3", "+c74f20a3")),
            Err(KeyError::Id)
        );
        assert_eq!(
            parse(&PETER.replace("+ARp", "+ABp")),
            Err(KeyError::Type(0))
        );
        assert_eq!(
            parse(&PETER.replace("+ARp", "+BBp")),
            Err(KeyError::Type(4))
        );
        assert_eq!(parse(&PETER.replace("10TW", "")), Err(KeyError::Key));
        assert_eq!(parse(&PETER.replace("10TW", "10T")), Err(KeyError::Key));
        assert_eq!(parse("PeterNeumann+c74f20a3+"), Err(KeyError::Key));
        assert_eq!(
            parse(&PETER.replace("Peter", "Retep")),
            Err(KeyError::WrongId)
        );
        assert_eq!(
            parse(&PETER.replace("c74f", "c84f")),
            Err(KeyError::WrongId)
        );
        assert_eq!(
            parse(&PETER.replace("10TW", "10TX")),
            Err(KeyError::WrongId)
        );
    }

    proptest! {
        #[test]
        fn a_key_reads_back(name in "\\PC{1,12}", key in any::<[u8; 32]>()) {
            match VerifierKey::new(&name, &key) {
                Ok(made) => prop_assert_eq!(made.to_string().parse(), Ok(made)),
                Err(error) => prop_assert_eq!((error, is_name(&name)), (KeyError::Name, false)),
            }
        }

        #[test]
        fn what_reads_prints_the_same(at in 0..PETER.len(), put in "\\PC?") {
            let changed = format!("{}{put}{}", &PETER[..at], &PETER[at + 1..]);
            if let Ok(key) = changed.parse::<VerifierKey>() {
                prop_assert_eq!(key.to_string(), changed);
            }
        }
    }
}
