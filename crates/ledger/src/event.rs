//! Entries of the log: who did what, when, and how it ended, with the fields of that act and no others.
//!
//! An entry holds no personal data: no identifier, value, pseudonym or key.
//!
//! # Canonical bytes, format 3
//!
//! Integers are big-endian; `LP(x)` is a 2-byte length and then x.
//!
//! | field | bytes |
//! |---|---|
//! | format | 1: `0x03` (`0x01` was used before the log was signed, `0x02` before entries had a salt; retired) |
//! | salt | 16: random; see [`Salt`] |
//! | at | 8: milliseconds since 1970-01-01T00:00:00Z |
//! | act | 1: see [`Act`] |
//! | outcome | 1: `0` done; `1` refused, and then LP reason code |
//! | registry version | 8 |
//! | caller | LP organisation, LP member, 32: SHA-256 of the client certificate (DER), not all zeros |
//! | body | of the act that was done, see the files of this module; of a refusal, see [`Refusal`] |
//!
//! Whether there is a caller is fixed by the act ([`Act`]). A refusal has one, and so has what a caller does. `initialise`,
//! `custodians`, `kek-rotate`, `restore`, `retention-warning`, `chain-expire`, `subjects-erase`, `proposal-expire` and
//! `grant-expire` have no bytes for one. `unseal` and `seal` have a byte before it: `1`, or `0` and then no caller.
//!
//! An entry has at most [`MAX_ENTRY`] bytes. Whatever is left after the body is an error.
//!
//! These bytes are frozen: they are the leaves of the log. A change is a new format number.

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{ChainId, Identity, Reason, Timestamp};

use crate::audit::{Act, MAX_ENTRY, Outcome, Salt};
use crate::custodian::Custodian;
use crate::grant::Grant;
use crate::opening::Opening;
use crate::proposal::Proposal;
use crate::statement::Signed;

mod batches;
mod custody;
mod grants;
mod keys;
mod life;
mod proposals;
mod refused;
mod registry;
mod view;

pub use batches::{Granted, KeyUse, Submitted};
pub use custody::{Initialised, Restored};
pub use grants::{GrantRef, GrantSigned};
pub use keys::{AuditKeyRotated, Disabled, KeyVersion, LineVersion, Rotated};
pub use life::{ChainExpired, ErasedLine, SubjectsErased};
pub use proposals::{OptedOut, ProposalRef, ProposalSigned, VersionEnded};
pub use refused::{About, Refusal};
pub use registry::RegistryApplied;
pub use view::Counts;

const FORMAT: u8 = 3;

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// When, who did it, under which registry.
    pub header: Header,
    /// What.
    pub event: Event,
}

/// What all entries have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Makes its hash tell nothing about the rest. Fresh random bytes for every entry.
    pub salt: Salt,
    /// When.
    pub at: Timestamp,
    /// Registry version in force.
    pub registry_version: u64,
    /// Who. `None` for the daemon itself and for the operator at its console. An act that has no caller is written without.
    pub caller: Option<Caller>,
}

/// Who did it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Organisation and member.
    pub identity: Identity,
    /// SHA-256 of their certificate.
    pub fingerprint: [u8; 32],
}

/// A person's signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// Who signed.
    pub signer: Identity,
    /// Their signature and certificate, see [`crate::statement`].
    pub signed: Signed,
}

/// What was done or refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A batch was pseudonymised.
    Pseudonymise(Submitted),
    /// A batch of an existing mapping was imported.
    Import(Submitted),
    /// A batch was converted.
    Convert(Granted),
    /// A batch was re-identified.
    Reidentify(Granted),
    /// A grant was requested.
    RequestGrant(Grant),
    /// A grant was approved.
    ApproveGrant(GrantSigned),
    /// A grant was denied.
    DenyGrant(GrantSigned),
    /// A grant was revoked.
    RevokeGrant(GrantSigned),
    /// A grant whose end had passed ended.
    ExpireGrant(GrantRef),
    /// A registry came into force.
    ApplyRegistry(RegistryApplied),
    /// Key lines got new versions.
    RotateChain(Rotated),
    /// A key version was disabled.
    DisableVersion(Disabled),
    /// The log's signing key was replaced.
    RotateAuditKey(AuditKeyRotated),
    /// A backup was made.
    CreateBackup,
    /// The custodian was set up.
    Initialise(Initialised),
    /// The configuration names these custodians from now on.
    Custodians(Vec<Custodian>),
    /// A share was presented, or the keyring was opened.
    Unseal(Opening),
    /// The keyring was closed.
    Seal,
    /// The key-encryption key was replaced.
    RotateKek,
    /// A restored store was accepted.
    AcceptRestore(Restored),
    /// Something was proposed that needs signatures.
    Propose(Proposal),
    /// A proposal was signed.
    SignProposal(ProposalSigned),
    /// A proposal was rejected or withdrawn.
    RejectProposal(ProposalSigned),
    /// A proposal that was not signed in time ended.
    ExpireProposal(ProposalRef),
    /// A key version was destroyed.
    DestroyVersion(VersionEnded),
    /// The escrow of a key version was cut.
    CutEscrow(VersionEnded),
    /// The erasure of a subject came into force.
    OptOut(OptedOut),
    /// A chain is past its retention and will be destroyed.
    WarnRetention(ChainId),
    /// A chain past its retention was destroyed.
    ExpireChain(ChainExpired),
    /// Rows of opted-out subjects were removed from a chain.
    EraseSubjects(SubjectsErased),
    /// Something was refused.
    Refused(Refusal),
}

/// Whether an act that was done has a caller.
enum Called {
    Never,
    Maybe,
    Always,
}

impl Entry {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let header = &self.header;
        let mut out = Writer::new(FORMAT);
        out.fixed(&header.salt)
            .u64(header.at.millis())
            .u8(self.event.act() as u8);
        match self.event.refused() {
            None => out.u8(0),
            Some(reason) => out.u8(1).lp(reason.code()),
        };
        out.u64(header.registry_version);
        match (self.event.called(), &header.caller) {
            (Called::Never, _) => {}
            (Called::Maybe, None) => drop(out.u8(0)),
            (Called::Maybe, Some(caller)) => caller.write(out.u8(1)),
            (Called::Always, Some(caller)) => caller.write(&mut out),
            // No decoder takes an identity of two empty names.
            (Called::Always, None) => drop(out.lp("").lp("").fixed(&[0; 32])),
        }
        self.event.write(&mut out);
        out.finish()
    }

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that [`Self::encode`] would not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_ENTRY {
            return Err(DecodeError);
        }
        let mut input = Reader::new(bytes, FORMAT)?;
        let salt = input.array()?;
        let at = Timestamp::from_millis(input.u64()?).ok_or(DecodeError)?;
        let act = Act::from_number(input.u8()?)?;
        let refused = match input.u8()? {
            0 => None,
            1 => Some(Reason::from_code(input.text()?).ok_or(DecodeError)?),
            _ => return Err(DecodeError),
        };
        let registry_version = input.u64()?;
        let called = if refused.is_some() {
            Called::Always
        } else {
            called(act)
        };
        let caller = read_caller(&called, &mut input)?;
        let event = match refused {
            None => Event::read(act, &mut input)?,
            Some(reason) => Event::Refused(Refusal::read(act, reason, &mut input)?),
        };
        input.end()?;
        let header = Header {
            salt,
            at,
            registry_version,
            caller,
        };
        Ok(Self { header, event })
    }
}

impl Event {
    /// What was done or refused.
    pub fn act(&self) -> Act {
        match self {
            Self::Pseudonymise(_) => Act::Pseudonymise,
            Self::Import(_) => Act::Import,
            Self::Convert(_) => Act::Convert,
            Self::Reidentify(_) => Act::Reidentify,
            Self::RequestGrant(_) => Act::RequestGrant,
            Self::ApproveGrant(_) => Act::ApproveGrant,
            Self::DenyGrant(_) => Act::DenyGrant,
            Self::RevokeGrant(_) => Act::RevokeGrant,
            Self::ExpireGrant(_) => Act::ExpireGrant,
            Self::ApplyRegistry(_) => Act::ApplyRegistry,
            Self::RotateChain(_) => Act::RotateChain,
            Self::DisableVersion(_) => Act::DisableVersion,
            Self::RotateAuditKey(_) => Act::RotateAuditKey,
            Self::CreateBackup => Act::CreateBackup,
            Self::Initialise(_) => Act::Initialise,
            Self::Custodians(_) => Act::Custodians,
            Self::Unseal(_) => Act::Unseal,
            Self::Seal => Act::Seal,
            Self::RotateKek => Act::RotateKek,
            Self::AcceptRestore(_) => Act::AcceptRestore,
            Self::Propose(_) => Act::Propose,
            Self::SignProposal(_) => Act::SignProposal,
            Self::RejectProposal(_) => Act::RejectProposal,
            Self::ExpireProposal(_) => Act::ExpireProposal,
            Self::DestroyVersion(_) => Act::DestroyVersion,
            Self::CutEscrow(_) => Act::CutEscrow,
            Self::OptOut(_) => Act::OptOut,
            Self::WarnRetention(_) => Act::WarnRetention,
            Self::ExpireChain(_) => Act::ExpireChain,
            Self::EraseSubjects(_) => Act::EraseSubjects,
            Self::Refused(refusal) => refusal.act,
        }
    }

    /// Why it was refused; `None` if it was done.
    pub fn refused(&self) -> Option<Reason> {
        match self {
            Self::Refused(refusal) => Some(refusal.reason),
            _ => None,
        }
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.refused().map_or(Outcome::Done, Outcome::Refused)
    }

    fn called(&self) -> Called {
        match self {
            Self::Refused(_) => Called::Always,
            done => called(done.act()),
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Pseudonymise(batch) | Self::Import(batch) => batch.write(out),
            Self::Convert(batch) | Self::Reidentify(batch) => batch.write(out),
            Self::RequestGrant(grant) => drop(out.lp(grant.encode())),
            Self::ApproveGrant(signed) | Self::DenyGrant(signed) | Self::RevokeGrant(signed) => {
                signed.write(out);
            }
            Self::ExpireGrant(grant) => grant.write(out),
            Self::ApplyRegistry(applied) => applied.write(out),
            Self::RotateChain(rotated) => rotated.write(out),
            Self::DisableVersion(disabled) => disabled.write(out),
            Self::RotateAuditKey(rotated) => rotated.write(out),
            Self::CreateBackup | Self::Seal | Self::RotateKek => {}
            Self::Initialise(first) => first.write(out),
            Self::Custodians(custodians) => custody::write_custodians(custodians, out),
            Self::Unseal(opening) => drop(out.lp(opening.encode())),
            Self::AcceptRestore(restored) => restored.write(out),
            Self::Propose(proposal) => drop(out.lp(proposal.encode())),
            Self::SignProposal(signed) | Self::RejectProposal(signed) => signed.write(out),
            Self::ExpireProposal(proposal) => proposal.write(out),
            Self::DestroyVersion(ended) | Self::CutEscrow(ended) => ended.write(out),
            Self::OptOut(opted_out) => opted_out.write(out),
            Self::WarnRetention(chain) => drop(out.lp(chain.as_str())),
            Self::ExpireChain(expired) => expired.write(out),
            Self::EraseSubjects(erased) => erased.write(out),
            Self::Refused(refusal) => refusal.write(out),
        }
    }

    fn read(act: Act, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match act {
            Act::Pseudonymise => Self::Pseudonymise(Submitted::read(input)?),
            Act::Import => Self::Import(Submitted::read(input)?),
            Act::Convert => Self::Convert(Granted::read(input)?),
            Act::Reidentify => Self::Reidentify(Granted::read(input)?),
            Act::RequestGrant => Self::RequestGrant(grants::read_grant(input)?),
            Act::ApproveGrant => Self::ApproveGrant(GrantSigned::read(input)?),
            Act::DenyGrant => Self::DenyGrant(GrantSigned::read(input)?),
            Act::RevokeGrant => Self::RevokeGrant(GrantSigned::read(input)?),
            Act::ExpireGrant => Self::ExpireGrant(GrantRef::read(input)?),
            Act::ApplyRegistry => Self::ApplyRegistry(RegistryApplied::read(input)?),
            Act::RotateChain => Self::RotateChain(Rotated::read(input)?),
            Act::DisableVersion => Self::DisableVersion(Disabled::read(input)?),
            Act::RotateAuditKey => Self::RotateAuditKey(AuditKeyRotated::read(input)?),
            Act::CreateBackup => Self::CreateBackup,
            Act::Initialise => Self::Initialise(Initialised::read(input)?),
            Act::Custodians => Self::Custodians(custody::read_custodians(input)?),
            Act::Unseal => Self::Unseal(Opening::decode(input.lp()?)?),
            Act::Seal => Self::Seal,
            Act::RotateKek => Self::RotateKek,
            Act::AcceptRestore => Self::AcceptRestore(Restored::read(input)?),
            Act::Propose => Self::Propose(proposals::read_proposal(input)?),
            Act::SignProposal => Self::SignProposal(ProposalSigned::read(input)?),
            Act::RejectProposal => Self::RejectProposal(ProposalSigned::read(input)?),
            Act::ExpireProposal => Self::ExpireProposal(ProposalRef::read(input)?),
            Act::DestroyVersion => Self::DestroyVersion(VersionEnded::read(input)?),
            Act::CutEscrow => Self::CutEscrow(VersionEnded::read(input)?),
            Act::OptOut => Self::OptOut(OptedOut::read(input)?),
            Act::WarnRetention => Self::WarnRetention(input.parse()?),
            Act::ExpireChain => Self::ExpireChain(ChainExpired::read(input)?),
            Act::EraseSubjects => Self::EraseSubjects(SubjectsErased::read(input)?),
            // On record only when they were refused.
            Act::ReadGrants
            | Act::ReadRegistry
            | Act::ReadStatus
            | Act::ReadAudit
            | Act::Admit
            | Act::ReadProposals
            | Act::ReadHead => return Err(DecodeError),
        })
    }
}

fn called(act: Act) -> Called {
    match act {
        Act::Initialise
        | Act::Custodians
        | Act::RotateKek
        | Act::AcceptRestore
        | Act::WarnRetention
        | Act::ExpireChain
        | Act::EraseSubjects
        | Act::ExpireProposal
        | Act::ExpireGrant => Called::Never,
        Act::Unseal | Act::Seal => Called::Maybe,
        _ => Called::Always,
    }
}

fn read_caller(called: &Called, input: &mut Reader<'_>) -> Result<Option<Caller>, DecodeError> {
    let there = match called {
        Called::Never => false,
        Called::Always => true,
        Called::Maybe => match input.u8()? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError),
        },
    };
    there.then(|| Caller::read(input)).transpose()
}

impl Caller {
    fn write(&self, out: &mut Writer) {
        write_identity(&self.identity, out);
        out.fixed(&self.fingerprint);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let identity = read_identity(input)?;
        let fingerprint = input.array()?;
        // No certificate has this digest.
        if fingerprint == [0; 32] {
            return Err(DecodeError);
        }
        Ok(Self {
            identity,
            fingerprint,
        })
    }
}

impl Signature {
    /// LP organisation, LP member, LP signature, LP certificate (DER).
    fn write(&self, out: &mut Writer) {
        write_identity(&self.signer, out);
        self.signed.write(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            signer: read_identity(input)?,
            signed: Signed::read(input)?,
        })
    }
}

fn write_identity(identity: &Identity, out: &mut Writer) {
    out.lp(identity.organisation.as_str())
        .lp(identity.member.as_str());
}

fn read_identity(input: &mut Reader<'_>) -> Result<Identity, DecodeError> {
    Ok(Identity {
        organisation: input.parse()?,
        member: input.parse()?,
    })
}

/// A value in its own canonical bytes, LP: only those that its encoder writes.
fn read_nested<T>(
    input: &mut Reader<'_>,
    decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    encode: impl FnOnce(&T) -> Vec<u8>,
) -> Result<T, DecodeError> {
    let bytes = input.lp()?;
    let value = decode(bytes)?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(DecodeError)
    }
}

#[cfg(test)]
mod tests;
