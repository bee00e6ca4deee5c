//! `nl-bsn`: 9 digits; numbers of 8 digits are written with a leading zero since 2007.

use super::number::{self, Grouping};
use crate::{Reason, WipedBuffer};

/// Numbers that people type where a number is asked for, besides one digit repeated.
pub(super) const PLACEHOLDERS: [&[u8; 9]; 3] = [b"012345678", b"123456789", b"987654321"];

/// The digits of the groups, and a leading `0` before 8 of them. Separators are space, dot and hyphen. Eight digits
/// grouped like a date are refused: they are one.
pub(super) fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    let start = out.len();
    if let Grouping::LikeADate = number::transform(value, b" .-", out)? {
        out.truncate(start);
        return Err(Reason::NumberAsDate);
    }
    if let Ok(eight) = <[u8; 8]>::try_from(&out[start..]) {
        out.truncate(start);
        out.push(b'0');
        out.extend_from_slice(&eight);
    }
    Ok(())
}

/// The 11-test: 9·d1 + 8·d2 + ... + 2·d8 - d9 is a multiple of 11.
pub(super) fn passes(digits: &[u8; 9]) -> bool {
    const WEIGHTS: [i32; 9] = [9, 8, 7, 6, 5, 4, 3, 2, -1];
    let sum: i32 = digits
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| i32::from(digit - b'0') * weight)
        .sum();
    sum % 11 == 0
}
