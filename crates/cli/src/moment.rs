//! Moments on the command line: RFC 3339, or a duration from now such as `30d`.

use std::str::FromStr;

use sluis_domain::Timestamp;

/// A moment as it was typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// RFC 3339.
    At(Timestamp),
    /// Milliseconds from now.
    In(u64),
}

/// A text that is neither.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write a time like 2026-11-22T09:30:00Z, or a duration from now like 45m, 12h, 30d or 8w")]
pub(crate) struct InvalidMoment;

impl Moment {
    /// The moment, given the time now.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::In(millis) => now.plus_millis(millis),
        }
    }
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        match duration_millis(text) {
            Some(millis) => Ok(Self::In(millis)),
            None => Timestamp::parse(text)
                .map(Self::At)
                .map_err(|_| InvalidMoment),
        }
    }
}

/// A whole number and a unit: `m`inutes, `h`ours, `d`ays or `w`eeks.
fn duration_millis(text: &str) -> Option<u64> {
    const MINUTE: u64 = 60_000;
    let unit = match text.chars().next_back()? {
        'm' => MINUTE,
        'h' => 60 * MINUTE,
        'd' => 24 * 60 * MINUTE,
        'w' => 7 * 24 * 60 * MINUTE,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, InvalidMoment> {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").expect("valid");
        Ok(text.parse::<Moment>()?.from(now).to_string())
    }

    #[test]
    fn durations_count_from_now() {
        assert_eq!(at("45m").as_deref(), Ok("2026-01-01T00:45:00Z"));
        assert_eq!(at("12h").as_deref(), Ok("2026-01-01T12:00:00Z"));
        assert_eq!(at("30d").as_deref(), Ok("2026-01-31T00:00:00Z"));
        assert_eq!(at("2w").as_deref(), Ok("2026-01-15T00:00:00Z"));
        assert_eq!(at("0d").as_deref(), Ok("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn times_are_taken_as_they_are() {
        assert_eq!(
            at("2027-02-03T04:05:06+01:00").as_deref(),
            Ok("2027-02-03T03:05:06Z")
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "d",
            "30",
            "30y",
            "-3d",
            "+3d",
            "3 d",
            "3dé",
            "2027-02-03",
            "99999999999999999999d",
            "1.5h",
        ] {
            assert_eq!(at(bad), Err(InvalidMoment), "{bad}");
        }
    }
}
