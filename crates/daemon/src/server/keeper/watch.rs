//! What happens at the door without anybody asking: shares grow old, tokens go and come back.

use std::sync::{Arc, TryLockError};
use std::time::Duration;

use sluis_domain::Reason;
use sluis_engine::{EngineError, Refusal};
use sluis_keyring::{KeyringError, Token};
use sluis_ledger::event::Event;
use sluis_port::store::StoreError;

use super::{Door, Keeper};
use crate::config::KekSource;
use crate::head::HeadFault;
use crate::kek::KekFault;
use crate::server::Shared;

/// How often to look for shares that are too old, and for a token that is away.
const EVERY: Duration = Duration::from_secs(3);
/// A token that takes longer to say that it is there is taken for gone.
const LONGEST_PING: Duration = Duration::from_secs(10);

/// Looks after the door until it is dropped. `look` is how often a token that is there is asked.
pub(in crate::server) async fn watch(shared: Arc<Shared>, look: Duration) {
    loop {
        let present = shared.keeper.token();
        tokio::time::sleep(if present.is_some() {
            look
        } else {
            look.min(EVERY)
        })
        .await;
        let gone = match present {
            Some(token) => ping(token).await.err(),
            None => None,
        };
        let at = shared.clone();
        // A panic is logged where it happens; the next look is another try.
        drop(tokio::task::spawn_blocking(move || at.keeper.look(gone)).await);
        shared.health_changed.notify_one();
    }
}

/// Whether the token is there; a call into the module cannot be stopped, but no one has to wait for it.
async fn ping(token: Arc<Token>) -> Result<(), KekFault> {
    let asked = tokio::task::spawn_blocking(move || token.ping());
    match tokio::time::timeout(LONGEST_PING, asked).await {
        Ok(Ok(said)) => Ok(said?),
        Ok(Err(_)) | Err(_) => Err(sluis_keyring::TokenError::Gone("no answer".to_owned()).into()),
    }
}

impl Keeper {
    /// The token of the open keyring.
    fn token(&self) -> Option<Arc<Token>> {
        // Not waited for: this is asked on an I/O thread, and the one that opens holds the door for as long as that takes.
        match self.door.try_lock() {
            Ok(door) => door.token.clone(),
            Err(TryLockError::Poisoned(door)) => door.into_inner().token.clone(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Closes the keyring when its token has gone, opens it when the token is back, and forgets old shares.
    fn look(&self, gone: Option<KekFault>) {
        if let Some(fault) = gone {
            self.close_for(&fault);
        }
        self.forget_old(&mut self.door());
        if self.door().opens_itself {
            self.open_itself();
        }
    }

    fn close_for(&self, fault: &KekFault) {
        let mut door = self.door();
        let Ok(engine) = self.engine() else { return };
        // Keys that should not be there must go, recorded or not.
        if let Err(refusal) = engine.record(None, Event::Seal) {
            tracing::error!(detail = refusal.detail(), "sealing cannot be put on record");
        }
        drop(engine);
        drop(self.close(&mut door));
        self.wait_for(&mut door, fault);
    }

    /// Closes the keyring over a store that holds more than was acknowledged: what the engine remembers of it is no longer
    /// true. It opens by itself and reads everything again, unless the key is in shares. Nothing can be put on record yet.
    pub(in crate::server) fn close_to_read_again(&self) {
        let mut door = self.door();
        if self.open.load().is_none() {
            return;
        }
        drop(self.close(&mut door));
        door.fault = Some(Reason::OutcomeUnknown);
        door.opens_itself = !matches!(self.source, KekSource::Shares);
        let opens_itself = door.opens_itself;
        tracing::error!(
            opens_itself,
            "sealed: the store holds a write whose outcome was unknown, and is read again"
        );
    }

    /// Puts on record that the daemon closed the keyring, once that is possible.
    pub(in crate::server) fn record_that_it_closed(&self) {
        if self.door().fault != Some(Reason::OutcomeUnknown) {
            return;
        }
        if let Err(refusal) = self.sealed.record(None, Event::Seal) {
            tracing::error!(detail = refusal.detail(), "sealing cannot be put on record");
        }
    }

    fn open_itself(&self) {
        // A token may take its time, and callers must not wait for it.
        let fetched = self.source.fetch(&*self.store);
        let mut door = self.door();
        if !door.opens_itself || self.open.load().is_some() || door.still_closing() {
            return;
        }
        if let Err(KekFault::Token(_)) = fetched {
            door.fault = Some(Reason::HsmUnavailable);
        }
        let opened = fetched.map_err(NotOpened::from).and_then(|fetched| {
            let engine = self.engine_with(&fetched.kek)?;
            engine.record(None, Event::Unseal(self.fetched()))?;
            Ok((engine, fetched.token))
        });
        match opened {
            Ok((engine, token)) => self.let_in(&mut door, engine, token),
            Err(NotOpened { why, passes }) => door.stay_closed(&why, passes),
        }
    }
}

impl Door {
    /// What passes is tried again at the next look, and said once.
    fn stay_closed(&mut self, why: &str, passes: bool) {
        self.opens_itself = passes;
        if !passes {
            tracing::error!(why, "the keyring cannot be opened; a custodian must unseal");
        } else if !self.said_not_yet {
            tracing::warn!(why, "the keyring cannot be opened yet; it is tried again");
        }
        self.said_not_yet = passes;
    }
}

/// Why the keyring did not open by itself.
struct NotOpened {
    why: String,
    /// Whether waiting may help.
    passes: bool,
}

impl From<KekFault> for NotOpened {
    fn from(fault: KekFault) -> Self {
        let passes = match &fault {
            KekFault::Store(KeyringError::Store(error)) => store_passes(error),
            _ => fault.passes(),
        };
        Self {
            why: fault.to_string(),
            passes,
        }
    }
}

impl From<HeadFault> for NotOpened {
    fn from(fault: HeadFault) -> Self {
        let passes = match &fault {
            HeadFault::File { .. } => true,
            HeadFault::Engine(
                EngineError::Store(error) | EngineError::Keyring(KeyringError::Store(error)),
            ) => store_passes(error),
            HeadFault::Engine(EngineError::Refused(refusal)) => passes(refusal),
            HeadFault::Missing(_) | HeadFault::Engine(_) => false,
        };
        Self {
            why: fault.to_string(),
            passes,
        }
    }
}

impl From<Refusal> for NotOpened {
    fn from(refusal: Refusal) -> Self {
        Self {
            why: format!("{refusal}: {}", refusal.detail()),
            passes: passes(&refusal),
        }
    }
}

/// So do refusals for them.
fn passes(refusal: &Refusal) -> bool {
    refusal.reason() != Reason::CorruptStore
}

/// Full disks, stalls and failed reads or writes pass; damage does not.
fn store_passes(error: &StoreError) -> bool {
    !matches!(error, StoreError::Corrupt(_))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sluis_keyring::TokenError;
    use sluis_ledger::audit::Act;
    use sluis_ledger::event::Entry;
    use sluis_port::Family;
    use sluis_store::{Options, RocksStore};
    use sluis_testkit::clock::TestClock;
    use sluis_testkit::faulty_store::FaultyStore;
    use sluis_testkit::people;
    use sluis_testkit::pki::Pki;
    use sluis_testkit::registry::CUSTODIANS;
    use sluis_testkit_daemon::world;

    use super::*;
    use crate::commands;
    use crate::config::{self, Sources};

    /// An open custodian with a key that is always at hand: what only a token does is to go.
    fn keeper(directory: &Path) -> Keeper {
        faulty(directory).0
    }

    /// The same, and its store, which fails when told to.
    fn faulty(directory: &Path) -> (Keeper, Arc<FaultyStore<RocksStore>>) {
        drop(Pki::create(&directory.join("pki")));
        world::write_config(directory, "");
        let sources = Sources {
            file: Some(directory.join("sluisd.toml")),
            ..Sources::default()
        };
        let settings = config::load(&sources).expect("valid").settings;
        commands::init(&settings, None).expect("a new store");
        let store = RocksStore::open(&settings.data_directory, &Options::default()).expect("opens");
        let store = Arc::new(FaultyStore::new(store));
        let clock = Arc::new(TestClock::now());
        let keeper = Keeper::start(&settings, store.clone(), clock).expect("opens");
        (keeper, store)
    }

    fn gone() -> Option<KekFault> {
        Some(TokenError::Gone("taken away".to_owned()).into())
    }

    /// Openings and closings on record, and whether someone did it.
    fn told(keeper: &Keeper) -> Vec<(Act, bool)> {
        let rows = keeper
            .store
            .scan(Family::Audit, &[], 100)
            .expect("readable");
        let entries = rows
            .iter()
            .map(|(_, bytes)| Entry::decode(bytes).expect("an entry"));
        let done = entries.filter(|entry| matches!(entry.event, Event::Seal | Event::Unseal(_)));
        done.map(|entry| (entry.event.act(), entry.header.caller.is_some()))
            .collect()
    }

    #[test]
    fn what_was_closed_for_its_token_opens_by_itself_and_what_a_custodian_sealed_does_not() {
        let directory = tempfile::tempdir().expect("scratch directory");
        let keeper = keeper(directory.path());
        let custodian = people::caller(CUSTODIANS[0]);
        keeper.look(None);
        let start = (Act::Unseal, false);
        assert_eq!(told(&keeper), [start], "the start is on record");
        keeper.look(gone());
        let opened = (Act::Unseal, false);
        assert_eq!(told(&keeper), [start, (Act::Seal, false), opened]);
        assert!(keeper.engine().is_ok());

        let (wiped, _) = keeper.seal(&custodian).expect("a custodian");
        assert!(
            wiped.is_cancelled(),
            "nothing but the custodian keeps it closed"
        );
        // The second: it was asked before the seal, and the answer comes after it.
        for gone in [None, gone(), None] {
            keeper.look(gone);
            let status = keeper.status(&custodian).expect("a custodian");
            assert_eq!((status.sealed, status.fault), (true, None));
        }
        assert_eq!(
            told(&keeper).len(),
            4,
            "only the custodian's own act came to it"
        );
        keeper.unseal(&custodian, "").expect("a custodian");
        assert!(keeper.engine().is_ok());
    }

    #[test]
    fn a_store_with_a_write_of_unknown_outcome_is_read_again_before_anything_is_served() {
        let directory = tempfile::tempdir().expect("scratch directory");
        let keeper = keeper(directory.path());
        let stale = keeper.engine().expect("open");
        keeper.close_to_read_again();
        keeper.record_that_it_closed();
        assert!(
            stale.live().is_err(),
            "nothing goes on with what was remembered"
        );
        let custodian = people::caller(CUSTODIANS[0]);
        let status = keeper.status(&custodian).expect("a custodian");
        assert_eq!(status.fault, Some(Reason::OutcomeUnknown));
        keeper.look(None);
        assert!(keeper.engine().is_err(), "not while the old one is held");
        drop(stale);
        keeper.look(None);
        assert!(keeper.engine().is_ok());
        let start = (Act::Unseal, false);
        assert_eq!(told(&keeper), [start, (Act::Seal, false), start]);
    }

    #[test]
    fn what_passes_does_not_keep_the_store_closed_until_a_custodian_comes() {
        let directory = tempfile::tempdir().expect("scratch directory");
        let (keeper, store) = faulty(directory.path());
        keeper.close_to_read_again();
        let passing = [
            StoreError::Full("no room".into()),
            StoreError::Stalled("tables wait".into()),
            StoreError::ReadOnly("a write failed".into()),
            StoreError::Unknown("it hangs".into()),
            StoreError::Io("a read failed".into()),
        ];
        for family in [Family::Keyring, Family::Optout, Family::Audit] {
            for error in &passing {
                store.fail_reads(family, error.clone());
                keeper.look(None);
                assert!(keeper.engine().is_err(), "{family:?}: {error}");
                assert!(keeper.door().opens_itself, "{family:?}: {error}");
            }
            store.mend_reads(family);
        }
        let head = directory.path().join("head/head");
        let aside = directory.path().join("aside");
        std::fs::rename(&head, &aside).expect("there");
        std::fs::create_dir(&head).expect("nothing is there");
        keeper.look(None);
        assert!(
            keeper.door().opens_itself,
            "a head file that cannot be read"
        );
        std::fs::remove_dir(&head).expect("empty");
        std::fs::rename(&aside, &head).expect("there");
        let journal = directory.path().join("head/head.optouts");
        std::fs::create_dir(&journal).expect("nobody has opted out");
        keeper.look(None);
        assert!(keeper.door().opens_itself, "a journal that cannot be read");
        std::fs::remove_dir(&journal).expect("empty");
        keeper.look(None);
        assert!(keeper.engine().is_ok());

        keeper.close_to_read_again();
        store.fail_reads(Family::Audit, StoreError::Corrupt("a row".into()));
        keeper.look(None);
        store.mend_reads(Family::Audit);
        keeper.look(None);
        assert!(
            keeper.engine().is_err(),
            "damage does not pass: a custodian must unseal"
        );
    }

    #[test]
    fn a_custodian_who_seals_while_the_token_is_away_is_not_overruled_when_it_is_back() {
        let directory = tempfile::tempdir().expect("scratch directory");
        let keeper = keeper(directory.path());
        keeper.close_for(&gone().expect("a fault"));
        let custodian = people::caller(CUSTODIANS[0]);
        let refused = keeper
            .seal(&custodian)
            .map(drop)
            .expect_err("it is sealed already");
        assert_eq!(refused.reason, Reason::Sealed);
        keeper.look(None);
        assert!(keeper.engine().is_err());
    }
}
