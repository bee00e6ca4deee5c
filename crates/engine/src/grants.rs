//! Govern: request, approve, deny, revoke and look at grants.
//!
//! Stored in `grants` under `g` || grant id, sealed; the generation grows with every step.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use sluis_crypto::{digest::sha256, random};
use sluis_domain::audit::{Act, Entry};
use sluis_domain::grant::{Grant, Record, State, Terms};
use sluis_domain::port::{Commit, Family, Store};
use sluis_domain::{GrantId, Reason};
use sluis_keyring::Keyring;

use crate::engine::Engine;
use crate::meter;
use crate::policy::{self, BeKnown, DecideGrant, RequestGrant, RevokeGrant, SeeGrant};
use crate::{Caller, EngineError, Refusal};

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
}

/// All grants of a store.
pub(crate) fn load(store: &dyn Store, keyring: &Keyring) -> Result<BTreeMap<GrantId, Arc<Record>>, EngineError> {
    let mut grants = BTreeMap::new();
    let mut start = b"g".to_vec();
    loop {
        let page = store.scan(Family::Grants, &start, 1000)?;
        let Some((last, _)) = page.last() else { return Ok(grants) };
        start = [last, &[0][..]].concat();
        for (key, stored) in page {
            if key.first() != Some(&b'g') {
                return Ok(grants);
            }
            let (_, value) = keyring.state().open(Family::Grants, &key, &stored)?;
            let record = Record::decode(&value).map_err(|_| EngineError::Corrupt("grant"))?;
            if key != storage_key(&record.grant.id) {
                return Err(EngineError::Corrupt("grant"));
            }
            grants.insert(record.grant.id.clone(), Arc::new(record));
        }
    }
}

impl Engine {
    /// Requests a grant for the caller's organisation.
    ///
    /// # Errors
    /// [`Reason::InvalidRequest`] with a violation per field, [`Reason::NotEligible`], [`Reason::UnknownChain`],
    /// [`Reason::UnknownElement`], [`Reason::NotLinked`], [`Reason::NotReversible`], [`Reason::CustodianMayNot`].
    pub fn request_grant(&self, caller: &Caller, mut terms: Terms) -> Result<GrantView, Refusal> {
        self.on_record(caller, Act::RequestGrant, |entry| {
            let _governing = self.govern();
            let permit = self.authorise(caller, RequestGrant { kind: &terms.kind })?;
            let (now, registry) = (permit.now(), permit.snapshot().registry.clone());
            terms.check(now).map_err(|wrong| {
                wrong.iter().fold(Refusal::from(Reason::InvalidRequest), |refusal, (field, what)| {
                    refusal.with(format!("terms.{field}"), *what)
                })
            })?;
            let requirements = policy::requirements(&registry.registry, &terms.kind)?;
            terms.not_before.get_or_insert(now);
            let grant = Grant {
                id: new_id(),
                terms: terms.clone(),
                namespaces: requirements.namespaces,
                grantee: caller.identity.organisation.clone(),
                requester: caller.identity.clone(),
                requested_at: now,
                registry_version: registry.version,
                required: requirements.required,
            };
            self.store_grant(Record::new(grant), None, entry)
        })
    }

    /// A steward's yes to exactly the grant with this digest.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotASteward`], [`Reason::CustodianMayNot`], [`Reason::DigestMismatch`], and
    /// those of [`Record::approve`].
    pub fn approve_grant(&self, caller: &Caller, id: &GrantId, digest: &[u8]) -> Result<GrantView, Refusal> {
        self.step(caller, Act::ApproveGrant, id, |record| {
            let permit = self.authorise(caller, DecideGrant { record })?;
            if digest != sha256(&record.grant.encode()) {
                return Err(Reason::DigestMismatch.into());
            }
            Ok(record.approve(&permit.caller().identity, permit.now())?)
        })
    }

    /// A steward's no.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotASteward`], [`Reason::CustodianMayNot`], [`Reason::GrantDecided`].
    pub fn deny_grant(&self, caller: &Caller, id: &GrantId) -> Result<GrantView, Refusal> {
        self.step(caller, Act::DenyGrant, id, |record| {
            let permit = self.authorise(caller, DecideGrant { record })?;
            Ok(record.deny(&permit.caller().identity, permit.now())?)
        })
    }

    /// Ends a grant; the next batch under it is refused.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`], [`Reason::NotASteward`], [`Reason::CustodianMayNot`], [`Reason::GrantDecided`].
    pub fn revoke_grant(&self, caller: &Caller, id: &GrantId) -> Result<GrantView, Refusal> {
        self.step(caller, Act::RevokeGrant, id, |record| {
            let permit = self.authorise(caller, RevokeGrant { record })?;
            Ok(record.revoke(&permit.caller().identity, permit.now())?)
        })
    }

    /// One grant.
    ///
    /// # Errors
    /// [`Reason::UnknownGrant`] if it does not exist or does not concern the caller's organisation.
    pub fn get_grant(&self, caller: &Caller, id: &GrantId) -> Result<GrantView, Refusal> {
        self.on_record(caller, Act::ReadGrants, |entry| {
            self.authorise(caller, BeKnown)?;
            let record = self.grant_on_record(id, entry)?;
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
        self.on_record(caller, Act::ReadGrants, |_| {
            let mut views = self.visible_grants(caller)?;
            views.retain(|view| {
                after.is_none_or(|id| view.record.grant.id > *id) && state.is_none_or(|state| view.state == state)
            });
            views.truncate(limit);
            Ok(views)
        })
    }

    /// All grants that concern the caller's organisation.
    pub(crate) fn visible_grants(&self, caller: &Caller) -> Result<Vec<GrantView>, Refusal> {
        self.authorise(caller, BeKnown)?;
        let records: Vec<_> = self.lock_grants().values().cloned().collect();
        records
            .into_iter()
            .filter(|record| self.authorise(caller, SeeGrant { record }).is_ok())
            .map(|record| self.view(record))
            .collect()
    }

    /// The grant, noted in the entry.
    pub(crate) fn grant_on_record(&self, id: &GrantId, entry: &mut Entry) -> Result<Arc<Record>, Refusal> {
        let record = self.lock_grants().get(id).cloned().ok_or(Reason::UnknownGrant)?;
        note(&record, entry);
        Ok(record)
    }

    /// One step of a grant: on record, alone, and durable before it is in force.
    fn step(
        &self,
        caller: &Caller,
        act: Act,
        id: &GrantId,
        next: impl FnOnce(&Record) -> Result<Record, Refusal>,
    ) -> Result<GrantView, Refusal> {
        self.on_record(caller, act, |entry| {
            let _governing = self.govern();
            self.authorise(caller, BeKnown)?;
            let present = self.grant_on_record(id, entry)?;
            let next = next(&present)?;
            self.store_grant(next, Some(&present), entry)
        })
    }

    fn store_grant(&self, next: Record, present: Option<&Record>, entry: &mut Entry) -> Result<GrantView, Refusal> {
        note(&next, entry);
        let key = storage_key(&next.grant.id);
        let stored = self.store.get(Family::Grants, &key)?;
        let snapshot = self.snapshot();
        let seal = snapshot.keyring.state();
        let generation = match &stored {
            None => 1,
            Some(bytes) => seal.open(Family::Grants, &key, bytes)?.0 + 1,
        };
        if stored.is_some() != present.is_some() {
            return Err(Reason::Conflict.into());
        }
        let sealed = seal.seal(Family::Grants, &key, generation, &next.encode());
        let mut commit = Commit::default();
        if present.is_none() {
            meter::start(seal, &next.grant.id, &mut commit);
        }
        commit.expect(Family::Grants, key.clone(), stored).put(Family::Grants, key, sealed).entry(entry.encode());
        self.store.commit(commit)?;
        let record = Arc::new(next);
        self.lock_grants().insert(record.grant.id.clone(), record.clone());
        self.view(record)
    }

    fn view(&self, record: Arc<Record>) -> Result<GrantView, Refusal> {
        let used = self.meters.used(&*self.store, self.snapshot().keyring.state(), &record.grant.id)?;
        let state = record.state(self.now(), used);
        Ok(GrantView { digest: sha256(&record.grant.encode()), state, used, record })
    }

    fn lock_grants(&self) -> std::sync::MutexGuard<'_, BTreeMap<GrantId, Arc<Record>>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(record: &Record, entry: &mut Entry) {
    let (chain, to_chain) = record.grant.chains();
    entry.chain = Some(chain.clone());
    entry.to_chain = to_chain.cloned();
    entry.grant = Some(record.grant.id.clone());
    entry.grant_digest = Some(sha256(&record.grant.encode()));
    entry.purpose.clone_from(&record.grant.terms.purpose);
}

fn storage_key(id: &GrantId) -> Vec<u8> {
    [b"g", id.as_str().as_bytes()].concat()
}

/// 80 random bits: nobody guesses a grant id, and nobody needs to.
fn new_id() -> GrantId {
    let text = random::bytes::<10>().iter().fold(String::from("g-"), |text, byte| format!("{text}{byte:02x}"));
    text.parse().expect("lower-case hexadecimal digits are an id")
}
