//! Words that stand for a value that is not there: `NULL`, `N/A`, `-`. Taken for identifiers, they would make one
//! subject of all people without one.

use super::{Checksum, IdentifierKind, normalise};
use crate::WipedBuffer;

/// The words of a namespace that lists none of its own.
pub const DEFAULT_WORDS: [&str; 9] = ["NULL", "null", "NA", "N/A", "NaN", "None", "\\N", "-", "?"];

/// Most words in a list.
pub const MAX_WORDS: usize = 64;

/// Longest word, in bytes.
pub const MAX_WORD_BYTES: usize = 64;

/// The words that stand for a missing value in a namespace.
///
/// A value is missing if it is empty or only ASCII white space; if it is a word, where ASCII white space around it and
/// the case of ASCII letters do not count; or if its normal form is that of a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingWords {
    words: Vec<String>,
    /// The normal forms of those that have one.
    forms: Vec<Vec<u8>>,
    /// Length of the longest word.
    longest: usize,
}

impl MissingWords {
    /// These words, for identifiers of a kind.
    pub fn new(kind: IdentifierKind, words: Vec<String>) -> Self {
        let forms = words.iter().filter_map(|word| {
            let mut form = WipedBuffer::default();
            let present = normalise(kind, Checksum::Off, word.as_bytes(), &mut form);
            (present == Ok(true)).then(|| form.to_vec())
        });
        Self {
            forms: forms.collect(),
            longest: words.iter().map(String::len).max().unwrap_or_default(),
            words,
        }
    }

    /// The words of a namespace that lists none: [`DEFAULT_WORDS`].
    pub fn default_of(kind: IdentifierKind) -> Self {
        Self::new(kind, DEFAULT_WORDS.map(str::to_owned).to_vec())
    }

    /// The words as listed.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Whether a value, as received, is blank or one of the words. A value that says no may still have the normal form of
    /// a word: [`super::IdentifierRules::normalise`] sees that too.
    pub fn is_missing(&self, value: &[u8]) -> bool {
        let trimmed = value.trim_ascii();
        let mut words = self.words.iter().map(String::as_bytes);
        trimmed.is_empty()
            || (trimmed.len() <= self.longest && words.any(|w| w.eq_ignore_ascii_case(trimmed)))
    }

    /// Whether a normal form is that of one of the words.
    pub(super) fn has_form(&self, normalised: &[u8]) -> bool {
        self.forms.iter().any(|form| form == normalised)
    }
}
