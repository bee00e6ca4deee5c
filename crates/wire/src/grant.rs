//! Grants.

mod terms;

use sluis_domain::{Identity, OrganisationId, Timestamp};
use sluis_ledger::Canonical;
use sluis_ledger::grant::{Approval, Grant, Record, State};
use sluis_ledger::statement::Signed;

use crate::{Invalid, field, v1};

/// A grant as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantView {
    /// What was asked for: what an approval signs.
    pub grant: Canonical<Grant>,
    /// Where it stands.
    pub state: State,
    /// Who said yes so far.
    pub approvals: Vec<Approval>,
    /// The organisations whose approval is still missing, one entry per approval.
    pub awaiting: Vec<OrganisationId>,
    /// Values used so far.
    pub used: u64,
    /// Of these, on the present UTC day.
    pub used_today: u64,
    /// By whom and when it was ended, if somebody ended it.
    pub ended: Option<(Identity, Timestamp)>,
    /// Origin of the custodian's log, which a signature names.
    pub origin: String,
}

impl GrantView {
    /// What a record shows of itself.
    pub fn new(record: &Record, state: State, used: u64, used_today: u64, origin: &str) -> Self {
        let ended = record.ended_by_someone();
        Self {
            grant: Canonical::new(record.grant.clone()),
            state,
            approvals: record.approvals.clone(),
            awaiting: record.awaiting().into_iter().cloned().collect(),
            used,
            used_today,
            ended: ended.map(|ended| (ended.by.clone(), ended.at)),
            origin: origin.to_owned(),
        }
    }
}

impl From<GrantView> for v1::Grant {
    fn from(view: GrantView) -> Self {
        let said = description(&view.grant);
        let (ended_by, ended_at) = view.ended.unzip();
        Self {
            state: v1::GrantState::from(view.state).into(),
            approvals: view.approvals.into_iter().map(v1::Approval::from).collect(),
            awaiting: field::texts(&view.awaiting),
            used_values: view.used,
            used_values_today: view.used_today,
            ended_by: field::text(ended_by),
            ended_at: field::text(ended_at),
            origin: view.origin,
            ..said
        }
    }
}

/// What the canonical bytes say, in fields.
fn description(grant: &Canonical<Grant>) -> v1::Grant {
    v1::Grant {
        grant_id: grant.id.to_string(),
        terms: Some((&grant.terms).into()),
        grantee: grant.grantee.to_string(),
        requester: grant.requester.to_string(),
        requested_at: grant.requested_at.to_string(),
        digest: grant.digest().to_vec().into(),
        registry_version: grant.registry_version,
        canonical: grant.bytes().to_vec().into(),
        ..v1::Grant::default()
    }
}

/// Takes only a grant that is described as its canonical bytes say: no one signs what they were not shown.
impl TryFrom<v1::Grant> for GrantView {
    type Error = Invalid;

    fn try_from(wire: v1::Grant) -> Result<Self, Invalid> {
        let grant =
            Canonical::<Grant>::decode(&wire.canonical).map_err(|_| differs("canonical"))?;
        agree(&wire, &description(&grant))?;
        let ended_by = field::optional("ended_by", &wire.ended_by)?;
        let ended_at = field::optional_time("ended_at", &wire.ended_at)?;
        Ok(Self {
            state: field::present("state", parse_state("state", wire.state)?)?,
            approvals: field::messages("approvals", wire.approvals)?,
            awaiting: field::each("awaiting", &wire.awaiting)?,
            used: wire.used_values,
            used_today: wire.used_values_today,
            ended: ended_by.zip(ended_at),
            origin: wire.origin,
            grant,
        })
    }
}

fn agree(told: &v1::Grant, said: &v1::Grant) -> Result<(), Invalid> {
    let fields = [
        ("grant_id", told.grant_id == said.grant_id),
        ("terms", told.terms == said.terms),
        ("grantee", told.grantee == said.grantee),
        ("requester", told.requester == said.requester),
        ("requested_at", told.requested_at == said.requested_at),
        ("digest", told.digest == said.digest),
        (
            "registry_version",
            told.registry_version == said.registry_version,
        ),
    ];
    match fields.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(differs(field)),
        None => Ok(()),
    }
}

fn differs(field: &str) -> Invalid {
    let problem = "it is not the grant that would be signed; do not sign it";
    Invalid::field(field, problem)
}

impl From<Approval> for v1::Approval {
    fn from(approval: Approval) -> Self {
        Self {
            steward: approval.steward.to_string(),
            approved_at: approval.at.to_string(),
            registry_version: approval.registry_version,
            signature: approval.signed.signature.into(),
            certificate: approval.signed.certificate.into(),
        }
    }
}

impl TryFrom<v1::Approval> for Approval {
    type Error = Invalid;

    fn try_from(wire: v1::Approval) -> Result<Self, Invalid> {
        Ok(Self {
            steward: field::required("steward", &wire.steward)?,
            at: field::time("approved_at", &wire.approved_at)?,
            registry_version: wire.registry_version,
            signed: Signed {
                signature: wire.signature.into(),
                certificate: wire.certificate.into(),
            },
        })
    }
}

impl From<State> for v1::GrantState {
    fn from(state: State) -> Self {
        match state {
            State::Requested => Self::Requested,
            State::Approved => Self::Approved,
            State::Denied => Self::Denied,
            State::Expired => Self::Expired,
            State::Exhausted => Self::Exhausted,
            State::Revoked => Self::Revoked,
            State::Stale => Self::Stale,
        }
    }
}

/// Parses a state; `None` if it is not said.
///
/// # Errors
/// [`Invalid`] for one of a later version.
pub fn parse_state(field: &str, wire: i32) -> Result<Option<State>, Invalid> {
    let state = v1::GrantState::try_from(wire).map_err(|_| field::unknown(field, "a state"))?;
    Ok(match state {
        v1::GrantState::Unspecified => None,
        v1::GrantState::Requested => Some(State::Requested),
        v1::GrantState::Approved => Some(State::Approved),
        v1::GrantState::Denied => Some(State::Denied),
        v1::GrantState::Expired => Some(State::Expired),
        v1::GrantState::Exhausted => Some(State::Exhausted),
        v1::GrantState::Revoked => Some(State::Revoked),
        v1::GrantState::Stale => Some(State::Stale),
    })
}

#[cfg(test)]
mod tests;
