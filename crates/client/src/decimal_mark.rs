//! How numbers are written in a caller's data.
//!
//! `1.234` is a little more than one in London and over a thousand in Amsterdam. Unless the caller says which, such a number
//! is refused.

use std::str::FromStr;

use sluis_domain::Reason;

/// What stands before the decimals of a number. The other of dot and comma may then stand between groups of three digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DecimalMark {
    /// The caller did not say: a dot, and only where it cannot stand between groups.
    #[default]
    Unsaid,
    /// `1,234.56`
    Dot,
    /// `1.234,56`
    Comma,
}

/// A text that is no decimal mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a decimal mark is dot or comma")]
pub struct InvalidDecimalMark;

impl FromStr for DecimalMark {
    type Err = InvalidDecimalMark;

    fn from_str(text: &str) -> Result<Self, InvalidDecimalMark> {
        match text {
            "dot" | "." => Ok(Self::Dot),
            "comma" | "," => Ok(Self::Comma),
            _ => Err(InvalidDecimalMark),
        }
    }
}

impl DecimalMark {
    /// Appends the number with a dot before its decimals and no groups. Adds nothing for an empty value.
    ///
    /// # Errors
    /// [`Reason::AmbiguousNumber`] where only the caller knows what a mark means, [`Reason::InvalidNumber`] for what is no
    /// number with this mark. What is no number with any mark may pass.
    pub fn write_plain(self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        let (decimal, group) = match self {
            Self::Unsaid if is_ambiguous(value) => return Err(Reason::AmbiguousNumber),
            Self::Unsaid => {
                out.extend_from_slice(value);
                return Ok(());
            }
            Self::Dot => (b'.', b','),
            Self::Comma => (b',', b'.'),
        };
        let mut halves = value.splitn(2, |byte| *byte == decimal);
        let whole = halves.next().unwrap_or_default();
        if !is_grouped(unsigned(whole), group) {
            return Err(Reason::InvalidNumber);
        }
        out.extend(whole.iter().filter(|byte| **byte != group));
        if let Some(decimals) = halves.next() {
            out.push(b'.');
            out.extend_from_slice(decimals);
        }
        Ok(())
    }
}

fn unsigned(number: &[u8]) -> &[u8] {
    match number {
        [b'-' | b'+', rest @ ..] => rest,
        _ => number,
    }
}

/// `1.234` or `1,234`: one to three digits, a mark, and just three digits.
fn is_ambiguous(value: &[u8]) -> bool {
    let number = unsigned(value);
    [b'.', b','].into_iter().any(|mark| {
        let parts = number.iter().filter(|byte| **byte == mark).count() + 1;
        parts == 2 && is_grouped(number, mark)
    })
}

/// Whether the groups of a whole number have three digits each; the first one to three, without a leading zero. A number
/// without any group is fine.
fn is_grouped(number: &[u8], mark: u8) -> bool {
    let mut groups = number.split(|byte| *byte == mark);
    let first = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    if rest.peek().is_none() {
        return true;
    }
    matches!(first, [b'1'..=b'9', more @ ..] if more.len() < 3 && is_digits(more))
        && rest.all(|group| group.len() == 3 && is_digits(group))
}

fn is_digits(group: &[u8]) -> bool {
    group.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(mark: DecimalMark, value: &str) -> Result<String, Reason> {
        let mut out = Vec::new();
        mark.write_plain(value.as_bytes(), &mut out)?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn what_a_mark_means_is_not_guessed() {
        for value in ["1.234", "-12,345", "+999.000", "1,000"] {
            let refused = plain(DecimalMark::Unsaid, value);
            assert_eq!(refused, Err(Reason::AmbiguousNumber), "{value}");
        }
        for value in [
            "", "12", "1.5", "0.125", "1234.567", "1.2345", "-0.5", "40,5",
        ] {
            assert_eq!(plain(DecimalMark::Unsaid, value).as_deref(), Ok(value));
        }
    }

    #[test]
    fn a_mark_that_the_caller_says_is_read_so() {
        for (mark, value, expected) in [
            (DecimalMark::Comma, "1.234,56", "1234.56"),
            (DecimalMark::Comma, "1.234", "1234"),
            (DecimalMark::Comma, "-40,5", "-40.5"),
            (DecimalMark::Dot, "1,234,567.8", "1234567.8"),
            (DecimalMark::Dot, "1.234", "1.234"),
            (DecimalMark::Dot, "1,234", "1234"),
        ] {
            assert_eq!(plain(mark, value).as_deref(), Ok(expected), "{value}");
        }
        for (mark, value) in [
            (DecimalMark::Comma, "37.5"),
            (DecimalMark::Comma, "0.125"),
            (DecimalMark::Dot, "1,23"),
            (DecimalMark::Dot, "1234,567"),
            (DecimalMark::Dot, "1,234,56"),
        ] {
            assert_eq!(plain(mark, value), Err(Reason::InvalidNumber), "{value}");
        }
    }
}
