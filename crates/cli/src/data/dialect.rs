//! How a CSV file is written: delimiter, encoding, byte order mark. The output is written in the same way.

use std::borrow::Cow;
use std::io::{self, Cursor, Read};
use std::str::FromStr;

use clap::ValueEnum;
use encoding_rs::WINDOWS_1252;
use sluis_domain::Reason;

/// The mark some programs put before UTF-8 text.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";
/// The delimiters that are looked for; of two that are equally frequent, the first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How far a header line is looked for.
const MAX_HEADER: usize = 1 << 20;

/// How text is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Encoding {
    /// UTF-8, with or without byte order mark
    #[default]
    #[value(name = "utf-8", alias = "utf8")]
    Utf8,
    /// Windows-1252 (Western European, "ANSI")
    #[value(name = "windows-1252", alias = "cp1252")]
    Windows1252,
}

impl Encoding {
    /// A value as UTF-8. In a UTF-8 file the bytes as they are, valid or not.
    pub(crate) fn decode(self, value: &[u8]) -> Cow<'_, [u8]> {
        if self == Self::Utf8 || value.is_ascii() {
            return Cow::Borrowed(value);
        }
        match WINDOWS_1252.decode_without_bom_handling(value).0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    /// A value in this encoding.
    ///
    /// # Errors
    /// [`Reason::Unencodable`] where a character has no place in the encoding, or what should be text is none.
    pub(crate) fn encode(self, value: &[u8]) -> Result<Cow<'_, [u8]>, Reason> {
        if self == Self::Utf8 || value.is_ascii() {
            return Ok(Cow::Borrowed(value));
        }
        let text = std::str::from_utf8(value).map_err(|_| Reason::Unencodable)?;
        let (encoded, _, lossy) = WINDOWS_1252.encode(text);
        if lossy {
            Err(Reason::Unencodable)
        } else {
            Ok(encoded)
        }
    }
}

/// The character between values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Delimiter(pub(crate) u8);

impl FromStr for Delimiter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Self(b'\t')),
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(Self(*byte)),
            _ => Err("a delimiter is one ASCII character other than a quote, or the word tab"),
        }
    }
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dialect {
    /// Between values.
    pub(crate) delimiter: u8,
    /// Whether the file begins with [`BOM`].
    pub(crate) bom: bool,
}

/// Looks at the first line. Returns the dialect and the input after the byte order mark.
///
/// # Errors
/// Those of reading; [`io::ErrorKind::InvalidData`] for UTF-16, which is not text in either encoding.
pub(crate) fn detect<R: Read>(
    mut input: R,
    given: Option<Delimiter>,
) -> io::Result<(Dialect, impl Read)> {
    let mut head = Vec::new();
    while first_line(&head).is_none() && head.len() < MAX_HEADER {
        let wanted = (head.len() as u64).max(8 << 10);
        if input.by_ref().take(wanted).read_to_end(&mut head)? == 0 {
            break;
        }
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "this is UTF-16; save it as UTF-8 (CSV UTF-8)",
        ));
    }
    let bom = head.starts_with(BOM);
    if bom {
        head.drain(..BOM.len());
    }
    let line = first_line(&head).unwrap_or(&head);
    let delimiter = given.map_or_else(|| most_frequent(line), |delimiter| delimiter.0);
    Ok((Dialect { delimiter, bom }, Cursor::new(head).chain(input)))
}

/// Up to the first line feed outside quotes that has something before it.
fn first_line(head: &[u8]) -> Option<&[u8]> {
    let start = head
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let mut quoted = false;
    let end = head[start..].iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b'\n' && !quoted
    })?;
    Some(&head[start..start + end])
}

fn most_frequent(line: &[u8]) -> u8 {
    let count = |delimiter: u8| {
        let mut quoted = false;
        let outside = line.iter().filter(|byte| {
            quoted ^= **byte == b'"';
            **byte == delimiter && !quoted
        });
        outside.count()
    };
    // `max_by_key` gives the last of equals.
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| count(*delimiter))
        .unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(text: &[u8]) -> (Dialect, Vec<u8>) {
        let (dialect, mut rest) = detect(text, None).expect("readable");
        let mut all = Vec::new();
        rest.read_to_end(&mut all).expect("readable");
        (dialect, all)
    }

    #[test]
    fn the_delimiter_is_the_most_frequent_one_of_the_header_line() {
        for (text, delimiter) in [
            ("a,b\n1;2;3;4\n", b','),
            ("a;b;\"c,d,e,f\"\n", b';'),
            ("a\tb\n", b'\t'),
            ("a|b,c|d\r\n", b'|'),
            ("alone\n", b','),
            ("a,b;c\n", b','),
            ("", b','),
            ("\n\r\na;b\n", b';'),
            ("\"x\ny\";b\n,,,,", b';'),
        ] {
            assert_eq!(detected(text.as_bytes()).0.delimiter, delimiter, "{text}");
        }
    }

    #[test]
    fn the_byte_order_mark_is_taken_off_and_nothing_else() {
        assert_eq!(
            detected(b"\xef\xbb\xbfa,b\n"),
            (
                Dialect {
                    delimiter: b',',
                    bom: true
                },
                b"a,b\n".to_vec()
            )
        );
        assert_eq!(
            detected(b"\xef\xbb"),
            (
                Dialect {
                    delimiter: b',',
                    bom: false
                },
                b"\xef\xbb".to_vec()
            )
        );
        let long = [b"a,b\n".to_vec(), vec![b'x'; 100_000]].concat();
        assert_eq!(detected(&long).1, long);
    }

    #[test]
    fn utf_16_is_refused() {
        assert!(detect(&b"\xff\xfea\0,\0"[..], None).is_err());
    }

    #[test]
    fn windows_1252_goes_there_and_back() {
        let encoding = Encoding::Windows1252;
        assert_eq!(
            encoding.decode(b"Andr\xe9 \x80").as_ref(),
            "André €".as_bytes()
        );
        assert_eq!(
            encoding
                .encode("André €".as_bytes())
                .expect("has a place")
                .as_ref(),
            b"Andr\xe9 \x80"
        );
        assert_eq!(
            encoding.encode("Łódź".as_bytes()).err(),
            Some(Reason::Unencodable)
        );
        assert_eq!(Encoding::Utf8.decode(b"\xff").as_ref(), b"\xff");
    }

    #[test]
    fn a_delimiter_is_one_character() {
        assert_eq!("tab".parse(), Ok(Delimiter(b'\t')));
        assert_eq!(";".parse(), Ok(Delimiter(b';')));
        for bad in ["", "\"", ";;", "é", "\n"] {
            assert!(bad.parse::<Delimiter>().is_err(), "{bad}");
        }
    }
}
