//! What kinds of numbers have in common: how they are written in groups, and what was seen in a value that is no such
//! number.
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

/// A kind of numbers: how a value becomes a normal form, and which normal forms are taken.
pub(super) struct Number {
    /// Rule 4.
    pub(super) transform: fn(&str, &mut WipedBuffer) -> Result<(), Reason>,
    /// Rule 7, of any bytes. What has the form is its own normal form.
    pub(super) has_form: fn(&[u8]) -> bool,
    /// Rule 9: digits that people type where a number is asked for, besides one digit repeated. `None`: the kind has no
    /// placeholders.
    pub(super) placeholders: Option<&'static [&'static [u8]]>,
    /// Rule 10, of bytes that have the form.
    pub(super) passes: fn(&[u8]) -> bool,
}

/// How the numbers of a kind may be written.
pub(super) struct Writing {
    /// One of these may stand between groups.
    pub(super) separators: &'static [u8],
    /// Ways to write a number with more than one kind of separator, as pictures (see [`fits`]).
    pub(super) printed: &'static [&'static str],
    /// Whether the number has letters. Then the first and the last group may have one character.
    pub(super) letters: bool,
}

impl Writing {
    /// Appends the characters of a value that is one group, groups with one kind of separator between them, or a printed
    /// form; letters in upper case. A dot separates only where there are two or more of them. Spaces around the value are
    /// ignored.
    pub(super) fn transform(&self, value: &str, out: &mut WipedBuffer) -> Result<Grouping, Reason> {
        let value = value.trim_matches(' ');
        let bytes = value.as_bytes();
        if self.printed.iter().any(|picture| fits(bytes, picture)) {
            push_parts(bytes, out);
            return Ok(Grouping::Other);
        }
        let first = bytes.iter().take_while(|byte| self.is_part(**byte)).count();
        let Some(separator) = bytes.get(first).copied() else {
            push_parts(bytes, out);
            return Ok(Grouping::Other);
        };
        let groups = bytes.split(|byte| *byte == separator);
        let count = groups.clone().count();
        let fewest = if separator == b'.' { 3 } else { 2 };
        let are_groups = groups.clone().enumerate().all(|(place, group)| {
            let is_outer = place == 0 || place + 1 == count;
            let shortest = if self.letters && is_outer { 1 } else { 2 };
            group.len() >= shortest && group.iter().all(|byte| self.is_part(*byte))
        });
        if !self.separators.contains(&separator) || count < fewest || !are_groups {
            return Err(what_was_seen(value, self.letters));
        }
        push_parts(bytes, out);
        let lengths = groups.map(<[u8]>::len);
        Ok(if lengths.clone().eq([2, 2, 4]) || lengths.eq([4, 2, 2]) {
            Grouping::LikeADate
        } else {
            Grouping::Other
        })
    }

    fn is_part(&self, byte: u8) -> bool {
        byte.is_ascii_digit() || (self.letters && byte.is_ascii_alphabetic())
    }
}

/// The digits of a value in which spaces or hyphens stand between groups.
pub(super) fn digit_groups(value: &str, out: &mut WipedBuffer) -> Result<(), Reason> {
    const WRITING: Writing = Writing {
        separators: b" -",
        printed: &[],
        letters: false,
    };
    WRITING.transform(value, out).map(|_| ())
}

/// Whether bytes are so many digits.
pub(super) fn has_digits<const N: usize>(bytes: &[u8]) -> bool {
    bytes.len() == N && bytes.iter().all(u8::is_ascii_digit)
}

/// Whether bytes look like a picture, in which `0` stands for any digit, `A` for any letter in upper case, `a` for any
/// letter, and all else for itself.
pub(super) fn fits(bytes: &[u8], picture: &str) -> bool {
    let alike = |(byte, pictured): (&u8, u8)| match pictured {
        b'0' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_alphabetic(),
        _ => *byte == pictured,
    };
    bytes.len() == picture.len() && bytes.iter().zip(picture.bytes()).all(alike)
}

/// Appends digits and letters, these in upper case.
fn push_parts(bytes: &[u8], out: &mut WipedBuffer) {
    for byte in bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        out.push(byte.to_ascii_uppercase());
    }
}

/// Refuses a number whose digits name no person: one digit repeated, or one of the placeholders.
pub(super) fn refuse_placeholders(number: &[u8], placeholders: &[&[u8]]) -> Result<(), Reason> {
    let digits = number.iter().filter(|byte| byte.is_ascii_digit());
    let zeros = digits.clone().all(|digit| *digit == b'0');
    let mut pairs = digits.clone().zip(digits.clone().skip(1));
    if zeros {
        Err(Reason::AllZero)
    } else if pairs.all(|(digit, next)| digit == next)
        || placeholders.iter().any(|row| digits.clone().eq(*row))
    {
        Err(Reason::PlaceholderNumber)
    } else {
        Ok(())
    }
}

/// Why a value that is no grouped number is refused, as precisely as it can be told.
pub(super) fn what_was_seen(value: &str, letters: bool) -> Reason {
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
    } else if value
        .chars()
        .all(|c| is_digit_or_mark(c) || (letters && c.is_ascii_alphabetic()))
    {
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
