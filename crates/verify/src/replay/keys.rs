//! Whose key versions are, what becomes of them, and that nobody uses one that is gone.
//!
//! A version is of one line: a chain and a namespace, or a chain's encrypted elements. A registry that makes versions says
//! of which namespace, not of which chain; the first entry that tells binds them, and no later one may say otherwise.

use sluis_domain::audit::{Act, Entry, KeyUse};
use sluis_domain::{ChainId, Kid};

use crate::fault::{Fault, VersionFault};
use crate::state::{Stage, State, Version, VersionState};

/// Takes over what an entry that was done says about key versions.
pub(super) fn follow(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    match entry.act {
        Act::ApplyRegistry => make(state, entry, None),
        Act::RotateChain => make(state, entry, Some(chain_of(entry)?)),
        Act::Convert => convert(state, entry),
        Act::DisableVersion if entry.keys.len() != 1 => Err(Fault::Field("key version")),
        Act::Pseudonymise
        | Act::Import
        | Act::Reidentify
        | Act::DisableVersion
        | Act::DestroyVersion
        | Act::CutEscrow
        | Act::EraseSubjects => of_chain(state, entry),
        Act::ExpireChain => {
            of_chain(state, entry)?;
            check_all_ended(state, chain_of(entry)?)
        }
        _ => Ok(()),
    }
}

/// New versions.
fn make(state: &mut State, entry: &Entry, chain: Option<&ChainId>) -> Result<(), Fault> {
    for KeyUse { namespace, kid, .. } in &entry.keys {
        let version = Version {
            namespace: namespace.clone(),
            chain: chain.cloned(),
            state: VersionState::default(),
        };
        if state.versions.insert(*kid, version).is_some() {
            return Err(wrong(*kid, VersionFault::NotNew));
        }
    }
    Ok(())
}

/// Versions of the entry's chain.
fn of_chain(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let chain = chain_of(entry)?;
    for used in &entry.keys {
        let version = known(state, used)?;
        if version.chain.get_or_insert_with(|| chain.clone()) != chain {
            return Err(wrong(used.kid, VersionFault::OtherLine));
        }
        version.state = after(entry.act, version.state).map_err(|fault| wrong(used.kid, fault))?;
    }
    Ok(())
}

/// Versions of the chain converted from, and the one of the chain converted to that the new pseudonyms are made with. That
/// one is always named, and is the only one of its chain; so it can be told which is which.
fn convert(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let (from, to) = (
        chain_of(entry)?,
        entry.to_chain.as_ref().ok_or(Fault::Field("chain"))?,
    );
    let (mut target, mut unbound) = (None, Vec::new());
    for used in &entry.keys {
        let version = known(state, used)?;
        after(entry.act, version.state).map_err(|fault| wrong(used.kid, fault))?;
        match &version.chain {
            None => unbound.push(used.kid),
            // Its pseudonyms are made as before, and nothing leads from them.
            Some(chain) if chain == to && (from == to || target.is_none()) => {
                target = Some(used.kid)
            }
            Some(chain) if chain != from => return Err(wrong(used.kid, VersionFault::OtherLine)),
            Some(_) if version.state.cut => return Err(wrong(used.kid, VersionFault::Cut)),
            Some(_) => {}
        }
    }
    let chain = match (target, unbound.as_slice()) {
        (Some(_), _) => from,
        (None, [_]) => to,
        (None, _) if from == to => to,
        (None, _) => return Ok(()),
    };
    for kid in unbound {
        if let Some(version) = state.versions.get_mut(&kid) {
            version.chain = Some(chain.clone());
        }
    }
    Ok(())
}

/// What a version is after an act that names it.
fn after(act: Act, before: VersionState) -> Result<VersionState, VersionFault> {
    let reads_escrow = matches!(act, Act::Reidentify | Act::EraseSubjects | Act::CutEscrow);
    match (act, before.stage) {
        (_, Stage::Destroyed) => Err(VersionFault::Destroyed),
        _ if reads_escrow && before.cut => Err(VersionFault::Cut),
        (Act::CutEscrow, _) => Ok(VersionState {
            cut: true,
            ..before
        }),
        // Rows of a disabled version are there until it is destroyed.
        (Act::EraseSubjects, _) => Ok(before),
        (Act::DestroyVersion, Stage::Made) => Err(VersionFault::NotDisabled),
        (Act::DestroyVersion | Act::ExpireChain, _) => Ok(VersionState {
            stage: Stage::Destroyed,
            ..before
        }),
        (_, Stage::Disabled) => Err(VersionFault::Disabled),
        (Act::DisableVersion, _) => Ok(VersionState {
            stage: Stage::Disabled,
            ..before
        }),
        (_, Stage::Made) => Ok(before),
    }
}

/// A chain ends with all its versions.
fn check_all_ended(state: &State, chain: &ChainId) -> Result<(), Fault> {
    let mut of_chain = state
        .versions
        .iter()
        .filter(|(_, version)| version.chain.as_ref() == Some(chain));
    match of_chain.find(|(_, version)| version.state.stage != Stage::Destroyed) {
        Some((kid, _)) => Err(wrong(*kid, VersionFault::NotNamed)),
        None => Ok(()),
    }
}

/// A version that was made, of the namespace that the entry says.
fn known<'a>(state: &'a mut State, used: &KeyUse) -> Result<&'a mut Version, Fault> {
    let version = state
        .versions
        .get_mut(&used.kid)
        .ok_or_else(|| wrong(used.kid, VersionFault::Unknown))?;
    if version.namespace == used.namespace {
        Ok(version)
    } else {
        Err(wrong(used.kid, VersionFault::OtherLine))
    }
}

fn chain_of(entry: &Entry) -> Result<&ChainId, Fault> {
    entry.chain.as_ref().ok_or(Fault::Field("chain"))
}

fn wrong(kid: Kid, fault: VersionFault) -> Fault {
    Fault::Version { kid, fault }
}
