//! The threads for work on batches, the queue in front of them, and the budget of bytes in flight.
//!
//! Members are served in turn, and each member's batches in their order, so that a small batch of one member waits for at
//! most one batch of each other member. One member's batches run on at most `threads` threads at once; there are twice as
//! many, so that another member's batch finds one and shares the processors with them.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use sluis_domain::Identity;
use tokio::sync::oneshot;

use super::job::Job;
use super::shares::{Share, Shares};
use crate::status::Denial;

/// One member may hold this part of the budget: the other part is left to everybody else.
const MEMBER_SHARE: usize = 2;
/// Threads that batches of all members have, for each that batches of one member may have.
const SPARE: usize = 2;
/// How much less urgent a batch is than reading, writing and answering.
const NICE: i32 = 5;

/// Bytes of the budget.
pub(crate) type Bytes = Share<Identity>;

/// Threads and bytes.
pub(crate) struct Pool {
    threads: ThreadPool,
    queue: Arc<Queue>,
    budget: Arc<Shares<Identity>>,
}

impl Pool {
    pub(crate) fn new(threads: usize, budget: usize) -> Result<Self, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads * SPARE)
            .thread_name(|i| format!("batch-{i}"))
            .start_handler(|_| {
                // Where that is not possible, batches are as urgent as the rest.
                rustix::process::setpriority_process(None, NICE).unwrap_or_default();
            })
            .build()?;
        Ok(Self {
            threads: pool,
            queue: Arc::new(Queue::new(threads)),
            budget: Shares::new(budget, budget / MEMBER_SHARE, usize::MAX),
        })
    }

    /// Waits for `bytes` of the budget, or for all that one member may hold if that is less.
    pub(crate) async fn reserve(&self, member: &Identity, bytes: usize) -> Bytes {
        self.budget
            .wait(member, bytes)
            .await
            .expect("any number of requests may wait, and all are served")
    }

    /// Does `work` when it is the member's turn and a thread is free; one member's jobs begin in the order of the calls. A
    /// job that nobody waits for any more ends before it begins. The queue is bounded by what jobs hold. A panic of the work is
    /// an [`sluis_domain::Reason::Internal`].
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: Arc<Job>,
        work: impl FnOnce(&Job) -> Result<T, Denial> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Denial>> {
        let (sender, receiver) = oneshot::channel();
        let member = job.member().clone();
        let task = move || {
            if job.is_gone() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&job)))
                .unwrap_or_else(|_| Err(Denial::internal("a job panicked")));
            drop(job);
            // Nobody waits any more when the caller has gone.
            drop(sender.send(outcome));
        };
        self.queue.push(member, Box::new(task));
        let queue = self.queue.clone();
        self.threads.spawn_fifo(move || queue.work());
        receiver
    }

    /// Bytes between reading and answering.
    pub(crate) fn in_flight_bytes(&self) -> usize {
        self.budget.taken()
    }

    /// Waits until everything reserved was given back.
    pub(crate) async fn idle(&self) {
        self.budget.idle().await;
    }
}

type Task = Box<dyn FnOnce() + Send>;

/// Tasks that wait for a thread.
struct Queue {
    /// Most tasks of one member that run at once.
    most_each: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: BTreeMap<Identity, Member>,
    /// Members with tasks that wait, the next one first.
    turns: VecDeque<Identity>,
}

#[derive(Default)]
struct Member {
    running: usize,
    waiting: VecDeque<Task>,
}

impl Queue {
    fn new(most_each: usize) -> Self {
        Self {
            most_each,
            state: Mutex::default(),
        }
    }

    fn push(&self, member: Identity, task: Task) {
        let mut state = self.lock();
        let of_member = state.members.entry(member.clone()).or_default();
        of_member.waiting.push_back(task);
        if of_member.waiting.len() == 1 {
            state.turns.push_back(member);
        }
    }

    /// Runs tasks until none is left that may run now. Called at least once after each push; what may not run, because
    /// its member has enough running, is begun by the thread that ends one of those.
    fn work(&self) {
        while let Some((member, task)) = self.next() {
            task();
            self.done(&member);
        }
    }

    fn next(&self) -> Option<(Identity, Task)> {
        let mut state = self.lock();
        let place = state.turns.iter().position(|member| {
            let of_member = state.members.get(member);
            of_member.is_some_and(|of_member| of_member.running < self.most_each)
        })?;
        let member = state.turns.remove(place)?;
        let of_member = state.members.get_mut(&member)?;
        let task = of_member.waiting.pop_front()?;
        of_member.running += 1;
        if !of_member.waiting.is_empty() {
            state.turns.push_back(member.clone());
        }
        Some((member, task))
    }

    fn done(&self, member: &Identity) {
        let mut state = self.lock();
        if let Some(of_member) = state.members.get_mut(member) {
            of_member.running -= 1;
            if of_member.running == 0 && of_member.waiting.is_empty() {
                state.members.remove(member);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<const N: usize>(names: [&str; N]) -> [Identity; N] {
        names.map(|name| format!("a/{name}").parse().expect("an identity"))
    }

    /// Pushes a task per name and says in which order they run on one thread.
    fn order(queue: &Queue, names: &[&Identity]) -> Vec<String> {
        let ran = Arc::new(Mutex::new(Vec::new()));
        for name in names {
            let (ran, text) = (ran.clone(), name.member.as_str().to_owned());
            queue.push(
                (*name).clone(),
                Box::new(move || ran.lock().expect("whole").push(text)),
            );
        }
        queue.work();
        let ran = ran.lock().expect("whole");
        ran.clone()
    }

    #[test]
    fn members_are_served_in_turn() {
        let [a, b, c] = names(["a", "b", "c"]);
        let ran = order(&Queue::new(1), &[&a, &a, &a, &a, &b, &c, &b]);
        assert_eq!(ran, ["a", "b", "c", "a", "b", "a", "a"]);
    }

    #[test]
    fn a_member_that_has_enough_running_waits_and_the_others_do_not() {
        let [a, b] = names(["a", "b"]);
        let queue = Queue::new(2);
        for name in [&a, &a, &a, &b] {
            queue.push(name.clone(), Box::new(|| ()));
        }
        let begun: Vec<_> = std::iter::from_fn(|| queue.next())
            .map(|(member, _)| member)
            .collect();
        assert_eq!(begun, [a.clone(), b.clone(), a.clone()]);
        queue.done(&a);
        assert_eq!(queue.next().map(|(member, _)| member), Some(a.clone()));
        for member in [&a, &a, &b] {
            queue.done(member);
        }
        assert!(queue.lock().members.is_empty(), "nothing is remembered");
    }
}
