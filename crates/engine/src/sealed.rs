//! A custodian whose keys are not in memory: who may open and close it, and the log of that.
//!
//! Without keys there is no registry, so nobody is known but the custodians of the configuration, by their pinned keys. The
//! audit log is not sealed, so everything that is asked meanwhile is on record too, under the registry version of
//! the last entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_crypto::random;
use sluis_domain::{Identity, PublicKey, Reason, Timestamp};
use sluis_ledger::audit::{Act, Entry, Outcome};
use sluis_port::{Clock, Commit, Family, Store, rows};

use crate::audit::goes_on_record;
use crate::engine::Engine;
use crate::refusals::RefusalLimit;
use crate::{Caller, EngineError, Refusal, Settings, origin};

/// What there is of a custodian while its keys are not in memory.
pub struct Sealed {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    custodians: BTreeMap<Identity, PublicKey>,
    origin: String,
    refusals: RefusalLimit,
}

/// Proof that the caller is one of the custodians, by name and by key. Only [`Sealed::authorise`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct KeyHolder<'a>(&'a Caller);

impl KeyHolder<'_> {
    /// Who.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }
}

impl Sealed {
    /// Over an initialised store.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for a store without an origin, and those of the store.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Self, EngineError> {
        let origin = origin::read(&*store)?;
        let custodians = settings
            .custodians
            .iter()
            .map(|custodian| (custodian.identity.clone(), custodian.key.clone()));
        Ok(Self {
            store,
            clock,
            custodians: custodians.collect(),
            origin,
            refusals: RefusalLimit::default(),
        })
    }

    /// Origin of the audit log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether the caller's certificate is still valid; all that can be said about most callers.
    ///
    /// # Errors
    /// [`Reason::CertificateExpired`].
    pub fn admit(&self, caller: &Caller) -> Result<(), Reason> {
        if self.now() >= caller.not_after {
            Err(Reason::CertificateExpired)
        } else {
            Ok(())
        }
    }

    /// Whether the caller may open and close the keyring.
    ///
    /// # Errors
    /// [`Reason::CertificateExpired`], [`Reason::NotACustodian`], [`Reason::KeyNotPinned`].
    pub fn authorise<'a>(&self, caller: &'a Caller) -> Result<KeyHolder<'a>, Reason> {
        self.admit(caller)?;
        let pinned = self
            .custodians
            .get(&caller.identity)
            .ok_or(Reason::NotACustodian)?;
        if caller.key.as_ref() == Some(pinned) {
            Ok(KeyHolder(caller))
        } else {
            Err(Reason::KeyNotPinned)
        }
    }

    /// Puts an act on record.
    ///
    /// # Errors
    /// Those of the store; the act must not happen then.
    pub fn record(
        &self,
        by: Option<KeyHolder<'_>>,
        act: Act,
        detail: Vec<u8>,
    ) -> Result<(), Refusal> {
        let mut entry = self.entry(by.map(|holder| holder.0), act)?;
        entry.detail = detail;
        append(&*self.store, &entry)
    }

    /// Whether there is room on record for one more refusal of a caller; it counts then. Who is a member is not known.
    pub fn admits_refusal(&self, caller: &Caller, reason: Reason) -> bool {
        let known = self.custodians.contains_key(&caller.identity);
        goes_on_record(reason)
            && self
                .refusals
                .admits(&caller.identity, known, reason, self.now())
    }

    /// Puts on record what a caller was refused, if [`Self::admits_refusal`] said that there is room, and returns the reason
    /// to answer with: another one if it could not be recorded.
    pub fn refuse(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        let recorded = self.entry(Some(caller), act).and_then(|mut entry| {
            entry.outcome = Outcome::Refused(reason);
            append(&*self.store, &entry)
        });
        recorded.map_or_else(|refusal| refusal.reason(), |()| reason)
    }

    fn entry(&self, caller: Option<&Caller>, act: Act) -> Result<Entry, Refusal> {
        Ok(entry(
            self.now(),
            caller,
            act,
            last_version_on_record(&*self.store)?,
        ))
    }
}

impl Engine {
    /// Puts on record that the keyring was opened, or is about to be closed.
    ///
    /// # Errors
    /// Those of the store; the act must not happen then.
    pub fn record(
        &self,
        by: Option<KeyHolder<'_>>,
        act: Act,
        detail: Vec<u8>,
    ) -> Result<(), Refusal> {
        let version = self.snapshot().registry.version;
        let mut entry = entry(self.now(), by.map(|holder| holder.0), act, version);
        entry.detail = detail;
        append(&*self.store, &entry)
    }
}

/// The registry version that the last audit entry names.
fn last_version_on_record(store: &dyn Store) -> Result<u64, Refusal> {
    let Some(last) = store.entries().checked_sub(1) else {
        return Ok(0);
    };
    let page = store.scan(Family::Audit, &rows::audit_key(last), 1)?;
    let entry = page
        .first()
        .and_then(|(_, bytes)| Entry::decode(bytes).ok());
    let corrupt = || Refusal::new(Reason::CorruptStore, "the last audit entry cannot be read");
    entry
        .map(|entry| entry.registry_version)
        .ok_or_else(corrupt)
}

fn entry(now: Timestamp, caller: Option<&Caller>, act: Act, version: u64) -> Entry {
    let mut entry = Entry::new(random::bytes(), now, act, version);
    entry.actor = caller.map(|caller| caller.identity.clone());
    entry.fingerprint = caller.map_or([0; 32], |caller| caller.fingerprint);
    entry
}

fn append(store: &dyn Store, entry: &Entry) -> Result<(), Refusal> {
    store.commit(Commit {
        entries: vec![entry.encode()],
        ..Commit::default()
    })?;
    Ok(())
}
