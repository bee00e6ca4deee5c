//! The end of the process, which waits for no disk.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use sluis_store::RocksStore;

/// How long closing the store may take.
const LONGEST_CLOSE: Duration = Duration::from_secs(10);
/// How long the process may take to end after that: RocksDB's library waits for its own threads.
const LONGEST_EXIT: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(10);

/// Closes the store; ends the process with `code` if that takes too long. What was answered is in the write-ahead log, so
/// nothing is lost with it.
pub(super) fn close(store: Arc<RocksStore>, code: i32) {
    let (closed, waiting) = sync_channel::<()>(1);
    let closing = std::thread::Builder::new()
        .name("store-close".into())
        .spawn(move || {
            close_when_alone(store);
            // That ends the waiting.
            drop(closed);
        });
    let waited = waiting.recv_timeout(LONGEST_CLOSE);
    if closing.is_err() || waited == Err(RecvTimeoutError::Timeout) {
        tracing::warn!("the store did not close in time; the next start reads its write-ahead log");
        exit(code);
    }
}

/// Work in flight that had to be cut may still hold the store.
fn close_when_alone(mut store: Arc<RocksStore>) {
    loop {
        match Arc::try_unwrap(store) {
            Ok(alone) => return drop(alone),
            Err(held) => store = held,
        }
        std::thread::park_timeout(PAUSE);
    }
}

/// Ends the process, whatever its threads do.
fn exit(code: i32) -> ! {
    let watching = std::thread::Builder::new().spawn(|| {
        std::thread::park_timeout(LONGEST_EXIT);
        let _ = kill_process(getpid(), Signal::KILL);
    });
    drop(watching);
    std::process::exit(code)
}
