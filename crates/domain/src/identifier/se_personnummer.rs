//! `se-personnummer`: the Swedish personal identity number and the coordination number (samordningsnummer), 12 digits:
//! `YYYYMMDD`, three digits, check digit (folkbokföringslag 1991:481, section 18; lag 2022:1697 om samordningsnummer).
//!
//! With two digits of the year the century follows from today's date (`-`, and `+` from the year in which a person turns
//! 100), so it changes with time: such a number is refused.

use super::check::{is_date, luhn_sum, year_month_day};
use super::number::{Number, digit_groups, fits, has_digits};
use crate::{Reason, WipedBuffer};

pub(super) const NUMBER: Number = Number {
    transform,
    has_form: has_digits::<12>,
    placeholders: Some(&[
        b"012345678901",
        b"123456789012",
        b"987654321098",
        // The test patient of many manuals passes the check.
        b"191212121212",
    ]),
    passes,
};

fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    let start = out.len();
    if fits(value.trim_matches(' ').as_bytes(), "000000+0000") {
        return Err(Reason::NoCentury);
    }
    digit_groups(value, out)?;
    if out.len() - start == 10 {
        return Err(Reason::NoCentury);
    }
    Ok(())
}

/// A date of 1800 to 2099, with 60 added to the day of a coordination number, and Luhn's check of the last ten digits.
fn passes(digits: &[u8]) -> bool {
    let (year, month, day) = year_month_day(digits);
    let day = if day > 60 { day - 60 } else { day };
    let luhn = luhn_sum(digits[2..].iter().copied());
    (1800..2100).contains(&year) && is_date(year, month, day) && luhn.is_multiple_of(10)
}
