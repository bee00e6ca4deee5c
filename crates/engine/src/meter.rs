//! How much of a grant is used: a durable counter that only grows, and batches that count once.
//!
//! | key in `grants` | value (sealed) |
//! |---|---|
//! | `c` \|\| grant id | used values, 8 bytes; written with the grant, generation grows by one with every batch |
//! | `b` \|\| LP(grant id) \|\| keyed digest of the batch id, 32 | keyed digest of the content, 32; generation 1 |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluis_domain::codec::Writer;
use sluis_domain::grant::Record;
use sluis_domain::port::{Commit, Completion, Family, Store};
use sluis_domain::{BatchId, GrantId, Reason, RecordBatch};
use sluis_keyring::{KeyringError, StateSeal};

use crate::Refusal;

/// Where a counter stands, as last submitted.
struct Position {
    used: u64,
    generation: u64,
    stored: Option<Vec<u8>>,
}

/// One grant's counter.
#[derive(Default)]
struct Meter {
    /// `None` until read from the store. Held while a commit is put into the store's queue.
    position: Mutex<Option<Position>>,
    /// Set when a commit failed: the position must be read again. Completions touch nothing that is held while
    /// somebody waits for the queue.
    stale: AtomicBool,
    /// Batches with an id between their submission and their completion.
    in_flight: Mutex<BTreeSet<[u8; 32]>>,
}

impl Meter {
    fn lock(&self) -> MutexGuard<'_, Option<Position>> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stale.swap(false, Ordering::AcqRel) {
            *position = None;
        }
        position
    }

    fn in_flight(&self) -> MutexGuard<'_, BTreeSet<[u8; 32]>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counters of all grants in use.
#[derive(Default)]
pub(crate) struct Meters(Mutex<BTreeMap<GrantId, Arc<Meter>>>);

impl Meters {
    fn of(&self, grant: &GrantId) -> Arc<Meter> {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meters.entry(grant.clone()).or_default().clone()
    }

    /// Values used so far.
    pub(crate) fn used(&self, store: &dyn Store, seal: &StateSeal, grant: &GrantId) -> Result<u64, Refusal> {
        let meter = self.of(grant);
        let mut position = meter.lock();
        Ok(ensure(&mut position, store, seal, grant)?.used)
    }

    /// Counts the batch's values, submits the commit with the counter in it, and returns what remains.
    ///
    /// The counter's lock is held until the commit is in the store's queue, so that commits are queued in the order
    /// of their counters.
    pub(crate) fn charge(
        &self,
        store: &dyn Store,
        seal: &StateSeal,
        record: &Record,
        batch: &RecordBatch,
        mut commit: Commit,
        done: impl FnOnce(u64) -> Completion,
    ) -> Result<u64, Refusal> {
        let (grant, max) = (&record.grant.id, record.grant.terms.max_values);
        let values: u64 = batch.columns().iter().map(|(_, column)| column.present() as u64).sum();
        let mark = batch.batch_id().map(|id| Mark::of(seal, grant, id, batch));
        let meter = self.of(grant);
        let mut guard = meter.lock();
        let position = ensure(&mut guard, store, seal, grant)?;
        if let Some(mark) = &mark {
            if meter.in_flight().contains(&mark.name) {
                return Err(Refusal::new(Reason::Conflict, "a batch with this id is being worked on"));
            }
            if mark.counted(store, seal)? {
                let remaining = max.saturating_sub(position.used);
                drop(guard);
                store.submit(commit, done(remaining));
                return Ok(remaining);
            }
            mark.add_to(seal, &mut commit);
        }
        let used = position.used.checked_add(values).filter(|used| *used <= max).ok_or_else(|| {
            let remaining = max.saturating_sub(position.used);
            Refusal::field(
                Reason::GrantExhausted,
                "batch",
                format!("{remaining} values remain, the batch has {values}"),
            )
        })?;
        let key = counter_key(grant);
        let generation = position.generation + 1;
        let sealed = seal.seal(Family::Grants, &key, generation, &used.to_be_bytes());
        commit.expect(Family::Grants, key.clone(), position.stored.take()).put(Family::Grants, key, sealed.clone());
        *position = Position { used, generation, stored: Some(sealed) };
        let name = mark.map(|mark| mark.name);
        meter.in_flight().extend(name);
        let (remaining, of_batch) = (max - used, meter.clone());
        let done = done(remaining);
        store.submit(
            commit,
            Box::new(move |result| {
                if result.is_err() {
                    of_batch.stale.store(true, Ordering::Release);
                }
                if let Some(name) = name {
                    of_batch.in_flight().remove(&name);
                }
                done(result);
            }),
        );
        drop(guard);
        Ok(remaining)
    }
}

fn ensure<'a>(
    position: &'a mut Option<Position>,
    store: &dyn Store,
    seal: &StateSeal,
    grant: &GrantId,
) -> Result<&'a mut Position, Refusal> {
    match position {
        Some(position) => Ok(position),
        empty => Ok(empty.insert(read(store, seal, grant)?)),
    }
}

fn read(store: &dyn Store, seal: &StateSeal, grant: &GrantId) -> Result<Position, KeyringError> {
    let key = counter_key(grant);
    // Every grant has its counter from the beginning: one that is gone was taken away.
    let stored = store.get(Family::Grants, &key)?.ok_or(KeyringError::Corrupt("grants"))?;
    let (generation, value) = seal.open(Family::Grants, &key, &stored)?;
    let used = value.try_into().map(u64::from_be_bytes).map_err(|_| KeyringError::Corrupt("grants"))?;
    Ok(Position { used, generation, stored: Some(stored) })
}

/// Starts the counter of a new grant.
pub(crate) fn start(seal: &StateSeal, grant: &GrantId, commit: &mut Commit) {
    let key = counter_key(grant);
    let sealed = seal.seal(Family::Grants, &key, 1, &0u64.to_be_bytes());
    commit.expect(Family::Grants, key.clone(), None).put(Family::Grants, key, sealed);
}

/// The mark that a batch with an id leaves when it is counted.
struct Mark {
    /// Keyed digest of grant and batch id.
    name: [u8; 32],
    key: Vec<u8>,
    /// Keyed digest of what the batch holds.
    content: [u8; 32],
}

impl Mark {
    fn of(seal: &StateSeal, grant: &GrantId, id: &BatchId, batch: &RecordBatch) -> Self {
        let name = seal.fingerprint(&[b"batch-id", grant.as_str().as_bytes(), id.as_bytes()]);
        let key = Writer::default().u8(b'b').lp(grant.as_str()).fixed(&name).finish();
        Self { name, key, content: content_digest(seal, batch) }
    }

    /// Whether it is there already; another content under the same id is refused.
    fn counted(&self, store: &dyn Store, seal: &StateSeal) -> Result<bool, Refusal> {
        let Some(stored) = store.get(Family::Grants, &self.key)? else { return Ok(false) };
        let (_, value) = seal.open(Family::Grants, &self.key, &stored)?;
        if value == self.content { Ok(true) } else { Err(Reason::BatchIdReused.into()) }
    }

    fn add_to(&self, seal: &StateSeal, commit: &mut Commit) {
        let sealed = seal.seal(Family::Grants, &self.key, 1, &self.content);
        commit.expect(Family::Grants, self.key.clone(), None).put(Family::Grants, self.key.clone(), sealed);
    }
}

fn content_digest(seal: &StateSeal, batch: &RecordBatch) -> [u8; 32] {
    let mut lengths = Vec::with_capacity(batch.columns().len());
    for (_, column) in batch.columns() {
        lengths.push(column.lengths().flat_map(u32::to_be_bytes).collect::<Vec<u8>>());
    }
    let mut parts: Vec<&[u8]> = vec![b"batch-content"];
    for ((name, column), lengths) in batch.columns().iter().zip(&lengths) {
        parts.extend([name.as_str().as_bytes(), lengths, column.data()]);
    }
    seal.fingerprint(&parts)
}

fn counter_key(grant: &GrantId) -> Vec<u8> {
    [b"c", grant.as_str().as_bytes()].concat()
}
