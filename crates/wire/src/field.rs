//! Fields of messages. Errors name the field as the contract does, and do not quote it.

use std::fmt::Display;
use std::str::FromStr;

use bytes::Bytes;
use sluis_domain::{Kid, Timestamp};

use crate::Invalid;

/// A required field with a text form. The errors of the domain's types never quote the text.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn required<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Invalid> {
    if text.is_empty() {
        return Err(Invalid::missing(field));
    }
    text.parse()
        .map_err(|error: T::Err| Invalid::field(field, error.to_string()))
}

/// An optional field with a text form; empty is absent.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn optional<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<Option<T>, Invalid> {
    if text.is_empty() {
        Ok(None)
    } else {
        required(field, text).map(Some)
    }
}

/// Fields with a text form.
///
/// # Errors
/// [`Invalid`] names `field` and the index of the first that is wrong.
pub fn each<T, C>(field: &str, texts: &[String]) -> Result<C, Invalid>
where
    T: FromStr<Err: Display>,
    C: FromIterator<T>,
{
    let parsed = texts.iter().enumerate();
    parsed
        .map(|(i, text)| required(&format!("{field}[{i}]"), text))
        .collect()
}

/// A required RFC 3339 time.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn time(field: &str, text: &str) -> Result<Timestamp, Invalid> {
    optional_time(field, text)?.ok_or_else(|| Invalid::missing(field))
}

/// An optional RFC 3339 time; empty is absent.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn optional_time(field: &str, text: &str) -> Result<Option<Timestamp>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    Timestamp::parse(text)
        .map(Some)
        .map_err(|error| Invalid::field(field, error.to_string()))
}

/// A required SHA-256.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn digest(field: &str, bytes: &[u8]) -> Result<[u8; 32], Invalid> {
    bytes
        .try_into()
        .map_err(|_| Invalid::field(field, "must be 32 bytes"))
}

/// A key id: eight hexadecimal digits.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn kid(field: &str, text: &str) -> Result<Kid, Invalid> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = digits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
    number
        .and_then(Kid::new)
        .ok_or_else(|| Invalid::field(field, "must be eight hexadecimal digits, not all zero"))
}

/// A required field that is there.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn present<T>(field: &str, value: Option<T>) -> Result<T, Invalid> {
    value.ok_or_else(|| Invalid::missing(field))
}

/// A required message, parsed.
///
/// # Errors
/// [`Invalid`] names the field in it.
pub fn message<T, M>(field: &str, message: Option<M>) -> Result<T, Invalid>
where
    T: TryFrom<M, Error = Invalid>,
{
    T::try_from(present(field, message)?).map_err(|invalid| invalid.within(field))
}

/// Messages, parsed.
///
/// # Errors
/// [`Invalid`] names the field in the first that is wrong.
pub fn messages<T, M>(field: &str, messages: Vec<M>) -> Result<Vec<T>, Invalid>
where
    T: TryFrom<M, Error = Invalid>,
{
    let numbered = messages.into_iter().enumerate();
    numbered
        .map(|(i, message)| {
            T::try_from(message).map_err(|invalid| invalid.within(&format!("{field}[{i}]")))
        })
        .collect()
}

/// A number with a default for zero and an upper end.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn number_or(field: &str, number: u32, default: usize, most: usize) -> Result<usize, Invalid> {
    match number as usize {
        0 => Ok(default),
        number if number <= most => Ok(number),
        _ => Err(Invalid::field(field, format!("must be at most {most}"))),
    }
}

/// Bounds a list.
///
/// # Errors
/// [`Invalid`] names `field`.
pub fn at_most(field: &str, length: usize, most: usize) -> Result<(), Invalid> {
    if length > most {
        Err(Invalid::field(field, format!("at most {most}")))
    } else {
        Ok(())
    }
}

/// A number that this version has a narrower type for.
pub(crate) fn narrow<T: TryFrom<u32>>(field: &str, number: u32) -> Result<T, Invalid> {
    T::try_from(number).map_err(|_| Invalid::field(field, "is too large"))
}

/// Something of a later version.
pub(crate) fn unknown(field: &str, what: &str) -> Invalid {
    Invalid::field(field, format!("is not {what} this version knows"))
}

/// The text form of something that may be absent; empty is absent.
pub(crate) fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The text forms of some.
pub(crate) fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

/// The bytes of something that may be absent; empty is absent.
pub(crate) fn bytes(value: Option<[u8; 32]>) -> Bytes {
    value.map(Vec::from).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
