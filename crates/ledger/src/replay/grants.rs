//! Grants: requested, approved, ended, used.

use std::sync::Arc;

use sluis_domain::{Identity, PublicKey, Reason, Timestamp};

use super::keys::check_not_destroyed;
use super::party::check_party;
use super::{batches, caller};
use crate::audit::Act;
use crate::days::{self, GrantDays};
use crate::event::{GrantRef, GrantSigned, Granted, Header};
use crate::fault::{Fault, SignerFault};
use crate::grant::{Grant, Record, Terms};
use crate::registry::{Registry, Signers};
use crate::rules;
use crate::rules::standing;
use crate::signer::{BEGAN_EARLIER_MILLIS, Said, check, of_caller, wrong};
use crate::state::{GrantState, State};
use crate::statement::Deed;

pub(super) fn request(state: &mut State, header: &Header, grant: &Grant) -> Result<(), Fault> {
    if *caller(header)? != grant.requester || grant.requester.organisation != grant.grantee {
        return Err(Fault::Field("requester"));
    }
    if grant.registry_version != header.registry_version {
        return Err(Fault::Field("registry version"));
    }
    check_moment(grant.requested_at, header)?;
    let terms = grant.terms.check(grant.requested_at);
    terms.map_err(|wrong| Fault::Terms(wrong.first().map_or("", |(field, _)| *field)))?;
    if state.grants.contains_key(&grant.id) {
        return Err(Fault::GrantExists(grant.id.clone()));
    }
    check_party(state, &grant.requester)?;
    check_eligible(&state.registry, grant)?;
    let (chain, to_chain) = grant.chains();
    check_not_destroyed(state, chain)?;
    to_chain.map_or(Ok(()), |chain| check_not_destroyed(state, chain))?;
    check_requirements(state, grant)?;
    let digest = GrantRef::of(grant).digest;
    state.grants.insert(
        grant.id.clone(),
        GrantState {
            record: Arc::new(Record::new(grant.clone())),
            digest,
            counter: 0,
            days: GrantDays::default(),
        },
    );
    Ok(())
}

/// What an entry is about was made when the entry was.
pub(super) fn check_moment(made: Timestamp, header: &Header) -> Result<(), Fault> {
    if made.millis().abs_diff(header.at.millis()) <= BEGAN_EARLIER_MILLIS {
        Ok(())
    } else {
        Err(Fault::Field("time"))
    }
}

/// The steward who did the act, if the entry bears their signature for it.
fn by_steward<'a>(
    state: &'a State,
    header: &Header,
    entry: &'a GrantSigned,
    grant: &Grant,
    deed: Deed,
) -> Result<&'a Identity, Fault> {
    let (signer, signed) = of_caller(header, &entry.signature)?;
    let steward = pinned_steward(state, grant, signer)
        .ok_or_else(|| wrong(signer, SignerFault::NotEntitled))?;
    let object = grant.encode();
    check(
        &Said {
            deed,
            origin: &state.origin,
            object: &object,
        },
        header.at,
        (signer, signed),
        Some(steward),
    )?;
    Ok(signer)
}

pub(super) fn approve(
    state: &mut State,
    header: &Header,
    entry: &GrantSigned,
) -> Result<(), Fault> {
    let record = check_named(state, &entry.grant)?.record.clone();
    let signer = by_steward(state, header, entry, &record.grant, Deed::ApproveGrant)?;
    check_requirements(state, &record.grant)?;
    if !standing::approvals(state, &record) {
        return Err(Fault::NotAllowed(Reason::GrantStale));
    }
    let next = record
        .approve(
            signer,
            header.at,
            header.registry_version,
            entry.signature.signed.clone(),
        )
        .map_err(Fault::NotAllowed)?;
    state.signatures += 1;
    state.put_grant(next);
    Ok(())
}

pub(super) fn deny(state: &mut State, header: &Header, entry: &GrantSigned) -> Result<(), Fault> {
    let record = check_named(state, &entry.grant)?.record.clone();
    let signer = by_steward(state, header, entry, &record.grant, Deed::DenyGrant)?;
    let next = record
        .deny(signer, header.at, entry.signature.signed.clone())
        .map_err(Fault::NotAllowed)?;
    state.signatures += 1;
    state.put_grant(next);
    Ok(())
}

/// By a steward who might have approved, or by a member of the grantee, who gives up what is its own.
pub(super) fn revoke(state: &mut State, header: &Header, entry: &GrantSigned) -> Result<(), Fault> {
    let record = check_named(state, &entry.grant)?.record.clone();
    let (signer, signed) = of_caller(header, &entry.signature)?;
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
            check(&said, header.at, (signer, signed), Some(pinned))?;
        }
        None if own => check(&said, header.at, (signer, signed), None)?,
        _ => return Err(wrong(signer, SignerFault::NotEntitled)),
    }
    let next = record
        .revoke(signer, header.at, entry.signature.signed.clone())
        .map_err(Fault::NotAllowed)?;
    state.signatures += 1;
    state.put_grant(next);
    Ok(())
}

/// Its end has passed: it ends for good.
pub(super) fn expire(state: &mut State, header: &Header, named: &GrantRef) -> Result<(), Fault> {
    let record = &check_named(state, named)?.record;
    let not_over = Fault::Field("time");
    let next = record.expire(header.at).ok_or(not_over)?;
    state.put_grant(next);
    Ok(())
}

/// Ends every grant that the registry in force does not allow any more, or that was approved so far by others than its stewards
/// with their keys. Whatever the next registry says, they do not come back.
pub(super) fn end_stale(state: &mut State, by: &Identity, at: Timestamp) {
    let stale: Vec<_> = state
        .grants
        .values()
        .filter(|grant| grant.record.ended.is_none() && !standing::grant(state, &grant.record))
        .filter_map(|grant| grant.record.end_as_stale(by, at))
        .collect();
    for record in stale {
        state.put_grant(record);
    }
}

/// A batch under a grant.
pub(super) fn charge(
    state: &mut State,
    header: &Header,
    act: Act,
    batch: &Granted,
) -> Result<(), Fault> {
    let known = check_named(state, &batch.grant)?;
    let grant = &known.record.grant;
    let user = caller(header)?;
    if user.organisation != grant.grantee {
        return Err(Fault::Field("grantee"));
    }
    check_party(state, user)?;
    // What the registry allowed when it was approved it need not allow any more.
    check_eligible(&state.registry, grant)?;
    check_requirements(state, grant).map_err(|_| Fault::NotAllowed(Reason::GrantStale))?;
    match known.record.usable(header.at) {
        Ok(()) => {}
        Err(Reason::GrantNotStarted)
            if begins_by(&grant.terms, header.at.plus_millis(BEGAN_EARLIER_MILLIS)) => {}
        Err(reason) => return Err(Fault::NotAllowed(reason)),
    }
    let (before, max) = (known.counter, grant.terms.max_values);
    let most = before.saturating_add(batch.values).min(max);
    if !(before..=most).contains(&batch.counter) {
        return Err(Fault::Counter {
            counter: batch.counter,
            before,
            values: batch.values,
            max,
        });
    }
    match act {
        Act::Convert => batches::convert(state, batch, grant)?,
        _ => batches::reidentify(state, batch, grant)?,
    }
    let today = days::number(header.at);
    let more = batch.counter - before;
    let of_day = known.days.get(today).unwrap_or(&0).saturating_add(more);
    let daily = grant.terms.max_values_per_day;
    if more > 0 && daily.is_some_and(|daily| of_day > daily) {
        return Err(Fault::NotAllowed(Reason::GrantDailyLimit));
    }
    let id = grant.id.clone();
    if let Some(grant) = state.grants.get_mut(&id) {
        grant.counter = batch.counter;
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

/// The grant that an entry names, if it says of it what is so.
pub(super) fn check_named<'a>(state: &'a State, named: &GrantRef) -> Result<&'a GrantState, Fault> {
    let known = state.grants.get(&named.id).ok_or(Fault::UnknownGrant)?;
    let grant = &known.record.grant;
    if named.digest != known.digest {
        return Err(Fault::Digest);
    }
    if (&named.chain, named.to_chain.as_ref()) != grant.chains() {
        return Err(Fault::Field("chain"));
    }
    if named.purpose == grant.terms.purpose {
        Ok(known)
    } else {
        Err(Fault::Field("purpose"))
    }
}

/// The pinned key of a steward who has a say in this grant.
fn pinned_steward<'a>(state: &'a State, grant: &Grant, who: &Identity) -> Option<&'a PublicKey> {
    let signers = Signers::StewardsOf(who.organisation.clone());
    let entitled = grant.required.contains(&who.organisation)
        && state.is_one_of(who, &signers)
        && !state.is_custodian(who);
    state.registry.key(who).filter(|_| entitled)
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
