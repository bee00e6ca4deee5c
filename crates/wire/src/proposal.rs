//! Proposals.

use sluis_domain::{Identity, Timestamp};
use sluis_ledger::Canonical;
use sluis_ledger::proposal::{Matter, Proposal, Record, Signature, State};
use sluis_ledger::registry::{Requirement, Signers};
use sluis_ledger::statement::Signed;

use crate::{Invalid, field, v1};

/// A proposal as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposalView {
    /// What was proposed: what a signature is over.
    pub proposal: Canonical<Proposal>,
    /// Where it stands.
    pub state: State,
    /// Signatures that are still missing, and how many of each group.
    pub missing: Vec<(Signers, u8)>,
    /// Who signed so far.
    pub signatures: Vec<ProposalSignature>,
    /// Origin of the custodian's log, which a signature names.
    pub origin: String,
    /// Of a proposed registry that is open, where one proposal is asked for.
    pub texts: Option<RegistryTexts>,
}

/// One person's yes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposalSignature {
    /// Who.
    pub signer: Identity,
    /// When.
    pub at: Timestamp,
    /// Their signature over `proposal-sign` and the canonical bytes.
    pub signed: Signed,
}

/// A proposed registry and the one that it replaces, as TOML.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryTexts {
    /// What is proposed.
    pub proposed: String,
    /// What it replaces; empty for the first registry.
    pub base: String,
}

impl ProposalView {
    /// What a record shows of itself.
    pub fn new(record: &Record, state: State, origin: &str) -> Self {
        let missing = record.missing().into_iter();
        let signatures = record.signatures.iter().map(ProposalSignature::from);
        Self {
            proposal: Canonical::new(record.proposal.clone()),
            state,
            missing: missing.map(|(who, count)| (who.clone(), count)).collect(),
            signatures: signatures.collect(),
            origin: origin.to_owned(),
            texts: None,
        }
    }

    /// The same with the texts of a registry.
    #[must_use]
    pub fn with_texts(self, texts: Option<RegistryTexts>) -> Self {
        Self { texts, ..self }
    }
}

impl From<&Signature> for ProposalSignature {
    fn from(signature: &Signature) -> Self {
        Self {
            signer: signature.signer.clone(),
            at: signature.at,
            signed: signature.signed.clone(),
        }
    }
}

impl From<ProposalView> for v1::Proposal {
    fn from(view: ProposalView) -> Self {
        let said = description(&view.proposal);
        let texts = view.texts.map(|texts| (texts.proposed, texts.base));
        let (registry_toml, base_toml) = texts.unwrap_or_default();
        let signatures = view.signatures.into_iter();
        Self {
            state: v1::ProposalState::from(view.state).into(),
            missing: view.missing.iter().map(needed).collect(),
            signatures: signatures.map(v1::ProposalSignature::from).collect(),
            origin: view.origin,
            registry_toml,
            base_toml,
            ..said
        }
    }
}

/// What the canonical bytes say, in fields.
fn description(proposal: &Canonical<Proposal>) -> v1::Proposal {
    v1::Proposal {
        proposal_id: proposal.id.to_string(),
        kind: v1::ProposalKind::from(&proposal.matter).into(),
        proposer: proposal.proposer.to_string(),
        proposed_at: proposal.at.to_string(),
        not_after: proposal.not_after.to_string(),
        needs: proposal.required.iter().map(needed).collect(),
        canonical: proposal.bytes().to_vec().into(),
        ..v1::Proposal::default()
    }
}

/// Takes only a proposal that is described as its canonical bytes say: no one signs what they were not shown.
impl TryFrom<v1::Proposal> for ProposalView {
    type Error = Invalid;

    fn try_from(wire: v1::Proposal) -> Result<Self, Invalid> {
        let proposal =
            Canonical::<Proposal>::decode(&wire.canonical).map_err(|_| differs("canonical"))?;
        agree(&wire, &description(&proposal))?;
        let texts = (!wire.registry_toml.is_empty()).then_some(RegistryTexts {
            proposed: wire.registry_toml,
            base: wire.base_toml,
        });
        Ok(Self {
            proposal,
            state: parse_state(wire.state)?,
            missing: parse_needed("missing", &wire.missing)?,
            signatures: field::messages("signatures", wire.signatures)?,
            origin: wire.origin,
            texts,
        })
    }
}

fn agree(told: &v1::Proposal, said: &v1::Proposal) -> Result<(), Invalid> {
    let fields = [
        ("proposal_id", told.proposal_id == said.proposal_id),
        ("kind", told.kind == said.kind),
        ("proposer", told.proposer == said.proposer),
        ("proposed_at", told.proposed_at == said.proposed_at),
        ("not_after", told.not_after == said.not_after),
        ("needs", told.needs == said.needs),
    ];
    match fields.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(differs(field)),
        None => Ok(()),
    }
}

/// A field of a proposal that is not what its canonical bytes say.
pub fn differs(field: &str) -> Invalid {
    let problem = "it is not the proposal that would be signed; do not sign it";
    Invalid::field(field, problem)
}

impl From<ProposalSignature> for v1::ProposalSignature {
    fn from(signature: ProposalSignature) -> Self {
        Self {
            signer: signature.signer.to_string(),
            signed_at: signature.at.to_string(),
            signature: signature.signed.signature.into(),
            certificate: signature.signed.certificate.into(),
        }
    }
}

impl TryFrom<v1::ProposalSignature> for ProposalSignature {
    type Error = Invalid;

    fn try_from(wire: v1::ProposalSignature) -> Result<Self, Invalid> {
        Ok(Self {
            signer: field::required("signer", &wire.signer)?,
            at: field::time("signed_at", &wire.signed_at)?,
            signed: Signed {
                signature: wire.signature.into(),
                certificate: wire.certificate.into(),
            },
        })
    }
}

fn needed((signers, count): &(Signers, u8)) -> v1::SignersNeeded {
    v1::SignersNeeded {
        stewards_of: match signers {
            Signers::Custodians => String::new(),
            Signers::StewardsOf(organisation) => organisation.to_string(),
        },
        count: u32::from(*count),
        because: Vec::new(),
    }
}

fn parse_needed(field: &str, wire: &[v1::SignersNeeded]) -> Result<Vec<(Signers, u8)>, Invalid> {
    let numbered = wire.iter().enumerate();
    numbered
        .map(|(i, need)| {
            let signers = parse_signers(need).map_err(|it| it.within(&format!("{field}[{i}]")))?;
            let count = field::narrow(&format!("{field}[{i}].count"), need.count)?;
            Ok((signers, count))
        })
        .collect()
}

fn parse_signers(wire: &v1::SignersNeeded) -> Result<Signers, Invalid> {
    let organisation = field::optional("stewards_of", &wire.stewards_of)?;
    Ok(organisation.map_or(Signers::Custodians, Signers::StewardsOf))
}

/// Signatures that a registry change needs, and why.
impl From<Requirement> for v1::SignersNeeded {
    fn from(requirement: Requirement) -> Self {
        Self {
            because: requirement.because,
            ..needed(&(requirement.signers, requirement.count))
        }
    }
}

impl TryFrom<v1::SignersNeeded> for Requirement {
    type Error = Invalid;

    fn try_from(wire: v1::SignersNeeded) -> Result<Self, Invalid> {
        Ok(Self {
            signers: parse_signers(&wire)?,
            count: field::narrow("count", wire.count)?,
            because: wire.because,
        })
    }
}

impl From<&Matter> for v1::ProposalKind {
    fn from(matter: &Matter) -> Self {
        match matter {
            Matter::Registry { .. } => Self::Registry,
            Matter::DestroyVersion { .. } => Self::DestroyVersion,
            Matter::CutEscrow { .. } => Self::CutEscrow,
            Matter::Erase { .. } => Self::Erase,
        }
    }
}

impl From<State> for v1::ProposalState {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Effective => Self::Effective,
            State::Rejected => Self::Rejected,
            State::Stale => Self::Stale,
            State::Expired => Self::Expired,
        }
    }
}

fn parse_state(wire: i32) -> Result<State, Invalid> {
    let state =
        v1::ProposalState::try_from(wire).map_err(|_| field::unknown("state", "a state"))?;
    match state {
        v1::ProposalState::Unspecified => Err(Invalid::missing("state")),
        v1::ProposalState::Open => Ok(State::Open),
        v1::ProposalState::Effective => Ok(State::Effective),
        v1::ProposalState::Rejected => Ok(State::Rejected),
        v1::ProposalState::Stale => Ok(State::Stale),
        v1::ProposalState::Expired => Ok(State::Expired),
    }
}

#[cfg(test)]
mod tests;
