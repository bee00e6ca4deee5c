//! The core: the ports, what is in force, and the one way in which it changes.
//!
//! | module | what |
//! |---|---|
//! | [`policy`] | who may do what |
//! | [`record`], [`refusals`] | refusals on record, and how many |
//! | [`change`] | governed acts: decided, committed, in force |
//! | [`epoch`], [`steady`], [`held`] | what keeps batches behind them, and takes over what other daemons did |
//! | [`snapshot`] | what is in force: the ledger's state, [`registry`], keys, [`opt_outs`] |
//! | [`log`] | the log as far as it was read: its tree, how it ends, what was saved |
//! | [`past`] | grants and proposals that have ended and left memory |
//! | [`meter`], [`pending`] | counters of grants, and answers that wait until they are durable |
//! | [`proposing`], [`signing`], [`instruction`] | proposals, signatures, and what custodians sign |
//! | [`compaction`], [`journal`], [`versions`], [`input`] | what more than one wing needs |

use std::sync::{Arc, RwLock};

use arc_swap::ArcSwap;
use sluis_domain::{GrantId, ProposalId, Reason, Timestamp};
use sluis_keyring::{Kek, Keyring, KeyringError};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Event, Initialised};
use sluis_ledger::{custodian, grant, proposal};
use sluis_port::{Clock, Commit, Family, Store, rows};

use crate::{Caller, EngineError, Refusal};
use log::Log;
use meter::Meters;
use past::PastRows;
use policy::{Action, BeKnown, Permit};
use record::{encoded, header};
use refusals::RefusalLimit;
use settings::{LifeSettings, Settings};
use snapshot::Snapshot;

pub(crate) mod change;
pub(crate) mod compaction;
pub(crate) mod epoch;
pub(crate) mod held;
pub(crate) mod input;
pub(crate) mod instruction;
pub(crate) mod journal;
pub(crate) mod log;
pub(crate) mod meter;
pub(crate) mod opt_outs;
pub(crate) mod origin;
pub(crate) mod pace;
pub(crate) mod past;
pub(crate) mod pending;
pub mod policy;
pub(crate) mod proposing;
pub(crate) mod record;
pub(crate) mod refusals;
pub(crate) mod registry;
pub(crate) mod scan;
pub(crate) mod settings;
pub(crate) mod signing;
pub(crate) mod snapshot;
pub(crate) mod steady;
pub(crate) mod versions;

/// What all wings of the engine share. Every method may be called from many threads.
pub struct Core {
    pub(crate) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    snapshot: ArcSwap<Snapshot>,
    /// Origin of the audit log, part of every signed statement.
    pub(crate) origin: String,
    pub(crate) meters: Meters,
    pub(crate) refusals: RefusalLimit,
    pub(crate) log: Log,
    pub(crate) life: LifeSettings,
    /// For fairness: written while a change is put into force; read from the authorisation of a batch until it is in the
    /// store's queue, so that the store refuses no batch. What keeps batches behind changes is the epoch.
    pub(crate) governing: RwLock<()>,
}

impl Core {
    /// Sets up an empty store: keyring and first audit entries.
    ///
    /// # Errors
    /// [`KeyringError::Exists`] if it is not empty, and the errors of the store.
    pub(crate) fn initialise(
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
            key: log::verifier_key(&origin, &keyring),
            origin,
        });
        let named = Event::Custodians(settings.custodians.clone());
        commit
            .entry(encoded(header(now, None, 0), first))
            .entry(encoded(header(now, None, 0), named));
        let end = log::end::first_row(keyring.state(), &commit.entries);
        commit.put(Family::Meta, rows::META_LOG_END, end);
        store.commit(commit)?;
        Ok(())
    }

    /// Reads what is in force in an initialised store: see [`crate::Engine::resume`].
    ///
    /// # Errors
    /// [`EngineError`].
    pub(crate) fn resume(
        store: Arc<dyn Store>,
        kek: &Kek,
        clock: Arc<dyn Clock>,
        settings: Settings,
        saved: Option<&[u8]>,
    ) -> Result<Self, EngineError> {
        check_custodians(&settings)?;
        let keyring = Keyring::load(&*store, kek)?;
        let origin = origin::read(&*store)?;
        if !origin::is_of(&origin, &settings.trust_domain) {
            return Err(EngineError::TrustDomain { origin });
        }
        // Read before the log: an act of another daemon in between only makes the state be read again.
        let epoch = epoch::read(&*store)?;
        let (log, said) = Log::open(&*store, &keyring, &origin, saved)?;
        log::compare::counters(&said, &*store, keyring.state())?;
        let custodians = settings.custodians.into_iter();
        let custodians = custodians.map(|custodian| (custodian.identity, custodian.key));
        let custodians = Arc::new(custodians.collect());
        let snapshot = Snapshot::read(&*store, keyring, custodians, said, epoch)?;
        settings
            .life
            .journal
            .as_ref()
            .map_or(Ok(()), |journal| journal::complete(&*store, &**journal))?;
        Ok(Self {
            store,
            clock,
            snapshot: ArcSwap::from_pointee(snapshot),
            origin,
            meters: Meters::default(),
            refusals: RefusalLimit::default(),
            log,
            life: settings.life,
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
    /// The errors of [`Self::admit`].
    pub fn standing(&self, caller: &Caller) -> Result<(), Reason> {
        self.log.check()?;
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
        self.log.check()?;
        Ok(policy::authorise(
            &self.snapshot(),
            caller,
            self.now(),
            action,
        )?)
    }

    /// Grants and proposals that have ended and left memory.
    pub(crate) fn past<'a>(&'a self, snapshot: &'a Snapshot) -> PastRows<'a> {
        PastRows {
            store: &*self.store,
            seal: snapshot.keyring.state(),
        }
    }

    /// The grant with this id.
    pub(crate) fn known_grant(&self, id: &GrantId) -> Result<Arc<grant::Record>, Refusal> {
        let snapshot = self.snapshot();
        if let Some(known) = snapshot.state.grant(id) {
            return Ok(known.record().clone());
        }
        let past = self.past(&snapshot).grant(id)?;
        Ok(past.ok_or(Reason::UnknownGrant)?.record)
    }

    /// The proposal with this id.
    pub(crate) fn known_proposal(&self, id: &ProposalId) -> Result<Arc<proposal::Record>, Refusal> {
        let snapshot = self.snapshot();
        if let Some(known) = snapshot.state.proposal(id) {
            return Ok(known.clone());
        }
        let past = self.past(&snapshot).proposal(id)?;
        Ok(past.ok_or(Reason::UnknownProposal)?.record)
    }

    /// Puts something else into force.
    pub(crate) fn replace(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
    }
}

/// Nothing else rehearses the entry that names them.
fn check_custodians(settings: &Settings) -> Result<(), EngineError> {
    let problem = custodian::problem(&settings.custodians);
    problem.map_or(Ok(()), |what| Err(EngineError::Custodians(what)))
}
