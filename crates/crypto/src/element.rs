//! Encrypted elements (treatment `encrypt`): randomised, so that equal values give different ciphertexts.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | `0x21` |
//! | 4 | kid |
//! | 24 | nonce |
//! | n + 16 | XAES-256-GCM(element key, nonce, aad, value) |
//!
//! aad = `"sluis/1 element" || LP(chain) || LP(element) || kid`. As text, `enc1` and these bytes in base64url without
//! padding. Reserved: `0x22`, bound to the row's pseudonym.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use sluis_domain::{ChainId, ElementName, Kid, Reason};

use crate::lp::lp;
use crate::xaes::{NONCE_LEN, Opener, Stream, TAG_LEN};
use crate::{SealError, Secret, kdf, labels};

/// First byte of a binary ciphertext.
pub const FORMAT: u8 = 0x21;
/// First byte reserved for ciphertexts bound to the row's pseudonym. Refused.
pub const FORMAT_BOUND_RESERVED: u8 = 0x22;
/// First characters of a text ciphertext.
pub const TEXT_PREFIX: &[u8; 4] = b"enc1";
/// By how much the binary form is longer than the value, in bytes.
pub const OVERHEAD: usize = HEADER_LEN + NONCE_LEN + TAG_LEN;

const HEADER_LEN: usize = 5;

/// A value that is not an encrypted element: its prefix, alphabet, length, format or kid is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is not an encrypted element")]
pub struct MalformedCiphertext;

impl From<MalformedCiphertext> for Reason {
    fn from(_: MalformedCiphertext) -> Self {
        Self::MalformedCiphertext
    }
}

/// The key of one element under one version of a chain's element line.
pub struct ElementKey {
    kid: Kid,
    key: Secret,
    aad: Vec<u8>,
}

impl ElementKey {
    /// From the version's root.
    pub fn new(root_kid: &Secret, chain: &ChainId, element: &ElementName, kid: Kid) -> Self {
        let mut label = labels::ELEMENT.to_vec();
        lp(&mut label, element.as_str().as_bytes());
        let mut aad = labels::ELEMENT.to_vec();
        lp(&mut aad, chain.as_str().as_bytes());
        lp(&mut aad, element.as_str().as_bytes());
        aad.extend_from_slice(&kid.to_be_bytes());
        Self {
            kid,
            key: kdf(root_kid, &label),
            aad,
        }
    }

    /// The version this key belongs to.
    pub fn kid(&self) -> Kid {
        self.kid
    }

    /// Starts encrypting: one per batch or connection.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    pub fn sealer(&self) -> ElementSealer {
        let mut header = [FORMAT; HEADER_LEN];
        header[1..].copy_from_slice(&self.kid.to_be_bytes());
        ElementSealer {
            header,
            stream: Stream::new(&self.key),
            aad: self.aad.clone(),
            scratch: Vec::new(),
        }
    }

    /// Starts decrypting: one per batch, because it remembers the last subkey.
    pub fn opener(&self) -> ElementOpener {
        ElementOpener {
            kid: self.kid,
            opener: Opener::new(&self.key),
            aad: self.aad.clone(),
        }
    }

    /// Decrypts one value; see [`ElementOpener::open`] for many.
    ///
    /// # Errors
    /// The errors of [`ElementOpener::open`].
    pub fn open(&self, ciphertext: &ElementCiphertext, out: &mut Vec<u8>) -> Result<(), SealError> {
        self.opener().open(ciphertext, out)
    }
}

impl fmt::Debug for ElementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ElementKey(kid {})", self.kid)
    }
}

/// Encrypts values of one element.
pub struct ElementSealer {
    header: [u8; HEADER_LEN],
    stream: Stream,
    aad: Vec<u8>,
    scratch: Vec<u8>,
}

impl ElementSealer {
    /// Appends the text form of the encrypted value to `out`.
    ///
    /// # Errors
    /// [`SealError::StreamExhausted`], [`SealError::TooLong`].
    pub fn write_text(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        self.scratch.clear();
        // Before the value is copied in, so that no copy of it stays behind in an outgrown buffer.
        self.scratch.reserve(OVERHEAD + value.len());
        self.scratch.extend_from_slice(&self.header);
        self.stream.seal(&self.aad, value, &mut self.scratch)?;
        out.extend_from_slice(TEXT_PREFIX);
        let start = out.len();
        out.resize(start + BASE64URL_NOPAD.encode_len(self.scratch.len()), 0);
        BASE64URL_NOPAD.encode_mut(&self.scratch, &mut out[start..]);
        Ok(())
    }
}

impl fmt::Debug for ElementSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ElementSealer(..)")
    }
}

/// A well-formed encrypted element that has not been opened.
#[derive(Clone, PartialEq, Eq)]
pub struct ElementCiphertext {
    kid: Kid,
    /// nonce || ciphertext || tag behind the header.
    bytes: Vec<u8>,
}

impl ElementCiphertext {
    /// Which key version it says it was made with.
    pub fn kid(&self) -> Kid {
        self.kid
    }
}

impl fmt::Debug for ElementCiphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ElementCiphertext(kid {})", self.kid)
    }
}

/// Parses the text form.
///
/// # Errors
/// [`MalformedCiphertext`].
pub fn parse_text(text: &[u8]) -> Result<ElementCiphertext, MalformedCiphertext> {
    let encoded = text.strip_prefix(TEXT_PREFIX).ok_or(MalformedCiphertext)?;
    let bytes = BASE64URL_NOPAD
        .decode(encoded)
        .map_err(|_| MalformedCiphertext)?;
    let (header, sealed) = bytes
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(MalformedCiphertext)?;
    let [format, kid @ ..] = *header;
    if format != FORMAT || sealed.len() < NONCE_LEN + TAG_LEN {
        return Err(MalformedCiphertext);
    }
    let kid = Kid::from_be_bytes(kid).ok_or(MalformedCiphertext)?;
    Ok(ElementCiphertext { kid, bytes })
}

/// Decrypts values of one element under one version.
pub struct ElementOpener {
    kid: Kid,
    opener: Opener,
    aad: Vec<u8>,
}

impl ElementOpener {
    /// Appends the original value to `out`; on an error `out` is as it was.
    ///
    /// # Errors
    /// [`SealError::NotAuthentic`] if it was not made by this chain for this element under this version, or was changed.
    pub fn open(
        &mut self,
        ciphertext: &ElementCiphertext,
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        if ciphertext.kid != self.kid {
            return Err(SealError::NotAuthentic);
        }
        self.opener
            .open(&self.aad, &ciphertext.bytes[HEADER_LEN..], out)
    }
}

impl fmt::Debug for ElementOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ElementOpener(..)")
    }
}

#[cfg(test)]
mod tests;
