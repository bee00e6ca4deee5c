//! `de-kvnr`: the unchanging part of the German health insurance number (Krankenversichertennummer, § 290 SGB V): a
//! letter, eight digits, check digit. The 20-digit rest of the long number changes with the insurer and is no part of it.

use super::check::luhn_sum;
use super::number::{Number, Writing, fits};

pub(super) const NUMBER: Number = Number {
    transform: |value, out| WRITING.transform(value, out).map(|_| ()),
    has_form: |number| fits(number, "A000000000"),
    placeholders: Some(&[b"012345678", b"123456789", b"123456780", b"987654321"]),
    passes,
};

const WRITING: Writing = Writing {
    separators: b" ",
    printed: &[],
    letters: true,
};

/// The letter as 01 to 26 and the eight digits, weighted 1, 2, 1, 2, ... with the digits of each product added up: the
/// last digit of the sum.
fn passes(number: &[u8]) -> bool {
    let letter = number[0] - b'A' + 1;
    let letter = [b'0' + letter / 10, b'0' + letter % 10];
    let digits = letter.into_iter().chain(number[1..9].iter().copied());
    // The zero takes the place of the check digit, so that the last of the eight is doubled.
    luhn_sum(digits.chain([b'0'])) % 10 == u32::from(number[9] - b'0')
}
