//! What may stand outside blocks, and what is recognised there.
//!
//! A line outside a block is accepted as a comment if it is readable text and can be neither the first nor the last line of
//! a damaged block nor a line of base64 that lost its first line.

use super::PemError;

/// A line of base64 is at least this long where its block has more than one line; shorter words are text.
const LEAST_BASE64: usize = 40;

/// Words that labels are made of: with BEGIN or END before one of them, a line is meant to be part of a block.
const LABEL_WORDS: [&str; 6] = ["CERTIFICATE", "CRL", "KEY", "PKCS7", "CMS", "PARAMETERS"];

/// Refuses files that are no text in ASCII or UTF-8, and says what they are.
pub(super) fn must_be_text(content: &[u8]) -> Result<(), PemError> {
    let seen = match content {
        [] => "the file is empty",
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16; save it as plain text (ASCII)",
        [0x1f, 0x8b, ..] => "the file is compressed (gzip)",
        [0x30, length, rest @ ..] if *length >= 0x80 => binary(rest),
        _ if content.iter().all(u8::is_ascii_whitespace) => "the file is empty",
        _ if content.contains(&0) => "the file holds zero bytes: UTF-16 or a binary file, not PEM",
        _ => return Ok(()),
    };
    Err(PemError::whole(seen))
}

/// A DER file of at least 128 bytes; `rest` is what follows the first two.
fn binary(rest: &[u8]) -> &'static str {
    // PFX ::= SEQUENCE { version INTEGER (3), ... } (RFC 7292, section 4); up to four bytes of length stand before it.
    let start = &rest[..rest.len().min(7)];
    if start.windows(3).any(|bytes| bytes == [2, 1, 3]) {
        "the file is PKCS#12; unpack it with: openssl pkcs12 -nodes"
    } else {
        "the file is DER, not PEM; convert it with: openssl x509 -inform der, openssl crl -inform der or openssl pkey -inform der"
    }
}

/// The name of the block that this line begins; `None` for a comment.
pub(super) fn begins(line: &[u8], number: usize) -> Result<Option<&str>, PemError> {
    if let Some(name) = begin_line(line.trim_ascii_end()) {
        return Ok(Some(name));
    }
    match objection(line) {
        None => Ok(None),
        Some(seen) => Err(PemError::at(number, seen)),
    }
}

/// The name in `-----BEGIN NAME-----`.
pub(super) fn begin_line(line: &[u8]) -> Option<&str> {
    name_in(line, b"-----BEGIN ")
}

/// The name in `-----END NAME-----`.
pub(super) fn end_line(line: &[u8]) -> Option<&str> {
    name_in(line, b"-----END ")
}

fn name_in<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a str> {
    let name = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    let good = name
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ');
    let name = Some(name).filter(|name| good && !name.is_empty());
    std::str::from_utf8(name?).ok()
}

/// Why a line outside blocks is not accepted as a comment.
fn objection(line: &[u8]) -> Option<&'static str> {
    if line.windows(3).any(|bytes| bytes == [0xef, 0xbb, 0xbf]) {
        return Some("a byte order mark (EF BB BF); save the file without it");
    }
    if line.contains(&b'\r') {
        return Some("line ends of CR only; save the file with LF or CRLF");
    }
    let Ok(text) = std::str::from_utf8(line) else {
        return Some("text outside a block that is not UTF-8");
    };
    if text.chars().any(is_invisible) {
        return Some("an invisible or control character outside a block");
    }
    if is_meant_as_a_block(text) {
        let trimmed = text.trim_start();
        return Some(
            if trimmed.len() < text.len() && trimmed.starts_with("-----") {
                "spaces before -----BEGIN or -----END"
            } else if end_line(line.trim_ascii_end()).is_some() {
                "an END line without its BEGIN line"
            } else {
                "meant to begin or end a block, but not of the form -----BEGIN NAME----- or -----END NAME-----"
            },
        );
    }
    if is_base64(line.trim_ascii()) {
        return Some("base64 outside a block: its BEGIN line is missing");
    }
    None
}

fn is_invisible(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a line has the word BEGIN or END, with dashes or a word of a label beside it.
fn is_meant_as_a_block(text: &str) -> bool {
    let upper = text.to_uppercase();
    let mut words = upper
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let says_begin_or_end = words.clone().any(|word| word == "BEGIN" || word == "END");
    let dashes = upper
        .chars()
        .filter(|c| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}'))
        .count();
    says_begin_or_end && (dashes > 1 || words.any(|word| LABEL_WORDS.contains(&word)))
}

fn is_base64(text: &[u8]) -> bool {
    let symbols = text.iter().rposition(|byte| *byte != b'=');
    let (body, padding) = text.split_at(symbols.map_or(0, |last| last + 1));
    let symbols_only = body
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte));
    symbols_only && body.len() >= LEAST_BASE64 && padding.len() <= 2
}
