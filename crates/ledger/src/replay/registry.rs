//! A registry comes into force.

use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::Reason;

use super::{Due, caller, grants, keys, proposals};
use crate::audit::Act;
use crate::event::{Header, RegistryApplied};
use crate::fault::Fault;
use crate::proposal::{Matter, Record};
use crate::registry::Registry;
use crate::rules;
use crate::state::State;

/// Most problems of a text that are told.
const MAX_TOLD: usize = 20;

pub(super) fn apply(
    state: &mut State,
    header: &Header,
    applied: &RegistryApplied,
    due: Option<&Due>,
    text: Option<String>,
) -> Result<(), Fault> {
    let record = proposals::effective(state, header, Act::ApplyRegistry, &applied.proposal, due)?;
    let version = header.registry_version;
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
    if applied.digest != *signed {
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
    keys::make_new(state, version, &applied.made, &next)?;
    proposals::end(state, &record, header)?;
    state.registry = Arc::new(next);
    state.registry_version = version;
    state.registry_digest = digest;
    let by = caller(header)?;
    grants::end_stale(state, by, header.at);
    proposals::end_stale(state, by, header.at);
    Ok(())
}

/// The registry of a text, if it may follow the one in force; otherwise what is wrong with it.
fn read(state: &State, text: &str) -> Result<Registry, Vec<String>> {
    let read = rules::succession::read(
        &state.registry,
        &state.custodians,
        &|id| state.expired.contains(id),
        text,
    );
    read.map_err(told)
}

fn told(problems: Vec<crate::registry::Problem>) -> Vec<String> {
    let texts = problems.iter().map(ToString::to_string);
    texts.take(MAX_TOLD).collect()
}

/// The proposal asked for just the signatures that the change needs, worked out again from both texts.
fn check_signers(state: &State, record: &Record, next: &Registry) -> Result<(), Fault> {
    if rules::signers::for_registry(&state.registry, next) == record.proposal.required {
        Ok(())
    } else {
        Err(Fault::TooFewSignatures)
    }
}
