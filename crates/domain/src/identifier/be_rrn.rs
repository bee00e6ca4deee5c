//! `be-rrn`: the Belgian national register number (Rijksregisternummer, numéro de registre national) and the BIS number
//! of people who are not in the register, 11 digits: `YYMMDD`, a serial number of three digits, two check digits (royal
//! decree of 3 April 1984; Crossroads Bank for Social Security, "BIS register").

use super::check::number;
use super::number::{Number, Writing, has_digits};

pub(super) const NUMBER: Number = Number {
    transform: |value, out| WRITING.transform(value, out).map(|_| ()),
    has_form: has_digits::<11>,
    placeholders: Some(&[b"01234567890", b"12345678901", b"98765432109"]),
    passes,
};

const WRITING: Writing = Writing {
    separators: b" .-",
    printed: &["00.00.00-000.00", "00.00.00 000-00"],
    letters: false,
};

/// A month, and check digits 97 - (the nine digits mod 97), with a 2 before the nine for those born since 2000.
///
/// The month may be 00 (not known, or no serial number was left), and is 20 or 40 higher in a BIS number. The day is not
/// looked at: it counts on when no serial number is left.
fn passes(digits: &[u8]) -> bool {
    let month = number(&digits[2..4]);
    let (serial, check) = digits.split_at(9);
    let is_check =
        |century: u64| 97 - (century * 1_000_000_000 + number(serial)) % 97 == number(check);
    month < 60 && month % 20 <= 12 && (is_check(0) || is_check(2))
}
