//! Escrow rows: what the custodian keeps so that agreed parties can later convert or re-identify.
//!
//! | row | key (20 bytes) | value |
//! |---|---|---|
//! | link | kid(4), AES(index key, P)(16) | `0x01`, L xor AES(link seal key, P) (16) |
//! | identity | the same | `0x01`, nonce(24), XAES-256-GCM(identity seal key, nonce, aad, normalised identifier) |
//!
//! The aad of an identity row is `0x01 || key || LP(namespace)`. A link row is a synthetic-IV construction (Rogaway and
//! Shrimpton 2006): P is a PRF of L, and serves as IV and as authenticator.

use std::fmt;

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use sluis_domain::{Kid, NamespaceId};
use subtle::ConstantTimeEq;

use crate::import::ImportKeys;
use crate::row::write_aad;
pub use crate::row::{ROW_FORMAT, ROW_KEY_LEN};
use crate::xaes::{NONCE_LEN, Opener, Stream, TAG_LEN};
use crate::{LinkValue, Pseudonym, PseudonymKey, SealError, Secret, kdf, labels};

/// Length of a link row's value in bytes.
pub const LINK_VALUE_LEN: usize = 17;
/// By how much an identity row's value is longer than the identifier, in bytes.
pub const IDENTITY_OVERHEAD: usize = 1 + NONCE_LEN + TAG_LEN;

/// The escrow keys of one version of a (chain, namespace) line, ready for use.
pub struct EscrowKeys {
    kid: Kid,
    index: Aes256,
    link_seal: Aes256,
    identity_seal: Secret,
    import: ImportKeys,
}

impl EscrowKeys {
    /// From the version's escrow root.
    pub fn new(escrow_kid: &Secret, kid: Kid) -> Self {
        Self {
            kid,
            index: Aes256::new(kdf(escrow_kid, labels::INDEX).expose().into()),
            link_seal: Aes256::new(kdf(escrow_kid, labels::LINK_SEAL).expose().into()),
            identity_seal: kdf(escrow_kid, labels::IDENTITY_SEAL),
            import: ImportKeys::new(escrow_kid, kid),
        }
    }

    /// The version these keys belong to.
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// The import keys of this version.
    pub fn import(&self) -> &ImportKeys {
        &self.import
    }

    /// The key of a pseudonym's rows.
    pub fn row_key(&self, pseudonym: &Pseudonym) -> [u8; ROW_KEY_LEN] {
        let mut key = [0; ROW_KEY_LEN];
        key[..4].copy_from_slice(&self.kid.to_be_bytes());
        key[4..].copy_from_slice(&block(&self.index, pseudonym));
        key
    }

    /// The value of a pseudonym's link row. Deterministic.
    pub fn seal_link(&self, pseudonym: &Pseudonym, link_value: &LinkValue) -> [u8; LINK_VALUE_LEN] {
        mask(block(&self.link_seal, pseudonym), link_value)
    }

    /// The link value in a pseudonym's link row, once it is seen to give that pseudonym.
    ///
    /// # Errors
    /// [`SealError::WrongLength`], [`SealError::UnknownFormat`]; [`SealError::NotAuthentic`] if the row was damaged, forged
    /// or moved.
    pub fn open_link(
        &self,
        pseudonym_key: &PseudonymKey,
        pseudonym: &Pseudonym,
        value: &[u8],
    ) -> Result<LinkValue, SealError> {
        let link_value = unmask(block(&self.link_seal, pseudonym), value)?;
        let expected = pseudonym_key.pseudonym(&link_value);
        if is_same(&expected, pseudonym) {
            Ok(link_value)
        } else {
            Err(SealError::NotAuthentic)
        }
    }

    /// [`Self::open_link`] of each pseudonym with its row's value, in order. Faster for many than one at a time.
    pub fn open_links(
        &self,
        pseudonym_key: &PseudonymKey,
        rows: &[(&Pseudonym, &[u8])],
    ) -> Vec<Result<LinkValue, SealError>> {
        let mut opened = Vec::with_capacity(rows.len());
        for (pseudonym, value) in rows {
            opened.push(unmask(block(&self.link_seal, pseudonym), value));
        }
        let well_formed: Vec<&LinkValue> = opened.iter().flatten().collect();
        let expected = pseudonym_key.pseudonyms(well_formed.into_iter());
        let well_formed = opened.iter_mut().zip(rows).filter(|(link, _)| link.is_ok());
        for ((link, (pseudonym, _)), expected) in well_formed.zip(expected) {
            if !is_same(&expected, pseudonym) {
                *link = Err(SealError::NotAuthentic);
            }
        }
        opened
    }

    /// The pseudonym and the link value of a stored link row, once they are seen to belong together: from the row to its
    /// subject, for who walks the rows of a version.
    ///
    /// # Errors
    /// The errors of [`Self::open_link`]; a row of another version is [`SealError::NotAuthentic`].
    pub fn open_row(
        &self,
        pseudonym_key: &PseudonymKey,
        row_key: &[u8; ROW_KEY_LEN],
        value: &[u8],
    ) -> Result<(Pseudonym, LinkValue), SealError> {
        let (kid, index) = row_key.split_at(4);
        if kid != self.kid.to_be_bytes() {
            return Err(SealError::NotAuthentic);
        }
        let mut block = [0; 16];
        block.copy_from_slice(index);
        self.index.decrypt_block((&mut block).into());
        let pseudonym = Pseudonym::from_bytes(block);
        let link_value = self.open_link(pseudonym_key, &pseudonym, value)?;
        Ok((pseudonym, link_value))
    }

    /// Starts sealing identity rows: one per batch or connection.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    pub fn identity_sealer(&self) -> IdentitySealer {
        IdentitySealer {
            stream: Stream::new(&self.identity_seal),
            aad: Vec::new(),
        }
    }

    /// Starts opening identity rows: one per batch, because it remembers the last subkey.
    pub fn identity_opener(&self) -> IdentityOpener {
        IdentityOpener {
            opener: Opener::new(&self.identity_seal),
            aad: Vec::new(),
        }
    }
}

impl fmt::Debug for EscrowKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EscrowKeys(kid {})", self.kid)
    }
}

/// Seals identity rows of one version.
pub struct IdentitySealer {
    stream: Stream,
    aad: Vec<u8>,
}

impl IdentitySealer {
    /// Appends the value of the identity row at `row_key` to `out`. `normalised` is the identifier in its normal form.
    ///
    /// # Errors
    /// [`SealError::StreamExhausted`], [`SealError::TooLong`].
    pub fn seal(
        &mut self,
        namespace: &NamespaceId,
        row_key: &[u8; ROW_KEY_LEN],
        normalised: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        write_aad(&mut self.aad, namespace, row_key);
        let start = out.len();
        out.reserve(IDENTITY_OVERHEAD + normalised.len());
        out.push(ROW_FORMAT);
        self.stream
            .seal(&self.aad, normalised, out)
            .inspect_err(|_| out.truncate(start))
    }
}

impl fmt::Debug for IdentitySealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentitySealer(..)")
    }
}

/// Opens identity rows of one version.
pub struct IdentityOpener {
    opener: Opener,
    aad: Vec<u8>,
}

impl IdentityOpener {
    /// Appends the normalised identifier in the value of the identity row at `row_key` to `out`; on an error `out` is as it was.
    ///
    /// # Errors
    /// [`SealError::WrongLength`], [`SealError::UnknownFormat`]; [`SealError::NotAuthentic`] if the row was damaged, forged
    /// or moved.
    pub fn open(
        &mut self,
        namespace: &NamespaceId,
        row_key: &[u8; ROW_KEY_LEN],
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let (format, sealed) = value.split_first().ok_or(SealError::WrongLength)?;
        if *format != ROW_FORMAT {
            return Err(SealError::UnknownFormat);
        }
        write_aad(&mut self.aad, namespace, row_key);
        self.opener.open(&self.aad, sealed, out)
    }
}

impl fmt::Debug for IdentityOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityOpener(..)")
    }
}

fn mask(pad: [u8; 16], link_value: &LinkValue) -> [u8; LINK_VALUE_LEN] {
    let mut value = [ROW_FORMAT; LINK_VALUE_LEN];
    for (out, (l, p)) in value[1..]
        .iter_mut()
        .zip(link_value.expose().iter().zip(pad))
    {
        *out = l ^ p;
    }
    value
}

/// What a link row says the link value is. It is authentic only if it gives the pseudonym.
fn unmask(pad: [u8; 16], value: &[u8]) -> Result<LinkValue, SealError> {
    let value: &[u8; LINK_VALUE_LEN] = value.try_into().map_err(|_| SealError::WrongLength)?;
    let (format, masked) = value.split_first().expect("17 bytes");
    if *format != ROW_FORMAT {
        return Err(SealError::UnknownFormat);
    }
    let mut link_value = pad;
    link_value
        .iter_mut()
        .zip(masked)
        .for_each(|(pad, masked)| *pad ^= masked);
    Ok(LinkValue::from_bytes(link_value))
}

/// In constant time.
fn is_same(expected: &Pseudonym, pseudonym: &Pseudonym) -> bool {
    expected.as_bytes().ct_eq(pseudonym.as_bytes()).into()
}

fn block(aes: &Aes256, pseudonym: &Pseudonym) -> [u8; 16] {
    let mut out = [0; 16];
    aes.encrypt_block_b2b(pseudonym.as_bytes().into(), (&mut out).into());
    out
}

#[cfg(test)]
mod tests;
