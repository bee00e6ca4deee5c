//! Counts of UTC days that survive a clock that jumps.
//!
//! A daily limit is only as good as the clock. If the clock goes forty days forward and comes back, the day it comes back to
//! was counted already and must not begin again. So several days are kept: each *run* is a row of days that followed each
//! other, with the count of the last of them. Going back within a run counts on its last day. Auditors apply the same
//! rules to the log (docs/audit-log.md).

use sluis_domain::Timestamp;
use sluis_domain::time::DAY_MILLIS;

/// The values of a grant by day.
pub type GrantDays = Days<u64, 8>;

/// The number of a UTC day since 1970-01-01.
pub fn number(at: Timestamp) -> u32 {
    // The year 9999 ends before day 3,000,000.
    (at.millis() / DAY_MILLIS) as u32
}

/// Counts by day, in at most `MOST` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Days<T, const MOST: usize> {
    /// Days up to this one were forgotten and never begin again.
    floor: u32,
    /// Ascending, disjoint.
    runs: Vec<Run<T>>,
}

/// Days that followed each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<T> {
    /// The first day that counts here.
    pub first: u32,
    /// The last day; the count is of this day.
    pub day: u32,
    /// The count.
    pub count: T,
}

impl<T, const MOST: usize> Default for Days<T, MOST> {
    fn default() -> Self {
        Self {
            floor: 0,
            runs: Vec::new(),
        }
    }
}

impl<T, const MOST: usize> Days<T, MOST> {
    /// As stored; `None` unless the runs ascend, do not overlap, and begin after `floor`.
    pub fn from_runs(floor: u32, runs: Vec<Run<T>>) -> Option<Self> {
        if runs.len() > MOST {
            return None;
        }
        let mut end = None;
        for run in &runs {
            let after = end.is_none_or(|end| run.first > end) && run.day > floor;
            if run.first > run.day || !after {
                return None;
            }
            end = Some(run.day);
        }
        Some(Self { floor, runs })
    }

    /// Days up to this one were forgotten.
    pub fn floor(&self) -> u32 {
        self.floor
    }

    /// All runs, ascending.
    pub fn runs(&self) -> &[Run<T>] {
        &self.runs
    }

    /// The count on which something of `today` goes on; `None` if a day begins with it.
    pub fn get(&self, today: u32) -> Option<&T> {
        self.place(today).map(|place| &self.runs[place].count)
    }

    /// Puts the count of `today`, which was made from [`Self::get`]. Of more than `MOST` runs the oldest is forgotten.
    pub fn set(&mut self, today: u32, count: T) {
        if let Some(place) = self.place(today) {
            self.runs[place].count = count;
            return;
        }
        // A batch that was permitted just before midnight and is counted after one of the new day counts on the new day.
        let yesterday = today.saturating_sub(1);
        if let Some(run) = self.runs.iter_mut().find(|run| run.day == yesterday) {
            (run.day, run.count) = (today, count);
            return;
        }
        let place = self.runs.partition_point(|run| run.day < today);
        let run = Run {
            first: yesterday.max(self.floor.saturating_add(1)).min(today),
            day: today,
            count,
        };
        self.runs.insert(place, run);
        if self.runs.len() > MOST {
            self.floor = self.runs.remove(0).day;
        }
    }

    /// The run that `today` counts in: the one it lies in, or, for a day that was or would be forgotten, the next.
    fn place(&self, today: u32) -> Option<usize> {
        let place = self.runs.partition_point(|run| run.day < today);
        let run = self.runs.get(place)?;
        let forgotten = today <= self.floor || (place == 0 && self.runs.len() >= MOST);
        (run.first <= today || forgotten).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was counted on each of these days, one after the other, with one more each time.
    fn counts(days: &mut Days<u64, 3>, todays: &[u32]) -> Vec<u64> {
        let mut seen = Vec::new();
        for today in todays {
            let count = days.get(*today).copied().unwrap_or(0) + 1;
            days.set(*today, count);
            seen.push(count);
        }
        seen
    }

    #[test]
    fn a_clock_that_goes_forty_days_forward_and_back_finds_its_day_again() {
        let mut days = Days::default();
        assert_eq!(counts(&mut days, &[100, 100, 140, 100]), [1, 2, 1, 3]);
        assert_eq!(
            counts(&mut days, &[101, 102, 140, 102]),
            [1, 1, 2, 2],
            "days go on as before, and the day ahead is not forgotten either"
        );
    }

    #[test]
    fn a_midnight_ahead_neither_frees_a_day_nor_locks_the_days_before() {
        let mut days = Days::default();
        let seen = counts(&mut days, &[100, 140, 141, 140, 139, 100, 101, 139, 141]);
        assert_eq!(seen, [1, 1, 1, 2, 3, 2, 1, 4, 5]);
    }

    #[test]
    fn a_late_batch_of_yesterday_counts_today_and_no_day_counts_twice() {
        let mut days = Days::default();
        assert_eq!(counts(&mut days, &[7, 8, 7, 6, 8]), [1, 1, 2, 3, 4]);
    }

    #[test]
    fn what_was_forgotten_counts_on_the_next_day_that_is_known() {
        let mut days = Days::default();
        assert_eq!(counts(&mut days, &[10, 20, 30, 40]), [1, 1, 1, 1]);
        assert_eq!((days.floor(), days.runs().len()), (10, 3));
        assert_eq!(counts(&mut days, &[10, 5, 20, 15]), [2, 3, 4, 5]);
    }

    #[test]
    fn runs_that_overlap_or_descend_are_not_read() {
        let run = |first, day| Run {
            first,
            day,
            count: 0,
        };
        let good = vec![run(3, 4), run(5, 9)];
        assert!(Days::<u64, 3>::from_runs(3, good).is_some());
        for bad in [
            vec![run(5, 4)],
            vec![run(4, 5), run(5, 6)],
            vec![run(8, 9), run(5, 6)],
            vec![run(1, 3)],
        ] {
            assert_eq!(Days::<u64, 3>::from_runs(3, bad), None);
        }
    }
}
