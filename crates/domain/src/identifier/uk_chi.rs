//! `uk-chi`: the Community Health Index number of Scotland, 10 digits: date of birth `DDMMYY`, three digits, check digit
//! (Public Health Scotland, National Data Dictionary, "CHI Number").

use super::check::{is_date_of_some_century, pairs, passes_modulus_11};
use super::number::{Number, digit_groups, has_digits};

pub(super) const NUMBER: Number = Number {
    transform: digit_groups,
    has_form: has_digits::<10>,
    placeholders: Some(&[b"0123456789", b"1234567890", b"9876543210"]),
    passes,
};

/// Modulus 11 as for an NHS number, and a date. The century is not in the number.
fn passes(digits: &[u8]) -> bool {
    let [day, month, year] = pairs(digits);
    is_date_of_some_century(year, month, day) && passes_modulus_11(digits)
}
