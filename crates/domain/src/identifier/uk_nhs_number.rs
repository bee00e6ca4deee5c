//! `uk-nhs-number`: 10 digits, often written 3-3-4 (NHS Data Dictionary, "NHS NUMBER").

use super::number;
use crate::{Reason, WipedBuffer};

/// Numbers that people type where a number is asked for, besides one digit repeated. Two of them pass the check.
pub(super) const PLACEHOLDERS: [&[u8; 10]; 3] = [b"0123456789", b"1234567890", b"9876543210"];

/// The digits of the groups. Separators are space and hyphen.
pub(super) fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    number::transform(value, b" -", out).map(|_| ())
}

/// Modulus 11: 11 - (10·d1 + 9·d2 + ... + 2·d9) mod 11 is d10, where 11 stands for 0 and 10 is never valid.
pub(super) fn passes(digits: &[u8; 10]) -> bool {
    let weighted = digits[..9].iter().zip((2..=10).rev());
    let sum: u32 = weighted
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    let check = match 11 - sum % 11 {
        11 => 0,
        other => other,
    };
    // A check digit of 10 equals no digit.
    check == u32::from(digits[9] - b'0')
}
