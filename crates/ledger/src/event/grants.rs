//! Grants: requested, approved, denied, revoked, ended.
//!
//! `grant-request`: LP of [`Grant::encode`].
//!
//! `grant-approve`, `grant-deny` and `grant-revoke`:
//!
//! | field | bytes |
//! |---|---|
//! | grant | see below |
//! | signature | LP organisation, LP member, LP signature, LP certificate |
//!
//! `grant-expire`: the grant alone. A grant is named like this:
//!
//! | field | bytes |
//! |---|---|
//! | id | LP |
//! | digest | 32: SHA-256 of its canonical bytes |
//! | chain, to-chain | LP, LP: empty if it converts nothing |
//! | purpose | LP: not empty |

use sluis_crypto::digest::sha256;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, GrantId};

use super::{Signature, read_nested};
use crate::grant::Grant;

/// A grant as entries name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantRef {
    /// Its id.
    pub id: GrantId,
    /// SHA-256 of its canonical bytes.
    pub digest: [u8; 32],
    /// The chain it is about, or that it converts from.
    pub chain: ChainId,
    /// The chain it converts to.
    pub to_chain: Option<ChainId>,
    /// Its purpose: not empty.
    pub purpose: String,
}

/// A grant was approved, denied or revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantSigned {
    /// The grant.
    pub grant: GrantRef,
    /// Of the caller.
    pub signature: Signature,
}

impl GrantRef {
    /// As entries name this grant.
    pub fn of(grant: &Grant) -> Self {
        let (chain, to_chain) = grant.chains();
        Self {
            id: grant.id.clone(),
            digest: sha256(&grant.encode()),
            chain: chain.clone(),
            to_chain: to_chain.cloned(),
            purpose: grant.terms.purpose.clone(),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.id.as_str())
            .fixed(&self.digest)
            .lp(self.chain.as_str());
        out.lp(self.to_chain.as_ref().map_or("", ChainId::as_str));
        out.lp(&self.purpose);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let grant = Self {
            id: input.parse()?,
            digest: input.array()?,
            chain: input.parse()?,
            to_chain: input.parse_optional()?,
            purpose: input.text()?.to_owned(),
        };
        if grant.purpose.is_empty() {
            Err(DecodeError)
        } else {
            Ok(grant)
        }
    }
}

impl GrantSigned {
    pub(super) fn write(&self, out: &mut Writer) {
        self.grant.write(out);
        self.signature.write(out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            grant: GrantRef::read(input)?,
            signature: Signature::read(input)?,
        })
    }
}

pub(super) fn read_grant(input: &mut Reader<'_>) -> Result<Grant, DecodeError> {
    read_nested(input, Grant::decode, Grant::encode)
}
