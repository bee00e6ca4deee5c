//! What is done when its time has come: retention, erasures, and rewriting of what was removed.

use std::sync::Arc;

use sluis_domain::Reason;
use sluis_engine::{Housekeeping, Refusal};

use super::Shared;

/// Does what is due, every so often.
pub(super) async fn watch(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(shared.settings.housekeeping).await;
        match keep(&shared).await {
            Ok(_) => {}
            // Said in the log where it was found.
            Err(refusal)
                if matches!(refusal.reason(), Reason::Sealed | Reason::HeadUnavailable) => {}
            Err(refusal) => {
                shared.metrics.housekeeping_failed();
                tracing::error!(reason = %refusal.reason(), detail = refusal.detail(), "housekeeping failed; it will be tried again");
            }
        }
    }
}

/// Does what is due now, and says what was done even if not everything could be.
///
/// # Errors
/// [`Reason::Sealed`], and the errors of [`sluis_engine::Life::housekeep`].
pub(super) async fn keep(shared: &Arc<Shared>) -> Result<Housekeeping, Refusal> {
    let keeping = shared.clone();
    let done = tokio::task::spawn_blocking(move || {
        let engine = keeping.keeper.engine()?;
        let engine = engine.live().map_err(|denial| denial.reason)?;
        Ok::<_, Refusal>(engine.life().housekeep())
    });
    let round = done
        .await
        .unwrap_or_else(|_| Err(Refusal::new(Reason::Internal, "housekeeping panicked")))?;
    let (done, refusal) = match round {
        Ok(done) => (done, None),
        Err(unfinished) if unfinished.refusal.reason() == Reason::HeadUnavailable => {
            return Err(unfinished.refusal);
        }
        Err(unfinished) => (unfinished.done, Some(unfinished.refusal)),
    };
    for chain in &done.warned {
        tracing::warn!(%chain, "the chain is past its retention and will be destroyed");
    }
    for chain in &done.destroyed {
        tracing::warn!(%chain, "the chain was past its retention and was destroyed");
    }
    if done.erased > 0 || done.compacted > 0 {
        tracing::info!(
            erased = done.erased,
            compacted = done.compacted,
            "housekeeping"
        );
    }
    shared.metrics.housekeeping(&done);
    refusal.map_or(Ok(done), Err)
}
