//! What one custodian does alone with keys: each act bears an instruction, signed with the custodian's pinned key.

use std::collections::BTreeSet;

use sluis_domain::{ChainId, NamespaceId};

use super::keys::{self, check_not_destroyed, has_line};
use crate::audit::Act;
use crate::event::{AuditKeyRotated, Disabled, Header, KeyVersion, Rotated, Signature};
use crate::fault::{Fault, SignerFault};
use crate::instruction::{Instruction, Task};
use crate::registry::{Chain, Signers};
use crate::signer::{Said, check, of_caller, wrong};
use crate::state::State;

/// Key lines of a chain get new versions: just those that the instruction names.
pub(super) fn rotate_chain(
    state: &mut State,
    header: &Header,
    rotated: &Rotated,
) -> Result<(), Fault> {
    follow(state, header, &rotated.instruction, &rotated.signature)?;
    let Task::RotateChain { chain, namespace } = &rotated.instruction.task else {
        return Err(Fault::NotAnEntry);
    };
    check_not_destroyed(state, chain)?;
    let made = rotated.made.iter();
    let named: BTreeSet<_> = made.map(|version| version.namespace.as_ref()).collect();
    let lines = lines(state, chain)?;
    let wanted: BTreeSet<_> = match namespace {
        None => lines,
        Some(namespace) if lines.contains(&Some(namespace)) => BTreeSet::from([Some(namespace)]),
        Some(_) => return Err(Fault::Field("namespace")),
    };
    if named != wanted || named.len() != rotated.made.len() || named.is_empty() {
        return Err(Fault::Field("key version"));
    }
    let mut made = rotated.made.iter();
    made.try_for_each(|version| keys::make(state, &version.of(chain)))
}

/// One version is disabled: the one that the instruction names.
pub(super) fn disable_version(
    state: &mut State,
    header: &Header,
    disabled: &Disabled,
) -> Result<(), Fault> {
    follow(state, header, &disabled.instruction, &disabled.signature)?;
    let Task::DisableVersion {
        kid,
        chain,
        namespace,
    } = &disabled.instruction.task
    else {
        return Err(Fault::NotAnEntry);
    };
    let version = KeyVersion {
        chain: chain.clone(),
        namespace: namespace.clone(),
        kid: *kid,
    };
    keys::change(state, Act::DisableVersion, &version)
}

/// The log gets another signing key.
pub(super) fn rotate_audit_key(
    state: &mut State,
    header: &Header,
    rotated: &AuditKeyRotated,
) -> Result<(), Fault> {
    follow(state, header, &rotated.instruction, &rotated.signature)?;
    let key = &rotated.key;
    if key.name() != state.origin || state.verifier_keys.iter().any(|(_, known)| known == key) {
        return Err(Fault::AuditKey);
    }
    state.verifier_keys.push((state.entries, key.clone()));
    Ok(())
}

/// Checks that one of the custodians signed the instruction, for this moment.
fn follow(
    state: &mut State,
    header: &Header,
    instruction: &Instruction,
    signature: &Signature,
) -> Result<(), Fault> {
    let (signer, signed) = of_caller(header, signature)?;
    if !state.is_one_of(signer, &Signers::Custodians) {
        return Err(wrong(signer, SignerFault::NotEntitled));
    }
    let key = state.pinned(signer);
    let key = key.ok_or_else(|| wrong(signer, SignerFault::NotPinned))?;
    let said = Said {
        deed: instruction.task.deed(),
        origin: &state.origin,
        object: &instruction.encode(),
    };
    check(&said, header.at, (signer, signed), Some(key))?;
    if instruction.after != state.custody_head {
        return Err(Fault::Instruction);
    }
    if instruction.registry_version != state.registry_version {
        return Err(Fault::Field("registry version"));
    }
    if !instruction.is_fresh(header.at) {
        return Err(Fault::InstructionAge);
    }
    state.signatures += 1;
    Ok(())
}

/// The key lines of a chain in the registry in force. One that encrypted something once keeps that line.
fn lines<'a>(state: &'a State, id: &ChainId) -> Result<BTreeSet<Option<&'a NamespaceId>>, Fault> {
    let chain: &Chain = state.registry.chain(id).ok_or(Fault::Field("chain"))?;
    let namespaces = chain.namespaces().map(|line| Some(line.id()));
    let encrypts = has_line(state, id, None);
    Ok(namespaces.chain(encrypts.then_some(None)).collect())
}
