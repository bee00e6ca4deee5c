//! The ledger with the tree of its entries: what an auditor builds up entry by entry, and what the engine keeps.

use sluis_ledger::event::Entry;
use sluis_ledger::{Ledger, Place, Registries, State, Wrong};
use sluis_tlog::{Tree, leaf_hash};

use recent::Recent;

mod recent;

/// How many entries may stand between a restored size and the entry that accepts the restore: the acts at the console.
pub const MAX_BEFORE_RESTORE: u64 = 1024;

/// A log as far as it was read.
#[derive(Clone, Debug)]
pub struct Replay {
    ledger: Ledger,
    tree: Tree,
    recent: Recent,
}

impl Replay {
    /// Of the log with this origin, from its first entry.
    pub fn new(origin: &str) -> Self {
        Self {
            ledger: Ledger::new(origin),
            tree: Tree::new(),
            recent: Recent::default(),
        }
    }

    /// What the entries so far say.
    pub fn state(&self) -> &State {
        self.ledger.state()
    }

    /// The tree of the entries so far.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// What is missing if there is no further entry, see [`Ledger::unfinished`].
    pub fn unfinished(&self) -> Option<Wrong> {
        self.ledger.unfinished()
    }

    /// The next entry, with its number and its canonical bytes.
    ///
    /// # Errors
    /// Those of [`Ledger::push`].
    pub fn push(
        &mut self,
        sequence: u64,
        bytes: &[u8],
        registries: &mut (impl Registries + ?Sized),
    ) -> Result<Entry, Wrong> {
        let leaf = leaf_hash(bytes);
        let place = Place {
            sequence,
            leaf,
            root_at: &|size| self.recent.root_at(size),
        };
        let entry = self.ledger.push(&place, bytes, registries)?;
        self.tree.append(leaf);
        self.recent.append(leaf);
        Ok(entry)
    }
}
