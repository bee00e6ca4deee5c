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
//! 1. Over [`MAX_RAW`] (4096) bytes: `TOO_LONG`, so that no one buys Unicode work with a huge value.
//! 2. Only ASCII white space (U+0009, U+000A, U+000C, U+000D, U+0020), or one of the namespace's words for what is
//!    missing ([`MissingWords`]): the value is **missing**. Not an error.
//! 3. Not valid UTF-8: `INVALID_UTF8`. All kinds but `opaque`.
//! 4. The kind's **transformation** (below) gives the normal form, UTF-8 again except for `opaque`, or a reason.
//! 5. Nothing is left: missing.
//! 6. Over [`MAX_NORMALISED`] (255) bytes are left: `TOO_LONG`.
//! 7. The kind's **form** (below): `INVALID_IDENTIFIER` (`date`: `INVALID_DATE`).
//! 8. The normal form is that of one of the namespace's words for what is missing: missing.
//! 9. Numbers but `iban` and `it-codicefiscale`: of their digits, only zeros: `ALL_ZERO`. One digit repeated, or a
//!    well-known row of digits: `PLACEHOLDER_NUMBER`.
//! 10. Numbers, when the namespace's checksum is `strict`: the check, or `INVALID_CHECKSUM`.
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
//! | `nl-bsn` | trim spaces; remove spaces, dots (two or more) or hyphens, one kind in a value, between groups of two or more digits; if 8 digits are left, put `0` before them | 9 digits | 11-test |
//! | `uk-nhs-number` | trim spaces; remove spaces or hyphens, one kind in a value, between groups of two or more digits | 10 digits | modulus 11 |
//! | `iban` | trim spaces; remove spaces between groups of two or more; `a`-`z` to `A`-`Z` | 2 letters, 2 digits, 11 to 30 letters or digits | modulus 97 |
//! | [national numbers](#national-numbers) | trim spaces; remove separators between groups; `a`-`z` to `A`-`Z` | below | below |
//! | `email` | trim; refuse control and invisible characters; Unicode lower-case; NFC | exactly one `@` (U+0040), a local part before it, a domain behind it, NFKC | - |
//! | `date` | none | `YYYY-MM-DD`, a real date: see [`crate::date::Date`] | - |
//! | `text` | refuse control characters; toNFKC_Casefold of the NFD; trim; every run of white space to one space | any | - |
//! | `opaque` | none: the bytes as they are, spaces too | any | - |
//!
//! # National numbers
//!
//! The file of each kind has its form, its separators and its check, and `docs/method.md` has them all. Their groups are
//! those of `uk-nhs-number`; where the number has letters, the first and the last group may have one character.
//!
//! | kind | form | strict check |
//! |---|---|---|
//! | `be-rrn` | 11 digits | month, modulus 97 |
//! | `de-kvnr` | 1 letter, 9 digits | modulus 10 |
//! | `fr-nir` | 15 digits, the sixth and seventh perhaps `2A` or `2B` | first digit, modulus 97 |
//! | `es-dni` | 8 digits, or `X`, `Y`, `Z` and 7; 1 letter | modulus 23 |
//! | `fi-hetu` | 6 digits, sign, 3 digits, 1 digit or letter; nothing is removed | date, modulus 31 |
//! | `se-personnummer` | 12 digits; 10 are refused: `NO_CENTURY` | date, Luhn |
//! | `no-fnr` | 11 digits | date, modulus 11 twice |
//! | `dk-cpr` | 10 digits | date |
//! | `it-codicefiscale` | 16 digits and letters | date, modulus 26 |
//! | `pl-pesel` | 11 digits | date, modulus 10 |
//! | `uk-chi` | 10 digits | date, modulus 11 |
//! | `lu-matricule` | 13 digits | date, Luhn, Verhoeff |
//!
//! # Words of these tables
//!
//! - A **dot never just vanishes**: one dot is a decimal point, not a separator. What is no number in groups is refused
//!   with a reason that says what was seen: `NUMBER_AS_DECIMAL`, `NUMBER_IN_SCIENTIFIC_NOTATION`, `NUMBER_AS_DATE` (eight
//!   digits grouped 2-2-4 or 4-2-2), `NUMBER_WITH_SIGN`, `NUMBER_IN_QUOTES`, `MISPLACED_SEPARATOR`, `FOREIGN_DIGITS`,
//!   `INVISIBLE_CHARACTER`, or `INVALID_IDENTIFIER` for anything else.
//! - **11-test** of digits d1..d9: 9·d1 + 8·d2 + 7·d3 + 6·d4 + 5·d5 + 4·d6 + 3·d7 + 2·d8 - d9 is a multiple of 11.
//! - **Modulus 11** of digits d1..d10: c = 11 - ((10·d1 + 9·d2 + ... + 2·d9) mod 11); c = 11 stands for 0; c = 10 is
//!   never valid; c must equal d10.
//! - **Modulus 97** (ISO 13616, ISO 7064 MOD 97-10): move the first four characters to the end, write A as 10, B as 11,
//!   ... Z as 35; the decimal number must leave 1 when divided by 97, and the two check digits must be 02 to 98 (00,
//!   01 and 99 would be second spellings of 97, 98 and 02). The length per country is not checked.
//! - **Groups of an IBAN**: the last may have one character if all before it have four (`CH93 0076 2011 6238 5295 7`).
//! - **Lower-case** is the full, locale-independent mapping of Unicode (`SpecialCasing.txt` without language
//!   conditions): U+0130 becomes U+0069 U+0307, and a capital sigma at the end of a word (`Final_Sigma`) U+03C2.
//! - **toNFKC_Casefold** is that of the Unicode Standard, section 3.13: each character becomes its `NFKC_Casefold`, which
//!   folds case, width and ligatures and removes `Default_Ignorable_Code_Point`, and the whole becomes NFC.
//! - **Unicode**: normalisation and folding of assigned characters never change (Unicode stability policy). The
//!   promise holds for characters assigned in Unicode 16.0; a test fails when the tables in use say something else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::number::{Number, refuse_placeholders};
use crate::date::Date;
use crate::{Reason, WipedBuffer};

mod be_rrn;
mod check;
mod de_kvnr;
mod dk_cpr;
mod email;
mod es_dni;
mod fi_hetu;
mod fr_nir;
mod iban;
mod it_codicefiscale;
mod lu_matricule;
mod missing;
mod nl_bsn;
mod no_fnr;
mod number;
mod pl_pesel;
mod se_personnummer;
mod text;
mod uk_chi;
mod uk_nhs_number;
mod unseen;

pub use missing::{DEFAULT_WORDS, MAX_WORD_BYTES, MAX_WORDS, MissingWords};

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
    /// Belgian national register number (Rijksregisternummer) or BIS number.
    BeRrn,
    /// German health insurance number (Krankenversichertennummer), its unchanging part.
    DeKvnr,
    /// French national register number (numéro de sécurité sociale) with its key.
    FrNir,
    /// Spanish identity number (DNI), or number of foreigners (NIE).
    EsDni,
    /// Finnish personal identity code (henkilötunnus).
    FiHetu,
    /// Swedish personal identity number or coordination number, with its century.
    SePersonnummer,
    /// Norwegian birth number (fødselsnummer) or D-number.
    NoFnr,
    /// Danish personal number (CPR-nummer).
    DkCpr,
    /// Italian tax code of a person.
    ItCodicefiscale,
    /// Polish PESEL number.
    PlPesel,
    /// Community Health Index number of Scotland.
    UkChi,
    /// National identification number of Luxembourg.
    LuMatricule,
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
#[error(
    "an identifier kind is one of nl-bsn, uk-nhs-number, be-rrn, de-kvnr, fr-nir, es-dni, fi-hetu, se-personnummer, no-fnr, dk-cpr, it-codicefiscale, pl-pesel, uk-chi, lu-matricule, iban, email, date, \
     text, opaque"
)]
pub struct UnknownIdentifierKind;

impl IdentifierKind {
    /// All kinds, in the order of `docs/method.md`.
    pub const ALL: [Self; 19] = [
        Self::NlBsn,
        Self::UkNhsNumber,
        Self::BeRrn,
        Self::DeKvnr,
        Self::FrNir,
        Self::EsDni,
        Self::FiHetu,
        Self::SePersonnummer,
        Self::NoFnr,
        Self::DkCpr,
        Self::ItCodicefiscale,
        Self::PlPesel,
        Self::UkChi,
        Self::LuMatricule,
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
            Self::BeRrn => "be-rrn",
            Self::DeKvnr => "de-kvnr",
            Self::FrNir => "fr-nir",
            Self::EsDni => "es-dni",
            Self::FiHetu => "fi-hetu",
            Self::SePersonnummer => "se-personnummer",
            Self::NoFnr => "no-fnr",
            Self::DkCpr => "dk-cpr",
            Self::ItCodicefiscale => "it-codicefiscale",
            Self::PlPesel => "pl-pesel",
            Self::UkChi => "uk-chi",
            Self::LuMatricule => "lu-matricule",
            Self::Iban => "iban",
            Self::Email => "email",
            Self::Date => "date",
            Self::Text => "text",
            Self::Opaque => "opaque",
        }
    }

    /// The rules of a kind of numbers.
    fn number(self) -> Option<&'static Number> {
        match self {
            Self::NlBsn => Some(&nl_bsn::NUMBER),
            Self::UkNhsNumber => Some(&uk_nhs_number::NUMBER),
            Self::BeRrn => Some(&be_rrn::NUMBER),
            Self::DeKvnr => Some(&de_kvnr::NUMBER),
            Self::FrNir => Some(&fr_nir::NUMBER),
            Self::EsDni => Some(&es_dni::NUMBER),
            Self::FiHetu => Some(&fi_hetu::NUMBER),
            Self::SePersonnummer => Some(&se_personnummer::NUMBER),
            Self::NoFnr => Some(&no_fnr::NUMBER),
            Self::DkCpr => Some(&dk_cpr::NUMBER),
            Self::ItCodicefiscale => Some(&it_codicefiscale::NUMBER),
            Self::PlPesel => Some(&pl_pesel::NUMBER),
            Self::UkChi => Some(&uk_chi::NUMBER),
            Self::LuMatricule => Some(&lu_matricule::NUMBER),
            Self::Iban => Some(&iban::NUMBER),
            Self::Email | Self::Date | Self::Text | Self::Opaque => None,
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

/// Whether a namespace's numbers must pass their check: check digits, and the date in a number that has one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// They must: a mistyped number is refused.
    #[default]
    Strict,
    /// Need not (published test numbers often fail). The form is still required.
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

/// What a namespace says about its identifiers: which they are, how strictly they are checked, and which words stand for
/// one that is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdentifierRules {
    kind: IdentifierKind,
    checksum: Checksum,
    missing: MissingWords,
}

impl IdentifierRules {
    /// Rules with these words for what is missing.
    pub fn new(kind: IdentifierKind, checksum: Checksum, words: Vec<String>) -> Self {
        Self {
            kind,
            checksum,
            missing: MissingWords::new(kind, words),
        }
    }

    /// Which identifiers.
    pub fn kind(&self) -> IdentifierKind {
        self.kind
    }

    /// Whether check digits are verified.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// The words that stand for a missing value.
    pub fn missing(&self) -> &MissingWords {
        &self.missing
    }

    /// Appends the normal form of `value` to `out`, as [`normalise`] does; words for what is missing are missing.
    ///
    /// # Errors
    /// The errors of [`normalise`].
    pub fn normalise(&self, value: &[u8], out: &mut WipedBuffer) -> Result<bool, Reason> {
        apply(self.kind, self.checksum, Some(&self.missing), value, out)
    }
}

/// Appends the normal form of `value` to `out`: 1 to [`MAX_NORMALISED`] bytes. The module says what it is. There are no
/// words for what is missing: [`IdentifierRules`] has them.
///
/// `Ok(false)` means that the value is missing; then, and on an error, `out` is as it was.
///
/// # Errors
/// [`Reason::TooLong`], [`Reason::InvalidUtf8`], [`Reason::InvalidIdentifier`], [`Reason::InvalidDate`],
/// [`Reason::NoCentury`], [`Reason::AllZero`], [`Reason::PlaceholderNumber`], [`Reason::InvalidChecksum`], [`Reason::InvisibleCharacter`],
/// [`Reason::ReplacementCharacter`], [`Reason::ForeignDigits`], [`Reason::MisplacedSeparator`], and the `Number` ones.
pub fn normalise(
    kind: IdentifierKind,
    checksum: Checksum,
    value: &[u8],
    out: &mut WipedBuffer,
) -> Result<bool, Reason> {
    apply(kind, checksum, None, value, out)
}

fn apply(
    kind: IdentifierKind,
    checksum: Checksum,
    missing: Option<&MissingWords>,
    value: &[u8],
    out: &mut WipedBuffer,
) -> Result<bool, Reason> {
    if value.len() > MAX_RAW {
        return Err(Reason::TooLong);
    }
    if value.trim_ascii().is_empty() || missing.is_some_and(|words| words.is_missing(value)) {
        return Ok(false);
    }
    let start = out.len();
    let outcome =
        transform(kind, value, out).and_then(|()| check(kind, checksum, missing, &out[start..]));
    if outcome != Ok(true) {
        out.truncate(start);
    }
    outcome
}

/// Rules 3 and 4.
fn transform(kind: IdentifierKind, value: &[u8], out: &mut WipedBuffer) -> Result<(), Reason> {
    let number = kind.number();
    // Most numbers are their own normal form, so that nothing has to be looked for in them.
    let is_bare = number.is_some_and(|number| (number.has_form)(value));
    if kind == IdentifierKind::Opaque || is_bare {
        out.extend_from_slice(value);
        return Ok(());
    }
    let value = std::str::from_utf8(value).map_err(|_| Reason::InvalidUtf8)?;
    match (kind, number) {
        (_, Some(number)) => (number.transform)(value, out),
        (IdentifierKind::Email, _) => email::transform(value, out),
        (IdentifierKind::Text, _) => text::transform(value, out),
        _ => {
            out.extend_from_slice(value.as_bytes());
            Ok(())
        }
    }
}

/// Rules 5 to 10: whether there is a value, and whether it may be taken.
fn check(
    kind: IdentifierKind,
    checksum: Checksum,
    missing: Option<&MissingWords>,
    normalised: &[u8],
) -> Result<bool, Reason> {
    if normalised.is_empty() {
        return Ok(false);
    }
    if normalised.len() > MAX_NORMALISED {
        return Err(Reason::TooLong);
    }
    check_form(kind, normalised)?;
    if missing.is_some_and(|words| words.has_form(normalised)) {
        return Ok(false);
    }
    check_number(kind, checksum, normalised)?;
    Ok(true)
}

/// Rule 7.
fn check_form(kind: IdentifierKind, normalised: &[u8]) -> Result<(), Reason> {
    let has_form = match (kind, kind.number()) {
        (_, Some(number)) => (number.has_form)(normalised),
        (IdentifierKind::Email, _) => email::has_form(normalised),
        (IdentifierKind::Date, _) => return Date::parse(normalised).map(|_| ()),
        _ => true,
    };
    if has_form {
        Ok(())
    } else {
        Err(Reason::InvalidIdentifier)
    }
}

/// Rules 9 and 10, of a value that has its form.
fn check_number(kind: IdentifierKind, checksum: Checksum, normalised: &[u8]) -> Result<(), Reason> {
    let Some(number) = kind.number() else {
        return Ok(());
    };
    if let Some(placeholders) = number.placeholders {
        refuse_placeholders(normalised, placeholders)?;
    }
    if checksum == Checksum::Strict && !(number.passes)(normalised) {
        return Err(Reason::InvalidChecksum);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
