//! Making proofs from stored tiles (RFC 9162, sections 2.1.1, 2.1.3.1 and 2.1.4.1).
//!
//! Tiles are taken as they are. A false tile makes a proof or root that does not verify, never one that verifies wrongly.

use std::collections::HashMap;

use crate::hash::{EMPTY_ROOT, HASH_BYTES, Hash, hashes, node_hash};
use crate::tile::Tile;

/// Where stored tiles come from.
pub trait TileSource {
    /// Why a tile cannot be read.
    type Error;

    /// The first `width` hashes (1 to 256) of a tile: exactly `32 * width` bytes. A wider form of the tile begins with the
    /// same bytes, so a source may cut one off.
    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, Self::Error>;
}

/// Makes proofs about a log of a given size; it reads the tiles that it needs, each once for a proof, and no others.
pub struct Prover<'a, S> {
    source: &'a S,
    size: u64,
}

/// Why there is no proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProveError<E> {
    /// There is no such entry in a tree of that size.
    #[error("entry {index} is not in a log of {size} entries")]
    NotInTree {
        /// Which entry.
        index: u64,
        /// Entries in the tree asked for.
        size: u64,
    },
    /// The log has never had that size.
    #[error("the log has {size} entries, not {asked}")]
    NotThatLong {
        /// The size asked for.
        asked: u64,
        /// Entries in the log.
        size: u64,
    },
    /// The earlier size is the greater one.
    #[error("a log of {new} entries cannot continue one of {old}")]
    Shrunk {
        /// The earlier size.
        old: u64,
        /// The later size.
        new: u64,
    },
    /// A tile that was read has a wrong length.
    #[error("{tile} has {bytes} bytes, not {expected}")]
    TileLength {
        /// Which tile.
        tile: Tile,
        /// Its bytes.
        bytes: usize,
        /// What it must have.
        expected: usize,
    },
    /// A tile cannot be read.
    #[error("a tile of the log cannot be read")]
    Source(#[source] E),
}

impl<'a, S: TileSource> Prover<'a, S> {
    /// Over the tiles of a tree of `size` entries.
    pub fn new(source: &'a S, size: u64) -> Self {
        Self { source, size }
    }

    /// The root that the tree had at `size` entries, 0 to the size of the log.
    pub fn root(&self, size: u64) -> Result<Hash, ProveError<S::Error>> {
        self.check_size(size)?;
        if size == 0 {
            Ok(EMPTY_ROOT)
        } else {
            self.nodes().subtree(0, size)
        }
    }

    /// The proof that entry `index` is in the tree of `size` entries: hashes from the leaf upwards.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ProveError<S::Error>> {
        self.check_size(size)?;
        if index >= size {
            return Err(ProveError::NotInTree { index, size });
        }
        let (mut nodes, mut proof) = (self.nodes(), Vec::new());
        let (mut low, mut high) = (0, size);
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                proof.push(nodes.subtree(middle, high)?);
                high = middle;
            } else {
                proof.push(nodes.subtree(low, middle)?);
                low = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// The proof that the tree of `new` entries begins with the tree of `old` entries. Empty from 0 entries and between
    /// equal sizes.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ProveError<S::Error>> {
        self.check_size(new)?;
        if old > new {
            return Err(ProveError::Shrunk { old, new });
        }
        let (mut nodes, mut proof) = (self.nodes(), Vec::new());
        if old == 0 || old == new {
            return Ok(proof);
        }
        let (mut low, mut high) = (0, new);
        while old < high {
            let middle = low + split(high - low);
            if old <= middle {
                proof.push(nodes.subtree(middle, high)?);
                high = middle;
            } else {
                proof.push(nodes.subtree(low, middle)?);
                low = middle;
            }
        }
        // What remains is the last perfect subtree of the earlier tree. If that is the whole of it, the verifier has its root.
        if low > 0 {
            proof.push(nodes.subtree(low, high)?);
        }
        proof.reverse();
        Ok(proof)
    }

    fn check_size(&self, asked: u64) -> Result<(), ProveError<S::Error>> {
        if asked > self.size {
            Err(ProveError::NotThatLong {
                asked,
                size: self.size,
            })
        } else {
            Ok(())
        }
    }

    fn nodes(&self) -> Nodes<'a, S> {
        Nodes {
            source: self.source,
            size: self.size,
            read: HashMap::new(),
        }
    }
}

/// The largest power of two below `count`, which is 2 or more.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// Nodes of the tree, from the tiles read for one proof.
struct Nodes<'a, S> {
    source: &'a S,
    size: u64,
    read: HashMap<(u8, u64), Vec<u8>>,
}

impl<S: TileSource> Nodes<'_, S> {
    /// The root of the entries from `low` to before `high`, where `low` is a multiple of the largest power of two that fits.
    fn subtree(&mut self, mut low: u64, high: u64) -> Result<Hash, ProveError<S::Error>> {
        let mut peaks = Vec::new();
        while low < high {
            let height = (high - low).ilog2();
            peaks.push(self.perfect(low, height)?);
            low += 1 << height;
        }
        Ok(peaks
            .into_iter()
            .rev()
            .reduce(|right, left| node_hash(&left, &right))
            .expect("a range is not empty"))
    }

    /// The root of the 2^height entries from `low`: it lies in one tile, or is computed from up to 128 hashes of one.
    fn perfect(&mut self, low: u64, height: u32) -> Result<Hash, ProveError<S::Error>> {
        let level = u8::try_from(height / 8).expect("under 8");
        let position = low >> (8 * (height / 8));
        let tile = self.tile(level, position / 256)?;
        let from = usize::try_from(position % 256).expect("under 256") * HASH_BYTES;
        let mut row: Vec<Hash> = hashes(&tile[from..from + (HASH_BYTES << (height % 8))]).collect();
        while row.len() > 1 {
            row = row
                .chunks_exact(2)
                .map(|pair| node_hash(&pair[0], &pair[1]))
                .collect();
        }
        Ok(row[0])
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<&[u8], ProveError<S::Error>> {
        if !self.read.contains_key(&(level, index)) {
            let tile = Tile::in_tree(level, index, self.size)
                .expect("a node of the tree is in a tile of it");
            let data = self
                .source
                .tile(level, index, tile.width())
                .map_err(ProveError::Source)?;
            let expected = usize::from(tile.width()) * HASH_BYTES;
            if data.len() != expected {
                return Err(ProveError::TileLength {
                    tile,
                    bytes: data.len(),
                    expected,
                });
            }
            self.read.insert((level, index), data);
        }
        Ok(&self.read[&(level, index)])
    }
}

#[cfg(test)]
mod tests;
