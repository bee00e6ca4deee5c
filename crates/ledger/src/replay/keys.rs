//! Which chain has which key versions, what becomes of them, and that no one uses one that is gone.
//!
//! A version is of one line: a chain and a namespace, or a chain's encrypted elements. The registry or the rotation that makes
//! it says of which, and whatever names it later must say the same.

use std::collections::BTreeSet;

use sluis_domain::{ChainId, Kid, NamespaceId, Reason};

use crate::audit::Act;
use crate::event::{ErasedLine, KeyVersion, SubjectsErased};
use crate::fault::{Fault, VersionFault};
use crate::registry::{Chain, Registry, Treatment};
use crate::state::{Line, Stage, State, Version, VersionState};

/// The versions that a registry makes: one for each line that is new, or that keeps another escrow than before, of the chains
/// that were not destroyed. They stand in the order of chains and namespaces, the ones of encrypted elements last in
/// their chain.
pub(super) fn make_new(
    state: &mut State,
    registry_version: u64,
    made: &[KeyVersion],
    next: &Registry,
) -> Result<(), Fault> {
    let mut wanted: Vec<Line> = Vec::new();
    for chain in next.chains() {
        state.chains.insert(chain.id().clone());
        if !state.expired.contains(chain.id()) {
            wanted.extend(new_lines(state, chain));
        }
    }
    let lines = made
        .iter()
        .map(|version| (&version.chain, &version.namespace));
    if !lines.eq(wanted.iter().map(|(chain, namespace)| (chain, namespace))) {
        return Err(Fault::NewVersions(registry_version));
    }
    for version in made {
        make(state, version)?;
    }
    state.lines.extend(wanted);
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

/// A version that is new.
pub(super) fn make(state: &mut State, made: &KeyVersion) -> Result<(), Fault> {
    let version = Version {
        chain: made.chain.clone(),
        namespace: made.namespace.clone(),
        state: VersionState::default(),
    };
    match state.versions.insert(made.kid, version) {
        None => Ok(()),
        Some(_) => Err(wrong(made.kid, VersionFault::NotNew)),
    }
}

/// What becomes of a version by an act that names it.
pub(super) fn change(state: &mut State, act: Act, named: &KeyVersion) -> Result<(), Fault> {
    let line = (&named.chain, named.namespace.as_ref());
    let next = used(state, act, line, named.kid)?;
    if let Some(version) = state.versions.get_mut(&named.kid) {
        version.state = next;
    }
    Ok(())
}

/// What a version of a line is after an act that names it.
pub(super) fn used(
    state: &State,
    act: Act,
    line: (&ChainId, Option<&NamespaceId>),
    kid: Kid,
) -> Result<VersionState, Fault> {
    let version = state.versions.get(&kid);
    let version = version.ok_or_else(|| wrong(kid, VersionFault::Unknown))?;
    if (&version.chain, version.namespace.as_ref()) != line {
        return Err(wrong(kid, VersionFault::OtherLine));
    }
    after(act, version.state).map_err(|fault| wrong(kid, fault))
}

/// Checks that no version is named twice.
pub(super) fn check_once(kids: impl IntoIterator<Item = Kid>) -> Result<(), Fault> {
    let mut named = BTreeSet::new();
    let twice = kids.into_iter().find(|kid| !named.insert(*kid));
    twice.map_or(Ok(()), |kid| Err(wrong(kid, VersionFault::Twice)))
}

/// Rows of subjects are removed: in all versions of one namespace that keep an escrow in the chain, after an opt-out. A restore
/// brings opt-outs back that the log does not know.
pub(super) fn erase(state: &State, erased: &SubjectsErased) -> Result<(), Fault> {
    let chain = &erased.chain;
    let Some(ErasedLine { namespace, kids }) = &erased.line else {
        let mut opted_out = state.opted_out.iter();
        let nothing_left = opted_out.any(|namespace| {
            has_line(state, chain, Some(namespace)) && escrowed(state, chain, namespace).is_empty()
        });
        return nothing_left.then_some(()).ok_or(Fault::NoOptOut);
    };
    check_once(kids.iter().copied())?;
    for kid in kids {
        used(state, Act::EraseSubjects, (chain, Some(namespace)), *kid)?;
    }
    let mut left_out = escrowed(state, chain, namespace).into_iter();
    if let Some(kid) = left_out.find(|kid| !kids.contains(kid)) {
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
pub(super) fn check_all_ended(state: &State, chain: &ChainId) -> Result<(), Fault> {
    let mut of_chain = state
        .versions
        .iter()
        .filter(|(_, version)| version.chain == *chain);
    match of_chain.find(|(_, version)| version.state.stage != Stage::Destroyed) {
        Some((kid, _)) => Err(wrong(*kid, VersionFault::NotNamed)),
        None => Ok(()),
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

pub(super) fn wrong(kid: Kid, fault: VersionFault) -> Fault {
    Fault::Version { kid, fault }
}
