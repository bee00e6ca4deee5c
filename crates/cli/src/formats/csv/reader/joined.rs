//! What betrays that two files were joined into one.

use super::{BOM, Field};

/// The header line of a file, for comparison with the records below it.
#[derive(Default)]
pub(super) struct Header {
    /// Without quotes and spaces around them; none if there is nothing to compare.
    names: Vec<Vec<u8>>,
}

impl Header {
    /// `raw`: the header fields as they stand in the input.
    pub(super) fn new(raw: &[Vec<u8>]) -> Self {
        let names: Vec<Vec<u8>> = raw.iter().map(|field| bare(field).to_vec()).collect();
        if names.iter().all(Vec::is_empty) {
            return Self::default();
        }
        Self { names }
    }

    /// Whether the only field of a record ends with a byte order mark and the header: the last line of the file before had
    /// no end.
    pub(super) fn is_glued_to(&self, record: &[u8]) -> bool {
        let [name] = &self.names[..] else {
            return false;
        };
        if record.is_ascii() {
            return false;
        }
        let mut places = record.windows(BOM.len()).enumerate();
        places.any(|(at, part)| {
            part == BOM && bare(&record[at + BOM.len()..]).eq_ignore_ascii_case(name)
        })
    }

    /// Whether a record has the headers as its values, in any order and whether in capitals or not.
    pub(super) fn is_repeated_by(&self, buffer: &[u8], fields: &[Field]) -> bool {
        let values = fields.iter().map(|field| bare(&buffer[field.raw.clone()]));
        let names = self.names.iter().map(Vec::as_slice);
        let first = values.clone().next();
        // Nearly every record ends here.
        first.is_some_and(|value| names.clone().any(|name| name.eq_ignore_ascii_case(value)))
            && sorted(values) == sorted(names)
    }
}

fn sorted<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut values: Vec<_> = values.map(<[u8]>::to_ascii_lowercase).collect();
    values.sort();
    values
}

/// A field without a byte order mark before it, and the quotes and spaces around it.
fn bare(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_prefix(BOM).unwrap_or(raw).trim_ascii();
    let inner = raw
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    inner.unwrap_or(raw).trim_ascii()
}
