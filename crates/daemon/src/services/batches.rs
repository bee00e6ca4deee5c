//! The way of batches, the same for pseudonymisation, conversion and re-identification.
//!
//! A reader task takes messages off the transport, as long as fewer than `max_batches_in_flight` batches of the stream
//! are between reading and answering and there is room in the budget of bytes, for its member and in all; it hands each
//! batch as a [`Job`] to the pool, and the receiver of its outcome, in order, to the response stream. The response stream waits
//! for each outcome to be durable and lets go of the job when the transport asks for the next message, so that a slow
//! reader holds up its own stream only. What a job holds is given back when the pool has let go of it as well. An error ends the
//! stream after the answers before it.

mod cost;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream};
use sluis_domain::{BatchOutcome, Reason, RecordBatch};
use sluis_engine::{Caller, Charged, Engine, Pending, Refusal, Turn, Turns, limit_name};
use sluis_wire::batch::{self, Shape};
use sluis_wire::stream::StreamLimits;
use sluis_wire::{field, v1};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::{Status, Streaming};

use self::cost::cost;
pub(crate) use self::cost::most_rows;
use super::blocking;
use crate::config::Limits;
use crate::server::{Call, Job, OfStream, OpenEngine, Shared, transport_reason};
use crate::status::Denial;
use crate::telemetry::Operation;

/// The responses of a stream.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A message of a caller.
pub(super) enum Message<O> {
    /// The first.
    Open(O),
    /// The others.
    Batch(v1::RecordBatch),
}

/// What the three data services differ in.
pub(super) trait Data: 'static {
    const OPERATION: Operation;
    /// Message of the caller.
    type Request: Send + 'static;
    /// Message of the custodian.
    type Response: Send + 'static;
    /// First message of the caller.
    type Open: Send + 'static;
    /// What the engine made of it.
    type Session: Send + Sync + 'static;

    fn message(request: Self::Request) -> Option<Message<Self::Open>>;
    /// The session, and how many columns its batches may have.
    fn open(
        engine: &Engine,
        caller: &Caller,
        open: Self::Open,
    ) -> Result<(Self::Session, usize), Denial>;
    fn opened(session: &Self::Session, limits: StreamLimits) -> Self::Response;
    /// Whether its batches write a row for each of theirs.
    fn writes_rows(session: &Self::Session) -> bool;
    fn submit(
        engine: &Engine,
        session: &Self::Session,
        turn: Turn,
        batch: RecordBatch,
    ) -> Result<Pending, Refusal>;
    fn result(result: v1::BatchResult) -> Self::Response;
}

/// A batch that is durable.
struct Done {
    shape: Shape,
    outcome: BatchOutcome,
    /// To its grant.
    charged: Option<Charged>,
}

/// What the reader tells the response stream, in order.
enum Step<T> {
    Opened(T),
    Batch(oneshot::Receiver<Result<Done, Denial>>, Arc<Job>),
    End(Denial),
}

/// The reader ends with the stream it reads for.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One batch, one answer, and what remains under the grant.
pub(super) async fn unary<D: Data>(
    shared: &Arc<Shared>,
    call: &Arc<Call>,
    open: D::Open,
    batch: v1::RecordBatch,
) -> Result<(v1::BatchResult, Option<u64>), Status> {
    let answer = async {
        let cost = cost(&batch, &shared.settings.limits)?;
        let engine = shared.engine()?;
        let member = &call.caller()?.identity;
        let bytes = engine.unless_closed(shared.pool.reserve(member, cost));
        let job = Job::new(engine.clone(), call.clone(), None, bytes.await?)?;
        // The answer may wait for its reader when the job is over.
        call.hold(job.bytes());
        let (at, turn) = (shared.clone(), Turns::default().give());
        // Opened where it is worked out: another thread would cost more than opening does.
        let receiver = shared.pool.run(Arc::new(job), cost, move |job| {
            let (session, _) = D::open(job.engine()?, job.call().caller()?, open)?;
            work::<D>(&at, job, &session, turn, batch)
        });
        finish(call, D::OPERATION, receiver).await
    };
    match answer.await {
        Ok(answer) => Ok(answer),
        Err(denial) => Err(call.deny(denial).await),
    }
}

/// A stream of batches. Answers with headers at once, so that callers that wait for them can send their first message.
pub(super) fn stream<D: Data>(
    shared: &Arc<Shared>,
    call: Arc<Call>,
    inbound: Streaming<D::Request>,
) -> Answers<D::Response> {
    let in_flight = shared.settings.limits.max_batches_in_flight;
    let (steps, receiver) = mpsc::channel(in_flight);
    let reader = Reader::<D> {
        shared: shared.clone(),
        call: call.clone(),
        inbound,
        steps,
    };
    let reader = AbortOnDrop(tokio::spawn(reader.run()));
    let answers = Answering::<D> {
        receiver,
        job: None,
        call,
        _reader: reader,
    };
    Box::pin(stream::unfold(answers, |mut answers| async move {
        let answer = answers.next().await?;
        Some((answer, answers))
    }))
}

/// The side that answers.
struct Answering<D: Data> {
    receiver: mpsc::Receiver<Step<D::Response>>,
    /// Of the last answer.
    job: Option<Arc<Job>>,
    call: Arc<Call>,
    _reader: AbortOnDrop,
}

impl<D: Data> Answering<D> {
    async fn next(&mut self) -> Option<Result<D::Response, Status>> {
        // Being asked again means that the transport has taken the answer before.
        self.job = None;
        let answer = match self.receiver.recv().await? {
            Step::Opened(opened) => Ok(opened),
            Step::End(denial) => Err(denial),
            Step::Batch(receiver, job) => {
                self.job = Some(job);
                finish(&self.call, D::OPERATION, receiver)
                    .await
                    .map(|(result, _)| D::result(result))
            }
        };
        Some(match answer {
            Ok(response) => Ok(response),
            Err(denial) => {
                // Batches after an error are not answered.
                self.receiver.close();
                while self.receiver.try_recv().is_ok() {}
                Err(self.call.deny(denial).await)
            }
        })
    }
}

/// The side that reads.
struct Reader<D: Data> {
    shared: Arc<Shared>,
    call: Arc<Call>,
    inbound: Streaming<D::Request>,
    steps: mpsc::Sender<Step<D::Response>>,
}

impl<D: Data> Reader<D> {
    /// Reads to the end of the caller's messages, to the first error, or until no one waits for answers any more.
    async fn run(mut self) {
        if let Err(denial) = self.read().await {
            // No one is left to be told when the response stream has gone.
            drop(self.steps.send(Step::End(denial)).await);
        }
    }

    async fn read(&mut self) -> Result<(), Denial> {
        let request = self.shared.settings.limits.request;
        let (engine, (session, columns)) =
            match self.message(request, Reason::RequestTimeout).await? {
                None => return Ok(()),
                Some(Message::Batch(_)) => return Err(Reason::InvalidStream.into()),
                Some(Message::Open(open)) => {
                    let engine = self.shared.engine()?;
                    let opened = opening::<D>(&self.shared, &self.call, &engine, open).await?;
                    (engine, opened)
                }
            };
        let limits = stream_limits(&self.shared.settings.limits, columns);
        drop(
            self.steps
                .send(Step::Opened(D::opened(&session, limits)))
                .await,
        );
        // Whatever it waits for, it lets go of the keys when the keyring is closed.
        engine
            .unless_closed(self.batches(&engine, Arc::new(session)))
            .await?
    }

    async fn batches(
        &mut self,
        engine: &OpenEngine,
        session: Arc<D::Session>,
    ) -> Result<(), Denial> {
        let shared = self.shared.clone();
        let idle = shared.settings.limits.idle;
        let limits = &shared.settings.limits;
        let slots = Arc::new(Semaphore::new(limits.max_batches_in_flight));
        let shares = Arc::new(Semaphore::new(limits.share()));
        let member = self.call.caller()?.identity.clone();
        let mut turns = Turns::default();
        for sequence in 0.. {
            let slot = slots
                .clone()
                .acquire_owned()
                .await
                .expect("the slots are never closed");
            let batch = match self.message(idle, Reason::IdleStream).await? {
                None => break,
                Some(Message::Open(_)) => return Err(Reason::InvalidStream.into()),
                Some(Message::Batch(batch)) => batch,
            };
            if batch.sequence != sequence {
                return Err(Denial::field(
                    "batch.sequence",
                    format!("must count from 0 by 1; {sequence} comes next"),
                ));
            }
            self.call.check_certificate()?;
            let cost = cost(&batch, limits)?;
            // A stream that is too fast is slowed down: it has no need to be told.
            self.call.take_act(Duration::MAX).await?;
            let own =
                u32::try_from(cost).expect("the configuration keeps the budget within 31 bits");
            let own = shares
                .clone()
                .acquire_many_owned(own)
                .await
                .expect("the shares are never closed");
            let of_stream = OfStream::new(slot, own);
            let bytes = self.shared.pool.reserve(&member, cost).await;
            let job = Job::new(engine.clone(), self.call.clone(), Some(of_stream), bytes)?;
            let job = Arc::new(job);
            let receiver = submit::<D>(&self.shared, job.clone(), &session, turns.give(), batch);
            if self.steps.send(Step::Batch(receiver, job)).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The next message; `None` at their end. Refuses to read on when the daemon drains, and with `late` when not all of
    /// the message comes within `longest`.
    async fn message(
        &mut self,
        longest: Duration,
        late: Reason,
    ) -> Result<Option<Message<D::Open>>, Denial> {
        let next = tokio::select! {
            biased;
            () = self.shared.drain.cancelled() => return Err(Reason::Draining.into()),
            () = self.steps.closed() => return Ok(None),
            next = tokio::time::timeout(longest, self.inbound.message()) => next.map_err(|_| Denial::from(late))?,
        };
        match next {
            Ok(None) => Ok(None),
            Ok(Some(request)) => {
                let message = D::message(request);
                Ok(Some(field::present("message", message)?))
            }
            Err(status) => Err(transport_reason(status.code())
                .unwrap_or(Reason::InvalidStream)
                .into()),
        }
    }
}

/// A session, and how many columns its batches may have.
async fn opening<D: Data>(
    shared: &Arc<Shared>,
    call: &Arc<Call>,
    engine: &OpenEngine,
    open: D::Open,
) -> Result<(D::Session, usize), Denial> {
    let engine = engine.clone();
    blocking(shared, call, move |_, caller| {
        D::open(engine.live()?, caller, open)
    })
    .await
}

/// Hands a batch to the pool, which begins with the batches of a stream in the order in which it gets them: the turns rest on
/// that.
fn submit<D: Data>(
    shared: &Arc<Shared>,
    job: Arc<Job>,
    session: &Arc<D::Session>,
    turn: Turn,
    batch: v1::RecordBatch,
) -> oneshot::Receiver<Result<Done, Denial>> {
    let (at, session) = (shared.clone(), session.clone());
    let unsettled = match D::writes_rows(&session) {
        true => job.cost(),
        false => 0,
    };
    shared.pool.run(job, unsettled, move |job| {
        work::<D>(&at, job, &session, turn, batch)
    })
}

/// Works a batch out; what it gives waits until it is durable.
fn work<D: Data>(
    shared: &Shared,
    job: &Job,
    session: &D::Session,
    turn: Turn,
    batch: v1::RecordBatch,
) -> Result<impl Future<Output = Result<Done, Denial>> + use<D>, Denial> {
    // It may have waited for long.
    job.call().check_certificate()?;
    let (shape, batch) = batch::parse(batch)?;
    let submitted = D::submit(job.engine()?, session, turn, batch);
    // Counted here, because a caller may go away without waiting to be refused.
    let pending = submitted.inspect_err(|refusal| {
        let reason = refusal.reason();
        limit_name(reason)
            .into_iter()
            .for_each(|limit| shared.metrics.limit_reached(limit));
        if is_used_up(reason) {
            job.call().note_used_up();
        }
    })?;
    Ok(durable(shape, pending))
}

/// Waits until a batch is durable.
async fn durable(shape: Shape, pending: Pending) -> Result<Done, Denial> {
    let charged = pending.charged();
    // What fails in the store fails after the engine has let go of it, so it is not on record yet.
    let outcome = pending.await.map_err(|refusal| Denial {
        recorded: false,
        ..refusal.into()
    })?;
    Ok(Done {
        shape,
        outcome,
        charged,
    })
}

/// Whether a batch was worked out, only to find that nothing is left of what it was to be counted under.
fn is_used_up(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::GrantExhausted
            | Reason::GrantDailyLimit
            | Reason::QuotaSubjects
            | Reason::QuotaRejected
    )
}

/// Waits for a batch, counts it, and makes its answer.
async fn finish(
    call: &Call,
    operation: Operation,
    receiver: oneshot::Receiver<Result<Done, Denial>>,
) -> Result<(v1::BatchResult, Option<u64>), Denial> {
    let done = receiver
        .await
        .unwrap_or_else(|_| Err(Denial::internal("the pool dropped a job")));
    let Done {
        shape,
        outcome,
        charged,
    } = done?;
    call.count(operation, shape.values(), &outcome);
    let counted = charged.map_or(0, |charged| charged.counted);
    let result = batch::answer(&shape, outcome, counted);
    Ok((result, charged.map(|charged| charged.remaining)))
}

/// What a caller must keep to with batches of `columns` columns.
fn stream_limits(limits: &Limits, columns: usize) -> StreamLimits {
    StreamLimits {
        max_batch_rows: number(most_rows(limits, columns)),
        max_message_bytes: number(limits.max_message_bytes),
        max_batches_in_flight: number(limits.max_batches_in_flight),
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
