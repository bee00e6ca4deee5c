//! `fi-hetu`: the Finnish personal identity code (henkilötunnus), 11 characters: `DDMMYY`, a sign for the century, three
//! digits, a check character (decree 128/2010 on the population information system; signs were added in 2023).
//!
//! The sign is part of the normal form: without it the century is lost, and codes that differ in nothing else are two
//! people's.

use super::check::{chosen, is_date, number, pairs};
use super::number::{Number, fits, what_was_seen};
use crate::{Reason, WipedBuffer};

pub(super) const NUMBER: Number = Number {
    transform,
    has_form,
    placeholders: Some(&[b"0123456789", b"1234567890", b"9876543210"]),
    passes,
};

const CHECK_CHARACTERS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";

/// The value without spaces around it, in upper case. Nothing is removed from it: its only mark is the sign.
fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    let value = value.trim_matches(' ');
    let has_sign = |picture| fits(value.as_bytes(), picture);
    let is_code = value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let signed = ["000000-0000", "000000-000a", "000000+0000", "000000+000a"];
    if !is_code && !signed.into_iter().any(has_sign) {
        return Err(what_was_seen(value, true));
    }
    for byte in value.bytes() {
        out.push(byte.to_ascii_uppercase());
    }
    Ok(())
}

fn has_form(code: &[u8]) -> bool {
    let Some((birth, [sign, serial @ .., check])) = code.split_at_checked(6) else {
        return false;
    };
    fits(birth, "000000")
        && century(*sign).is_some()
        && fits(serial, "000")
        && CHECK_CHARACTERS.contains(check)
}

fn century(sign: u8) -> Option<u64> {
    match sign {
        b'+' => Some(1800),
        b'-' | b'U'..=b'Y' => Some(1900),
        b'A'..=b'F' => Some(2000),
        _ => None,
    }
}

/// A date, a number of 002 to 899 (the others are given out by hospitals and for tests, to more than one person), and the
/// check character that the nine digits mod 31 choose.
fn passes(code: &[u8]) -> bool {
    let [day, month, year] = pairs(code);
    let serial = number(&code[7..10]);
    let digits = number(&code[..6]) * 1000 + serial;
    century(code[6]).is_some_and(|century| is_date(century + year, month, day))
        && (2..=899).contains(&serial)
        && chosen(CHECK_CHARACTERS, digits) == code[10]
}
