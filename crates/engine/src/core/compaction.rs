//! Notes of what was removed and still has to leave the disk.
//!
//! A store that only marks rows as removed keeps their bytes until it rewrites its files. Whoever removes something notes
//! it in the same commit, so that it is done after a crash too.

use sluis_domain::Timestamp;
use sluis_keyring::{KeyringError, StateSeal};
use sluis_port::{Family, Range, Write, rows};

use super::Core;
use crate::Refusal;

/// Everything in a family.
pub(crate) fn whole(family: Family) -> Range {
    Range {
        family,
        from: Vec::new(),
        to: vec![0xff; 128],
    }
}

impl Core {
    /// The note that a range must be rewritten at `not_before`, or when it was noted for before.
    pub(crate) fn noted(&self, range: &Range, not_before: Timestamp) -> Result<Write, Refusal> {
        let snapshot = self.snapshot();
        let seal = snapshot.keyring.state();
        let key = rows::compaction_key(range);
        let stored = self.store.get(Family::Optout, &key)?;
        let noted = stored
            .map(|stored| moment(seal, &key, &stored))
            .transpose()?;
        let at = noted.map_or(not_before, |noted| noted.min(not_before));
        // Encrypted again even if it says the same, so that a rewriting under way does not count for what is removed now.
        let sealed = seal.seal(Family::Optout, &key, 1, &at.millis().to_be_bytes());
        Ok(Write {
            family: Family::Optout,
            key,
            value: Some(sealed),
        })
    }
}

/// The moment of a note.
pub(crate) fn moment(
    seal: &StateSeal,
    key: &[u8],
    stored: &[u8],
) -> Result<Timestamp, KeyringError> {
    let (_, value) = seal.open(Family::Optout, key, stored)?;
    let millis = value.try_into().ok().map(u64::from_be_bytes);
    millis
        .and_then(Timestamp::from_millis)
        .ok_or(KeyringError::Corrupt("optout"))
}
