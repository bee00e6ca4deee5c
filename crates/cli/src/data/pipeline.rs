//! Connects the stages: treating thread -> sender -> custodian -> receiver -> assembler thread. Every queue is bounded.

use std::sync::Arc;

use sluis_client::{Batch, BatchReceiver, BatchResult, BatchSender, ClientError, Session};
use tokio::sync::mpsc;

use super::answered::Answered;
use super::args::{FileArgs, MAX_IN_FLIGHT};
use super::assemble::Assembler;
use super::columns::ColumnPlan;
use super::failed::{self, Left};
use super::input::{Input, malformed};
use super::prepare::{Ready, Under, check_grant, prepare};
use super::progress::Progress;
use super::run_file::RunFile;
use super::scan::Scanned;
use super::stop::StopRequest;
use super::summary::Tally;
use super::treat::{BatchLimits, Batcher, Block, OutputShape, written};
use crate::error::CliError;
use crate::formats::{FormatError, Sum};
use crate::output;

/// Length of a token, the shortest of all.
pub(crate) const TOKEN_BYTES: u64 = 44;
/// Batches that wait between two stages.
const QUEUE: usize = 2;

/// Order and secrecy of the output, and how large it will be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutputKind {
    /// Answers do not belong to the rows they stand at.
    pub(crate) shuffled: bool,
    /// The output is for the eyes of the caller's account only.
    pub(crate) private: bool,
    /// Least bytes of one answered value.
    pub(crate) value_bytes: u64,
}

/// A run of a file through a stream.
pub(crate) struct Job<'a> {
    /// At its beginning.
    pub(crate) input: Input,
    /// One per column.
    pub(crate) plans: Vec<ColumnPlan>,
    /// How the output is.
    pub(crate) kind: OutputKind,
    /// Flags.
    pub(crate) files: &'a FileArgs,
    /// What every answer counts under.
    pub(crate) under: Option<Under<'a>>,
    /// An earlier try failed.
    pub(crate) repeats: bool,
}

type Treated = Result<(Batch, Block), FormatError>;

/// A run on its way.
struct Running<'a> {
    ready: Ready,
    shape: OutputShape,
    kind: OutputKind,
    files: &'a FileArgs,
    answered: Arc<Answered>,
}

/// Reads a file from end to end, opens a stream, and takes the file through it. On any error no output appears, and what
/// was answered and counted all the same is told.
///
/// # Errors
/// The first thing that went wrong in any stage.
pub(crate) async fn run(
    job: Job<'_>,
    open: impl AsyncFnOnce() -> Result<Session, CliError>,
) -> Result<Tally, CliError> {
    let Job {
        input,
        plans,
        kind,
        files,
        under,
        repeats,
    } = job;
    let shape = OutputShape::of(&plans, kind.shuffled)?;
    let ready = prepare(input, plans, shape.clone(), files, under.as_ref()).await?;
    let session = open().await?;
    check_grant(&ready, session.opened())?;
    let scanned = ready.scanned;
    let answered = Arc::new(Answered::new(under.as_ref().map(|it| it.grant.clone())));
    let running = Running {
        ready,
        shape,
        kind,
        files,
        answered: answered.clone(),
    };
    match running.take_through(session).await {
        Ok(mut tally) => {
            if let Some(run) = answered.run() {
                run.remove();
            }
            if repeats {
                files.remove_partial();
            }
            tally.counted = under.map(|_| answered.counts().counted);
            Ok(tally)
        }
        Err((error, left)) => {
            failed::tell(&answered, &left, scanned.as_ref(), under.as_ref(), files).await;
            Err(failed::unsure(error, &answered, under.as_ref()))
        }
    }
}

impl Running<'_> {
    /// An error comes with what is left of the output.
    async fn take_through(self, session: Session) -> Result<Tally, (CliError, Left)> {
        let keep = self.files.keep_partial;
        let stop = StopRequest::listen({
            let answered = self.answered.clone();
            move || answered.last_words()
        });
        let mut stop = stop.map_err(nothing)?;
        let (answered, sum) = (self.answered.clone(), self.ready.input.sum.clone());
        let scanned = self.ready.scanned;
        let (started, interrupted) = self.start(&session).map_err(nothing)?;
        let (answers, to_write) = mpsc::channel(QUEUE);
        let Started {
            treated,
            assembler,
            name,
            progress,
        } = started;
        let assembling =
            tokio::task::spawn_blocking(move || assemble(assembler, to_write, &progress));
        let exchanged = tokio::select! {
            exchanged = exchange(session, treated, answers, &name, &answered) => exchanged,
            () = stop.wait() => Err(CliError::Interrupted(interrupted)),
        };
        let exchanged = exchanged.and_then(|()| unchanged(&name, scanned.as_ref(), &sum));
        let (assembler, assembled) = assembling
            .await
            .map_err(|_| nothing(CliError::stage_failed()))?;
        let error = match (exchanged, assembled) {
            (Ok(()), Ok(())) => return assembler.finish().map_err(nothing),
            // Ctrl-C reaches the reader of a pipe too, so that writing fails as well.
            (Err(error @ CliError::Interrupted(_)), _) => error,
            // If writing failed, that is why the exchange ended.
            (_, Err(error)) => error,
            (Err(error), Ok(())) => error,
        };
        let left = left(assembler, keep);
        Err((error, left))
    }

    /// Opens the output, notes where the run is written down, and begins to read.
    fn start(self, session: &Session) -> Result<(Started, String), CliError> {
        let Self {
            ready,
            shape,
            kind,
            files,
            answered,
        } = self;
        let Ready {
            input,
            plans,
            scanned,
            earlier,
            begin,
        } = ready;
        let targets = files.open_targets(kind.private)?;
        answered.leaves_behind(targets.hidden_names());
        if let Some(scanned) = scanned {
            let answers = scanned.values.saturating_mul(kind.value_bytes);
            targets
                .output
                .check_room(scanned.kept_bytes.saturating_add(answers))?;
        }
        let interrupted = targets.interrupted(files.keep_partial);
        let sink = input.source.sink(&written(&plans));
        let assembler = Assembler::new(targets, sink, kind.shuffled)?;
        let mut limits = BatchLimits::new(files.batch_rows, session.limits());
        if let Some(run) = earlier {
            limits = run.batches();
            answered.is_written_to(run);
        } else if let Some((path, task)) = begin {
            answered.is_written_to(RunFile::begin(&path, task, limits)?);
        }
        let started = Started {
            treated: start_treating(Batcher::new(input.source, plans, shape, limits)),
            assembler,
            name: input.name,
            progress: Progress::new(input.size, files.quiet || files.json),
        };
        Ok((started, interrupted))
    }
}

/// The stages, ready to be connected.
struct Started {
    treated: mpsc::Receiver<Treated>,
    assembler: Assembler,
    /// Of the input.
    name: String,
    progress: Progress,
}

fn nothing(error: CliError) -> (CliError, Left) {
    (error, Left::Nothing)
}

/// What becomes of an output that is not complete.
fn left(assembler: Assembler, keep: bool) -> Left {
    if !assembler.is_file() {
        return Left::Gone(assembler.into_tally());
    }
    if !keep {
        return Left::Nothing;
    }
    match assembler.keep() {
        Ok((Some(path), tally)) => Left::Kept(path, tally),
        Ok((None, tally)) => Left::Gone(tally),
        Err(error) => {
            output::warn(output::safe(&error.to_string()));
            Left::Nothing
        }
    }
}

/// The file that was sent must be the file that was looked at.
fn unchanged(name: &str, scanned: Option<&Scanned>, sum: &Sum) -> Result<(), CliError> {
    match scanned {
        Some(scanned) if scanned.sum != sum.get() => Err(CliError::input(format!(
            "{name} was changed while it was read"
        ))),
        _ => Ok(()),
    }
}

/// Runs both halves of the session until all is answered or something fails.
async fn exchange(
    session: Session,
    treated: mpsc::Receiver<Treated>,
    answers: mpsc::Sender<(Block, Option<BatchResult>)>,
    name: &str,
    answered: &Answered,
) -> Result<(), CliError> {
    let in_flight = (session.limits().max_batches_in_flight as usize).clamp(1, MAX_IN_FLIGHT);
    let (sender, receiver) = session.split();
    let (waiting, in_order) = mpsc::channel(in_flight);
    let sending = send(treated, sender, waiting, name, answered);
    let receiving = receive(in_order, receiver, answers, answered);
    match tokio::try_join!(sending, receiving)? {
        (true, ()) => Ok(()),
        (false, ()) => Err(ClientError::Protocol("a stream that ended too early").into()),
    }
}

/// A thread of its own: it may wait for standard input for ever, and must not keep the process from ending.
fn start_treating(mut batcher: Batcher) -> mpsc::Receiver<Treated> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        while let Some(treated) = batcher.next().transpose() {
            let failed = treated.is_err();
            if sender.blocking_send(treated).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// Sends batches as the custodian takes them. `false` if the stream ended before all were sent.
async fn send(
    mut treated: mpsc::Receiver<Treated>,
    mut sender: BatchSender,
    waiting: mpsc::Sender<(Block, u64)>,
    name: &str,
    answered: &Answered,
) -> Result<bool, CliError> {
    while let Some(next) = treated.recv().await {
        let (batch, block) = next.map_err(|error| malformed(name, error))?;
        let values = batch.values();
        if block.is_sent() {
            let number = answered.sent(values);
            let batch = match answered.run() {
                Some(run) => batch.with_id(run.batch_id(number).into()),
                None => batch,
            };
            match sender.send(batch).await {
                Err(ClientError::Closed) => return Ok(false),
                Err(ClientError::BatchTooLarge) => {
                    answered.not_sent(values);
                    return Err(ClientError::BatchTooLarge.into());
                }
                outcome => outcome?,
            }
        }
        if waiting.send((block, values)).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Brings answers and what waited for them together.
async fn receive(
    mut in_order: mpsc::Receiver<(Block, u64)>,
    mut receiver: BatchReceiver,
    answers: mpsc::Sender<(Block, Option<BatchResult>)>,
    answered: &Answered,
) -> Result<(), CliError> {
    while let Some((block, values)) = in_order.recv().await {
        let result = if block.is_sent() {
            receiver.next().await?
        } else {
            None
        };
        if result.is_some() != block.is_sent() {
            return Err(ClientError::Protocol("a stream that ended too early").into());
        }
        if let Some(result) = &result {
            check_counted(result.counted, values)?;
            answered.add(block.positions.len(), values, result.counted);
        }
        if answers.send((block, result)).await.is_err() {
            return Ok(());
        }
    }
    match receiver.next().await? {
        None => Ok(()),
        Some(_) => Err(ClientError::Protocol("a result that belongs to no batch").into()),
    }
}

/// No more values can be counted than were sent.
fn check_counted(counted: u64, sent: u64) -> Result<(), ClientError> {
    match counted <= sent {
        true => Ok(()),
        false => Err(ClientError::Protocol(
            "a result that counts more values than its batch has",
        )),
    }
}

/// Writes until there is nothing more to come. What was written before an error is there all the same.
fn assemble(
    mut assembler: Assembler,
    mut to_write: mpsc::Receiver<(Block, Option<BatchResult>)>,
    progress: &Progress,
) -> (Assembler, Result<(), CliError>) {
    while let Some((block, result)) = to_write.blocking_recv() {
        let consumed = block.consumed;
        if let Err(error) = assembler.write(block, result) {
            return (assembler, Err(error));
        }
        progress.set(consumed, assembler.tally().rows);
    }
    (assembler, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_custodian_that_counts_more_than_it_was_sent_is_refused_and_adds_nothing_up_beyond_the_end()
    {
        assert!(check_counted(5, 5).is_ok() && check_counted(0, 5).is_ok());
        for counted in [6, u64::MAX] {
            let refused = check_counted(counted, 5);
            assert!(
                matches!(refused, Err(ClientError::Protocol(_))),
                "{counted}"
            );
        }
        let answered = Answered::default();
        answered.add(1, 1, u64::MAX);
        answered.add(1, 1, u64::MAX);
        assert_eq!(answered.counts().counted, u64::MAX);
    }
}
