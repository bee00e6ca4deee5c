//! The engine: the doors to its wings.

use std::sync::Arc;

use sluis_domain::Reason;
use sluis_keyring::Kek;
use sluis_ledger::audit::Act;
use sluis_ledger::event::Event;
use sluis_port::{Clock, Store};

use crate::batches::Batches;
use crate::core::Core;
use crate::core::settings::Settings;
use crate::governance::Governance;
use crate::life::Life;
use crate::log::LogKeeper;
use crate::{Caller, EngineError, KeyHolder, Refusal};

/// The custodian's logic. Shared by all callers; every method may be called from many threads.
pub struct Engine {
    core: Arc<Core>,
    batches: Batches,
    governance: Governance,
    life: Arc<Life>,
    log: LogKeeper,
}

impl Engine {
    /// Sets up an empty store: keyring and first audit entries.
    ///
    /// # Errors
    /// [`sluis_keyring::KeyringError::Exists`] if it is not empty, and the errors of the store.
    pub fn initialise(
        store: &dyn Store,
        kek: &Kek,
        clock: &dyn Clock,
        settings: &Settings,
    ) -> Result<(), EngineError> {
        Core::initialise(store, kek, clock, settings)
    }

    /// Opens an initialised store: every entry of the audit log is read and every signature in it verified, and what it says
    /// is compared with the encrypted rows. The engine refuses all acts with [`Reason::HeadUnavailable`] until its log
    /// was compared with the last signed head ([`LogKeeper::check_head`]).
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn open(
        store: Arc<dyn Store>,
        kek: &Kek,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self, EngineError> {
        Self::resume(store, kek, clock, settings, None)
    }

    /// As [`Self::open`], but reads only the entries after `saved` ([`LogKeeper::save`]). Those before are verified with
    /// [`LogKeeper::verify_on`]. If `saved` is not of this store, all entries are read.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn resume(
        store: Arc<dyn Store>,
        kek: &Kek,
        clock: Arc<dyn Clock>,
        settings: Settings,
        saved: Option<&[u8]>,
    ) -> Result<Self, EngineError> {
        let core = Arc::new(Core::resume(store, kek, clock, settings, saved)?);
        let life = Arc::new(Life::new(core.clone()));
        Ok(Self {
            batches: Batches::new(core.clone()),
            governance: Governance::new(core.clone(), life.clone()),
            log: LogKeeper::new(core.clone(), life.clone()),
            life,
            core,
        })
    }

    /// Batches of records: pseudonymise, convert, re-identify, import.
    pub fn batches(&self) -> &Batches {
        &self.batches
    }

    /// Registry, grants and proposals.
    pub fn governance(&self) -> &Governance {
        &self.governance
    }

    /// Keys, retention, erasure, and what must leave the disk.
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// The audit log: heads, proofs, entries, restores.
    pub fn log(&self) -> &LogKeeper {
        &self.log
    }

    /// Origin of the audit log: `<trust domain>/<32 hexadecimal digits>`. Part of every signed statement.
    pub fn origin(&self) -> &str {
        &self.core.origin
    }

    /// Whether the caller is known and welcome.
    ///
    /// # Errors
    /// [`Reason::CertificateExpired`], `UnknownOrganisation`, `NotAMember`, `Blocked`.
    pub fn admit(&self, caller: &Caller) -> Result<(), Refusal> {
        self.core.admit(caller)
    }

    /// As [`Self::admit`], without putting a refusal on record, and so without waiting for anything.
    ///
    /// # Errors
    /// The errors of [`Self::admit`].
    pub fn standing(&self, caller: &Caller) -> Result<(), Reason> {
        self.core.standing(caller)
    }

    /// Whether there is room on record for one more refusal of a caller; it counts then. Does not wait for anything.
    pub fn admits_refusal(&self, caller: &Caller, reason: Reason) -> bool {
        self.core.admits_refusal(caller, reason)
    }

    /// Puts on record what the caller was refused outside the engine (a revoked certificate, a limit, a malformed
    /// message), if [`Self::admits_refusal`] said that there is room, and returns the reason to answer with: why, if it could
    /// not be recorded, [`Reason::HeadUnavailable`] if nothing is.
    pub fn refuse(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        self.core.refuse(caller, act, reason)
    }

    /// Puts on record that the keyring was opened, or is about to be closed.
    ///
    /// # Errors
    /// The errors of the store; the act must not happen then.
    pub fn record(&self, by: Option<KeyHolder<'_>>, event: Event) -> Result<(), Refusal> {
        self.core.record(by, event)
    }

    /// Whether the store takes writes.
    pub fn writable(&self) -> bool {
        self.core.writable()
    }

    /// Whether acts are accepted: the store takes writes, and heads of the log can be kept.
    pub fn accepts(&self) -> bool {
        self.core.accepts()
    }

    /// Number of audit entries.
    pub fn entries(&self) -> u64 {
        self.core.entries()
    }
}
