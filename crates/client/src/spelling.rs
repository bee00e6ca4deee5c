//! How a caller's data spells dates and numbers, and the plain form that a treatment works on.

use sluis_domain::Reason;
use sluis_domain::identifier::MissingWords;

use crate::{DateFormat, DecimalMark};

/// What a treatment needs of the values of a column. Whatever reads the caller's data gives them in this form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Any bytes. White space around them, and marks that are not seen, do not count.
    Text,
    /// Any bytes, compared one by one.
    Exact,
    /// `YYYY-MM-DD`.
    Date,
    /// A dot before the decimals, and no groups.
    Number,
}

/// A form, and what has none: words for a missing value.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The form of values that are there.
    pub form: Form,
    /// Words that stand for a missing value and have no such form.
    pub missing: Option<&'a MissingWords>,
}

impl Wanted<'_> {
    /// A form for every value.
    pub fn always(form: Form) -> Self {
        Self {
            form,
            missing: None,
        }
    }
}

/// How a caller's data spells dates and numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Spelling {
    /// Dates.
    pub dates: DateFormat,
    /// Numbers.
    pub numbers: DecimalMark,
}

impl Spelling {
    /// A value in the wanted form; empty if it is missing. `scratch` is used where the value has another form.
    ///
    /// # Errors
    /// The errors of [`DateFormat::write_iso`] and [`DecimalMark::write_plain`].
    pub fn plain<'v>(
        &self,
        value: &'v [u8],
        wanted: Wanted<'_>,
        scratch: &'v mut Vec<u8>,
    ) -> Result<&'v [u8], Reason> {
        if wanted.missing.is_some_and(|words| words.is_missing(value)) {
            return Ok(b"");
        }
        scratch.clear();
        match wanted.form {
            Form::Text | Form::Exact => return Ok(value),
            Form::Date => self.dates.write_iso(value, scratch)?,
            Form::Number => self.numbers.write_plain(value, scratch)?,
        }
        Ok(scratch)
    }
}
