//! The threads for work on batches, the queue in front of them, and the budget of bytes in flight.
//!
//! Members are served in turn, and each member's batches in their order, so that a small batch of one member waits for at
//! most one batch of each other member. One member's batches run on at most `threads` threads at once; there are twice as
//! many, so that another member's batch finds one and shares the processors with them. The disk is shared as well: commits
//! are written in the order in which they come, so a member may have only so much between the beginning of its work and its
//! durability: one large batch while others are there, a few while it is alone.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use sluis_domain::Identity;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::job::Job;
use super::shares::{Bytes, Shares};
use crate::status::Denial;

/// One member may hold this part of the budget: the other part is left to everyone else.
const MEMBER_SHARE: usize = 2;
/// Threads that batches of all members have, for each that batches of one member may have.
const SPARE: usize = 2;
/// What a member may have between beginning and durability while others are there, in bytes of the budget: a batch of 8,192
/// rows and one column. Of small batches that is many, which are written together; a batch that is larger is the only one.
const UNSETTLED: usize = 5 << 19;
/// As often as that, at least, while it is alone, so that one batch is worked on while one is written.
const LEAST_ALONE: usize = 2;
/// At most so often, however many threads there are: there is one writer.
const MOST_ALONE: usize = 4;
/// How long a member is there after its last batch.
const THERE: Duration = Duration::from_secs(1);
/// How much less urgent a batch is than reading, writing and answering.
const NICE: i32 = 10;

/// Threads and bytes.
pub(crate) struct Pool {
    threads: Arc<ThreadPool>,
    queue: Arc<Queue>,
    /// Where jobs wait for the disk.
    waiting: Handle,
    budget: Arc<Shares<Identity>>,
}

impl Pool {
    /// Within a runtime.
    pub(crate) fn new(threads: usize, budget: usize) -> Result<Self, ThreadPoolBuildError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads * SPARE)
            .thread_name(|i| format!("batch-{i}"))
            .start_handler(|_| {
                // Where that is not possible, batches are as urgent as the rest.
                rustix::process::setpriority_process(None, NICE).unwrap_or_default();
            })
            .build()?;
        let limits = Limits {
            running: threads,
            alone: UNSETTLED * threads.clamp(LEAST_ALONE, MOST_ALONE),
            beside_others: UNSETTLED,
            there: THERE,
        };
        Ok(Self {
            threads: Arc::new(pool),
            queue: Arc::new(Queue::new(limits)),
            waiting: Handle::current(),
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

    /// Does `work` when it is the member's turn and a thread is free, and then waits for what it gives; one member's jobs
    /// begin in the order of the calls. `unsettled` is what the job counts among what its member has between beginning and
    /// durability. A job that no one waits for any more ends before it begins; one that has begun holds what it holds to its
    /// end. The queue is bounded by what jobs hold. A panic of the work is an [`sluis_domain::Reason::Internal`].
    pub(crate) fn run<T, F>(
        &self,
        job: Arc<Job>,
        unsettled: usize,
        work: impl FnOnce(&Job) -> Result<F, Denial> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Denial>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Denial>> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let member = job.member().clone();
        let waiting = self.waiting.clone();
        self.queue.push(
            member,
            unsettled,
            Box::new(move |unsettled| {
                if job.is_gone() {
                    return;
                }
                let begun = catch_unwind(AssertUnwindSafe(|| work(&job)))
                    .unwrap_or_else(|_| Err(Denial::internal("a job panicked")));
                waiting.spawn(async move {
                    let outcome = match begun {
                        Ok(begun) => begun.await,
                        Err(denial) => Err(denial),
                    };
                    drop((unsettled, job));
                    // No one waits any more when the caller has gone.
                    drop(sender.send(outcome));
                });
            }),
        );
        work_on(&self.threads, &self.queue);
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

/// Has a thread run what may run.
fn work_on(threads: &Arc<ThreadPool>, queue: &Arc<Queue>) {
    let (pool, queue) = (Arc::downgrade(threads), queue.clone());
    threads.spawn_fifo(move || queue.work(&pool));
}

/// To be told what it holds of its member's unsettled bytes.
type Task = Box<dyn FnOnce(Unsettled) + Send>;

/// Bytes of a job between its beginning and its end; at its end what waited for them is begun.
struct Unsettled {
    threads: Weak<ThreadPool>,
    queue: Arc<Queue>,
    member: Identity,
    cost: usize,
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        let others_wait = self.queue.settle(&self.member, self.cost);
        if let Some(threads) = self.threads.upgrade().filter(|_| others_wait) {
            work_on(&threads, &self.queue);
        }
    }
}

/// What one member may have.
struct Limits {
    /// Tasks that run at once.
    running: usize,
    /// Bytes of tasks that have begun and not ended, while no other member is there. One task may always begin.
    alone: usize,
    /// The same while another member is there.
    beside_others: usize,
    /// How long a member is there after its last task came.
    there: Duration,
}

/// Tasks that wait for a thread.
struct Queue {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: BTreeMap<Identity, Member>,
    /// Members with tasks that wait, the next one first.
    turns: VecDeque<Identity>,
    seen: Seen,
}

/// The member that last brought a task, and the last one before it that is another; each with the time.
#[derive(Default)]
struct Seen([Option<(Identity, Instant)>; 2]);

impl Seen {
    fn note(&mut self, member: &Identity, now: Instant) {
        let Self([last, before]) = self;
        if last.as_ref().is_some_and(|(known, _)| known != member) {
            *before = last.take();
        }
        *last = Some((member.clone(), now));
    }

    /// Whether a task of another member came since then.
    fn another(&self, member: &Identity, since: Duration, now: Instant) -> bool {
        let mut known = self.0.iter().flatten();
        known.any(|(other, at)| other != member && now.duration_since(*at) < since)
    }
}

#[derive(Default)]
struct Member {
    running: usize,
    unsettled: usize,
    /// With what each costs.
    waiting: VecDeque<(usize, Task)>,
}

impl Member {
    fn is_idle(&self) -> bool {
        self.running == 0 && self.unsettled == 0 && self.waiting.is_empty()
    }
}

impl Queue {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    fn push(&self, member: Identity, cost: usize, task: Task) {
        let mut state = self.lock();
        state.seen.note(&member, Instant::now());
        let of_member = state.members.entry(member.clone()).or_default();
        of_member.waiting.push_back((cost, task));
        if of_member.waiting.len() == 1 {
            state.turns.push_back(member);
        }
    }

    /// Runs tasks until none is left that may run now. Called at least once after each push and each end; what may not run,
    /// because its member has enough running, is begun by the thread that ends one of those.
    fn work(self: &Arc<Self>, threads: &Weak<ThreadPool>) {
        while let Some((member, cost, task)) = self.next() {
            task(Unsettled {
                threads: threads.clone(),
                queue: self.clone(),
                member: member.clone(),
                cost,
            });
            self.done(&member);
        }
    }

    fn next(&self) -> Option<(Identity, usize, Task)> {
        let mut state = self.lock();
        let now = Instant::now();
        let mut turns = state.turns.iter();
        let place = turns.position(|member| self.may_begin(&state, member, now))?;
        let member = state.turns.remove(place)?;
        let of_member = state.members.get_mut(&member)?;
        let (cost, task) = of_member.waiting.pop_front()?;
        of_member.running += 1;
        of_member.unsettled += cost;
        if !of_member.waiting.is_empty() {
            state.turns.push_back(member.clone());
        }
        Some((member, cost, task))
    }

    fn may_begin(&self, state: &State, who: &Identity, now: Instant) -> bool {
        let Some(member) = state.members.get(who) else {
            return false;
        };
        let limits = &self.limits;
        let beside = state.members.len() > 1 || state.seen.another(who, limits.there, now);
        let most = if beside {
            limits.beside_others
        } else {
            limits.alone
        };
        let cost = member.waiting.front().map_or(0, |(cost, _)| *cost);
        let fits = member.unsettled == 0 || member.unsettled + cost <= most;
        member.running < limits.running && fits
    }

    /// Gives bytes of a task back that has ended; whether tasks wait.
    fn settle(&self, member: &Identity, cost: usize) -> bool {
        let mut state = self.lock();
        if let Some(of_member) = state.members.get_mut(member) {
            of_member.unsettled -= cost;
            if of_member.is_idle() {
                state.members.remove(member);
            }
        }
        !state.turns.is_empty()
    }

    fn done(&self, member: &Identity) {
        let mut state = self.lock();
        if let Some(of_member) = state.members.get_mut(member) {
            of_member.running -= 1;
            if of_member.is_idle() {
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

    /// Begins what may begin, without running it; by name.
    fn begun(queue: &Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.next())
            .map(|(member, _, _)| member.member.as_str().to_owned())
            .collect()
    }

    fn push(queue: &Queue, members: &[&Identity], cost: usize) {
        for member in members {
            queue.push((*member).clone(), cost, Box::new(drop));
        }
    }

    fn queue(running: usize) -> Queue {
        Queue::new(Limits {
            running,
            alone: 100,
            beside_others: 50,
            there: Duration::from_secs(3_600),
        })
    }

    #[test]
    fn promise_11_members_are_served_in_turn() {
        let [a, b, c] = names(["a", "b", "c"]);
        let queue = queue(10);
        push(&queue, &[&a, &a, &a, &a, &b, &c, &b], 1);
        assert_eq!(begun(&queue), ["a", "b", "c", "a", "b", "a", "a"]);
    }

    #[test]
    fn a_member_that_has_enough_running_waits_and_the_others_do_not() {
        let [a, b] = names(["a", "b"]);
        let queue = queue(2);
        push(&queue, &[&a, &a, &a, &b], 1);
        assert_eq!(begun(&queue), ["a", "b", "a"]);
        queue.done(&a);
        assert_eq!(begun(&queue), ["a"]);
        for member in [&a, &a, &b] {
            queue.done(member);
        }
        for member in [&a, &a, &a, &b] {
            queue.settle(member, 1);
        }
        assert!(queue.lock().members.is_empty(), "nothing is remembered");
    }

    #[test]
    fn promise_11_a_member_has_only_so_much_between_beginning_and_durability() {
        let [a] = names(["a"]);
        let queue = queue(9);
        push(&queue, &[&a, &a, &a, &a], 40);
        assert_eq!(begun(&queue), ["a", "a"]);
        // Worked out, and not durable yet.
        queue.done(&a);
        queue.done(&a);
        assert_eq!(begun(&queue), [""; 0]);
        assert!(queue.settle(&a, 40));
        assert_eq!(begun(&queue), ["a"]);
    }

    #[test]
    fn promise_11_a_member_has_less_of_it_while_others_are_there() {
        let [a, b] = names(["a", "b"]);
        let queue = queue(9);
        push(&queue, &[&a, &a, &a, &b], 40);
        assert_eq!(begun(&queue), ["a", "b"]);
        for member in [&a, &b] {
            queue.done(member);
            queue.settle(member, 40);
        }
        // The other has nothing to do now, but it was here a moment ago.
        assert_eq!(begun(&queue), ["a"]);
        push(&queue, &[&b], 1_000);
        assert_eq!(begun(&queue), ["b"], "larger than allowed, but alone");
    }

    #[test]
    fn a_member_that_left_is_forgotten() {
        let [a, b] = names(["a", "b"]);
        let (begin, there) = (Instant::now(), Duration::from_secs(1));
        let mut seen = Seen::default();
        seen.note(&b, begin);
        let later = begin + there / 2;
        for _ in 0..3 {
            seen.note(&a, later);
        }
        assert!(seen.another(&a, there, later), "b was here");
        assert!(seen.another(&b, there, later), "a is here");
        assert!(!seen.another(&a, there, begin + there), "b has left");
    }
}
