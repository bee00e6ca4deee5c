//! Checking proofs, as RFC 9162 says (sections 2.1.3.2 and 2.1.4.2). Nothing is believed but the arguments called trusted.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// Why a proof proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no such entry in a tree of that size.
    #[error("entry {index} is not in a log of {size} entries")]
    NotInTree {
        /// Which entry.
        index: u64,
        /// Entries in the tree.
        size: u64,
    },
    /// A tree cannot have grown to fewer entries.
    #[error("the log shrank: {old} entries were there, and now {new} are")]
    Shrunk {
        /// Entries in the earlier tree.
        old: u64,
        /// Entries in the later tree.
        new: u64,
    },
    /// The proof has too few or too many hashes for the sizes.
    #[error("the proof has the wrong number of hashes ({0}) for this place and size")]
    Length(usize),
    /// The proof does not lead to the root: the entry is not at that place in that tree.
    #[error("the proof does not lead from the entry to the root of the log")]
    Inclusion,
    /// The proof does not lead to the earlier root.
    #[error(
        "the proof does not lead to the earlier root: the log was forked or rewritten, or the proof is false"
    )]
    OldRoot,
    /// The proof does not lead to the later root.
    #[error(
        "the proof does not lead to the later root: the log was forked or rewritten, or the proof is false"
    )]
    NewRoot,
}

/// Checks that the entry with this hash is at `index` in the tree with `size` entries and the trusted `root`.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), VerifyError> {
    if index >= size {
        return Err(VerifyError::NotInTree { index, size });
    }
    let length = VerifyError::Length(proof.len());
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            (node, last) = skip_left_edge(node, last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match (last, hash == *root) {
        (0, true) => Ok(()),
        (0, false) => Err(VerifyError::Inclusion),
        _ => Err(length),
    }
}

/// Checks that the tree with `new` entries and root `new_root` begins with the `old` entries of the trusted `old_root`.
///
/// From no entries, and between equal sizes, the proof is empty: the empty tree has one root, and equal trees the same.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if old > new {
        return Err(VerifyError::Shrunk { old, new });
    }
    if old == 0 || old == new {
        return verify_trivial(old, old_root, new, new_root, proof);
    }
    // The root of a perfect tree is a node of every later one, and is not repeated in the proof.
    let known = old.is_power_of_two().then_some(*old_root);
    let mut hashes = known.into_iter().chain(proof.iter().copied());
    let length = VerifyError::Length(proof.len());
    let first = hashes.next().ok_or(length)?;

    let shift = (old - 1).trailing_ones();
    let (mut node, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in hashes {
        if last == 0 {
            return Err(length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(&sibling, &old_hash);
            new_hash = node_hash(&sibling, &new_hash);
            (node, last) = skip_left_edge(node, last);
        } else {
            new_hash = node_hash(&new_hash, &sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match (last, old_hash == *old_root, new_hash == *new_root) {
        (0, true, true) => Ok(()),
        (0, false, _) => Err(VerifyError::OldRoot),
        (0, true, false) => Err(VerifyError::NewRoot),
        _ => Err(length),
    }
}

fn verify_trivial(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    if !proof.is_empty() {
        Err(VerifyError::Length(proof.len()))
    } else if !can_be_root(old, old_root) {
        Err(VerifyError::OldRoot)
    } else if !can_be_root(new, new_root) || (old == new && old_root != new_root) {
        Err(VerifyError::NewRoot)
    } else {
        Ok(())
    }
}

fn can_be_root(size: u64, root: &Hash) -> bool {
    size != 0 || *root == EMPTY_ROOT
}

/// A node without right sibling moves up until it is a right child: the levels between add no hash to the proof.
fn skip_left_edge(node: u64, last: u64) -> (u64, u64) {
    let levels = if node == 0 { 0 } else { node.trailing_zeros() };
    (node >> levels, last >> levels)
}

#[cfg(test)]
mod tests;
