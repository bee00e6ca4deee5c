//! Proposals: made, signed, rejected, and what came of them.

use std::sync::Arc;

use std::collections::{BTreeMap, BTreeSet};

use sluis_crypto::digest::sha256;
use sluis_domain::audit::{Act, Entry};
use sluis_domain::proposal::{End, Matter, Proposal, Record, Signature};
use sluis_domain::registry::{REQUIRED_SIGNATURES, Registry, Signers, required_signers};
use sluis_domain::statement::Deed;
use sluis_domain::{
    ChainId, Identity, Kid, NamespaceId, OrganisationId, ProposalId, Reason, Timestamp,
};

use super::{grants, texts};
use crate::fault::{Fault, SignerFault};
use crate::signer::{Said, check, of_actor, wrong};
use crate::state::{State, verified};

pub(super) fn propose(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let proposal =
        Proposal::decode(&entry.detail).map_err(|_| Fault::Detail(entry.act.as_str()))?;
    if proposal.encode() != entry.detail {
        return Err(Fault::Detail(entry.act.as_str()));
    }
    if entry.object_digest != Some(sha256(&entry.detail)) {
        return Err(Fault::Digest);
    }
    if entry.actor.as_ref() != Some(&proposal.proposer) {
        return Err(Fault::Field("proposer"));
    }
    if proposal.registry_version != entry.registry_version {
        return Err(Fault::Field("registry version"));
    }
    if let Matter::Registry {
        base_version,
        base_digest,
        ..
    } = &proposal.matter
        && (*base_version != state.registry_version || *base_digest != state.registry_digest)
    {
        return Err(Fault::Field("registry that it replaces"));
    }
    if state.proposals.contains_key(&proposal.id) {
        return Err(Fault::ProposalExists(proposal.id));
    }
    if !needs_what_it_takes(state, &proposal) {
        return Err(Fault::TooFewSignatures);
    }
    let people: usize = proposal
        .required
        .iter()
        .map(|(_, count)| usize::from(*count))
        .sum();
    if people < REQUIRED_SIGNATURES.into() {
        return Err(Fault::TooFewSignatures);
    }
    state
        .proposals
        .insert(proposal.id.clone(), Arc::new(Record::new(proposal)));
    Ok(())
}

/// A yes. The proposal's id if it was the last one that was missing.
pub(super) fn sign(state: &mut State, entry: &Entry) -> Result<Option<ProposalId>, Fault> {
    let record = known(state, entry)?.clone();
    let (signer, signed) = of_actor(entry)?;
    let among = if state.is_custodian(signer) {
        Signers::Custodians
    } else {
        Signers::StewardsOf(signer.organisation.clone())
    };
    let needed = record
        .proposal
        .required
        .iter()
        .any(|(signers, _)| *signers == among);
    if !needed || !state.is_one_of(signer, &among) {
        return Err(wrong(signer, SignerFault::NotEntitled));
    }
    let key = state
        .pinned(signer)
        .ok_or_else(|| wrong(signer, SignerFault::NotPinned))?;
    let said = Said {
        deed: Deed::SignProposal,
        origin: &state.origin,
        object: &record.proposal.encode(),
    };
    check(&said, entry.at, (signer, signed), Some(key))?;
    let signature = Signature {
        signer: signer.clone(),
        among,
        at: entry.at,
        signed: verified(Some(key)),
    };
    let next = record
        .sign(signature, entry.at)
        .map_err(Fault::NotAllowed)?;
    let due = next.missing().is_empty().then(|| next.proposal.id.clone());
    state.signatures += 1;
    state
        .proposals
        .insert(next.proposal.id.clone(), Arc::new(next));
    Ok(due)
}

/// A no of somebody who could have signed, or of the proposer.
pub(super) fn reject(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let record = known(state, entry)?.clone();
    let (signer, signed) = of_actor(entry)?;
    let own = *signer == record.proposal.proposer;
    if !own
        && !record
            .proposal
            .required
            .iter()
            .any(|(signers, _)| state.is_one_of(signer, signers))
    {
        return Err(wrong(signer, SignerFault::NotEntitled));
    }
    let said = Said {
        deed: Deed::RejectProposal,
        origin: &state.origin,
        object: &record.proposal.encode(),
    };
    // A proposer without a pinned key withdraws with the key of the certificate.
    check(&said, entry.at, (signer, signed), state.pinned(signer))?;
    let next = record
        .end(End::Rejected, signer, entry.at)
        .map_err(Fault::NotAllowed)?;
    state.signatures += 1;
    state
        .proposals
        .insert(next.proposal.id.clone(), Arc::new(next));
    Ok(())
}

/// Its time is over, and nobody did this: it ends for good.
pub(super) fn expire(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let record = known(state, entry)?;
    if entry.actor.is_some() {
        return Err(Fault::Field("caller"));
    }
    let not_over = Fault::Field("time");
    let next = record.expire(entry.at).ok_or(not_over)?;
    state
        .proposals
        .insert(next.proposal.id.clone(), Arc::new(next));
    Ok(())
}

/// What a proposal does when its last signature is there.
pub(super) fn effect_of(state: &State, id: &ProposalId) -> Option<Act> {
    state
        .proposals
        .get(id)
        .map(|record| match record.proposal.matter {
            Matter::Registry { .. } => Act::ApplyRegistry,
            Matter::DestroyVersion { .. } => Act::DestroyVersion,
            Matter::CutEscrow { .. } => Act::CutEscrow,
            Matter::Erase { .. } => Act::OptOut,
        })
}

/// A registry comes into force.
pub(super) fn apply_registry(
    state: &mut State,
    entry: &Entry,
    due: Option<&ProposalId>,
    text: Option<String>,
) -> Result<(), Fault> {
    let record = effective(state, entry, due)?;
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
    let next = read_registry(state, &text).ok_or(Fault::RegistryInvalid(version))?;
    check_signers(state, &record, &next)?;
    end(state, &record, entry)?;
    state.registry = Arc::new(next);
    state.registry_version = version;
    state.registry_digest = digest;
    let by = entry.actor.as_ref().ok_or(Fault::Field("caller"))?;
    grants::end_stale(state, by, entry.at);
    end_stale(state, by, entry.at);
    Ok(())
}

/// Ends every open proposal that the registry in force makes stale. Whatever the next registry says, they do not come back.
fn end_stale(state: &mut State, by: &Identity, at: Timestamp) {
    let stands = |record: &Record| {
        let registry = matches!(record.proposal.matter, Matter::Registry { .. });
        !registry
            && needs_what_it_takes(state, &record.proposal)
            && record
                .signatures
                .iter()
                .all(|given| state.still_stands(&given.signer, &given.among, &given.signed))
    };
    let stale: Vec<_> = state
        .proposals
        .values()
        .filter(|record| record.ended.is_none() && !stands(record))
        .filter_map(|record| record.end_as_stale(by, at))
        .collect();
    for record in stale {
        state
            .proposals
            .insert(record.proposal.id.clone(), Arc::new(record));
    }
}

/// Any other effect.
pub(super) fn take_effect(
    state: &mut State,
    entry: &Entry,
    due: Option<&ProposalId>,
) -> Result<(), Fault> {
    let record = effective(state, entry, due)?;
    if entry.object_digest != Some(sha256(&record.proposal.encode())) {
        return Err(Fault::Digest);
    }
    if !needs_what_it_takes(state, &record.proposal) {
        return Err(Fault::NotAllowed(Reason::ProposalStale));
    }
    if let Some((kid, chain, namespace)) = version_of(&record.proposal.matter) {
        if entry.chain.as_ref() != Some(chain) {
            return Err(Fault::Field("chain"));
        }
        if !matches!(entry.keys.as_slice(), [used] if used.kid == kid && used.namespace.as_ref() == namespace)
        {
            return Err(Fault::Field("key version"));
        }
    }
    state.opt_outs += u64::from(entry.act == Act::OptOut);
    end(state, &record, entry)
}

/// The version whose end is proposed: kid, chain and namespace.
fn version_of(matter: &Matter) -> Option<(Kid, &ChainId, Option<&NamespaceId>)> {
    match matter {
        Matter::DestroyVersion {
            kid,
            chain,
            namespace,
        } => Some((*kid, chain, namespace.as_ref())),
        Matter::CutEscrow {
            kid,
            chain,
            namespace,
        } => Some((*kid, chain, Some(namespace))),
        Matter::Registry { .. } | Matter::Erase { .. } => None,
    }
}

/// Whether a proposal asks for the signatures that its matter takes in the registry in force. What a registry change takes
/// only its text says, which is there when it comes into force.
fn needs_what_it_takes(state: &State, proposal: &Proposal) -> bool {
    let registry = &state.registry;
    let wanted = match &proposal.matter {
        Matter::Registry { .. } => return true,
        Matter::DestroyVersion { chain, .. } | Matter::CutEscrow { chain, .. } => {
            let owner = registry
                .chain(chain)
                .map(|chain| signers_for(registry, chain.owner(), REQUIRED_SIGNATURES));
            BTreeMap::from([owner.unwrap_or((Signers::Custodians, REQUIRED_SIGNATURES))])
        }
        Matter::Erase { namespace } => {
            let chains = registry
                .chains()
                .filter(|chain| chain.namespace(namespace).is_some());
            let owners: BTreeSet<_> = chains.map(|chain| chain.owner()).collect();
            let count = if owners.len() == 1 {
                REQUIRED_SIGNATURES
            } else {
                1
            };
            owners
                .into_iter()
                .map(|owner| signers_for(registry, owner, count))
                .collect()
        }
    };
    proposal
        .required
        .iter()
        .cloned()
        .collect::<BTreeMap<_, _>>()
        == wanted
}

/// So many stewards of an organisation, or two custodians while it has fewer.
fn signers_for(registry: &Registry, organisation: &OrganisationId, count: u8) -> (Signers, u8) {
    let stewards = registry
        .organisation(organisation)
        .map_or(0, |of| of.stewards().len());
    if stewards >= usize::from(count) {
        (Signers::StewardsOf(organisation.clone()), count)
    } else {
        (Signers::Custodians, REQUIRED_SIGNATURES)
    }
}

/// The proposal whose last signature is the entry before, and which this entry puts into effect.
fn effective(state: &State, entry: &Entry, due: Option<&ProposalId>) -> Result<Arc<Record>, Fault> {
    let due = due.ok_or(Fault::NotSigned)?;
    let [id] = texts(entry)?;
    let record = state.proposals.get(due).ok_or(Fault::UnknownProposal)?;
    if id != due.as_str() || effect_of(state, due) != Some(entry.act) {
        return Err(Fault::NotSigned);
    }
    // Nobody who lost their standing or their key since they signed counts.
    let stands = |by: &Signature| state.still_stands(&by.signer, &by.among, &by.signed);
    let lost = record
        .signatures
        .iter()
        .find(|signature| !stands(signature));
    match lost {
        Some(signature) => Err(wrong(&signature.signer, SignerFault::NotEntitled)),
        None => Ok(record.clone()),
    }
}

fn end(state: &mut State, record: &Record, entry: &Entry) -> Result<(), Fault> {
    let by: &Identity = entry.actor.as_ref().ok_or(Fault::Field("caller"))?;
    let next = record
        .end(End::Effective, by, entry.at)
        .map_err(Fault::NotAllowed)?;
    state
        .proposals
        .insert(next.proposal.id.clone(), Arc::new(next));
    Ok(())
}

fn read_registry(state: &State, text: &str) -> Option<Registry> {
    let custodians: Vec<Identity> = state
        .custodians
        .iter()
        .map(|custodian| custodian.identity.clone())
        .collect();
    let next = Registry::parse(text, &custodians).ok()?;
    let shared = next.keys().any(|(_, key)| {
        state
            .custodians
            .iter()
            .any(|custodian| custodian.key == *key)
    });
    let mut problems = state.registry.check_change(&next);
    // A chain that was destroyed may go, and then stays away.
    problems.retain(|problem| {
        !state
            .expired
            .iter()
            .any(|id| next.chain(id).is_none() && problem.path == path_of(id))
    });
    let back = state
        .expired
        .iter()
        .any(|id| state.registry.chain(id).is_none() && next.chain(id).is_some());
    (!shared && !back && problems.is_empty()).then_some(next)
}

/// Where problems with a chain as a whole are said to be.
fn path_of(chain: &ChainId) -> String {
    format!("chain[{chain}]")
}

/// The signatures that the change needs, worked out again from both texts.
fn check_signers(state: &State, record: &Record, next: &Registry) -> Result<(), Fault> {
    let mut needed: BTreeMap<Signers, u8> = required_signers(&state.registry, next)
        .into_iter()
        .map(|need| (need.signers, need.count))
        .collect();
    if needed.is_empty() {
        needed.insert(Signers::Custodians, REQUIRED_SIGNATURES);
    }
    let given = |signers: &Signers| {
        record
            .signatures
            .iter()
            .filter(|signature| signature.among == *signers)
            .count()
    };
    let enough = needed
        .iter()
        .all(|(signers, count)| given(signers) >= usize::from(*count));
    if enough {
        Ok(())
    } else {
        Err(Fault::TooFewSignatures)
    }
}

/// The proposal that an entry names, and whether it says of it what is so.
fn known<'a>(state: &'a State, entry: &Entry) -> Result<&'a Record, Fault> {
    let [id] = texts(entry)?;
    let id: ProposalId = id.parse().map_err(|_| Fault::Detail(entry.act.as_str()))?;
    let record = state.proposals.get(&id).ok_or(Fault::UnknownProposal)?;
    if entry.object_digest == Some(sha256(&record.proposal.encode())) {
        Ok(record)
    } else {
        Err(Fault::Digest)
    }
}
