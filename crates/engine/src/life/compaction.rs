//! What was removed and still has to leave the disk.
//!
//! A store that only marks rows as removed keeps their bytes until it rewrites its files. Code that removes something
//! notes it in the same commit, so that it is done after a crash too; [`Life::housekeep`] does it, without holding
//! anything up.

use sluis_domain::{Reason, Timestamp};
use sluis_keyring::KeyringError;
use sluis_port::{Commit, Family, Range, StoreError, rows};

use crate::Refusal;
use crate::core::compaction::moment;
use crate::core::scan;
use crate::life::Life;

/// A note as stored, and what it says.
struct Note {
    key: Vec<u8>,
    stored: Vec<u8>,
    range: Range,
}

impl Life {
    /// Rewrites what is due at `now`; how many ranges. Holds nothing while it does. A range that could not be rewritten stays
    /// noted, and holds up no other.
    ///
    /// # Errors
    /// [`Reason::RemovalPending`]: what was removed may still be on the disk; the errors of the store.
    pub(crate) fn compact_due(&self, now: Timestamp) -> Result<usize, Refusal> {
        let mut due = self.due(now)?;
        due.sort_by_key(|note| note.range.family as u8);
        let mut failed = None;
        // All of a family at once: a store may have to rewrite the whole family for each.
        for notes in due.chunk_by(|a, b| a.range.family == b.range.family) {
            let Some(range) = around(notes) else { continue };
            match self.store.compact(&range) {
                Ok(()) => notes.iter().try_for_each(|note| self.forget_note(note))?,
                Err(error) => failed = failed.or(Some(pending(error))),
            }
        }
        failed.map_or(Ok(due.len()), Err)
    }

    fn forget_note(&self, note: &Note) -> Result<(), Refusal> {
        let Note { key, stored, .. } = note;
        let mut commit = Commit::default();
        commit
            .expect(Family::Optout, key.clone(), Some(stored.clone()))
            .delete(Family::Optout, key.clone());
        match self.store.commit(commit) {
            // Something was removed meanwhile: it stays noted.
            Ok(_) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn due(&self, now: Timestamp) -> Result<Vec<Note>, Refusal> {
        let snapshot = self.snapshot();
        let mut due = Vec::new();
        for (key, stored) in scan::of_kind(&*self.store, rows::COMPACTION)? {
            if moment(snapshot.keyring.state(), &key, &stored)? <= now {
                let range =
                    rows::read_compaction_key(&key).map_err(|_| KeyringError::Corrupt("optout"))?;
                due.push(Note { key, stored, range });
            }
        }
        Ok(due)
    }
}

/// The range around those of one family.
fn around(notes: &[Note]) -> Option<Range> {
    let from = notes.iter().map(|note| &note.range.from).min()?;
    let to = notes.iter().map(|note| &note.range.to).max()?;
    Some(Range {
        family: notes[0].range.family,
        from: from.clone(),
        to: to.clone(),
    })
}

/// Damage and a disk that is full are said as what they are.
fn pending(error: StoreError) -> Refusal {
    match error {
        StoreError::Io(why) => Refusal::new(Reason::RemovalPending, why),
        error => error.into(),
    }
}
