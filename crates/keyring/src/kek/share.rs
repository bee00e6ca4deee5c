//! Shares of a KEK: Shamir's scheme over GF(256) (Shamir 1979), by `vsss-rs`, and their text form.
//!
//! | bytes | a share |
//! |---|---|
//! | 1 | version `0x01` |
//! | 8 | id of the set |
//! | 1 | threshold |
//! | 1 | index, from 1: where the polynomials were evaluated |
//! | 32 | one byte of each of the 32 polynomials whose values at 0 are the KEK |
//! | 4 | CRC-32/ISO-HDLC of the 43 bytes before |
//!
//! As text `sluisshare1` and 76 characters of RFC 4648 base32, written in lower case and read in either. Spare bits are zero, so a
//! share has one spelling. Fewer shares than the threshold say nothing about the key.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use rand_core::{TryCryptoRng, TryRng};
use sluis_crypto::{Secret, kdf, labels, random};
use vsss_rs::Gf256;
use zeroize::{Zeroize, Zeroizing};

use super::record::{CHECK, SET_ID, numbers_fit};
use crate::{Kek, Protection, ShareError, ShareSet};

/// Most shares a KEK is split into.
pub const MAX_SHARES: u8 = 16;

const PREFIX: &str = "sluisshare1";
const VERSION: u8 = 1;
const BODY: usize = 1 + SET_ID + 1 + 1 + Secret::LEN;
const BYTES: usize = BODY + 4;
const CHARACTERS: usize = 76;
const TEXT: usize = PREFIX.len() + CHARACTERS;

const _: () = assert!(CHARACTERS == (BYTES * 8).div_ceil(5));

/// One share of a KEK. Wiped on drop; its content is shown by [`Self::text`] only.
pub struct Share {
    pub(crate) set: [u8; SET_ID],
    pub(crate) threshold: u8,
    pub(crate) index: u8,
    pub(crate) secret: Secret,
}

impl Kek {
    /// A new random KEK in `shares` shares, of which any `threshold` make it again. The shares exist nowhere else: they
    /// are to be given to different people, and forgotten.
    ///
    /// # Errors
    /// [`ShareError::Numbers`].
    pub fn split(threshold: u8, shares: u8) -> Result<(Self, Vec<Share>), ShareError> {
        if !numbers_fit(threshold, shares) {
            return Err(ShareError::Numbers);
        }
        let (secret, set) = (Secret::random(), random::bytes());
        let split = Gf256::split_array(
            threshold.into(),
            shares.into(),
            secret.expose(),
            SystemRandom,
        );
        let split = Zeroizing::new(split.map_err(|_| ShareError::Numbers)?);
        let shares: Vec<_> = split
            .iter()
            .filter_map(|point| Share::from_point(set, threshold, point))
            .collect();
        let checks = shares.iter().map(Share::check).collect();
        Ok((
            Self::new(
                secret,
                Protection::Shares(ShareSet {
                    id: set,
                    threshold,
                    checks,
                }),
            ),
            shares,
        ))
    }
}

impl Share {
    /// Its number in its set, from 1.
    pub fn index(&self) -> u8 {
        self.index
    }

    /// The id of its set in hexadecimal.
    pub fn set(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.set)
    }

    /// The text form, for one pair of eyes; wiped on drop.
    pub fn text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        let mut body = &mut bytes[..];
        for part in [
            &[VERSION][..],
            &self.set,
            &[self.threshold, self.index],
            self.secret.expose(),
        ] {
            let (head, rest) = body.split_at_mut(part.len());
            head.copy_from_slice(part);
            body = rest;
        }
        let crc = crc32fast::hash(&bytes[..BODY]);
        bytes[BODY..].copy_from_slice(&crc.to_be_bytes());
        let mut characters = Zeroizing::new([0; CHARACTERS]);
        BASE32_NOPAD.encode_mut(&bytes[..], &mut characters[..]);
        let mut text = Zeroizing::new(String::with_capacity(TEXT));
        text.push_str(PREFIX);
        text.extend(
            characters
                .iter()
                .map(|character| char::from(character.to_ascii_lowercase())),
        );
        text
    }

    /// What the store keeps to recognise it.
    pub(crate) fn check(&self) -> [u8; CHECK] {
        let mut check = [0; CHECK];
        check.copy_from_slice(&kdf(&self.secret, labels::SHARE_CHECK).expose()[..CHECK]);
        check
    }

    /// Index and 32 bytes, as `vsss-rs` has it.
    pub(crate) fn point(&self) -> Vec<u8> {
        let mut point = Vec::with_capacity(1 + Secret::LEN);
        point.push(self.index);
        point.extend_from_slice(self.secret.expose());
        point
    }

    fn from_point(set: [u8; SET_ID], threshold: u8, point: &[u8]) -> Option<Self> {
        let (index, secret) = point.split_first()?;
        Some(Self {
            set,
            threshold,
            index: *index,
            secret: Secret::from_slice(secret)?,
        })
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (prefix, characters) = text.split_at_checked(PREFIX.len())?;
        let characters: &[u8; CHARACTERS] = characters.try_into().ok()?;
        if !prefix.eq_ignore_ascii_case(PREFIX.as_bytes()) {
            return None;
        }
        let mut characters = Zeroizing::new(*characters);
        characters.make_ascii_uppercase();
        let mut bytes = Zeroizing::new([0; BYTES]);
        // The error names a place and nothing else; what was decoded before it is wiped.
        BASE32_NOPAD
            .decode_mut(&characters[..], &mut bytes[..])
            .ok()?;
        let (body, crc) = bytes.split_at(BODY);
        if crc != crc32fast::hash(body).to_be_bytes() || body[0] != VERSION {
            return None;
        }
        let (set, point) = body[1..].split_first_chunk::<SET_ID>()?;
        let (threshold, point) = point.split_first()?;
        let share = Self::from_point(*set, *threshold, point)?;
        (numbers_fit(share.threshold, MAX_SHARES) && (1..=MAX_SHARES).contains(&share.index))
            .then_some(share)
    }
}

/// Reads the text form, and nothing but it.
impl FromStr for Share {
    type Err = ShareError;
    fn from_str(text: &str) -> Result<Self, ShareError> {
        Self::parse(text.as_bytes()).ok_or(ShareError::Malformed)
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} of set {})", self.index, self.set())
    }
}

/// The operating system's generator, as `vsss-rs` wants it.
struct SystemRandom;

impl TryRng for SystemRandom {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_ne_bytes(random::bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_ne_bytes(random::bytes()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in out.chunks_mut(Secret::LEN) {
            let mut bytes = random::bytes::<{ Secret::LEN }>();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
            bytes.zeroize();
        }
        Ok(())
    }
}

impl TryCryptoRng for SystemRandom {}

#[cfg(test)]
#[path = "share_tests.rs"]
mod tests;
