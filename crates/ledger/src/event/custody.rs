//! Who runs the custodian, its keys as a whole, and restores.
//!
//! | act | body |
//! |---|---|
//! | `initialise` | LP origin of the log, LP text of its first verifier key |
//! | `custodians` | LP of [`custodian::encode`] |
//! | `unseal` | LP of [`Opening::encode`](crate::opening::Opening::encode) |
//! | `restore` | LP of [`Restore::encode`], then two signatures: each LP organisation, LP member, LP signature, LP certificate |
//! | `seal`, `kek-rotate`, `backup` | nothing |

use sluis_crypto::VerifierKey;
use sluis_domain::codec::{DecodeError, Reader, Writer};

use super::keys::read_key;
use super::{Signature, read_nested};
use crate::custodian::{self, Custodian};
use crate::restore::Restore;

/// The log begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Initialised {
    /// Its origin.
    pub origin: String,
    /// Its first signing key.
    pub key: VerifierKey,
}

/// The log goes on from an older copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// What was signed.
    pub restore: Restore,
    /// Of two custodians.
    pub signatures: [Signature; 2],
}

impl Initialised {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(&self.origin).lp(self.key.to_string());
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            origin: input.text()?.to_owned(),
            key: read_key(input)?,
        })
    }
}

impl Restored {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.restore.encode());
        self.signatures.iter().for_each(|one| one.write(out));
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            restore: read_nested(input, Restore::decode, Restore::encode)?,
            signatures: [Signature::read(input)?, Signature::read(input)?],
        })
    }
}

pub(super) fn write_custodians(custodians: &[Custodian], out: &mut Writer) {
    out.lp(custodian::encode(custodians));
}

pub(super) fn read_custodians(input: &mut Reader<'_>) -> Result<Vec<Custodian>, DecodeError> {
    read_nested(input, custodian::decode, |custodians| {
        custodian::encode(custodians)
    })
}
