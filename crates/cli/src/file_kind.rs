//! What a file is that should have been text: told by its first bytes, and named with the way out.

use std::fmt;
use std::path::Path;

use crate::error::CliError;

/// A kind of file that no command reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FileKind {
    name: &'static str,
    way_out: &'static str,
}

/// "this is a gzip file; unpack it first (zcat)".
impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is {}; {}", self.name, self.way_out)
    }
}

const fn kind(name: &'static str, way_out: &'static str) -> FileKind {
    FileKind { name, way_out }
}

const SPREADSHEET: &str = "save the sheet as \"CSV UTF-8\" and use that file";
const TABLE: &str = "write it as a CSV file (UTF-8) and use that";
const NO_TABLE: &str = "it is not the file you mean";

const XLSX: FileKind = kind("an Excel workbook (.xlsx)", SPREADSHEET);
const ODS: FileKind = kind("an OpenDocument spreadsheet (.ods)", SPREADSHEET);
const OFFICE: FileKind = kind("an Office document", SPREADSHEET);
const ZIP: FileKind = kind("a ZIP archive", "unpack it first (unzip)");
const TAR: FileKind = kind("a tar archive", "unpack it first (tar -xf)");
const JSON: FileKind = kind("JSON", TABLE);
const HTML: FileKind = kind("HTML (some programs call such a file .xls)", SPREADSHEET);
const SQL: FileKind = kind("an SQL script", TABLE);
const XML: FileKind = kind("XML", SPREADSHEET);
const UTF_16_LE: FileKind = kind(
    "UTF-16 without a byte order mark",
    "save it as UTF-8 (\"CSV UTF-8\"), or iconv -f UTF-16LE -t UTF-8",
);
const UTF_16_BE: FileKind = kind(
    "UTF-16 without a byte order mark",
    "save it as UTF-8 (\"CSV UTF-8\"), or iconv -f UTF-16BE -t UTF-8",
);

/// First bytes that no text has. The longer of two that begin alike comes first.
const FIRST_BYTES: &[(&[u8], FileKind)] = &[
    (
        b"\xff\xfe\0\0",
        kind("UTF-32", "save it as UTF-8, or iconv -f UTF-32 -t UTF-8"),
    ),
    (
        b"\0\0\xfe\xff",
        kind("UTF-32", "save it as UTF-8, or iconv -f UTF-32 -t UTF-8"),
    ),
    (
        b"\xff\xfe",
        kind(
            "UTF-16",
            "save it as UTF-8 (\"CSV UTF-8\"), or iconv -f UTF-16 -t UTF-8",
        ),
    ),
    (
        b"\xfe\xff",
        kind(
            "UTF-16",
            "save it as UTF-8 (\"CSV UTF-8\"), or iconv -f UTF-16 -t UTF-8",
        ),
    ),
    (
        b"+/v8",
        kind("UTF-7", "save it as UTF-8, or iconv -f UTF-7 -t UTF-8"),
    ),
    (
        b"\x84\x31\x95\x33",
        kind("GB 18030", "save it as UTF-8, or iconv -f GB18030 -t UTF-8"),
    ),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        kind(
            "an old Excel workbook (.xls) or another old Office document",
            SPREADSHEET,
        ),
    ),
    (
        b"\x09\x08\x10\0",
        kind("an old Excel workbook (.xls)", SPREADSHEET),
    ),
    (
        b"\x09\x08\x08\0",
        kind("an old Excel workbook (.xls)", SPREADSHEET),
    ),
    (
        b"\x09\x04\x06\0",
        kind("an old Excel workbook (.xls)", SPREADSHEET),
    ),
    (b"ID;PWXL", kind("a SYLK spreadsheet (.slk)", SPREADSHEET)),
    (
        b"\x1f\x8b",
        kind("a gzip file", "unpack it first: zcat FILE | sluis ... -"),
    ),
    (
        b"\x1f\x9d",
        kind("a compressed file (.Z)", "unpack it first (uncompress)"),
    ),
    (
        b"\x28\xb5\x2f\xfd",
        kind(
            "a Zstandard file",
            "unpack it first: zstdcat FILE | sluis ... -",
        ),
    ),
    (
        b"\xfd7zXZ\0",
        kind("an xz file", "unpack it first: xzcat FILE | sluis ... -"),
    ),
    (
        b"\x04\x22\x4d\x18",
        kind("an LZ4 file", "unpack it first: lz4cat FILE | sluis ... -"),
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        kind("a 7-Zip archive", "unpack it first (7z x)"),
    ),
    (b"Rar!\x1a\x07", kind("a RAR archive", "unpack it first")),
    (b"ARROW1\0\0", kind("an Arrow (Feather) file", TABLE)),
    (b"\xff\xff\xff\xff", kind("an Arrow stream", TABLE)),
    (b"Obj\x01", kind("an Avro file", TABLE)),
    (b"SQLite format 3\0", kind("an SQLite database", TABLE)),
    (b"\0\x01\0\0Standard ", kind("an Access database", TABLE)),
    (b"PGCOPY\n\xff", kind("a binary PostgreSQL copy", TABLE)),
    (b"\x89HDF", kind("an HDF5 file", TABLE)),
    (b"<stata_dta>", kind("a Stata file (.dta)", TABLE)),
    (
        b"HEADER RECORD*******LIBRARY",
        kind("a SAS transport file (.xpt)", TABLE),
    ),
    (
        b"\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60",
        kind("a SAS data set (.sas7bdat)", TABLE),
    ),
    (b"\x93NUMPY", kind("a NumPy file", TABLE)),
    (b"%PDF-", kind("a PDF document", TABLE)),
    (b"%!PS", kind("a PostScript document", TABLE)),
    (b"{\\rtf", kind("an RTF document", TABLE)),
    (b"\x89PNG\r\n", kind("a picture (PNG)", NO_TABLE)),
    (b"\xff\xd8\xff", kind("a picture (JPEG)", NO_TABLE)),
    (b"\x7fELF", kind("a program", NO_TABLE)),
    (
        b"-----BEGIN PGP",
        kind("a file encrypted or signed with PGP", "decrypt it first"),
    ),
    (
        b"\x85\x01",
        kind("a file encrypted with PGP", "decrypt it first"),
    ),
    (
        b"\x84\x01",
        kind("a file encrypted with PGP", "decrypt it first"),
    ),
    (
        b"age-encryption.org/",
        kind("a file encrypted with age", "decrypt it first"),
    ),
    (
        b"Salted__",
        kind("a file encrypted with OpenSSL", "decrypt it first"),
    ),
    (
        b"-----BEGIN ",
        kind("a PEM file: a certificate or a key", NO_TABLE),
    ),
];

/// First bytes that a header line may have too: they count only if control characters follow.
const LIKE_TEXT: &[(&[u8], FileKind)] = &[
    (
        b"BZh",
        kind("a bzip2 file", "unpack it first: bzcat FILE | sluis ... -"),
    ),
    (b"PAR1", kind("a Parquet file", TABLE)),
    (b"PARE", kind("an encrypted Parquet file", TABLE)),
    (b"ORC", kind("an ORC file", TABLE)),
    (b"FEA1", kind("a Feather file", TABLE)),
    (b"PGDMP", kind("a PostgreSQL dump", TABLE)),
    (b"$FL2", kind("an SPSS file (.sav)", TABLE)),
    (b"$FL3", kind("an SPSS file (.zsav)", TABLE)),
    (b"RDX", kind("an R data file", TABLE)),
    (b"GIF8", kind("a picture (GIF)", NO_TABLE)),
];

/// How texts begin that are no table; in small letters.
const TEXTS: &[(&str, FileKind)] = &[
    ("<!doctype html", HTML),
    ("<html", HTML),
    ("<head", HTML),
    ("<body", HTML),
    ("<meta", HTML),
    ("<table", HTML),
    ("<?xml", XML),
    ("<workbook", XML),
    ("-- mysql dump", SQL),
    ("-- postgresql", SQL),
    ("--\n-- postgresql", SQL),
    ("insert into ", SQL),
    ("create table ", SQL),
];

/// What the file is, if it is certainly no text, or text that is no table. `head`: its first bytes, some hundred if it has
/// as many.
pub(crate) fn recognise(head: &[u8]) -> Option<FileKind> {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(archive(head));
    }
    if let Some(kind) = begins(head, FIRST_BYTES) {
        return Some(kind);
    }
    if has_control(head)
        && let Some(kind) = begins(head, LIKE_TEXT)
    {
        return Some(kind);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(TAR);
    }
    utf_16(head).or_else(|| text(head))
}

fn begins(head: &[u8], table: &[(&[u8], FileKind)]) -> Option<FileKind> {
    let found = table.iter().find(|(bytes, _)| head.starts_with(bytes));
    found.map(|(_, kind)| *kind)
}

/// Refuses the content of a file that should be text, and says what it is.
///
/// # Errors
/// [`CliError::Input`].
pub(crate) fn expect_text(content: &[u8], path: &Path) -> Result<(), CliError> {
    match recognise(content) {
        Some(kind) => Err(CliError::input(format!("{}: {kind}", path.display()))),
        None => Ok(()),
    }
}

/// What a ZIP archive holds, by the names in it.
fn archive(head: &[u8]) -> FileKind {
    if has(head, b"application/vnd.oasis.opendocument.spreadsheet") {
        ODS
    } else if has(head, b"xl/") {
        XLSX
    } else if has(head, b"[Content_Types].xml") || has(head, b"application/vnd.oasis.opendocument")
    {
        OFFICE
    } else {
        ZIP
    }
}

fn has(head: &[u8], name: &[u8]) -> bool {
    head.windows(name.len()).any(|part| part == name)
}

fn has_control(head: &[u8]) -> bool {
    head.iter()
        .take(512)
        .any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

/// UTF-16 without a mark: in Western text nearly every other byte is zero.
fn utf_16(head: &[u8]) -> Option<FileKind> {
    let (mut even, mut odd, mut pairs) = (0, 0, 0);
    for pair in head.chunks_exact(2).take(64) {
        even += usize::from(pair[0] == 0);
        odd += usize::from(pair[1] == 0);
        pairs += 1;
    }
    match pairs {
        0 | 1 => None,
        _ if even == 0 && odd * 4 > pairs * 3 => Some(UTF_16_LE),
        _ if odd == 0 && even * 4 > pairs * 3 => Some(UTF_16_BE),
        _ => None,
    }
}

fn text(head: &[u8]) -> Option<FileKind> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = text.trim_ascii_start();
    let small = text[..text.len().min(64)].to_ascii_lowercase();
    let begun = TEXTS
        .iter()
        .find(|(begin, _)| small.starts_with(begin.as_bytes()));
    if let Some((_, kind)) = begun {
        return Some(*kind);
    }
    let inside = text.get(1..)?.trim_ascii_start().first()?;
    match (text[0], inside) {
        (b'{', b'"' | b'}') | (b'[', b'{' | b'[' | b'"') => Some(JSON),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn named(head: &[u8], name: &str) {
        let kind = recognise(head).expect(name).to_string();
        assert!(kind.contains(name), "{kind}");
    }

    #[test]
    fn files_that_are_no_text_are_named() {
        named(
            b"PK\x03\x04\x14\0\0\0[Content_Types].xml .. xl/workbook.xml",
            ".xlsx",
        );
        named(
            b"PK\x03\x04\x14\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
            ".ods",
        );
        named(b"PK\x03\x04\x14\0\0\0patients.csv", "ZIP");
        named(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", ".xls");
        named(b"\x1f\x8b\x08\0", "zcat");
        named(b"\x28\xb5\x2f\xfd\x04", "Zstandard");
        named(b"PAR1\x15\x04\x15\x10", "Parquet");
        named(b"ORC\x0a\x03", "ORC");
        named(b"%PDF-1.7\n", "PDF");
        named(b"\xff\xfeb\0s\0n\0\n\0", "UTF-16");
        named(b"b\0s\0n\0\r\0\n\0", "UTF-16LE");
        named(b"\0b\0s\0n\0\n", "UTF-16BE");
        named(b"\xff\xfe\0\0b\0\0\0", "UTF-32");
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        named(&tar, "tar");
    }

    #[test]
    fn texts_that_are_no_table_are_named() {
        named(b"[\n  {\"bsn\": \"1\"}]", "JSON");
        named(b"{\"bsn\": \"1\"}\n", "JSON");
        named(b"\xef\xbb\xbf<HTML xmlns:x=\"\">", "HTML");
        named(b"\r\n<table border=1>", "HTML");
        named(b"<?xml version=\"1.0\"?>", "XML");
        named(b"-----BEGIN CERTIFICATE-----", "PEM");
    }

    #[test]
    fn header_lines_that_begin_like_another_kind_of_file_are_header_lines() {
        for head in [
            "ORCID,bsn\n",
            "PAR1,PAR2\n1,2\n",
            "ID;Patient;Pnr\n",
            "BZhealth\tage\n",
            "[bsn],[sex]\n",
            "{bsn},{sex}\n",
            "PK,bsn\n",
            "<18,<65\n",
            "b",
            "",
            "\u{feff}bsn\n1\n",
        ] {
            assert_eq!(recognise(head.as_bytes()), None, "{head}");
        }
    }
}
