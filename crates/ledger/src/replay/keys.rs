//! Whose key versions are, what becomes of them, and that nobody uses one that is gone.
//!
//! A version is of one line: a chain and a namespace, or a chain's encrypted elements. The registry or the rotation that makes
//! it says of which.

use std::collections::BTreeSet;

use sluis_domain::{ChainId, Kid, NamespaceId, Reason};

use crate::audit::{Act, Entry, KeyUse};
use crate::fault::{Fault, VersionFault};
use crate::registry::{Chain, Registry, Treatment};
use crate::state::{Line, Stage, State, Version, VersionState};

/// Takes over what an entry that was done says about key versions. Those that a registry makes come with the registry, those
/// that batches use with the batches.
pub(super) fn follow(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    match entry.act {
        Act::RotateChain => {
            let chain = chain_of(entry)?.clone();
            entry
                .keys
                .iter()
                .try_for_each(|made| make(state, made, &chain))
        }
        Act::DisableVersion if entry.keys.len() != 1 => Err(Fault::Field("key version")),
        Act::DisableVersion | Act::DestroyVersion | Act::CutEscrow => of_chain(state, entry),
        Act::EraseSubjects => erase(state, entry),
        Act::ExpireChain => {
            of_chain(state, entry)?;
            check_all_ended(state, chain_of(entry)?)
        }
        _ => Ok(()),
    }
}

/// The versions that a registry makes: one for each line that is new, or that keeps another escrow than before, of the chains
/// that were not destroyed. They stand in the order of chains and namespaces, those of encrypted elements last in their chain.
pub(super) fn make_new(state: &mut State, entry: &Entry, next: &Registry) -> Result<(), Fault> {
    let mut wanted: Vec<Line> = Vec::new();
    for chain in next.chains() {
        state.chains.insert(chain.id().clone());
        if !state.expired.contains(chain.id()) {
            wanted.extend(new_lines(state, chain));
        }
    }
    let namespaces = wanted.iter().map(|(_, namespace)| namespace);
    if !namespaces.eq(entry.keys.iter().map(|made| &made.namespace)) {
        return Err(Fault::NewVersions(entry.registry_version));
    }
    for ((chain, namespace), made) in wanted.into_iter().zip(&entry.keys) {
        make(state, made, &chain)?;
        state.lines.insert((chain, namespace));
    }
    Ok(())
}

fn new_lines(state: &State, chain: &Chain) -> Vec<Line> {
    let before = state.registry.chain(chain.id());
    let of_namespaces = chain.namespaces().filter(|line| {
        let changed = before
            .and_then(|chain| chain.namespace(line.id()))
            .is_some_and(|old| (old.link(), old.reversible()) != (line.link(), line.reversible()));
        changed || !has_line(state, chain.id(), Some(line.id()))
    });
    let mut lines: Vec<_> = of_namespaces
        .map(|line| (chain.id().clone(), Some(line.id().clone())))
        .collect();
    if encrypts(chain) && !has_line(state, chain.id(), None) {
        lines.push((chain.id().clone(), None));
    }
    lines
}

/// Whether a line has keys.
pub(super) fn has_line(state: &State, chain: &ChainId, namespace: Option<&NamespaceId>) -> bool {
    state.lines.contains(&(chain.clone(), namespace.cloned()))
}

fn encrypts(chain: &Chain) -> bool {
    let mut elements = chain.elements().iter();
    elements.any(|element| matches!(element.treatment(), Treatment::Encrypt))
}

fn make(state: &mut State, made: &KeyUse, chain: &ChainId) -> Result<(), Fault> {
    let version = Version {
        chain: chain.clone(),
        namespace: made.namespace.clone(),
        state: VersionState::default(),
    };
    match state.versions.insert(made.kid, version) {
        None => Ok(()),
        Some(_) => Err(wrong(made.kid, VersionFault::NotNew)),
    }
}

/// Versions of the entry's chain.
fn of_chain(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let chain = chain_of(entry)?;
    for used in &entry.keys {
        let next = used_in(state, entry.act, used, chain)?;
        if let Some(version) = state.versions.get_mut(&used.kid) {
            version.state = next;
        }
    }
    Ok(())
}

/// What a version of a chain is after an act that names it.
pub(super) fn used_in(
    state: &State,
    act: Act,
    used: &KeyUse,
    chain: &ChainId,
) -> Result<VersionState, Fault> {
    let version = known(state, used)?;
    if version.chain != *chain {
        return Err(wrong(used.kid, VersionFault::OtherLine));
    }
    after(act, version.state).map_err(|fault| wrong(used.kid, fault))
}

/// Rows of subjects are removed: in all versions of one namespace that keep an escrow in the chain, after an opt-out. A restore
/// brings opt-outs back that the log does not know.
fn erase(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    of_chain(state, entry)?;
    let chain = chain_of(entry)?;
    let Some(namespace) = entry.keys.first().map(|used| used.namespace.as_ref()) else {
        let mut opted_out = state.opted_out.iter();
        let nothing_left = opted_out.any(|namespace| {
            has_line(state, chain, Some(namespace)) && escrowed(state, chain, namespace).is_empty()
        });
        return nothing_left.then_some(()).ok_or(Fault::NoOptOut);
    };
    let namespace = namespace.ok_or(Fault::Field("namespace"))?;
    let mut uses = entry.keys.iter();
    if !uses.all(|used| used.namespace.as_ref() == Some(namespace)) {
        return Err(Fault::Field("namespace"));
    }
    let named: BTreeSet<_> = entry.keys.iter().map(|used| used.kid).collect();
    let mut left_out = escrowed(state, chain, namespace).into_iter();
    if let Some(kid) = left_out.find(|kid| !named.contains(kid)) {
        return Err(wrong(kid, VersionFault::LeftOut));
    }
    if state.opted_out.contains(namespace) || state.restoring {
        Ok(())
    } else {
        Err(Fault::NoOptOut)
    }
}

/// The versions of a line that have an escrow.
fn escrowed(state: &State, chain: &ChainId, namespace: &NamespaceId) -> Vec<Kid> {
    let versions = state.versions.iter().filter(|(_, version)| {
        version.chain == *chain
            && version.namespace.as_ref() == Some(namespace)
            && version.state.stage != Stage::Destroyed
            && !version.state.cut
    });
    versions.map(|(kid, _)| *kid).collect()
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
        .filter(|(_, version)| version.chain == *chain);
    match of_chain.find(|(_, version)| version.state.stage != Stage::Destroyed) {
        Some((kid, _)) => Err(wrong(*kid, VersionFault::NotNamed)),
        None => Ok(()),
    }
}

/// A version that was made, of the namespace that the entry says.
pub(super) fn known<'a>(state: &'a State, used: &KeyUse) -> Result<&'a Version, Fault> {
    let version = state
        .versions
        .get(&used.kid)
        .ok_or_else(|| wrong(used.kid, VersionFault::Unknown))?;
    if version.namespace == used.namespace {
        Ok(version)
    } else {
        Err(wrong(used.kid, VersionFault::OtherLine))
    }
}

/// Whether something may still be done in a chain.
pub(super) fn check_not_destroyed(state: &State, chain: &ChainId) -> Result<(), Fault> {
    if state.expired.contains(chain) {
        Err(Fault::NotAllowed(Reason::ChainDestroyed))
    } else {
        Ok(())
    }
}

pub(super) fn chain_of(entry: &Entry) -> Result<&ChainId, Fault> {
    entry.chain.as_ref().ok_or(Fault::Field("chain"))
}

pub(super) fn wrong(kid: Kid, fault: VersionFault) -> Fault {
    Fault::Version { kid, fault }
}
