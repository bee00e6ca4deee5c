//! What the tests compare with: the definitions of RFC 6962 and RFC 9162, written down as they stand there, and a source of tiles
//! that keeps count.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};
use crate::prove::TileSource;
use crate::tile::Tile;
use crate::tree::Tree;

/// Leaf hashes of `0`, `1`, ... as eight big-endian bytes.
pub(crate) fn leaves(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|entry| leaf_hash(&entry.to_be_bytes()))
        .collect()
}

fn split(leaves: &[Hash]) -> usize {
    leaves.len().next_power_of_two() / 2
}

/// MTH(D\[n\]), RFC 9162, section 2.1.1.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves));
            node_hash(&root(left), &root(right))
        }
    }
}

/// PATH(m, D\[n\]), RFC 9162, section 2.1.3.1.
pub(crate) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves));
    let (mut proof, sibling) = match index.checked_sub(left.len()) {
        None => (path(index, left), root(right)),
        Some(index) => (path(index, right), root(left)),
    };
    proof.push(sibling);
    proof
}

/// PROOF(m, D\[n\]), RFC 9162, section 2.1.4.1.
pub(crate) fn proof(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    if old == 0 {
        Vec::new()
    } else {
        subproof(old, leaves, true)
    }
}

fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(split(leaves));
    let (mut proof, sibling) = match old.checked_sub(left.len()) {
        None | Some(0) => (subproof(old, left, whole), root(right)),
        Some(old) => (subproof(old, right, false), root(left)),
    };
    proof.push(sibling);
    proof
}

/// The tiles of a tree, as a log keeps them: full ones as they were handed out, the rest from the tree.
pub(crate) struct Stored {
    pub(crate) tree: Tree,
    pub(crate) full: HashMap<(u8, u64), Vec<u8>>,
    pub(crate) asked: RefCell<Vec<Tile>>,
}

impl Stored {
    pub(crate) fn of(leaves: &[Hash]) -> Self {
        let mut stored = Self {
            tree: Tree::new(),
            full: HashMap::new(),
            asked: RefCell::default(),
        };
        for leaf in leaves {
            for tile in stored.tree.append(*leaf) {
                assert_eq!(
                    stored.full.insert((tile.level, tile.index), tile.data),
                    None,
                    "a tile is full once"
                );
            }
        }
        stored
    }
}

impl TileSource for Stored {
    type Error = Tile;

    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, Tile> {
        let name = Tile::new(level, index, width).expect("a tile");
        self.asked.borrow_mut().push(name);
        let full = self
            .full
            .get(&(level, index))
            .map(|data| &data[..usize::from(width) * 32]);
        full.or_else(|| self.tree.unfinished_tile(level, index, width))
            .map(<[u8]>::to_vec)
            .ok_or(name)
    }
}
