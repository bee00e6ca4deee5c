//! XAES-256-GCM (C2SP, <https://c2sp.org/XAES-256-GCM>): AES-256-GCM with a 24-byte nonce. Output is ciphertext || tag.
//!
//! The first half of the nonce makes a subkey (NIST SP 800-108r1 KDF in counter mode with CMAC), the second half is the
//! nonce under it. [`Stream`] and [`Opener`] derive that subkey once for many values.

use std::fmt;

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::{AeadInOut, Aes256Gcm};
use zeroize::{Zeroize, Zeroizing};

use crate::{SealError, Secret, random};

/// Length of a nonce in bytes.
pub const NONCE_LEN: usize = 24;
/// Length of the tag behind a ciphertext in bytes.
pub const TAG_LEN: usize = 16;

/// The part of a nonce from which the subkey is derived, and the rest.
const PREFIX_LEN: usize = 12;

/// Appends ciphertext || tag to `out`.
///
/// The nonce must never repeat under the key: take 24 random bytes, or use a [`Stream`].
///
/// # Errors
/// [`SealError::TooLong`] over 64 GiB.
pub fn seal(
    key: &Secret,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let (prefix, rest) = halves(nonce);
    seal_with(
        &SubkeyDeriver::new(key).cipher(prefix),
        rest,
        aad,
        plaintext,
        out,
    )
}

/// Appends the plaintext of `sealed` (ciphertext || tag) to `out`; on an error `out` is as it was.
///
/// # Errors
/// [`SealError::WrongLength`] if shorter than a tag, [`SealError::NotAuthentic`].
pub fn open(
    key: &Secret,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    sealed: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let (prefix, rest) = halves(nonce);
    open_with(
        &SubkeyDeriver::new(key).cipher(prefix),
        rest,
        aad,
        sealed,
        out,
    )
}

/// Seals many values under one key: nonce = random(16) || counter(8).
///
/// The random part is drawn when the stream starts, and neither stored nor used again after it; the counter never repeats
/// under it. A stream lasts for a batch or a connection, not for the life of the daemon.
pub struct Stream {
    cipher: Aes256Gcm,
    random: [u8; 16],
    counter: u64,
}

impl Stream {
    /// Starts a stream: draws its random part and derives the subkey.
    ///
    /// # Panics
    /// If the operating system gives no random bytes.
    pub fn new(key: &Secret) -> Self {
        Self::with_random(key, random::bytes())
    }

    fn with_random(key: &Secret, random: [u8; 16]) -> Self {
        let mut prefix = [0; PREFIX_LEN];
        prefix.copy_from_slice(&random[..PREFIX_LEN]);
        Self {
            cipher: SubkeyDeriver::new(key).cipher(&prefix),
            random,
            counter: 0,
        }
    }

    /// Appends nonce || ciphertext || tag to `out`, which is encrypted in place. On an error `out` is as it was.
    ///
    /// # Errors
    /// [`SealError::StreamExhausted`] after 2^64 - 1 values, [`SealError::TooLong`] over 64 GiB.
    pub fn seal(
        &mut self,
        aad: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let next = self
            .counter
            .checked_add(1)
            .ok_or(SealError::StreamExhausted)?;
        let mut nonce = [0; NONCE_LEN];
        nonce[..16].copy_from_slice(&self.random);
        nonce[16..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter = next;
        let start = out.len();
        out.reserve(NONCE_LEN + plaintext.len() + TAG_LEN);
        out.extend_from_slice(&nonce);
        seal_with(&self.cipher, halves(&nonce).1, aad, plaintext, out)
            .inspect_err(|_| out.truncate(start))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}

/// Opens many values under one key. Remembers the last subkey, so values of one [`Stream`] cost one derivation.
pub struct Opener {
    deriver: SubkeyDeriver,
    last: Option<([u8; PREFIX_LEN], Aes256Gcm)>,
}

impl Opener {
    /// An opener that remembers nothing yet.
    pub fn new(key: &Secret) -> Self {
        Self {
            deriver: SubkeyDeriver::new(key),
            last: None,
        }
    }

    /// Appends the plaintext of `sealed` (nonce || ciphertext || tag) to `out`; on an error `out` is as it was.
    ///
    /// # Errors
    /// [`SealError::WrongLength`] if shorter than a nonce and a tag, [`SealError::NotAuthentic`].
    pub fn open(&mut self, aad: &[u8], sealed: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SealError::WrongLength)?;
        let (prefix, rest) = halves(nonce);
        let cipher = match &mut self.last {
            Some((known, cipher)) if known == prefix => cipher,
            last => &mut last.insert((*prefix, self.deriver.cipher(prefix))).1,
        };
        open_with(cipher, rest, aad, sealed, out)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener(..)")
    }
}

/// Steps 1 and 2 of the specification, done once per key; both members are zeroised on drop.
struct SubkeyDeriver {
    aes: Aes256,
    /// The CMAC subkey K1.
    k1: Zeroizing<[u8; 16]>,
}

impl SubkeyDeriver {
    fn new(key: &Secret) -> Self {
        let aes = Aes256::new(key.expose().into());
        let mut l = [0; 16];
        aes.encrypt_block((&mut l).into());
        let wide = u128::from_be_bytes(l);
        let reduction = (wide >> 127) * 0b1000_0111;
        l.zeroize();
        Self {
            aes,
            k1: Zeroizing::new(((wide << 1) ^ reduction).to_be_bytes()),
        }
    }

    /// Steps 3 to 5: the cipher under the subkey of the nonce's first 12 bytes.
    fn cipher(&self, prefix: &[u8; PREFIX_LEN]) -> Aes256Gcm {
        let mut subkey = Zeroizing::new([0; 32]);
        for (half, counter) in subkey.as_chunks_mut::<16>().0.iter_mut().zip([1, 2]) {
            half[..4].copy_from_slice(&[0, counter, b'X', 0]);
            half[4..].copy_from_slice(prefix);
            half.iter_mut()
                .zip(self.k1.iter())
                .for_each(|(byte, k)| *byte ^= k);
            self.aes.encrypt_block(half.into());
        }
        Aes256Gcm::new((&*subkey).into())
    }
}

fn halves(nonce: &[u8; NONCE_LEN]) -> (&[u8; PREFIX_LEN], &[u8; PREFIX_LEN]) {
    let (halves, _) = nonce.as_chunks::<PREFIX_LEN>();
    (&halves[0], &halves[1])
}

/// Reserves before the plaintext is copied in, so that no copy of it stays behind in a buffer that was outgrown.
fn seal_with(
    cipher: &Aes256Gcm,
    nonce: &[u8; 12],
    aad: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    out.reserve(plaintext.len() + TAG_LEN);
    let start = out.len();
    out.extend_from_slice(plaintext);
    let sealed = cipher.encrypt_inout_detached(nonce.into(), aad, out[start..].as_mut().into());
    match sealed {
        Ok(tag) => out.extend_from_slice(&tag),
        Err(_) => {
            out[start..].zeroize();
            out.truncate(start);
        }
    }
    sealed.map(drop).map_err(|_| SealError::TooLong)
}

fn open_with(
    cipher: &Aes256Gcm,
    nonce: &[u8; 12],
    aad: &[u8],
    sealed: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let (ciphertext, tag) = sealed
        .split_last_chunk::<TAG_LEN>()
        .ok_or(SealError::WrongLength)?;
    let start = out.len();
    out.extend_from_slice(ciphertext);
    // Verifies before it decrypts, so a failure leaves only ciphertext to take back.
    let opened =
        cipher.decrypt_inout_detached(nonce.into(), aad, out[start..].as_mut().into(), tag.into());
    opened.map_err(|_| {
        out.truncate(start);
        SealError::NotAuthentic
    })
}

#[cfg(test)]
mod tests;
