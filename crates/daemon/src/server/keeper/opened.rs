//! An open keyring, and the end of it.

use std::ops::Deref;
use std::sync::Arc;

use sluis_domain::Reason;
use sluis_engine::Engine;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::status::Denial;

/// The engine between opening and closing.
pub(super) struct Opened {
    // Dropped in this order: when the guard speaks, the keys are gone.
    engine: Engine,
    closed: CancellationToken,
    wiped: CancellationToken,
    _speaks: DropGuard,
}

/// The engine in the hands of one call. A holder keeps the keys in memory, so it is held as long as it is used
/// and no longer; what waits goes through [`Self::unless_closed`].
#[derive(Clone)]
pub(crate) struct OpenEngine(Arc<Opened>);

impl Opened {
    pub(super) fn new(engine: Engine) -> Self {
        let wiped = CancellationToken::new();
        Self {
            engine,
            closed: CancellationToken::new(),
            _speaks: wiped.clone().drop_guard(),
            wiped,
        }
    }

    /// Ends all use of it; what is returned is cancelled when the last key has gone.
    pub(super) fn close(&self) -> CancellationToken {
        self.closed.cancel();
        self.wiped.clone()
    }
}

impl OpenEngine {
    pub(super) fn new(opened: Arc<Opened>) -> Self {
        Self(opened)
    }

    /// The engine, unless it has been closed since: what was opened under one engine never goes on under the next.
    ///
    /// # Errors
    /// [`Reason::Sealed`].
    pub(crate) fn live(&self) -> Result<&Engine, Denial> {
        if self.0.closed.is_cancelled() {
            Err(Reason::Sealed.into())
        } else {
            Ok(&self.0.engine)
        }
    }

    /// Waits for something, until the keyring is closed.
    ///
    /// # Errors
    /// [`Reason::Sealed`].
    pub(crate) async fn unless_closed<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Denial> {
        tokio::select! {
            biased;
            () = self.0.closed.cancelled() => Err(Reason::Sealed.into()),
            done = work => Ok(done),
        }
    }
}

impl Deref for OpenEngine {
    type Target = Engine;
    fn deref(&self) -> &Engine {
        &self.0.engine
    }
}
