//! Batches and acts take turns, and what other daemons on the same store did is taken over.
//!
//! The locks are for fairness: they keep a batch from being refused by the store. What keeps it behind the act that ends its
//! permission is the [`epoch`].

use std::sync::PoisonError;

use sluis_domain::Reason;
use sluis_ledger::State;

use crate::core::held::{Governing, Steady};
use crate::core::snapshot::Snapshot;
use crate::core::{Core, epoch};
use crate::{EngineError, Refusal};

impl Core {
    /// Waits until no batch and no other act is under way.
    pub(crate) fn alone(&self) -> Governing<'_> {
        let alone = self.governing.write();
        Governing::new(alone.unwrap_or_else(PoisonError::into_inner))
    }

    /// No change meanwhile: from the authorisation of a batch until it is in the store's queue. What another daemon on the same
    /// store changed is taken over before.
    ///
    /// # Errors
    /// The errors of [`Self::refresh`].
    pub(crate) fn steady(&self) -> Result<Steady<'_>, Refusal> {
        self.refreshed()?;
        let shared = self.governing.read();
        Ok(Steady::new(shared.unwrap_or_else(PoisonError::into_inner)))
    }

    /// Reads rows that belong to the state in force. If an act comes between the state and the rows, they may not fit
    /// together; then they are read again.
    ///
    /// # Errors
    /// The errors of `read`, and those of [`Self::refresh`].
    pub(crate) fn fitting<T>(&self, read: impl Fn() -> Result<T, Refusal>) -> Result<T, Refusal> {
        loop {
            let epoch = self.snapshot().epoch;
            let outcome = read();
            if outcome.is_ok() || !self.is_overtaken(epoch)? {
                return outcome;
            }
            self.refreshed()?;
        }
    }

    /// Whether an act came after this epoch.
    pub(crate) fn is_overtaken(&self, epoch: u64) -> Result<bool, Refusal> {
        let stored = epoch::read(&*self.store).map_err(unread)?;
        Ok(stored != epoch)
    }

    /// [`Self::refresh`], as an act is refused for it.
    pub(crate) fn refreshed(&self) -> Result<(), Refusal> {
        self.refresh().map_err(unread)
    }

    /// Takes over what another daemon on the same store put into force.
    ///
    /// # Errors
    /// The errors of the store and of reading the log; [`EngineError::Differs`] if the state of the store is not what the log says.
    pub(crate) fn refresh(&self) -> Result<(), EngineError> {
        if epoch::read(&*self.store)? == self.snapshot().epoch {
            return Ok(());
        }
        let _governing = self.alone();
        loop {
            let epoch = epoch::read(&*self.store)?;
            // It was an act of this process.
            if epoch == self.snapshot().epoch {
                return Ok(());
            }
            let coming = self.stored(epoch);
            // If another act came between, what was read may not fit together.
            if epoch::read(&*self.store)? == epoch {
                self.replace(coming?);
                return Ok(());
            }
        }
    }

    /// What is in force in the store.
    fn stored(&self, epoch: u64) -> Result<Snapshot, EngineError> {
        let state = self.replayed(State::clone)?;
        let present = self.snapshot();
        let keyring = present.keyring.reload(&*self.store)?;
        let custodians = present.custodians.clone();
        Snapshot::read(&*self.store, keyring, custodians, state, epoch)
    }
}

fn unread(error: EngineError) -> Refusal {
    match error {
        EngineError::Store(error) => error.into(),
        error => Refusal::new(Reason::CorruptStore, error.to_string()),
    }
}
