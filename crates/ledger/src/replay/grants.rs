//! Grants: requested, approved, ended, used.

use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::{Identity, PublicKey, Reason, Timestamp};

use super::batches;
use super::keys::check_not_destroyed;
use crate::audit::{Act, Entry};
use crate::days::{self, GrantDays};
use crate::fault::{Fault, SignerFault};
use crate::grant::{Approval, Grant, Record, Terms};
use crate::registry::{Registry, Signers};
use crate::rules;
use crate::signer::{BEGAN_EARLIER_MILLIS, Said, check, of_actor, wrong};
use crate::state::{GrantState, State, verified};
use crate::statement::Deed;

pub(super) fn request(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let grant = Grant::decode(&entry.detail).map_err(|_| Fault::Detail(entry.act.as_str()))?;
    if grant.encode() != entry.detail {
        return Err(Fault::Detail(entry.act.as_str()));
    }
    let digest = sha256(&entry.detail);
    if entry.grant_digest != Some(digest) {
        return Err(Fault::Digest);
    }
    check_fields(&grant, entry)?;
    if entry.actor.as_ref() != Some(&grant.requester)
        || grant.requester.organisation != grant.grantee
    {
        return Err(Fault::Field("requester"));
    }
    if grant.registry_version != entry.registry_version {
        return Err(Fault::Field("registry version"));
    }
    check_moment(grant.requested_at, entry)?;
    let terms = grant.terms.check(grant.requested_at);
    terms.map_err(|wrong| Fault::Terms(wrong.first().map_or("", |(field, _)| *field)))?;
    if state.grants.contains_key(&grant.id) {
        return Err(Fault::GrantExists(grant.id));
    }
    check_party(state, &grant.requester)?;
    check_eligible(&state.registry, &grant)?;
    let (chain, to_chain) = grant.chains();
    check_not_destroyed(state, chain)?;
    to_chain.map_or(Ok(()), |chain| check_not_destroyed(state, chain))?;
    check_requirements(state, &grant)?;
    let id = grant.id.clone();
    state.grants.insert(
        id,
        GrantState {
            record: Arc::new(Record::new(grant)),
            digest,
            counter: 0,
            days: GrantDays::default(),
        },
    );
    Ok(())
}

/// What an entry is about was made when the entry was.
pub(super) fn check_moment(made: Timestamp, entry: &Entry) -> Result<(), Fault> {
    if made.millis().abs_diff(entry.at.millis()) <= BEGAN_EARLIER_MILLIS {
        Ok(())
    } else {
        Err(Fault::Field("time"))
    }
}

/// The steward who did the act, and their pinned key, if the entry bears their signature for it.
fn by_steward<'a>(
    state: &'a State,
    entry: &'a Entry,
    grant: &Grant,
    deed: Deed,
) -> Result<(&'a Identity, &'a PublicKey), Fault> {
    let (signer, signed) = of_actor(entry)?;
    let steward = pinned_steward(state, grant, signer)
        .ok_or_else(|| wrong(signer, SignerFault::NotEntitled))?;
    let object = grant.encode();
    check(
        &Said {
            deed,
            origin: &state.origin,
            object: &object,
        },
        entry.at,
        (signer, signed),
        Some(steward),
    )?;
    Ok((signer, steward))
}

pub(super) fn approve(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let record = known(state, entry)?.record.clone();
    let (signer, steward) = by_steward(state, entry, &record.grant, Deed::ApproveGrant)?;
    check_requirements(state, &record.grant)?;
    if !record.approvals.iter().all(|given| counts(state, given)) {
        return Err(Fault::NotAllowed(Reason::GrantStale));
    }
    let next = record
        .approve(
            signer,
            entry.at,
            entry.registry_version,
            verified(Some(steward)),
        )
        .map_err(Fault::NotAllowed)?;
    replace(state, next)
}

pub(super) fn deny(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let record = known(state, entry)?.record.clone();
    let (signer, _) = by_steward(state, entry, &record.grant, Deed::DenyGrant)?;
    let next = record
        .deny(signer, entry.at, verified(None))
        .map_err(Fault::NotAllowed)?;
    replace(state, next)
}

/// By a steward who might have approved, or by a member of the grantee, who gives up what is its own.
pub(super) fn revoke(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let record = known(state, entry)?.record.clone();
    let (signer, signed) = of_actor(entry)?;
    let object = record.grant.encode();
    let said = Said {
        deed: Deed::RevokeGrant,
        origin: &state.origin,
        object: &object,
    };
    let own = signer.organisation == record.grant.grantee
        && state.is_member(signer)
        && !state.is_custodian(signer);
    // Whoever has a pinned key signs with that. A member of the grantee has none, and signs with the certificate's.
    match state.registry.key(signer) {
        Some(pinned) if own || pinned_steward(state, &record.grant, signer).is_some() => {
            check(&said, entry.at, (signer, signed), Some(pinned))?;
        }
        None if own => check(&said, entry.at, (signer, signed), None)?,
        _ => return Err(wrong(signer, SignerFault::NotEntitled)),
    }
    let next = record
        .revoke(signer, entry.at, verified(None))
        .map_err(Fault::NotAllowed)?;
    replace(state, next)
}

/// Ends every grant that the registry in force does not allow any more, or that was approved so far by others than its stewards
/// with their keys. Whatever the next registry says, they do not come back.
pub(super) fn end_stale(state: &mut State, by: &Identity, at: Timestamp) {
    let stands = |record: &Record| {
        let approved = record.awaiting().is_empty();
        check_eligible(&state.registry, &record.grant).is_ok()
            && check_requirements(state, &record.grant).is_ok()
            && (approved || record.approvals.iter().all(|given| counts(state, given)))
    };
    let stale: Vec<_> = state
        .grants
        .values()
        .filter(|grant| !stands(&grant.record))
        .filter_map(|grant| grant.record.end_as_stale(by, at))
        .collect();
    for record in stale {
        if let Some(grant) = state.grants.get_mut(&record.grant.id) {
            grant.record = Arc::new(record);
        }
    }
}

/// Whether an approval still counts: by a steward, with the key that is pinned.
fn counts(state: &State, approval: &Approval) -> bool {
    let among = Signers::StewardsOf(approval.steward.organisation.clone());
    state.still_stands(&approval.steward, &among, &approval.signed)
}

/// A batch under a grant.
pub(super) fn charge(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let known = known(state, entry)?;
    let grant = &known.record.grant;
    let actor = entry.actor.as_ref().ok_or(Fault::Field("caller"))?;
    if actor.organisation != grant.grantee {
        return Err(Fault::Field("grantee"));
    }
    check_party(state, actor)?;
    // What the registry allowed when it was approved it need not allow any more.
    check_eligible(&state.registry, grant)?;
    check_requirements(state, grant).map_err(|_| Fault::NotAllowed(Reason::GrantStale))?;
    match known.record.usable(entry.at) {
        Ok(()) => {}
        Err(Reason::GrantNotStarted)
            if begins_by(&grant.terms, entry.at.plus_millis(BEGAN_EARLIER_MILLIS)) => {}
        Err(reason) => return Err(Fault::NotAllowed(reason)),
    }
    let (before, max) = (known.counter, grant.terms.max_values);
    let most = before.saturating_add(entry.values).min(max);
    if !(before..=most).contains(&entry.counter) {
        return Err(Fault::Counter {
            counter: entry.counter,
            before,
            values: entry.values,
            max,
        });
    }
    match entry.act {
        Act::Convert => batches::convert(state, entry, grant)?,
        _ => batches::reidentify(state, entry, grant)?,
    }
    let (today, more) = (days::number(entry.at), entry.counter - before);
    let of_day = known.days.get(today).unwrap_or(&0).saturating_add(more);
    let daily = grant.terms.max_values_per_day;
    if more > 0 && daily.is_some_and(|daily| of_day > daily) {
        return Err(Fault::NotAllowed(Reason::GrantDailyLimit));
    }
    let id = grant.id.clone();
    if let Some(grant) = state.grants.get_mut(&id) {
        grant.counter = entry.counter;
        // No day begins with nothing.
        if more > 0 {
            grant.days.set(today, of_day);
        }
    }
    Ok(())
}

fn begins_by(terms: &Terms, at: Timestamp) -> bool {
    terms.not_before.is_none_or(|begin| begin <= at)
}

/// The grant that an entry names, and whether it says of it what is so.
fn known<'a>(state: &'a State, entry: &Entry) -> Result<&'a GrantState, Fault> {
    let known = entry
        .grant
        .as_ref()
        .and_then(|id| state.grants.get(id))
        .ok_or(Fault::UnknownGrant)?;
    if entry.grant_digest != Some(known.digest) {
        return Err(Fault::Digest);
    }
    check_fields(&known.record.grant, entry)?;
    Ok(known)
}

fn check_fields(grant: &Grant, entry: &Entry) -> Result<(), Fault> {
    let (chain, to_chain) = grant.chains();
    if entry.grant.as_ref() != Some(&grant.id) {
        return Err(Fault::Field("grant"));
    }
    if entry.chain.as_ref() != Some(chain) || entry.to_chain.as_ref() != to_chain {
        return Err(Fault::Field("chain"));
    }
    if entry.purpose != grant.terms.purpose {
        return Err(Fault::Field("purpose"));
    }
    Ok(())
}

fn replace(state: &mut State, next: Record) -> Result<(), Fault> {
    state.signatures += 1;
    let known = state
        .grants
        .get_mut(&next.grant.id)
        .ok_or(Fault::UnknownGrant)?;
    known.record = Arc::new(next);
    Ok(())
}

/// The pinned key of a steward who has a say in this grant.
fn pinned_steward<'a>(state: &'a State, grant: &Grant, who: &Identity) -> Option<&'a PublicKey> {
    let signers = Signers::StewardsOf(who.organisation.clone());
    let entitled = grant.required.contains(&who.organisation)
        && state.is_one_of(who, &signers)
        && !state.is_custodian(who);
    state.registry.key(who).filter(|_| entitled)
}

/// Requests, uses and batches of sources are by members who are no custodians.
pub(super) fn check_party(state: &State, who: &Identity) -> Result<(), Fault> {
    if state.is_custodian(who) {
        Err(Fault::NotAllowed(Reason::CustodianMayNot))
    } else if !state.is_member(who) {
        Err(Fault::NotAllowed(Reason::NotAMember))
    } else {
        Ok(())
    }
}

/// Whether the registry in force lets the grantee have the grant.
fn check_eligible(registry: &Registry, grant: &Grant) -> Result<(), Fault> {
    rules::grants::eligible(registry, &grant.grantee, &grant.terms.kind).map_err(Fault::NotAllowed)
}

/// The grant must need the approvals that the registry in force wants for it.
fn check_requirements(state: &State, grant: &Grant) -> Result<(), Fault> {
    if rules::grants::wants_the_same(&state.registry, grant) {
        Ok(())
    } else {
        Err(Fault::Approvals(state.registry_version))
    }
}
