//! Calendar dates as columns hold them: `YYYY-MM-DD`, years 0001 to 9999.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{Date as CalendarDate, Month};

use crate::Reason;

/// A date of the Gregorian calendar, carried back before 1582 (ISO 8601), from 0001-01-01 to 9999-12-31.
///
/// Its text is exactly ten ASCII bytes, `YYYY-MM-DD`, also in serde.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(CalendarDate);

impl Date {
    /// Parses exactly ten bytes `YYYY-MM-DD`: no white space, no sign, no other digits than ASCII.
    ///
    /// # Errors
    /// [`Reason::InvalidDate`] for any other form, the year 0000, or a day that does not exist.
    pub fn parse(text: &[u8]) -> Result<Self, Reason> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
            return Err(Reason::InvalidDate);
        };
        let year = number(&[*y1, *y2, *y3, *y4])?;
        let month = number(&[*m1, *m2])?;
        let day = number(&[*d1, *d2])?;
        Self::new(year, month, day).ok_or(Reason::InvalidDate)
    }

    /// This many days later (earlier if negative).
    ///
    /// # Errors
    /// [`Reason::DateOutOfRange`] if that is before 0001-01-01 or after 9999-12-31.
    pub fn shift(self, days: i64) -> Result<Self, Reason> {
        i64::from(self.0.to_julian_day())
            .checked_add(days)
            .and_then(|day| i32::try_from(day).ok())
            .and_then(|day| CalendarDate::from_julian_day(day).ok())
            .and_then(Self::in_range)
            .ok_or(Reason::DateOutOfRange)
    }

    /// Appends the ten bytes `YYYY-MM-DD`.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text());
    }

    /// 1 to 9999.
    pub fn year(self) -> u16 {
        u16::try_from(self.0.year()).expect("a Date lies in the years 1 to 9999")
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.0.month().into()
    }

    /// 1 to 31.
    pub fn day(self) -> u8 {
        self.0.day()
    }

    pub(crate) fn new(year: u16, month: u16, day: u16) -> Option<Self> {
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        let date =
            CalendarDate::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?)
                .ok()?;
        Self::in_range(date)
    }

    fn in_range(date: CalendarDate) -> Option<Self> {
        (1..=9999).contains(&date.year()).then_some(Self(date))
    }

    fn text(self) -> [u8; 10] {
        let (year, month, day) = (self.year(), u16::from(self.month()), u16::from(self.day()));
        [
            digit(year / 1000),
            digit(year / 100),
            digit(year / 10),
            digit(year),
            b'-',
            digit(month / 10),
            digit(month),
            b'-',
            digit(day / 10),
            digit(day),
        ]
    }
}

fn digit(number: u16) -> u8 {
    b'0' + (number % 10) as u8
}

/// The number that up to four ASCII digits write.
fn number(digits: &[u8]) -> Result<u16, Reason> {
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Ok(number * 10 + u16::from(digit - b'0')),
        _ => Err(Reason::InvalidDate),
    })
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text()
            .iter()
            .try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

/// A date of birth is personal data, so it is not shown.
impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Date(..)")
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(text.as_bytes()).map_err(|reason| serde::de::Error::custom(reason.message()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    use super::*;

    /// Days in a month, said again.
    fn days_in(year: u16, month: u8) -> u8 {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    fn date(text: &str) -> Date {
        Date::parse(text.as_bytes()).expect("a date")
    }

    #[test]
    fn every_day_of_every_year_parses_and_no_other_day() {
        for year in 0..=9999 {
            for (month, day) in [
                (1, 1),
                (2, 28),
                (2, 29),
                (2, 30),
                (4, 30),
                (4, 31),
                (12, 31),
                (12, 32),
                (13, 1),
            ] {
                let text = format!("{year:04}-{month:02}-{day:02}");
                let exists = year > 0 && month <= 12 && day <= days_in(year, month);
                assert_eq!(Date::parse(text.as_bytes()).is_ok(), exists, "{text}");
            }
        }
    }

    #[test]
    fn only_the_exact_form_is_a_date() {
        for text in [
            "",
            " ",
            "1984-3-7",
            "1984-03-07 ",
            " 1984-03-07",
            "1984/03/07",
            "19840307",
            "07-03-1984",
            "+984-03-07",
            "-001-03-07",
            "1984-+3-07",
            "1984-00-07",
            "1984-03-00",
            "0000-01-01",
            "12024-01-01",
            "1984-03-07T00:00:00Z",
            "١٩٨٤-03-07",
        ] {
            assert_eq!(
                Date::parse(text.as_bytes()),
                Err(Reason::InvalidDate),
                "{text}"
            );
        }
    }

    #[test]
    fn shifting_stops_at_the_ends_of_the_calendar() {
        assert_eq!(date("2024-02-28").shift(1), Ok(date("2024-02-29")));
        assert_eq!(date("2024-03-01").shift(-2), Ok(date("2024-02-28")));
        assert_eq!(date("1900-02-28").shift(1), Ok(date("1900-03-01")));
        assert_eq!(date("0001-01-01").shift(3_652_058), Ok(date("9999-12-31")));
        assert_eq!(date("0001-01-01").shift(-1), Err(Reason::DateOutOfRange));
        assert_eq!(date("9999-12-31").shift(1), Err(Reason::DateOutOfRange));
        for days in [i64::MIN, i64::MAX, i64::from(i32::MAX), i64::from(i32::MIN)] {
            assert_eq!(date("1984-03-07").shift(days), Err(Reason::DateOutOfRange));
        }
    }

    #[test]
    fn debug_does_not_show_the_date() {
        assert_eq!(format!("{:?}", date("1984-03-07")), "Date(..)");
    }

    #[test]
    fn serde_is_the_text() {
        let read = |text: &'static str| {
            let from: StrDeserializer<'_, Error> = text.into_deserializer();
            Date::deserialize(from)
        };
        assert_eq!(read("1984-03-07"), Ok(date("1984-03-07")));
        assert!(read("7 March 1984").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_either_come_back_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(date) = Date::parse(&bytes) {
                prop_assert_eq!(date.to_string().into_bytes(), bytes);
            }
        }

        #[test]
        fn shifting_there_and_back_is_the_same_day(
            year in 1000u16..9000, month in 1u8..=12, day in 1u8..=28, days in -100_000i64..100_000,
        ) {
            let start = date(&format!("{year:04}-{month:02}-{day:02}"));
            prop_assert_eq!((start.year(), start.month(), start.day()), (year, month, day));
            let shifted = start.shift(days).expect("in range");
            prop_assert_eq!(shifted.cmp(&start), days.cmp(&0));
            prop_assert_eq!(shifted.shift(-days), Ok(start));
            let mut text = Vec::new();
            shifted.write(&mut text);
            prop_assert_eq!(Date::parse(&text), Ok(shifted));
        }
    }
}
