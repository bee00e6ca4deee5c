//! Another signing key for the log.

use sluis_ledger::audit::Act;
use sluis_ledger::event::{AuditKeyRotated, Event};

use crate::core::change::Change;
use crate::core::log::verifier;
use crate::log::LogKeeper;
use crate::{Caller, Instructed, Refusal};

impl LogKeeper {
    /// Makes a new signing key for the log; returns its verifier key as text. The head that hands over, signed by both
    /// keys, is kept before this returns.
    ///
    /// # Errors
    /// The errors of an instruction, and of the store.
    pub fn rotate_audit_key(
        &self,
        caller: &Caller,
        instructed: &Instructed,
    ) -> Result<String, Refusal> {
        self.on_record(caller, Act::RotateAuditKey, || {
            let text = self.govern(|| {
                let (permit, instruction, signature) =
                    self.instructed(caller, Act::RotateAuditKey, instructed)?;
                let mut keys = permit.snapshot().keyring.change(permit.now());
                let key = verifier(&self.origin, &keys.rotate_audit_key());
                let text = key.to_string();
                let rotated = Event::RotateAuditKey(AuditKeyRotated {
                    key,
                    instruction,
                    signature,
                });
                let change = Change::of(permit.header(), rotated).keys(keys.finish());
                Ok((change, text))
            })?;
            // If writing fails, the next head contains the hand-over.
            drop(self.sign_head());
            Ok(text)
        })
    }
}
