//! How the keyring was opened.

use sluis_domain::codec::{DecodeError, Reader, Writer};

/// Where the key-encryption key came from. Numbers are frozen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum KeySource {
    /// Shares of several people.
    Shares = 1,
    /// A file on the daemon's machine.
    File = 2,
    /// A credential of systemd.
    Credential = 3,
    /// A hardware security module.
    Token = 4,
}

/// A share that was presented, or an opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Where the key came from.
    pub source: KeySource,
    /// Shares presented so far; 0 where the key is not in shares.
    pub presented: u8,
    /// Shares needed; 0 where the key is not in shares.
    pub needed: u8,
}

impl Opening {
    /// The key was fetched whole.
    pub fn fetched(source: KeySource) -> Self {
        Self {
            source,
            presented: 0,
            needed: 0,
        }
    }

    /// A share was presented.
    pub fn share(presented: u8, needed: u8) -> Self {
        Self {
            source: KeySource::Shares,
            presented,
            needed,
        }
    }

    /// Whether the daemon may do this by itself, without a caller: the one who presents a share is on record.
    pub fn may_be_automatic(&self) -> bool {
        self.source != KeySource::Shares
    }

    /// The canonical bytes: source, shares presented, shares needed; one byte each.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(self.source as u8)
            .u8(self.presented)
            .u8(self.needed)
            .finish()
    }

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else: more shares than are needed, or shares of a key that is not in shares.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::plain(bytes);
        let source = match input.u8()? {
            1 => KeySource::Shares,
            2 => KeySource::File,
            3 => KeySource::Credential,
            4 => KeySource::Token,
            _ => return Err(DecodeError),
        };
        let opening = Self {
            source,
            presented: input.u8()?,
            needed: input.u8()?,
        };
        input.end()?;
        let shares = (1..=opening.needed).contains(&opening.presented);
        let whole = (opening.presented, opening.needed) == (0, 0);
        let fits = match source {
            KeySource::Shares => shares,
            KeySource::File | KeySource::Credential | KeySource::Token => whole,
        };
        fits.then_some(opening).ok_or(DecodeError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_bytes_are_frozen_and_nothing_else_is_read() {
        for (opening, bytes) in [
            (Opening::share(2, 3), [1, 2, 3]),
            (Opening::fetched(KeySource::File), [2, 0, 0]),
            (Opening::fetched(KeySource::Credential), [3, 0, 0]),
            (Opening::fetched(KeySource::Token), [4, 0, 0]),
        ] {
            assert_eq!(opening.encode(), bytes);
            assert_eq!(Opening::decode(&bytes), Ok(opening));
        }
        for bytes in [
            &[1, 0, 3][..],
            &[1, 4, 3],
            &[1, 0, 0],
            &[2, 1, 1],
            &[5, 0, 0],
            &[0, 0],
            &[2, 0, 0, 0],
            &[],
        ] {
            assert_eq!(Opening::decode(bytes), Err(DecodeError), "{bytes:?}");
        }
    }
}
