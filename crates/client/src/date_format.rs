//! How dates are written in a caller's data.
//!
//! A format is literal characters and exactly one each of `%Y` (four digits), `%m` and `%d` (two digits; one is enough
//! where a literal or the end follows); `%%` is a per cent sign. Digits are ASCII. A date is read as a whole: nothing is
//! trimmed, and nothing may follow. There is no two-digit year, because its century would be a guess.

use std::str::FromStr;

use sluis_domain::Reason;
use sluis_domain::date::Date;

/// How dates are written in a caller's data. The default is `%Y-%m-%d`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DateFormat {
    parts: Vec<Part>,
}

/// A text that is not a date format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a date format has %Y, %m and %d once each, %% for a per cent sign, and other characters as they are: %d-%m-%Y"
)]
pub struct InvalidDateFormat;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Literal(u8),
    /// Index of year, month, day in this order; fewest and most digits.
    Number(usize, usize, usize),
}

const YEAR: usize = 0;
const MONTH: usize = 1;
const DAY: usize = 2;

impl FromStr for DateFormat {
    type Err = InvalidDateFormat;

    fn from_str(text: &str) -> Result<Self, InvalidDateFormat> {
        let mut parts = Vec::with_capacity(text.len());
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            parts.push(match byte {
                b'%' => directive(bytes.next())?,
                literal => Part::Literal(literal),
            });
        }
        for field in [YEAR, MONTH, DAY] {
            let times = parts
                .iter()
                .filter(|part| matches!(part, Part::Number(f, ..) if *f == field))
                .count();
            if times != 1 {
                return Err(InvalidDateFormat);
            }
        }
        require_both_digits_before_a_number(&mut parts);
        Ok(Self { parts })
    }
}

fn directive(letter: Option<u8>) -> Result<Part, InvalidDateFormat> {
    match letter {
        Some(b'Y') => Ok(Part::Number(YEAR, 4, 4)),
        Some(b'm') => Ok(Part::Number(MONTH, 1, 2)),
        Some(b'd') => Ok(Part::Number(DAY, 1, 2)),
        Some(b'%') => Ok(Part::Literal(b'%')),
        _ => Err(InvalidDateFormat),
    }
}

/// In `%d%m%Y` the digits cannot be told apart unless each number has all of its own.
fn require_both_digits_before_a_number(parts: &mut [Part]) {
    for i in 1..parts.len() {
        if starts_with_digit(&parts[i])
            && let Part::Number(_, fewest, most) = &mut parts[i - 1]
        {
            *fewest = *most;
        }
    }
}

fn starts_with_digit(part: &Part) -> bool {
    match part {
        Part::Number(..) => true,
        Part::Literal(byte) => byte.is_ascii_digit(),
    }
}

impl Default for DateFormat {
    fn default() -> Self {
        let parts = vec![
            Part::Number(YEAR, 4, 4),
            Part::Literal(b'-'),
            Part::Number(MONTH, 2, 2),
            Part::Literal(b'-'),
            Part::Number(DAY, 2, 2),
        ];
        Self { parts }
    }
}

impl DateFormat {
    /// Appends the date of `value` as `YYYY-MM-DD`. An empty value is missing and adds nothing.
    ///
    /// # Errors
    /// [`Reason::InvalidDate`] if the value does not have this form or the day does not exist;
    /// [`Reason::DayMonthSwapped`] if it would with day and month in each other's place: then the format may be wrong for
    /// all values.
    pub fn write_iso(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if value.is_empty() {
            return Ok(());
        }
        self.read(value)?.write(out);
        Ok(())
    }

    fn read(&self, value: &[u8]) -> Result<Date, Reason> {
        let mut iso = *b"0000-00-00";
        let mut rest = value;
        for part in &self.parts {
            rest = match *part {
                Part::Literal(byte) => rest.strip_prefix(&[byte]).ok_or(Reason::InvalidDate)?,
                Part::Number(field, fewest, most) => {
                    let digits = rest
                        .iter()
                        .take(most)
                        .take_while(|byte| byte.is_ascii_digit())
                        .count();
                    if digits < fewest {
                        return Err(Reason::InvalidDate);
                    }
                    let end = [4, 7, 10][field];
                    iso[end - digits..end].copy_from_slice(&rest[..digits]);
                    &rest[digits..]
                }
            };
        }
        if !rest.is_empty() {
            return Err(Reason::InvalidDate);
        }
        Date::parse(&iso).map_err(|reason| {
            let [y1, y2, y3, y4, _, m1, m2, _, d1, d2] = iso;
            let swapped = [y1, y2, y3, y4, b'-', d1, d2, b'-', m1, m2];
            match Date::parse(&swapped) {
                Ok(_) => Reason::DayMonthSwapped,
                Err(_) => reason,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn iso(format: &str, value: &str) -> Result<String, Reason> {
        let mut out = Vec::new();
        let format: DateFormat = format.parse().expect("a format");
        format
            .write_iso(value.as_bytes(), &mut out)
            .map(|()| String::from_utf8(out).expect("ascii"))
    }

    #[test]
    fn common_forms() {
        for (format, value) in [
            ("%Y-%m-%d", "1984-03-07"),
            ("%d-%m-%Y", "07-03-1984"),
            ("%d-%m-%Y", "7-3-1984"),
            ("%m/%d/%Y", "03/07/1984"),
            ("%d.%m.%Y", "7.03.1984"),
            ("%Y%m%d", "19840307"),
            ("%d%m%Y", "07031984"),
            ("%%%d %m %Y", "%7 3 1984"),
            ("%dé%m-%Y", "7é3-1984"),
        ] {
            assert_eq!(iso(format, value).as_deref(), Ok("1984-03-07"), "{format}");
        }
        assert_eq!(iso("%d-%m-%Y", "").as_deref(), Ok(""));
    }

    #[test]
    fn other_forms_and_days_that_do_not_exist_are_refused() {
        for (format, value) in [
            ("%d-%m-%Y", "1984-03-07"),
            ("%d-%m-%Y", "31-02-1984"),
            ("%d-%m-%Y", "07-03-84"),
            ("%d-%m-%Y", "07-03-1984 "),
            ("%d-%m-%Y", "007-03-1984"),
            ("%d-%m-%Y", "-03-1984"),
            ("%d-%m-%Y", "13-13-1984"),
            ("%d-%m-%Y", "02-30-1984"),
            ("%d%m%Y", "731984"),
            ("%Y-%m-%d", "0000-01-01"),
            ("%d-%m-%Y", "٠٧-03-1984"),
        ] {
            assert_eq!(iso(format, value), Err(Reason::InvalidDate), "{value}");
        }
    }

    #[test]
    fn a_date_with_day_and_month_swapped_says_so() {
        for (format, value) in [
            ("%d-%m-%Y", "07-13-1984"),
            ("%m/%d/%Y", "31/12/1984"),
            ("%Y-%m-%d", "1984-31-12"),
            ("%d%m%Y", "12311984"),
        ] {
            assert_eq!(iso(format, value), Err(Reason::DayMonthSwapped), "{value}");
        }
    }

    #[test]
    fn a_format_names_each_part_once() {
        for bad in [
            "",
            "%Y-%m",
            "%Y-%m-%d-%d",
            "%y-%m-%d",
            "%Y-%m-%d%",
            "yyyy-mm-dd",
            "%Y-%m-%D",
        ] {
            assert_eq!(bad.parse::<DateFormat>(), Err(InvalidDateFormat), "{bad}");
        }
    }

    #[test]
    fn the_default_is_exact() {
        let mut out = Vec::new();
        assert!(
            DateFormat::default()
                .write_iso(b"1984-3-7", &mut out)
                .is_err()
        );
        assert!(
            DateFormat::default()
                .write_iso(b"1984-03-07", &mut out)
                .is_ok()
        );
    }

    proptest! {
        #[test]
        fn what_is_written_in_a_format_is_read_back(
            year in 1u16..=9999, month in 1u8..=12, day in 1u8..=28, format in "[ -~]{0,3}",
        ) {
            let literal = format.replace('%', "%%");
            let spelled = format!("{literal}%d{literal}/%m/%Y{literal}");
            let value = format!("{format}{day:02}{format}/{month:02}/{year:04}{format}");
            prop_assert_eq!(iso(&spelled, &value), Ok(format!("{year:04}-{month:02}-{day:02}")));
        }

        #[test]
        fn any_bytes_are_read_or_refused(value in proptest::collection::vec(any::<u8>(), 0..14)) {
            let format: DateFormat = "%d-%m-%Y".parse().expect("a format");
            let mut out = Vec::new();
            if format.write_iso(&value, &mut out).is_err() {
                prop_assert!(out.is_empty());
            }
        }
    }
}
