//! Tokens: the form in which pseudonyms travel.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | `0x11` |
//! | 4 | kid |
//! | 16 | pseudonym |
//! | 4 | CRC-32/ISO-HDLC of the 21 bytes before |
//!
//! As text, `psn1` and these 25 bytes in 40 characters of lower-case RFC 4648 base32; decoding ignores case. Reserved: `0x12`,
//! the same with a 16-byte sealed link carried in the token (41 bytes).

use sluis_domain::{Kid, Reason};

use crate::Pseudonym;
use crate::base32;
use crate::crc32::{COVERED, crc32};

/// First byte of a binary token.
pub const FORMAT: u8 = 0x11;
/// First characters of a text token.
pub const TEXT_PREFIX: &[u8; 4] = b"psn1";
/// Length of a binary token in bytes.
pub const BINARY_LEN: usize = 25;
/// Length of a text token in bytes.
pub const TEXT_LEN: usize = TEXT_PREFIX.len() + 40;

const _: () = assert!(BINARY_LEN == COVERED + 4);

/// A value that is not a token: its length, alphabet, format, kid or check sum is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is not a pseudonym token")]
pub struct TokenError;

impl From<TokenError> for Reason {
    fn from(_: TokenError) -> Self {
        Self::MalformedPseudonym
    }
}

/// Appends the text form, [`TEXT_LEN`] bytes.
#[inline]
pub fn write_text(kid: Kid, pseudonym: &Pseudonym, out: &mut Vec<u8>) {
    let mut text = [0; TEXT_LEN];
    text[..4].copy_from_slice(TEXT_PREFIX);
    text[4..].copy_from_slice(&base32::encode(&to_binary(kid, pseudonym)));
    out.extend_from_slice(&text);
}

/// Parses the text form, in either case.
///
/// # Errors
/// [`TokenError`].
#[inline]
pub fn parse_text(text: &[u8]) -> Result<(Kid, Pseudonym), TokenError> {
    let (prefix, characters) = text.split_first_chunk::<4>().ok_or(TokenError)?;
    let characters: &[u8; 40] = characters.try_into().map_err(|_| TokenError)?;
    if !prefix.eq_ignore_ascii_case(TEXT_PREFIX) {
        return Err(TokenError);
    }
    parse_binary(&base32::decode(characters).ok_or(TokenError)?)
}

/// The binary form.
#[inline]
pub fn to_binary(kid: Kid, pseudonym: &Pseudonym) -> [u8; BINARY_LEN] {
    let mut covered = [0; COVERED];
    covered[0] = FORMAT;
    covered[1..5].copy_from_slice(&kid.to_be_bytes());
    covered[5..].copy_from_slice(pseudonym.as_bytes());
    let mut token = [0; BINARY_LEN];
    token[..COVERED].copy_from_slice(&covered);
    token[COVERED..].copy_from_slice(&crc32(&covered).to_be_bytes());
    token
}

/// Parses the binary form.
///
/// # Errors
/// [`TokenError`].
#[inline]
pub fn parse_binary(token: &[u8]) -> Result<(Kid, Pseudonym), TokenError> {
    let token: &[u8; BINARY_LEN] = token.try_into().map_err(|_| TokenError)?;
    let (covered, check_sum) = token.split_first_chunk::<COVERED>().ok_or(TokenError)?;
    if token[0] != FORMAT || crc32(covered).to_be_bytes() != check_sum {
        return Err(TokenError);
    }
    let (mut kid, mut pseudonym) = ([0; 4], [0; 16]);
    kid.copy_from_slice(&covered[1..5]);
    pseudonym.copy_from_slice(&covered[5..]);
    Ok((
        Kid::from_be_bytes(kid).ok_or(TokenError)?,
        Pseudonym::from_bytes(pseudonym),
    ))
}

#[cfg(test)]
mod tests;
