//! What the log says against the state that the store holds sealed.
//!
//! A sealed value cannot be changed by hand, but it could be put back as it once was: a grant before it was revoked, a
//! counter before it was used up, a key before it was destroyed. The log says what was done since, so the two are compared
//! at the start.
//!
//! Compared are: the registry in force, the log's signing key, every key version (that it was made, disabled or destroyed, and
//! its escrow), every grant (its content, its approvals, its end, its counter), every proposal (its content, its signatures,
//! its end), and whether there are marks of opt-outs at all: which subject opted out, and whether it did before, the log must
//! not say.

use std::fmt::Display;

use sluis_crypto::digest::sha256;
use sluis_keyring::{KeyState, VersionInfo};
use sluis_ledger::State;
use sluis_ledger::state::GrantState;
use sluis_ledger::state::Stage;
use sluis_ledger::state::VersionState;
use sluis_ledger::{grant, proposal};

use crate::EngineError;
use crate::meter::Count;
use crate::snapshot::RegistryState;

/// The state that the store holds sealed.
pub(crate) struct SealedState<'a> {
    pub(crate) registry: &'a RegistryState,
    pub(crate) versions: &'a [VersionInfo],
    /// Of the log's present signing key, as text.
    pub(crate) verifier_key: &'a str,
    /// Grants with their counters.
    pub(crate) grants: Vec<(&'a grant::Record, Count)>,
    pub(crate) proposals: Vec<&'a proposal::Record>,
    /// Number of marks.
    pub(crate) opt_outs: usize,
}

impl SealedState<'_> {
    /// Whether it is what the log says.
    ///
    /// # Errors
    /// [`EngineError::Differs`] names the first difference.
    pub(crate) fn compare(&self, said: &State) -> Result<(), EngineError> {
        same(
            "the registry version",
            said.registry_version(),
            self.registry.version,
        )?;
        same(
            "the text of the registry",
            *said.registry_digest(),
            sha256(self.registry.toml.as_bytes()),
        )?;
        let key = said.verifier_keys().last().map(|(_, key)| key.to_string());
        same(
            "the log's signing key",
            key.as_deref(),
            Some(self.verifier_key),
        )?;
        same(
            "the number of key versions",
            said.versions().len(),
            self.versions.len(),
        )?;
        self.versions
            .iter()
            .try_for_each(|version| compare_version(said.version(version.kid), version))?;
        same(
            "the number of grants",
            said.grants().len(),
            self.grants.len(),
        )?;
        for (record, count) in &self.grants {
            let id = &record.grant.id;
            compare_grant(
                said.grant(id).ok_or_else(|| differs(never("grant", id)))?,
                record,
                count,
            )?;
        }
        same(
            "the number of proposals",
            said.proposals().len(),
            self.proposals.len(),
        )?;
        for record in &self.proposals {
            let id = &record.proposal.id;
            compare_proposal(
                said.proposal(id)
                    .ok_or_else(|| differs(never("proposal", id)))?,
                record,
            )?;
        }
        // A restore puts marks back that an earlier log spoke of, so there may be more than it says.
        if said.opt_outs() > 0 && self.opt_outs == 0 {
            Err(differs("the marks of opt-outs are gone"))
        } else {
            Ok(())
        }
    }
}

fn compare_version(said: Option<VersionState>, version: &VersionInfo) -> Result<(), EngineError> {
    let kid = version.kid;
    let said = said.ok_or_else(|| differs(never("key version", kid)))?;
    let stage = match version.state {
        KeyState::Active | KeyState::ConvertOnly => Stage::Made,
        KeyState::Disabled => Stage::Disabled,
        KeyState::Destroyed => Stage::Destroyed,
    };
    same(format_args!("key version {kid}: state"), said.stage, stage)?;
    let escrow = version.namespace.is_some() && !said.cut && said.stage != Stage::Destroyed;
    same(
        format_args!("key version {kid}: escrow"),
        escrow,
        version.escrow,
    )
}

fn compare_grant(
    said: &GrantState,
    record: &grant::Record,
    count: &Count,
) -> Result<(), EngineError> {
    let id = &record.grant.id;
    same(
        format_args!("grant {id}: content"),
        &said.record().grant,
        &record.grant,
    )?;
    same(
        format_args!("grant {id}: steps"),
        said.steps(),
        record.steps(),
    )?;
    let approved = |record: &grant::Record| -> Vec<_> {
        record
            .approvals
            .iter()
            .map(|given| (given.steward.clone(), given.registry_version))
            .collect()
    };
    same(
        format_args!("grant {id}: approvals"),
        approved(said.record()),
        approved(record),
    )?;
    same(
        format_args!("grant {id}: ended"),
        said.ended(),
        record.ended.as_ref().map(|ended| ended.how),
    )?;
    same(
        format_args!("grant {id}: values used"),
        said.counter(),
        count.used,
    )?;
    same(
        format_args!("grant {id}: values of the day"),
        said.days(),
        &count.days,
    )
}

fn compare_proposal(said: &proposal::Record, record: &proposal::Record) -> Result<(), EngineError> {
    let id = &record.proposal.id;
    same(
        format_args!("proposal {id}: content"),
        &said.proposal,
        &record.proposal,
    )?;
    let signed = |record: &proposal::Record| -> Vec<_> {
        record
            .signatures
            .iter()
            .map(|given| (given.signer.clone(), given.among.clone()))
            .collect()
    };
    same(
        format_args!("proposal {id}: signatures"),
        signed(said),
        signed(record),
    )?;
    let end = |record: &proposal::Record| record.ended.as_ref().map(|(end, ..)| *end);
    // That one became stale has no entry of its own, except after a restore.
    let stale = said.ended.is_none() && end(record) == Some(proposal::End::Stale);
    if stale {
        Ok(())
    } else {
        same(format_args!("proposal {id}: end"), end(said), end(record))
    }
}

fn same<T: PartialEq>(what: impl Display, log: T, store: T) -> Result<(), EngineError> {
    if log == store {
        Ok(())
    } else {
        Err(differs(what))
    }
}

fn never(what: &str, id: impl Display) -> String {
    format!("{what} {id}: the log does not know it")
}

fn differs(what: impl Display) -> EngineError {
    EngineError::Differs(what.to_string())
}
