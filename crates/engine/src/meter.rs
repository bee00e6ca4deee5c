//! How much of a grant is used: a durable counter that only grows, and batches that count once.
//!
//! | key in `grants` | value (sealed) |
//! |---|---|
//! | `c` \|\| grant id | used values, 8 bytes; written with the grant, generation grows by one with every batch |
//! | `b` \|\| LP(grant id) \|\| keyed digest of the batch id, 32 | keyed digest of the content, 32; generation 1 |

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sluis_domain::codec::Writer;
use sluis_domain::grant::Record;
use sluis_domain::port::{Commit, Completion, Family, Store};
use sluis_domain::{GrantId, Reason, RecordBatch};
use sluis_keyring::{KeyringError, StateSeal};

use crate::Refusal;

/// Where a counter stands, as last submitted.
struct Position {
    used: u64,
    generation: u64,
    stored: Option<Vec<u8>>,
}

/// One grant's counter; `None` until read from the store, and again after a failed commit.
#[derive(Default)]
struct Meter(Mutex<Option<Position>>);

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
        let mut position = meter.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ensure(&mut position, store, seal, grant)?.used)
    }

    /// Counts the batch's values, submits the commit with the counter in it, and returns what remains.
    ///
    /// The counter's lock is held until the commit is in the store's queue, so that commits are queued in the order
    /// of their counters. A commit that fails forgets the position, so that the next batch reads it again.
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
        let meter = self.of(grant);
        let mut guard = meter.0.lock().unwrap_or_else(PoisonError::into_inner);
        let position = ensure(&mut guard, store, seal, grant)?;
        if counted_before(store, seal, grant, batch, &mut commit)? {
            let remaining = max.saturating_sub(position.used);
            drop(guard);
            store.submit(commit, done(remaining));
            return Ok(remaining);
        }
        let values: u64 = batch.columns().iter().map(|(_, column)| column.present() as u64).sum();
        let used = position.used.checked_add(values).filter(|used| *used <= max).ok_or_else(|| {
            let remaining = max.saturating_sub(position.used);
            Refusal::field(Reason::GrantExhausted, "batch", format!("{remaining} values remain, the batch has {values}"))
        })?;
        let key = counter_key(grant);
        let generation = position.generation + 1;
        let sealed = seal.seal(Family::Grants, &key, generation, &used.to_be_bytes());
        commit.expect(Family::Grants, key.clone(), position.stored.take()).put(Family::Grants, key, sealed.clone());
        *position = Position { used, generation, stored: Some(sealed) };
        let remaining = max - used;
        let done = done(remaining);
        let forgetful = meter.clone();
        store.submit(
            commit,
            Box::new(move |result| {
                if result.is_err() {
                    *forgetful.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
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

/// Whether a batch with this id and content was counted; otherwise adds the mark that it is now.
fn counted_before(
    store: &dyn Store,
    seal: &StateSeal,
    grant: &GrantId,
    batch: &RecordBatch,
    commit: &mut Commit,
) -> Result<bool, Refusal> {
    let Some(id) = batch.batch_id() else { return Ok(false) };
    let name = seal.fingerprint(&[b"batch-id", grant.as_str().as_bytes(), id.as_bytes()]);
    let key = Writer::default().u8(b'b').lp(grant.as_str()).fixed(&name).finish();
    let content = content_digest(seal, batch);
    match store.get(Family::Grants, &key)? {
        Some(stored) => match seal.open(Family::Grants, &key, &stored)? {
            (_, value) if value == content => Ok(true),
            _ => Err(Reason::BatchIdReused.into()),
        },
        None => {
            let sealed = seal.seal(Family::Grants, &key, 1, &content);
            commit.expect(Family::Grants, key.clone(), None).put(Family::Grants, key, sealed);
            Ok(false)
        }
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

