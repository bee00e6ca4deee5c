//! Another key-encryption key for the same keys.

use sluis_keyring::Kek;
use sluis_ledger::event::Event;
use sluis_port::Family;

use crate::Refusal;
use crate::core::change::Change;
use crate::core::compaction;
use crate::core::record::header;
use crate::life::Life;

/// Where the former key-encryption key could lead somewhere as long as overwritten rows are on the disk: to the old wraps,
/// and, of a token, to the key itself.
const FAMILIES: [Family; 2] = [Family::Keyring, Family::Meta];

impl Life {
    /// Puts the keyring under another key-encryption key, from the same or another kind of place, and wraps every key
    /// again. None of them changes, so no pseudonym does. Only the operator at the daemon's own console can do this.
    ///
    /// The former key opens nothing that is in force; what it does open leaves the disk with [`Self::forget_former_kek`]
    /// or, if that does not come to pass, with the next [`Self::housekeep`].
    ///
    /// # Errors
    /// The errors of the store, and of the log.
    pub fn rotate_kek(&self, kek: &Kek) -> Result<(), Refusal> {
        self.govern(|| {
            let snapshot = self.snapshot();
            let now = self.now();
            let mut keys = snapshot.keyring.change(now);
            keys.rotate_kek(kek);
            let notes = FAMILIES.map(|family| self.noted(&compaction::whole(family), now));
            let notes: Vec<_> = notes.into_iter().collect::<Result<_, _>>()?;
            let header = header(now, None, snapshot.registry.version);
            let change = Change::of(header, Event::RotateKek).keys(keys.finish());
            Ok((change.with(notes), ()))
        })
    }

    /// Rewrites the files that hold what the former key-encryption key opens, so that no backup made from now on has it.
    ///
    /// # Errors
    /// The errors of the store.
    pub fn forget_former_kek(&self) -> Result<(), Refusal> {
        for range in FAMILIES.map(compaction::whole) {
            self.store.compact(&range)?;
        }
        Ok(())
    }
}
