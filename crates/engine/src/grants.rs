//! Govern: request, approve, deny, revoke and look at grants.
//!
//! Stored in `grants` under `g` || grant id, sealed; the generation grows with every step.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError};

use sluis_crypto::{digest::sha256, random};
use sluis_domain::{ChainId, GrantId, Identity, OrganisationId, Reason, Timestamp};
use sluis_keyring::Keyring;
use sluis_ledger::Signed;
use sluis_ledger::audit::Act;
use sluis_ledger::days;
use sluis_ledger::event::{Event, GrantRef, GrantSigned, Header, Signature};
use sluis_ledger::grant::{Grant, Kind, Record, State, Terms};
use sluis_ledger::registry::Registry;
use sluis_ledger::rules;
use sluis_ledger::statement::Deed;
use sluis_port::{Commit, Family, Store, rows};

use crate::audit::{Asked, Named, encoded};
use crate::engine::Engine;
use crate::meter::Count;
use crate::pace::{self, Earlier};
use crate::policy::{ApproveGrant, BeKnown, DecideGrant, RequestGrant, RevokeGrant, SeeGrant};
use crate::signing::{self, Said};
use crate::snapshot::Snapshot;
use crate::{Caller, EngineError, Refusal, life, meter, scan};

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

/// A grant in memory, with its sealed bytes in the store: what a commit under it expects to be unchanged.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) record: Arc<Record>,
    stored: Arc<[u8]>,
}

/// All grants of a store. Every approval is verified again, with the key that was pinned when it was given: `registry`
/// gives the registry of a version.
pub(crate) fn load(
    store: &dyn Store,
    keyring: &Keyring,
    origin: &str,
    mut registry: impl FnMut(u64) -> Result<Arc<Registry>, EngineError>,
) -> Result<BTreeMap<GrantId, Known>, EngineError> {
    let mut grants = BTreeMap::new();
    for (key, stored) in scan::of_kind(store, rows::GRANT)? {
        let (_, value) = keyring.state().open(Family::Grants, &key, &stored)?;
        let record = Record::decode(&value).map_err(|_| EngineError::Corrupt("grant"))?;
        if key != rows::grant_key(&record.grant.id) {
            return Err(EngineError::Corrupt("grant"));
        }
        verify_approvals(&record, origin, &mut registry)?;
        grants.insert(
            record.grant.id.clone(),
            Known {
                record: Arc::new(record),
                stored: stored.into(),
            },
        );
    }
    Ok(grants)
}

fn verify_approvals(
    record: &Record,
    origin: &str,
    registry: &mut impl FnMut(u64) -> Result<Arc<Registry>, EngineError>,
) -> Result<(), EngineError> {
    let object = record.grant.encode();
    for approval in &record.approvals {
        let said = Said {
            deed: Deed::ApproveGrant,
            object: &object,
            signature: &approval.signed.signature,
        };
        let registry = registry(approval.registry_version)?;
        let fits = registry
            .key(&approval.steward)
            .is_some_and(|key| signing::fits(origin, key, &said));
        if !fits {
            return Err(EngineError::Corrupt("approval of a grant"));
        }
    }
    Ok(())
}

impl Engine {
    /// Requests a grant for the caller's organisation.
    ///
    /// # Errors
    /// [`Reason::InvalidRequest`] with a violation per field, [`Reason::NotEligible`], [`Reason::UnknownChain`] (for a chain
    /// that does not concern the caller's organisation also if an element or a link is missing there),
    /// [`Reason::UnknownElement`], [`Reason::NotLinked`], [`Reason::NotReversible`], [`Reason::ChainDestroyed`],
    /// [`Reason::CustodianMayNot`], [`Reason::TooManyGrants`].
    pub fn request_grant(&self, caller: &Caller, mut terms: Terms) -> Result<GrantView, Refusal> {
        self.on_record(caller, Act::RequestGrant, || {
            let _governing = self.govern();
            let permit = self.authorise(caller, RequestGrant { kind: &terms.kind })?;
            let (now, registry) = (permit.now(), permit.snapshot().registry.clone());
            terms.check(now).map_err(|wrong| {
                wrong.iter().fold(
                    Refusal::from(Reason::InvalidRequest),
                    |refusal, (field, what)| refusal.with(format!("terms.{field}"), *what),
                )
            })?;
            // Comes before any answer about chains: a caller that may ask for nothing more learns nothing more.
            self.check_requested(caller, now)?;
            let grantee = &caller.identity.organisation;
            let requirements =
                rules::grants::requirements(&registry.registry, grantee, &terms.kind)?;
            check_chains(permit.snapshot(), grantee, &terms.kind)?;
            terms.not_before.get_or_insert(now);
            let grant = Grant {
                id: new_id(),
                terms: terms.clone(),
                namespaces: requirements.namespaces,
                grantee: grantee.clone(),
                requester: caller.identity.clone(),
                requested_at: now,
                registry_version: registry.version,
                required: requirements.required,
            };
            // The grant and its entry are of one moment.
            let entry = encoded(permit.header(), Event::RequestGrant(grant.clone()));
            self.store_grant(Record::new(grant), None, entry)
        })
    }

    /// A steward's yes to exactly the grant with this digest.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotASteward`], [`Reason::CustodianMayNot`], [`Reason::DigestMismatch`],
    /// [`Reason::GrantStale`] if the registry allows it no more or an earlier approver has lost their standing,
    /// [`Reason::KeyNotPinned`], [`Reason::BadSignature`], and those of [`Record::approve`].
    pub fn approve_grant(
        &self,
        caller: &Caller,
        id: &GrantId,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<GrantView, Refusal> {
        self.step(
            caller,
            Event::ApproveGrant,
            (Act::ApproveGrant, id),
            |record| {
                let permit = self.authorise(caller, ApproveGrant { record })?;
                let object = record.grant.encode();
                if digest != sha256(&object) {
                    return Err(Reason::DigestMismatch.into());
                }
                let (now, version) = (permit.now(), permit.snapshot().registry.version);
                record.may_approve(&caller.identity, now)?;
                let pinned = permit.snapshot().registry.registry.key(&caller.identity);
                let said = Said {
                    deed: Deed::ApproveGrant,
                    object: &object,
                    signature,
                };
                let signed = self.check_signature(caller, pinned, &said)?;
                if !self.approvals_stand(&permit.snapshot().registry.registry, record, &object) {
                    return Err(Reason::GrantStale.into());
                }
                let next = record.approve(&caller.identity, now, version, signed.clone())?;
                Ok((permit.header(), next, signed))
            },
        )
    }

    /// Whether every approval so far was made with the key that is pinned for its steward now: one with a key that was
    /// given up since, or has passed to another steward, does not count.
    fn approvals_stand(&self, registry: &Registry, record: &Record, object: &[u8]) -> bool {
        record.approvals.iter().all(|approval| {
            let said = Said {
                deed: Deed::ApproveGrant,
                object,
                signature: &approval.signed.signature,
            };
            registry
                .key(&approval.steward)
                .is_some_and(|key| self.fits(key, &said))
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
        self.step(caller, Event::DenyGrant, (Act::DenyGrant, id), |record| {
            let permit = self.authorise(caller, DecideGrant { record })?;
            let pinned = permit.snapshot().registry.registry.key(&caller.identity);
            let object = record.grant.encode();
            let said = Said {
                deed: Deed::DenyGrant,
                object: &object,
                signature,
            };
            let signed = self.check_signature(caller, pinned, &said)?;
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
        self.step(
            caller,
            Event::RevokeGrant,
            (Act::RevokeGrant, id),
            |record| {
                let permit = self.authorise(caller, RevokeGrant { record })?;
                // Members of the grantee have no pinned key; giving up one's own grant needs none.
                let pinned = permit.snapshot().registry.registry.key(&caller.identity);
                let own = record.grant.grantee == caller.identity.organisation;
                let key = pinned.or_else(|| caller.key.as_ref().filter(|_| own));
                let object = record.grant.encode();
                let said = Said {
                    deed: Deed::RevokeGrant,
                    object: &object,
                    signature,
                };
                let signed = self.check_signature(caller, key, &said)?;
                let next = record.revoke(&caller.identity, permit.now(), signed.clone())?;
                Ok((permit.header(), next, signed))
            },
        )
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
            let record = self.known_grant(id)?.record;
            self.authorise(caller, SeeGrant { record: &record })?;
            self.view(record)
        })
    }

    /// Up to `limit` grants that concern the caller's organisation, in the order of their ids, after `after`.
    ///
    /// # Errors
    /// Those of [`Self::admit`] and of the store.
    pub fn list_grants(
        &self,
        caller: &Caller,
        after: Option<&GrantId>,
        limit: usize,
        state: Option<State>,
    ) -> Result<Vec<GrantView>, Refusal> {
        self.on_record(caller, Act::ReadGrants, || {
            let mut views = Vec::new();
            for record in self.visible_grants(caller, after)? {
                let view = self.view(record)?;
                if state.is_none_or(|state| view.state == state) {
                    views.push(view);
                }
                if views.len() >= limit {
                    break;
                }
            }
            Ok(views)
        })
    }

    /// The grants that concern the caller's organisation, in the order of their ids, after `after`.
    pub(crate) fn visible_grants(
        &self,
        caller: &Caller,
        after: Option<&GrantId>,
    ) -> Result<Vec<Arc<Record>>, Refusal> {
        let permit = self.authorise(caller, BeKnown)?;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let grants = self.lock_grants();
        let records = grants
            .range::<GrantId, _>((start, Bound::Unbounded))
            .map(|(_, known)| &known.record);
        Ok(records
            .filter(|record| permit.also(&SeeGrant { record }))
            .cloned()
            .collect())
    }

    /// The grants whose grantee is this organisation.
    pub(crate) fn grants_of(&self, organisation: &OrganisationId) -> BTreeSet<GrantId> {
        let grants = self.lock_grants();
        let own = grants
            .iter()
            .filter(|(_, known)| known.record.grant.grantee == *organisation);
        own.map(|(id, _)| id.clone()).collect()
    }

    /// The grant with this id.
    pub(crate) fn known_grant(&self, id: &GrantId) -> Result<Known, Reason> {
        let known = self.lock_grants().get(id).cloned();
        known.ok_or(Reason::UnknownGrant)
    }

    /// A commit under a grant holds only while the grant is what it was when the commit was permitted, and the
    /// registry as well: another daemon on the same store may have changed them.
    pub(crate) fn expect_unchanged(
        &self,
        snapshot: &Snapshot,
        grant: Option<&Known>,
        commit: &mut Commit,
    ) {
        let next = snapshot.registry.version + 1;
        commit.expect(Family::Registry, rows::registry_key(next), None);
        if let Some(known) = grant {
            commit.expect(
                Family::Grants,
                rows::grant_key(&known.record.grant.id),
                Some(known.stored.to_vec()),
            );
        }
    }

    /// Bounds what the custodian can be made to remember.
    fn check_requested(&self, caller: &Caller, now: Timestamp) -> Result<(), Refusal> {
        let grants = self.lock_grants();
        let earlier = grants.values().map(|known| Earlier {
            by: &known.record.grant.requester,
            at: known.record.grant.requested_at,
            waits: known.record.state(now, 0) == State::Requested,
        });
        pace::check(
            Reason::TooManyGrants,
            MAX_REQUESTED,
            (&caller.identity, now),
            earlier,
        )
    }

    /// One step of a grant: on record, alone, and durable before it is in force.
    fn step(
        &self,
        caller: &Caller,
        event: fn(GrantSigned) -> Event,
        (act, id): (Act, &GrantId),
        next: impl FnOnce(&Record) -> Result<(Header, Record, Signed), Refusal>,
    ) -> Result<GrantView, Refusal> {
        let asked = Asked {
            act,
            about: Named::Grant(id),
        };
        self.on_record(caller, asked, || {
            let _governing = self.govern();
            self.authorise(caller, BeKnown)?;
            let present = self.known_grant(id)?;
            let (header, next, signed) = next(&present.record)?;
            let event = event(GrantSigned {
                grant: GrantRef::of(&next.grant),
                signature: Signature {
                    signer: caller.identity.clone(),
                    signed,
                },
            });
            self.store_grant(next, Some(&present), encoded(header, event))
        })
    }

    /// Adds the end of every grant that has not ended to a commit; [`Self::put_grants`] when that is durable. Only while
    /// [`Self::govern`] is held.
    pub(crate) fn end_grants(
        &self,
        by: &Identity,
        now: Timestamp,
        commit: &mut Commit,
    ) -> Result<Vec<Known>, Refusal> {
        self.end_each(commit, |record| record.end_by_restore(by, now))
    }

    /// Adds the end of every grant that a coming registry does not allow any more, or that was approved so far by others than its
    /// stewards with their keys. They do not come back when the registry does. As [`Self::end_grants`].
    pub(crate) fn end_stale_grants(
        &self,
        next: &Registry,
        by: &Identity,
        now: Timestamp,
        commit: &mut Commit,
    ) -> Result<Vec<Known>, Refusal> {
        self.end_each(commit, |record| {
            let undecided = !record.awaiting().is_empty();
            let object = record.grant.encode();
            let stands = rules::grants::still_allows(next, record)
                && (!undecided || self.approvals_stand(next, record, &object));
            if stands {
                None
            } else {
                record.end_as_stale(by, now)
            }
        })
    }

    fn end_each(
        &self,
        commit: &mut Commit,
        end: impl Fn(&Record) -> Option<Record>,
    ) -> Result<Vec<Known>, Refusal> {
        let snapshot = self.snapshot();
        let seal = snapshot.keyring.state();
        let mut ended = Vec::new();
        for known in self.lock_grants().values() {
            let Some(record) = end(&known.record) else {
                continue;
            };
            let key = rows::grant_key(&record.grant.id);
            let generation = seal.open(Family::Grants, &key, &known.stored)?.0 + 1;
            let stored = seal.seal(Family::Grants, &key, generation, &record.encode());
            commit.expect(Family::Grants, key.clone(), Some(known.stored.to_vec()));
            commit.put(Family::Grants, key, stored.clone());
            ended.push(Known {
                record: Arc::new(record),
                stored: stored.into(),
            });
        }
        Ok(ended)
    }

    /// Puts grants into force that are durable.
    pub(crate) fn put_grants(&self, grants: Vec<Known>) {
        self.lock_grants().extend(
            grants
                .into_iter()
                .map(|known| (known.record.grant.id.clone(), known)),
        );
    }

    fn store_grant(
        &self,
        next: Record,
        present: Option<&Known>,
        entry: Vec<u8>,
    ) -> Result<GrantView, Refusal> {
        let (id, key) = (next.grant.id.clone(), rows::grant_key(&next.grant.id));
        let snapshot = self.snapshot();
        let seal = snapshot.keyring.state();
        let mut commit = Commit::default();
        let (generation, count) = match present {
            None => {
                meter::start(seal, &id, &mut commit);
                (1, Count::default())
            }
            Some(known) => (
                seal.open(Family::Grants, &key, &known.stored)?.0 + 1,
                self.meters.count(&*self.store, seal, &id)?,
            ),
        };
        let stored = seal.seal(Family::Grants, &key, generation, &next.encode());
        commit.expect(
            Family::Grants,
            key.clone(),
            present.map(|known| known.stored.to_vec()),
        );
        commit.put(Family::Grants, key, stored.clone()).entry(entry);
        self.commit_governed(commit, None)?;
        let record = Arc::new(next);
        self.lock_grants().insert(
            id,
            Known {
                record: record.clone(),
                stored: stored.into(),
            },
        );
        Ok(self.view_of(record, count))
    }

    fn view(&self, record: Arc<Record>) -> Result<GrantView, Refusal> {
        let count = self.meters.count(
            &*self.store,
            self.snapshot().keyring.state(),
            &record.grant.id,
        )?;
        Ok(self.view_of(record, count))
    }

    fn view_of(&self, record: Arc<Record>, count: Count) -> GrantView {
        let now = self.now();
        let state = record.state(now, count.used);
        GrantView {
            digest: sha256(&record.grant.encode()),
            state,
            used: count.used,
            used_today: count.on(days::number(now)),
            record,
        }
    }

    pub(crate) fn lock_grants(&self) -> std::sync::MutexGuard<'_, BTreeMap<GrantId, Known>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing is granted in a chain that was destroyed. Of one that does not concern the grantee it gets the one answer.
fn check_chains(snapshot: &Snapshot, grantee: &OrganisationId, kind: &Kind) -> Result<(), Reason> {
    let destroyed = |id: &ChainId| life::is_destroyed(&snapshot.keyring, id);
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

/// 80 random bits: nobody guesses a grant id, and nobody needs to.
fn new_id() -> GrantId {
    let text = random::bytes::<10>()
        .iter()
        .fold(String::from("g-"), |text, byte| format!("{text}{byte:02x}"));
    text.parse()
        .expect("lower-case hexadecimal digits are an id")
}
