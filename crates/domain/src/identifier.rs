//! Identifier kinds and their normal forms: what exactly goes into the method for an identifier.
//!
//! The normal forms are **frozen** for method `sluis/1`: the same identifier must give the same bytes today, in
//! ten years, and in an independent implementation. What is refused here may be accepted by a later version; what
//! is accepted here must keep its normal form for ever.
//!
//! # Common rules
//!
//! A value is a byte string. Rules are applied in this order; the first that fails gives the reason:
//!
//! 1. Over [`MAX_RAW`] (4096) bytes: `TOO_LONG`, so that nobody buys Unicode work with a huge value.
//! 2. Not valid UTF-8: `INVALID_UTF8`. All kinds but `opaque`.
//! 3. The kind's **transformation** (below) gives the normal form, UTF-8 again except for `opaque`.
//! 4. Nothing is left: the value is **missing**. Not an error.
//! 5. Over [`MAX_NORMALISED`] (255) bytes are left: `TOO_LONG`.
//! 6. The kind's **form** (below): `INVALID_IDENTIFIER` (`date`: `INVALID_DATE`).
//! 7. `nl-bsn`, `uk-nhs-number`: only zeros: `ALL_ZERO`.
//! 8. `nl-bsn`, `uk-nhs-number`, `iban`, when the namespace's checksum is `strict`: the check, or `INVALID_CHECKSUM`.
//!
//! "Space" is U+0020 only, "dot" U+002E only, "hyphen" U+002D only; digits and letters of numbers are ASCII only.
//! Tabs, no-break spaces, other dashes and other digits are not removed and not mapped: such a number is refused.
//! "White space" (`email`, `text`) is the Unicode property `White_Space`: U+0009 to U+000D, U+0020, U+0085,
//! U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000. It does not hold U+001C to U+001F,
//! U+200B or U+FEFF (which other languages' "strip" may take for white space). "Trim" takes white space off both ends.
//!
//! # Kinds
//!
//! | kind | transformation | form | strict check |
//! |---|---|---|---|
//! | `nl-bsn` | remove every space, dot and hyphen; if 8 bytes are left, put `0` before them | 9 digits | 11-test |
//! | `uk-nhs-number` | remove every space and hyphen | 10 digits | modulus 11 |
//! | `iban` | remove every space; `a`-`z` to `A`-`Z` | 2 letters, 2 digits, 11 to 30 letters or digits | modulus 97 |
//! | `email` | trim; Unicode lower-case; NFC | exactly one `@` (U+0040), at least one character on each side | - |
//! | `date` | none: a value of spaces is refused, only an empty one is missing | `YYYY-MM-DD`, a real date: see [`crate::date::Date`] | - |
//! | `text` | NFC; trim; every run of white space to one space; full case folding; NFC | any | - |
//! | `opaque` | none: the bytes as they are, spaces too | any | - |
//!
//! - **11-test** of digits d1..d9: 9·d1 + 8·d2 + 7·d3 + 6·d4 + 5·d5 + 4·d6 + 3·d7 + 2·d8 - d9 is a multiple of 11.
//! - **Modulus 11** of digits d1..d10: c = 11 - ((10·d1 + 9·d2 + ... + 2·d9) mod 11); c = 11 stands for 0; c = 10 is
//!   never valid; c must equal d10.
//! - **Modulus 97** (ISO 13616, ISO 7064 MOD 97-10): move the first four characters to the end, write A as 10, B as 11,
//!   ... Z as 35; the decimal number must leave 1 when divided by 97, and the two check digits must be 02 to 98 (00,
//!   01 and 99 would be second spellings of 97, 98 and 02). The length per country is not checked.
//! - **Lower-case** is the full, locale-independent mapping of Unicode (`SpecialCasing.txt` without language
//!   conditions): U+0130 becomes U+0069 U+0307, and a capital sigma at the end of a word (`Final_Sigma`) U+03C2.
//! - **Full case folding** is `CaseFolding.txt`, status C and F, not T (Turkic): U+00DF becomes `ss`, U+0130
//!   becomes U+0069 U+0307, and U+03C2 becomes U+03C3.
//! - **Unicode**: normalisation and folding of assigned characters never change (Unicode stability policy). The
//!   promise holds for characters assigned in Unicode 16.0; a test fails when the tables in use say something else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Reason;
use crate::date::Date;

mod email;
mod iban;
mod nl_bsn;
mod text;
mod uk_nhs_number;

/// Longest normal form in bytes.
pub const MAX_NORMALISED: usize = 255;

/// Longest value in bytes that is looked at at all.
pub const MAX_RAW: usize = 4096;

/// What kind of identifier a namespace holds, and so which normal form applies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifierKind {
    /// Dutch citizen service number (burgerservicenummer).
    NlBsn,
    /// NHS number of England, Wales and the Isle of Man.
    UkNhsNumber,
    /// International bank account number (ISO 13616).
    Iban,
    /// E-mail address.
    Email,
    /// Calendar date, such as a date of birth.
    Date,
    /// Free text, such as a name: compared without regard to case and white space.
    Text,
    /// Bytes, compared exactly.
    Opaque,
}

/// A text that names no identifier kind. Does not carry the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identifier kind is one of nl-bsn, uk-nhs-number, iban, email, date, text, opaque")]
pub struct UnknownIdentifierKind;

impl IdentifierKind {
    /// All kinds, in the order of `docs/method.md`.
    pub const ALL: [Self; 7] = [
        Self::NlBsn,
        Self::UkNhsNumber,
        Self::Iban,
        Self::Email,
        Self::Date,
        Self::Text,
        Self::Opaque,
    ];

    /// The kind as the registry spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NlBsn => "nl-bsn",
            Self::UkNhsNumber => "uk-nhs-number",
            Self::Iban => "iban",
            Self::Email => "email",
            Self::Date => "date",
            Self::Text => "text",
            Self::Opaque => "opaque",
        }
    }
}

impl FromStr for IdentifierKind {
    type Err = UnknownIdentifierKind;

    fn from_str(text: &str) -> Result<Self, UnknownIdentifierKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownIdentifierKind)
    }
}

impl fmt::Display for IdentifierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the check digits of a namespace's numbers must be right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// They must: a mistyped number is refused.
    #[default]
    Strict,
    /// Not looked at (published test numbers often fail). The form is still required.
    Off,
}

/// Who sees the identifiers of a namespace; one mode for its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputMode {
    /// The custodian receives and normalises the identifier.
    Plain,
    /// The source normalises and hashes it with a key the custodian never has.
    Prehash,
}

/// Appends the normal form of `value` to `out`: 1 to [`MAX_NORMALISED`] bytes. The module says what it is.
///
/// `Ok(false)` means that the value is missing; then, and on an error, `out` is as it was. ASCII values of every kind
/// cost no heap allocation beyond the growth of `out`.
///
/// # Errors
/// [`Reason::TooLong`], [`Reason::InvalidUtf8`], [`Reason::InvalidIdentifier`], [`Reason::InvalidDate`],
/// [`Reason::AllZero`], [`Reason::InvalidChecksum`].
pub fn normalise(
    kind: IdentifierKind,
    checksum: Checksum,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<bool, Reason> {
    if value.len() > MAX_RAW {
        return Err(Reason::TooLong);
    }
    let start = out.len();
    transform(kind, value, out)?;
    let outcome = match &out[start..] {
        [] => return Ok(false),
        normalised if normalised.len() > MAX_NORMALISED => Err(Reason::TooLong),
        normalised => check(kind, checksum, normalised),
    };
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome.map(|()| true)
}

/// Rules 2 and 3. Appends nothing on an error.
fn transform(kind: IdentifierKind, value: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
    if kind == IdentifierKind::Opaque {
        out.extend_from_slice(value);
        return Ok(());
    }
    let value = std::str::from_utf8(value).map_err(|_| Reason::InvalidUtf8)?;
    match kind {
        IdentifierKind::NlBsn => nl_bsn::transform(value, out),
        IdentifierKind::UkNhsNumber => uk_nhs_number::transform(value, out),
        IdentifierKind::Iban => iban::transform(value, out),
        IdentifierKind::Email => email::transform(value, out),
        IdentifierKind::Text => text::transform(value, out),
        IdentifierKind::Date | IdentifierKind::Opaque => out.extend_from_slice(value.as_bytes()),
    }
    Ok(())
}

/// Rules 6 to 8.
fn check(kind: IdentifierKind, checksum: Checksum, normalised: &[u8]) -> Result<(), Reason> {
    match kind {
        IdentifierKind::NlBsn => check_number::<9>(normalised, checksum, nl_bsn::passes),
        IdentifierKind::UkNhsNumber => {
            check_number::<10>(normalised, checksum, uk_nhs_number::passes)
        }
        IdentifierKind::Iban if !iban::has_form(normalised) => Err(Reason::InvalidIdentifier),
        IdentifierKind::Iban if checksum == Checksum::Strict && !iban::passes(normalised) => {
            Err(Reason::InvalidChecksum)
        }
        IdentifierKind::Email if !email::has_form(normalised) => Err(Reason::InvalidIdentifier),
        IdentifierKind::Date => Date::parse(normalised).map(|_| ()),
        IdentifierKind::Iban
        | IdentifierKind::Email
        | IdentifierKind::Text
        | IdentifierKind::Opaque => Ok(()),
    }
}

/// `N` digits, not all zero, that pass the check if it is strict.
fn check_number<const N: usize>(
    normalised: &[u8],
    checksum: Checksum,
    passes: fn(&[u8; N]) -> bool,
) -> Result<(), Reason> {
    let digits = <&[u8; N]>::try_from(normalised).map_err(|_| Reason::InvalidIdentifier)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(Reason::InvalidIdentifier);
    }
    if digits.iter().all(|digit| *digit == b'0') {
        return Err(Reason::AllZero);
    }
    if checksum == Checksum::Strict && !passes(digits) {
        return Err(Reason::InvalidChecksum);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
