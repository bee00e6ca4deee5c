//! Roots of the last sizes that the log had: a restore names one of them.

use std::collections::VecDeque;

use sluis_tlog::{Hash, Tree};

use super::MAX_BEFORE_RESTORE;

/// A tree that lags behind, and the hashes of the entries that it has not got yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    tree: Tree,
    leaves: VecDeque<Hash>,
}

impl Recent {
    /// The tree that lags behind, and the hashes of the entries after it.
    pub(super) fn parts(&self) -> (&Tree, impl Iterator<Item = &Hash>) {
        (&self.tree, self.leaves.iter())
    }

    /// From what [`Self::parts`] gave.
    pub(super) fn from_parts(tree: Tree, leaves: impl Iterator<Item = Hash>) -> Self {
        Self {
            tree,
            leaves: leaves.collect(),
        }
    }

    pub(super) fn append(&mut self, leaf: Hash) {
        self.leaves.push_back(leaf);
        if self.leaves.len() as u64 > MAX_BEFORE_RESTORE
            && let Some(oldest) = self.leaves.pop_front()
        {
            self.tree.append(oldest);
        }
    }

    /// The root that the log had at this size; `None` if that is too long ago, or not yet.
    pub(super) fn root_at(&self, size: u64) -> Option<Hash> {
        let count = usize::try_from(size.checked_sub(self.tree.size())?).ok()?;
        let mut tree = self.tree.clone();
        if count > self.leaves.len() {
            return None;
        }
        self.leaves
            .range(..count)
            .for_each(|leaf| drop(tree.append(*leaf)));
        Some(tree.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roots_of_the_last_sizes_are_known() {
        let (mut recent, mut roots) = (Recent::default(), vec![Tree::new().root()]);
        let mut tree = Tree::new();
        for number in 0..1500_u64 {
            let leaf = sluis_tlog::leaf_hash(&number.to_be_bytes());
            recent.append(leaf);
            tree.append(leaf);
            roots.push(tree.root());
        }
        for size in [476_u64, 477, 1000, 1499, 1500] {
            assert_eq!(
                recent.root_at(size),
                roots.get(usize::try_from(size).expect("small")).copied(),
                "{size}"
            );
        }
        assert_eq!((recent.root_at(475), recent.root_at(1501)), (None, None));
    }
}
