//! The audit log as a Merkle tree with a signed head.
//!
//! Leaf i is the canonical bytes of entry i as the store holds them. An entry reaches the tree after it is durable, when
//! [`crate::LogKeeper::sign_head`] reads it back from the store: no batch waits for the tree or for a signature. Acts that others are
//! judged by do ([`Core::rehearse`]). Full tiles are kept in the store, and so are grants and proposals that have ended ([`past`](super::past)).
//!
//! A start takes state and tree from what was saved beside the head ([`saved`]), or makes them again from all entries. The
//! entries are read as an auditor reads them ([`Replay`]); how they end is compared with a row ([`end`]), what they say with the rows
//! that they only name ([`compare`]), and the log with its last signed head ([`head`]).

pub(crate) mod compare;
pub(crate) mod end;
pub(crate) mod head;
pub(crate) mod saved;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use sluis_domain::{GrantId, ProposalId, Reason};
use sluis_keyring::{AuditKey, Keyring};
use sluis_ledger::event::Entry;
use sluis_ledger::state::Ended;
use sluis_ledger::{Archive, State, Unread, Wrong, grant, proposal};
use sluis_port::{Commit, Family, Row, Store, StoreError, rows};
use sluis_tlog::{
    FullTile, HASH_BYTES, Hash, ProveError, Prover, TileSource, Tree, VerifierKey, leaf_hash,
};
use sluis_verify::Replay;

use crate::core::Core;
use crate::core::past::PastRows;
use crate::core::registry::{RegistryState, registry_text};
use crate::{EngineError, Refusal};
use end::{End, Protects};
use head::{Handovers, SignedHead};
use saved::{Verification, Verified};

/// Entries, and new tiles, that are held at a time.
const PAGE: usize = 256;
/// First byte of a stored tile.
const TILE_FORMAT: u8 = 1;

/// The log as far as it was read.
pub(crate) struct Log {
    grown: Mutex<Grown>,
    /// The last head that was signed and kept.
    published: Mutex<Option<Arc<SignedHead>>>,
    /// Whether a head was found in order, and new ones can be kept.
    in_order: AtomicBool,
    /// Whether the verification in the background found the log wrong.
    wrong: AtomicBool,
    /// What is left to verify in the background.
    unverified: Mutex<Option<Verification>>,
    /// Lives as long as the store is to protect the end of the log.
    _protects: Arc<Protects>,
}

/// The log with all entries that were read.
pub(crate) struct Grown {
    /// What an auditor makes of the entries.
    pub(crate) replay: Replay,
    pub(crate) end: End,
    /// Tiles that may not be in the store yet.
    unstored: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Keys of those that were not compared with the store yet.
    uncompared: Vec<Vec<u8>>,
    pub(crate) handovers: Handovers,
}

impl Log {
    /// Reads the entries of a store: all of them, or those after `saved`, if that is of this store. Gives also what they say.
    pub(crate) fn open(
        store: &dyn Store,
        keyring: &Keyring,
        origin: &str,
        saved: Option<&[u8]>,
    ) -> Result<(Self, State), EngineError> {
        let protects = Arc::new(Protects(keyring.state().clone()));
        let weak: Weak<Protects> = Arc::downgrade(&protects);
        store.protect_end(weak);
        let loaded = saved.and_then(|saved| saved::load(store, keyring, origin, saved));
        let resumed = loaded.and_then(|(mut grown, verification)| {
            let taken_in = grown.take_in(store, keyring);
            taken_in.ok().map(|()| (grown, Some(verification)))
        });
        // Whatever is wrong with the log or with what was saved: reading everything says what it is.
        let (mut grown, unverified) = match resumed {
            Some(resumed) => resumed,
            None => (Grown::whole(store, keyring, origin)?, None),
        };
        grown.handovers = Handovers::read(store)?;
        grown.replay.unfinished().map_or(Ok(()), Err)?;
        let said = grown.replay.state().clone();
        let log = Self {
            grown: Mutex::new(grown),
            published: Mutex::new(None),
            in_order: AtomicBool::new(false),
            wrong: AtomicBool::new(false),
            unverified: Mutex::new(unverified),
            _protects: protects,
        };
        Ok((log, said))
    }

    /// Whether acts may be done.
    ///
    /// # Errors
    /// [`Reason::CorruptStore`] if the log was found wrong, [`Reason::HeadUnavailable`] if its head was not checked yet or
    /// cannot be kept.
    pub(crate) fn check(&self) -> Result<(), Reason> {
        if self.is_wrong() {
            return Err(Reason::CorruptStore);
        }
        let in_order = self.in_order.load(Ordering::Acquire);
        in_order.then_some(()).ok_or(Reason::HeadUnavailable)
    }

    pub(crate) fn set_in_order(&self, in_order: bool) {
        self.in_order.store(in_order, Ordering::Release);
    }

    /// Whether the verification in the background found a fault.
    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong.load(Ordering::Acquire)
    }

    /// No act is done any more.
    pub(crate) fn give_up(&self) {
        self.wrong.store(true, Ordering::Release);
    }

    pub(crate) fn grown(&self) -> MutexGuard<'_, Grown> {
        self.grown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn unverified(&self) -> MutexGuard<'_, Option<Verification>> {
        self.unverified
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// All entries that were read are verified.
    pub(crate) fn verified(&self) -> Verified {
        let entries = self.grown().end.entries;
        Verified {
            entries,
            goal: entries,
        }
    }

    pub(crate) fn published(&self) -> Option<Arc<SignedHead>> {
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn publish(&self, head: Arc<SignedHead>) {
        *self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(head);
    }
}

impl Grown {
    /// A log without entries.
    fn new(origin: &str) -> Self {
        Self {
            replay: Replay::new(origin),
            end: End::default(),
            unstored: BTreeMap::new(),
            uncompared: Vec::new(),
            handovers: Handovers::default(),
        }
    }

    /// Reads all entries of a store.
    fn whole(store: &dyn Store, keyring: &Keyring, origin: &str) -> Result<Self, EngineError> {
        let mut grown = Self::new(origin);
        grown.take_in(store, keyring)?;
        Ok(grown)
    }

    /// Reads everything at a start, compares it with the row that says how the log ends, and moves that row on.
    fn take_in(&mut self, store: &dyn Store, keyring: &Keyring) -> Result<(), EngineError> {
        let mut stored = End::read(store)?;
        self.read_to(store, keyring, stored.entries)?;
        if self.end != stored {
            return Err(EngineError::LogEnd(stored.entries));
        }
        loop {
            self.read_unprotected(store, keyring)?;
            if self.end == stored {
                return self.store_derived(store, keyring);
            }
            let mut commit = Commit::default();
            self.end.put(&stored, &mut commit);
            match store.commit(commit) {
                // Another entry came meanwhile; it may have moved the row on.
                Err(StoreError::Conflict) => stored = End::read(store)?,
                done => {
                    done?;
                    return self.store_derived(store, keyring);
                }
            }
        }
    }

    /// Reads what was written while the keyring was sealed.
    fn read_unprotected(
        &mut self,
        store: &dyn Store,
        keyring: &Keyring,
    ) -> Result<(), EngineError> {
        let mut archive = Rows::new(store, keyring, None);
        loop {
            let page = self.page(store, u64::MAX)?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, bytes) in page {
                // Every entry has its own salt.
                let repeated = self.replay.has_recent(&leaf_hash(&bytes));
                let entry = self.take(keyring, &mut archive, &key, &bytes)?;
                if repeated || !end::may_follow(&entry) {
                    return Err(EngineError::LogEnd(self.end.entries - 1));
                }
            }
        }
    }

    /// Reads the entries that are not in the tree yet.
    fn read_on(&mut self, store: &dyn Store, keyring: &Keyring) -> Result<(), EngineError> {
        self.read_to(store, keyring, u64::MAX)?;
        self.store_derived(store, keyring)
    }

    /// Reads the entries that are not in the tree yet, up to a number of entries. Stores nothing.
    fn read_to(
        &mut self,
        store: &dyn Store,
        keyring: &Keyring,
        most: u64,
    ) -> Result<(), EngineError> {
        let mut archive = Rows::new(store, keyring, None);
        while self.read_page(store, keyring, &mut archive, most)? {
            self.compare_tiles(store)?;
        }
        Ok(())
    }

    /// Reads one page of entries, as an auditor does; says whether there may be more.
    fn read_page(
        &mut self,
        store: &dyn Store,
        keyring: &Keyring,
        archive: &mut Rows<'_>,
        most: u64,
    ) -> Result<bool, EngineError> {
        let page = self.page(store, most)?;
        let more = page.len() == PAGE;
        for (key, bytes) in page {
            self.take(keyring, archive, &key, &bytes)?;
        }
        Ok(more)
    }

    /// The next entries, up to a number of entries.
    fn page(&self, store: &dyn Store, most: u64) -> Result<Vec<Row>, StoreError> {
        let left = most.saturating_sub(self.end.entries);
        let limit = usize::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        store.scan(Family::Audit, &rows::audit_key(self.end.entries), limit)
    }

    /// Takes the next entry in: by the rules, into the tree, and into the MAC over all entries.
    fn take(
        &mut self,
        keyring: &Keyring,
        archive: &mut Rows<'_>,
        key: &[u8],
        bytes: &[u8],
    ) -> Result<Entry, EngineError> {
        let sequence = self.end.entries;
        if key != rows::audit_key(sequence) {
            return Err(EngineError::EntryMissing(sequence));
        }
        let pushed = self.replay.append(sequence, bytes, archive);
        let (entry, tiles) = match archive.unread.take() {
            Some(unread) => return Err(unread),
            None => pushed?,
        };
        for tile in tiles {
            let key = rows::tile_key(tile.level, tile.index);
            self.uncompared.push(key.clone());
            self.unstored.insert(key, tile_value(&tile));
        }
        self.end = self.end.after(keyring.state(), &leaf_hash(bytes));
        Ok(entry)
    }

    /// Compares new tiles with those that the store has, each once. What is left are those that it does not have.
    ///
    /// # Errors
    /// [`EngineError::Corrupt`] for one that differs, and those of the store, after which it can be called again.
    fn compare_tiles(&mut self, store: &dyn Store) -> Result<(), EngineError> {
        while let Some(key) = self.uncompared.last() {
            if let Some(stored) = store.get(Family::Tree, key)? {
                if self.unstored.get(key) != Some(&stored) {
                    return Err(EngineError::Corrupt("tile of the audit log"));
                }
                self.unstored.remove(key);
            }
            self.uncompared.pop();
        }
        Ok(())
    }

    /// Stores what follows from the entries and the store does not have: tiles, and records that have ended, which leave memory
    /// then.
    fn store_derived(&mut self, store: &dyn Store, keyring: &Keyring) -> Result<(), EngineError> {
        self.store_tiles(store)?;
        let seal = keyring.state();
        loop {
            let past: Vec<_> = self.replay.state().past().take(PAGE).collect();
            if past.is_empty() {
                return Ok(());
            }
            PastRows { store, seal }.put(&past)?;
            for past in &past {
                self.replay.forget(past);
            }
        }
    }

    /// Stores the tiles that the store does not have. Tiles that cannot be stored now stay here until they can.
    fn store_tiles(&mut self, store: &dyn Store) -> Result<(), EngineError> {
        self.compare_tiles(store)?;
        while !self.unstored.is_empty() {
            let mut commit = Commit::default();
            for (key, value) in self.unstored.iter().take(PAGE) {
                commit.put(Family::Tree, key.clone(), value.clone());
            }
            store.commit(commit)?;
            let next = self.unstored.keys().nth(PAGE).cloned();
            self.unstored = next.map_or_else(BTreeMap::new, |next| self.unstored.split_off(&next));
        }
        Ok(())
    }

    /// The root that the tree had at `size` entries.
    pub(crate) fn root(
        &self,
        store: &dyn Store,
        size: u64,
    ) -> Result<Hash, ProveError<EngineError>> {
        if size == self.tree().size() {
            return Ok(self.tree().root());
        }
        self.prove(store, |prover| prover.root(size))
    }

    pub(crate) fn prove<T>(
        &self,
        store: &dyn Store,
        ask: impl FnOnce(Prover<'_, Tiles<'_>>) -> T,
    ) -> T {
        ask(Prover::new(
            &Tiles { grown: self, store },
            self.tree().size(),
        ))
    }

    pub(crate) fn tree(&self) -> &Tree {
        self.replay.tree()
    }
}

/// What the entries only name, from the store.
struct Rows<'a> {
    store: &'a dyn Store,
    keyring: &'a Keyring,
    /// A registry that is not in the store yet.
    coming: Option<&'a RegistryState>,
    /// Why something could not be read.
    unread: Option<EngineError>,
}

impl<'a> Rows<'a> {
    fn new(store: &'a dyn Store, keyring: &'a Keyring, coming: Option<&'a RegistryState>) -> Self {
        Self {
            store,
            keyring,
            coming,
            unread: None,
        }
    }
}

impl Rows<'_> {
    fn past(&self) -> PastRows<'_> {
        PastRows {
            store: self.store,
            seal: self.keyring.state(),
        }
    }

    fn known<T>(&mut self, read: Result<T, EngineError>) -> Result<T, Unread> {
        read.map_err(|error| {
            self.unread = Some(error);
            Unread
        })
    }
}

impl Archive for Rows<'_> {
    fn text(&mut self, version: u64) -> Result<Option<String>, Unread> {
        if let Some(coming) = self.coming.filter(|coming| coming.version == version) {
            return Ok(Some(coming.toml.clone()));
        }
        let read = registry_text(self.store, self.keyring, version);
        self.known(read)
    }

    fn grant(&mut self, id: &GrantId) -> Result<Option<Ended<grant::Record>>, Unread> {
        let read = self.past().grant(id);
        self.known(read)
    }

    fn proposal(&mut self, id: &ProposalId) -> Result<Option<Ended<proposal::Record>>, Unread> {
        let read = self.past().proposal(id);
        self.known(read)
    }

    fn proposal_with(
        &mut self,
        digest: &[u8; 32],
    ) -> Result<Option<Ended<proposal::Record>>, Unread> {
        let read = self.past().proposal_with(digest);
        self.known(read)
    }
}

/// Tiles from memory and store.
pub(crate) struct Tiles<'a> {
    grown: &'a Grown,
    store: &'a dyn Store,
}

impl TileSource for Tiles<'_> {
    type Error = EngineError;

    fn tile(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, EngineError> {
        if let Some(hashes) = self.grown.tree().unfinished_tile(level, index, width) {
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

impl Core {
    /// The log with everything that is durable: takes the entries since the last time into the tree.
    ///
    /// # Errors
    /// [`EngineError::Store`], [`EngineError::EntryMissing`] for a log with a hole, [`EngineError::Wrong`] for one that does
    /// not verify, and the errors of reading a registry.
    pub(crate) fn extended(&self) -> Result<MutexGuard<'_, Grown>, EngineError> {
        let mut grown = self.log.grown();
        grown.read_on(&*self.store, &self.snapshot().keyring)?;
        Ok(grown)
    }

    /// Something of what all durable entries say.
    ///
    /// # Errors
    /// As reading the log on.
    pub(crate) fn replayed<T>(&self, ask: impl FnOnce(&State) -> T) -> Result<T, EngineError> {
        Ok(ask(self.extended()?.replay.state()))
    }

    /// Reads the log on, so that less is left for the next reader. A fault is told by whoever needs the log.
    pub(crate) fn read_log_on(&self) {
        drop(self.extended());
    }

    /// Tries the entries of an act with the auditor's rules: what those refuse would make the log worthless for ever.
    /// `coming`: a registry that the commit puts into force. Gives the state after it. Only batches on their way to the disk can
    /// come between rehearsal and commit: they change counters only.
    ///
    /// # Errors
    /// [`Reason::Internal`] for entries that would not verify, [`Reason::CorruptStore`] if those before do not, and the errors of
    /// the store.
    pub(crate) fn rehearse(
        &self,
        commit: &Commit,
        coming: Option<&RegistryState>,
    ) -> Result<State, Refusal> {
        let mut rehearsal = self.extended()?.replay.clone();
        let snapshot = self.snapshot();
        let mut archive = Rows::new(&*self.store, &snapshot.keyring, coming);
        for bytes in &commit.entries {
            let refused = rehearsal.push(rehearsal.state().entries(), bytes, &mut archive);
            refused.map_err(|wrong| unverifiable(&wrong))?;
        }
        match rehearsal.unfinished() {
            Some(wrong) => Err(unverifiable(&wrong)),
            None => Ok(rehearsal.state().clone()),
        }
    }

    /// Whether acts are accepted: the store takes writes, and heads of the log can be kept.
    pub fn accepts(&self) -> bool {
        self.writable() && self.log.check().is_ok()
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
pub(crate) fn verifier(origin: &str, key: &AuditKey) -> VerifierKey {
    VerifierKey::new(origin, key.key.public())
        .expect("an origin is a trust domain, a slash and hexadecimal digits")
}

fn tile_value(tile: &FullTile) -> Vec<u8> {
    [&[TILE_FORMAT], &tile.data[..]].concat()
}
