//! `lu-matricule`: the national identification number of Luxembourg, 13 digits: `YYYYMMDD`, three digits, two check digits
//! (act of 19 June 2013 on the identification of natural persons).

use super::check::{is_date, luhn_sum, year_month_day};
use super::number::{Number, digit_groups, has_digits};

pub(super) const NUMBER: Number = Number {
    transform: digit_groups,
    has_form: has_digits::<13>,
    placeholders: Some(&[b"0123456789012", b"1234567890123", b"9876543210987"]),
    passes,
};

/// A date, and two checks of the first eleven digits: Luhn's with the twelfth, Verhoeff's with the thirteenth.
fn passes(digits: &[u8]) -> bool {
    let (year, month, day) = year_month_day(digits);
    let (first, second) = (&digits[..12], digits[..11].iter().chain(&digits[12..]));
    is_date(year, month, day)
        && luhn_sum(first.iter().copied()).is_multiple_of(10)
        && passes_verhoeff(second.copied())
}

/// J. Verhoeff, Error Detecting Decimal Codes (1969): from the right, each digit is permuted as often as its place says,
/// and the products in the dihedral group of the pentagon come to its neutral element.
fn passes_verhoeff(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    const PERMUTED: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let places = digits.rev().map(|digit| digit - b'0').enumerate();
    let product = places.fold(0, |product, (place, digit)| {
        let permuted = (0..place).fold(digit, |digit, _| PERMUTED[usize::from(digit)]);
        times(product, permuted)
    });
    product == 0
}

/// 0 to 4 turn the pentagon, 5 to 9 reflect it.
fn times(left: u8, right: u8) -> u8 {
    let turned = if left < 5 {
        left + right
    } else {
        5 + left - right % 5
    };
    let reflects = (left < 5) != (right < 5);
    turned % 5 + if reflects { 5 } else { 0 }
}
