//! Points in time, to the millisecond, UTC.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds of a day.
pub const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(u64);

/// A text that is not an RFC 3339 time from 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time is written like 2026-11-22T09:30:00Z (RFC 3339) and lies between 1970 and 9999")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// The last millisecond of the year 9999, the end of RFC 3339.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// From milliseconds since the epoch; `None` past [`Self::MAX`].
    pub fn from_millis(millis: u64) -> Option<Self> {
        (millis <= Self::MAX.0).then_some(Self(millis))
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// This many milliseconds later, no later than [`Self::MAX`].
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis)).min(Self::MAX)
    }

    /// Parses RFC 3339.
    ///
    /// # Errors
    /// [`InvalidTimestamp`].
    pub fn parse(text: &str) -> Result<Self, InvalidTimestamp> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp)?;
        u64::try_from(moment.unix_timestamp_nanos() / 1_000_000)
            .ok()
            .and_then(Self::from_millis)
            .ok_or(InvalidTimestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_both_ways() {
        let moment = Timestamp::parse("2026-11-22T09:30:00.250Z").expect("valid");
        assert_eq!(moment.to_string(), "2026-11-22T09:30:00.25Z");
        assert_eq!(
            Timestamp::parse(&Timestamp::MAX.to_string()),
            Ok(Timestamp::MAX)
        );
        assert_eq!(
            Timestamp::parse("1969-12-31T23:59:59Z"),
            Err(InvalidTimestamp)
        );
        assert_eq!(Timestamp::parse("tomorrow"), Err(InvalidTimestamp));
    }
}
