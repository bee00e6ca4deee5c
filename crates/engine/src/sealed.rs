//! A custodian without its keys in memory: who may open and close it, and the log of that.
//!
//! Without keys there is no registry, so no one is known but the custodians of the configuration, by their pinned keys. The
//! audit log is not sealed, so everything that is asked meanwhile is on record too, under the registry version of
//! the last entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_domain::{Identity, PublicKey, Reason, Timestamp};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{self, About, Entry, Event, Header};
use sluis_port::{Clock, Commit, Family, Store, rows};

use crate::core::record::{encoded, goes_on_record, header};
use crate::core::refusals::RefusalLimit;
use crate::core::{Core, origin};
use crate::{Caller, EngineError, Refusal, Settings};

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
    /// [`EngineError::Corrupt`] for a store without an origin, and the errors of the store.
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
    /// The errors of the store; the act must not happen then.
    pub fn record(&self, by: Option<KeyHolder<'_>>, event: Event) -> Result<(), Refusal> {
        let header = self.header(by.map(|holder| holder.0))?;
        append(&*self.store, header, event)
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
        let refused = Event::Refused(event::Refusal {
            act,
            reason,
            about: About::Nothing,
        });
        let header = self.header(Some(caller));
        let recorded = header.and_then(|header| append(&*self.store, header, refused));
        recorded.map_or_else(|refusal| refusal.reason(), |()| reason)
    }

    fn header(&self, caller: Option<&Caller>) -> Result<Header, Refusal> {
        let version = last_version_on_record(&*self.store)?;
        Ok(header(self.now(), caller, version))
    }
}

impl Core {
    /// Puts on record that the keyring was opened, or is about to be closed.
    ///
    /// # Errors
    /// The errors of the store; the act must not happen then.
    pub fn record(&self, by: Option<KeyHolder<'_>>, event: Event) -> Result<(), Refusal> {
        let header = self.header(by.map(|holder| holder.0));
        append(&*self.store, header, event)
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
    let why = "the last audit entry cannot be read";
    entry
        .map(|entry| entry.header.registry_version)
        .ok_or_else(|| Refusal::new(Reason::CorruptStore, why))
}

fn append(store: &dyn Store, header: Header, event: Event) -> Result<(), Refusal> {
    store.commit(Commit {
        entries: vec![encoded(header, event)],
        ..Commit::default()
    })?;
    Ok(())
}
