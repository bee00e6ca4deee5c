//! Proposals: made, signed, rejected, and what came of them.

use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::{Identity, ProposalId, Reason, Timestamp};

use super::grants::check_moment;
use super::{Due, caller, keys};
use crate::audit::Act;
use crate::event::{Header, KeyVersion, OptedOut, ProposalRef, ProposalSigned, VersionEnded};
use crate::fault::{Fault, SignerFault};
use crate::proposal::{End, LIFE_MILLIS, Matter, Proposal, Record, Signature};
use crate::registry::{REQUIRED_SIGNATURES, Signers};
use crate::rules;
use crate::rules::standing;
use crate::signer::{Said, check, of_caller, wrong};
use crate::state::State;
use crate::statement::Deed;

pub(super) fn propose(
    state: &mut State,
    header: &Header,
    proposal: &Proposal,
) -> Result<(), Fault> {
    if *caller(header)? != proposal.proposer {
        return Err(Fault::Field("proposer"));
    }
    if proposal.registry_version != header.registry_version {
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
        return Err(Fault::ProposalExists(proposal.id.clone()));
    }
    check_moment(proposal.at, header)?;
    let life = proposal
        .not_after
        .millis()
        .saturating_sub(proposal.at.millis());
    if !(1..=LIFE_MILLIS).contains(&life) {
        return Err(Fault::Field("end"));
    }
    check_groups(state, proposal)?;
    if !standing::needs_what_it_takes(state, proposal) {
        return Err(Fault::TooFewSignatures);
    }
    let digest = sha256(&proposal.encode());
    state.proposal_digests.insert(digest);
    state.put_proposal(Record::new(proposal.clone()));
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

/// A yes. What is due if it was the last one that was missing.
pub(super) fn sign(
    state: &mut State,
    header: &Header,
    entry: &ProposalSigned,
) -> Result<Option<Due>, Fault> {
    let record = known(state, &entry.proposal)?.clone();
    let (signer, signed) = of_caller(header, &entry.signature)?;
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
    check(&said, header.at, (signer, signed), Some(key))?;
    let signature = Signature {
        signer: signer.clone(),
        among,
        at: header.at,
        signed: signed.clone(),
    };
    let next = record
        .sign(signature, header.at)
        .map_err(Fault::NotAllowed)?;
    let last = header.caller.clone().filter(|_| next.missing().is_empty());
    let due = last.map(|signer| Due {
        proposal: next.proposal.id.clone(),
        signer,
    });
    state.signatures += 1;
    state.put_proposal(next);
    Ok(due)
}

/// A no of someone who could have signed, or of the proposer.
pub(super) fn reject(
    state: &mut State,
    header: &Header,
    entry: &ProposalSigned,
) -> Result<(), Fault> {
    let record = known(state, &entry.proposal)?.clone();
    let (signer, signed) = of_caller(header, &entry.signature)?;
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
    check(&said, header.at, (signer, signed), state.pinned(signer))?;
    let next = record
        .end(End::Rejected, signer, header.at)
        .map_err(Fault::NotAllowed)?;
    state.signatures += 1;
    state.put_proposal(next);
    Ok(())
}

/// Its time is over, and no one did this: it ends for good.
pub(super) fn expire(
    state: &mut State,
    header: &Header,
    proposal: &ProposalRef,
) -> Result<(), Fault> {
    let record = known(state, proposal)?;
    let not_over = Fault::Field("time");
    let next = record.expire(header.at).ok_or(not_over)?;
    state.put_proposal(next);
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
    let open = state.proposals.values();
    let open = open.filter(|record| record.ended.is_none());
    // A registry replaces the one before.
    let stale = open.filter(|record| {
        let registry = matches!(record.proposal.matter, Matter::Registry { .. });
        registry || !standing::is_wanted(state, record)
    });
    let stale: Vec<_> = stale
        .filter_map(|record| record.end_as_stale(by, at))
        .collect();
    for record in stale {
        state.put_proposal(record);
    }
}

/// A key version is destroyed, or its escrow cut: the one that was proposed.
pub(super) fn end_version(
    state: &mut State,
    header: &Header,
    act: Act,
    ended: &VersionEnded,
    due: Option<&Due>,
) -> Result<(), Fault> {
    let record = effective(state, header, act, &ended.proposal, due)?;
    check_effect(state, &record, &ended.digest)?;
    if version_of(&record.proposal.matter).as_ref() != Some(&ended.version) {
        return Err(Fault::Field("key version"));
    }
    end(state, &record, header)?;
    keys::change(state, act, &ended.version)
}

/// A subject is erased, and refused from now on.
pub(super) fn opt_out(
    state: &mut State,
    header: &Header,
    opted_out: &OptedOut,
    due: Option<&Due>,
) -> Result<(), Fault> {
    let record = effective(state, header, Act::OptOut, &opted_out.proposal, due)?;
    check_effect(state, &record, &opted_out.digest)?;
    if let Matter::Erase { namespace } = &record.proposal.matter {
        state.opted_out.insert(namespace.clone());
    }
    state.opt_outs += 1;
    end(state, &record, header)
}

fn check_effect(state: &State, record: &Record, digest: &[u8; 32]) -> Result<(), Fault> {
    if *digest != sha256(&record.proposal.encode()) {
        return Err(Fault::Digest);
    }
    if standing::needs_what_it_takes(state, &record.proposal) {
        Ok(())
    } else {
        Err(Fault::NotAllowed(Reason::ProposalStale))
    }
}

/// The version whose end is proposed.
fn version_of(matter: &Matter) -> Option<KeyVersion> {
    let (kid, chain, namespace) = match matter {
        Matter::DestroyVersion {
            kid,
            chain,
            namespace,
        } => (*kid, chain, namespace.as_ref()),
        Matter::CutEscrow {
            kid,
            chain,
            namespace,
        } => (*kid, chain, Some(namespace)),
        Matter::Registry { .. } | Matter::Erase { .. } => return None,
    };
    Some(KeyVersion {
        chain: chain.clone(),
        namespace: namespace.cloned(),
        kid,
    })
}

/// The proposal whose last signature is the entry before, and which this entry puts into effect.
pub(super) fn effective(
    state: &State,
    header: &Header,
    act: Act,
    id: &ProposalId,
    due: Option<&Due>,
) -> Result<Arc<Record>, Fault> {
    let due = due.ok_or(Fault::NotSigned)?;
    let record = state.proposals.get(&due.proposal);
    let record = record.ok_or(Fault::UnknownProposal)?;
    if *id != due.proposal || effect_of(state, &due.proposal) != Some(act) {
        return Err(Fault::NotSigned);
    }
    if header.caller.as_ref() != Some(&due.signer) {
        return Err(Fault::NotTheLastSigner);
    }
    // No one who lost their standing or their key since they signed counts.
    let stands = |by: &Signature| standing::signature(state, &by.signer, &by.among, &by.signed);
    let lost = record
        .signatures
        .iter()
        .find(|signature| !stands(signature));
    match lost {
        Some(signature) => Err(wrong(&signature.signer, SignerFault::NotEntitled)),
        None => Ok(record.clone()),
    }
}

pub(super) fn end(state: &mut State, record: &Record, header: &Header) -> Result<(), Fault> {
    let next = record
        .end(End::Effective, caller(header)?, header.at)
        .map_err(Fault::NotAllowed)?;
    state.put_proposal(next);
    Ok(())
}

/// The proposal that an entry names, if it says of it what is so.
fn known<'a>(state: &'a State, named: &ProposalRef) -> Result<&'a Record, Fault> {
    let record = state.proposals.get(&named.id);
    let record = record.ok_or(Fault::UnknownProposal)?;
    let is = ProposalRef::of(&record.proposal);
    if named.digest != is.digest {
        Err(Fault::Digest)
    } else if named.chain != is.chain {
        Err(Fault::Field("chain"))
    } else {
        Ok(record)
    }
}
