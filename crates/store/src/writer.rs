//! The one thread that writes: takes groups of commits, checks their expectations, numbers their audit entries,
//! writes each group at once and completes it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use sluis_domain::port::store::{
    Commit, Completion, Expectation, Family, Range, Receipt, StoreError,
};

use crate::layout;
use crate::queue::{Job, Queue};

/// What the writer writes to.
pub(crate) trait Backend: Send + 'static {
    /// The durable value of a key.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes the whole group or nothing, and syncs.
    fn write(&self, group: &[Placed]) -> Result<(), StoreError>;
}

/// A commit whose expectations hold, with the sequence of its first audit entry.
pub(crate) struct Placed {
    pub(crate) commit: Commit,
    pub(crate) first_entry: u64,
}

/// What the writer thread and its store both look at.
pub(crate) struct Shared {
    queue: Queue,
    /// Next audit sequence number; all before it are durable.
    next_entry: AtomicU64,
    /// Why nothing is written any more; set by a failed write or by corruption that a read met.
    failure: Arc<OnceLock<String>>,
}

/// Handle of the thread. Dropping it writes what was submitted and ends the thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. Once `failure` is set, by anybody, nothing is written any more.
    pub(crate) fn start(
        backend: impl Backend,
        next_entry: u64,
        options: &crate::Options,
        failure: Arc<OnceLock<String>>,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            queue: Queue::new(options),
            next_entry: AtomicU64::new(next_entry),
            failure,
        });
        let seen_by_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(&backend, &seen_by_thread))
            .map_err(|error| StoreError::Io(format!("the writer thread did not start: {error}")))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Queues a commit.
    pub(crate) fn submit(&self, commit: Commit, done: Completion) {
        self.shared.queue.push(Job::new(commit, done));
    }

    /// Next audit sequence number.
    pub(crate) fn next_entry(&self) -> u64 {
        self.shared.next_entry.load(Ordering::Acquire)
    }

    /// Whether commits are still taken.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        self.shared.writable()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(thread) = self.thread.take() {
            // The thread does not panic: completions are caught.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn writable(&self) -> Result<(), StoreError> {
        self.failure
            .get()
            .map_or(Ok(()), |reason| Err(StoreError::ReadOnly(reason.clone())))
    }
}

fn run(backend: &impl Backend, shared: &Shared) {
    loop {
        let jobs = shared.queue.take_group();
        if jobs.is_empty() {
            return;
        }
        for (done, outcome) in write_group(backend, shared, jobs) {
            // A completion that panics must not stop the commits of everybody else.
            drop(catch_unwind(AssertUnwindSafe(|| done(outcome))));
        }
    }
}

type Outcome = (Completion, Result<Receipt, StoreError>);

fn write_group(backend: &impl Backend, shared: &Shared, jobs: Vec<Job>) -> Vec<Outcome> {
    let mut placed = Vec::with_capacity(jobs.len());
    let mut outcomes = Vec::with_capacity(jobs.len());
    let mut next = shared.next_entry.load(Ordering::Acquire);
    for Job { commit, done, .. } in jobs {
        let admitted = shared.writable().and_then(|()| {
            // A read that panics must refuse one commit, not end the thread and with it all that wait.
            catch_unwind(AssertUnwindSafe(|| admit(backend, &placed, &commit)))
                .unwrap_or_else(|_| Err(StoreError::Io("reading an expectation panicked".into())))
        });
        outcomes.push((done, admitted.map(|()| Receipt { first_entry: next })));
        if outcomes.last().is_some_and(|(_, outcome)| outcome.is_ok()) {
            let first_entry = next;
            next += commit.entries.len() as u64;
            placed.push(Placed {
                commit,
                first_entry,
            });
        }
    }
    if placed.is_empty() {
        return outcomes;
    }
    let written = catch_unwind(AssertUnwindSafe(|| backend.write(&placed)));
    match written.unwrap_or_else(|_| Err(StoreError::Io("the write panicked".into()))) {
        Ok(()) => {
            shared.next_entry.store(next, Ordering::Release);
            outcomes
        }
        Err(error) => fail_group(shared, &error, outcomes),
    }
}

/// Nobody knows what of a failed write is on disk, and a second fsync would lie: no more writes, for ever. Refusals of
/// the group go with it, because they may rest on commits that were not written.
fn fail_group(shared: &Shared, error: &StoreError, outcomes: Vec<Outcome>) -> Vec<Outcome> {
    let reason = shared.failure.get_or_init(|| error.to_string());
    outcomes
        .into_iter()
        .map(|(done, _)| (done, Err(StoreError::ReadOnly(reason.clone()))))
        .collect()
}

fn admit(backend: &impl Backend, earlier: &[Placed], commit: &Commit) -> Result<(), StoreError> {
    check_layout(commit)?;
    for expectation in &commit.expect {
        let Expectation { family, key, value } = expectation;
        let holds = match pending(earlier, *family, key) {
            Some(pending) => pending == value.as_deref(),
            None => backend.get(*family, key)? == *value,
        };
        if !holds {
            return Err(StoreError::Conflict);
        }
    }
    Ok(())
}

fn check_layout(commit: &Commit) -> Result<(), StoreError> {
    for write in &commit.writes {
        if let Some(value) = &write.value {
            layout::check_row(write.family, &write.key, value)?;
        }
    }
    let audit_rows = commit
        .rows
        .iter()
        .any(|rows| rows.family() == Family::Audit);
    let removed = commit
        .removals
        .iter()
        .any(|range| range.family == Family::Audit);
    if audit_rows
        || removed
        || commit
            .writes
            .iter()
            .any(|write| write.family == Family::Audit)
    {
        return Err(StoreError::Corrupt(
            "audit entries can only be appended".into(),
        ));
    }
    for rows in &commit.rows {
        rows.iter()
            .try_for_each(|(key, value)| layout::check_row(rows.family(), key, value))?;
    }
    let key = layout::audit_key(0);
    commit
        .entries
        .iter()
        .try_for_each(|entry| layout::check_row(Family::Audit, &key, entry))
}

/// What earlier commits of the group make of a key: `Some(None)` if they remove it, `None` if they leave it alone.
/// Groups are small and expectations few; bulk rows are walked only for an expectation on their own family.
fn pending<'a>(earlier: &'a [Placed], family: Family, key: &[u8]) -> Option<Option<&'a [u8]>> {
    earlier.iter().rev().find_map(|placed| {
        if family == Family::Audit {
            let index = layout::audit_sequence(key)
                .ok()?
                .checked_sub(placed.first_entry)?;
            return placed
                .commit
                .entries
                .get(usize::try_from(index).ok()?)
                .map(|entry| Some(entry.as_slice()));
        }
        let rows = placed
            .commit
            .rows
            .iter()
            .rev()
            .filter(|rows| rows.family() == family);
        let mut found = rows.filter_map(|rows| rows.iter().filter(|(k, _)| *k == key).last());
        let row = found.next().map(|(_, value)| Some(value));
        let mut writes = placed.commit.writes.iter().rev();
        let write = || {
            writes
                .find(|w| w.family == family && w.key == key)
                .map(|w| w.value.as_deref())
        };
        let covers =
            |r: &Range| r.family == family && (r.from.as_slice()..r.to.as_slice()).contains(&key);
        let removed = || placed.commit.removals.iter().any(covers).then_some(None);
        row.or_else(write).or_else(removed)
    })
}

#[cfg(test)]
mod tests;
