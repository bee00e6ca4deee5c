//! The audit log as a Merkle tree with a signed head.
//!
//! Leaf i is the canonical bytes of entry i as the store holds them. An entry reaches the tree after it is durable, when
//! [`Engine::sign_head`] reads it back from the store: no batch waits for the tree or for a signature. Acts that others are
//! judged by do ([`Engine::rehearse`]). Full tiles are kept in the store.
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

use sluis_domain::Reason;
use sluis_keyring::{AuditKey, Keyring};
use sluis_ledger::Registries;
use sluis_ledger::State;
use sluis_ledger::Unread;
use sluis_ledger::Wrong;
use sluis_ledger::custodian;
use sluis_port::{Commit, Family, Store, StoreError, rows};
use sluis_tlog::{
    FullTile, HASH_BYTES, Hash, ProveError, Prover, TileSource, Tree, VerifierKey, leaf_hash,
};
use sluis_verify::Replay;

use crate::engine::{Engine, registry_text};
use crate::snapshot::RegistryState;
use crate::{EngineError, Refusal};
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

/// The log with all entries that were read.
struct Grown {
    tree: Tree,
    /// Tiles that are not in the store yet.
    unstored: BTreeMap<Vec<u8>, Vec<u8>>,
    handovers: Handovers,
    /// What an auditor makes of the entries.
    replay: Replay,
}

impl Log {
    /// Reads all entries of a store: what they say, if nothing is wrong with them, and the log.
    pub(crate) fn open(
        store: &dyn Store,
        keyring: &Keyring,
        origin: &str,
    ) -> Result<(Self, State), EngineError> {
        let (handovers, replay) = (Handovers::read(store)?, Replay::new(origin));
        let mut grown = Grown {
            tree: Tree::new(),
            unstored: BTreeMap::new(),
            handovers,
            replay,
        };
        let known = |tile: &FullTile| match store
            .get(Family::Tree, &rows::tile_key(tile.level, tile.index))?
        {
            Some(stored) if stored == tile_value(tile) => Ok(true),
            Some(_) => Err(EngineError::Corrupt("tile of the audit log")),
            None => Ok(false),
        };
        grown.read_on(store, keyring, known)?;
        grown.replay.unfinished().map_or(Ok(()), Err)?;
        let said = grown.replay.state().clone();
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
        self.custodians
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn published(&self) -> Option<Arc<SignedHead>> {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn publish(&self, head: Arc<SignedHead>) {
        *self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(head);
    }
}

impl Grown {
    /// Reads the entries that are not in the tree yet, as an auditor does. `known` says whether a tile is in the store
    /// already.
    fn read_on(
        &mut self,
        store: &dyn Store,
        keyring: &Keyring,
        known: impl Fn(&FullTile) -> Result<bool, EngineError>,
    ) -> Result<(), EngineError> {
        let mut texts = Texts {
            store,
            keyring,
            coming: None,
            unread: None,
        };
        loop {
            let page = store.scan(Family::Audit, &rows::audit_key(self.tree.size()), PAGE)?;
            let last = page.len() < PAGE;
            for (key, bytes) in page {
                let sequence = self.tree.size();
                if key != rows::audit_key(sequence) {
                    return Err(EngineError::EntryMissing(sequence));
                }
                let pushed = self.replay.push(sequence, &bytes, &mut texts).map(drop);
                texts
                    .unread
                    .take()
                    .map_or(pushed.map_err(EngineError::from), Err)?;
                for tile in self.tree.append(leaf_hash(&bytes)) {
                    if !known(&tile)? {
                        self.unstored
                            .insert(rows::tile_key(tile.level, tile.index), tile_value(&tile));
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

/// Texts of registries, for the replay.
struct Texts<'a> {
    store: &'a dyn Store,
    keyring: &'a Keyring,
    /// One that is not in the store yet.
    coming: Option<&'a RegistryState>,
    /// Why one could not be read.
    unread: Option<EngineError>,
}

impl Registries for Texts<'_> {
    fn text(&mut self, version: u64) -> Result<Option<String>, Unread> {
        if let Some(coming) = self.coming.filter(|coming| coming.version == version) {
            return Ok(Some(coming.toml.clone()));
        }
        registry_text(self.store, self.keyring, version).map_err(|error| {
            self.unread = Some(error);
            Unread
        })
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
        let key = rows::tile_key(level, index);
        let value = match self.grown.unstored.get(&key) {
            Some(value) => Some(value.clone()),
            None => self.store.get(Family::Tree, &key)?,
        };
        let hashes = value
            .as_deref()
            .and_then(|value| value.get(1..1 + usize::from(width) * HASH_BYTES));
        hashes
            .map(<[u8]>::to_vec)
            .ok_or(EngineError::Corrupt("tile of the audit log"))
    }
}

impl Engine {
    /// The log with everything that is durable: takes the entries since the last time into the tree.
    ///
    /// # Errors
    /// [`EngineError::Store`], [`EngineError::EntryMissing`] for a log with a hole, [`EngineError::Wrong`] for one that does
    /// not verify, and those of reading a registry.
    fn extended(&self) -> Result<MutexGuard<'_, Grown>, EngineError> {
        let mut grown = self.log.grown();
        grown.read_on(&*self.store, &self.snapshot().keyring, |_| Ok(false))?;
        Ok(grown)
    }

    /// Something of what all durable entries say.
    ///
    /// # Errors
    /// As reading the log on.
    pub(crate) fn replayed<T>(&self, ask: impl FnOnce(&State) -> T) -> Result<T, EngineError> {
        Ok(ask(self.extended()?.replay.state()))
    }

    /// Reads the log on, so that less is left for whoever needs it, and says what is wrong with it.
    pub(crate) fn read_log_on(&self) {
        drop(self.extended());
    }

    /// Commits an act that other acts are judged by, after a rehearsal. Only while [`Self::govern`] is held.
    ///
    /// # Errors
    /// Those of [`Self::rehearse`] and of the store; nothing was committed then.
    pub(crate) fn commit_governed(
        &self,
        commit: Commit,
        coming: Option<&RegistryState>,
    ) -> Result<(), Refusal> {
        self.rehearse(&commit, coming)?;
        self.store.commit(commit)?;
        Ok(())
    }

    /// Tries the entries of an act with the auditor's rules: what those refuse would make the log worthless for ever.
    /// `coming`: a registry that the commit puts into force. Only while [`Self::govern`] is held, so that nothing changes
    /// between rehearsal and commit but what batches on their way to the disk say: counters, and whose key versions are.
    ///
    /// # Errors
    /// [`Reason::Internal`] for entries that would not verify, [`Reason::CorruptStore`] if those before do not, and those of
    /// the store.
    pub(crate) fn rehearse(
        &self,
        commit: &Commit,
        coming: Option<&RegistryState>,
    ) -> Result<(), Refusal> {
        let mut rehearsal = self.extended()?.replay.clone();
        let snapshot = self.snapshot();
        let mut texts = Texts {
            store: &*self.store,
            keyring: &snapshot.keyring,
            coming,
            unread: None,
        };
        for bytes in &commit.entries {
            let refused = rehearsal.push(rehearsal.state().entries(), bytes, &mut texts);
            refused.map_err(|wrong| unverifiable(&wrong))?;
        }
        rehearsal
            .unfinished()
            .map_or(Ok(()), |wrong| Err(unverifiable(&wrong)))
    }

    /// Whether acts are accepted: the store takes writes, and heads of the log can be kept.
    pub fn accepts(&self) -> bool {
        self.writable() && self.log.in_order()
    }
}

fn unverifiable(wrong: &Wrong) -> Refusal {
    Refusal::new(
        Reason::Internal,
        format!("nothing was done: the audit log would not verify with it, {wrong}"),
    )
}

/// The verifier key of the log's present signing key, as text.
pub(crate) fn verifier_key(origin: &str, keyring: &Keyring) -> VerifierKey {
    verifier(origin, keyring.current_audit_key())
}

/// The verifier key of a signing key of the log.
fn verifier(origin: &str, key: &AuditKey) -> VerifierKey {
    VerifierKey::new(origin, key.key.public())
        .expect("an origin is a trust domain, a slash and hexadecimal digits")
}

fn tile_value(tile: &FullTile) -> Vec<u8> {
    [&[TILE_FORMAT], &tile.data[..]].concat()
}
