//! Connects the stages: parser thread -> sender -> custodian -> receiver -> assembler thread. Every queue is bounded.

use std::io::Read;

use sluis_client::local::Step;
use sluis_client::{Batch, BatchReceiver, BatchResult, BatchSender, ClientError, Session};
use tokio::sync::mpsc;

use super::args::{FileArgs, MAX_IN_FLIGHT};
use super::assemble::Assembler;
use super::columns::ColumnPlan;
use super::csv::CsvError;
use super::input::{Input, malformed};
use super::parse::{BatchLimits, Block, Layout, Parser};
use super::progress::Progress;
use super::summary::Tally;
use crate::error::CliError;

/// Batches that wait between two stages.
const QUEUE: usize = 2;

/// Order and secrecy of the output.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OutputKind {
    /// Answers do not belong to the rows they stand at.
    pub(crate) shuffled: bool,
    /// The output is for the eyes of the caller's account only.
    pub(crate) private: bool,
}

type Parsed = Result<(Batch, Block), CsvError>;

/// Takes a file through a session. On any error no file appears.
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
    let headers = input.raw_headers.iter().zip(&plans).filter(|(_, plan)| !matches!(plan.step, Step::Drop));
    let headers: Vec<&[u8]> = headers.map(|(header, _)| header.as_slice()).collect();
    let layout = Layout {
        delimiter: input.delimiter,
        terminator: input.terminator,
        encoding: input.encoding,
        columns: headers.len(),
    };
    if headers.is_empty() {
        return Err(CliError::input("no column is left: all of them are dropped"));
    }
    let targets = args.open_targets(kind.private)?;
    let assembler = Assembler::new(targets, layout.clone(), kind.shuffled, input.prefix, &headers)?;
    let limits = BatchLimits::new(args.batch_rows, session.limits());
    let parsed = start_parser(Parser::new(input.reader, plans, layout, limits));
    let (answers, to_write) = mpsc::channel(QUEUE);
    let progress = Progress::new(input.size, args.quiet || args.json);
    let assembling = tokio::task::spawn_blocking(move || assemble(assembler, to_write, &progress));
    let exchanged = exchange(session, parsed, answers, &input.name).await;
    // If writing failed, that is why the exchange ended.
    let assembler = assembling.await.map_err(|_| stopped("a stage failed"))??;
    match exchanged {
        Ok(()) => assembler.finish(),
        Err(error) => {
            let rows = assembler.tally().rows;
            drop(assembler);
            Err(note_what_was_answered(error, rows))
        }
    }
}

/// Runs both halves of the session until all is answered, something fails or the user interrupts.
async fn exchange(
    session: Session,
    parsed: mpsc::Receiver<Parsed>,
    answers: mpsc::Sender<(Block, Option<BatchResult>)>,
    name: &str,
) -> Result<(), CliError> {
    let in_flight = (session.limits().max_batches_in_flight as usize).clamp(1, MAX_IN_FLIGHT);
    let (sender, receiver) = session.split();
    let (waiting, in_order) = mpsc::channel(in_flight);
    let both = async { tokio::try_join!(send(parsed, sender, waiting, name), receive(in_order, receiver, answers)) };
    tokio::select! {
        outcome = both => match outcome? {
            (true, ()) => Ok(()),
            (false, ()) => Err(ClientError::Protocol("a stream that ended too early").into()),
        },
        () = interrupted() => Err(stopped("interrupted")),
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
) -> Result<bool, CliError> {
    while let Some(next) = parsed.recv().await {
        let (batch, block) = next.map_err(|error| malformed(name, error))?;
        if block.is_sent() {
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
) -> Result<(), CliError> {
    while let Some(block) = in_order.recv().await {
        let result = if block.is_sent() { receiver.next().await? } else { None };
        if result.is_some() != block.is_sent() {
            return Err(ClientError::Protocol("a stream that ended too early").into());
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

/// Ends when the user or the system asks the process to stop.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        Ok(()) = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        else => std::future::pending().await,
    }
}

fn stopped(why: &str) -> CliError {
    CliError::Io { what: "stopped; nothing was written".into(), source: std::io::Error::other(why.to_owned()) }
}

/// Values that were answered count under a grant, though no file was written.
fn note_what_was_answered(error: CliError, rows: u64) -> CliError {
    if rows > 0 {
        crate::output::note(format!(
            "The custodian had answered {rows} rows; no file was written, and under a grant their values count."
        ));
    }
    error
}
