//! The audit log as a Merkle tree with a signed head.
//!
//! Leaf i is the canonical bytes of entry i as the store holds them. An entry reaches the tree after it is durable, when
//! [`Engine::sign_head`] reads it back from the store: no act waits for the tree or for a signature. Full tiles are kept
//! in the store:
//!
//! | key in `tree` | value |
//! |---|---|
//! | level (1) \|\| index u64 (8) | `0x01` \|\| 256 hashes of 32 bytes |
//!
//! At the start the tree is made again from all entries and compared with those tiles. What the entries say, and whether the
//! signatures and rules in them hold, `sluis-verify` finds out; that is compared with the state that the store holds sealed
//! ([`compare`]), and the log with the last signed head ([`head`]).

mod compare;
pub(crate) mod head;
pub(crate) mod proofs;
pub(crate) mod restore;
mod rotation;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluis_domain::custodian;
use sluis_domain::port::{Commit, Family, Store, StoreError};
use sluis_keyring::{AuditKey, Keyring};
use sluis_tlog::{FullTile, HASH_BYTES, Hash, ProveError, Prover, TileSource, Tree, VerifierKey, leaf_hash};
use sluis_verify::{Replay, State};

use crate::EngineError;
use crate::engine::{Engine, registry_text};
pub(crate) use compare::SealedState;
use head::{Handovers, SignedHead};

/// Entries, and new tiles, that are held at a time.
const PAGE: usize = 256;
/// First byte of a stored tile.
const TILE_FORMAT: u8 = 1;

/// The log as far as it was read.
pub(crate) struct Log {
    grown: Mutex<Grown>,
    /// The last head that was signed and kept.
    published: Mutex<Option<Arc<SignedHead>>>,
    /// Whether acts may be done: a head was found in order, and new ones can be kept.
    in_order: AtomicBool,
    /// Detail of the last list of custodians in the log.
    custodians: Mutex<Vec<u8>>,
}

/// The tree, and what of it is not in the store yet.
struct Grown {
    tree: Tree,
    unstored: BTreeMap<Vec<u8>, Vec<u8>>,
    handovers: Handovers,
}

impl Log {
    /// Reads all entries of a store: what they say, if nothing is wrong with them, and the log.
    pub(crate) fn open(store: &dyn Store, keyring: &Keyring, origin: &str) -> Result<(Self, State), EngineError> {
        let mut grown = Grown { tree: Tree::new(), unstored: BTreeMap::new(), handovers: Handovers::read(store)? };
        let mut replay = Replay::new(origin);
        let mut unread = None;
        let mut text = |version| {
            let text = registry_text(store, keyring, version);
            text.unwrap_or_else(|error| {
                unread = Some(error);
                None
            })
        };
        let known = |tile: &FullTile| match store.get(Family::Tree, &tile_key(tile.level, tile.index))? {
            Some(stored) if stored == tile_value(tile) => Ok(true),
            Some(_) => Err(EngineError::Corrupt("tile of the audit log")),
            None => Ok(false),
        };
        let read = grown.read_on(store, known, |sequence, bytes| {
            replay.push(sequence, bytes, &mut text)?;
            Ok(())
        });
        // A text that cannot be read is the cause of whatever is wrong because of it.
        unread.map_or(read, Err)?;
        let said = replay.into_state();
        let log = Self {
            grown: Mutex::new(grown),
            published: Mutex::new(None),
            in_order: AtomicBool::new(false),
            custodians: Mutex::new(custodian::encode(said.custodians())),
        };
        Ok((log, said))
    }

    /// Whether acts may be done.
    pub(crate) fn in_order(&self) -> bool {
        self.in_order.load(Ordering::Acquire)
    }

    fn set_in_order(&self, in_order: bool) {
        self.in_order.store(in_order, Ordering::Release);
    }

    fn grown(&self) -> MutexGuard<'_, Grown> {
        self.grown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Detail of the last list of custodians in the log.
    fn custodians(&self) -> MutexGuard<'_, Vec<u8>> {
        self.custodians.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn published(&self) -> Option<Arc<SignedHead>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn publish(&self, head: Arc<SignedHead>) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }
}

impl Grown {
    /// Reads the entries that are not in the tree yet. `known` says whether a tile is in the store already.
    fn read_on(
        &mut self,
        store: &dyn Store,
        known: impl Fn(&FullTile) -> Result<bool, EngineError>,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        loop {
            let page = store.scan(Family::Audit, &self.tree.size().to_be_bytes(), PAGE)?;
            let last = page.len() < PAGE;
            for (key, bytes) in page {
                let sequence = self.tree.size();
                if key != sequence.to_be_bytes() {
                    return Err(EngineError::EntryMissing(sequence));
                }
                each(sequence, &bytes)?;
                for tile in self.tree.append(leaf_hash(&bytes)) {
                    if !known(&tile)? {
                        self.unstored.insert(tile_key(tile.level, tile.index), tile_value(&tile));
                    }
                }
            }
            if last || self.unstored.len() >= PAGE {
                self.store_tiles(store)?;
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Tiles that cannot be stored now stay here until they can.
    fn store_tiles(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if self.unstored.is_empty() {
            return Ok(());
        }
        let mut commit = Commit::default();
        for (key, value) in &self.unstored {
            commit.put(Family::Tree, key.clone(), value.clone());
        }
        store.commit(commit)?;
        self.unstored.clear();
        Ok(())
    }

    /// The root that the tree had at `size` entries.
    fn root(&self, store: &dyn Store, size: u64) -> Result<Hash, ProveError<EngineError>> {
        if size == self.tree.size() {
            return Ok(self.tree.root());
        }
        self.prove(store, |prover| prover.root(size))
    }

    fn prove<T>(&self, store: &dyn Store, ask: impl FnOnce(Prover<'_, Tiles<'_>>) -> T) -> T {
        ask(Prover::new(&Tiles { grown: self, store }, self.tree.size()))
    }
}

/// Tiles from memory and store.
struct Tiles<'a> {
    grown: &'a Grown,
    store: &'a dyn Store,
}

impl TileSource for Tiles<'_> {
    type Error = EngineError;

    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, EngineError> {
        if let Some(hashes) = self.grown.tree.unfinished_tile(level, index, width) {
            return Ok(hashes.to_vec());
        }
        let key = tile_key(level, index);
        let value = match self.grown.unstored.get(&key) {
            Some(value) => Some(value.clone()),
            None => self.store.get(Family::Tree, &key)?,
        };
        let hashes = value.as_deref().and_then(|value| value.get(1..1 + usize::from(width) * HASH_BYTES));
        hashes.map(<[u8]>::to_vec).ok_or(EngineError::Corrupt("tile of the audit log"))
    }
}

impl Engine {
    /// The log with everything that is durable: takes the entries since the last time into the tree.
    ///
    /// # Errors
    /// [`EngineError::Store`], and [`EngineError::EntryMissing`] for a log with a hole.
    fn extended(&self) -> Result<MutexGuard<'_, Grown>, EngineError> {
        let mut grown = self.log.grown();
        grown.read_on(&*self.store, |_| Ok(false), |_, _| Ok(()))?;
        Ok(grown)
    }

    /// Whether acts are accepted: the store takes writes, and heads of the log can be kept.
    pub fn accepts(&self) -> bool {
        self.writable() && self.log.in_order()
    }
}

/// The verifier key of the log's present signing key, as text.
pub(crate) fn verifier_key(origin: &str, keyring: &Keyring) -> String {
    verifier(origin, keyring.current_audit_key()).to_string()
}

/// The verifier key of a signing key of the log.
fn verifier(origin: &str, key: &AuditKey) -> VerifierKey {
    VerifierKey::new(origin, key.key.public()).expect("an origin is a trust domain, a slash and hexadecimal digits")
}

fn tile_key(level: u8, index: u64) -> Vec<u8> {
    [&[level][..], &index.to_be_bytes()].concat()
}

fn tile_value(tile: &FullTile) -> Vec<u8> {
    [&[TILE_FORMAT], &tile.data[..]].concat()
}
