//! The bounded queue between `submit` and the writer thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sluis_port::store::{Commit, Completion};

use crate::Options;

/// A submitted commit.
pub(crate) struct Job {
    pub(crate) commit: Commit,
    pub(crate) done: Completion,
    bytes: usize,
}

impl Job {
    /// A job, with its size taken once.
    pub(crate) fn new(commit: Commit, done: Completion) -> Self {
        let expected = commit
            .expect
            .iter()
            .map(|e| e.key.len() + e.value.as_ref().map_or(0, Vec::len));
        let written = commit
            .writes
            .iter()
            .map(|w| w.key.len() + w.value.as_ref().map_or(0, Vec::len));
        let rows = commit.rows.iter().map(|rows| rows.bytes());
        let entries = commit.entries.iter().map(Vec::len);
        let bytes = expected.chain(written).chain(rows).chain(entries).sum();
        Self {
            commit,
            done,
            bytes,
        }
    }
}

/// First in, first out; bounded by number and bytes.
pub(crate) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
    limits: Options,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    closed: bool,
    /// Waiters are let in by ticket, so that a large job is not overtaken for ever by small ones.
    next_ticket: u64,
    admitted: u64,
}

impl Queue {
    /// An empty queue with the limits of `options`.
    pub(crate) fn new(options: &Options) -> Self {
        let state = Mutex::new(State::default());
        Self {
            state,
            work: Condvar::new(),
            room: Condvar::new(),
            limits: options.clone(),
        }
    }

    /// Appends a job, in the order of the calls; blocks while the queue is full.
    pub(crate) fn push(&self, job: Job) {
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let mut state = self
            .room
            .wait_while(state, |state| {
                state.admitted != ticket || self.is_full(state, job.bytes)
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.admitted += 1;
        state.bytes += job.bytes;
        state.jobs.push_back(job);
        drop(state);
        self.work.notify_one();
        self.room.notify_all();
    }

    fn is_full(&self, state: &State, bytes: usize) -> bool {
        !state.jobs.is_empty()
            && (state.jobs.len() >= self.limits.queue_commits
                || state.bytes + bytes > self.limits.queue_bytes)
    }

    /// The next group, waiting for one; empty once the queue is closed and drained.
    pub(crate) fn take_group(&self) -> Vec<Job> {
        let mut state = self
            .work
            .wait_while(self.lock(), |state| state.jobs.is_empty() && !state.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(job) = state.jobs.front() {
            let fits = group.len() < self.limits.group_commits
                && bytes + job.bytes <= self.limits.group_bytes;
            if !group.is_empty() && !fits {
                break;
            }
            bytes += job.bytes;
            group.extend(state.jobs.pop_front());
        }
        state.bytes -= bytes;
        drop(state);
        self.room.notify_all();
        group
    }

    /// Lets [`Self::take_group`] end when nothing is left.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
    }

    /// Whether nothing waits.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().jobs.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; the state is whole even if something did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(bytes: usize) -> Job {
        let mut commit = Commit::default();
        commit.entry(vec![1; bytes]);
        Job::new(commit, Box::new(|_| ()))
    }

    #[test]
    fn groups_are_bounded_by_number_and_bytes_and_keep_the_order() {
        let queue = Queue::new(&Options {
            group_commits: 2,
            group_bytes: 10,
            ..Options::default()
        });
        for bytes in [1, 2, 3, 9, 50, 4] {
            queue.push(job(bytes));
        }
        queue.close();
        let groups: Vec<Vec<usize>> = std::iter::repeat_with(|| queue.take_group())
            .take_while(|group| !group.is_empty())
            .map(|group| group.iter().map(|job| job.bytes).collect())
            .collect();
        assert_eq!(groups, [vec![1, 2], vec![3], vec![9], vec![50], vec![4]]);
    }

    #[test]
    fn a_full_queue_blocks_until_a_group_is_taken() {
        let queue = Queue::new(&Options {
            queue_bytes: 10,
            group_commits: 1,
            ..Options::default()
        });
        queue.push(job(8));
        std::thread::scope(|scope| {
            let blocked = scope.spawn(|| queue.push(job(5)));
            assert_eq!(queue.take_group().len(), 1);
            blocked.join().unwrap();
        });
        assert_eq!(queue.take_group()[0].bytes, 5);
    }
}
