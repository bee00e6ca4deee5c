//! What entries of different acts have in common, for lists and reports.

use sluis_crypto::digest::sha256;
use sluis_domain::{ChainId, GrantId, Kid, NamespaceId, ProposalId};

use super::{About, Event, GrantRef, KeyUse, KeyVersion, LineVersion, Signature};
use crate::instruction::Task;

/// The counts of a batch, or of subjects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Rows of the batch.
    pub rows: u64,
    /// Values processed, or subjects erased.
    pub values: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Values used under the grant after the batch.
    pub counter: u64,
}

impl Event {
    /// The chain that it is about, or that it converts from.
    pub fn chain(&self) -> Option<&ChainId> {
        match self {
            Self::Pseudonymise(batch) | Self::Import(batch) => Some(&batch.chain),
            Self::RequestGrant(grant) => Some(grant.chains().0),
            Self::RotateChain(rotated) => rotated.instruction.task.chain(),
            Self::DisableVersion(disabled) => disabled.instruction.task.chain(),
            Self::Propose(proposal) => proposal.matter.chain(),
            Self::SignProposal(signed) | Self::RejectProposal(signed) => {
                signed.proposal.chain.as_ref()
            }
            Self::ExpireProposal(proposal) => proposal.chain.as_ref(),
            Self::DestroyVersion(ended) | Self::CutEscrow(ended) => Some(&ended.version.chain),
            Self::WarnRetention(chain) => Some(chain),
            Self::ExpireChain(expired) => Some(&expired.chain),
            Self::EraseSubjects(erased) => Some(&erased.chain),
            Self::Refused(refusal) => match &refusal.about {
                About::Chain(chain) => Some(chain),
                About::Proposal { chain, .. } => chain.as_ref(),
                About::Grant(grant) => Some(&grant.chain),
                About::Nothing | About::RegistryText(_) => None,
            },
            _ => self.grant_ref().map(|grant| &grant.chain),
        }
    }

    /// The chain that it converts to.
    pub fn to_chain(&self) -> Option<&ChainId> {
        match self {
            Self::RequestGrant(grant) => grant.chains().1,
            _ => self.grant_ref().and_then(|grant| grant.to_chain.as_ref()),
        }
    }

    /// The grant that it is about.
    pub fn grant(&self) -> Option<&GrantId> {
        match self {
            Self::RequestGrant(grant) => Some(&grant.id),
            _ => self.grant_ref().map(|grant| &grant.id),
        }
    }

    /// The proposal that it is about, if it names it by its id.
    pub fn proposal(&self) -> Option<&ProposalId> {
        match self {
            Self::Propose(proposal) => Some(&proposal.id),
            Self::SignProposal(signed) | Self::RejectProposal(signed) => Some(&signed.proposal.id),
            Self::ExpireProposal(proposal) => Some(&proposal.id),
            Self::ApplyRegistry(applied) => Some(&applied.proposal),
            Self::DestroyVersion(ended) | Self::CutEscrow(ended) => Some(&ended.proposal),
            Self::OptOut(opted_out) => Some(&opted_out.proposal),
            _ => None,
        }
    }

    /// SHA-256 of the proposal that a refusal is about.
    pub fn refused_proposal(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Refused(refusal) => match &refusal.about {
                About::Proposal { digest, .. } => Some(digest),
                _ => None,
            },
            _ => None,
        }
    }

    /// SHA-256 of the grant's canonical bytes.
    pub fn grant_digest(&self) -> Option<[u8; 32]> {
        match self {
            Self::RequestGrant(grant) => Some(sha256(&grant.encode())),
            _ => self.grant_ref().map(|grant| grant.digest),
        }
    }

    /// Purpose of the grant; empty without one.
    pub fn purpose(&self) -> &str {
        match self {
            Self::RequestGrant(grant) => &grant.terms.purpose,
            _ => self.grant_ref().map_or("", |grant| &grant.purpose),
        }
    }

    /// SHA-256 of the proposal that it is about; of a registry the digest of its text.
    pub fn object_digest(&self) -> Option<[u8; 32]> {
        match self {
            Self::Propose(proposal) => Some(sha256(&proposal.encode())),
            Self::SignProposal(signed) | Self::RejectProposal(signed) => {
                Some(signed.proposal.digest)
            }
            Self::ExpireProposal(proposal) => Some(proposal.digest),
            Self::ApplyRegistry(applied) => Some(applied.digest),
            Self::DestroyVersion(ended) | Self::CutEscrow(ended) => Some(ended.digest),
            Self::OptOut(opted_out) => Some(opted_out.digest),
            Self::Refused(refusal) => match &refusal.about {
                About::Proposal { digest, .. } | About::RegistryText(digest) => Some(*digest),
                About::Nothing | About::Chain(_) | About::Grant(_) => None,
            },
            _ => None,
        }
    }

    /// Its counts; zeros where it has none.
    pub fn counts(&self) -> Counts {
        match self {
            Self::Pseudonymise(batch) | Self::Import(batch) => Counts {
                rows: batch.rows,
                values: batch.values,
                rejected: batch.rejected,
                counter: 0,
            },
            Self::Convert(batch) | Self::Reidentify(batch) => Counts {
                rows: batch.rows,
                values: batch.values,
                rejected: batch.rejected,
                counter: batch.counter,
            },
            Self::EraseSubjects(erased) => Counts {
                values: erased.subjects.get(),
                ..Counts::default()
            },
            _ => Counts::default(),
        }
    }

    /// The key versions that it names, each with its chain and the values processed with it.
    pub fn keys(&self) -> Vec<KeyUse> {
        match self {
            Self::Pseudonymise(batch) | Self::Import(batch) => batch.keys.clone(),
            Self::Convert(batch) | Self::Reidentify(batch) => batch.keys.clone(),
            Self::ApplyRegistry(applied) => applied.made.iter().map(unused).collect(),
            Self::RotateChain(rotated) => in_chain(self.chain(), &rotated.made),
            Self::DisableVersion(disabled) => match &disabled.instruction.task {
                Task::DisableVersion {
                    kid,
                    chain,
                    namespace,
                } => vec![key_use(chain, namespace.as_ref(), *kid)],
                Task::RotateChain { .. } | Task::RotateAuditKey => Vec::new(),
            },
            Self::DestroyVersion(ended) | Self::CutEscrow(ended) => vec![unused(&ended.version)],
            Self::ExpireChain(expired) => in_chain(Some(&expired.chain), &expired.ended),
            Self::EraseSubjects(erased) => {
                let line = erased.line.iter();
                line.flat_map(|line| line.kids.iter().map(|kid| (&line.namespace, *kid)))
                    .map(|(namespace, kid)| key_use(&erased.chain, Some(namespace), kid))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The signatures that it bears.
    pub fn signatures(&self) -> &[Signature] {
        match self {
            Self::ApproveGrant(signed) | Self::DenyGrant(signed) | Self::RevokeGrant(signed) => {
                std::slice::from_ref(&signed.signature)
            }
            Self::SignProposal(signed) | Self::RejectProposal(signed) => {
                std::slice::from_ref(&signed.signature)
            }
            Self::RotateChain(rotated) => std::slice::from_ref(&rotated.signature),
            Self::DisableVersion(disabled) => std::slice::from_ref(&disabled.signature),
            Self::RotateAuditKey(rotated) => std::slice::from_ref(&rotated.signature),
            Self::AcceptRestore(restored) => &restored.signatures,
            _ => &[],
        }
    }

    fn grant_ref(&self) -> Option<&GrantRef> {
        match self {
            Self::Convert(batch) | Self::Reidentify(batch) => Some(&batch.grant),
            Self::ApproveGrant(signed) | Self::DenyGrant(signed) | Self::RevokeGrant(signed) => {
                Some(&signed.grant)
            }
            Self::ExpireGrant(grant) => Some(grant),
            Self::Refused(refusal) => match &refusal.about {
                About::Grant(grant) => Some(grant),
                _ => None,
            },
            _ => None,
        }
    }
}

fn in_chain(chain: Option<&ChainId>, versions: &[LineVersion]) -> Vec<KeyUse> {
    let Some(chain) = chain else {
        return Vec::new();
    };
    let versions = versions.iter().map(|version| version.of(chain));
    versions.map(|version| unused(&version)).collect()
}

fn unused(version: &KeyVersion) -> KeyUse {
    key_use(&version.chain, version.namespace.as_ref(), version.kid)
}

fn key_use(chain: &ChainId, namespace: Option<&NamespaceId>, kid: Kid) -> KeyUse {
    KeyUse {
        chain: chain.clone(),
        namespace: namespace.cloned(),
        kid,
        values: 0,
    }
}
