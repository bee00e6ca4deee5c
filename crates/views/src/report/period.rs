//! Days of a report.

use sluis_domain::time::DAY_MILLIS;
use std::fmt;
use std::str::FromStr;

use sluis_domain::Timestamp;

/// A day in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day(Timestamp);

impl Day {
    /// Its first millisecond.
    pub(crate) fn start(self) -> Timestamp {
        self.0
    }

    /// The first millisecond after it.
    pub(crate) fn end(self) -> Timestamp {
        self.0.plus_millis(DAY_MILLIS)
    }
}

/// Whole days from one moment to a later one.
pub(crate) fn days(from: Timestamp, to: Timestamp) -> u64 {
    to.millis().saturating_sub(from.millis()) / DAY_MILLIS
}

/// `2026-11`.
pub(crate) fn month(at: Timestamp) -> String {
    at.to_string().chars().take(7).collect()
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shape = text.len() == 10;
        let start = Timestamp::parse(&format!("{text}T00:00:00Z"))
            .ok()
            .filter(|_| shape);
        start
            .map(Self)
            .ok_or_else(|| "a day is written like 2026-11-22 (UTC)".to_owned())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string().chars().take(10).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_24_hours_and_belongs_to_a_month() {
        let day: Day = "2026-02-28".parse().expect("a day");
        assert_eq!(day.to_string(), "2026-02-28");
        assert_eq!(day.end().to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(
            (month(day.start()).as_str(), days(day.start(), day.end())),
            ("2026-02", 1)
        );
        for bad in [
            "",
            "2026-02-30",
            "2026-2-3",
            "2026-02-28T00:00:00Z",
            "today",
        ] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
    }
}
