//! Govern: request, approve, deny, revoke and look at grants. What they are is in the ledger's state, and nowhere else.

use std::sync::Arc;

use sluis_crypto::{digest::sha256, random};
use sluis_domain::{ChainId, GrantId, OrganisationId, PublicKey, Reason, Timestamp};
use sluis_ledger::Signed;
use sluis_ledger::audit::Act;
use sluis_ledger::days;
use sluis_ledger::event::{Event, GrantRef, GrantSigned, Header, Signature};
use sluis_ledger::grant::{Grant, Kind, Record, State, Terms};
use sluis_ledger::rules;
use sluis_ledger::state::GrantState;
use sluis_ledger::statement::Deed;
use sluis_port::Commit;

use crate::core::change::Change;
use crate::core::meter::Count;
use crate::core::pace::{self, Earlier};
use crate::core::policy::{
    Action, ApproveGrant, BeKnown, DecideGrant, Permit, RequestGrant, RevokeGrant, SeeGrant,
};
use crate::core::record::{Asked, Named};
use crate::core::signing::Said;
use crate::core::snapshot::Snapshot;
use crate::core::{meter, versions};
use crate::governance::Governance;
use crate::{Caller, EngineError, Refusal};

/// Most grants of one person that may wait for a decision at a time.
const MAX_REQUESTED: usize = 100;

/// A grant as it stands.
#[derive(Clone, Debug)]
pub struct GrantView {
    /// What was asked for, and what happened to it.
    pub record: Arc<Record>,
    /// SHA-256 of the grant's canonical bytes; an approval names it.
    pub digest: [u8; 32],
    /// Where it stands now.
    pub state: State,
    /// Values used so far.
    pub used: u64,
    /// Of these, on the present UTC day.
    pub used_today: u64,
}

/// A decision about a grant: what it is called in a statement and in the log.
struct Decision {
    act: Act,
    deed: Deed,
    event: fn(GrantSigned) -> Event,
}

const APPROVE: Decision = Decision {
    act: Act::ApproveGrant,
    deed: Deed::ApproveGrant,
    event: Event::ApproveGrant,
};
const DENY: Decision = Decision {
    act: Act::DenyGrant,
    deed: Deed::DenyGrant,
    event: Event::DenyGrant,
};
const REVOKE: Decision = Decision {
    act: Act::RevokeGrant,
    deed: Deed::RevokeGrant,
    event: Event::RevokeGrant,
};

/// What a decision comes to: the entry's header, the grant after it, and the signature.
type Decided = (Header, Record, Signed);

impl Governance {
    /// Requests a grant for the caller's organisation.
    ///
    /// # Errors
    /// [`Reason::InvalidRequest`] with a violation per field, [`Reason::NotEligible`], [`Reason::UnknownChain`] (for a chain
    /// that does not concern the caller's organisation also if an element or a link is missing there),
    /// [`Reason::UnknownElement`], [`Reason::NotLinked`], [`Reason::NotReversible`], [`Reason::ChainDestroyed`],
    /// [`Reason::CustodianMayNot`], [`Reason::TooManyGrants`].
    pub fn request_grant(&self, caller: &Caller, terms: Terms) -> Result<GrantView, Refusal> {
        self.on_record(caller, Act::RequestGrant, || {
            let grant = self.govern(|| {
                let (header, grant) = self.requested(caller, terms.clone())?;
                let mut start = Commit::default();
                meter::start(self.snapshot().keyring.state(), &grant.id, &mut start);
                let change = Change::of(header, Event::RequestGrant(grant.clone()));
                Ok((change.with_rows(start), grant))
            })?;
            Ok(self.view_of(Arc::new(Record::new(grant)), &Count::default()))
        })
    }

    fn requested(&self, caller: &Caller, mut terms: Terms) -> Result<(Header, Grant), Refusal> {
        let kind = terms.kind.clone();
        let permit = self.authorise(caller, RequestGrant { kind: &kind })?;
        let now = permit.now();
        let snapshot = permit.snapshot();
        terms.check(now).map_err(|wrong| {
            wrong.iter().fold(
                Refusal::from(Reason::InvalidRequest),
                |refusal, (field, what)| refusal.with(format!("terms.{field}"), *what),
            )
        })?;
        // Comes before any answer about chains: a caller that may ask for nothing more learns nothing more.
        check_requested(snapshot, caller, now)?;
        let grantee = &caller.identity.organisation;
        let registry = &snapshot.registry;
        let requirements = rules::grants::requirements(&registry.registry, grantee, &terms.kind)?;
        check_chains(snapshot, grantee, &terms.kind)?;
        terms.not_before.get_or_insert(now);
        let grant = Grant {
            id: new_id(),
            terms,
            namespaces: requirements.namespaces,
            grantee: grantee.clone(),
            requester: caller.identity.clone(),
            requested_at: now,
            registry_version: registry.version,
            required: requirements.required,
        };
        // The grant and its entry are of one moment.
        Ok((permit.header(), grant))
    }

    /// A steward's yes to exactly the grant with this digest.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotASteward`], [`Reason::CustodianMayNot`], [`Reason::DigestMismatch`],
    /// [`Reason::GrantStale`] if the registry allows it no more or an earlier approver has lost their standing,
    /// [`Reason::KeyNotPinned`], [`Reason::BadSignature`], and the errors of [`Record::approve`].
    pub fn approve_grant(
        &self,
        caller: &Caller,
        id: &GrantId,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<GrantView, Refusal> {
        self.decide(caller, &APPROVE, id, |record, object| {
            let permit = self.authorise(caller, ApproveGrant { record })?;
            if digest != sha256(object) {
                return Err(Reason::DigestMismatch.into());
            }
            let now = permit.now();
            record.may_approve(&caller.identity, now)?;
            let pinned = steward_key(&permit);
            let signed = self.decided_by(&permit, &APPROVE, pinned, object, signature)?;
            let version = permit.snapshot().registry.version;
            let next = record.approve(&caller.identity, now, version, signed.clone())?;
            Ok((permit.header(), next, signed))
        })
    }

    /// A steward's no.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotASteward`], [`Reason::CustodianMayNot`], [`Reason::GrantDecided`],
    /// [`Reason::KeyNotPinned`], [`Reason::BadSignature`].
    pub fn deny_grant(
        &self,
        caller: &Caller,
        id: &GrantId,
        signature: &[u8],
    ) -> Result<GrantView, Refusal> {
        self.decide(caller, &DENY, id, |record, object| {
            let permit = self.authorise(caller, DecideGrant { record })?;
            let signed =
                self.decided_by(&permit, &DENY, steward_key(&permit), object, signature)?;
            let next = record.deny(&caller.identity, permit.now(), signed.clone())?;
            Ok((permit.header(), next, signed))
        })
    }

    /// Ends a grant; the next batch under it is refused.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotASteward`], [`Reason::CustodianMayNot`], [`Reason::GrantDecided`],
    /// [`Reason::KeyNotPinned`], [`Reason::BadSignature`].
    pub fn revoke_grant(
        &self,
        caller: &Caller,
        id: &GrantId,
        signature: &[u8],
    ) -> Result<GrantView, Refusal> {
        self.decide(caller, &REVOKE, id, |record, object| {
            let permit = self.authorise(caller, RevokeGrant { record })?;
            // Members of the grantee have no pinned key; giving up one's own grant needs none.
            let own = record.grant.grantee == caller.identity.organisation;
            let key = steward_key(&permit).or_else(|| caller.key.as_ref().filter(|_| own));
            let signed = self.decided_by(&permit, &REVOKE, key, object, signature)?;
            let next = record.revoke(&caller.identity, permit.now(), signed.clone())?;
            Ok((permit.header(), next, signed))
        })
    }

    /// A decision about a grant: on record, and durable before it is in force. `next` gets the grant and its canonical bytes.
    fn decide(
        &self,
        caller: &Caller,
        decision: &Decision,
        id: &GrantId,
        next: impl Fn(&Record, &[u8]) -> Result<Decided, Refusal>,
    ) -> Result<GrantView, Refusal> {
        let asked = Asked {
            act: decision.act,
            about: Named::Grant(id),
        };
        self.on_record(caller, asked, || {
            let record = self.govern(|| {
                self.authorise(caller, BeKnown)?;
                let present = self.known_grant(id)?;
                let (header, next, signed) = next(&present, &present.grant.encode())?;
                let event = (decision.event)(GrantSigned {
                    grant: GrantRef::of(&next.grant),
                    signature: Signature {
                        signer: caller.identity.clone(),
                        signed,
                    },
                });
                Ok((Change::of(header, event), Arc::new(next)))
            })?;
            self.view(record)
        })
    }

    fn decided_by<A: Action>(
        &self,
        permit: &Permit<A>,
        decision: &Decision,
        key: Option<&PublicKey>,
        object: &[u8],
        signature: &[u8],
    ) -> Result<Signed, Refusal> {
        let said = Said {
            deed: decision.deed,
            object,
            signature,
        };
        self.check_signature(permit.caller(), key, &said)
    }

    /// One grant.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`] if it does not exist or does not concern the caller's organisation.
    pub fn get_grant(&self, caller: &Caller, id: &GrantId) -> Result<GrantView, Refusal> {
        let asked = Asked {
            act: Act::ReadGrants,
            about: Named::Grant(id),
        };
        self.on_record(caller, asked, || {
            self.authorise(caller, BeKnown)?;
            let record = self.known_grant(id)?;
            self.authorise(caller, SeeGrant { record: &record })?;
            self.view(record)
        })
    }

    /// Up to `limit` grants that concern the caller's organisation, in the order of their ids, after `after`.
    ///
    /// # Errors
    /// The errors of [`crate::Engine::admit`] and of the store.
    pub fn list_grants(
        &self,
        caller: &Caller,
        after: Option<&GrantId>,
        limit: usize,
        state: Option<State>,
    ) -> Result<Vec<GrantView>, Refusal> {
        self.on_record(caller, Act::ReadGrants, || {
            let permit = self.authorise(caller, BeKnown)?;
            let lasting = visible_grants(&permit, after).cloned().map(Ok);
            let mut views = self.views_in(state, limit, lasting)?;
            if state.is_none_or(is_past) {
                let past = self.past(permit.snapshot()).grants(after);
                let seen = past.filter(|record| sees(&permit, record));
                let mut past = self.views_in(state, limit, seen)?;
                // One that leaves memory at this moment is in both.
                past.retain(|view| known(&permit, view).is_none());
                views.append(&mut past);
            }
            views.sort_by(|a, b| a.record.grant.id.cmp(&b.record.grant.id));
            views.truncate(limit);
            Ok(views)
        })
    }

    /// Up to `limit` grants in a state.
    fn views_in(
        &self,
        state: Option<State>,
        limit: usize,
        records: impl Iterator<Item = Result<Arc<Record>, EngineError>>,
    ) -> Result<Vec<GrantView>, Refusal> {
        let mut views = Vec::new();
        let now = self.now();
        for record in records {
            let record = record?;
            // How one stands that has ended does not depend on its counter.
            let past = record.ended.is_some();
            if past && state.is_some_and(|state| record.state(now, 0) != state) {
                continue;
            }
            let view = self.view(record)?;
            if state.is_none_or(|state| view.state == state) {
                views.push(view);
            }
            if views.len() >= limit {
                break;
            }
        }
        Ok(views)
    }

    fn view(&self, record: Arc<Record>) -> Result<GrantView, Refusal> {
        let snapshot = self.snapshot();
        let seal = snapshot.keyring.state();
        let id = &record.grant.id;
        let count = match record.ended {
            None => self.meters.count(&*self.store, seal, id)?,
            // No counter that is used no more stays in memory.
            Some(_) => meter::read(&*self.store, seal, id)?,
        };
        Ok(self.view_of(record, &count))
    }

    fn view_of(&self, record: Arc<Record>, count: &Count) -> GrantView {
        let now = self.now();
        GrantView {
            digest: sha256(&record.grant.encode()),
            state: record.state(now, count.used),
            used: count.used,
            used_today: count.on(days::number(now)),
            record,
        }
    }
}

/// The grants that concern the caller's organisation, in the order of their ids, after `after`.
pub(crate) fn visible_grants<'a>(
    permit: &'a Permit<BeKnown>,
    after: Option<&'a GrantId>,
) -> impl Iterator<Item = &'a Arc<Record>> {
    let records = permit.snapshot().state.grants_after(after);
    records.filter(|record| permit.also(&SeeGrant { record }))
}

/// Whether grants in this state may have left memory.
fn is_past(state: State) -> bool {
    match state {
        State::Denied | State::Expired | State::Revoked | State::Stale => true,
        State::Requested | State::Approved | State::Exhausted => false,
    }
}

/// Whether the caller may see a grant; it must if it cannot be read.
fn sees(permit: &Permit<BeKnown>, record: &Result<Arc<Record>, EngineError>) -> bool {
    record
        .as_ref()
        .map_or(true, |record| permit.also(&SeeGrant { record }))
}

/// A grant that did not leave memory.
fn known<'a>(permit: &'a Permit<BeKnown>, view: &GrantView) -> Option<&'a GrantState> {
    permit.snapshot().state.grant(&view.record.grant.id)
}

/// The key that the registry pins for the caller.
fn steward_key<A>(permit: &Permit<A>) -> Option<&PublicKey> {
    let registry = &permit.snapshot().registry.registry;
    registry.key(&permit.caller().identity)
}

/// Bounds what the custodian can be made to remember.
fn check_requested(snapshot: &Snapshot, caller: &Caller, now: Timestamp) -> Result<(), Refusal> {
    let records = snapshot.state.grants().map(|known| known.record());
    let earlier = records.map(|record| Earlier {
        by: &record.grant.requester,
        at: record.grant.requested_at,
        waits: record.state(now, 0) == State::Requested,
    });
    let asking = (&caller.identity, now);
    pace::check(Reason::TooManyGrants, MAX_REQUESTED, asking, earlier)
}

/// Nothing is granted in a chain that was destroyed. Of one that does not concern the grantee it gets the one answer.
fn check_chains(snapshot: &Snapshot, grantee: &OrganisationId, kind: &Kind) -> Result<(), Reason> {
    let destroyed = |id: &ChainId| versions::is_destroyed(&snapshot.keyring, id);
    let (chain, to_chain) = match kind {
        Kind::Convert { from, to, .. } => (&from.0, Some(&to.0)),
        Kind::Reidentify { chain, .. } => (chain, None),
    };
    let registered = to_chain.and_then(|id| snapshot.registry.registry.chain(id));
    let concerned = registered.is_none_or(|chain| rules::grants::concerns(chain, grantee));
    if destroyed(chain) {
        Err(Reason::ChainDestroyed)
    } else if to_chain.is_some_and(destroyed) {
        Err(if concerned {
            Reason::ChainDestroyed
        } else {
            Reason::UnknownChain
        })
    } else {
        Ok(())
    }
}

/// 80 random bits: no one guesses a grant id, and no one needs to.
fn new_id() -> GrantId {
    let text = random::bytes::<10>()
        .iter()
        .fold(String::from("g-"), |text, byte| format!("{text}{byte:02x}"));
    text.parse()
        .expect("lower-case hexadecimal digits are an id")
}
