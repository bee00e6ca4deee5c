//! Connects the stages: parser thread -> sender -> custodian -> receiver -> assembler thread. Every queue is bounded.

use std::io::Read;
use std::sync::Arc;

use sluis_client::{Batch, BatchReceiver, BatchResult, BatchSender, ClientError, Session};
use sluis_domain::GrantId;
use tokio::sync::mpsc;

use super::answered::Answered;
use super::args::{FileArgs, MAX_IN_FLIGHT};
use super::assemble::Assembler;
use super::columns::ColumnPlan;
use super::csv::CsvError;
use super::input::{Input, malformed};
use super::parse::{BatchLimits, Block, Layout, Parser};
use super::progress::Progress;
use super::stop::StopRequest;
use super::summary::Tally;
use crate::error::CliError;

/// Batches that wait between two stages.
const QUEUE: usize = 2;

/// Order and secrecy of the output, and what it counts under.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutputKind {
    /// Answers do not belong to the rows they stand at.
    pub(crate) shuffled: bool,
    /// The output is for the eyes of the caller's account only.
    pub(crate) private: bool,
    /// Every answer counts under this grant.
    pub(crate) grant: Option<GrantId>,
}

type Parsed = Result<(Batch, Block), CsvError>;

/// Takes a file through a session. On any error no file appears, and what counts under a grant all the same is told.
///
/// # Errors
/// The first thing that went wrong in any stage.
pub(crate) async fn run(
    session: Session,
    input: Input,
    plans: Vec<ColumnPlan>,
    kind: OutputKind,
    args: &FileArgs,
) -> Result<Tally, CliError> {
    let answered = Arc::new(Answered::new(kind.grant.clone()));
    let outcome = take_through(session, input, plans, kind, args, &answered).await;
    if outcome.is_err() {
        answered.note();
    }
    outcome
}

async fn take_through(
    session: Session,
    input: Input,
    plans: Vec<ColumnPlan>,
    kind: OutputKind,
    args: &FileArgs,
    answered: &Arc<Answered>,
) -> Result<Tally, CliError> {
    let headers = input
        .raw_headers
        .iter()
        .zip(&plans)
        .filter(|(_, plan)| plan.step.is_written());
    let headers: Vec<&[u8]> = headers.map(|(header, _)| header.as_slice()).collect();
    let layout = Layout {
        delimiter: input.delimiter,
        terminator: input.terminator,
        encoding: input.encoding,
        columns: headers.len(),
    };
    if headers.is_empty() {
        return Err(CliError::input(
            "no column is left: all of them are dropped",
        ));
    }
    let mut stop = StopRequest::listen({
        let answered = answered.clone();
        move || answered.last_words()
    })?;
    let targets = args.open_targets(kind.private)?;
    answered.leaves_behind(targets.hidden_names());
    let interrupted = targets.interrupted();
    let assembler = Assembler::new(
        targets,
        layout.clone(),
        kind.shuffled,
        input.prefix,
        &headers,
    )?;
    let limits = BatchLimits::new(args.batch_rows, session.limits());
    let parsed = start_parser(Parser::new(input.reader, plans, layout, limits));
    let (answers, to_write) = mpsc::channel(QUEUE);
    let progress = Progress::new(input.size, args.quiet || args.json);
    let assembling = tokio::task::spawn_blocking(move || assemble(assembler, to_write, &progress));
    let exchanged = tokio::select! {
        exchanged = exchange(session, parsed, answers, &input.name, answered) => exchanged,
        () = stop.wait() => Err(CliError::Interrupted(interrupted)),
    };
    let assembled = assembling.await.map_err(|_| stage_failed()).flatten();
    match exchanged {
        Ok(()) => assembled?.finish(),
        // Ctrl-C reaches the reader of a pipe too, so that writing fails as well.
        Err(error @ CliError::Interrupted(_)) => Err(error),
        // If writing failed, that is why the exchange ended.
        Err(error) => Err(assembled.err().unwrap_or(error)),
    }
}

/// Runs both halves of the session until all is answered or something fails.
async fn exchange(
    session: Session,
    parsed: mpsc::Receiver<Parsed>,
    answers: mpsc::Sender<(Block, Option<BatchResult>)>,
    name: &str,
    answered: &Answered,
) -> Result<(), CliError> {
    let in_flight = (session.limits().max_batches_in_flight as usize).clamp(1, MAX_IN_FLIGHT);
    let (sender, receiver) = session.split();
    let (waiting, in_order) = mpsc::channel(in_flight);
    let sending = send(parsed, sender, waiting, name, answered);
    let receiving = receive(in_order, receiver, answers, answered);
    match tokio::try_join!(sending, receiving)? {
        (true, ()) => Ok(()),
        (false, ()) => Err(ClientError::Protocol("a stream that ended too early").into()),
    }
}

/// A thread of its own: it may wait for standard input for ever, and must not keep the process from ending.
fn start_parser<R: Read + Send + 'static>(mut parser: Parser<R>) -> mpsc::Receiver<Parsed> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        while let Some(parsed) = parser.next().transpose() {
            let failed = parsed.is_err();
            if sender.blocking_send(parsed).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// Sends batches as the custodian takes them. `false` if the stream ended before all were sent.
async fn send(
    mut parsed: mpsc::Receiver<Parsed>,
    mut sender: BatchSender,
    waiting: mpsc::Sender<Block>,
    name: &str,
    answered: &Answered,
) -> Result<bool, CliError> {
    while let Some(next) = parsed.recv().await {
        let (batch, block) = next.map_err(|error| malformed(name, error))?;
        if block.is_sent() {
            answered.sent();
            match sender.send(batch).await {
                Err(ClientError::Closed) => return Ok(false),
                outcome => outcome?,
            }
        }
        if waiting.send(block).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Brings answers and what waited for them together.
async fn receive(
    mut in_order: mpsc::Receiver<Block>,
    mut receiver: BatchReceiver,
    answers: mpsc::Sender<(Block, Option<BatchResult>)>,
    answered: &Answered,
) -> Result<(), CliError> {
    while let Some(block) = in_order.recv().await {
        let result = if block.is_sent() {
            receiver.next().await?
        } else {
            None
        };
        if result.is_some() != block.is_sent() {
            return Err(ClientError::Protocol("a stream that ended too early").into());
        }
        if result.is_some() {
            answered.add(block.positions.len());
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

/// Writes until there is nothing more to come.
fn assemble(
    mut assembler: Assembler,
    mut to_write: mpsc::Receiver<(Block, Option<BatchResult>)>,
    progress: &Progress,
) -> Result<Assembler, CliError> {
    while let Some((block, result)) = to_write.blocking_recv() {
        let consumed = block.consumed;
        assembler.write(block, result)?;
        progress.set(consumed, assembler.tally().rows);
    }
    Ok(assembler)
}

fn stage_failed() -> CliError {
    CliError::Io {
        what: "stopped".into(),
        source: std::io::Error::other("a stage failed"),
    }
}
