//! `nl-bsn`: 9 digits; numbers of 8 digits are written with a leading zero since 2007.

use super::check::weighted;
use super::number::{Grouping, Number, Writing, has_digits};
use crate::{Reason, WipedBuffer};

pub(super) const NUMBER: Number = Number {
    transform,
    has_form: has_digits::<9>,
    placeholders: Some(&[b"012345678", b"123456789", b"987654321"]),
    passes,
};

const WRITING: Writing = Writing {
    separators: b" .-",
    printed: &[],
    letters: false,
};

/// The digits of the groups, and a leading `0` before 8 of them. Separators are space, dot and hyphen. Eight digits
/// grouped like a date are refused: they are one.
fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    let start = out.len();
    if let Grouping::LikeADate = WRITING.transform(value, out)? {
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
fn passes(digits: &[u8]) -> bool {
    weighted(digits, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 == 0
}
