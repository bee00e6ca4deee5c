//! What one custodian does alone with keys: each act bears an instruction, signed with the custodian's pinned key.

use std::collections::BTreeSet;

use sluis_crypto::VerifierKey;
use sluis_domain::codec::Reader;
use sluis_domain::{ChainId, NamespaceId};

use super::keys::{check_not_destroyed, has_line};
use crate::audit::Entry;
use crate::fault::{Fault, SignerFault};
use crate::instruction::{Instruction, Task};
use crate::registry::{Chain, Signers};
use crate::signer::{Said, check, of_actor, wrong};
use crate::state::State;

/// Key lines of a chain get new versions: just those that the instruction names.
pub(super) fn rotate_chain(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let instruction = follow(state, entry, &entry.detail)?;
    let Task::RotateChain { chain, namespace } = &instruction.task else {
        return Err(Fault::Detail(entry.act.as_str()));
    };
    check_chain(entry, chain)?;
    check_not_destroyed(state, chain)?;
    let named: BTreeSet<_> = entry
        .keys
        .iter()
        .map(|used| used.namespace.as_ref())
        .collect();
    let lines = lines(state, chain)?;
    let wanted: BTreeSet<_> = match namespace {
        None => lines,
        Some(namespace) if lines.contains(&Some(namespace)) => BTreeSet::from([Some(namespace)]),
        Some(_) => return Err(Fault::Field("namespace")),
    };
    if named == wanted && named.len() == entry.keys.len() {
        Ok(())
    } else {
        Err(Fault::Field("key version"))
    }
}

/// One version is disabled: just the one that the instruction names.
pub(super) fn disable_version(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let instruction = follow(state, entry, &entry.detail)?;
    let Task::DisableVersion {
        kid,
        chain,
        namespace,
    } = &instruction.task
    else {
        return Err(Fault::Detail(entry.act.as_str()));
    };
    check_chain(entry, chain)?;
    match entry.keys.as_slice() {
        [used] if used.kid == *kid && used.namespace == *namespace => Ok(()),
        _ => Err(Fault::Field("key version")),
    }
}

/// The log gets another signing key.
pub(super) fn rotate_audit_key(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let mut detail = Reader::plain(&entry.detail);
    let malformed = |_| Fault::Detail(entry.act.as_str());
    let key = detail.text().map_err(malformed)?.to_owned();
    let object = detail.lp().map_err(malformed)?.to_vec();
    detail.end().map_err(malformed)?;
    let instruction = follow(state, entry, &object)?;
    if instruction.task != Task::RotateAuditKey || entry.chain.is_some() || !entry.keys.is_empty() {
        return Err(Fault::Detail(entry.act.as_str()));
    }
    let key: VerifierKey = key.parse().map_err(|_| Fault::AuditKey)?;
    if key.name() != state.origin || state.verifier_keys.iter().any(|(_, known)| *known == key) {
        return Err(Fault::AuditKey);
    }
    state.verifier_keys.push((state.entries, key));
    Ok(())
}

/// The instruction, if one of the custodians signed it for this moment and for this act.
fn follow(state: &mut State, entry: &Entry, object: &[u8]) -> Result<Instruction, Fault> {
    let instruction = Instruction::decode(object).map_err(|_| Fault::Detail(entry.act.as_str()))?;
    if instruction.task.act() != entry.act {
        return Err(Fault::Detail(entry.act.as_str()));
    }
    let (signer, signed) = of_actor(entry)?;
    if !state.is_one_of(signer, &Signers::Custodians) {
        return Err(wrong(signer, SignerFault::NotEntitled));
    }
    let key = state.pinned(signer);
    let key = key.ok_or_else(|| wrong(signer, SignerFault::NotPinned))?;
    let said = Said {
        deed: instruction.task.deed(),
        origin: &state.origin,
        object,
    };
    check(&said, entry.at, (signer, signed), Some(key))?;
    if instruction.after != state.custody_head {
        return Err(Fault::Instruction);
    }
    if instruction.registry_version != state.registry_version {
        return Err(Fault::Field("registry version"));
    }
    if !instruction.is_fresh(entry.at) {
        return Err(Fault::InstructionAge);
    }
    state.signatures += 1;
    Ok(instruction)
}

fn check_chain(entry: &Entry, chain: &ChainId) -> Result<(), Fault> {
    if entry.chain.as_ref() == Some(chain) {
        Ok(())
    } else {
        Err(Fault::Field("chain"))
    }
}

/// The key lines of a chain in the registry in force. One that encrypted something once keeps that line.
fn lines<'a>(state: &'a State, id: &ChainId) -> Result<BTreeSet<Option<&'a NamespaceId>>, Fault> {
    let chain: &Chain = state.registry.chain(id).ok_or(Fault::Field("chain"))?;
    let namespaces = chain.namespaces().map(|line| Some(line.id()));
    let encrypts = has_line(state, id, None);
    Ok(namespaces.chain(encrypts.then_some(None)).collect())
}
