//! `no-fnr`: the Norwegian birth number (fødselsnummer) and D-number, 11 digits: `DDMMYY`, three digits, two check digits
//! (Skatteetaten, "Nytt fødselsnummer fra 2032").
//!
//! The check digits are those of numbers given out before 2032 or since: the rule of 2032 allows four values of the first,
//! and nothing in a number says which rule it follows. The second finds a wrong digit by itself.

use super::check::{is_date_of_some_century, pairs, weighted};
use super::number::{Number, digit_groups, has_digits};

pub(super) const NUMBER: Number = Number {
    transform: digit_groups,
    has_form: has_digits::<11>,
    placeholders: Some(&[b"01234567890", b"12345678901", b"98765432109"]),
    passes,
};

/// A date, with 40 added to the day of a D-number and 80 to the month of one of the tax administration's test persons, and
/// both check digits. From 2032 on the three digits do not tell the century.
fn passes(digits: &[u8]) -> bool {
    let [day, month, year] = pairs(digits);
    let day = if day > 40 { day - 40 } else { day };
    let month = if month > 80 { month - 80 } else { month };
    is_date_of_some_century(year, month, day)
        && weighted(digits, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 <= 3
        && weighted(digits, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
}
