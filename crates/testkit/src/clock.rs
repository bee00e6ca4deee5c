//! A clock that moves only when told.

use std::sync::atomic::{AtomicU64, Ordering};

use sluis_domain::Timestamp;
use sluis_domain::port::Clock;

/// A clock for tests. Starts at the real time, because certificates are judged by the real clock too.
pub struct TestClock(AtomicU64);

impl TestClock {
    /// A clock that stands at the present moment.
    #[expect(clippy::disallowed_methods, reason = "certificates made for a test must be valid at the real time")]
    pub fn now() -> Self {
        let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(AtomicU64::new(elapsed.as_millis() as u64))
    }

    /// Moves it forward.
    pub fn advance_millis(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Moves it forward by whole hours.
    pub fn advance_hours(&self, hours: u64) {
        self.advance_millis(hours * 3_600_000);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}
