//! The honest member: a small batch every few milliseconds, on time, whatever the ones before it do.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sluis_client::Client;
use sluis_testkit::identifiers::bsns;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::{batch, pseudonymise};
use sluis_wire::v1;
use tokio::task::JoinSet;

const MEMBER: &str = "gp-south/etl";
const CHAIN: &str = "diabetes-study";
const ROWS: usize = 100;
/// Below the rate of acts that one member has in the long run.
const EVERY: Duration = Duration::from_millis(10);
/// A batch that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(30);

/// The honest member.
pub(crate) struct Honest {
    client: Client,
    batch: v1::RecordBatch,
}

/// How long batches took, from the moment they were due.
#[derive(Default)]
pub(crate) struct Latencies {
    took: Vec<Duration>,
    failed: usize,
}

impl Honest {
    pub(crate) async fn new(scene: &Scene) -> Self {
        let values: Vec<String> = bsns().take(ROWS).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        Self {
            client: scene.client(MEMBER).await,
            batch: batch(&[("bsn", &values)]),
        }
    }

    /// Works for a while.
    pub(crate) async fn measure(&self, time: Duration) -> Latencies {
        let latencies = Arc::new(Mutex::new(Latencies::default()));
        let mut due = tokio::time::interval(EVERY);
        let end = Instant::now() + time;
        let mut batches = JoinSet::new();
        while Instant::now() < end {
            let at = due.tick().await.into_std();
            let (client, batch) = (self.client.clone(), self.batch.clone());
            let latencies = latencies.clone();
            batches.spawn(async move {
                let answer = pseudonymise(&client, CHAIN, batch);
                let answer = tokio::time::timeout(LONGEST, answer).await;
                let mut latencies = latencies.lock().expect("not poisoned");
                latencies.took.push(at.elapsed());
                latencies.failed += usize::from(!matches!(answer, Ok(Ok(_))));
            });
        }
        while batches.join_next().await.is_some() {}
        std::mem::take(&mut *latencies.lock().expect("not poisoned"))
    }
}

impl Latencies {
    pub(crate) fn len(&self) -> usize {
        self.took.len()
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    pub(crate) fn add(&mut self, others: &Self) {
        self.took.extend_from_slice(&others.took);
        self.failed += others.failed;
    }

    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.took.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(place.min(last)).copied().unwrap_or_default()
    }
}
