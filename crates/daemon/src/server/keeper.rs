//! The keeper of the keyring: sealed, or open with an engine. Every handler gets the engine from here and nowhere else.

mod opened;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use sluis_domain::{Identity, Reason, Timestamp};
use sluis_engine::{Caller, Engine, EngineError, Sealed};
use sluis_keyring::{Collecting, Kek, Share, ShareError, Token};
use sluis_ledger::audit::Act;
use sluis_ledger::event::Event;
use sluis_ledger::opening::{KeySource, Opening};
use sluis_port::{Clock, Store};
use tokio_util::sync::CancellationToken;

use crate::config::{KekSource, Settings};
use crate::head::{HeadFault, Heads};
use crate::kek::KekFault;
use crate::server::StartError;
use crate::status::Denial;
pub(crate) use opened::OpenEngine;
use opened::Opened;
pub(super) use watch::watch;

/// Shares are forgotten when none was added for so long.
const PATIENCE_MILLIS: u64 = 10 * 60 * 1_000;

/// Keeps the keyring.
pub(crate) struct Keeper {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: sluis_engine::Settings,
    source: KekSource,
    sealed: Sealed,
    heads: Heads,
    open: ArcSwapOption<Opened>,
    /// Held by the call that opens or closes.
    door: Mutex<Door>,
}

/// What is remembered about opening.
struct Door {
    /// The shares so far, where the key is in shares.
    collecting: Option<Collecting>,
    /// Who presented them.
    holders: BTreeSet<Identity>,
    /// When the last of them was presented.
    presented_at: Timestamp,
    /// The token that the key of the open keyring came from.
    token: Option<Arc<Token>>,
    /// Why it is sealed, if no one asked for that.
    fault: Option<Reason>,
    /// Whether it opens by itself when that is over.
    opens_itself: bool,
    /// Whether the log says that it could not open by itself yet.
    said_not_yet: bool,
    /// Cancelled when the keyring that was closed last has left the memory: two never work on one store.
    wiped: Option<CancellationToken>,
}

/// Sealed or not, and what opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SealStatus {
    pub(crate) sealed: bool,
    /// Where the key comes from.
    pub(crate) provider: &'static str,
    /// Shares that are needed; 0 without shares.
    pub(crate) threshold: u8,
    /// Shares that there are; 0 without shares.
    pub(crate) shares: u8,
    /// Shares presented so far.
    pub(crate) presented: u8,
    /// Why it is sealed, if no one asked for that.
    pub(crate) fault: Option<Reason>,
}

impl Keeper {
    /// Over an initialised store: open if the key can be fetched, sealed if it is in shares or its token is away.
    ///
    /// # Errors
    /// [`StartError`].
    pub(super) fn start(
        settings: &Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let record = settings.kek.record(&*store)?;
        let engine = settings.engine();
        let door = Door {
            collecting: Collecting::new(&record),
            holders: BTreeSet::new(),
            presented_at: clock.now(),
            token: None,
            fault: None,
            opens_itself: false,
            said_not_yet: false,
            wiped: None,
        };
        let keeper = Self {
            sealed: Sealed::new(store.clone(), clock.clone(), &engine)?,
            store,
            clock,
            settings: engine,
            source: settings.kek.clone(),
            heads: Heads::new(&settings.audit),
            open: ArcSwapOption::empty(),
            door: Mutex::new(door),
        };
        keeper.open_at_start()?;
        Ok(keeper)
    }

    fn open_at_start(&self) -> Result<(), StartError> {
        if matches!(self.source, KekSource::Shares) {
            return Ok(());
        }
        let mut door = self.door();
        match self.source.fetch(&*self.store) {
            Ok(fetched) => {
                let engine = self.engine_with(&fetched.kek)?;
                engine.record(None, Event::Unseal(self.fetched()))?;
                // The start is under a head, if it can be kept; should it fail, the log says so.
                drop(self.heads.keep(&engine));
                self.let_in(&mut door, engine, fetched.token);
            }
            Err(fault) if fault.passes() => self.wait_for(&mut door, &fault),
            Err(fault) => return Err(fault.into()),
        }
        Ok(())
    }

    /// The engine.
    ///
    /// # Errors
    /// [`Reason::Sealed`].
    pub(crate) fn engine(&self) -> Result<OpenEngine, Reason> {
        self.open
            .load_full()
            .map(OpenEngine::new)
            .ok_or(Reason::Sealed)
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Signed heads of the audit log.
    pub(crate) fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Origin of the audit log; no secret.
    pub(crate) fn origin(&self) -> &str {
        self.sealed.origin()
    }

    /// Whether the caller may call at all; with `about_the_seal`, for a call that is answered while sealed. Asks nothing of
    /// the store, and does not put a refusal on record.
    ///
    /// # Errors
    /// The errors of [`Engine::standing`] and [`Sealed::authorise`], [`Reason::Sealed`].
    pub(crate) fn admit(&self, caller: &Caller, about_the_seal: bool) -> Result<(), Denial> {
        match self.engine() {
            Ok(engine) => engine.standing(caller).map_err(|reason| Denial {
                act: Some(Act::Admit),
                ..reason.into()
            }),
            Err(sealed) => {
                self.sealed.admit(caller)?;
                if about_the_seal {
                    Ok(self.sealed.authorise(caller).map(drop)?)
                } else {
                    Err(sealed.into())
                }
            }
        }
    }

    /// Whether there is room on record for one more refusal of a caller; it counts then.
    pub(crate) fn admits_refusal(&self, caller: &Caller, reason: Reason) -> bool {
        match self.engine() {
            Ok(engine) => engine.admits_refusal(caller, reason),
            Err(_) => self.sealed.admits_refusal(caller, reason),
        }
    }

    /// Puts on record what the daemon refused a caller, after [`Self::admits_refusal`]; returns the reason to answer with.
    pub(crate) fn refuse(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        match self.engine() {
            Ok(engine) => engine.refuse(caller, act, reason),
            Err(_) => self.sealed.refuse(caller, act, reason),
        }
    }

    /// Sealed or not.
    ///
    /// # Errors
    /// The errors of [`Sealed::authorise`].
    pub(crate) fn status(&self, caller: &Caller) -> Result<SealStatus, Denial> {
        self.sealed.authorise(caller)?;
        let mut door = self.door();
        self.forget_old(&mut door);
        Ok(self.status_of(&door))
    }

    /// Takes a share, or fetches the key again where it is not in shares.
    ///
    /// # Errors
    /// The errors of [`Sealed::authorise`], [`Reason::NotSealed`], [`Reason::Conflict`] while work in flight still holds the keys
    /// that were sealed last, [`Reason::NoShares`], those of shares, and why the keyring cannot be opened. A share
    /// does not count if its refusal or acceptance cannot be recorded.
    pub(crate) fn unseal(&self, caller: &Caller, share: &str) -> Result<SealStatus, Denial> {
        let holder = self.sealed.authorise(caller)?;
        let mut door = self.door();
        if self.open.load().is_some() {
            return Err(Reason::NotSealed.into());
        }
        if door.still_closing() {
            return Err(Denial {
                detail: "work in flight has not let go of the keys yet".into(),
                ..Reason::Conflict.into()
            });
        }
        self.forget_old(&mut door);
        let Some((presented, needed, kek)) =
            door.take(holder.identity(), share, self.clock.now())?
        else {
            let fetched = self
                .source
                .fetch(&*self.store)
                .inspect_err(|fault| self.note(&mut door, fault))?;
            let engine = self.engine_with(&fetched.kek).map_err(not_opened)?;
            engine.record(Some(holder), Event::Unseal(self.fetched()))?;
            self.let_in(&mut door, engine, fetched.token);
            return Ok(self.status_of(&door));
        };
        let opened = Event::Unseal(Opening::share(presented, needed));
        let done = match kek {
            None => self
                .sealed
                .record(Some(holder), opened)
                .map_err(Denial::from),
            Some(kek) => self
                .engine_with(&kek)
                .map_err(not_opened)
                .and_then(|engine| {
                    engine.record(Some(holder), opened)?;
                    self.let_in(&mut door, engine, None);
                    Ok(())
                }),
        };
        done.inspect_err(|_| door.forget())?;
        Ok(self.status_of(&door))
    }

    /// Closes the keyring. New calls are refused from now on and streams end; the token of the answer is cancelled when
    /// the last key has left the memory.
    ///
    /// # Errors
    /// The errors of [`Sealed::authorise`], [`Reason::Sealed`], and the errors of the record: without it nothing is closed.
    pub(crate) fn seal(&self, caller: &Caller) -> Result<(CancellationToken, SealStatus), Denial> {
        let holder = self.sealed.authorise(caller)?;
        let mut door = self.door();
        let Ok(engine) = self.engine() else {
            // Nothing to close, but shares may be waiting.
            door.forget();
            door.opens_itself = false;
            return Err(Reason::Sealed.into());
        };
        engine.record(Some(holder), Event::Seal)?;
        let wiped = self.close(&mut door);
        door.fault = None;
        door.opens_itself = false;
        let status = self.status_of(&door);
        drop(door);
        tracing::warn!("sealed by a custodian");
        // No one can sign one while it is sealed. Should it fail, the log says so; a disk that hangs keeps nothing open.
        drop(self.heads.keep(&engine));
        drop(engine);
        Ok((wiped, status))
    }

    /// The detail of an opening with a key that was fetched.
    fn fetched(&self) -> Opening {
        let source = match self.source {
            KekSource::File(_) => KeySource::File,
            KekSource::Credential(_) => KeySource::Credential,
            KekSource::Token(_) => KeySource::Token,
            KekSource::Shares => KeySource::Shares,
        };
        Opening::fetched(source)
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine with this key, after all checks: its log continues the head file.
    fn engine_with(&self, kek: &Kek) -> Result<Engine, HeadFault> {
        let saved = self.heads.file().read_state();
        let engine = Engine::resume(
            self.store.clone(),
            kek,
            self.clock.clone(),
            self.settings.clone(),
            saved.as_deref(),
        )?;
        self.heads.admit(&engine)?;
        Ok(engine)
    }

    fn let_in(&self, door: &mut Door, engine: Engine, token: Option<Arc<Token>>) {
        door.forget();
        (door.token, door.fault, door.opens_itself) = (token, None, false);
        door.said_not_yet = false;
        self.open.store(Some(Arc::new(Opened::new(engine))));
        tracing::info!("the keyring is open");
    }

    fn close(&self, door: &mut Door) -> CancellationToken {
        door.forget();
        door.token = None;
        match self.open.swap(None) {
            Some(opened) => {
                let wiped = opened.close();
                door.wiped = Some(wiped.clone());
                wiped
            }
            None => {
                let nothing = CancellationToken::new();
                nothing.cancel();
                nothing
            }
        }
    }

    /// Stays sealed until the token is back.
    fn wait_for(&self, door: &mut Door, fault: &KekFault) {
        door.fault = Some(fault.reason());
        door.opens_itself = true;
        tracing::error!(fault = %fault, "sealed until the hardware security module is back");
    }

    /// A fault of fetching, when a custodian asked for it.
    fn note(&self, door: &mut Door, fault: &KekFault) {
        if let KekFault::Token(_) = fault {
            door.fault = Some(fault.reason());
            door.opens_itself |= fault.passes();
        }
    }

    fn forget_old(&self, door: &mut Door) {
        if !door.holders.is_empty()
            && self.clock.now() >= door.presented_at.plus_millis(PATIENCE_MILLIS)
        {
            door.forget();
            tracing::warn!("no share came for a long time: those presented before are forgotten");
        }
    }

    fn status_of(&self, door: &Door) -> SealStatus {
        let set = door.collecting.as_ref().map(Collecting::set);
        SealStatus {
            sealed: self.open.load().is_none(),
            provider: self.source.name(),
            threshold: set.map_or(0, |set| set.threshold()),
            shares: set.map_or(0, |set| set.shares()),
            presented: door.presented(),
            fault: door.fault,
        }
    }
}

impl Door {
    /// Takes a share: how many there are now, how many are needed, and the key with the last one. `None` where the key
    /// is not in shares.
    fn take(
        &mut self,
        holder: &Identity,
        share: &str,
        now: Timestamp,
    ) -> Result<Option<(u8, u8, Option<Kek>)>, Denial> {
        let Some(collecting) = &mut self.collecting else {
            return if share.is_empty() {
                Ok(None)
            } else {
                Err(Reason::NoShares.into())
            };
        };
        if self.holders.contains(holder) {
            return Err(Reason::SameHolder.into());
        }
        let share: Share = share.trim().parse().map_err(share_reason)?;
        let (needed, before) = (collecting.set().threshold(), collecting.given().len());
        let given = collecting.give(share);
        if let Err(ShareError::WrongKek) = given {
            self.forget();
        }
        let kek = given.map_err(share_reason)?;
        self.holders.insert(holder.clone());
        self.presented_at = now;
        let presented = u8::try_from(before + 1).expect("a set has at most MAX_SHARES shares");
        Ok(Some((presented, needed, kek)))
    }

    /// Whether a keyring that was closed is still in use.
    fn still_closing(&self) -> bool {
        self.wiped
            .as_ref()
            .is_some_and(|wiped| !wiped.is_cancelled())
    }

    fn presented(&self) -> u8 {
        let given = self
            .collecting
            .as_ref()
            .map_or(0, |collecting| collecting.given().len());
        u8::try_from(given).expect("a set has at most MAX_SHARES shares")
    }

    /// Forgets all shares.
    fn forget(&mut self) {
        self.holders.clear();
        if let Some(collecting) = &mut self.collecting {
            collecting.reset();
        }
    }
}

fn share_reason(error: ShareError) -> Denial {
    let reason = match error {
        ShareError::Malformed | ShareError::Numbers => Reason::MalformedShare,
        ShareError::OtherSet => Reason::ForeignShare,
        ShareError::Wrong => Reason::WrongShare,
        ShareError::Repeated(_) => Reason::RepeatedShare,
        // All shares are right, so what the store says about the key is not.
        ShareError::WrongKek => Reason::CorruptStore,
    };
    reason.into()
}

/// Why the keyring cannot be opened; the log says more.
fn not_opened(error: HeadFault) -> Denial {
    let reason = match &error {
        HeadFault::Engine(EngineError::Store(store)) => {
            sluis_engine::Refusal::from(store.clone()).reason()
        }
        HeadFault::Engine(EngineError::Keyring(keyring)) => {
            sluis_engine::Refusal::from(keyring.clone()).reason()
        }
        HeadFault::Engine(EngineError::Refused(refusal)) => refusal.reason(),
        HeadFault::Engine(EngineError::Registry(_)) => Reason::Internal,
        HeadFault::Engine(_) => Reason::CorruptStore,
        HeadFault::Missing(_) | HeadFault::File { .. } => Reason::HeadUnavailable,
    };
    Denial {
        detail: error.to_string(),
        ..reason.into()
    }
}

impl From<KekFault> for Denial {
    fn from(fault: KekFault) -> Self {
        Self {
            detail: fault.to_string(),
            ..fault.reason().into()
        }
    }
}
