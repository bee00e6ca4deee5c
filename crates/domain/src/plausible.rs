//! Dates that are none: placeholders such as 9999-12-31, and dates that no one's record can hold.
//!
//! A date shift moves all dates of a subject by one secret number of days. A date that everyone knows, moved by it,
//! tells that number and with it all true dates of the subject. So placeholders are never moved, and what is neither a
//! placeholder nor plausible is refused.

use std::fmt;
use std::num::NonZeroU32;

use crate::Reason;
use crate::date::Date;

/// What a date-shift element takes for placeholders unless the registry lists others: ends of years and centuries that
/// programs write for "for ever", first and last days of databases, spreadsheets and clocks, and the first and the last
/// day of the usual plausible range, to which programs cut dates. Few true dates are among them, and those stay true.
pub const DEFAULT_PLACEHOLDERS: [&str; 28] = [
    "0001-01-01",
    "1753-01-01",
    "1800-01-01",
    "1850-01-01",
    "1858-11-17",
    "1899-12-30",
    "1899-12-31",
    "1900-01-01",
    "1901-01-01",
    "1901-12-13",
    "1904-01-01",
    "1911-11-11",
    "2038-01-19",
    "2049-12-31",
    "2050-01-01",
    "2050-12-31",
    "2078-12-31",
    "2079-06-06",
    "2099-01-01",
    "2099-12-31",
    "2100-01-01",
    "2100-12-31",
    "2106-02-07",
    "2149-06-06",
    "2150-12-31",
    "2199-12-31",
    "2999-12-31",
    "9999-12-31",
];

/// Most placeholders of an element.
pub const MAX_PLACEHOLDERS: usize = 64;

/// Dates that stand for something else, such as "unknown" or "for ever". They stay as they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Placeholders(Vec<Date>);

impl Placeholders {
    /// These dates.
    pub fn new(dates: Vec<Date>) -> Self {
        Self(dates)
    }

    /// [`DEFAULT_PLACEHOLDERS`].
    pub fn of_date_shift() -> Self {
        let dates = DEFAULT_PLACEHOLDERS.map(|text| Date::parse(text.as_bytes()));
        Self(dates.into_iter().flatten().collect())
    }

    /// Whether this date is one.
    pub fn contains(&self, date: Date) -> bool {
        self.0.contains(&date)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of the registry.
    pub fn dates(&self) -> &[Date] {
        &self.0
    }
}

/// `1900-01-01,9999-12-31`; `none` where there is none.
impl fmt::Display for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, date) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{date}")?;
        }
        Ok(())
    }
}

/// The dates that an element may hold, the first and the last included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plausible {
    first: Date,
    last: Date,
}

impl Plausible {
    /// From the first to the last date; `None` if the first is after the last.
    pub fn new(first: Date, last: Date) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The first date.
    pub fn first(self) -> Date {
        self.first
    }

    /// The last date.
    pub fn last(self) -> Date {
        self.last
    }

    /// Whether a date is in the range.
    pub fn contains(self, date: Date) -> bool {
        (self.first..=self.last).contains(&date)
    }
}

/// 1850-01-01 to 2150-12-31.
impl Default for Plausible {
    fn default() -> Self {
        Self {
            first: Date::parse(b"1850-01-01").expect("a date of the calendar"),
            last: Date::parse(b"2150-12-31").expect("a date of the calendar"),
        }
    }
}

/// `1850-01-01..2150-12-31`.
impl fmt::Display for Plausible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.first, self.last)
    }
}

/// The parameters of a date shift.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DateShift {
    /// Furthest move in days either way.
    pub max_days: NonZeroU32,
    /// Dates that are not moved.
    pub placeholders: Placeholders,
    /// Which other dates are moved.
    pub plausible: Plausible,
}

impl DateShift {
    /// Whether a date is to be moved: not if it is a placeholder.
    ///
    /// # Errors
    /// [`Reason::ImplausibleDate`] if it is neither a placeholder nor plausible.
    pub fn moves(&self, date: Date) -> Result<bool, Reason> {
        if self.placeholders.contains(date) {
            Ok(false)
        } else if self.plausible.contains(date) {
            Ok(true)
        } else {
            Err(Reason::ImplausibleDate)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        Date::parse(text.as_bytes()).expect("a date")
    }

    #[test]
    fn placeholders_stay_and_implausible_dates_are_refused() {
        let mut shift = DateShift {
            max_days: NonZeroU32::MIN,
            placeholders: Placeholders::of_date_shift(),
            plausible: Plausible::default(),
        };
        assert_eq!(shift.placeholders.dates().len(), DEFAULT_PLACEHOLDERS.len());
        for text in DEFAULT_PLACEHOLDERS {
            assert_eq!(shift.moves(date(text)), Ok(false), "{text}");
        }
        for text in ["1850-01-02", "1970-01-01", "2026-02-28", "2150-12-30"] {
            assert_eq!(shift.moves(date(text)), Ok(true), "{text}");
        }
        for text in ["1849-12-31", "2151-01-01", "9999-12-30", "0001-01-02"] {
            assert_eq!(
                shift.moves(date(text)),
                Err(Reason::ImplausibleDate),
                "{text}"
            );
        }
        shift.placeholders = Placeholders::default();
        assert_eq!(
            shift.moves(date("9999-12-31")),
            Err(Reason::ImplausibleDate)
        );
        assert_eq!(shift.moves(date("1900-01-01")), Ok(true));
    }

    /// Moved, each of them tells the secret number of days of every subject that has it.
    #[test]
    fn well_known_end_dates_are_not_moved() {
        let shift = DateShift {
            max_days: NonZeroU32::MIN,
            placeholders: Placeholders::of_date_shift(),
            plausible: Plausible::default(),
        };
        for text in [
            "1850-01-01",
            "1858-11-17",
            "1901-01-01",
            "1901-12-13",
            "1904-01-01",
            "1911-11-11",
            "2038-01-19",
            "2049-12-31",
            "2050-12-31",
            "2078-12-31",
            "2079-06-06",
            "2099-01-01",
            "2100-01-01",
            "2100-12-31",
            "2106-02-07",
            "2149-06-06",
            "2150-12-31",
        ] {
            assert_eq!(shift.moves(date(text)), Ok(false), "{text}");
        }
        assert!(DEFAULT_PLACEHOLDERS.is_sorted());
        assert!(DEFAULT_PLACEHOLDERS.len() <= MAX_PLACEHOLDERS);
    }

    #[test]
    fn a_range_has_a_first_and_a_last_day() {
        assert!(Plausible::new(date("2026-01-02"), date("2026-01-01")).is_none());
        assert!(Plausible::new(date("2026-01-01"), date("2026-01-01")).is_some());
        assert_eq!(Plausible::default().to_string(), "1850-01-01..2150-12-31");
    }
}
