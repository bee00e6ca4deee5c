//! `iban`: the electronic format of ISO 13616, upper-case and without spaces.

use super::number::{Number, unusual_character};
use crate::{Reason, WipedBuffer};

pub(super) const NUMBER: Number = Number {
    transform,
    has_form,
    placeholders: None,
    passes,
};

/// Removes spaces around the value and between its groups, and raises `a` to `z`. Groups have two or more characters;
/// the last may have one where all before it have four, as in the printed form of a Swiss number.
fn transform(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    let value = value.trim_matches(' ');
    if value.is_empty() {
        return Ok(());
    }
    if let Some(reason) = unusual_character(value) {
        return Err(reason);
    }
    if !is_grouped(value) {
        return Err(Reason::MisplacedSeparator);
    }
    for byte in value.bytes().filter(|byte| *byte != b' ') {
        out.push(byte.to_ascii_uppercase());
    }
    Ok(())
}

fn is_grouped(value: &str) -> bool {
    let Some((before, last)) = value.rsplit_once(' ') else {
        return true;
    };
    let is_printed = last.len() == 1 && before.split(' ').all(|group| group.len() == 4);
    is_printed || value.split(' ').all(|group| group.len() >= 2)
}

/// 2 letters (country), 2 digits (check), 11 to 30 letters or digits (account).
fn has_form(normalised: &[u8]) -> bool {
    let Some((country, rest)) = normalised.split_at_checked(2) else {
        return false;
    };
    let Some((check, account)) = rest.split_at_checked(2) else {
        return false;
    };
    country.iter().all(u8::is_ascii_uppercase)
        && check.iter().all(u8::is_ascii_digit)
        && (11..=30).contains(&account.len())
        && account
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// ISO 7064 MOD 97-10 of a value that [`has_form`]. Check digits 00, 01 and 99 never come out of the calculation of
/// check digits, though they can leave the remainder 1.
fn passes(normalised: &[u8]) -> bool {
    let (head, account) = normalised.split_at(4);
    let remainder = account
        .iter()
        .chain(head)
        .fold(0, |remainder: u32, byte| match byte {
            b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
            _ => (remainder * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
        });
    remainder == 1 && !matches!(&head[2..], b"00" | b"01" | b"99")
}
