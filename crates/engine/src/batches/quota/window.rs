//! How many batches came in the last minute.

use sluis_domain::Timestamp;

/// A minute that begins anywhere in a second touches 61 of them.
const SECONDS: usize = 61;

/// Counts per second; in memory only. No 60 seconds ever have more batches than the limit.
pub(super) struct Window {
    counts: [u32; SECONDS],
    /// The second that was last looked at; its count is at `second % SECONDS`.
    second: u64,
}

impl Window {
    pub(super) fn empty() -> Self {
        Self {
            counts: [0; SECONDS],
            second: 0,
        }
    }

    /// Batches of the last minute.
    pub(super) fn used(&mut self, now: Timestamp) -> u64 {
        self.move_to(now.millis() / 1000);
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// Counts one batch.
    ///
    /// # Errors
    /// The number of batches of the last minute, if one more is too many.
    pub(super) fn take(&mut self, now: Timestamp, limit: u32) -> Result<(), u64> {
        let used = self.used(now);
        if used >= u64::from(limit) {
            return Err(used);
        }
        self.counts[self.place()] += 1;
        Ok(())
    }

    fn place(&self) -> usize {
        (self.second % SECONDS as u64) as usize
    }

    fn move_to(&mut self, second: u64) {
        // A batch may wait a little for a later one. A clock that was set back frees nothing: all that was counted counts
        // as of this second.
        if second.abs_diff(self.second) >= SECONDS as u64 {
            let back = second < self.second;
            let counted = self
                .counts
                .iter()
                .fold(0, |sum: u32, n| sum.saturating_add(*n));
            *self = Self {
                second,
                ..Self::empty()
            };
            let place = self.place();
            self.counts[place] = if back { counted } else { 0 };
        }
        while self.second < second {
            self.second += 1;
            self.counts[self.place()] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + millis).expect("small")
    }

    #[test]
    fn a_batch_is_free_again_a_minute_later() {
        let mut window = Window::empty();
        for second in [0, 10, 59] {
            assert_eq!(window.take(at(second * 1000 + 900), 3), Ok(()));
        }
        assert_eq!(window.take(at(59_900), 3), Err(3));
        assert_eq!(
            window.take(at(60_000), 3),
            Err(3),
            "59.1 seconds after the first"
        );
        assert_eq!(window.take(at(61_000), 3), Ok(()));
        assert_eq!(window.take(at(61_000), 3), Err(3));
        assert_eq!(window.used(at(71_000)), 2);
        assert_eq!(window.used(at(200_000)), 0);
    }

    #[test]
    fn a_clock_that_was_set_back_neither_frees_nor_locks_for_long() {
        let mut window = Window::empty();
        assert_eq!(window.take(at(100_000), 1), Ok(()));
        assert_eq!(window.take(at(99_000), 1), Err(1));
        assert_eq!(window.take(at(0), 1), Err(1), "set back by 99 seconds");
        assert_eq!(window.take(at(1_000), 1), Err(1));
        assert_eq!(window.take(at(61_000), 1), Ok(()));
    }
}
