//! `fr-nir`: the French national register number (numéro d'inscription au répertoire, "numéro de sécurité sociale") with
//! its key, 15 characters: sex, `YYMM`, department or country, municipality, serial number, key (decree 82-103 of 1982).
//! In Corsica the department is `2A` or `2B`.

use super::check::number;
use super::number::{Number, Writing, fits};

pub(super) const NUMBER: Number = Number {
    transform: |value, out| WRITING.transform(value, out).map(|_| ()),
    has_form,
    placeholders: Some(&[b"012345678901234", b"123456789012345", b"987654321098765"]),
    passes,
};

const WRITING: Writing = Writing {
    separators: b" .-",
    printed: &[],
    letters: true,
};

fn has_form(number: &[u8]) -> bool {
    let corsican = fits(number, "000000A00000000") && matches!(&number[5..7], b"2A" | b"2B");
    corsican || fits(number, "000000000000000")
}

/// The first digit is one that is given out (7 and 8 for the time being), and the key is 97 - (the first 13 digits mod
/// 97), for which `2A` counts as 19 and `2B` as 18.
fn passes(digits: &[u8]) -> bool {
    let department = match &digits[5..7] {
        b"2A" => 19,
        b"2B" => 18,
        department => number(department),
    };
    let birth = number(&digits[..5]) * 100 + department;
    let registered = birth * 1_000_000 + number(&digits[7..13]);
    matches!(digits[0], b'1'..=b'4' | b'7' | b'8') && 97 - registered % 97 == number(&digits[13..])
}
