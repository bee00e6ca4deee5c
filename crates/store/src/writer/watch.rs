//! Watches the thread that writes.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use sluis_port::store::StoreError;

use super::{Backend, InFlight, Shared, Stage, complete, fail_group, spawn};

/// Looks at the writer until the store ends, then waits for it, unless it hangs.
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
        if let Some(group) = in_flight.take_if(|group| is_late(shared, group)) {
            drop(in_flight);
            give_up(shared, group);
            // What waits in the queue is refused by a new thread; the old one ends when what it waits for does.
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

fn is_late(shared: &Shared, group: &InFlight) -> bool {
    let longest = match group.stage {
        Stage::Prepared(_) => shared.longest_stall + shared.longest_write,
        Stage::Written(_) => shared.longest_write,
    };
    group.since.elapsed() >= longest
}

fn give_up(shared: &Shared, group: InFlight) {
    let seconds = group.since.elapsed().as_secs();
    let failed = match group.stage {
        Stage::Prepared(callers) => {
            let error = StoreError::Stalled(format!("a read has not ended for {seconds} seconds"));
            shared.trouble.fail(&error);
            let refused = callers.into_iter();
            refused.map(|done| (done, Err(error.clone()))).collect()
        }
        Stage::Written(outcomes) => {
            let why = format!("a write has not ended for {seconds} seconds");
            fail_group(shared, &StoreError::Stalled(why), outcomes)
        }
    };
    complete(failed);
}
