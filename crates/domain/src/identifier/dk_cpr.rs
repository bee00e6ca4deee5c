//! `dk-cpr`: the Danish personal number (CPR-nummer), 10 digits: `DDMMYY`, and four digits of which the first tells the
//! century (CPR-kontoret, "Personnummeret i CPR").

use super::check::{is_date, pairs};
use super::number::{Number, digit_groups, has_digits};

pub(super) const NUMBER: Number = Number {
    transform: digit_groups,
    has_form: has_digits::<10>,
    placeholders: Some(&[b"0123456789", b"1234567890", b"9876543210"]),
    passes,
};

/// A date. Since 2007 numbers are given out that fail modulus 11, so the last digit checks nothing.
fn passes(digits: &[u8]) -> bool {
    let [day, month, year] = pairs(digits);
    let century = match (digits[6], year) {
        (b'5'..=b'8', 58..) => 1800,
        (b'0'..=b'3', _) | (b'4' | b'9', 37..) => 1900,
        _ => 2000,
    };
    is_date(century + year, month, day)
}
