//! Proposals: made, signed, rejected, ended, and what came of those about keys and subjects.
//!
//! `proposal`: LP of [`Proposal::encode`].
//!
//! `proposal-sign` and `proposal-reject`: the proposal, then LP organisation, LP member, LP signature, LP certificate.
//! `proposal-expire`: the proposal alone. It is named like this:
//!
//! | field | bytes |
//! |---|---|
//! | id | LP |
//! | digest | 32: SHA-256 of its canonical bytes |
//! | chain | LP: of the key version that is to end; otherwise empty |
//!
//! `version-destroy` and `escrow-cut`:
//!
//! | field | bytes |
//! |---|---|
//! | proposal's id | LP |
//! | its digest | 32 |
//! | chain, namespace, kid | LP, LP (empty: encrypted elements), 4: not zero |
//!
//! `opt-out`: id and digest alone.

use sluis_crypto::digest::sha256;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, ProposalId};

use super::keys::{KeyVersion, LineVersion};
use super::{Signature, read_nested};
use crate::proposal::Proposal;

/// A proposal as entries name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposalRef {
    /// Its id.
    pub id: ProposalId,
    /// SHA-256 of its canonical bytes.
    pub digest: [u8; 32],
    /// The chain of the key version that is to end.
    pub chain: Option<ChainId>,
}

/// A proposal was signed or rejected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposalSigned {
    /// The proposal.
    pub proposal: ProposalRef,
    /// Of the caller.
    pub signature: Signature,
}

/// A key version was destroyed, or its escrow cut.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionEnded {
    /// The proposal's id.
    pub proposal: ProposalId,
    /// SHA-256 of the proposal's canonical bytes.
    pub digest: [u8; 32],
    /// The version.
    pub version: KeyVersion,
}

/// The erasure of a subject came into force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OptedOut {
    /// The proposal's id.
    pub proposal: ProposalId,
    /// SHA-256 of the proposal's canonical bytes.
    pub digest: [u8; 32],
}

impl ProposalRef {
    /// As entries name this proposal.
    pub fn of(proposal: &Proposal) -> Self {
        Self {
            id: proposal.id.clone(),
            digest: sha256(&proposal.encode()),
            chain: proposal.matter.chain().cloned(),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.id.as_str()).fixed(&self.digest);
        out.lp(self.chain.as_ref().map_or("", ChainId::as_str));
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: input.parse()?,
            digest: input.array()?,
            chain: input.parse_optional()?,
        })
    }
}

impl ProposalSigned {
    pub(super) fn write(&self, out: &mut Writer) {
        self.proposal.write(out);
        self.signature.write(out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            proposal: ProposalRef::read(input)?,
            signature: Signature::read(input)?,
        })
    }
}

impl VersionEnded {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.proposal.as_str()).fixed(&self.digest);
        out.lp(self.version.chain.as_str());
        LineVersion::write_of(self.version.namespace.as_ref(), self.version.kid, out);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (proposal, digest) = (input.parse()?, input.array()?);
        let chain = input.parse()?;
        Ok(Self {
            proposal,
            digest,
            version: LineVersion::read(input)?.of(&chain),
        })
    }
}

impl OptedOut {
    pub(super) fn write(&self, out: &mut Writer) {
        out.lp(self.proposal.as_str()).fixed(&self.digest);
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            proposal: input.parse()?,
            digest: input.array()?,
        })
    }
}

pub(super) fn read_proposal(input: &mut Reader<'_>) -> Result<Proposal, DecodeError> {
    read_nested(input, Proposal::decode, Proposal::encode)
}
