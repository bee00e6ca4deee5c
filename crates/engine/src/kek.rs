//! Another key-encryption key for the same keys.

use sluis_domain::audit::{Act, Entry};
use sluis_domain::port::Commit;
use sluis_keyring::Kek;

use crate::Refusal;
use crate::engine::Engine;

impl Engine {
    /// Puts the keyring under another key-encryption key, from the same or another kind of place. No other key changes,
    /// so no pseudonym does. Only the operator at the daemon's own console can do this.
    ///
    /// # Errors
    /// Those of the store.
    pub fn rotate_kek(&self, kek: &Kek) -> Result<(), Refusal> {
        let _governing = self.govern();
        let snapshot = self.snapshot();
        let now = self.now();
        let mut change = snapshot.keyring.change(now);
        change.rotate_kek(kek);
        let (keyring, writes) = change.finish();
        let mut commit = Commit { writes, ..Commit::default() };
        commit.entry(Entry::new(now, Act::RotateKek, snapshot.registry.version).encode());
        self.store.commit(commit)?;
        self.replace(None, keyring);
        Ok(())
    }
}
