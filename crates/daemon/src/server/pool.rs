//! The bounded pool for work on batches, and the budget of bytes in flight.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::status::Denial;

/// Threads and bytes.
pub(crate) struct Pool {
    threads: ThreadPool,
    budget: Arc<Semaphore>,
    total: u32,
}

/// Bytes of the budget; given back on drop.
#[must_use]
#[derive(Debug)]
pub(crate) struct Reserved(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Pool {
    pub(crate) fn new(threads: usize, budget: usize) -> Result<Self, ThreadPoolBuildError> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("batch-{i}"))
            .build()?;
        // The configuration keeps the budget within 31 bits.
        let total = u32::try_from(budget).unwrap_or(u32::MAX >> 1);
        Ok(Self {
            threads,
            budget: Arc::new(Semaphore::new(total as usize)),
            total,
        })
    }

    /// Waits for `bytes` of the budget. What is larger than the whole waits for all of it, and so runs alone.
    pub(crate) async fn reserve(&self, bytes: usize) -> Reserved {
        let bytes = u32::try_from(bytes).unwrap_or(self.total).min(self.total);
        let permit = self.budget.clone().acquire_many_owned(bytes).await;
        Reserved(permit.expect("the budget is never closed"))
    }

    /// Runs `job` when a thread is free, jobs being begun in the order of the calls. The queue is bounded by what
    /// callers reserved before. A panic of the job is an [`sluis_domain::Reason::Internal`].
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, Denial> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Denial>> {
        let (sender, receiver) = oneshot::channel();
        self.threads.spawn_fifo(move || {
            let outcome = catch_unwind(AssertUnwindSafe(job))
                .unwrap_or_else(|_| Err(Denial::internal("a job panicked")));
            // Nobody waits any more when the caller has gone.
            drop(sender.send(outcome));
        });
        receiver
    }

    /// Bytes between reading and answering.
    pub(crate) fn in_flight_bytes(&self) -> usize {
        self.total as usize - self.budget.available_permits()
    }

    /// Waits until everything reserved was given back.
    pub(crate) async fn idle(&self) {
        drop(self.reserve(usize::MAX).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use sluis_domain::Reason;

    #[tokio::test]
    async fn a_panic_in_a_job_is_an_answer_and_the_pool_goes_on() {
        let pool = Pool::new(1, 100).expect("threads");
        let broken = pool
            .run::<()>(|| panic!("broken on purpose"))
            .await
            .expect("an answer");
        assert_eq!(broken.map_err(|d| d.reason), Err(Reason::Internal));
        assert_eq!(pool.run(|| Ok(7)).await.expect("an answer"), Ok(7));
    }

    #[tokio::test]
    async fn more_than_the_budget_waits_for_all_of_it() {
        let pool = Pool::new(1, 100).expect("threads");
        let first = pool.reserve(1).await;
        assert_eq!(pool.in_flight_bytes(), 1);
        let mut large = Box::pin(pool.reserve(1_000_000));
        assert!((&mut large).now_or_never().is_none());
        drop(first);
        let large = large.await;
        assert_eq!(pool.in_flight_bytes(), 100);
        drop(large);
        pool.idle().await;
        assert_eq!(pool.in_flight_bytes(), 0);
    }
}
