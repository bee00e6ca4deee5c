//! How slow a peer may be. Bytes must move at a least rate, and a peer may be behind it by a while.

use std::time::{Duration, Instant};

/// The least rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Bytes per second.
    pub(super) least: u32,
    /// How long a peer may be behind.
    pub(super) grace: Duration,
}

/// How far a peer is ahead of being cut off. Time passes only while we wait for the peer.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    credit: Duration,
    waiting_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            credit: rate.grace,
            waiting_since: None,
        }
    }

    /// We wait for the peer, from now on or already.
    pub(super) fn wait(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// We do not wait any more.
    pub(super) fn stop(&mut self, now: Instant) {
        self.credit = self.left(now);
        self.waiting_since = None;
    }

    /// The peer has moved so many bytes.
    pub(super) fn moved(&mut self, bytes: usize) {
        let earned = Duration::from_secs_f64(bytes as f64 / f64::from(self.rate.least.max(1)));
        self.credit = self.credit.saturating_add(earned).min(self.rate.grace);
    }

    /// How much longer the peer may take for nothing at all; zero if it is too slow.
    pub(super) fn left(&self, now: Instant) -> Duration {
        let waited = self
            .waiting_since
            .map(|since| now.saturating_duration_since(since));
        self.credit.saturating_sub(waited.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a peer move `bytes` every `every` seconds; how many times it does before it is too slow, of 100.
    fn lasts(bytes: usize, every: u64) -> usize {
        let mut now = Instant::now();
        let mut pace = Pace::new(Rate {
            least: 1_000,
            grace: Duration::from_secs(60),
        });
        for done in 0..100 {
            pace.wait(now);
            now += Duration::from_secs(every);
            if pace.left(now).is_zero() {
                return done;
            }
            pace.stop(now);
            pace.moved(bytes);
        }
        100
    }

    #[test]
    fn a_byte_now_and_then_is_not_enough() {
        assert_eq!(lasts(1, 59), 1);
        assert_eq!(lasts(1, 20), 3);
        assert_eq!(lasts(0, 61), 0);
        assert_eq!(lasts(10_000, 20), 4);
    }

    #[test]
    fn the_least_rate_is_enough() {
        assert_eq!(lasts(20_000, 20), 100);
        assert_eq!(lasts(59_000, 59), 100);
        assert_eq!(lasts(1_000_000, 59), 100);
    }

    #[test]
    fn time_in_which_we_do_not_wait_does_not_count() {
        let now = Instant::now();
        let mut pace = Pace::new(Rate {
            least: 1_000,
            grace: Duration::from_secs(60),
        });
        pace.wait(now);
        pace.stop(now + Duration::from_secs(10));
        let later = now + Duration::from_secs(1_000);
        assert_eq!(pace.left(later), Duration::from_secs(50));
        pace.moved(5_000);
        assert_eq!(pace.left(later), Duration::from_secs(55));
    }
}
