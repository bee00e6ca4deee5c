//! A registry comes into force.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::audit::Entry;
use crate::proposal::{Matter, Record};
use crate::registry::{REQUIRED_SIGNATURES, Registry, Signers, required_signers};
use sluis_crypto::digest::sha256;
use sluis_domain::{ChainId, Identity, Reason};

use super::{Due, grants, keys, proposals};
use crate::fault::Fault;
use crate::state::State;

/// Most problems of a text that are told.
const MAX_TOLD: usize = 20;

pub(super) fn apply(
    state: &mut State,
    entry: &Entry,
    due: Option<&Due>,
    text: Option<String>,
) -> Result<(), Fault> {
    let record = proposals::effective(state, entry, due)?;
    let version = entry.registry_version;
    let text = text.ok_or(Fault::RegistryMissing(version))?;
    let digest = sha256(text.as_bytes());
    let Matter::Registry {
        base_version,
        base_digest,
        digest: signed,
    } = &record.proposal.matter
    else {
        return Err(Fault::NotSigned);
    };
    if entry.object_digest != Some(*signed) {
        return Err(Fault::Digest);
    }
    if digest != *signed {
        return Err(Fault::RegistryText(version));
    }
    if *base_version != state.registry_version || *base_digest != state.registry_digest {
        return Err(Fault::NotAllowed(Reason::ProposalStale));
    }
    let next =
        read(state, &text).map_err(|problems| Fault::RegistryInvalid { version, problems })?;
    check_signers(state, &record, &next)?;
    keys::make_new(state, entry, &next)?;
    proposals::end(state, &record, entry)?;
    state.registry = Arc::new(next);
    state.registry_version = version;
    state.registry_digest = digest;
    let by = entry.actor.as_ref().ok_or(Fault::Lacks("caller"))?;
    grants::end_stale(state, by, entry.at);
    proposals::end_stale(state, by, entry.at);
    Ok(())
}

/// The registry of a text, if it may follow the one in force; otherwise what is wrong with it.
fn read(state: &State, text: &str) -> Result<Registry, Vec<String>> {
    let custodians = state.custodians.iter();
    let names: Vec<Identity> = custodians.map(|one| one.identity.clone()).collect();
    let next = Registry::parse(text, &names).map_err(told)?;
    let mut problems = state.registry.check_change(&next);
    // A chain that was destroyed may go, and then stays away.
    problems.retain(|problem| {
        let mut expired = state.expired.iter();
        !expired.any(|id| next.chain(id).is_none() && problem.path == path_of(id))
    });
    if !problems.is_empty() {
        return Err(told(problems));
    }
    let keys: Vec<_> = state.custodians.iter().map(|one| &one.key).collect();
    if let Some((steward, _)) = next.keys().find(|(_, key)| keys.contains(key)) {
        return Err(vec![format!("key[{steward}]: is a custodian's key")]);
    }
    let mut expired = state.expired.iter();
    let back = expired.find(|id| state.registry.chain(id).is_none() && next.chain(id).is_some());
    match back {
        Some(id) => Err(vec![format!("{}: was destroyed and stays so", path_of(id))]),
        None => Ok(next),
    }
}

fn told(problems: Vec<crate::registry::Problem>) -> Vec<String> {
    let texts = problems.iter().map(ToString::to_string);
    texts.take(MAX_TOLD).collect()
}

/// Where problems with a chain as a whole are said to be.
fn path_of(chain: &ChainId) -> String {
    format!("chain[{chain}]")
}

/// The proposal asked for just the signatures that the change needs, worked out again from both texts.
fn check_signers(state: &State, record: &Record, next: &Registry) -> Result<(), Fault> {
    let mut needed: BTreeMap<Signers, u8> = required_signers(&state.registry, next)
        .into_iter()
        .map(|need| (need.signers, need.count))
        .collect();
    if needed.is_empty() {
        needed.insert(Signers::Custodians, REQUIRED_SIGNATURES);
    }
    let asked = record.proposal.required.iter().cloned();
    if needed.into_iter().eq(asked) {
        Ok(())
    } else {
        Err(Fault::TooFewSignatures)
    }
}
