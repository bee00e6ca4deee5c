//! A bounded amount of something (calls, connections, bytes) of which one holder gets a part only.
//!
//! A request for more than is left may wait: requests of one holder are served in their order, and holders in turn, so
//! that a holder with many requests holds no one up. The holder that is next is waited for, however much it wants, so
//! that large requests are not overtaken for ever.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sluis_domain::Identity;
use tokio::sync::{Notify, oneshot};

/// One holder may have this part of a number of things.
const PART: usize = 4;
/// And always so many, however few there are.
const LEAST: usize = 4;

/// Bytes of the budget.
pub(crate) type Bytes = Share<Identity>;

/// The whole, and who holds what of it.
pub(crate) struct Shares<K: Ord + Clone> {
    most: usize,
    most_each: usize,
    /// Requests of one holder that may wait.
    most_waiting: usize,
    state: Mutex<State<K>>,
    given_back: Notify,
}

struct State<K: Ord + Clone> {
    taken: usize,
    holders: BTreeMap<K, Holder<K>>,
    /// Holders with requests that wait, the next one first.
    turns: VecDeque<K>,
}

struct Holder<K: Ord + Clone> {
    taken: usize,
    waiting: VecDeque<Request<K>>,
}

struct Request<K: Ord + Clone> {
    amount: usize,
    answer: oneshot::Sender<Share<K>>,
}

/// A part of the whole; given back on drop.
#[must_use]
pub(crate) struct Share<K: Ord + Clone> {
    of: Arc<Shares<K>>,
    holder: K,
    amount: usize,
}

impl<K: Ord + Clone> Shares<K> {
    /// `most` in all, and `most_each` for one holder, of whose requests `most_waiting` may wait.
    pub(crate) fn new(most: usize, most_each: usize, most_waiting: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_each: most_each.min(most),
            most_waiting,
            state: Mutex::new(State {
                taken: 0,
                holders: BTreeMap::new(),
                turns: VecDeque::new(),
            }),
            given_back: Notify::new(),
        })
    }

    /// `most` things, a quarter of them (but always four) for one holder.
    pub(crate) fn quarters(most: usize, most_waiting: usize) -> Arc<Self> {
        Self::new(most, (most / PART).max(LEAST), most_waiting)
    }

    /// One, if it is there at once.
    pub(crate) fn take(self: &Arc<Self>, holder: &K) -> Option<Share<K>> {
        self.request(holder, 1).try_recv().ok()
    }

    /// Waits for `amount`, or for all that one holder may have if that is less. `None`: too many requests of this holder
    /// wait already.
    pub(crate) fn wait(
        self: &Arc<Self>,
        holder: &K,
        amount: usize,
    ) -> impl Future<Output = Option<Share<K>>> + use<K> {
        let answer = self.request(holder, amount);
        async move { answer.await.ok() }
    }

    /// How much is taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().taken
    }

    /// Waits until nothing is taken.
    pub(crate) async fn idle(&self) {
        loop {
            let given_back = self.given_back.notified();
            if self.taken() == 0 {
                return;
            }
            given_back.await;
        }
    }

    /// Queues a request and serves what can be served; the answer never comes if the request may not even wait.
    fn request(self: &Arc<Self>, holder: &K, amount: usize) -> oneshot::Receiver<Share<K>> {
        let (answer, receiver) = oneshot::channel();
        let request = Request {
            amount: amount.min(self.most_each),
            answer,
        };
        let mut state = self.lock();
        state.add(holder, request);
        let unwanted = self.hand_out(&mut state);
        state.trim(holder, self.most_waiting);
        drop(state);
        drop(unwanted);
        receiver
    }

    /// Serves those that can be served now. What is returned came too late for its request: to be dropped when the state
    /// is no longer locked.
    fn hand_out(self: &Arc<Self>, state: &mut State<K>) -> Vec<Share<K>> {
        let mut unwanted = Vec::new();
        let mut place = 0;
        while let Some(holder) = state.turns.get(place).cloned() {
            let Some((amount, own)) = state.next_of(&holder) else {
                state.turns.remove(place);
                continue;
            };
            if own + amount > self.most_each {
                place += 1;
                continue;
            }
            if state.taken + amount > self.most {
                break;
            }
            state.turns.remove(place);
            if let Some(answer) = state.take(&holder, amount) {
                let share = Share {
                    of: self.clone(),
                    holder,
                    amount,
                };
                unwanted.extend(answer.send(share).err());
            }
            place = 0;
        }
        unwanted
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Ord + Clone> State<K> {
    /// Adds a request behind the others of its holder.
    fn add(&mut self, name: &K, request: Request<K>) {
        let holder = self.holders.entry(name.clone()).or_insert_with(|| Holder {
            taken: 0,
            waiting: VecDeque::new(),
        });
        if holder.waiting.is_empty() {
            self.turns.push_back(name.clone());
        }
        holder.waiting.push_back(request);
    }

    /// Gives up the last request of a holder if more wait than may.
    fn trim(&mut self, name: &K, most_waiting: usize) {
        let Some(holder) = self.holders.get_mut(name) else {
            return;
        };
        if holder.waiting.len() > most_waiting {
            holder.waiting.retain(|request| !request.answer.is_closed());
        }
        if holder.waiting.len() > most_waiting {
            holder.waiting.pop_back();
        }
        if holder.waiting.is_empty() {
            self.turns.retain(|other| other != name);
            if holder.taken == 0 {
                self.holders.remove(name);
            }
        }
    }

    /// What the first request of a holder that is still wanted asks for, and what the holder has; forgets holders that
    /// have and want nothing.
    fn next_of(&mut self, name: &K) -> Option<(usize, usize)> {
        let holder = self.holders.get_mut(name)?;
        while holder
            .waiting
            .pop_front_if(|request| request.answer.is_closed())
            .is_some()
        {}
        let taken = holder.taken;
        match holder.waiting.front() {
            Some(request) => Some((request.amount, taken)),
            None => {
                if taken == 0 {
                    self.holders.remove(name);
                }
                None
            }
        }
    }

    /// Takes the first request of a holder off its queue; the holder goes to the end of the line.
    fn take(&mut self, name: &K, amount: usize) -> Option<oneshot::Sender<Share<K>>> {
        let holder = self.holders.get_mut(name)?;
        let request = holder.waiting.pop_front()?;
        holder.taken += amount;
        self.taken += amount;
        if !holder.waiting.is_empty() {
            self.turns.push_back(name.clone());
        }
        Some(request.answer)
    }

    fn give_back(&mut self, name: &K, amount: usize) {
        self.taken -= amount;
        if let Some(holder) = self.holders.get_mut(name) {
            holder.taken -= amount;
            if holder.taken == 0 && holder.waiting.is_empty() {
                self.holders.remove(name);
            }
        }
    }
}

impl<K: Ord + Clone> Share<K> {
    /// How much it is.
    pub(crate) fn amount(&self) -> usize {
        self.amount
    }
}

impl<K: Ord + Clone> Drop for Share<K> {
    fn drop(&mut self) {
        let mut state = self.of.lock();
        state.give_back(&self.holder, self.amount);
        let unwanted = self.of.hand_out(&mut state);
        drop(state);
        drop(unwanted);
        self.of.given_back.notify_waiters();
    }
}

impl<K: Ord + Clone> std::fmt::Debug for Share<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share({})", self.amount)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn all<K: Ord + Clone>(shares: &Arc<Shares<K>>, holder: &K) -> Vec<Share<K>> {
        std::iter::from_fn(|| shares.take(holder)).collect()
    }

    #[test]
    fn one_holder_gets_a_quarter_and_all_together_get_all() {
        let slots = Shares::quarters(40, 0);
        let mut held: Vec<_> = (0..5).map(|holder| all(&slots, &holder)).collect();
        let counts: Vec<_> = held.iter().map(Vec::len).collect();
        assert_eq!(counts, [10, 10, 10, 10, 0]);
        assert!(slots.take(&6).is_none());
        drop(held.remove(0));
        assert_eq!(slots.taken(), 30);
        assert!(slots.take(&1).is_none(), "has a quarter already");
        assert!(slots.take(&6).is_some());
    }

    #[test]
    fn few_slots_are_for_the_first_that_come() {
        for (most, each) in [(1, 1), (2, 2), (4, 4), (10, 4), (100, 25)] {
            assert_eq!(all(&Shares::quarters(most, 0), &"a").len(), each);
        }
    }

    #[test]
    fn holders_that_wait_are_served_in_turn_and_each_in_its_order() {
        let shares = Shares::new(1, 1, 8);
        let first = shares.take(&"other");
        let mut waiting: Vec<_> = ["a", "a", "a", "b", "c"]
            .map(|holder| (holder, Box::pin(shares.wait(&holder, 1))))
            .into_iter()
            .map(|(holder, mut wait)| {
                assert!((&mut wait).now_or_never().is_none());
                (holder, wait)
            })
            .collect();
        drop(first);
        let mut served = Vec::new();
        while !waiting.is_empty() {
            let ready = waiting
                .iter_mut()
                .position(|(_, wait)| wait.now_or_never().is_some());
            served.push(waiting.remove(ready.expect("one is served")).0);
        }
        assert_eq!(served, ["a", "b", "c", "a", "a"]);
        assert_eq!(shares.taken(), 0);
    }

    #[test]
    fn a_request_that_was_given_up_takes_nothing() {
        let shares = Shares::new(2, 1, 8);
        let held = shares.take(&"a");
        let mut given_up = Box::pin(shares.wait(&"a", 1));
        assert!((&mut given_up).now_or_never().is_none());
        let mut patient = Box::pin(shares.wait(&"a", 1));
        assert!((&mut patient).now_or_never().is_none());
        drop(given_up);
        drop(held);
        let patient = patient.now_or_never().expect("served");
        assert_eq!(shares.taken(), 1);
        drop(patient);
        assert_eq!(shares.taken(), 0);
        assert!(shares.lock().holders.is_empty(), "nothing is remembered");
    }

    #[test]
    fn no_more_requests_of_a_holder_wait_than_may() {
        let shares = Shares::new(1, 1, 2);
        let held = shares.take(&"a");
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(shares.wait(&"a", 1))).collect();
        let states: Vec<_> = waiting.iter_mut().map(|w| w.now_or_never()).collect();
        assert!(states[0].is_none() && states[1].is_none());
        assert!(states[2].as_ref().is_some_and(Option::is_none), "refused");
        assert!(shares.take(&"b").is_none(), "all is taken");
        drop(held);
    }

    #[test]
    fn a_holder_that_was_refused_is_not_remembered() {
        for most_waiting in [0, 2] {
            let shares = Shares::new(1, 1, most_waiting);
            let held = shares.take(&"a");
            assert!(shares.take(&"b").is_none());
            assert!(shares.take(&"b").is_none());
            drop(held);
            assert!(shares.lock().holders.is_empty());
        }
        let shares = Shares::new(1, 1, 0);
        let held = shares.take(&"a");
        assert!(shares.take(&"b").is_none());
        let remembered: Vec<_> = shares.lock().holders.keys().copied().collect();
        assert_eq!(remembered, ["a"]);
        drop(held);
    }

    #[test]
    fn a_large_request_is_not_overtaken_for_ever_and_one_beyond_the_part_waits_for_all_of_it() {
        let shares = Shares::new(100, 60, usize::MAX);
        let first = shares.wait(&"a", 50).now_or_never();
        let mut large = Box::pin(shares.wait(&"b", 1_000));
        assert!((&mut large).now_or_never().is_none(), "wants 60");
        let mut small = Box::pin(shares.wait(&"c", 10));
        assert!(
            (&mut small).now_or_never().is_none(),
            "behind the large one"
        );
        drop(first);
        let large = large.now_or_never().flatten().expect("has 60");
        let small = small.now_or_never().flatten().expect("has 10");
        assert_eq!(shares.taken(), 70);
        drop((large, small));
        assert!(shares.idle().now_or_never().is_some());
    }
}
