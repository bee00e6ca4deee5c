//! Proposals.

use sluis_engine::{ProposalView, RegistryTexts};
use sluis_ledger::proposal::{Matter, Signature, State};
use sluis_ledger::registry::{Requirement, Signers};
use sluis_proto::v1;

/// A proposal as it stands.
pub(crate) fn proposal(view: &ProposalView, origin: &str) -> v1::Proposal {
    let (record, proposal) = (&view.record, &view.record.proposal);
    v1::Proposal {
        proposal_id: proposal.id.as_str().to_owned(),
        kind: kind(&proposal.matter).into(),
        state: state(view.state).into(),
        proposer: proposal.proposer.to_string(),
        proposed_at: proposal.at.to_string(),
        not_after: proposal.not_after.to_string(),
        needs: proposal
            .required
            .iter()
            .map(|(signers, count)| needed(signers, *count))
            .collect(),
        missing: record
            .missing()
            .into_iter()
            .map(|(signers, count)| needed(signers, count))
            .collect(),
        signatures: record.signatures.iter().map(signature).collect(),
        canonical: proposal.encode().into(),
        origin: origin.to_owned(),
        registry_toml: String::new(),
        base_toml: String::new(),
    }
}

/// As [`proposal`], with the texts of a registry.
pub(crate) fn with_texts(
    view: &ProposalView,
    texts: Option<RegistryTexts>,
    origin: &str,
) -> v1::Proposal {
    let (registry_toml, base_toml) = texts
        .map(|texts| (texts.proposed, texts.base))
        .unwrap_or_default();
    v1::Proposal {
        registry_toml,
        base_toml,
        ..proposal(view, origin)
    }
}

/// Signatures that a registry change needs, and why.
pub(crate) fn requirement(requirement: Requirement) -> v1::SignersNeeded {
    v1::SignersNeeded {
        because: requirement.because,
        ..needed(&requirement.signers, requirement.count)
    }
}

fn needed(signers: &Signers, count: u8) -> v1::SignersNeeded {
    let stewards_of = match signers {
        Signers::Custodians => String::new(),
        Signers::StewardsOf(organisation) => organisation.as_str().to_owned(),
    };
    v1::SignersNeeded {
        stewards_of,
        count: count.into(),
        because: Vec::new(),
    }
}

fn signature(signature: &Signature) -> v1::ProposalSignature {
    v1::ProposalSignature {
        signer: signature.signer.to_string(),
        signed_at: signature.at.to_string(),
        signature: signature.signed.signature.clone().into(),
        certificate: signature.signed.certificate.clone().into(),
    }
}

fn kind(matter: &Matter) -> v1::ProposalKind {
    match matter {
        Matter::Registry { .. } => v1::ProposalKind::Registry,
        Matter::DestroyVersion { .. } => v1::ProposalKind::DestroyVersion,
        Matter::CutEscrow { .. } => v1::ProposalKind::CutEscrow,
        Matter::Erase { .. } => v1::ProposalKind::Erase,
    }
}

fn state(state: State) -> v1::ProposalState {
    match state {
        State::Open => v1::ProposalState::Open,
        State::Effective => v1::ProposalState::Effective,
        State::Rejected => v1::ProposalState::Rejected,
        State::Stale => v1::ProposalState::Stale,
        State::Expired => v1::ProposalState::Expired,
    }
}
