//! Being asked to stop: Ctrl-C, SIGTERM, SIGHUP, SIGQUIT.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::oneshot;

use crate::error::{CliError, Exit};

/// How long the last words may take: standard error may be a pipe that nobody reads.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// The first request to stop. While this lives, the run may end in good order; a second request ends the process at
/// once, and so does any request once this is dropped.
pub(crate) struct StopRequest(oneshot::Receiver<()>);

impl StopRequest {
    /// From now on requests are heard. `last_words` is called before the process ends at once.
    ///
    /// Signals that were ignored when the process began, as `nohup` has it, stay ignored.
    pub(crate) fn listen(last_words: impl FnOnce() + Send + 'static) -> Result<Self, CliError> {
        let ignored =
            std::fs::read_to_string("/proc/self/status").map_or(0, |status| ignored(&status));
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
        ];
        let heard = kinds
            .into_iter()
            .filter(|kind| ignored >> (kind.as_raw_value() - 1) & 1 == 0);
        let signals = heard.map(signal).collect::<io::Result<Vec<_>>>();
        let signals = signals.map_err(|source| CliError::Io {
            what: "cannot listen to signals".into(),
            source,
        })?;
        // With a limit on file sizes, as `ulimit -f` sets it, writing fails instead of ending the process.
        drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw())));
        let (request, asked) = oneshot::channel();
        tokio::spawn(watch(signals, request, last_words));
        Ok(Self(asked))
    }

    /// Ends when the user or the system asks the process to stop.
    pub(crate) async fn wait(&mut self) {
        if (&mut self.0).await.is_err() {
            std::future::pending().await
        }
    }
}

async fn watch(
    mut signals: Vec<unix::Signal>,
    request: oneshot::Sender<()>,
    last_words: impl FnOnce() + Send + 'static,
) {
    next(&mut signals).await;
    if request.send(()).is_ok() {
        next(&mut signals).await;
    }
    drop(tokio::time::timeout(LAST_WORDS, tokio::task::spawn_blocking(last_words)).await);
    std::process::exit(i32::from(Exit::Interrupted as u8));
}

async fn next(signals: &mut [unix::Signal]) {
    poll_fn(|context| {
        match signals
            .iter_mut()
            .any(|signal| signal.poll_recv(context).is_ready())
        {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// The signals that are ignored, as `proc_pid_status(5)` gives them: bit n - 1 for signal n.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        assert_eq!(
            ignored("SigBlk:\t0000000000000007\nSigIgn:\t0000000000001001\n"),
            0x1001
        );
        assert_eq!(ignored("Name:\tsluis\n"), 0);
    }
}
