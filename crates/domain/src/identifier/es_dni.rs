//! `es-dni`: the Spanish identity number (documento nacional de identidad), 8 digits and a letter, and the number of
//! foreigners (NIE), `X`, `Y` or `Z`, 7 digits and a letter (Ministerio del Interior, "Cálculo del dígito de control del NIF-NIE").
//!
//! A number with seven digits and a letter is refused: it may be a DNI without its leading zero or an NIE without its `X`,
//! which have the same letter and are two people's.

use super::check::{chosen, number};
use super::number::{Number, Writing, fits};

pub(super) const NUMBER: Number = Number {
    transform: |value, out| WRITING.transform(value, out).map(|_| ()),
    has_form,
    placeholders: Some(&[
        b"01234567",
        b"12345678",
        b"87654321",
        b"98765432",
        b"0123456",
        b"1234567",
        b"7654321",
        b"9876543",
    ]),
    passes,
};

const WRITING: Writing = Writing {
    separators: b" -",
    printed: &[
        "00.000.000a",
        "00.000.000-a",
        "00.000.000 a",
        "a-0.000.000-a",
    ],
    letters: true,
};

fn has_form(number: &[u8]) -> bool {
    let foreign = fits(number, "A0000000A") && matches!(number[0], b'X' | b'Y' | b'Z');
    foreign || fits(number, "00000000A")
}

/// The digits mod 23 choose the letter; `X`, `Y` and `Z` count as 0, 1 and 2.
fn passes(digits: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let first = match digits[0] {
        letter @ b'X'..=b'Z' => letter - b'X',
        digit => digit - b'0',
    };
    let number = u64::from(first) * 10_000_000 + number(&digits[1..8]);
    chosen(LETTERS, number) == digits[8]
}
