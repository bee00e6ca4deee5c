//! Why nothing is written: at the moment, or until the store is opened again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sluis_port::store::StoreError;

/// What keeps the store from writing. The writer thread, reads and the look at the disk share it.
#[derive(Default)]
pub(crate) struct Trouble(Mutex<State>);

#[derive(Default)]
struct State {
    /// After a failed write, or damage that a read met.
    lasting: Option<Lasting>,
    /// A full disk or a stall, before anything was tried.
    passing: Option<StoreError>,
}

struct Lasting {
    /// What later commits get.
    error: StoreError,
    /// Whether opening the store again is safe and may help.
    reopens: bool,
}

impl Trouble {
    /// What a commit gets now.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::ReadOnly`], [`StoreError::Full`], [`StoreError::Stalled`].
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        let state = self.state();
        let lasting = state.lasting.as_ref().map(|lasting| &lasting.error);
        match lasting.or(state.passing.as_ref()) {
            None => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }

    /// What ends all writing until the store is opened again.
    ///
    /// # Errors
    /// As [`Self::writable`].
    pub(crate) fn usable(&self) -> Result<(), StoreError> {
        match &self.state().lasting {
            None => Ok(()),
            Some(lasting) => Err(lasting.error.clone()),
        }
    }

    /// Whether opening the store again may help.
    pub(crate) fn reopens(&self) -> bool {
        let state = self.state();
        state
            .lasting
            .as_ref()
            .is_some_and(|lasting| lasting.reopens)
    }

    /// Whether it is only for now that nothing is written.
    pub(crate) fn is_passing(&self) -> bool {
        self.state().passing.is_some()
    }

    /// A write failed, or a read met damage. The first failure stays, but damage is always said.
    ///
    /// A second fsync after a failed one would lie, so only a full disk or a write that hangs lets the store be opened
    /// again: it is read from the disk then, and compared with what was acknowledged.
    pub(crate) fn fail(&self, error: &StoreError) {
        let mut state = self.state();
        let corrupt = matches!(error, StoreError::Corrupt(_));
        if state.lasting.is_some() && !corrupt {
            return;
        }
        let reopens = matches!(error, StoreError::Full(_) | StoreError::Stalled(_));
        let error = match error {
            StoreError::Corrupt(_) | StoreError::Full(_) | StoreError::Stalled(_) => error.clone(),
            other => StoreError::ReadOnly(other.to_string()),
        };
        state.lasting = Some(Lasting { error, reopens });
    }

    /// Nothing is written for now, or it is again.
    pub(crate) fn pass(&self, passing: Option<StoreError>) {
        self.state().passing = passing;
    }

    /// The store was opened again.
    pub(crate) fn mend(&self) {
        *self.state() = State::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_said_even_after_another_failure_and_never_mended_by_opening_again() {
        let trouble = Trouble::default();
        trouble.fail(&StoreError::Full("no room".into()));
        assert!(trouble.reopens());
        trouble.fail(&StoreError::Corrupt("a table".into()));
        trouble.fail(&StoreError::Full("no room".into()));
        assert_eq!(
            trouble.writable(),
            Err(StoreError::Corrupt("a table".into()))
        );
        assert!(!trouble.reopens());
    }

    #[test]
    fn a_device_that_fails_is_not_opened_again() {
        let trouble = Trouble::default();
        trouble.fail(&StoreError::Io("input/output error".into()));
        assert!(matches!(trouble.writable(), Err(StoreError::ReadOnly(_))));
        assert!(!trouble.reopens());
    }
}
