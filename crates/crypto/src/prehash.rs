//! Prehash input: sources that share a source key hash identifiers before sending, so that the custodian never sees them.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use sluis_domain::NamespaceId;
use zeroize::Zeroizing;

use crate::lp::{lp, lp_length};
use crate::mac::Mac;
use crate::{Secret, labels};

/// The key that the sources of a prehash namespace share and the custodian never has.
#[derive(PartialEq, Eq)]
pub struct SourceKey(Secret);

/// The content of a source-key file is neither 64 hexadecimal characters nor 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a source key is 64 hexadecimal characters or exactly 32 bytes")]
pub struct InvalidSourceKey;

impl SourceKey {
    /// From the content of a file: exactly 32 raw bytes, or 64 hexadecimal characters with white space around them.
    ///
    /// # Errors
    /// [`InvalidSourceKey`].
    pub fn from_file_content(content: &[u8]) -> Result<Self, InvalidSourceKey> {
        if let Some(raw) = Secret::from_slice(content) {
            return Ok(Self(raw));
        }
        let bytes = HEXLOWER_PERMISSIVE
            .decode(content.trim_ascii())
            .map(Zeroizing::new)
            .map_err(|_| InvalidSourceKey)?;
        Secret::from_slice(&bytes).map(Self).ok_or(InvalidSourceKey)
    }

    /// Ready for many identifiers of one namespace.
    pub fn for_namespace(&self, namespace: &NamespaceId) -> NamespacePrehash {
        let mut prefix = labels::PREHASH.to_vec();
        lp(&mut prefix, namespace.as_str().as_bytes());
        NamespacePrehash {
            mac: Mac::new(&self.0),
            prefix,
        }
    }
}

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SourceKey(..)")
    }
}

/// A source key and a namespace, ready for use.
pub struct NamespacePrehash {
    mac: Mac,
    prefix: Vec<u8>,
}

impl NamespacePrehash {
    /// `x = HMAC(source key, "sluis/1 prehash" || LP(namespace) || LP(normalised))`.
    ///
    /// # Panics
    /// If `normalised` is over 65,535 bytes; a normalised identifier is at most 255.
    pub fn prehash(&self, normalised: &[u8]) -> [u8; 32] {
        self.mac
            .compute(&[&self.prefix, &lp_length(normalised), normalised])
    }
}

impl fmt::Debug for NamespacePrehash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NamespacePrehash(..)")
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn a_source_key_file_is_hex_or_raw() {
        let raw: [u8; 32] = std::array::from_fn(|at| 0xa0 + at as u8);
        let hex = HEXLOWER.encode(&raw);
        let key = || Ok(SourceKey(Secret::from_slice(&raw).expect("32 bytes")));
        assert_eq!(
            SourceKey::from_file_content(format!(" {hex}\r\n").as_bytes()),
            key()
        );
        assert_eq!(
            SourceKey::from_file_content(hex.to_uppercase().as_bytes()),
            key()
        );
        assert_eq!(
            SourceKey::from_file_content(&[b'\n'; 32]),
            Ok(SourceKey(
                Secret::from_slice(&[b'\n'; 32]).expect("32 bytes")
            ))
        );
        for bad in [
            &b""[..],
            &[b'a'; 63],
            &[b'a'; 66],
            &[b'g'; 64],
            &[0; 31],
            &[0; 33],
        ] {
            assert_eq!(SourceKey::from_file_content(bad), Err(InvalidSourceKey));
        }
    }

    #[test]
    fn namespace_and_identifier_do_not_run_together() {
        let key = SourceKey::from_file_content(&[3; 32]).expect("32 bytes");
        let namespace = |text: &str| key.for_namespace(&text.parse().expect("an id"));
        assert_ne!(namespace("ab").prehash(b"c"), namespace("a").prehash(b"bc"));
    }
}
