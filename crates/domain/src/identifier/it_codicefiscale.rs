//! `it-codicefiscale`: the Italian tax code of a person, 16 characters: name, `YY`, a letter for the month, day (40 higher
//! for women), place, check letter (ministerial decree of 23 December 1976).
//!
//! Where two people would have the same code, letters stand for some of its digits (omocodia). They stay letters: written
//! as digits, they are the other person's code.

use super::check::{is_date_of_some_century, place};
use super::number::{Number, Writing};

pub(super) const NUMBER: Number = Number {
    transform: |value, out| WRITING.transform(value, out).map(|_| ()),
    has_form,
    placeholders: None,
    passes,
};

const WRITING: Writing = Writing {
    separators: b" -",
    printed: &[],
    letters: true,
};

/// The letters for 0 to 9 where two people would have the same code.
const LETTER_DIGITS: &[u8; 10] = b"LMNPQRSTUV";

/// The letters for January to December.
const MONTHS: &[u8; 12] = b"ABCDEHLMPRST";

fn has_form(code: &[u8]) -> bool {
    const PICTURE: &[u8; 16] = b"AAAAAA00M00A000A";
    let alike = |(byte, pictured): (&u8, &u8)| match pictured {
        b'A' => byte.is_ascii_uppercase(),
        b'M' => MONTHS.contains(byte),
        _ => digit(*byte).is_some(),
    };
    code.len() == PICTURE.len() && code.iter().zip(PICTURE).all(alike)
}

/// What a digit, or the letter that stands for it, counts.
fn digit(byte: u8) -> Option<u64> {
    match byte {
        b'0'..=b'9' => Some(u64::from(byte - b'0')),
        _ => place(LETTER_DIGITS, byte),
    }
}

/// A date, and the check letter: what the characters count, at odd and at even places, mod 26.
fn passes(code: &[u8]) -> bool {
    // What 0 and A, 1 and B, ... count at odd places. At even places they count 0, 1, ...
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let counted = code[..15].iter().enumerate().map(|(place, byte)| {
        let first = if byte.is_ascii_digit() { b'0' } else { b'A' };
        let value = byte - first;
        // The first place is odd.
        if place % 2 == 0 {
            ODD[usize::from(value)]
        } else {
            u32::from(value)
        }
    });
    let sum: u32 = counted.sum();
    is_born(code) && sum % 26 == u32::from(code[15] - b'A')
}

fn is_born(code: &[u8]) -> bool {
    let two = |at: usize| Some(digit(code[at])? * 10 + digit(code[at + 1])?);
    let (Some(year), Some(month), Some(day)) = (two(6), place(MONTHS, code[8]), two(9)) else {
        return false;
    };
    let day = if day > 40 { day - 40 } else { day };
    is_date_of_some_century(year, month + 1, day)
}
