//! The state of the log for the next start, and verifying in the background what a start did not read.

use sluis_port::StoreError;

use crate::EngineError;
use crate::core::log::saved::Verified;
use crate::log::LogKeeper;

impl LogKeeper {
    /// State and tree of the log for the next start, encrypted; `None` if the log was found wrong.
    ///
    /// # Errors
    /// The errors of reading the log on.
    pub fn save(&self) -> Result<Option<Vec<u8>>, EngineError> {
        if self.log.is_wrong() {
            return Ok(None);
        }
        let grown = self.extended()?;
        Ok(grown.save(&self.snapshot().keyring))
    }

    /// Whether nothing is left to verify in the background, or a fault was found.
    pub fn is_verified(&self) -> bool {
        self.log.unverified().is_none()
    }

    /// Verifies a few hundred entries more of a log that was not read from its first entry at the start. After an error no act
    /// is done any more.
    ///
    /// # Errors
    /// What is wrong with the log, and the errors of the store, after which it can be called again.
    pub fn verify_on(&self) -> Result<Verified, EngineError> {
        let mut unverified = self.log.unverified();
        let Some(verification) = unverified.as_mut() else {
            return Ok(self.log.verified());
        };
        let went_on = verification.go_on(&*self.store, &self.snapshot().keyring);
        match went_on {
            Ok(()) => {
                let progress = verification.progress();
                if progress.is_done() {
                    *unverified = None;
                }
                Ok(progress)
            }
            // A read that failed can be tried again; bytes that are no entry are a fault.
            Err(EngineError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => {
                Err(error.into())
            }
            Err(fault) => {
                *unverified = None;
                self.log.give_up();
                Err(fault)
            }
        }
    }
}
