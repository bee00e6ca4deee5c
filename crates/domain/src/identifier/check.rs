//! The arithmetic of check digits, and dates within numbers. What is handed in has the form of its kind.

use crate::date::Date;

/// The number that digits write.
pub(super) fn number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// The numbers that the first six digits write, two by two.
pub(super) fn pairs(digits: &[u8]) -> [u64; 3] {
    [&digits[..2], &digits[2..4], &digits[4..6]].map(number)
}

/// The numbers that the first four digits, the next two and the next two write.
pub(super) fn year_month_day(digits: &[u8]) -> (u64, u64, u64) {
    let [century, year, month] = pairs(digits);
    (century * 100 + year, month, number(&digits[6..8]))
}

/// Where a character stands in an alphabet, from 0.
pub(super) fn place(alphabet: &[u8], character: u8) -> Option<u64> {
    let mut characters = alphabet.iter().zip(0..);
    let found = characters.find(|(known, _)| **known == character);
    found.map(|(_, place)| place)
}

/// The character of an alphabet that a number chooses, modulo its length.
pub(super) fn chosen(alphabet: &[u8], number: u64) -> u8 {
    let place = number % alphabet.len() as u64;
    alphabet[place as usize]
}

/// The sum of the digits, each times its weight.
pub(super) fn weighted<const N: usize>(digits: &[u8], weights: [i32; N]) -> i32 {
    let products = digits.iter().zip(weights);
    products
        .map(|(digit, weight)| i32::from(digit - b'0') * weight)
        .sum()
}

/// Modulus 11 of ten digits: 10·d1 + 9·d2 + ... + 2·d9 + d10 is a multiple of 11.
pub(super) fn passes_modulus_11(digits: &[u8]) -> bool {
    weighted(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
}

/// Luhn's sum (ISO/IEC 7812-1, annex B): from the right, every second digit is doubled, and 9 taken off what is over 9.
pub(super) fn luhn_sum(digits: impl DoubleEndedIterator<Item = u8>) -> u32 {
    let values = digits.rev().map(|digit| u32::from(digit - b'0'));
    values
        .enumerate()
        .map(|(place, value)| match (place % 2, value) {
            (0, _) => value,
            (_, 0..=4) => value * 2,
            _ => value * 2 - 9,
        })
        .sum()
}

/// Whether there is such a day.
pub(super) fn is_date(year: u64, month: u64, day: u64) -> bool {
    let [Ok(year), Ok(month), Ok(day)] = [year, month, day].map(u16::try_from) else {
        return false;
    };
    Date::new(year, month, day).is_some()
}

/// Whether there may be such a day in a year of which two digits are known: the years from 2000 have the leap years of a
/// century that is not known.
pub(super) fn is_date_of_some_century(year: u64, month: u64, day: u64) -> bool {
    is_date(2000 + year, month, day)
}
