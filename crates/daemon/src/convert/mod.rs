//! Between the wire and the domain. Everything of a request is parsed here, once; an error names the field as the
//! contract does and never quotes its content.

pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod custody;
pub(crate) mod grant;
pub(crate) mod proposal;
pub(crate) mod registry;

use std::fmt::Display;
use std::str::FromStr;

use sluis_domain::Timestamp;

use crate::status::Denial;

/// A required field with a text form. The errors of the domain's types never quote the text.
pub(crate) fn required<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Denial> {
    if text.is_empty() {
        return Err(missing(field));
    }
    text.parse()
        .map_err(|e: T::Err| Denial::field(field, e.to_string()))
}

/// An optional field with a text form; empty is absent.
pub(crate) fn optional<T: FromStr<Err: Display>>(
    field: &str,
    text: &str,
) -> Result<Option<T>, Denial> {
    if text.is_empty() {
        Ok(None)
    } else {
        required(field, text).map(Some)
    }
}

/// An optional RFC 3339 time; empty is absent.
pub(crate) fn optional_time(field: &str, text: &str) -> Result<Option<Timestamp>, Denial> {
    if text.is_empty() {
        return Ok(None);
    }
    Timestamp::parse(text)
        .map(Some)
        .map_err(|e| Denial::field(field, e.to_string()))
}

/// A required message.
pub(crate) fn present<T>(field: &str, message: Option<T>) -> Result<T, Denial> {
    message.ok_or_else(|| missing(field))
}

/// A number with a default for zero and an upper end.
pub(crate) fn number_or(
    field: &str,
    number: u32,
    default: usize,
    most: usize,
) -> Result<usize, Denial> {
    match number as usize {
        0 => Ok(default),
        number if number <= most => Ok(number),
        _ => Err(Denial::field(field, format!("must be at most {most}"))),
    }
}

/// Bounds a list.
pub(crate) fn at_most(field: &str, length: usize, most: usize) -> Result<(), Denial> {
    if length > most {
        Err(Denial::field(field, format!("at most {most}")))
    } else {
        Ok(())
    }
}

pub(crate) fn missing(field: &str) -> Denial {
    Denial::field(field, "is required")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluis_domain::{ChainId, Reason};

    #[test]
    fn errors_name_the_field_and_do_not_quote_it() {
        for text in ["", "not an id!"] {
            let denial = required::<ChainId>("open.chain_id", text).expect_err("not an id");
            assert_eq!(denial.reason, Reason::InvalidRequest);
            assert_eq!(denial.violations[0].0, "open.chain_id");
            assert!(!format!("{denial:?}").contains("not an id!"));
        }
        assert!(optional_time("not_before", "yesterday").is_err());
        assert_eq!(optional_time("not_before", ""), Ok(None));
    }
}
