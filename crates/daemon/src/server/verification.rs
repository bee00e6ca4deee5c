//! Verifies the log from its first entry after a start that read only the end of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluis_engine::{EngineError, Verified};
use sluis_port::StoreError;

use super::Shared;

/// How long to work at a time, before callers get the processor again.
const SLICE: Duration = Duration::from_millis(20);
/// Of the time at most one part in so many is spent on it.
const SHARE: u32 = 5;
/// How often to look whether there is something to verify: after each opening there is.
const LOOK: Duration = Duration::from_secs(2);
/// How often progress is logged.
const TELL: Duration = Duration::from_secs(60);

/// Verifies what was not verified, until it is dropped.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut told: Option<Instant> = None;
    loop {
        let verifying = shared.clone();
        let slice = tokio::task::spawn_blocking(move || verify(&verifying));
        let Ok(Some((progress, took))) = slice.await else {
            told = None;
            tokio::time::sleep(LOOK).await;
            continue;
        };
        let Verified { entries, goal } = progress;
        if progress.is_done() {
            tracing::info!(entries, "the whole audit log was verified");
        } else if told.is_none_or(|told| told.elapsed() >= TELL) {
            tracing::info!(entries, goal, "the audit log is verified in the background");
            told = Some(Instant::now());
        }
        tokio::time::sleep(took * (SHARE - 1)).await;
    }
}

/// Verifies for a moment: how far that is, and how long it took; `None` if there is nothing to verify with.
fn verify(shared: &Shared) -> Option<(Verified, Duration)> {
    let engine = shared.engine().ok()?;
    if engine.log().is_verified() {
        return None;
    }
    let started = Instant::now();
    loop {
        match engine.log().verify_on() {
            Ok(progress) if !progress.is_done() && started.elapsed() < SLICE => {}
            Ok(progress) => return Some((progress, started.elapsed())),
            // Bytes that are no entry are a fault.
            Err(EngineError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => {
                tracing::warn!(%error, "the audit log cannot be read to verify it");
                return None;
            }
            Err(fault) => {
                tracing::error!(%fault, "the audit log is not what it was: all acts are refused");
                // The next start finds it before it does anything.
                shared.keeper.heads().file().remove_state();
                shared.look_at_health();
                return None;
            }
        }
    }
}
