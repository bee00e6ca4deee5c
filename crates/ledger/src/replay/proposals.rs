//! Proposals: made, signed, rejected, and what came of them.

use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::{ChainId, Identity, Kid, NamespaceId, ProposalId, Reason, Timestamp};

use super::grants::check_moment;
use super::{Due, texts};
use crate::audit::{Act, Entry};
use crate::fault::{Fault, SignerFault};
use crate::proposal::{End, LIFE_MILLIS, Matter, Proposal, Record, Signature};
use crate::registry::{REQUIRED_SIGNATURES, Signers};
use crate::rules;
use crate::signer::{Said, check, of_actor, wrong};
use crate::state::{State, verified};
use crate::statement::Deed;

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
    check_chain(&proposal, entry)?;
    check_moment(proposal.at, entry)?;
    let life = proposal
        .not_after
        .millis()
        .saturating_sub(proposal.at.millis());
    if !(1..=LIFE_MILLIS).contains(&life) {
        return Err(Fault::Field("end"));
    }
    check_groups(state, &proposal)?;
    if !needs_what_it_takes(state, &proposal) {
        return Err(Fault::TooFewSignatures);
    }
    state.proposal_digests.insert(sha256(&entry.detail));
    state
        .proposals
        .insert(proposal.id.clone(), Arc::new(Record::new(proposal)));
    Ok(())
}

/// Each group once, in their order, and each asked for as many people as it has; two in all, and two of each group that a
/// registry concerns.
fn check_groups(state: &State, proposal: &Proposal) -> Result<(), Fault> {
    let groups = &proposal.required;
    let registry = matches!(proposal.matter, Matter::Registry { .. });
    let sorted = groups.iter().is_sorted_by(|(a, _), (b, _)| a < b);
    let possible = groups.iter().all(|(signers, count)| {
        let people = match signers {
            Signers::Custodians => state.custodians.len(),
            Signers::StewardsOf(id) => rules::signers::stewards(&state.registry, id),
        };
        let enough = if registry {
            *count == REQUIRED_SIGNATURES
        } else {
            *count > 0
        };
        enough && people >= usize::from(*count)
    });
    let people: usize = groups.iter().map(|(_, count)| usize::from(*count)).sum();
    if sorted && possible && people >= REQUIRED_SIGNATURES.into() {
        Ok(())
    } else {
        Err(Fault::Groups)
    }
}

/// An entry names the chain whose key version a proposal is about, and otherwise none.
fn check_chain(proposal: &Proposal, entry: &Entry) -> Result<(), Fault> {
    let of = version_of(&proposal.matter).map(|(_, chain, _)| chain);
    if entry.chain.as_ref() == of {
        Ok(())
    } else {
        Err(Fault::Field("chain"))
    }
}

/// A yes. What is due if it was the last one that was missing.
pub(super) fn sign(state: &mut State, entry: &Entry) -> Result<Option<Due>, Fault> {
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
    let due = next.missing().is_empty().then(|| Due {
        proposal: next.proposal.id.clone(),
        signer: signer.clone(),
        fingerprint: entry.fingerprint,
    });
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

/// Ends every open proposal that the registry in force makes stale. Whatever the next registry says, they do not come back.
pub(super) fn end_stale(state: &mut State, by: &Identity, at: Timestamp) {
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
    due: Option<&Due>,
) -> Result<(), Fault> {
    let record = effective(state, entry, due)?;
    if entry.object_digest != Some(sha256(&record.proposal.encode())) {
        return Err(Fault::Digest);
    }
    if !needs_what_it_takes(state, &record.proposal) {
        return Err(Fault::NotAllowed(Reason::ProposalStale));
    }
    check_chain(&record.proposal, entry)?;
    if let Some((kid, _, namespace)) = version_of(&record.proposal.matter)
        && !matches!(entry.keys.as_slice(), [used] if used.kid == kid && used.namespace.as_ref() == namespace)
    {
        return Err(Fault::Field("key version"));
    }
    if let Matter::Erase { namespace } = &record.proposal.matter {
        state.opted_out.insert(namespace.clone());
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
    let wanted = rules::signers::for_matter(&state.registry, &proposal.matter);
    wanted.is_none_or(|wanted| wanted == proposal.required)
}

/// The proposal whose last signature is the entry before, and which this entry puts into effect.
pub(super) fn effective(
    state: &State,
    entry: &Entry,
    due: Option<&Due>,
) -> Result<Arc<Record>, Fault> {
    let due = due.ok_or(Fault::NotSigned)?;
    let [id] = texts(entry)?;
    let record = state.proposals.get(&due.proposal);
    let record = record.ok_or(Fault::UnknownProposal)?;
    if id != due.proposal.as_str() || effect_of(state, &due.proposal) != Some(entry.act) {
        return Err(Fault::NotSigned);
    }
    if entry.actor.as_ref() != Some(&due.signer) || entry.fingerprint != due.fingerprint {
        return Err(Fault::NotTheLastSigner);
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

pub(super) fn end(state: &mut State, record: &Record, entry: &Entry) -> Result<(), Fault> {
    let by: &Identity = entry.actor.as_ref().ok_or(Fault::Lacks("caller"))?;
    let next = record
        .end(End::Effective, by, entry.at)
        .map_err(Fault::NotAllowed)?;
    state
        .proposals
        .insert(next.proposal.id.clone(), Arc::new(next));
    Ok(())
}

/// The proposal that an entry names, and whether it says of it what is so.
fn known<'a>(state: &'a State, entry: &Entry) -> Result<&'a Record, Fault> {
    let [id] = texts(entry)?;
    let id: ProposalId = id.parse().map_err(|_| Fault::Detail(entry.act.as_str()))?;
    let record = state.proposals.get(&id).ok_or(Fault::UnknownProposal)?;
    if entry.object_digest != Some(sha256(&record.proposal.encode())) {
        return Err(Fault::Digest);
    }
    check_chain(&record.proposal, entry)?;
    Ok(record)
}
