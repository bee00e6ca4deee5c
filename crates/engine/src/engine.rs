//! The engine: what is in force, and the ports.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use sluis_domain::audit::{Act, Entry};
use sluis_domain::codec::Writer;
use sluis_domain::port::{Clock, Commit, Family, Store, Write};
use sluis_domain::registry::Registry;
use sluis_domain::{Custodian, GrantId, Identity, ProposalId, Timestamp};
use sluis_keyring::{Kek, Keyring, KeyringError};

use crate::audit::RefusalLimit;
use crate::grants::Known;
use crate::meter::Meters;
use crate::origin;
use crate::policy::{self, Action, BeKnown, Permit};
use crate::proposals::KnownProposal;
use crate::snapshot::{RegistryState, Snapshot};
use crate::{Caller, EngineError, Refusal};

/// What the operator decides.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The custodians, with their keys. None of them may be a steward.
    pub custodians: Vec<Custodian>,
    /// Trust domain of the members' SPIFFE ids; the first part of the log's origin.
    pub trust_domain: String,
}

/// The custodian's logic. Shared by all callers; every method may be called from many threads.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwap<Snapshot>,
    /// Origin of the audit log, part of every signed statement.
    pub(crate) origin: String,
    pub(crate) grants: Mutex<BTreeMap<GrantId, Known>>,
    pub(crate) proposals: Mutex<BTreeMap<ProposalId, KnownProposal>>,
    pub(crate) meters: Meters,
    pub(crate) refusals: RefusalLimit,
    /// Written during every change of registry, keys or grants; read from the authorisation of a batch until it is in
    /// the store's queue, so that no batch overtakes the change that ends its permission.
    governing: RwLock<()>,
}

impl Engine {
    /// Sets up an empty store: keyring and first audit entries. `beside` is what the provider of the key-encryption key
    /// keeps in the store.
    ///
    /// # Errors
    /// [`KeyringError::Exists`] if it is not empty, and those of the store.
    pub fn initialise(
        store: &dyn Store,
        kek: &Kek,
        beside: Vec<Write>,
        clock: &dyn Clock,
        settings: &Settings,
    ) -> Result<(), EngineError> {
        if store.entries() > 0 || !store.scan(Family::Keyring, &[], 1)?.is_empty() {
            return Err(KeyringError::Exists.into());
        }
        let now = clock.now();
        let (keyring, writes) = Keyring::create(kek, now);
        let mut commit = Commit { writes, ..Commit::default() };
        commit.writes.extend(beside);
        for write in commit.writes.clone() {
            commit.expect(write.family, write.key, None);
        }
        let origin = origin::make(&settings.trust_domain, &mut commit);
        let mut first = Entry::new(now, Act::Initialise, 0);
        first.detail = Writer::default().lp(&origin).lp(crate::log::verifier_key(&origin, &keyring)).finish();
        commit.entry(first.encode()).entry(custodians_entry(now, 0, &settings.custodians).encode());
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
        let origin = origin::read(&*store)?;
        let names: Vec<_> = settings.custodians.iter().map(|custodian| custodian.identity.clone()).collect();
        let registry = load_registry(&*store, &keyring, &names)?;
        let mut versions = BTreeMap::new();
        let grants = crate::grants::load(&*store, &keyring, &origin, |version| {
            history(&*store, &keyring, &mut versions, version)
        })?;
        let proposals = crate::proposals::load(&*store, &keyring)?;
        let custodians = settings.custodians.into_iter().map(|custodian| (custodian.identity, custodian.key));
        let snapshot = Snapshot {
            registry: Arc::new(registry),
            keyring: Arc::new(keyring),
            custodians: Arc::new(custodians.collect()),
        };
        Ok(Self {
            store,
            clock,
            snapshot: ArcSwap::from_pointee(snapshot),
            origin,
            grants: Mutex::new(grants),
            proposals: Mutex::new(proposals),
            meters: Meters::default(),
            refusals: RefusalLimit::default(),
            governing: RwLock::new(()),
        })
    }

    /// Origin of the audit log: `<trust domain>/<32 hexadecimal digits>`. Part of every signed statement.
    pub fn origin(&self) -> &str {
        &self.origin
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

/// The entry that says who the custodians are.
fn custodians_entry(now: Timestamp, registry_version: u64, custodians: &[Custodian]) -> Entry {
    let mut entry = Entry::new(now, Act::Custodians, registry_version);
    entry.detail = sluis_domain::custodian::encode(custodians);
    entry
}

/// The registry of an earlier version, kept in `known`.
fn history(
    store: &dyn Store,
    keyring: &Keyring,
    known: &mut BTreeMap<u64, Arc<Registry>>,
    version: u64,
) -> Result<Arc<Registry>, EngineError> {
    if let Some(registry) = known.get(&version) {
        return Ok(registry.clone());
    }
    let text = registry_text(store, keyring, version)?.ok_or(EngineError::Corrupt("registry"))?;
    // Who the custodians were then is not asked: the text was accepted.
    let registry = Arc::new(Registry::parse(&text, &[]).map_err(EngineError::Registry)?);
    known.insert(version, registry.clone());
    Ok(registry)
}

/// Text of a registry version; `None` if there is no such version.
pub(crate) fn registry_text(store: &dyn Store, keyring: &Keyring, version: u64) -> Result<Option<String>, EngineError> {
    let key = version.to_be_bytes();
    let Some(stored) = store.get(Family::Registry, &key)? else { return Ok(None) };
    let (generation, toml) = keyring.state().open(Family::Registry, &key, &stored)?;
    let text = String::from_utf8(toml).ok().filter(|_| generation == version);
    text.map(Some).ok_or(EngineError::Corrupt("registry"))
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
    loop {
        let page = store.scan(Family::Registry, &(latest.version + 1).to_be_bytes(), 1)?;
        let Some((key, _)) = page.into_iter().next() else { break };
        latest.version += 1;
        if key != latest.version.to_be_bytes() {
            return Err(EngineError::Corrupt("registry"));
        }
    }
    if last_version_on_record(store)? > latest.version {
        return Err(EngineError::Corrupt("registry"));
    }
    if let Some(text) = registry_text(store, keyring, latest.version)? {
        latest.toml = text;
        latest.registry = Registry::parse(&latest.toml, custodians).map_err(EngineError::Registry)?;
    }
    Ok(latest)
}
