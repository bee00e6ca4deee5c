//! Waiting for what is on its way.

use std::time::Duration;

/// A deadline that only a defect reaches, on however slow a machine.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks again and again until the condition holds.
///
/// # Panics
/// After [`DEADLINE`].
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    first(what, async || holds().await.then_some(())).await;
}

/// Looks again and again until there is something; returns it.
///
/// # Panics
/// After [`DEADLINE`].
pub async fn first<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(DEADLINE, found)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"))
}
