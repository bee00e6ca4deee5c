//! What the log says against the rows of the store that it only names.
//!
//! An encrypted row cannot be changed by hand, but it could be put back as it once was: a counter before it was used up, a key
//! before it was destroyed. The log says what was done since, so the two are compared at a start.
//!
//! Compared are: the text of the registry in force, every key version (that it was made, disabled or destroyed, and its escrow),
//! the log's signing key, the counter of every grant that may still be used, and whether there are marks of opt-outs at all: which subject opted
//! out, and whether it did before, the log must not say.

use std::fmt::Display;

use sluis_keyring::{KeyState, Keyring, KeyringError, StateSeal, VersionInfo};
use sluis_ledger::State;
use sluis_ledger::state::{GrantState, Stage, VersionState};
use sluis_port::Store;

use crate::EngineError;
use crate::core::meter::{self, Count};
use crate::core::opt_outs::OptOuts;

/// Compares keys and opt-outs.
///
/// # Errors
/// [`EngineError::Differs`] names the first difference.
pub(crate) fn rows(said: &State, keyring: &Keyring, opt_outs: &OptOuts) -> Result<(), EngineError> {
    let key = said.verifier_keys().last().map(|(_, key)| key);
    let own = super::verifier_key(said.origin(), keyring);
    same("the log's signing key", key, Some(&own))?;
    let versions = keyring.versions();
    let number = said.versions().len();
    same("the number of key versions", number, versions.len())?;
    for version in &versions {
        compare_version(said.version(version.kid), version)?;
    }
    // A restore puts marks back that an earlier log spoke of, so there may be more than it says.
    if said.opt_outs() > 0 && opt_outs.len() == 0 {
        Err(differs("the marks of opt-outs are gone"))
    } else {
        Ok(())
    }
}

/// Compares the counters of the grants that may still be used.
///
/// # Errors
/// [`EngineError::Differs`] names the first difference.
pub(crate) fn counters(
    said: &State,
    store: &dyn Store,
    seal: &StateSeal,
) -> Result<(), EngineError> {
    for grant in said.grants() {
        let count = meter::read(store, seal, &grant.record().grant.id);
        let count = count.map_err(|error| match error {
            KeyringError::Corrupt(_) => EngineError::Corrupt("counter of a grant"),
            error => error.into(),
        })?;
        compare_counter(grant, &count)?;
    }
    Ok(())
}

fn compare_counter(said: &GrantState, count: &Count) -> Result<(), EngineError> {
    let id = &said.record().grant.id;
    let used = format_args!("grant {id}: values used");
    same(used, said.counter(), count.used)?;
    let of_the_day = format_args!("grant {id}: values of the day");
    same(of_the_day, said.days(), &count.days)
}

fn compare_version(said: Option<VersionState>, version: &VersionInfo) -> Result<(), EngineError> {
    let kid = version.kid;
    let never = || differs(format!("key version {kid}: the log does not know it"));
    let said = said.ok_or_else(never)?;
    let stage = match version.state {
        KeyState::Active | KeyState::ConvertOnly => Stage::Made,
        KeyState::Disabled => Stage::Disabled,
        KeyState::Destroyed => Stage::Destroyed,
    };
    same(format_args!("key version {kid}: state"), said.stage, stage)?;
    let escrow = version.namespace.is_some() && !said.cut && said.stage != Stage::Destroyed;
    let of_escrow = format_args!("key version {kid}: escrow");
    same(of_escrow, escrow, version.escrow)
}

fn same<T: PartialEq>(what: impl Display, log: T, store: T) -> Result<(), EngineError> {
    if log == store {
        Ok(())
    } else {
        Err(differs(what))
    }
}

fn differs(what: impl Display) -> EngineError {
    EngineError::Differs(what.to_string())
}
