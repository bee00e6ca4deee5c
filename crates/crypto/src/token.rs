//! Tokens: the form in which pseudonyms travel.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | `0x11` |
//! | 4 | kid |
//! | 16 | pseudonym |
//! | 4 | CRC-32/ISO-HDLC of the 21 bytes before |
//!
//! As text, `psn1` and these 25 bytes in 40 characters of lower-case RFC 4648 base32; decoding ignores case.
//!
//! A token that carries its sealed link ([`SealedLink`]):
//!
//! | bytes | content |
//! |---|---|
//! | 1 | `0x12` |
//! | 4 | kid |
//! | 16 | pseudonym |
//! | 16 | sealed link |
//! | 4 | CRC-32/ISO-HDLC of the 37 bytes before |
//!
//! As text, `psn1` and these 41 bytes in 66 characters; the two unused bits of the last one are zero.

use sluis_domain::{Kid, Reason};

use crate::base32;
use crate::crc32::crc32;
use crate::{Pseudonym, SealedLink};

/// First byte of a binary token.
pub const FORMAT: u8 = 0x11;
/// First byte of a binary token that carries its link.
pub const CARRIED_FORMAT: u8 = 0x12;
/// First characters of a text token.
pub const TEXT_PREFIX: &[u8; 4] = b"psn1";
/// Length of a binary token in bytes.
pub const BINARY_LEN: usize = 25;
/// Length of a text token in bytes.
pub const TEXT_LEN: usize = TEXT_PREFIX.len() + 40;

/// Length of a binary token that carries its link, in bytes.
pub const CARRIED_BINARY_LEN: usize = 41;
/// Length of a text token that carries its link, in bytes.
pub const CARRIED_TEXT_LEN: usize = TEXT_PREFIX.len() + 66;

const CHECKED_LEN: usize = BINARY_LEN - 4;
const CARRIED_CHECKED_LEN: usize = CARRIED_BINARY_LEN - 4;

/// What a token of either form says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The key version.
    pub kid: Kid,
    /// The pseudonym.
    pub pseudonym: Pseudonym,
    /// The sealed link of a token that carries one.
    pub link: Option<SealedLink>,
}

impl Token {
    /// Parses the text of either form, in either case: its length says which one it must be.
    ///
    /// # Errors
    /// [`TokenError`].
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Self, TokenError> {
        if text.len() == CARRIED_TEXT_LEN {
            return parse_carried_text(text);
        }
        let (kid, pseudonym) = parse_text(text)?;
        Ok(Self {
            kid,
            pseudonym,
            link: None,
        })
    }
}

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
    parse_binary(&base32::decode(characters(text)?).ok_or(TokenError)?)
}

/// What follows the prefix, which may be in either case.
#[inline]
fn characters<const N: usize>(text: &[u8]) -> Result<&[u8; N], TokenError> {
    let (prefix, characters) = text.split_first_chunk::<4>().ok_or(TokenError)?;
    if prefix.eq_ignore_ascii_case(TEXT_PREFIX) {
        characters.try_into().map_err(|_| TokenError)
    } else {
        Err(TokenError)
    }
}

/// The binary form.
#[inline]
pub fn to_binary(kid: Kid, pseudonym: &Pseudonym) -> [u8; BINARY_LEN] {
    let mut covered = [0; CHECKED_LEN];
    covered[0] = FORMAT;
    covered[1..5].copy_from_slice(&kid.to_be_bytes());
    covered[5..].copy_from_slice(pseudonym.as_bytes());
    let mut token = [0; BINARY_LEN];
    token[..CHECKED_LEN].copy_from_slice(&covered);
    token[CHECKED_LEN..].copy_from_slice(&crc32(&covered).to_be_bytes());
    token
}

/// Parses the binary form.
///
/// # Errors
/// [`TokenError`].
#[inline]
pub fn parse_binary(token: &[u8]) -> Result<(Kid, Pseudonym), TokenError> {
    let token: &[u8; BINARY_LEN] = token.try_into().map_err(|_| TokenError)?;
    let (covered, check_sum) = token.split_first_chunk::<CHECKED_LEN>().ok_or(TokenError)?;
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

/// Appends the text form that carries the link, [`CARRIED_TEXT_LEN`] bytes.
#[inline]
pub fn write_carried_text(kid: Kid, pseudonym: &Pseudonym, link: &SealedLink, out: &mut Vec<u8>) {
    let binary = to_carried_binary(kid, pseudonym, link);
    let mut text = [0; CARRIED_TEXT_LEN];
    text[..4].copy_from_slice(TEXT_PREFIX);
    text[4..].copy_from_slice(&base32::encode_carried(&binary));
    out.extend_from_slice(&text);
}

/// Parses the text form that carries the link, in either case.
///
/// # Errors
/// [`TokenError`], also for a token without a link.
#[inline]
pub fn parse_carried_text(text: &[u8]) -> Result<Token, TokenError> {
    parse_carried_binary(&base32::decode_carried(characters(text)?).ok_or(TokenError)?)
}

/// The binary form that carries the link.
#[inline]
pub fn to_carried_binary(
    kid: Kid,
    pseudonym: &Pseudonym,
    link: &SealedLink,
) -> [u8; CARRIED_BINARY_LEN] {
    let mut checked = [0; CARRIED_CHECKED_LEN];
    checked[0] = CARRIED_FORMAT;
    checked[1..5].copy_from_slice(&kid.to_be_bytes());
    checked[5..21].copy_from_slice(pseudonym.as_bytes());
    checked[21..].copy_from_slice(link.as_bytes());
    let mut token = [0; CARRIED_BINARY_LEN];
    token[..CARRIED_CHECKED_LEN].copy_from_slice(&checked);
    token[CARRIED_CHECKED_LEN..].copy_from_slice(&crc32(&checked).to_be_bytes());
    token
}

/// Parses the binary form that carries the link. Whether the link belongs to the pseudonym is not known before it is opened
/// ([`crate::escrow::EscrowKeys::open_carried`]).
///
/// # Errors
/// [`TokenError`], also for a token without a link.
#[inline]
pub fn parse_carried_binary(token: &[u8]) -> Result<Token, TokenError> {
    let token: &[u8; CARRIED_BINARY_LEN] = token.try_into().map_err(|_| TokenError)?;
    let split = token.split_first_chunk::<CARRIED_CHECKED_LEN>();
    let (checked, check_sum) = split.ok_or(TokenError)?;
    if token[0] != CARRIED_FORMAT || crc32(checked).to_be_bytes() != check_sum {
        return Err(TokenError);
    }
    let (mut kid, mut pseudonym, mut link) = ([0; 4], [0; 16], [0; 16]);
    kid.copy_from_slice(&checked[1..5]);
    pseudonym.copy_from_slice(&checked[5..21]);
    link.copy_from_slice(&checked[21..]);
    Ok(Token {
        kid: Kid::from_be_bytes(kid).ok_or(TokenError)?,
        pseudonym: Pseudonym::from_bytes(pseudonym),
        link: Some(SealedLink::from_bytes(link)),
    })
}

#[cfg(test)]
mod carried_tests;
#[cfg(test)]
mod tests;
