//! Keeps the head of the log while the daemon runs.

use std::sync::Arc;

use super::Shared;

/// Keeps the head of the log until it is dropped.
pub(super) async fn watch(shared: Arc<Shared>) {
    let every = shared.settings.audit.head_every;
    loop {
        tokio::time::sleep(every).await;
        let mut keeping = std::pin::pin!(keep(&shared));
        // A write that hangs is a write that fails.
        while tokio::time::timeout(every, &mut keeping).await.is_err() {
            if let Ok(engine) = shared.engine() {
                shared.keeper.heads().stop_if_late(&engine);
                shared.look_at_health();
            }
        }
    }
}

/// Keeps the head of the log now, unless the keyring is sealed.
async fn keep(shared: &Arc<Shared>) {
    let keeping = shared.clone();
    let done = tokio::task::spawn_blocking(move || {
        let Ok(engine) = keeping.engine() else { return };
        let before = engine.accepts();
        // Said in the log.
        drop(keeping.keeper.heads().keep(&engine));
        if engine.accepts() != before {
            keeping.look_at_health();
        }
    });
    drop(done.await);
}

/// As [`keep`], and writes the state of the log, so that the next start reads nothing again.
pub(super) async fn keep_for_next_start(shared: &Arc<Shared>) {
    keep(shared).await;
    let saving = shared.clone();
    let saved = tokio::task::spawn_blocking(move || {
        if let Ok(engine) = saving.engine() {
            saving.keeper.heads().save(&engine, 0);
        }
    });
    drop(saved.await);
}
