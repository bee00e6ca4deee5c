//! What a person signs, read from its canonical bytes on their own machine. The custodian's description beside the bytes
//! must say the same; no one signs what they were not shown. And what a source is told about a chain: one thing, not two.

use std::collections::BTreeSet;

use sluis_crypto::digest::sha256;
use sluis_ledger::grant::{Grant, Kind, OutputOrder, Terms};
use sluis_ledger::proposal::{Matter, Proposal};
use sluis_ledger::registry::{self, Change, Registry, Requirement, Signers};
use sluis_wire::v1;

use crate::ClientError;

const GRANT_DIFFERS: ClientError = ClientError::Protocol(
    "the grant it describes is not the grant that would be signed; do not sign it",
);
const PROPOSAL_DIFFERS: ClientError = ClientError::Protocol(
    "the proposal it describes is not the proposal that would be signed; do not sign it",
);

/// A chain whose description names every element and every namespace once: with two descriptions of one column, what was
/// checked would not have to be what is done.
///
/// # Errors
/// [`ClientError::Protocol`].
pub fn chain(wire: v1::Chain) -> Result<v1::Chain, ClientError> {
    let elements: BTreeSet<_> = wire.elements.iter().map(|e| &e.name).collect();
    let namespaces: BTreeSet<_> = wire.namespaces.iter().map(|n| &n.namespace_id).collect();
    if elements.len() == wire.elements.len() && namespaces.len() == wire.namespaces.len() {
        Ok(wire)
    } else {
        Err(ClientError::Protocol(
            "a chain with two descriptions of one element or namespace",
        ))
    }
}

/// The grant in the canonical bytes of a description.
///
/// # Errors
/// [`ClientError::Protocol`] if the bytes, the digest and the description do not agree.
pub fn grant(wire: &v1::Grant) -> Result<Grant, ClientError> {
    let grant = Grant::decode(&wire.canonical).map_err(|_| GRANT_DIFFERS)?;
    let agreed = grant.encode() == wire.canonical
        && wire.digest == sha256(&wire.canonical)[..]
        && wire.grant_id == grant.id.as_str()
        && wire.terms.as_ref() == Some(&terms(&grant.terms))
        && wire.grantee == grant.grantee.as_str()
        && wire.requester == grant.requester.to_string()
        && wire.requested_at == grant.requested_at.to_string()
        && wire.registry_version == grant.registry_version;
    if agreed {
        Ok(grant)
    } else {
        Err(GRANT_DIFFERS)
    }
}

fn terms(terms: &Terms) -> v1::GrantTerms {
    v1::GrantTerms {
        kind: Some(kind(&terms.kind)),
        purpose: terms.purpose.clone(),
        legal_basis: terms.legal_basis.clone(),
        max_values: terms.max_values,
        not_before: terms
            .not_before
            .map(|at| at.to_string())
            .unwrap_or_default(),
        not_after: terms.not_after.to_string(),
        max_values_per_day: terms.max_values_per_day.unwrap_or_default(),
    }
}

fn kind(kind: &Kind) -> v1::grant_terms::Kind {
    match kind {
        Kind::Convert { from, to, order } => v1::grant_terms::Kind::Convert(v1::ConvertTerms {
            from_chain_id: from.0.to_string(),
            from_element: from.1.to_string(),
            to_chain_id: to.0.to_string(),
            to_element: to.1.to_string(),
            output_order: match order {
                OutputOrder::Ordered => v1::OutputOrder::Ordered,
                OutputOrder::Shuffled => v1::OutputOrder::Shuffled,
            }
            .into(),
        }),
        Kind::Reidentify { chain, elements } => {
            v1::grant_terms::Kind::Reidentify(v1::ReidentifyTerms {
                chain_id: chain.to_string(),
                elements: elements.iter().map(ToString::to_string).collect(),
            })
        }
    }
}

/// A proposal that is what it is described as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedProposal {
    /// The proposal in the canonical bytes.
    pub proposal: Proposal,
    /// What a proposed registry changes, if the texts came with the description.
    pub registry: Option<RegistryChange>,
}

/// What a proposed registry changes, computed here from the two texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryChange {
    /// What differs.
    pub changes: Vec<Change>,
    /// Who must sign, and because of what.
    pub needs: Vec<Requirement>,
}

/// The proposal in the canonical bytes of a description; of a registry also what it changes. The texts are those whose
/// digests the proposal holds, and the signatures it needs are those that the change needs.
///
/// # Errors
/// [`ClientError::Protocol`] if the bytes, the description and the texts do not agree.
pub fn proposal(wire: &v1::Proposal) -> Result<CheckedProposal, ClientError> {
    let proposal = Proposal::decode(&wire.canonical).map_err(|_| PROPOSAL_DIFFERS)?;
    let agreed = proposal.encode() == wire.canonical
        && wire.proposal_id == proposal.id.as_str()
        && wire.kind() == kind_of(&proposal.matter)
        && wire.proposer == proposal.proposer.to_string()
        && wire.proposed_at == proposal.at.to_string()
        && wire.not_after == proposal.not_after.to_string()
        && needed(wire) == required(&proposal);
    if !agreed {
        return Err(PROPOSAL_DIFFERS);
    }
    let registry = match &proposal.matter {
        Matter::Registry {
            base_digest,
            digest,
            ..
        } if !wire.registry_toml.is_empty() => {
            let texts = (&wire.base_toml, &wire.registry_toml);
            if (sha256(texts.0.as_bytes()), sha256(texts.1.as_bytes())) != (*base_digest, *digest) {
                return Err(PROPOSAL_DIFFERS);
            }
            Some(change(&proposal, texts.0, texts.1)?)
        }
        _ => None,
    };
    Ok(CheckedProposal { proposal, registry })
}

fn change(proposal: &Proposal, base: &str, next: &str) -> Result<RegistryChange, ClientError> {
    let unreadable =
        |_| ClientError::Protocol("a registry text that this version of the client cannot read");
    // Who the custodians are only the custodian's configuration says.
    let (base, next) = (
        Registry::parse(base, &[]).map_err(unreadable)?,
        Registry::parse(next, &[]).map_err(unreadable)?,
    );
    let change = RegistryChange {
        changes: registry::diff(&base, &next),
        needs: registry::required_signers(&base, &next),
    };
    let needs: Vec<_> = change
        .needs
        .iter()
        .map(|need| (need.signers.clone(), need.count))
        .collect();
    // An empty first registry changes nothing; the custodians sign it all the same.
    if needs == proposal.required || change.changes.is_empty() {
        Ok(change)
    } else {
        Err(PROPOSAL_DIFFERS)
    }
}

fn kind_of(matter: &Matter) -> v1::ProposalKind {
    match matter {
        Matter::Registry { .. } => v1::ProposalKind::Registry,
        Matter::DestroyVersion { .. } => v1::ProposalKind::DestroyVersion,
        Matter::CutEscrow { .. } => v1::ProposalKind::CutEscrow,
        Matter::Erase { .. } => v1::ProposalKind::Erase,
    }
}

/// Who must sign as described: organisation (empty: custodians) and number.
fn needed(wire: &v1::Proposal) -> Vec<(String, u32)> {
    wire.needs
        .iter()
        .map(|need| (need.stewards_of.clone(), need.count))
        .collect()
}

fn required(proposal: &Proposal) -> Vec<(String, u32)> {
    let name = |signers: &Signers| match signers {
        Signers::Custodians => String::new(),
        Signers::StewardsOf(organisation) => organisation.to_string(),
    };
    proposal
        .required
        .iter()
        .map(|(signers, count)| (name(signers), u32::from(*count)))
        .collect()
}

#[cfg(test)]
mod tests;
