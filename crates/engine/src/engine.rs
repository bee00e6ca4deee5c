//! The engine: what is in force, and the ports.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use sluis_domain::{GrantId, Identity, ProposalId, Reason, Timestamp};
use sluis_keyring::{Kek, Keyring, KeyringError};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Event, Initialised};
use sluis_ledger::registry::Registry;
use sluis_ledger::{Custodian, custodian};
use sluis_port::{Clock, Commit, Family, Store, StoreError, rows};

use crate::audit::{encoded, header};
use crate::erasure::{self, OptOuts};
use crate::grants::Known;
use crate::import::Imports;
use crate::life::{LifeSettings, Overdue};
use crate::log::{Log, SealedState};
use crate::meter::Meters;
use crate::origin;
use crate::policy::{self, Action, BeKnown, Permit};
use crate::proposals::KnownProposal;
use crate::quota::Quotas;
use crate::refusals::RefusalLimit;
use crate::snapshot::{RegistryState, Snapshot};
use crate::{Caller, EngineError, Refusal};

/// What the operator decides.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The custodians, with their keys. None of them may be a steward.
    pub custodians: Vec<Custodian>,
    /// Trust domain of the members' SPIFFE ids; the first part of the log's origin.
    pub trust_domain: String,
    /// The life of chains and subjects.
    pub life: LifeSettings,
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
    pub(crate) imports: Imports,
    pub(crate) quotas: Quotas,
    pub(crate) refusals: RefusalLimit,
    pub(crate) log: Log,
    pub(crate) life: LifeSettings,
    /// One round at a time.
    pub(crate) housekeeping: Mutex<Overdue>,
    /// Written during every change of registry, keys or grants; read from the authorisation of a batch until it is in
    /// the store's queue, so that no batch overtakes the change that ends its permission.
    governing: RwLock<()>,
}

impl Engine {
    /// Sets up an empty store: keyring and first audit entries.
    ///
    /// # Errors
    /// [`KeyringError::Exists`] if it is not empty, and those of the store.
    pub fn initialise(
        store: &dyn Store,
        kek: &Kek,
        clock: &dyn Clock,
        settings: &Settings,
    ) -> Result<(), EngineError> {
        if store.entries() > 0 || !store.scan(Family::Keyring, &[], 1)?.is_empty() {
            return Err(KeyringError::Exists.into());
        }
        check_custodians(settings)?;
        let now = clock.now();
        let (keyring, writes) = Keyring::create(kek, now);
        let mut commit = Commit {
            writes,
            ..Commit::default()
        };
        for write in commit.writes.clone() {
            commit.expect(write.family, write.key, None);
        }
        let origin = origin::make(&settings.trust_domain, &mut commit);
        let first = Event::Initialise(Initialised {
            key: crate::log::verifier_key(&origin, &keyring),
            origin,
        });
        let named = Event::Custodians(settings.custodians.clone());
        commit
            .entry(encoded(header(now, None, 0), first))
            .entry(encoded(header(now, None, 0), named));
        store.commit(commit)?;
        Ok(())
    }

    /// Opens an initialised store: every entry of the audit log is read and every signature in it verified, and what it says
    /// is compared with the sealed state. The engine refuses all acts with [`Reason::HeadUnavailable`] until its log
    /// was compared with the last signed head ([`Self::check_head`]).
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn open(
        store: Arc<dyn Store>,
        kek: &Kek,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, EngineError> {
        check_custodians(&settings)?;
        let keyring = Keyring::load(&*store, kek)?;
        let origin = origin::read(&*store)?;
        if !origin::is_of(&origin, &settings.trust_domain) {
            return Err(EngineError::TrustDomain { origin });
        }
        let names: Vec<_> = settings
            .custodians
            .iter()
            .map(|custodian| custodian.identity.clone())
            .collect();
        let registry = load_registry(&*store, &keyring, &names)?;
        if registry.registry.keys().any(|(_, key)| {
            settings
                .custodians
                .iter()
                .any(|custodian| custodian.key == *key)
        }) {
            return Err(EngineError::SharedKey);
        }
        let mut versions = BTreeMap::new();
        let grants = crate::grants::load(&*store, &keyring, &origin, |version| {
            history(&*store, &keyring, &mut versions, version)
        })?;
        let proposals = crate::proposals::load(&*store, &keyring)?;
        let (log, said) = Log::open(&*store, &keyring, &origin)?;
        let meters = Meters::default();
        let mut counted = Vec::with_capacity(grants.len());
        for known in grants.values() {
            let count = meters.count(&*store, keyring.state(), &known.record.grant.id);
            let count = count.map_err(|refusal| match refusal.reason() {
                Reason::CorruptStore => EngineError::Corrupt("counter of a grant"),
                _ => StoreError::Io(refusal.detail().to_owned()).into(),
            })?;
            counted.push((&*known.record, count));
        }
        let opt_outs = OptOuts::load(&*store, &keyring)?;
        let sealed = SealedState {
            registry: &registry,
            versions: &keyring.versions(),
            verifier_key: &crate::log::verifier_key(&origin, &keyring).to_string(),
            grants: counted,
            proposals: proposals.values().map(|known| &*known.record).collect(),
            opt_outs: opt_outs.len(),
        };
        sealed.compare(&said)?;
        settings
            .life
            .journal
            .as_ref()
            .map_or(Ok(()), |journal| erasure::complete(&*store, &**journal))?;
        let custodians = settings
            .custodians
            .into_iter()
            .map(|custodian| (custodian.identity, custodian.key));
        let snapshot = Snapshot {
            registry: Arc::new(registry),
            keyring: Arc::new(keyring),
            custodians: Arc::new(custodians.collect()),
            opt_outs: Arc::new(opt_outs),
        };
        Ok(Self {
            store,
            clock,
            snapshot: ArcSwap::from_pointee(snapshot),
            origin,
            grants: Mutex::new(grants),
            proposals: Mutex::new(proposals),
            meters,
            imports: Imports::default(),
            quotas: Quotas::default(),
            refusals: RefusalLimit::default(),
            log,
            life: settings.life,
            housekeeping: Mutex::default(),
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
        self.on_record(caller, Act::Admit, || {
            self.authorise(caller, BeKnown).map(drop)
        })
    }

    /// As [`Self::admit`], without putting a refusal on record, and so without waiting for anything.
    ///
    /// # Errors
    /// Those of [`Self::admit`].
    pub fn standing(&self, caller: &Caller) -> Result<(), Reason> {
        if !self.log.in_order() {
            return Err(Reason::HeadUnavailable);
        }
        policy::authorise(&self.snapshot(), caller, self.now(), BeKnown).map(drop)
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

    pub(crate) fn authorise<A: Action>(
        &self,
        caller: &Caller,
        action: A,
    ) -> Result<Permit<A>, Refusal> {
        if !self.log.in_order() {
            return Err(Reason::HeadUnavailable.into());
        }
        Ok(policy::authorise(
            &self.snapshot(),
            caller,
            self.now(),
            action,
        )?)
    }

    /// One change at a time. The log is read on before, so that less is left to read while batches wait; what is wrong with
    /// it is said by whoever needs it.
    pub(crate) fn govern(&self) -> RwLockWriteGuard<'_, ()> {
        self.read_log_on();
        self.governing
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// No change meanwhile.
    pub(crate) fn steady(&self) -> RwLockReadGuard<'_, ()> {
        self.governing
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a durable change into force. Only while [`Self::govern`] is held.
    pub(crate) fn replace(&self, registry: Option<RegistryState>, keyring: Keyring) {
        let present = self.snapshot();
        self.snapshot.store(Arc::new(Snapshot {
            registry: registry.map_or_else(|| present.registry.clone(), Arc::new),
            keyring: Arc::new(keyring),
            custodians: present.custodians.clone(),
            opt_outs: present.opt_outs.clone(),
        }));
    }

    /// Puts durable opt-outs into force. Only while [`Self::govern`] is held.
    pub(crate) fn replace_opt_outs(&self, opt_outs: OptOuts) {
        let present = Snapshot::clone(&self.snapshot());
        self.snapshot.store(Arc::new(Snapshot {
            opt_outs: Arc::new(opt_outs),
            ..present
        }));
    }
}

/// Nothing else rehearses the entry that names them.
fn check_custodians(settings: &Settings) -> Result<(), EngineError> {
    let problem = custodian::problem(&settings.custodians);
    problem.map_or(Ok(()), |what| Err(EngineError::Custodians(what)))
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
pub(crate) fn registry_text(
    store: &dyn Store,
    keyring: &Keyring,
    version: u64,
) -> Result<Option<String>, EngineError> {
    let key = rows::registry_key(version);
    let Some(stored) = store.get(Family::Registry, &key)? else {
        return Ok(None);
    };
    let (generation, toml) = keyring.state().open(Family::Registry, &key, &stored)?;
    let text = String::from_utf8(toml)
        .ok()
        .filter(|_| generation == version);
    text.map(Some).ok_or(EngineError::Corrupt("registry"))
}

/// The last registry version: key = version (8 bytes), sealed with generation = version.
fn load_registry(
    store: &dyn Store,
    keyring: &Keyring,
    custodians: &[Identity],
) -> Result<RegistryState, EngineError> {
    let mut latest = RegistryState {
        version: 0,
        registry: Registry::empty(),
        toml: String::new(),
    };
    loop {
        let page = store.scan(Family::Registry, &rows::registry_key(latest.version + 1), 1)?;
        let Some((key, _)) = page.into_iter().next() else {
            break;
        };
        latest.version += 1;
        if key != rows::registry_key(latest.version) {
            return Err(EngineError::Corrupt("registry"));
        }
    }
    if let Some(text) = registry_text(store, keyring, latest.version)? {
        latest.toml = text;
        latest.registry =
            Registry::parse(&latest.toml, custodians).map_err(EngineError::Registry)?;
    }
    Ok(latest)
}
