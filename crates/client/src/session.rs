//! A stream of batches to a custodian, with back-pressure.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, Stream, StreamExt};
use prost::Message;
use sluis_wire::batch::BatchResult;
use sluis_wire::stream::{Opened, StreamLimits};
use sluis_wire::v1;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::{AsIs, Batch, ClientError, Prepare};

/// A message of the custodian, whatever the service.
pub(crate) enum Answer {
    /// The first.
    Opened(Opened),
    /// All others.
    Result(v1::BatchResult),
}

/// The messages of the custodian.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<Option<Answer>, Status>> + Send>>;

/// An open stream of batches. Results come back in the order of the batches.
///
/// At most `limits().max_batches_in_flight` batches are in flight: [`Self::send`] waits until a result was taken.
/// A caller that sends and receives from one task must therefore take results in between; [`Self::split`] gives two
/// halves for two tasks.
pub struct Session {
    sender: BatchSender,
    receiver: BatchReceiver,
    opened: Opened,
}

/// The sending half. Dropping it says that no further batch follows.
pub struct BatchSender {
    batches: mpsc::Sender<v1::RecordBatch>,
    shared: Arc<Shared>,
    next_sequence: u64,
    limits: StreamLimits,
    /// Columns of every batch that its result does not have.
    unanswered: usize,
    /// Before a batch is sent.
    preparation: Box<dyn Prepare>,
}

/// The receiving half. Dropping it ends the stream.
pub struct BatchReceiver {
    answers: Answers,
    shared: Arc<Shared>,
    next_sequence: u64,
}

/// What both halves know.
struct Shared {
    /// One permit per further batch that may be in flight. Closed when the stream has ended.
    room: Semaphore,
    /// Rows and columns of the results to come, oldest first.
    shapes: Mutex<VecDeque<(u32, usize)>>,
}

/// The request stream of a session: the opening message, then every batch that is put into the channel.
pub(crate) fn requests<R: Send + 'static>(
    open: R,
    wrap: fn(v1::RecordBatch) -> R,
) -> (
    mpsc::Sender<v1::RecordBatch>,
    impl Stream<Item = R> + Send + 'static,
) {
    let (sender, receiver) = mpsc::channel(1);
    (
        sender,
        stream::iter([open]).chain(ReceiverStream::new(receiver).map(wrap)),
    )
}

impl Session {
    /// Waits for the opening answer.
    pub(crate) async fn open(
        batches: mpsc::Sender<v1::RecordBatch>,
        answers: Answers,
    ) -> Result<Self, ClientError> {
        Self::open_with(batches, answers, 0).await
    }

    /// Waits for the opening answer of a stream whose results have `unanswered` columns fewer than their batches.
    pub(crate) async fn open_with(
        batches: mpsc::Sender<v1::RecordBatch>,
        mut answers: Answers,
        unanswered: usize,
    ) -> Result<Self, ClientError> {
        let opened = match answers.next().await.transpose()?.flatten() {
            Some(Answer::Opened(opened)) => opened,
            _ => {
                return Err(ClientError::Protocol(
                    "a stream that does not begin with its opening answer",
                ));
            }
        };
        let in_flight = opened.limits.max_batches_in_flight.clamp(1, 1024) as usize;
        let shared = Arc::new(Shared {
            room: Semaphore::new(in_flight),
            shapes: Mutex::default(),
        });
        Ok(Self {
            sender: BatchSender {
                batches,
                shared: shared.clone(),
                next_sequence: 0,
                limits: opened.limits,
                unanswered,
                preparation: Box::new(AsIs),
            },
            receiver: BatchReceiver {
                answers,
                shared,
                next_sequence: 0,
            },
            opened,
        })
    }

    /// Takes every batch through a step before it is sent.
    #[must_use]
    pub fn prepared_by(mut self, preparation: impl Prepare + 'static) -> Self {
        self.sender.preparation = Box::new(preparation);
        self
    }

    /// What the custodian accepts.
    pub fn limits(&self) -> &StreamLimits {
        &self.opened.limits
    }

    /// What the custodian said when it opened the stream.
    pub fn opened(&self) -> &Opened {
        &self.opened
    }

    /// See [`BatchSender::send`].
    ///
    /// # Errors
    /// As there.
    pub async fn send(&mut self, batch: Batch) -> Result<(), ClientError> {
        self.sender.send(batch).await
    }

    /// See [`BatchReceiver::next`].
    ///
    /// # Errors
    /// As there.
    pub async fn next(&mut self) -> Result<Option<BatchResult>, ClientError> {
        self.receiver.next().await
    }

    /// Two halves for two tasks.
    pub fn split(self) -> (BatchSender, BatchReceiver) {
        (self.sender, self.receiver)
    }
}

impl BatchSender {
    /// Sends a batch once there is room for it. That it was sent does not mean that it was accepted: its result does.
    ///
    /// # Errors
    /// The errors of the step that prepares batches, and [`ClientError::BatchTooLarge`], before anything was sent;
    /// [`ClientError::Closed`] when the stream has ended, for a
    /// reason that [`BatchReceiver::next`] tells.
    pub async fn send(&mut self, batch: Batch) -> Result<(), ClientError> {
        let batch = self.preparation.prepare(batch).await?;
        let shape = (
            batch.rows(),
            batch.columns().saturating_sub(self.unanswered),
        );
        let wire = batch.into_wire(self.next_sequence);
        // The message around the batch adds a tag and a length.
        let size = wire.encoded_len() + 8;
        if shape.0 > self.limits.max_batch_rows || size > self.limits.max_message_bytes as usize {
            return Err(ClientError::BatchTooLarge);
        }
        self.shared
            .room
            .acquire()
            .await
            .map_err(|_| ClientError::Closed)?
            .forget();
        self.shared
            .shapes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(shape);
        self.next_sequence += 1;
        self.batches
            .send(wire)
            .await
            .map_err(|_| ClientError::Closed)
    }
}

impl BatchReceiver {
    /// The next result; `None` when the custodian has ended the stream, all its batches answered.
    ///
    /// # Errors
    /// [`ClientError::Refused`] and [`ClientError::Transport`]: the stream has ended, the results before this stand;
    /// [`ClientError::Protocol`] for results that belong to no batch, or a stream that ended before all were answered.
    pub async fn next(&mut self) -> Result<Option<BatchResult>, ClientError> {
        let outcome = self.receive().await;
        if !matches!(outcome, Ok(Some(_))) {
            self.shared.room.close();
        }
        outcome
    }

    async fn receive(&mut self) -> Result<Option<BatchResult>, ClientError> {
        let Some(answer) = self.answers.next().await.transpose()? else {
            let complete = self
                .shared
                .shapes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_empty();
            return if complete {
                Ok(None)
            } else {
                Err(ClientError::Protocol("a stream that ended too early"))
            };
        };
        let Some(Answer::Result(result)) = answer else {
            return Err(ClientError::Protocol("an answer that is not a result"));
        };
        let shape = self
            .shared
            .shapes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some((rows, columns)) = shape.filter(|_| result.sequence == self.next_sequence) else {
            return Err(ClientError::Protocol("a result that belongs to no batch"));
        };
        self.next_sequence += 1;
        self.shared.room.add_permits(1);
        Ok(Some(BatchResult::parse(result, rows, columns)?))
    }
}

impl Drop for BatchReceiver {
    fn drop(&mut self) {
        self.shared.room.close();
    }
}

#[cfg(test)]
mod tests;
