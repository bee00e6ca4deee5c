//! The ledger with the tree of its entries: what an auditor builds up entry by entry, and what the engine keeps.

use std::sync::Arc;

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_ledger::event::Entry;
use sluis_ledger::registry::Registry;
use sluis_ledger::state::Past;
use sluis_ledger::{Archive, Ledger, Place, State, Wrong};
use sluis_tlog::{FullTile, HASH_BYTES, Hash, Tree, leaf_hash};

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

    /// Takes something that has ended out of memory, see [`Ledger::forget`].
    pub fn forget(&mut self, past: &Past) {
        self.ledger.forget(past);
    }

    /// The tree of the entries so far.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Whether one of the last entries has this hash.
    pub fn has_recent(&self, leaf: &Hash) -> bool {
        self.recent.parts().1.any(|recent| recent == leaf)
    }

    /// What is missing if there is no further entry, see [`Ledger::unfinished`].
    pub fn unfinished(&self) -> Option<Wrong> {
        self.ledger.unfinished()
    }

    /// The next entry, with its number and its canonical bytes.
    ///
    /// # Errors
    /// The errors of [`Ledger::push`].
    pub fn push(
        &mut self,
        sequence: u64,
        bytes: &[u8],
        archive: &mut (impl Archive + ?Sized),
    ) -> Result<Entry, Wrong> {
        Ok(self.append(sequence, bytes, archive)?.0)
    }

    /// As [`Self::push`]; also the tiles that the entry filled, lowest level first.
    ///
    /// # Errors
    /// The errors of [`Ledger::push`].
    pub fn append(
        &mut self,
        sequence: u64,
        bytes: &[u8],
        archive: &mut (impl Archive + ?Sized),
    ) -> Result<(Entry, Vec<FullTile>), Wrong> {
        let leaf = leaf_hash(bytes);
        let place = Place {
            sequence,
            leaf,
            root_at: &|size| self.recent.root_at(size),
        };
        let entry = self.ledger.push(&place, bytes, archive)?;
        self.recent.append(leaf);
        Ok((entry, self.tree.append(leaf)))
    }

    /// State and trees as bytes, for [`Self::load`]; `None` while something is wrong or missing.
    pub fn save(&self) -> Option<Vec<u8>> {
        let (behind, leaves) = self.recent.parts();
        let mut out = Writer::default();
        out.long(&self.ledger.save()?);
        out.long(&self.tree.save());
        out.long(&behind.save());
        for leaf in leaves {
            out.fixed(leaf);
        }
        Some(out.finish())
    }

    /// Reads what [`Self::save`] wrote. `registry` gives the registry of a version and digest of its text.
    ///
    /// # Errors
    /// [`DecodeError`] for anything else, and for parts that do not belong together.
    pub fn load(
        origin: &str,
        bytes: &[u8],
        registry: impl FnOnce(u64, &[u8; 32]) -> Option<Arc<Registry>>,
    ) -> Result<Self, DecodeError> {
        let mut input = Reader::plain(bytes);
        let ledger = Ledger::load(origin, input.long()?, registry)?;
        let tree = Tree::load(input.long()?).ok_or(DecodeError)?;
        let behind = Tree::load(input.long()?).ok_or(DecodeError)?;
        let entries = ledger.state().entries();
        let leaves = entries.checked_sub(behind.size()).ok_or(DecodeError)?;
        if tree.size() != entries || leaves > MAX_BEFORE_RESTORE {
            return Err(DecodeError);
        }
        let leaves: Vec<[u8; HASH_BYTES]> = (0..leaves)
            .map(|_| input.array())
            .collect::<Result<_, _>>()?;
        input.end()?;
        let recent = Recent::from_parts(behind, leaves.into_iter());
        Ok(Self {
            ledger,
            tree,
            recent,
        })
    }
}
