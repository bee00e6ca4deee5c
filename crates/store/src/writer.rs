//! The one thread that writes: takes groups of commits, checks their expectations, numbers their audit entries,
//! writes each group at once and completes it. A second thread watches it: if the work on a group does not end in time, it
//! tells the callers that nothing was done, or, once the write began, that the outcome is unknown, and a new writer refuses
//! what comes after.

mod watch;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sluis_port::store::{
    Commit, Completion, Expectation, Family, LogEnd, Receipt, StoreError, Write,
};

use crate::queue::{Job, Queue};
use crate::trouble::Trouble;
use sluis_port::rows;

/// How often a writer looks whether a stall is over.
const PAUSE: Duration = Duration::from_millis(20);

/// What the writer writes to.
pub(crate) trait Backend: Clone + Send + 'static {
    /// The durable value of a key.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether a write would go through now; does not wait.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Stalled`].
    fn ready(&self) -> Result<(), StoreError>;

    /// What is made ready before a group is written.
    type Prepared<'a>
    where
        Self: 'a;

    /// Makes a group ready. If that fails, nothing was done.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Io`].
    fn prepare(&self, group: &[Placed]) -> Result<Self::Prepared<'_>, StoreError>;

    /// Writes the whole group or nothing, and syncs.
    fn write(&self, group: &[Placed], prepared: Self::Prepared<'_>) -> Result<(), StoreError>;

    /// All that was written so far, with so many audit entries, is marked on disk as about to be acknowledged.
    fn mark(&self, entries: u64);

    /// All that was written so far, with so many audit entries, is acknowledged.
    fn acknowledge(&self, entries: u64);
}

/// A commit with expectations that hold, with the sequence of its first audit entry.
pub(crate) struct Placed {
    pub(crate) commit: Commit,
    pub(crate) first_entry: u64,
}

/// What the writer thread, the thread that watches it and their store all look at.
pub(crate) struct Shared {
    queue: Queue,
    /// Next audit sequence number; all before it are durable.
    next_entry: AtomicU64,
    /// Moves the row on that says how the audit log ends.
    log_end: Mutex<Option<Weak<dyn LogEnd>>>,
    /// Why nothing is written, if nothing is.
    trouble: Arc<Trouble>,
    /// The group that is being worked on. The thread that takes it out completes it.
    in_flight: Mutex<Option<InFlight>>,
    next_ticket: AtomicU64,
    closed: AtomicBool,
    /// Said at the end, to the thread that watches.
    ends: Condvar,
    longest_stall: Duration,
    longest_write: Duration,
}

/// A group that the writer works on. Reads, the write and the mark of the last commit can hang, each of them.
struct InFlight {
    /// Given to each group, so that a writer that was given up never completes another's.
    ticket: u64,
    /// When its work began, or its write.
    since: Instant,
    stage: Stage,
}

enum Stage {
    /// Nothing of it is written yet: expectations are read, or a stall is waited out.
    Prepared(Vec<Completion>),
    /// It may be on disk, or not.
    Written(Vec<Outcome>),
}

/// Handle of the threads. Dropping it writes what was submitted and ends them; a write that hangs is left behind.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    watch: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the threads. As long as there is `trouble`, no matter who met it, nothing is written.
    pub(crate) fn start(
        backend: impl Backend,
        next_entry: u64,
        options: &crate::Options,
        trouble: Arc<Trouble>,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            queue: Queue::new(options),
            next_entry: AtomicU64::new(next_entry),
            log_end: Mutex::default(),
            trouble,
            in_flight: Mutex::new(None),
            next_ticket: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            ends: Condvar::new(),
            longest_stall: options.longest_stall,
            longest_write: options.longest_write,
        });
        let writer = spawn(backend.clone(), Arc::clone(&shared))?;
        let watched = Arc::clone(&shared);
        let watch = std::thread::Builder::new()
            .name("store-watch".into())
            .spawn(move || watch::watch(&backend, &watched, writer))
            .map_err(not_started)?;
        Ok(Self {
            shared,
            watch: Some(watch),
        })
    }

    /// Queues a commit.
    pub(crate) fn submit(&self, commit: Commit, done: Completion) {
        // What protects the end of the log lives until the commit is written.
        let end = self.shared.log_end().as_ref().and_then(Weak::upgrade);
        let done: Completion = Box::new(move |outcome| {
            drop(end);
            done(outcome);
        });
        self.shared.queue.push(Job::new(commit, done));
    }

    /// See [`sluis_port::Store::protect_end`].
    pub(crate) fn protect_end(&self, end: Weak<dyn LogEnd>) {
        *self.shared.log_end() = Some(end);
    }

    /// Next audit sequence number.
    pub(crate) fn next_entry(&self) -> u64 {
        self.shared.next_entry.load(Ordering::Acquire)
    }

    /// The store was opened again and has so many audit entries. Only while nothing is written.
    pub(crate) fn go_on_from(&self, next_entry: u64) {
        self.shared.next_entry.store(next_entry, Ordering::Release);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue.close();
        {
            let _in_flight = self.shared.in_flight();
            self.shared.closed.store(true, Ordering::Release);
        }
        self.shared.ends.notify_all();
        if let Some(watch) = self.watch.take() {
            // The thread does not panic: completions are caught.
            drop(watch.join());
        }
    }
}

impl Shared {
    fn log_end(&self) -> MutexGuard<'_, Option<Weak<dyn LogEnd>>> {
        self.log_end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn in_flight(&self) -> MutexGuard<'_, Option<InFlight>> {
        self.in_flight
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A group is about to be looked at.
    fn begin(&self, callers: Vec<Completion>) -> u64 {
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        *self.in_flight() = Some(InFlight {
            ticket,
            since: Instant::now(),
            stage: Stage::Prepared(callers),
        });
        ticket
    }

    /// Nothing of a group is to be written. `None` if its callers were told already that it took too long.
    fn end_unwritten(
        &self,
        ticket: u64,
        results: Vec<Result<Receipt, StoreError>>,
    ) -> Option<Vec<Outcome>> {
        let group = self.in_flight().take_if(|group| group.ticket == ticket)?;
        match group.stage {
            Stage::Prepared(callers) => Some(callers.into_iter().zip(results).collect()),
            Stage::Written(_) => None,
        }
    }

    /// A group is about to be written, and what its callers get if that succeeds. `None` if they were told already that it
    /// took too long: then it must not be written.
    fn begin_write(&self, ticket: u64, results: Vec<Result<Receipt, StoreError>>) -> Option<()> {
        let mut in_flight = self.in_flight();
        let group = in_flight.as_mut().filter(|group| group.ticket == ticket)?;
        if let Stage::Prepared(callers) = &mut group.stage {
            let outcomes = std::mem::take(callers).into_iter().zip(results).collect();
            group.stage = Stage::Written(outcomes);
        }
        group.since = Instant::now();
        Some(())
    }

    /// The write of a group has ended; `None` if its callers were told already that it took too long.
    fn end(&self, ticket: u64) -> Option<Vec<Outcome>> {
        let group = self.in_flight().take_if(|group| group.ticket == ticket)?;
        match group.stage {
            Stage::Written(outcomes) => Some(outcomes),
            Stage::Prepared(_) => None,
        }
    }
}

fn spawn(backend: impl Backend, shared: Arc<Shared>) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || run(&backend, &shared))
        .map_err(not_started)
}

fn not_started(error: std::io::Error) -> StoreError {
    StoreError::Io(format!("a thread of the store did not start: {error}"))
}

fn run(backend: &impl Backend, shared: &Shared) {
    loop {
        let jobs = shared.queue.take_group();
        if jobs.is_empty() {
            return;
        }
        match write_group(backend, shared, jobs) {
            Some(outcomes) => complete(outcomes),
            // The write took too long, its callers were told, and another thread writes now.
            None => return,
        }
    }
}

fn complete(outcomes: Vec<Outcome>) {
    for (done, outcome) in outcomes {
        // A completion that panics must not stop the commits of everyone else.
        drop(catch_unwind(AssertUnwindSafe(|| done(outcome))));
    }
}

type Outcome = (Completion, Result<Receipt, StoreError>);

/// The outcomes of a group; `None` if this thread was given up meanwhile.
fn write_group(backend: &impl Backend, shared: &Shared, jobs: Vec<Job>) -> Option<Vec<Outcome>> {
    let (commits, callers): (Vec<_>, Vec<_>) =
        jobs.into_iter().map(|job| (job.commit, job.done)).unzip();
    let ticket = shared.begin(callers);
    let ready = wait_until_ready(backend, shared);
    let mut placed = Vec::with_capacity(commits.len());
    let mut results = Vec::with_capacity(commits.len());
    let mut next = shared.next_entry.load(Ordering::Acquire);
    for commit in commits {
        let admitted = ready.clone().and_then(|()| {
            // A read that panics must refuse one commit, not end the thread and with it all that wait.
            catch_unwind(AssertUnwindSafe(|| admit(backend, &placed, &commit)))
                .unwrap_or_else(|_| Err(StoreError::Io("reading an expectation panicked".into())))
        });
        let first_entry = next;
        if admitted.is_ok() {
            next += commit.entries.len() as u64;
            placed.push(Placed {
                commit,
                first_entry,
            });
        }
        results.push(admitted.map(|()| Receipt { first_entry }));
    }
    if placed.is_empty() {
        return shared.end_unwritten(ticket, results);
    }
    let prepared = next_end(backend, shared, &placed).and_then(|end| {
        if let Some(last) = placed.last_mut() {
            last.commit.writes.extend(end);
        }
        let prepared = catch_unwind(AssertUnwindSafe(|| backend.prepare(&placed)));
        prepared.unwrap_or_else(|_| Err(StoreError::Io("preparing a write panicked".into())))
    });
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            let refused = results
                .into_iter()
                .map(|result| result.and(Err(error.clone())));
            return shared.end_unwritten(ticket, refused.collect());
        }
    };
    shared.begin_write(ticket, results)?;
    let written = catch_unwind(AssertUnwindSafe(|| {
        let written = backend.write(&placed, prepared);
        written.inspect(|()| backend.mark(next))
    }));
    let outcomes = shared.end(ticket)?;
    match written.unwrap_or_else(|_| Err(StoreError::Io("the write panicked".into()))) {
        Ok(()) => {
            backend.acknowledge(next);
            shared.next_entry.store(next, Ordering::Release);
            Some(outcomes)
        }
        Err(error) => Some(fail_group(shared, &error, outcomes)),
    }
}

/// The row that says how the audit log ends after a group, if it is protected.
fn next_end(
    backend: &impl Backend,
    shared: &Shared,
    group: &[Placed],
) -> Result<Option<Write>, StoreError> {
    let Some(end) = shared.log_end().as_ref().and_then(Weak::upgrade) else {
        return Ok(None);
    };
    let entries = group.iter().flat_map(|placed| &placed.commit.entries);
    let entries: Vec<_> = entries.map(Vec::as_slice).collect();
    let Some(first) = group.first().filter(|_| !entries.is_empty()) else {
        return Ok(None);
    };
    let stored;
    let before = match pending(group, Family::Meta, rows::META_LOG_END) {
        Some(moved) => moved,
        None => {
            stored = backend.get(Family::Meta, rows::META_LOG_END)?;
            stored.as_deref()
        }
    };
    let after = end.after(before, first.first_entry, &entries);
    Ok(after.map(|after| Write {
        family: Family::Meta,
        key: rows::META_LOG_END.to_vec(),
        value: Some(after),
    }))
}

/// Waits while writes are held back, but not if they have been for too long already.
fn wait_until_ready(backend: &impl Backend, shared: &Shared) -> Result<(), StoreError> {
    let started = Instant::now();
    loop {
        shared.trouble.usable()?;
        let ready = backend.ready();
        let may_end = matches!(ready, Err(StoreError::Stalled(_)))
            && !shared.trouble.is_passing()
            && !shared.closed.load(Ordering::Acquire);
        if may_end && started.elapsed() < shared.longest_stall {
            std::thread::park_timeout(PAUSE);
            continue;
        }
        shared.trouble.pass(ready.clone().err());
        return ready;
    }
}

/// It is unknown what of a failed write is on disk, and a second fsync would lie: nothing more is written before the store
/// was opened again. A commit of the group that was refused may rest on commits that were not written.
fn fail_group(shared: &Shared, error: &StoreError, outcomes: Vec<Outcome>) -> Vec<Outcome> {
    shared.trouble.fail(error);
    let text = error.to_string();
    let mut failed = Vec::with_capacity(outcomes.len());
    for (done, outcome) in outcomes {
        let error = match outcome {
            Ok(_) => StoreError::Unknown(text.clone()),
            Err(_) => StoreError::ReadOnly(text.clone()),
        };
        failed.push((done, Err(error)));
    }
    failed
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
            rows::check_row(write.family, &write.key, value)?;
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
            .try_for_each(|(key, value)| rows::check_row(rows.family(), key, value))?;
    }
    let key = rows::audit_key(0);
    commit
        .entries
        .iter()
        .try_for_each(|entry| rows::check_row(Family::Audit, &key, entry))
}

/// What earlier commits of the group make of a key: `Some(None)` if they remove it, `None` if they leave it alone.
/// Groups are small and expectations few; bulk rows are walked only for an expectation on their own family.
fn pending<'a>(earlier: &'a [Placed], family: Family, key: &[u8]) -> Option<Option<&'a [u8]>> {
    earlier.iter().rev().find_map(|placed| {
        if family == Family::Audit {
            let index = rows::audit_sequence(key)
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
        if let Some((_, value)) = found.next() {
            return Some(Some(value));
        }
        let mut writes = placed.commit.writes.iter().rev();
        if let Some(write) = writes.find(|w| w.family == family && w.key == key) {
            return Some(write.value.as_deref());
        }
        let mut removals = placed.commit.removals.iter();
        let removed = removals
            .any(|r| r.family == family && (r.from.as_slice()..r.to.as_slice()).contains(&key));
        removed.then_some(None)
    })
}

#[cfg(test)]
mod tests;
