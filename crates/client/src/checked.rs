//! What a person signs, read from its canonical bytes on their own machine. That the custodian's description beside the
//! bytes says the same is checked where it is parsed; what a proposed registry changes is computed here.

use sluis_crypto::digest::sha256;
use sluis_ledger::proposal::{Matter, Proposal};
use sluis_ledger::registry::{self, Change, Registry, Requirement};
use sluis_wire::proposal::{ProposalView, differs};

use crate::ClientError;

/// A proposal, and what it changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedProposal {
    /// The proposal as it stands.
    pub view: ProposalView,
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

/// Computes what a proposed registry changes. The texts are those whose digests the proposal holds, and the signatures
/// it needs are those that the change needs.
///
/// # Errors
/// [`ClientError::Invalid`] if the proposal and the texts do not agree, [`ClientError::Protocol`] for a text that is no
/// registry to this version.
pub fn proposal(view: ProposalView) -> Result<CheckedProposal, ClientError> {
    let texts = view.texts.as_ref();
    let registry = match (&view.proposal.matter, texts) {
        (
            Matter::Registry {
                base_digest,
                digest,
                ..
            },
            Some(texts),
        ) => {
            if sha256(texts.proposed.as_bytes()) != *digest {
                return Err(differs("proposal.registry_toml").into());
            }
            if sha256(texts.base.as_bytes()) != *base_digest {
                return Err(differs("proposal.base_toml").into());
            }
            Some(change(&view.proposal, &texts.base, &texts.proposed)?)
        }
        _ => None,
    };
    Ok(CheckedProposal { view, registry })
}

fn change(proposal: &Proposal, base: &str, next: &str) -> Result<RegistryChange, ClientError> {
    let base = parse(base)?;
    let next = parse(next)?;
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
        Err(differs("proposal.needs").into())
    }
}

/// Who the custodians are only the custodian's configuration says.
fn parse(text: &str) -> Result<Registry, ClientError> {
    Registry::parse(text, &[]).map_err(|_| {
        ClientError::Protocol("a registry text that this version of the client cannot read")
    })
}

#[cfg(test)]
mod tests;
