//! A store that fails when told to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use sluis_domain::Column;
use sluis_port::store::{
    Commit, Completion, Condition, Family, LogEnd, Range, Receipt, Recovered, Row, Store,
    StoreError,
};

/// Any store, with faults. All methods that set a fault may be called at any time, from any thread.
pub struct FaultyStore<S> {
    inner: S,
    faults: Arc<Mutex<Faults>>,
    /// Said when reads are held back no more.
    go_on: Condvar,
}

#[derive(Default)]
struct Faults {
    /// Commits seen so far.
    commits: u64,
    /// Number of a commit to come -> how it fails.
    failing: BTreeMap<u64, StoreError>,
    /// Error of all reads of a family, by its number.
    unreadable: BTreeMap<u8, StoreError>,
    /// Families with the next value read damaged.
    damaged: BTreeSet<u8>,
    /// Families with reads that wait.
    unread: BTreeSet<u8>,
    /// Families of which the next read is to wait.
    next_unread: BTreeSet<u8>,
    /// Families with one read that waits, and others that do not.
    one_unread: BTreeSet<u8>,
    /// Reads that wait now.
    reading: usize,
    holding: bool,
    held: Vec<(Completion, Result<Receipt, StoreError>)>,
    /// Error of all rewriting.
    uncompacted: Option<StoreError>,
    /// Set by the first failed commit that is not a conflict.
    read_only: Option<String>,
}

impl<S: Store> FaultyStore<S> {
    /// `inner`, without faults so far.
    pub fn new(inner: S) -> Self {
        Self {
            inner,
            faults: Arc::default(),
            go_on: Condvar::new(),
        }
    }

    /// The store inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Fails the `nth` commit from now (1 = the next) with `error`; nothing of it is written. After any error but
    /// [`StoreError::Conflict`] the store stays read-only.
    pub fn fail_commit(&self, nth: u64, error: StoreError) {
        let mut faults = self.faults();
        let number = faults.commits + nth;
        faults.failing.insert(number, error);
    }

    /// Fails all reads of `family` with `error`.
    pub fn fail_reads(&self, family: Family, error: StoreError) {
        self.faults().unreadable.insert(family as u8, error);
    }

    /// Reads of `family` work again.
    pub fn mend_reads(&self, family: Family) {
        self.faults().unreadable.remove(&(family as u8));
    }

    /// From now on reads of `family` wait for [`Self::release_reads`].
    pub fn hold_reads(&self, family: Family) {
        self.faults().unread.insert(family as u8);
    }

    /// The next read of `family` waits for [`Self::release_reads`], and none after it.
    pub fn hold_next_read(&self, family: Family) {
        self.faults().next_unread.insert(family as u8);
    }

    /// Lets the reads of `family` go on, and holds no more.
    pub fn release_reads(&self, family: Family) {
        let mut faults = self.faults();
        faults.unread.remove(&(family as u8));
        faults.one_unread.remove(&(family as u8));
        self.go_on.notify_all();
    }

    /// Number of reads that wait.
    pub fn reading(&self) -> usize {
        self.faults().reading
    }

    /// Fails all rewriting of files with `error`, or lets it work again.
    pub fn fail_compactions(&self, error: Option<StoreError>) {
        self.faults().uncompacted = error;
    }

    /// Flips the last bit of the next value of `family` that is read (of the first one present, where many are).
    pub fn damage_next_read(&self, family: Family) {
        self.faults().damaged.insert(family as u8);
    }

    /// From now on commits become durable but their completions wait for [`Self::release_completions`].
    pub fn hold_completions(&self) {
        self.faults().holding = true;
    }

    /// Runs the completions held back, in order, on this thread, and holds no more.
    pub fn release_completions(&self) {
        let held = {
            let mut faults = self.faults();
            faults.holding = false;
            std::mem::take(&mut faults.held)
        };
        held.into_iter().for_each(|(done, outcome)| done(outcome));
    }

    /// Number of completions held back.
    pub fn held(&self) -> usize {
        self.faults().held.len()
    }

    /// Number of commits submitted so far.
    pub fn commits(&self) -> u64 {
        self.faults().commits
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    fn readable(&self, family: Family) -> Result<(), StoreError> {
        let family = family as u8;
        let mut faults = self.faults();
        faults.reading += 1;
        let first = faults.next_unread.remove(&family);
        if first {
            faults.one_unread.insert(family);
        }
        let held = |faults: &mut Faults| {
            faults.unread.contains(&family) || first && faults.one_unread.contains(&family)
        };
        faults = self
            .go_on
            .wait_while(faults, held)
            .unwrap_or_else(PoisonError::into_inner);
        faults.reading -= 1;
        faults.unreadable.get(&family).cloned().map_or(Ok(()), Err)
    }

    fn damage(&self, family: Family, value: &mut [u8]) {
        if let Some(last) = value.last_mut()
            && self.faults().damaged.remove(&(family as u8))
        {
            *last ^= 1;
        }
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.readable(family)?;
        let mut value = self.inner.get(family, key)?;
        value
            .iter_mut()
            .for_each(|value| self.damage(family, value));
        Ok(value)
    }

    fn get_many(&self, family: Family, key_len: usize, keys: &[u8]) -> Result<Column, StoreError> {
        self.readable(family)?;
        let column = self.inner.get_many(family, key_len, keys)?;
        let values = column.iter().map(|value| {
            let mut value = value.to_vec();
            self.damage(family, &mut value);
            value
        });
        Ok(Column::from_values(values))
    }

    fn scan(&self, family: Family, start: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        self.readable(family)?;
        let mut rows = self.inner.scan(family, start, limit)?;
        rows.iter_mut()
            .for_each(|(_, value)| self.damage(family, value));
        Ok(rows)
    }

    fn submit(&self, commit: Commit, done: Completion) {
        let faults = Arc::clone(&self.faults);
        let refused = lock(&faults).admit();
        let done: Completion = Box::new(move |outcome| complete(&faults, done, outcome));
        match refused {
            // The inner store completes it, with nothing written: in order, and from a thread of its own.
            Err(error) => self
                .inner
                .submit(Commit::default(), Box::new(move |_| done(Err(error)))),
            Ok(()) => self.inner.submit(commit, done),
        }
    }

    fn protect_end(&self, end: Weak<dyn LogEnd>) {
        self.inner.protect_end(end);
    }

    fn compact(&self, range: &Range) -> Result<(), StoreError> {
        let failing = self.faults().uncompacted.clone();
        failing.map_or_else(|| self.inner.compact(range), Err)
    }

    fn condition(&self) -> Condition {
        self.inner.condition()
    }

    fn recover(&self, before: &dyn Fn(Recovered)) -> Result<Recovered, StoreError> {
        self.inner.recover(before)
    }

    fn entries(&self) -> u64 {
        self.inner.entries()
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.faults().writable()?;
        self.inner.writable()
    }

    fn backup(&self, directory: &Path) -> Result<u64, StoreError> {
        self.inner.backup(directory)
    }
}

impl Faults {
    fn admit(&mut self) -> Result<(), StoreError> {
        self.commits += 1;
        self.writable()?;
        let Some(error) = self.failing.remove(&self.commits) else {
            return Ok(());
        };
        if error != StoreError::Conflict {
            self.read_only = Some(error.to_string());
        }
        Err(error)
    }

    fn writable(&self) -> Result<(), StoreError> {
        self.read_only
            .clone()
            .map_or(Ok(()), |reason| Err(StoreError::ReadOnly(reason)))
    }
}

fn complete(faults: &Mutex<Faults>, done: Completion, outcome: Result<Receipt, StoreError>) {
    let mut faults = lock(faults);
    if faults.holding {
        faults.held.push((done, outcome));
    } else {
        drop(faults);
        done(outcome);
    }
}

fn lock(faults: &Mutex<Faults>) -> MutexGuard<'_, Faults> {
    faults.lock().unwrap_or_else(PoisonError::into_inner)
}
