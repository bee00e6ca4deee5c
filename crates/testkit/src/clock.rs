//! A clock that moves as told.

use std::sync::atomic::{AtomicU64, Ordering};

use sluis_domain::Timestamp;
use sluis_port::Clock;

/// A clock for tests. Starts at the real time, because certificates are judged by the real clock too.
pub struct TestClock {
    now: AtomicU64,
    /// By how much it moves whenever someone looks.
    step: AtomicU64,
}

impl TestClock {
    /// A clock that stands at the present moment.
    #[expect(
        clippy::disallowed_methods,
        reason = "certificates made for a test must be valid at the real time"
    )]
    pub fn now() -> Self {
        let elapsed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            now: AtomicU64::new(elapsed.as_millis() as u64),
            step: AtomicU64::new(0),
        }
    }

    /// Moves it forward.
    pub fn advance_millis(&self, millis: u64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets it back, as operators and time servers do.
    pub fn set_back_millis(&self, millis: u64) {
        self.now.fetch_sub(millis, Ordering::SeqCst);
    }

    /// Lets it move by itself whenever someone looks, as a real clock does between two looks.
    pub fn tick(&self, millis: u64) {
        self.step.store(millis, Ordering::SeqCst);
    }

    /// Moves it forward by whole hours.
    pub fn advance_hours(&self, hours: u64) {
        self.advance_millis(hours * 3_600_000);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let step = self.step.load(Ordering::SeqCst);
        Timestamp::from_millis(self.now.fetch_add(step, Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}
