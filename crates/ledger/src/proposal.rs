//! Proposals: what becomes effective only when enough people have signed it.
//!
//! A registry change, the end of a key version or of its escrow, and the erasure of a subject. The state machine is
//! pure: `open -> effective | rejected | stale | expired`. What a proposal says never changes; signatures and its end
//! are added to it.

use crate::Signed;
use crate::registry::Signers;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{
    ChainId, Identity, Kid, NamespaceId, OrganisationId, ProposalId, Reason, Timestamp,
};

const PROPOSAL_FORMAT: u8 = 1;
const RECORD_FORMAT: u8 = 1;

/// How long a proposal waits for its signatures: 30 days, in milliseconds.
pub const LIFE_MILLIS: u64 = 30 * sluis_domain::time::DAY_MILLIS;

/// What is proposed. Numbers in the canonical bytes are frozen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Matter {
    /// 1: another registry.
    Registry {
        /// The version it replaces.
        base_version: u64,
        /// SHA-256 of the text it replaces.
        base_digest: [u8; 32],
        /// SHA-256 of its own text.
        digest: [u8; 32],
    },
    /// 2: the destruction of a disabled key version.
    DestroyVersion {
        /// The version.
        kid: Kid,
        /// Its chain.
        chain: ChainId,
        /// Its namespace; `None` for the chain's encrypted elements.
        namespace: Option<NamespaceId>,
    },
    /// 3: the end of the escrow of a key version.
    CutEscrow {
        /// The version.
        kid: Kid,
        /// Its chain.
        chain: ChainId,
        /// Its namespace.
        namespace: NamespaceId,
    },
    /// 4: the erasure of a subject, and its refusal from then on. Which subject, only the custodian's sealed state says.
    Erase {
        /// The kind of identifier it was presented by.
        namespace: NamespaceId,
    },
}

impl Matter {
    /// The chain of the key version that is to end.
    pub fn chain(&self) -> Option<&ChainId> {
        match self {
            Self::DestroyVersion { chain, .. } | Self::CutEscrow { chain, .. } => Some(chain),
            Self::Registry { .. } | Self::Erase { .. } => None,
        }
    }
}

/// The immutable part of a proposal. Signatures are over its canonical bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// What is proposed.
    pub matter: Matter,
    /// Who proposed.
    pub proposer: Identity,
    /// When.
    pub at: Timestamp,
    /// Until when it waits (exclusive).
    pub not_after: Timestamp,
    /// Under which registry version.
    pub registry_version: u64,
    /// Who must sign, and how many of them.
    pub required: Vec<(Signers, u8)>,
}

impl Proposal {
    /// The canonical bytes (format 1).
    ///
    /// | field | bytes |
    /// |---|---|
    /// | format | 1: `0x01` |
    /// | id | LP |
    /// | matter | 1: number |
    /// | 1: registry | base version 8, SHA-256 of the base text 32, SHA-256 of the text 32 |
    /// | 2: destroy, 3: cut | kid 4, LP chain, LP namespace |
    /// | 4: erase | LP namespace |
    /// | proposer | LP organisation, LP member |
    /// | at, not after, registry version | 8 + 8 + 8 |
    /// | required | 2-byte count; each LP organisation (empty: custodians), number 1 |
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(PROPOSAL_FORMAT);
        out.lp(self.id.as_str());
        match &self.matter {
            Matter::Registry {
                base_version,
                base_digest,
                digest,
            } => {
                out.u8(1)
                    .u64(*base_version)
                    .fixed(base_digest)
                    .fixed(digest);
            }
            Matter::DestroyVersion {
                kid,
                chain,
                namespace,
            } => {
                out.u8(2).fixed(&kid.to_be_bytes()).lp(chain.as_str());
                out.lp(namespace.as_ref().map_or("", NamespaceId::as_str));
            }
            Matter::CutEscrow {
                kid,
                chain,
                namespace,
            } => {
                out.u8(3)
                    .fixed(&kid.to_be_bytes())
                    .lp(chain.as_str())
                    .lp(namespace.as_str());
            }
            Matter::Erase { namespace } => {
                out.u8(4).lp(namespace.as_str());
            }
        }
        out.lp(self.proposer.organisation.as_str())
            .lp(self.proposer.member.as_str());
        out.u64(self.at.millis())
            .u64(self.not_after.millis())
            .u64(self.registry_version);
        out.u16(u16::try_from(self.required.len()).expect("a registry has few owners"));
        for (signers, count) in &self.required {
            match signers {
                Signers::Custodians => out.lp(""),
                Signers::StewardsOf(organisation) => out.lp(organisation.as_str()),
            }
            .u8(*count);
        }
        out.finish()
    }

    /// Reads canonical bytes back.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, PROPOSAL_FORMAT)?;
        let id = input.parse()?;
        let matter = match input.u8()? {
            1 => Matter::Registry {
                base_version: input.u64()?,
                base_digest: input.array()?,
                digest: input.array()?,
            },
            2 => Matter::DestroyVersion {
                kid: kid(&mut input)?,
                chain: input.parse()?,
                namespace: input.parse_optional()?,
            },
            3 => Matter::CutEscrow {
                kid: kid(&mut input)?,
                chain: input.parse()?,
                namespace: input.parse()?,
            },
            4 => Matter::Erase {
                namespace: input.parse()?,
            },
            _ => return Err(DecodeError),
        };
        let proposal = Self {
            id,
            matter,
            proposer: Identity {
                organisation: input.parse()?,
                member: input.parse()?,
            },
            at: timestamp(&mut input)?,
            not_after: timestamp(&mut input)?,
            registry_version: input.u64()?,
            required: (0..input.u16()?)
                .map(|_| {
                    let organisation: Option<OrganisationId> = input.parse_optional()?;
                    Ok((
                        organisation.map_or(Signers::Custodians, Signers::StewardsOf),
                        input.u8()?,
                    ))
                })
                .collect::<Result<_, _>>()?,
        };
        input.end()?;
        Ok(proposal)
    }

    /// A source asked for the erasure of a subject and so cannot sign it; anyone who proposes anything else may sign it
    /// too, since more people than one must.
    pub fn proposer_may_sign(&self) -> bool {
        !matches!(self.matter, Matter::Erase { .. })
    }
}

/// One person's yes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// Who.
    pub signer: Identity,
    /// As one of which group.
    pub among: Signers,
    /// When.
    pub at: Timestamp,
    /// Their signature over `proposal-sign` and the canonical bytes.
    pub signed: Signed,
}

/// How a proposal ended. Numbers are frozen; 0 says that it has not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum End {
    /// It was done.
    Effective = 1,
    /// Someone who could have signed said no, or the proposer withdrew it.
    Rejected = 2,
    /// What it was about changed meanwhile.
    Stale = 3,
    /// No one signed in time, and the log says so.
    Expired = 4,
}

/// Where a proposal stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Waits for signatures.
    Open,
    /// Done.
    Effective,
    /// Rejected or withdrawn.
    Rejected,
    /// What it was about changed meanwhile.
    Stale,
    /// No one signed in time.
    Expired,
}

/// A proposal with all that happened to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// What was proposed.
    pub proposal: Proposal,
    /// Who signed so far.
    pub signatures: Vec<Signature>,
    /// How and when it ended, and who ended it: the proposer, if no one signed it in time.
    pub ended: Option<(End, Timestamp, Identity)>,
}

impl Record {
    /// A new proposal.
    pub fn new(proposal: Proposal) -> Self {
        Self {
            proposal,
            signatures: Vec::new(),
            ended: None,
        }
    }

    /// Which groups still have to sign, and how many people of each.
    pub fn missing(&self) -> Vec<(&Signers, u8)> {
        let left = self.proposal.required.iter().map(|(signers, count)| {
            let given = self.signatures.iter().filter(|s| s.among == *signers);
            let given = u8::try_from(given.count()).unwrap_or(u8::MAX);
            (signers, count.saturating_sub(given))
        });
        left.filter(|(_, count)| *count > 0).collect()
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> State {
        match &self.ended {
            Some((End::Effective, ..)) => State::Effective,
            Some((End::Rejected, ..)) => State::Rejected,
            Some((End::Stale, ..)) => State::Stale,
            Some((End::Expired, ..)) => State::Expired,
            None if now >= self.proposal.not_after => State::Expired,
            None => State::Open,
        }
    }

    /// Adds a yes. That the signer is one of `among` and that the signature fits is for the caller to check.
    ///
    /// # Errors
    /// [`Reason::OwnRequest`], [`Reason::AlreadySigned`], [`Reason::NotASigner`] if no signature of `among` is missing,
    /// and the errors of a proposal that is not open.
    pub fn sign(&self, signature: Signature, now: Timestamp) -> Result<Self, Reason> {
        self.open(now)?;
        if signature.signer == self.proposal.proposer && !self.proposal.proposer_may_sign() {
            return Err(Reason::OwnRequest);
        }
        if self.signatures.iter().any(|s| s.signer == signature.signer) {
            return Err(Reason::AlreadySigned);
        }
        if !self
            .missing()
            .iter()
            .any(|(signers, _)| **signers == signature.among)
        {
            return Err(Reason::NotASigner);
        }
        let mut next = self.clone();
        next.signatures.push(signature);
        Ok(next)
    }

    /// Ends it.
    ///
    /// # Errors
    /// The errors of a proposal that is not open.
    pub fn end(&self, end: End, by: &Identity, now: Timestamp) -> Result<Self, Reason> {
        self.open(now)?;
        Ok(Self {
            ended: Some((end, now, by.clone())),
            ..self.clone()
        })
    }

    /// Ends it, for good, because of another registry; `None` if it has ended already. Whether its time is over is not asked: clocks
    /// step.
    pub fn end_as_stale(&self, by: &Identity, now: Timestamp) -> Option<Self> {
        let open = self.ended.is_none();
        open.then(|| Self {
            ended: Some((End::Stale, now, by.clone())),
            ..self.clone()
        })
    }

    /// Ends it, for good, because no one signed in time; `None` if it has ended already, or its time is not over.
    pub fn expire(&self, now: Timestamp) -> Option<Self> {
        let over = self.ended.is_none() && now >= self.proposal.not_after;
        over.then(|| Self {
            ended: Some((End::Expired, now, self.proposal.proposer.clone())),
            ..self.clone()
        })
    }

    fn open(&self, now: Timestamp) -> Result<(), Reason> {
        match self.state(now) {
            State::Open => Ok(()),
            State::Stale => Err(Reason::ProposalStale),
            State::Expired => Err(Reason::ProposalExpired),
            State::Effective | State::Rejected => Err(Reason::ProposalDecided),
        }
    }

    /// Bytes for the store (to be sealed): format, LP(proposal), signatures, end.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new(RECORD_FORMAT);
        out.lp(self.proposal.encode())
            .u16(self.signatures.len() as u16);
        for signature in &self.signatures {
            out.lp(signature.signer.to_string())
                .u8(matches!(signature.among, Signers::Custodians).into());
            out.u64(signature.at.millis());
            signature.signed.write(&mut out);
        }
        match &self.ended {
            None => drop(out.u8(0)),
            Some((end, at, by)) => drop(out.u8(*end as u8).u64(at.millis()).lp(by.to_string())),
        }
        out.finish()
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, RECORD_FORMAT)?;
        let proposal = Proposal::decode(input.lp()?)?;
        let signatures = (0..input.u16()?)
            .map(|_| signature(&mut input))
            .collect::<Result<_, _>>()?;
        let end = match input.u8()? {
            0 => None,
            1 => Some(End::Effective),
            2 => Some(End::Rejected),
            3 => Some(End::Stale),
            4 => Some(End::Expired),
            _ => return Err(DecodeError),
        };
        let ended = end
            .map(|end| Ok((end, timestamp(&mut input)?, input.parse()?)))
            .transpose()?;
        input.end()?;
        Ok(Self {
            proposal,
            signatures,
            ended,
        })
    }
}

fn signature(input: &mut Reader<'_>) -> Result<Signature, DecodeError> {
    let signer: Identity = input.parse()?;
    let among = match input.u8()? {
        0 => Signers::StewardsOf(signer.organisation.clone()),
        1 => Signers::Custodians,
        _ => return Err(DecodeError),
    };
    Ok(Signature {
        among,
        at: timestamp(input)?,
        signed: Signed::read(input)?,
        signer,
    })
}

fn kid(input: &mut Reader<'_>) -> Result<Kid, DecodeError> {
    Kid::from_be_bytes(input.array()?).ok_or(DecodeError)
}

fn timestamp(input: &mut Reader<'_>) -> Result<Timestamp, DecodeError> {
    Timestamp::from_millis(input.u64()?).ok_or(DecodeError)
}

#[cfg(test)]
mod tests;
