//! The one place of the command line that reads the system clock.

use std::time::{SystemTime, UNIX_EPOCH};

use sluis_domain::Timestamp;

/// Now, to the millisecond. A clock before 1970 counts as 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line's one real clock; everything else takes a Timestamp"
)]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis())
        .ok()
        .and_then(Timestamp::from_millis)
        .unwrap_or(Timestamp::MAX)
}
