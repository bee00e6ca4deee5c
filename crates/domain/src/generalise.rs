//! Generalisation: a coarser value in place of an exact one (treatment `generalise`), so that fewer people can be
//! singled out by it.
//!
//! | to | input | output | example |
//! |---|---|---|---|
//! | `year` | date | `YYYY` | `1984-03-07` -> `1984` |
//! | `month` | date | `YYYY-MM` | `1984-03-07` -> `1984-03` |
//! | `decade` | date | first year of the decade and `s` | `1984-03-07` -> `1980s` |
//! | `age-band` | date | lowest and highest whole age, `-` between; from `top` on one open band | `1984-03-07` -> `40-49`, `1930-01-01` -> `90+` |
//! | `prefix` | UTF-8 | its first characters | `1234AB` -> `1234` |
//! | `band` | number | `[low,high)`: low <= value < high | `-0.5` -> `[-10,0)` |
//!
//! Dates are those of [`Date::parse`]. An age-band of width 1 is still written with both ends (`41-41`). A value is
//! taken as it is: nothing is trimmed. Dates that are listed as placeholders stay as they are ([`Generaliser`]).

use std::io::Write;

use crate::Reason;
use crate::date::Date;
use crate::plausible::Placeholders;

/// Above this age a date of birth is taken for a mistake.
const OLDEST: u16 = 140;

/// The `top` of an age-band that names none: few people are older, and their exact age would single them out.
pub const DEFAULT_TOP: u16 = 90;

/// Highest `top` of an age-band.
pub const MAX_TOP: u16 = OLDEST;

/// What a value is generalised to. The registry refuses a width or length of zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Generalisation {
    /// The year of a date: `1984`.
    Year,
    /// The year and month of a date: `1984-03`.
    Month,
    /// The decade of a date: `1980s` for 1980 to 1989.
    Decade,
    /// The age in whole years at `reference` of someone born on the date, in bands from 0: `40-49`. Who was born on
    /// 29 February has a birthday on 1 March in common years.
    AgeBand {
        /// Years per band; zero refuses every value.
        width: u16,
        /// The day at which the age is taken; a later date of birth is refused.
        reference: Date,
        /// From this age on there is one band, `90+`; the band before it ends one year below.
        top: u16,
    },
    /// The first characters (Unicode scalar values) of a text; a shorter text stays whole.
    Prefix {
        /// How many; zero leaves nothing, which is a missing value.
        length: u16,
    },
    /// The band of a decimal number, from 0 in both directions: `[40,50)` for 40 and for 49.99, `[-10,0)` for -0.5.
    ///
    /// A number is an optional sign `+` or `-`, one or more digits, and optionally a dot and one or more digits; before
    /// the dot at most 18 digits after leading zeros. No exponent, no separators, no comma.
    Band {
        /// Width of a band; zero refuses every value.
        width: u32,
    },
}

impl Generalisation {
    /// Whether it takes dates.
    pub fn is_of_dates(&self) -> bool {
        !matches!(self, Self::Prefix { .. } | Self::Band { .. })
    }

    /// Appends the generalised `value` to `out`. A missing (empty) value stays missing. On an error `out` is as it was.
    ///
    /// # Errors
    /// [`Reason::InvalidDate`] for what is not a date; [`Reason::ImplausibleDate`] for a date of birth after the
    /// reference or more than 140 years before it;
    /// [`Reason::InvalidUtf8`] for a prefix of what is not UTF-8; [`Reason::InvalidNumber`] for a band of what is not
    /// a number, and for a width of zero.
    pub fn apply(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if value.is_empty() {
            return Ok(());
        }
        match *self {
            Self::Year => append(out, format_args!("{:04}", Date::parse(value)?.year())),
            Self::Month => {
                let date = Date::parse(value)?;
                append(out, format_args!("{:04}-{:02}", date.year(), date.month()));
            }
            Self::Decade => append(
                out,
                format_args!("{:03}0s", Date::parse(value)?.year() / 10),
            ),
            Self::AgeBand {
                width,
                reference,
                top,
            } => {
                let age = age(Date::parse(value)?, reference)?;
                let low = age - age.checked_rem(width).ok_or(Reason::InvalidNumber)?;
                if age >= top {
                    append(out, format_args!("{top}+"));
                } else {
                    let high = low.saturating_add(width).min(top) - 1;
                    append(out, format_args!("{low}-{high}"));
                }
            }
            Self::Prefix { length } => out.extend_from_slice(prefix(value, length)?.as_bytes()),
            Self::Band { width } => {
                let (floor, width) = (floor(value)?, i64::from(width));
                let low = floor
                    - floor
                        .checked_rem_euclid(width)
                        .ok_or(Reason::InvalidNumber)?;
                append(out, format_args!("[{low},{})", low + width));
            }
        }
        Ok(())
    }
}

/// A generalisation and the dates that it leaves alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generaliser {
    /// What values become.
    pub to: Generalisation,
    /// Dates that stay as they are; only where the generalisation is one of dates.
    pub placeholders: Placeholders,
}

impl Generaliser {
    /// Appends the generalised `value` to `out`, or a placeholder as it is. On an error `out` is as it was.
    ///
    /// # Errors
    /// The errors of [`Generalisation::apply`].
    pub fn apply(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        let is_placeholder = self.to.is_of_dates()
            && !self.placeholders.is_empty()
            && !value.is_empty()
            && self.placeholders.contains(Date::parse(value)?);
        if is_placeholder {
            out.extend_from_slice(value);
            return Ok(());
        }
        self.to.apply(value, out)
    }
}

impl From<Generalisation> for Generaliser {
    /// Without placeholders.
    fn from(to: Generalisation) -> Self {
        Self {
            to,
            placeholders: Placeholders::default(),
        }
    }
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a Vec cannot fail");
}

/// Whole years from `birth` to `reference`; refused if they are below 0 or above [`OLDEST`].
fn age(birth: Date, reference: Date) -> Result<u16, Reason> {
    if birth > reference {
        return Err(Reason::ImplausibleDate);
    }
    let birthday_is_yet_to_come =
        (reference.month(), reference.day()) < (birth.month(), birth.day());
    let age = reference.year() - birth.year() - u16::from(birthday_is_yet_to_come);
    if age > OLDEST {
        return Err(Reason::ImplausibleDate);
    }
    Ok(age)
}

fn prefix(value: &[u8], length: u16) -> Result<&str, Reason> {
    let text = std::str::from_utf8(value).map_err(|_| Reason::InvalidUtf8)?;
    let end = text
        .char_indices()
        .nth(length.into())
        .map_or(text.len(), |(end, _)| end);
    Ok(&text[..end])
}

/// The largest whole number that is not above the decimal number: less than 10^18 away from zero, or just that, so
/// that adding a band's width cannot overflow. On digits, not in floating point, which would move values across a band's edge.
fn floor(value: &[u8]) -> Result<i64, Reason> {
    let (negative, unsigned) = match value {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, value),
    };
    let (whole, fraction) = match unsigned.iter().position(|byte| *byte == b'.') {
        Some(dot) => (&unsigned[..dot], &unsigned[dot + 1..]),
        None => (unsigned, &b"0"[..]),
    };
    if !is_number(whole) || !is_number(fraction) {
        return Err(Reason::InvalidNumber);
    }
    let significant = &whole[whole.iter().take_while(|digit| **digit == b'0').count()..];
    if significant.len() > 18 {
        return Err(Reason::InvalidNumber);
    }
    let magnitude = significant.iter().fold(0, |number: i64, digit| {
        number * 10 + i64::from(digit - b'0')
    });
    let has_fraction = fraction.iter().any(|digit| *digit != b'0');
    Ok(if negative {
        -magnitude - i64::from(has_fraction)
    } else {
        magnitude
    })
}

fn is_number(digits: &[u8]) -> bool {
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests;
