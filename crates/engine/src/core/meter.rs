//! How much of a grant is used: a durable counter that only grows, and batches that count once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sluis_domain::codec::Writer;
use sluis_domain::{BatchId, GrantId, Reason, RecordBatch, Timestamp};
use sluis_keyring::{KeyringError, StateSeal};
use sluis_ledger::days::{self, GrantDays, Run};
use sluis_ledger::event::{Event, Granted, Header};
use sluis_ledger::grant::{Record, Terms};
use sluis_port::{Commit, Completion, Family, Store, rows};

use crate::Refusal;
use crate::core::Core;
use crate::core::pending::Charged;
use crate::core::record::encoded;

/// How long a batch waits for another one of its name: many times what the store takes to write.
const LANDING: Duration = Duration::from_secs(5);

/// Where a counter stands, as last submitted.
struct Position {
    count: Count,
    generation: u64,
    stored: Vec<u8>,
}

/// What a counter says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    pub(crate) used: u64,
    /// Of `used`, by day.
    pub(crate) days: GrantDays,
}

/// What remains of a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remaining {
    /// Values in all.
    pub values: u64,
    /// Values on this UTC day; `None` without a daily limit. May be more than `values`.
    pub today: Option<u64>,
}

/// A batch that is charged to a grant.
pub(crate) struct Charge<'a> {
    pub(crate) record: &'a Record,
    pub(crate) batch: &'a RecordBatch,
    /// What is done with the values: a repeated batch must ask for the same.
    pub(crate) purpose: Purpose,
    /// What goes on record.
    pub(crate) entry: Unmetered,
    /// What the batch writes.
    pub(crate) commit: Commit,
}

/// The entry of a batch that is not counted yet.
pub(crate) struct Unmetered {
    /// Its time says which day is charged.
    pub(crate) header: Header,
    /// What was done.
    pub(crate) event: fn(Granted) -> Event,
    /// Without the counter.
    pub(crate) batch: Granted,
}

impl Unmetered {
    fn counted(self, counter: u64) -> Vec<u8> {
        let batch = Granted {
            counter,
            ..self.batch
        };
        encoded(self.header, (self.event)(batch))
    }
}

/// What is done with the values of a batch. Part of what a batch id stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Tokens and encrypted elements.
    Issued,
    /// Imported old pseudonyms.
    Imported,
}

/// One grant's counter.
#[derive(Default)]
struct Meter {
    /// `None` until read from the store. Held while a commit is put into the store's queue.
    position: Mutex<Option<Position>>,
    /// Set when a commit failed: the position must be read again. Completions touch nothing that is held while
    /// someone waits for the queue.
    stale: AtomicBool,
    /// Batches with an id between their submission and their completion.
    in_flight: Mutex<BTreeSet<[u8; 32]>>,
    /// Told whenever a batch has left `in_flight`.
    landed: Condvar,
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
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a while for a batch of this name that is not durable yet: a caller that was killed and repeats its run at
    /// once meets its own batches.
    fn await_landing(&self, name: &[u8; 32]) {
        let waiting = self
            .landed
            .wait_timeout_while(self.in_flight(), LANDING, |names| names.contains(name));
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }

    fn land(&self, name: &[u8; 32]) {
        self.in_flight().remove(name);
        self.landed.notify_all();
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

    /// What the counter says.
    pub(crate) fn count(
        &self,
        store: &dyn Store,
        seal: &StateSeal,
        grant: &GrantId,
    ) -> Result<Count, Refusal> {
        let meter = self.of(grant);
        let mut position = meter.lock();
        Ok(ensure(&mut position, store, seal, grant)?.count.clone())
    }

    /// Counts the batch's values and submits the commit with counter and audit entry in it. `done` gets what was counted
    /// and what remains.
    ///
    /// The counter's lock is held until the commit is in the store's queue, so that commits are queued, and entries
    /// numbered, in the order of their counters.
    pub(crate) fn charge(
        &self,
        store: &dyn Store,
        seal: &StateSeal,
        charge: Charge<'_>,
        done: impl FnOnce(Charged) -> Completion,
    ) -> Result<(), Refusal> {
        let Charge {
            record,
            batch,
            purpose,
            entry,
            mut commit,
        } = charge;
        let (grant, terms) = (&record.grant.id, &record.grant.terms);
        let values: u64 = batch
            .columns()
            .iter()
            .map(|(_, column)| column.present() as u64)
            .sum();
        let mark = batch
            .batch_id()
            .map(|id| Mark::of(seal, grant, id, (batch, purpose)));
        let meter = self.of(grant);
        if let Some(mark) = &mark {
            meter.await_landing(&mark.name);
        }
        let mut guard = meter.lock();
        let position = ensure(&mut guard, store, seal, grant)?;
        let key = rows::counter_key(grant);
        commit.expect(Family::Grants, key.clone(), Some(position.stored.clone()));
        if let Some(mark) = &mark {
            if meter.in_flight().contains(&mark.name) {
                return Err(Refusal::new(
                    Reason::Conflict,
                    "a batch with this id is being worked on",
                ));
            }
            if mark.counted(store, seal)? {
                let charged = Charged {
                    counted: 0,
                    remaining: terms.max_values.saturating_sub(position.count.used),
                };
                commit.entry(entry.counted(position.count.used));
                store.submit(commit, finished(&meter, None, done(charged)));
                return Ok(());
            }
            mark.add_to(seal, &mut commit);
        }
        let count = position
            .count
            .add(values, days::number(entry.header.at), terms)?;
        let generation = position.generation + 1;
        let stored = seal.seal(Family::Grants, &key, generation, &count.encode());
        commit
            .put(Family::Grants, key, stored.clone())
            .entry(entry.counted(count.used));
        let remaining = terms.max_values - count.used;
        *position = Position {
            count,
            generation,
            stored,
        };
        let name = mark.map(|mark| mark.name);
        meter.in_flight().extend(name);
        let charged = Charged {
            counted: values,
            remaining,
        };
        store.submit(commit, finished(&meter, name, done(charged)));
        drop(guard);
        Ok(())
    }
}

impl Core {
    /// What remains of a grant at `now`.
    pub(crate) fn remaining(&self, record: &Record, now: Timestamp) -> Result<Remaining, Refusal> {
        let count = self.meters.count(
            &*self.store,
            self.snapshot().keyring.state(),
            &record.grant.id,
        )?;
        let terms = &record.grant.terms;
        Ok(Remaining {
            values: terms.max_values.saturating_sub(count.used),
            today: count.remaining_on(days::number(now), terms),
        })
    }
}

impl Count {
    /// Values used on day `today`.
    pub(crate) fn on(&self, today: u32) -> u64 {
        self.days.get(today).copied().unwrap_or(0)
    }

    /// How many values the terms still allow on day `today`; `None` without a daily limit.
    pub(crate) fn remaining_on(&self, today: u32, terms: &Terms) -> Option<u64> {
        let daily = terms.max_values_per_day?;
        Some(daily.saturating_sub(self.on(today)))
    }

    /// With a batch of `values` on day `today`.
    fn add(&self, values: u64, today: u32, terms: &Terms) -> Result<Self, Refusal> {
        let refuse = |reason, remain: String| {
            Refusal::field(reason, "batch", format!("{remain}, the batch has {values}"))
        };
        let used = self
            .used
            .checked_add(values)
            .filter(|used| *used <= terms.max_values)
            .ok_or_else(|| {
                let remaining = terms.max_values.saturating_sub(self.used);
                refuse(Reason::GrantExhausted, format!("{remaining} values remain"))
            })?;
        if values == 0 {
            // No day begins with nothing: the log does not show it.
            return Ok(self.clone());
        }
        let before = self.on(today);
        // No more than `used`.
        let of_day = before + values;
        if let Some(daily) = terms.max_values_per_day.filter(|daily| of_day > *daily) {
            let remaining = daily.saturating_sub(before);
            let remain = format!("{remaining} values remain today");
            return Err(refuse(Reason::GrantDailyLimit, remain));
        }
        let mut days = self.days.clone();
        days.set(today, of_day);
        Ok(Self { used, days })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u64(self.used).u32(self.days.floor());
        for run in self.days.runs() {
            out.u32(run.first).u32(run.day).u64(run.count);
        }
        out.finish()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (used, rest) = bytes.split_first_chunk()?;
        let (floor, rest) = rest.split_first_chunk()?;
        let used = u64::from_be_bytes(*used);
        let (runs, rest) = rest.as_chunks::<RUN_BYTES>();
        let runs: Vec<_> = runs.iter().map(run).collect();
        let sound = rest.is_empty() && runs.iter().all(|run| run.count <= used);
        let days = GrantDays::from_runs(u32::from_be_bytes(*floor), runs)?;
        sound.then_some(Self { used, days })
    }
}

/// Bytes of a stored run: two days and a count.
const RUN_BYTES: usize = 4 + 4 + 8;

fn run(bytes: &[u8; RUN_BYTES]) -> Run<u64> {
    let [a, b, c, d, e, f, g, h, count @ ..] = *bytes;
    Run {
        first: u32::from_be_bytes([a, b, c, d]),
        day: u32::from_be_bytes([e, f, g, h]),
        count: u64::from_be_bytes(count),
    }
}

/// Lets go of the batch when it is durable or has failed.
fn finished(meter: &Arc<Meter>, name: Option<[u8; 32]>, done: Completion) -> Completion {
    let meter = meter.clone();
    Box::new(move |result| {
        if result.is_err() {
            meter.stale.store(true, Ordering::Release);
        }
        if let Some(name) = name {
            meter.land(&name);
        }
        done(result);
    })
}

fn ensure<'a>(
    known: &'a mut Option<Position>,
    store: &dyn Store,
    seal: &StateSeal,
    grant: &GrantId,
) -> Result<&'a mut Position, Refusal> {
    match known {
        Some(position) => Ok(position),
        empty => Ok(empty.insert(position(store, seal, grant)?)),
    }
}

/// What the stored counter of a grant says.
pub(crate) fn read(
    store: &dyn Store,
    seal: &StateSeal,
    grant: &GrantId,
) -> Result<Count, KeyringError> {
    Ok(position(store, seal, grant)?.count)
}

fn position(
    store: &dyn Store,
    seal: &StateSeal,
    grant: &GrantId,
) -> Result<Position, KeyringError> {
    let key = rows::counter_key(grant);
    // Every grant has its counter from the beginning: one that is gone was taken away.
    let stored = store
        .get(Family::Grants, &key)?
        .ok_or(KeyringError::Corrupt("grants"))?;
    let (generation, value) = seal.open(Family::Grants, &key, &stored)?;
    let count = Count::decode(&value).ok_or(KeyringError::Corrupt("grants"))?;
    Ok(Position {
        count,
        generation,
        stored,
    })
}

/// Starts the counter of a new grant.
pub(crate) fn start(seal: &StateSeal, grant: &GrantId, commit: &mut Commit) {
    let key = rows::counter_key(grant);
    let sealed = seal.seal(Family::Grants, &key, 1, &Count::default().encode());
    commit
        .expect(Family::Grants, key.clone(), None)
        .put(Family::Grants, key, sealed);
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
    fn of(
        seal: &StateSeal,
        grant: &GrantId,
        id: &BatchId,
        content: (&RecordBatch, Purpose),
    ) -> Self {
        let name = seal.fingerprint(&[b"batch-id", grant.as_str().as_bytes(), id.as_bytes()]);
        let key = rows::counted_batch_key(grant, &name);
        Self {
            name,
            key,
            content: content_digest(seal, content),
        }
    }

    /// Whether it is there already; another content under the same id is refused.
    fn counted(&self, store: &dyn Store, seal: &StateSeal) -> Result<bool, Refusal> {
        let Some(stored) = store.get(Family::Grants, &self.key)? else {
            return Ok(false);
        };
        let (_, value) = seal.open(Family::Grants, &self.key, &stored)?;
        if value == self.content {
            Ok(true)
        } else {
            Err(Reason::BatchIdReused.into())
        }
    }

    fn add_to(&self, seal: &StateSeal, commit: &mut Commit) {
        let sealed = seal.seal(Family::Grants, &self.key, 1, &self.content);
        commit.expect(Family::Grants, self.key.clone(), None).put(
            Family::Grants,
            self.key.clone(),
            sealed,
        );
    }
}

fn content_digest(seal: &StateSeal, (batch, purpose): (&RecordBatch, Purpose)) -> [u8; 32] {
    let mut lengths = Vec::with_capacity(batch.columns().len());
    for (_, column) in batch.columns() {
        lengths.push(
            column
                .lengths()
                .flat_map(u32::to_be_bytes)
                .collect::<Vec<u8>>(),
        );
    }
    let mut parts: Vec<&[u8]> = vec![match purpose {
        Purpose::Issued => b"batch-content",
        Purpose::Imported => b"batch-content-imported",
    }];
    for ((name, column), lengths) in batch.columns().iter().zip(&lengths) {
        parts.extend([name.as_str().as_bytes(), lengths, column.data()]);
    }
    seal.fingerprint(&parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sluis_domain::Timestamp;
    use sluis_ledger::grant::Kind;

    use super::*;

    fn terms(max_values: u64, max_values_per_day: Option<u64>) -> Terms {
        Terms {
            kind: Kind::Reidentify {
                chain: "a".parse().expect("an id"),
                elements: Vec::new(),
            },
            purpose: String::new(),
            legal_basis: String::new(),
            max_values,
            max_values_per_day,
            not_before: None,
            not_after: Timestamp::MAX,
        }
    }

    fn told(refused: Result<Count, Refusal>) -> (Reason, String) {
        let refusal = refused.expect_err("refused");
        (
            refusal.reason(),
            refusal.violations()[0].description.clone(),
        )
    }

    #[test]
    fn a_day_has_its_own_limit_and_the_next_day_begins_anew() {
        let terms = terms(10, Some(4));
        let first = Count::default().add(3, 7, &terms).expect("three of four");
        assert_eq!((first.used, first.days.get(7)), (3, Some(&3)));
        assert_eq!(
            told(first.add(2, 7, &terms)),
            (
                Reason::GrantDailyLimit,
                "1 values remain today, the batch has 2".into()
            )
        );
        let next = first.add(4, 8, &terms).expect("a new day");
        assert_eq!((next.used, next.days.get(8)), (7, Some(&4)));
        assert!(
            next.add(1, 7, &terms).is_err(),
            "a late batch of yesterday counts today"
        );
        assert_eq!(
            told(next.add(4, 9, &terms)),
            (
                Reason::GrantExhausted,
                "3 values remain, the batch has 4".into()
            )
        );
        assert!(next.add(3, 9, &terms).is_ok());
        assert_eq!(
            next.add(0, 9, &terms).expect("nothing"),
            next,
            "no day begins with nothing, as in the log"
        );
    }

    #[test]
    fn no_number_of_values_overflows() {
        let mut full = Count {
            used: u64::MAX,
            ..Count::default()
        };
        full.days.set(1, u64::MAX);
        assert_eq!(
            told(full.add(1, 1, &terms(u64::MAX, None))).0,
            Reason::GrantExhausted
        );
        assert_eq!(
            full.add(0, 1, &terms(u64::MAX, None))
                .expect("nothing of nothing"),
            full
        );
    }

    #[test]
    fn values_of_a_day_are_not_forgotten_by_a_clock_that_goes_forty_days_forward_and_back() {
        let terms = terms(1_000, Some(100));
        let day = Count::default().add(60, 500, &terms).expect("of 100");
        let ahead = day.add(60, 540, &terms).expect("another day");
        assert_eq!(
            told(ahead.add(41, 500, &terms)).1,
            "40 values remain today, the batch has 41"
        );
        let full = ahead.add(40, 500, &terms).expect("the rest of the day");
        assert!(full.add(1, 500, &terms).is_err());
        assert!(full.add(100, 501, &terms).is_ok(), "days go on");
    }

    #[test]
    fn stored_bytes_are_frozen() {
        let mut count = Count {
            used: 0x0102,
            ..Count::default()
        };
        count.days.set(0x0304, 5);
        let expected = [
            0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 5,
        ];
        assert_eq!(count.encode(), expected);
        assert_eq!(Count::decode(&expected), Some(count));
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..32)) {
            if let Some(count) = Count::decode(&bytes) { prop_assert_eq!(count.encode(), bytes); }
        }

        #[test]
        fn counts_are_read_back(used in any::<u64>(), days in prop::collection::vec(1..1_000_u32, 0..20)) {
            let mut count = Count { used, ..Count::default() };
            days.iter().for_each(|day| count.days.set(*day, used / 2));
            prop_assert_eq!(Count::decode(&count.encode()), Some(count));
        }
    }
}
