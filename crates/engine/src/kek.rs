//! Another key-encryption key for the same keys.

use sluis_keyring::Kek;
use sluis_ledger::event::Event;
use sluis_port::{Commit, Family};

use crate::Refusal;
use crate::audit::{encoded, header};
use crate::engine::Engine;
use crate::life::compaction;

/// Where the former key-encryption key could lead somewhere as long as overwritten rows are on the disk: to the old wraps,
/// and, of a token, to the key itself.
const FAMILIES: [Family; 2] = [Family::Keyring, Family::Meta];

impl Engine {
    /// Puts the keyring under another key-encryption key, from the same or another kind of place, and wraps every key
    /// anew. None of them changes, so no pseudonym does. Only the operator at the daemon's own console can do this.
    ///
    /// The former key opens nothing that is in force; what it does open leaves the disk with [`Self::forget_former_kek`]
    /// or, if that does not come to pass, with the next [`Self::housekeep`].
    ///
    /// # Errors
    /// Those of the store, and of the log.
    pub fn rotate_kek(&self, kek: &Kek) -> Result<(), Refusal> {
        let _governing = self.govern();
        let snapshot = self.snapshot();
        let now = self.now();
        let mut change = snapshot.keyring.change(now);
        change.rotate_kek(kek);
        let (keyring, writes) = change.finish();
        let mut commit = Commit {
            writes,
            ..Commit::default()
        };
        for range in FAMILIES.map(compaction::whole) {
            compaction::note(&*self.store, keyring.state(), &range, now, &mut commit)?;
        }
        let header = header(now, None, snapshot.registry.version);
        commit.entry(encoded(header, Event::RotateKek));
        self.commit_governed(commit, None)?;
        self.replace(None, keyring);
        Ok(())
    }

    /// Rewrites the files that hold what the former key-encryption key opens, so that no backup made from now on has it.
    ///
    /// # Errors
    /// Those of the store.
    pub fn forget_former_kek(&self) -> Result<(), Refusal> {
        for range in FAMILIES.map(compaction::whole) {
            self.store.compact(&range)?;
        }
        Ok(())
    }
}
