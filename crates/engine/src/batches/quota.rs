//! Quotas: how much a source may ask of a chain, so that no one tries out all the identifiers there are.
//!
//! Subjects, rows and rejected identifiers of a UTC day are durable: they are committed with the batch they count.
//! Batches of a minute are counted in memory. A source without a quota in a chain costs one look-up per batch.
//!
//! A subject is counted by two keyed hashes (SipHash-2-4) of its link value: the first key is derived from the state key
//! for chain and source, the second is random, made for the day, and only in the sealed row.

mod day;
mod sketch;
mod window;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use siphasher::sip::SipHasher24;
use sluis_crypto::LinkValue;
use sluis_domain::{ChainId, NamespaceId, OrganisationId, Reason, Timestamp};
use sluis_keyring::{KeyringError, StateSeal};
use sluis_ledger::days;
use sluis_ledger::registry::{Chain, MIN_ROWS_FOR_REJECTED_PERCENT, Quota};
use sluis_port::{Commit, Completion, Family, Store, rows};

use crate::Refusal;
use crate::batches::Batches;
use day::{Day, SourceDays};
use window::Window;

/// How much of a limit is used.
#[derive(Clone, PartialEq, Debug)]
pub struct QuotaFill {
    /// The chain.
    pub chain: ChainId,
    /// The source.
    pub organisation: OrganisationId,
    /// As [`limit_name`] says.
    pub limit: &'static str,
    /// What is used, as a share of the limit; 0 without a limit. Above 1 only if the limit was lowered since.
    pub ratio: f64,
}

/// The limit that a reason says was reached: `subjects`, `rejected`, `requests` or `grant-daily`.
pub fn limit_name(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::QuotaSubjects => Some("subjects"),
        Reason::QuotaRejected => Some("rejected"),
        Reason::QuotaRequests => Some("requests"),
        Reason::GrantDailyLimit => Some("grant-daily"),
        _ => None,
    }
}

/// The counters of all sources with a quota that were asked for since the start.
#[derive(Default)]
pub(crate) struct Quotas(Mutex<BTreeMap<(ChainId, OrganisationId), Arc<Counter>>>);

/// The counter of one source in one chain.
struct Counter {
    /// `None` until read from the store. Held while a commit is put into the store's queue, and until the one of a
    /// refused batch's subjects is durable.
    position: Mutex<Option<Position>>,
    /// Set when a commit failed: the position must be read again.
    stale: AtomicBool,
    requests: Mutex<Window>,
    /// The last durable counts. Never held while someone waits.
    standing: Mutex<Standing>,
}

/// Where a counter stands, as last submitted.
struct Position {
    days: SourceDays,
    generation: u64,
    stored: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Default)]
struct Standing {
    day: u32,
    subjects: u64,
    rows: u64,
    rejected: u64,
}

/// A batch that counts towards a quota of the day.
pub(crate) struct Counted {
    counter: Arc<Counter>,
    quota: Quota,
    key: Vec<u8>,
    hasher: SipHasher24,
}

/// What of a batch counts.
pub(crate) struct Seen {
    rows: u64,
    rejected: u64,
    /// Keyed hashes by namespace, where subjects are limited.
    subjects: Vec<(NamespaceId, Vec<u64>)>,
}

impl Quotas {
    /// Counts a batch towards the requests of the minute. `None`: nothing else of it counts.
    ///
    /// # Errors
    /// [`Reason::QuotaRequests`].
    pub(crate) fn admit(
        &self,
        chain: &Chain,
        source: &OrganisationId,
        seal: &StateSeal,
        now: Timestamp,
    ) -> Result<Option<Counted>, Refusal> {
        let quota = chain.quota(source);
        if quota.is_unlimited() {
            return Ok(None);
        }
        let counter = self.of(chain.id(), source);
        if let Some(limit) = quota.requests_per_minute {
            counter.requests().take(now, limit).map_err(|used| {
                let stands =
                    format!("at most {limit} batches a minute; {used} came in the last minute");
                Refusal::field(Reason::QuotaRequests, "quota.requests_per_minute", stands)
            })?;
        }
        if quota.subjects_per_day.is_none() && quota.rejected_percent.is_none() {
            return Ok(None);
        }
        let digest = seal.fingerprint(&[
            b"quota",
            chain.id().as_str().as_bytes(),
            source.as_str().as_bytes(),
        ]);
        let (hash_key, _) = digest
            .split_first_chunk::<16>()
            .expect("a digest has 32 bytes");
        let key = rows::quota_key(chain.id(), source);
        Ok(Some(Counted {
            counter,
            quota,
            key,
            hasher: SipHasher24::new_with_key(hash_key),
        }))
    }

    fn of(&self, chain: &ChainId, source: &OrganisationId) -> Arc<Counter> {
        self.lock()
            .entry((chain.clone(), source.clone()))
            .or_insert_with(|| Arc::new(Counter::new()))
            .clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(ChainId, OrganisationId), Arc<Counter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// What counts: rows with identifiers, those with a refused identifier, and the subjects of the others, also
    /// the ones of rows that were refused for another column.
    pub(crate) fn seen<'a, L: Iterator<Item = &'a LinkValue>>(
        &self,
        rows: usize,
        rejected: usize,
        links: impl Iterator<Item = (&'a NamespaceId, L)>,
    ) -> Seen {
        let subjects = match self.quota.subjects_per_day {
            Some(_) => links
                .map(|(namespace, links)| {
                    let hashes = links.map(|link| self.hasher.hash(link.expose()));
                    (namespace.clone(), hashes.collect())
                })
                .collect(),
            None => Vec::new(),
        };
        Seen {
            rows: rows as u64,
            rejected: rejected as u64,
            subjects,
        }
    }

    /// Counts a batch and submits its commit with the counts in it.
    ///
    /// The counter's lock is held until the commit is in the store's queue, so that commits are queued in the order
    /// of their counts; for the subjects of a refused batch until they are durable.
    ///
    /// # Errors
    /// [`Reason::QuotaSubjects`], [`Reason::QuotaRejected`]; the errors of the counter. Nothing of the batch was
    /// submitted then; its subjects count if it was refused for what was rejected.
    pub(crate) fn charge(
        self,
        store: &dyn Store,
        seal: &StateSeal,
        now: Timestamp,
        seen: &Seen,
        mut commit: Commit,
        done: Completion,
    ) -> Result<(), Refusal> {
        if seen.rows == 0 {
            store.submit(commit, done);
            return Ok(());
        }
        let mut guard = self.counter.position();
        let position = match &mut *guard {
            Some(position) => position,
            empty => empty.insert(read(store, seal, &self.key)?),
        };
        let today = days::number(now);
        let present = position.days.get(today);
        let mut next = present.map_or_else(|| Day::begin(today), Day::clone);
        let before = Standing::of(&next);
        next.add(0, 0, &seen.subjects);
        self.check_subjects(&before, &Standing::of(&next))?;
        let tried = (!seen.subjects.is_empty()).then(|| next.clone());
        next.add(seen.rows, seen.rejected, &[]);
        let standing = Standing::of(&next);
        if let Err(refusal) = self.check_rejected(&before, &standing) {
            // Subjects that a source names count all the same, or it could try out for nothing what refuses rows.
            if let Some(tried) = tried {
                let (mut alone, standing) = (Commit::default(), Standing::of(&tried));
                position.put(&self.key, today, tried, seal, &mut alone);
                self.counter.stale.store(true, Ordering::Release);
                store.commit(alone)?;
                *self.counter.standing() = standing;
            }
            return Err(refusal);
        }
        position.put(&self.key, today, next, seal, &mut commit);
        let of_batch = self.counter.clone();
        store.submit(
            commit,
            Box::new(move |result| {
                match result {
                    Ok(_) => *of_batch.standing() = standing,
                    Err(_) => of_batch.stale.store(true, Ordering::Release),
                }
                done(result);
            }),
        );
        drop(guard);
        Ok(())
    }

    fn check_subjects(&self, before: &Standing, after: &Standing) -> Result<(), Refusal> {
        match self.quota.subjects_per_day {
            Some(limit) if after.subjects > limit => {
                let stands = format!(
                    "at most {limit} subjects a day; {} are counted today, {} with this batch",
                    before.subjects, after.subjects
                );
                Err(Refusal::field(
                    Reason::QuotaSubjects,
                    "quota.subjects_per_day",
                    stands,
                ))
            }
            _ => Ok(()),
        }
    }

    /// Does not say how much of this batch was rejected: it may be about whether an old pseudonym is someone's.
    fn check_rejected(&self, before: &Standing, after: &Standing) -> Result<(), Refusal> {
        match self.quota.rejected_percent {
            Some(limit)
                if after.rows >= MIN_ROWS_FOR_REJECTED_PERCENT
                    && u128::from(after.rejected) * 100
                        > u128::from(after.rows) * u128::from(limit) =>
            {
                let Standing { rows, rejected, .. } = before;
                let stands = format!(
                    "at most {limit} percent; {rejected} of {rows} rows before this batch were rejected"
                );
                Err(Refusal::field(
                    Reason::QuotaRejected,
                    "quota.rejected_percent",
                    stands,
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Position {
    /// Adds the next counts of `today` to a commit.
    fn put(&mut self, key: &[u8], today: u32, next: Day, seal: &StateSeal, commit: &mut Commit) {
        self.days.set(today, next);
        self.generation += 1;
        let value = day::encode(&self.days);
        let sealed = seal.seal(Family::Quota, key, self.generation, &value);
        commit.expect(Family::Quota, key, self.stored.take()).put(
            Family::Quota,
            key,
            sealed.clone(),
        );
        self.stored = Some(sealed);
    }
}

impl Standing {
    fn of(day: &Day) -> Self {
        Self {
            day: day.number,
            subjects: day.subjects(),
            rows: day.rows,
            rejected: day.rejected,
        }
    }
}

impl Counter {
    fn new() -> Self {
        Self {
            position: Mutex::default(),
            stale: AtomicBool::default(),
            requests: Mutex::new(Window::empty()),
            standing: Mutex::default(),
        }
    }

    fn position(&self) -> MutexGuard<'_, Option<Position>> {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stale.swap(false, Ordering::AcqRel) {
            *position = None;
        }
        position
    }

    fn requests(&self) -> MutexGuard<'_, Window> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shares of the limits that are used now, by name.
    fn fill(&self, quota: Quota, now: Timestamp) -> [(&'static str, f64); 3] {
        let standing = Some(*self.standing())
            .filter(|standing| standing.day == days::number(now))
            .unwrap_or_default();
        let looked_at = standing.rows >= MIN_ROWS_FOR_REJECTED_PERCENT;
        let percent = quota
            .rejected_percent
            .filter(|_| looked_at)
            .map(|percent| f64::from(percent) / 100.0);
        let requests = self.requests().used(now);
        [
            (
                "subjects",
                share(
                    standing.subjects,
                    quota.subjects_per_day.map(|limit| limit as f64),
                ),
            ),
            (
                "rejected",
                share(
                    standing.rejected,
                    percent.map(|percent| percent * standing.rows as f64),
                ),
            ),
            (
                "requests",
                share(requests, quota.requests_per_minute.map(f64::from)),
            ),
        ]
    }
}

fn share(used: u64, limit: Option<f64>) -> f64 {
    limit.map_or(0.0, |limit| used as f64 / limit)
}

impl Batches {
    /// How full the quotas are of all sources that have submitted something since the start. Does not wait for the
    /// store.
    pub fn quota_fill(&self) -> Vec<QuotaFill> {
        let (registry, now) = (self.snapshot().registry.clone(), self.now());
        let counters: Vec<_> = self
            .quotas
            .lock()
            .iter()
            .map(|(of, counter)| (of.clone(), counter.clone()))
            .collect();
        let mut fills = Vec::with_capacity(counters.len() * 3);
        for ((chain, organisation), counter) in counters {
            let quota = registry
                .registry
                .chain(&chain)
                .map_or_else(Quota::default, |chain| chain.quota(&organisation));
            for (limit, ratio) in counter.fill(quota, now) {
                fills.push(QuotaFill {
                    chain: chain.clone(),
                    organisation: organisation.clone(),
                    limit,
                    ratio,
                });
            }
        }
        fills
    }
}

fn read(store: &dyn Store, seal: &StateSeal, key: &[u8]) -> Result<Position, KeyringError> {
    let Some(stored) = store.get(Family::Quota, key)? else {
        return Ok(Position {
            days: SourceDays::default(),
            generation: 0,
            stored: None,
        });
    };
    let (generation, value) = seal.open(Family::Quota, key, &stored)?;
    let days = day::decode(&value).map_err(|_| KeyringError::Corrupt("quota"))?;
    Ok(Position {
        days,
        generation,
        stored: Some(stored),
    })
}
