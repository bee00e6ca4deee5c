//! One identifier from a file or stream, read like a value of a record file: what is refused there is refused here.

use std::io::Read;

use sluis_client::Zeroizing;

use super::input::malformed;
use crate::error::CliError;
use crate::formats::csv::{CsvReader, Delimiter, Encoding, detect};

/// Most bytes that are read.
const LONGEST: u64 = 4_096;

/// An identifier, as UTF-8 where it is text.
pub(crate) struct Identifier {
    /// Without quotes around it.
    pub(crate) value: Zeroizing<Vec<u8>>,
    /// Quotes around it say where it begins and ends.
    pub(crate) is_quoted: bool,
}

/// Reads the only line that is not empty. Quotes around it are those of CSV.
///
/// # Errors
/// [`CliError::Input`] for no line, for several, and for what is no text in this encoding; the identifier is not shown.
pub(crate) fn read_identifier(
    source: impl Read,
    name: &str,
    encoding: Encoding,
) -> Result<Identifier, CliError> {
    // A delimiter that no text has: the whole line is one value.
    let none = Delimiter(0);
    let (_, rest) = detect(source.take(LONGEST + 1), Some(none), encoding)
        .map_err(|error| malformed(name, error))?;
    let mut reader = CsvReader::new(rest, none.0);
    let mut found = None;
    loop {
        let record = reader.next().map_err(|error| malformed(name, error))?;
        let Some(record) = record else { break };
        if record.is_blank() || record.raw(0).is_empty() {
            continue;
        }
        if found.is_some() {
            return Err(wrong(
                name,
                "there is more than one line; subjects are erased one at a time, and there is no header line",
            ));
        }
        if record.has_mark() {
            return Err(wrong(name, "there is a byte order mark inside the file"));
        }
        let mut unquoted = Zeroizing::new(Vec::with_capacity(LONGEST as usize));
        let value = encoding.decode(record.value(0, &mut unquoted));
        let value = value.map_err(|reason| wrong(name, reason.message()))?;
        found = Some(Identifier {
            value: Zeroizing::new(value.into_owned()),
            is_quoted: record.raw(0).starts_with(b"\""),
        });
    }
    if reader.consumed() > LONGEST {
        return Err(wrong(name, "this is longer than an identifier may be"));
    }
    found.ok_or_else(|| wrong(name, "there is no identifier"))
}

fn wrong(name: &str, what: &str) -> CliError {
    CliError::input(format!("{name}: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8], encoding: Encoding) -> Result<(Vec<u8>, bool), String> {
        read_identifier(content, "id.txt", encoding)
            .map(|found| (found.value.to_vec(), found.is_quoted))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_identifier_is_the_only_line_whatever_surrounds_it() {
        for content in [
            &b"123"[..],
            b"123\n",
            b"123\r\n",
            b"\xef\xbb\xbf123\n",
            b"\n\r\n123\n\n\r\n",
        ] {
            let found = read(content, Encoding::Utf8);
            assert_eq!(found, Ok((b"123".to_vec(), false)), "{content:?}");
        }
        assert_eq!(
            read(b"\"Jansen, \"\"Piet\"\" \"\n", Encoding::Utf8),
            Ok((b"Jansen, \"Piet\" ".to_vec(), true))
        );
        assert_eq!(
            read(b"Jansen, Piet\n", Encoding::Utf8),
            Ok((b"Jansen, Piet".to_vec(), false))
        );
        assert_eq!(
            read(b"Zo\xeb\n", Encoding::Windows1252),
            Ok(("Zoë".as_bytes().to_vec(), false))
        );
    }

    #[test]
    fn what_is_not_one_identifier_is_refused_and_not_shown() {
        let long = "7".repeat(5_000);
        for (content, encoding, expected) in [
            (&b""[..], Encoding::Utf8, "no identifier"),
            (b"\r\n\n", Encoding::Utf8, "no identifier"),
            (b"71\n72\n", Encoding::Utf8, "more than one line"),
            (b"bsn\n71\n", Encoding::Utf8, "more than one line"),
            (b"71\r72\r", Encoding::Utf8, "carriage return"),
            (b"71\0", Encoding::Utf8, "NUL"),
            (b"71\x1a", Encoding::Utf8, "DOS"),
            (b"\"71\n", Encoding::Utf8, "does not end"),
            (b"\xff\xfe7\x001\0", Encoding::Utf8, "UTF-16"),
            (b"PK\x03\x04 xl/7", Encoding::Utf8, ".xlsx"),
            (long.as_bytes(), Encoding::Utf8, "longer"),
            (b"\xef\xbb\xbf71", Encoding::Windows1252, "--encoding"),
            ("Zo\u{eb}7".as_bytes(), Encoding::Windows1252, "encoding"),
        ] {
            let message = read(content, encoding).expect_err(expected);
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains('7'), "{message}");
        }
    }
}
