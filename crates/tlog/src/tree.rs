//! The tree of a growing log.
//!
//! It keeps no more than the right edge: for each level of tiles the unfinished tile and the roots of the perfect subtrees in
//! it, under 9 KiB a level and at most eight levels. Appending costs two hashes on average, whatever the size.

use crate::hash::{EMPTY_ROOT, HASH_BYTES, Hash, node_hash};
use crate::tile::TILE_WIDTH;

/// An append-only Merkle tree (RFC 6962, section 2.1) that hands out its tiles as they become full.
///
/// It is made again from the hashes of all entries: [`Tree::append`] each in order.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    levels: Vec<Edge>,
}

/// A tile that will never change again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FullTile {
    /// Level of the tile; 0 holds the hashes of entries.
    pub level: u8,
    /// Index of the tile within its level.
    pub index: u64,
    /// Its 256 hashes: 8192 bytes.
    pub data: Vec<u8>,
}

/// The right edge of one level of tiles.
#[derive(Clone, PartialEq, Eq, Default)]
struct Edge {
    /// The unfinished tile: up to 255 hashes.
    tile: Vec<u8>,
    /// Roots of the perfect subtrees that the unfinished tile consists of, the largest first: one for each bit that is
    /// set in the number of its hashes.
    peaks: Vec<Hash>,
}

impl Edge {
    fn width(&self) -> usize {
        self.tile.len() / HASH_BYTES
    }

    /// Adds a hash; when that fills the tile, gives the tile and its root away and begins the next one.
    fn push(&mut self, hash: Hash) -> Option<(Vec<u8>, Hash)> {
        let mut peak = hash;
        for _ in 0..self.width().trailing_ones() {
            let left = self
                .peaks
                .pop()
                .expect("one peak for each bit of the width");
            peak = node_hash(&left, &peak);
        }
        self.peaks.push(peak);
        self.tile.extend_from_slice(&hash);
        if self.width() < usize::from(TILE_WIDTH) {
            return None;
        }
        let root = self.peaks.pop().expect("a full tile has one peak");
        Some((std::mem::take(&mut self.tile), root))
    }
}

impl Tree {
    /// A tree without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree as bytes, for [`Tree::load`]: its size (8 bytes, big-endian), then the hashes of each level's unfinished tile,
    /// lowest level first. The size says how many each has.
    pub fn save(&self) -> Vec<u8> {
        let tiles = self.levels.iter().map(|edge| edge.tile.as_slice());
        let mut bytes = self.size.to_be_bytes().to_vec();
        tiles.for_each(|tile| bytes.extend_from_slice(tile));
        bytes
    }

    /// Reads what [`Tree::save`] wrote; `None` for anything else.
    pub fn load(bytes: &[u8]) -> Option<Self> {
        let (size, mut hashes) = bytes.split_first_chunk()?;
        let size = u64::from_be_bytes(*size);
        let mut levels = Vec::new();
        let mut left = size;
        while left > 0 {
            let width = usize::try_from(left % u64::from(TILE_WIDTH)).ok()?;
            let (tile, rest) = hashes.split_at_checked(width * HASH_BYTES)?;
            let mut edge = Edge::default();
            for hash in tile.as_chunks().0 {
                edge.push(*hash);
            }
            levels.push(edge);
            hashes = rest;
            left /= u64::from(TILE_WIDTH);
        }
        hashes.is_empty().then_some(Self { size, levels })
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree as it is now; [`EMPTY_ROOT`] if there is no entry.
    pub fn root(&self) -> Hash {
        let peaks = self.levels.iter().flat_map(|edge| edge.peaks.iter().rev());
        peaks
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or(EMPTY_ROOT)
    }

    /// Appends the hash of one entry ([`leaf_hash`](crate::leaf_hash)). Returns the tiles that it filled, lowest level
    /// first: none for 255 of 256 entries, and then nothing is allocated for it.
    pub fn append(&mut self, leaf: Hash) -> Vec<FullTile> {
        let mut full = Vec::new();
        let (mut hash, mut level) = (leaf, 0_u8);
        loop {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Edge::default());
            }
            let Some((data, root)) = self.levels[usize::from(level)].push(hash) else {
                break;
            };
            full.push(FullTile {
                level,
                index: self.size >> (8 * (u32::from(level) + 1)),
                data,
            });
            (hash, level) = (root, level + 1);
        }
        self.size += 1;
        full
    }

    /// The first `width` hashes of an unfinished tile; `None` if the tile is not the unfinished one of its level or has
    /// fewer hashes. What is not here was handed out as [`FullTile`], or does not exist yet.
    pub fn unfinished_tile(&self, level: u8, index: u64, width: u16) -> Option<&[u8]> {
        let edge = self.levels.get(usize::from(level))?;
        let at = self
            .size
            .checked_shr(8 * (u32::from(level) + 1))
            .unwrap_or(0);
        if index == at {
            edge.tile.get(..usize::from(width) * HASH_BYTES)
        } else {
            None
        }
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
