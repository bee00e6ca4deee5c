//! What happens at the door without anybody asking: shares grow old, tokens go and come back.

use std::sync::{Arc, TryLockError};
use std::time::Duration;

use sluis_domain::Reason;
use sluis_domain::audit::Act;
use sluis_keyring::Token;

use super::Keeper;
use crate::config::KekSource;
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
        tokio::time::sleep(if present.is_some() { look } else { look.min(EVERY) }).await;
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

/// Whether the token is there; a call into the module cannot be stopped, but nobody has to wait for it.
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
        // Not waited for: this is asked on an I/O thread, and whoever opens holds the door for as long as that takes.
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
        if self.door().opens_itself && matches!(self.source, KekSource::Token(_)) {
            self.open_itself();
        }
    }

    fn close_for(&self, fault: &KekFault) {
        let mut door = self.door();
        let Ok(engine) = self.engine() else { return };
        // Keys that should not be there must go, recorded or not.
        if let Err(refusal) = engine.record(None, Act::Seal, Vec::new()) {
            tracing::error!(detail = refusal.detail(), "sealing cannot be put on record");
        }
        drop(engine);
        drop(self.close(&mut door));
        self.wait_for(&mut door, fault);
    }

    fn open_itself(&self) {
        // A token may take its time, and callers must not wait for it.
        let fetched = self.source.fetch(&*self.store);
        let mut door = self.door();
        if !door.opens_itself || self.open.load().is_some() || door.still_closing() {
            return;
        }
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(fault) => {
                door.fault = Some(Reason::HsmUnavailable);
                if !fault.passes() {
                    door.opens_itself = false;
                    tracing::error!(fault = %fault, "the keyring cannot be opened; a custodian must unseal");
                }
                return;
            }
        };
        let opened = self.engine_with(&fetched.kek).map_err(|error| error.to_string()).and_then(|engine| {
            let recorded = engine.record(None, Act::Unseal, vec![0, 0]);
            recorded.map(|()| engine).map_err(|refusal| refusal.detail().to_owned())
        });
        match opened {
            Ok(engine) => self.let_in(&mut door, engine, fetched.token),
            Err(why) => {
                door.opens_itself = false;
                tracing::error!(why, "the keyring cannot be opened; a custodian must unseal");
            }
        }
    }
}
