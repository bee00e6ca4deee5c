//! Numbers in groups: what is taken for `nl-bsn` and `uk-nhs-number`, and what was seen in a value that is not.
//!
//! A separator is removed only where it cannot be anything else. A decimal point is not one: a spreadsheet writes the
//! number 12345678 as `12345678.0`, and without the point these are the nine digits of another person.

use super::unseen::{is_control, is_default_ignorable};
use crate::{Reason, WipedBuffer};

/// How the digits of a value were grouped.
pub(super) enum Grouping {
    /// In groups of 2, 2 and 4 or of 4, 2 and 2, as those of a date are: `31-12-1984`, `1984 12 31`.
    LikeADate,
    /// In one group, in others, or not at all.
    Other,
}

/// Appends the digits of a value of digits, or of groups of two or more digits with one kind of separator between them.
/// A dot separates only where there are two or more of them. Spaces around the value are ignored.
pub(super) fn transform(
    value: &str,
    separators: &[u8],
    out: &mut WipedBuffer,
) -> Result<Grouping, Reason> {
    let value = value.trim_matches(' ');
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let Some(separator) = value.as_bytes().get(digits).copied() else {
        out.extend_from_slice(value.as_bytes());
        return Ok(Grouping::Other);
    };
    let groups = value.as_bytes().split(|byte| *byte == separator);
    let fewest = if separator == b'.' { 3 } else { 2 };
    if !separators.contains(&separator)
        || groups.clone().count() < fewest
        || groups
            .clone()
            .any(|group| group.len() < 2 || !group.iter().all(u8::is_ascii_digit))
    {
        return Err(what_was_seen(value));
    }
    groups
        .clone()
        .for_each(|group| out.extend_from_slice(group));
    let lengths = groups.map(<[u8]>::len);
    Ok(if lengths.clone().eq([2, 2, 4]) || lengths.eq([4, 2, 2]) {
        Grouping::LikeADate
    } else {
        Grouping::Other
    })
}

/// Why a value that is no grouped number is refused, as precisely as it can be told.
fn what_was_seen(value: &str) -> Reason {
    if let Some(reason) = unusual_character(value) {
        return reason;
    }
    let has_digits = value.bytes().any(|byte| byte.is_ascii_digit());
    if !has_digits {
        return Reason::InvalidIdentifier;
    }
    if value.starts_with(QUOTES) || value.ends_with(QUOTES) {
        return Reason::NumberInQuotes;
    }
    let unsigned = without_sign(value);
    if is_scientific(unsigned) {
        Reason::NumberInScientificNotation
    } else if is_decimal(unsigned) {
        Reason::NumberAsDecimal
    } else if unsigned.len() < value.len() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        Reason::NumberWithSign
    } else if value.chars().all(is_digit_or_mark) {
        Reason::MisplacedSeparator
    } else {
        Reason::InvalidIdentifier
    }
}

/// A character that has no place in any number: one that is not seen, or a digit of another script.
pub(super) fn unusual_character(value: &str) -> Option<Reason> {
    let unseen = value
        .chars()
        .any(|c| is_control(c) || is_default_ignorable(c) || (c.is_whitespace() && c != ' '));
    if unseen {
        Some(Reason::InvisibleCharacter)
    } else if value.chars().any(|c| c.is_numeric() && !c.is_ascii()) {
        Some(Reason::ForeignDigits)
    } else {
        None
    }
}

/// What spreadsheets and programs put around a text.
const QUOTES: [char; 8] = [
    '\'', '"', '`', '=', '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}',
];

/// The value without one sign: before it, behind it, or parentheses around it, as bookkeepers write a negative number.
fn without_sign(value: &str) -> &str {
    const SIGNS: [char; 3] = ['+', '-', '\u{2212}'];
    let in_parentheses = value
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    in_parentheses
        .or_else(|| value.strip_prefix(SIGNS))
        .or_else(|| value.strip_suffix(SIGNS))
        .unwrap_or(value)
}

/// Digits, perhaps with a decimal mark; `e` or `E`; digits, perhaps with a sign.
fn is_scientific(value: &str) -> bool {
    let Some((mantissa, exponent)) = value.split_once(['e', 'E']) else {
        return false;
    };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    (is_digits(mantissa) || is_plain_decimal(mantissa)) && is_digits(exponent)
}

/// One decimal mark. Before it there may be thousands marks, which then are others.
fn is_decimal(value: &str) -> bool {
    let Some((whole, mark, fraction)) = split_at_last_mark(value) else {
        return false;
    };
    let in_thousands = is_in_thousands(whole, mark) && (fraction.is_empty() || is_digits(fraction));
    in_thousands || is_plain_decimal(value)
}

/// Digits on at least one side of one dot or comma, and nothing else.
fn is_plain_decimal(value: &str) -> bool {
    let Some((whole, fraction)) = value.split_once(['.', ',']) else {
        return false;
    };
    let mut digits = whole.bytes().chain(fraction.bytes());
    whole.len() + fraction.len() > 0 && digits.all(|byte| byte.is_ascii_digit())
}

fn split_at_last_mark(value: &str) -> Option<(&str, char, &str)> {
    let at = value.rfind(['.', ','])?;
    let (whole, rest) = value.split_at(at);
    let mark = rest.chars().next()?;
    Some((whole, mark, &rest[mark.len_utf8()..]))
}

/// Groups of three digits behind a first of one to three, with one kind of mark between them that is not `decimal`.
fn is_in_thousands(whole: &str, decimal: char) -> bool {
    const MARKS: [char; 5] = ['.', ',', ' ', '\'', '\u{2019}'];
    let Some(mark) = whole.chars().find(|character| MARKS.contains(character)) else {
        return false;
    };
    let mut groups = whole.split(mark);
    let first = groups
        .next()
        .is_some_and(|group| group.len() <= 3 && is_digits(group));
    mark != decimal && first && groups.all(|group| group.len() == 3 && is_digits(group))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits, and what people write between them.
fn is_digit_or_mark(character: char) -> bool {
    const MARKS: &str = " .,'/_:-+";
    character.is_ascii_digit()
        || MARKS.contains(character)
        || ('\u{2010}'..='\u{2015}').contains(&character)
        || ['\u{2019}', '\u{2212}', '\u{b7}', '\u{22c5}'].contains(&character)
}
