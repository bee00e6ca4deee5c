//! Batches over streams, as many as the custodian takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sluis_client::{Batch, BatchReceiver, BatchSender, Session};
use sluis_domain::{Column, ElementName};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Batches of one column to send. They are made while others are on their way.
#[derive(Clone)]
pub(crate) struct Load {
    /// The element of the column.
    pub(crate) element: ElementName,
    /// How many batches there are.
    pub(crate) batches: u64,
    /// Makes the batch of this index.
    pub(crate) make: Arc<dyn Fn(u64) -> Column + Send + Sync>,
    /// Every so many batches one answer is kept; 0: none.
    pub(crate) keep_every: u64,
}

/// What became of a load.
pub(crate) struct Loaded {
    /// From the first batch to the last answer.
    pub(crate) took: Duration,
    /// Values that were answered.
    pub(crate) values: u64,
    /// The answers that were to be kept, by index of their batch, ascending.
    pub(crate) kept: Vec<(u64, Column)>,
}

impl Loaded {
    /// Values per second.
    pub(crate) fn rate(&self) -> f64 {
        self.values as f64 / self.took.as_secs_f64()
    }
}

/// Sends a load over these streams, each of which takes the next batch when it has room. No row may be refused.
pub(crate) async fn send(sessions: Vec<Session>, load: Load) -> Loaded {
    let next = Arc::new(AtomicU64::new(0));
    let mut senders = JoinSet::new();
    let mut receivers = JoinSet::new();
    let started = Instant::now();
    for session in sessions {
        let (sender, receiver) = session.split();
        let (sent, indexes) = mpsc::unbounded_channel();
        senders.spawn(send_all(sender, load.clone(), next.clone(), sent));
        receivers.spawn(receive_all(receiver, load.keep_every, indexes));
    }
    let answers = receivers.join_all().await;
    let took = started.elapsed();
    senders.join_all().await;
    let values = answers.iter().map(|(values, _)| values).sum();
    let kept = answers.into_iter().flat_map(|(_, kept)| kept);
    let mut kept: Vec<_> = kept.collect();
    kept.sort_unstable_by_key(|(index, _)| *index);
    Loaded { took, values, kept }
}

async fn send_all(
    mut sender: BatchSender,
    load: Load,
    next: Arc<AtomicU64>,
    sent: mpsc::UnboundedSender<u64>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= load.batches {
            return;
        }
        let column = (load.make)(index);
        let rows = u32::try_from(column.rows()).expect("a batch of few rows");
        let mut batch = Batch::new(rows);
        batch.push(&load.element, column);
        // Should the stream have ended, the receiver tells why.
        if sent.send(index).is_err() || sender.send(batch).await.is_err() {
            return;
        }
    }
}

async fn receive_all(
    mut receiver: BatchReceiver,
    keep_every: u64,
    mut indexes: mpsc::UnboundedReceiver<u64>,
) -> (u64, Vec<(u64, Column)>) {
    let mut values = 0;
    let mut kept = Vec::new();
    while let Some(mut result) = receiver.next().await.expect("the custodian goes on") {
        let index = indexes.recv().await.expect("an answer follows its batch");
        assert!(
            result.rejections.is_empty(),
            "no row of a benchmark is refused: {:?}",
            result.rejections.first()
        );
        let (_, column) = result.columns.pop().expect("one column was sent");
        values += column.rows() as u64;
        if keep_every > 0 && index.is_multiple_of(keep_every) {
            kept.push((index, column));
        }
    }
    (values, kept)
}
