//! Watches the thread that writes.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sluis_domain::port::store::StoreError;

use super::{Backend, Shared, complete, fail_group, spawn};

/// Looks at the writer until the store ends, then waits for it, unless its write hangs.
pub(super) fn watch(
    backend: &impl Backend,
    shared: &std::sync::Arc<Shared>,
    mut writer: JoinHandle<()>,
) {
    let every = (shared.longest_write / 8).max(Duration::from_millis(10));
    let mut in_flight = shared.in_flight();
    loop {
        let ended = shared.closed.load(Ordering::Acquire) && writer.is_finished();
        if ended {
            return;
        }
        let late = in_flight
            .as_ref()
            .is_some_and(|group| group.since.elapsed() >= shared.longest_write);
        if late && let Some(group) = in_flight.take() {
            drop(in_flight);
            give_up(shared, group.outcomes, group.since);
            // What waits in the queue is refused by a new thread; the old one ends when its write does.
            match spawn(backend.clone(), std::sync::Arc::clone(shared)) {
                Ok(thread) => writer = thread,
                Err(_) => return,
            }
            in_flight = shared.in_flight();
        }
        let wait = if shared.closed.load(Ordering::Acquire) {
            every.min(Duration::from_millis(10))
        } else {
            every
        };
        in_flight = shared
            .ends
            .wait_timeout(in_flight, wait)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}

fn give_up(shared: &Shared, outcomes: Vec<super::Outcome>, since: Instant) {
    let seconds = since.elapsed().as_secs();
    let why = format!("a write has not ended for {seconds} seconds");
    complete(fail_group(shared, &StoreError::Stalled(why), outcomes));
}
