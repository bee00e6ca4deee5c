//! Another signing key for the log.

use sluis_keyring::Keyring;
use sluis_ledger::audit::Act;
use sluis_ledger::event::{AuditKeyRotated, Event};
use sluis_port::Commit;

use super::verifier;
use crate::audit::encoded;
use crate::engine::Engine;
use crate::{Caller, Instructed, Refusal};

impl Engine {
    /// Makes a new signing key for the log; returns its verifier key as text. The head that hands over, signed by both
    /// keys, is kept before this returns.
    ///
    /// # Errors
    /// Those of an instruction, and of the store.
    pub fn rotate_audit_key(
        &self,
        caller: &Caller,
        instructed: &Instructed,
    ) -> Result<String, Refusal> {
        self.on_record(caller, Act::RotateAuditKey, || {
            let _governing = self.govern();
            let (permit, instruction, signature) =
                self.instructed(caller, Act::RotateAuditKey, instructed)?;
            let mut change = permit.snapshot().keyring.change(permit.now());
            let key = verifier(&self.origin, &change.rotate_audit_key());
            let text = key.to_string();
            let rotated = Event::RotateAuditKey(AuditKeyRotated {
                key,
                instruction,
                signature,
            });
            let (keyring, writes): (Keyring, _) = change.finish();
            let mut commit = Commit {
                writes,
                ..Commit::default()
            };
            commit.entry(encoded(permit.header(), rotated));
            self.commit_governed(commit, None)?;
            self.replace(None, keyring);
            // Should it not be kept now, the next head hands over.
            drop(self.sign_head());
            Ok(text)
        })
    }
}
