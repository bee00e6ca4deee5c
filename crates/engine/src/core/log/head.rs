//! The last signed head, and the heads that handed over from key to key.

use std::collections::BTreeMap;

use sluis_port::{Commit, Family, Store, StoreError, rows};
use sluis_tlog::{Checkpoint, Hash, ProveError};

use super::Grown;
use crate::EngineError;
use crate::error::HeadError;

const FORMAT: u8 = 1;

/// A signed head of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedHead {
    /// Number of entries.
    pub size: u64,
    /// Root of the tree of that size.
    pub root: Hash,
    /// The checkpoint as a signed note.
    pub note: String,
}

/// The checkpoints that handed the trust over, by generation of the new key.
#[derive(Default)]
pub(crate) struct Handovers(pub(crate) BTreeMap<u32, String>);

impl Handovers {
    pub(crate) fn read(store: &dyn Store) -> Result<Self, EngineError> {
        let mut notes = BTreeMap::new();
        loop {
            let next = notes.last_key_value().map_or(0, |(last, _)| last + 1);
            let page = store.scan(Family::Meta, &rows::handover_key(next), 1)?;
            let Some((key, value)) = page.first() else {
                return Ok(Self(notes));
            };
            let Some(generation) = rows::read_handover_key(key) else {
                return Ok(Self(notes));
            };
            let corrupt = || EngineError::Corrupt("handover of the audit log");
            let generation = generation.map_err(|_| corrupt())?;
            let note = value
                .split_first()
                .filter(|(format, _)| **format == FORMAT)
                .map(|(_, note)| note.to_vec());
            notes.insert(
                generation,
                note.and_then(|note| String::from_utf8(note).ok())
                    .ok_or_else(corrupt)?,
            );
        }
    }

    /// The oldest first.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.0.values().cloned().collect()
    }
}

impl Grown {
    pub(crate) fn hand_over(
        &mut self,
        store: &dyn Store,
        generation: u32,
        note: String,
    ) -> Result<(), StoreError> {
        let mut commit = Commit::default();
        commit.put(
            Family::Meta,
            rows::handover_key(generation),
            [&[FORMAT], note.as_bytes()].concat(),
        );
        store.commit(commit)?;
        self.handovers.0.insert(generation, note);
        Ok(())
    }
}

/// Whether the log begins with what the head was signed over.
pub(crate) fn fits(grown: &Grown, store: &dyn Store, head: &Checkpoint) -> Result<(), EngineError> {
    match grown.root(store, head.size()) {
        Ok(root) if root == *head.root() => Ok(()),
        Ok(_) => Err(HeadError::Forked(head.size()).into()),
        Err(ProveError::Source(error)) => Err(error),
        Err(_) => Err(HeadError::Ahead {
            head: head.size(),
            log: grown.tree().size(),
        }
        .into()),
    }
}
