//! The engine: what is in force, and the ports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use sluis_domain::audit::{Act, Entry};
use sluis_domain::port::{Clock, Commit, Family, Store};
use sluis_domain::registry::Registry;
use sluis_domain::{GrantId, Identity, Timestamp};
use sluis_keyring::{Kek, Keyring, KeyringError};

use crate::audit::RefusalLimit;
use crate::grants::Known;
use crate::meter::Meters;
use crate::policy::{self, Action, BeKnown, Permit};
use crate::snapshot::{RegistryState, Snapshot};
use crate::{Caller, EngineError, Refusal};

/// What the operator decides.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The custodians. None of them may be a steward.
    pub custodians: Vec<Identity>,
}

/// The custodian's logic. Shared by all callers; every method may be called from many threads.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwap<Snapshot>,
    pub(crate) grants: Mutex<BTreeMap<GrantId, Known>>,
    pub(crate) meters: Meters,
    pub(crate) refusals: RefusalLimit,
    /// Written during every change of registry, keys or grants; read from the authorisation of a batch until it is in
    /// the store's queue, so that no batch overtakes the change that ends its permission.
    governing: RwLock<()>,
}

impl Engine {
    /// Sets up an empty store: keyring and first audit entry.
    ///
    /// # Errors
    /// [`KeyringError::Exists`] if it is not empty, and those of the store.
    pub fn initialise(store: &dyn Store, kek: &Kek, clock: &dyn Clock) -> Result<(), EngineError> {
        if store.entries() > 0 || !store.scan(Family::Keyring, &[], 1)?.is_empty() {
            return Err(KeyringError::Exists.into());
        }
        let (_, writes) = Keyring::create(kek);
        let mut commit = Commit { writes, ..Commit::default() };
        for write in commit.writes.clone() {
            commit.expect(write.family, write.key, None);
        }
        commit.entry(Entry::new(clock.now(), Act::Initialise, 0).encode());
        store.commit(commit)?;
        Ok(())
    }

    /// Opens an initialised store.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn open(
        store: Arc<dyn Store>,
        kek: &Kek,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, EngineError> {
        let keyring = Keyring::load(&*store, kek)?;
        let registry = load_registry(&*store, &keyring, &settings.custodians)?;
        let grants = crate::grants::load(&*store, &keyring)?;
        let snapshot = Snapshot {
            registry: Arc::new(registry),
            keyring: Arc::new(keyring),
            custodians: Arc::new(BTreeSet::from_iter(settings.custodians)),
        };
        Ok(Self {
            store,
            clock,
            snapshot: ArcSwap::from_pointee(snapshot),
            grants: Mutex::new(grants),
            meters: Meters::default(),
            refusals: RefusalLimit::default(),
            governing: RwLock::new(()),
        })
    }

    /// Whether the caller is known and welcome.
    ///
    /// # Errors
    /// [`sluis_domain::Reason::CertificateExpired`], `UnknownOrganisation`, `NotAMember`, `Blocked`.
    pub fn admit(&self, caller: &Caller) -> Result<(), Refusal> {
        self.on_record(caller, Act::Admit, |_| self.authorise(caller, BeKnown).map(drop))
    }

    /// Whether the store takes writes.
    pub fn writable(&self) -> bool {
        self.store.writable().is_ok()
    }

    /// Number of audit entries.
    pub fn entries(&self) -> u64 {
        self.store.entries()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    pub(crate) fn authorise<A: Action>(&self, caller: &Caller, action: A) -> Result<Permit<A>, Refusal> {
        Ok(policy::authorise(&self.snapshot(), caller, self.now(), action)?)
    }

    /// One change at a time.
    pub(crate) fn govern(&self) -> RwLockWriteGuard<'_, ()> {
        self.governing.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// No change meanwhile.
    pub(crate) fn steady(&self) -> RwLockReadGuard<'_, ()> {
        self.governing.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a durable change into force. Only while [`Self::govern`] is held.
    pub(crate) fn replace(&self, registry: Option<RegistryState>, keyring: Keyring) {
        let present = self.snapshot();
        self.snapshot.store(Arc::new(Snapshot {
            registry: registry.map_or_else(|| present.registry.clone(), Arc::new),
            keyring: Arc::new(keyring),
            custodians: present.custodians.clone(),
        }));
    }
}

/// The registry version that the last audit entry names: a registry before it was in force once, and is not now.
fn last_version_on_record(store: &dyn Store) -> Result<u64, EngineError> {
    let Some(last) = store.entries().checked_sub(1) else { return Ok(0) };
    let page = store.scan(Family::Audit, &last.to_be_bytes(), 1)?;
    let entry = page.first().and_then(|(_, bytes)| Entry::decode(bytes).ok());
    entry.map(|entry| entry.registry_version).ok_or(EngineError::Corrupt("audit entry"))
}

/// The last registry version: key = version (8 bytes), sealed with generation = version.
fn load_registry(store: &dyn Store, keyring: &Keyring, custodians: &[Identity]) -> Result<RegistryState, EngineError> {
    let mut latest = RegistryState { version: 0, registry: Registry::empty(), toml: String::new() };
    let mut newest = None;
    loop {
        let page = store.scan(Family::Registry, &(latest.version + 1).to_be_bytes(), 1)?;
        let Some(last) = page.into_iter().next() else { break };
        latest.version += 1;
        if last.0 != latest.version.to_be_bytes() {
            return Err(EngineError::Corrupt("registry"));
        }
        newest = Some(last);
    }
    if last_version_on_record(store)? > latest.version {
        return Err(EngineError::Corrupt("registry"));
    }
    if let Some((key, stored)) = newest {
        let (generation, toml) = keyring.state().open(Family::Registry, &key, &stored)?;
        if generation != latest.version {
            return Err(EngineError::Corrupt("registry"));
        }
        latest.toml = String::from_utf8(toml).map_err(|_| EngineError::Corrupt("registry"))?;
        latest.registry = Registry::parse(&latest.toml, custodians).map_err(EngineError::Registry)?;
    }
    Ok(latest)
}
