//! How a CSV file is written: delimiter, encoding, byte order mark. The output is written in the same way.

use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::str::FromStr;

use clap::ValueEnum;
use encoding_rs::WINDOWS_1252;
use sluis_client::Zeroizing;
use sluis_domain::Reason;

use super::CsvError;
use crate::file_kind;

/// The mark some programs put before UTF-8 text.
pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";
/// The delimiters that are looked for; of two that are equally frequent, the first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// How far a header line is looked for.
const MAX_HEADER: usize = 1 << 20;

/// Bytes that stand for nothing in Windows-1252.
const UNUSED_IN_WINDOWS_1252: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

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
    ///
    /// # Errors
    /// [`Reason::WrongEncoding`] for what cannot be Windows-1252, or is UTF-8 as well: read as Windows-1252, `é` would be
    /// `Ã©`, and another person.
    pub(crate) fn decode(self, value: &[u8]) -> Result<Cow<'_, [u8]>, Reason> {
        if self == Self::Utf8 || value.is_ascii() {
            return Ok(Cow::Borrowed(value));
        }
        let is_unused = value
            .iter()
            .any(|byte| UNUSED_IN_WINDOWS_1252.contains(byte));
        if is_unused || std::str::from_utf8(value).is_ok() {
            return Err(Reason::WrongEncoding);
        }
        Ok(match WINDOWS_1252.decode_without_bom_handling(value).0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// The same; `scratch` is used where the bytes are others.
    pub(crate) fn decode_into<'v>(
        self,
        value: &'v [u8],
        scratch: &'v mut Vec<u8>,
    ) -> Result<&'v [u8], Reason> {
        Ok(match self.decode(value)? {
            Cow::Borrowed(value) => value,
            Cow::Owned(value) => {
                *scratch = value;
                scratch
            }
        })
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Dialect {
    /// Between values.
    pub(crate) delimiter: u8,
    /// What stands before the header line: a byte order mark and empty lines, or nothing.
    pub(crate) prefix: Vec<u8>,
    /// How many empty lines that are.
    pub(crate) blank_lines: u64,
}

/// Looks at the first line. Returns the dialect and the input from the header line on.
///
/// # Errors
/// Those of reading; [`CsvError::NotCsv`] for what is no CSV file, or not in this encoding.
pub(crate) fn detect<R: Read>(
    mut input: R,
    given: Option<Delimiter>,
    encoding: Encoding,
) -> Result<(Dialect, impl Read), CsvError> {
    // Wiped when it is dropped; large enough for nearly all, so that growing leaves no copies behind.
    let mut head = Zeroizing::new(Vec::with_capacity(32 << 10));
    while first_line(&head).is_none() && head.len() < MAX_HEADER {
        let wanted = (head.len() as u64).max(8 << 10);
        if input.by_ref().take(wanted).read_to_end(&mut head)? == 0 {
            break;
        }
    }
    if let Some(kind) = file_kind::recognise(&head) {
        return Err(CsvError::NotCsv(kind.to_string()));
    }
    let mark = if head.starts_with(BOM) { BOM.len() } else { 0 };
    if mark > 0 && encoding != Encoding::Utf8 {
        return Err(CsvError::NotCsv(
            "the file begins with the byte order mark of UTF-8, and --encoding says windows-1252; leave --encoding out"
                .to_owned(),
        ));
    }
    let blank = blank_start(&head[mark..]);
    let prefix: Vec<u8> = head.drain(..mark + blank).collect();
    let line = first_line(&head).unwrap_or(&head);
    if line.to_ascii_lowercase().starts_with(b"sep=") && line.len() <= 6 {
        return Err(CsvError::NotCsv(
            "the first line is Excel's sep= line; take it out (tail -n +2) and say --delimiter"
                .to_owned(),
        ));
    }
    let dialect = Dialect {
        delimiter: given.map_or_else(|| most_frequent(line), |delimiter| delimiter.0),
        blank_lines: prefix.iter().filter(|byte| **byte == b'\n').count() as u64,
        prefix,
    };
    Ok((dialect, Cursor::new(head).chain(input)))
}

/// Length of the empty lines at the start.
fn blank_start(head: &[u8]) -> usize {
    let mut length = 0;
    loop {
        length += match &head[length..] {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return length,
        };
    }
}

/// Up to the first line feed outside quotes that has something before it.
fn first_line(head: &[u8]) -> Option<&[u8]> {
    let start = head
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let line = &head[start..];
    let (end, _) = outside_quotes(line).find(|(_, byte)| *byte == b'\n')?;
    Some(&line[..end])
}

/// The bytes outside quoted values, with their places. A quote opens a value only where a value begins: `5" pipe` is none.
fn outside_quotes(line: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let mut quoted = false;
    let mut starts = true;
    line.iter().enumerate().filter_map(move |(at, byte)| {
        let is_quote = *byte == b'"';
        // After a closing quote a second one goes on with the value.
        let closes = is_quote && quoted;
        quoted ^= closes || (is_quote && starts);
        starts = closes || DELIMITERS.contains(byte) || *byte == b'\n';
        (!quoted).then_some((at, *byte))
    })
}

fn most_frequent(line: &[u8]) -> u8 {
    // `max_by_key` gives the last of equals.
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(|delimiter| {
            outside_quotes(line)
                .filter(|(_, byte)| byte == delimiter)
                .count()
        })
        .unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(text: &[u8]) -> (Dialect, Vec<u8>) {
        let (dialect, mut rest) = detect(text, None, Encoding::Utf8).expect("readable");
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
            ("5\" pipe;b\n\",,,,\"\n", b';'),
            ("\"x\"\",,\";b\n", b';'),
        ] {
            assert_eq!(detected(text.as_bytes()).0.delimiter, delimiter, "{text}");
        }
    }

    #[test]
    fn what_stands_before_the_header_line_is_kept_for_the_output() {
        let prefix = |text: &[u8]| {
            let (dialect, rest) = detected(text);
            (dialect.prefix, dialect.blank_lines, rest)
        };
        let parts = |prefix: &[u8], lines, rest: &[u8]| (prefix.to_vec(), lines, rest.to_vec());
        assert_eq!(prefix(b"\xef\xbb\xbfa,b\n"), parts(BOM, 0, b"a,b\n"));
        assert_eq!(
            prefix(b"\xef\xbb\xbf\"a\",b\n"),
            parts(BOM, 0, b"\"a\",b\n")
        );
        assert_eq!(
            prefix(b"\xef\xbb\xbf\r\n\na\n"),
            parts(b"\xef\xbb\xbf\r\n\n", 2, b"a\n")
        );
        assert_eq!(prefix(b"\xef\xbb"), parts(b"", 0, b"\xef\xbb"));
        let long = [b"a,b\n".to_vec(), vec![b'x'; 100_000]].concat();
        assert_eq!(detected(&long).1, long);
    }

    fn refused(text: &[u8], encoding: Encoding) -> String {
        match detect(text, None, encoding) {
            Err(CsvError::NotCsv(message)) => message,
            _ => panic!("{text:?} is not refused"),
        }
    }

    #[test]
    fn a_mark_that_contradicts_the_encoding_is_refused_both_ways() {
        let windows = Encoding::Windows1252;
        assert!(refused(b"\xef\xbb\xbfname\n", windows).contains("leave --encoding out"));
        for encoding in [Encoding::Utf8, windows] {
            assert!(refused(b"\xff\xfen\0\n\0", encoding).contains("UTF-16"));
            assert!(refused(b"\xfe\xff\0n\0\n", encoding).contains("UTF-16"));
            assert!(refused(b"n\0a\0\n\0", encoding).contains("UTF-16"));
        }
        assert!(refused(b"sep=;\r\na;b\r\n", Encoding::Utf8).contains("sep="));
    }

    #[test]
    fn what_cannot_be_windows_1252_is_not_read_as_such() {
        for value in ["Zo\u{eb}", "\u{20ac}", "\u{c1}"] {
            let decoded = Encoding::Windows1252.decode(value.as_bytes());
            assert_eq!(decoded.err(), Some(Reason::WrongEncoding), "{value}");
        }
        let unused = Encoding::Windows1252.decode(b"x\x81");
        assert_eq!(unused.err(), Some(Reason::WrongEncoding));
    }

    #[test]
    fn windows_1252_goes_there_and_back() {
        let encoding = Encoding::Windows1252;
        assert_eq!(
            encoding.decode(b"Andr\xe9 \x80").as_deref(),
            Ok("André €".as_bytes())
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
        assert_eq!(Encoding::Utf8.decode(b"\xff").as_deref(), Ok(&b"\xff"[..]));
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
