//! A CSV reader that hands out records in place: no copy and no allocation per value.
//!
//! RFC 4180 with any one-byte delimiter and lines ending in LF or CRLF. Strict where being lenient could let a row slip
//! into a value and so past its treatment: a quoted value must end, nothing may follow its closing quote, and every
//! record has as many fields as the first. A quote inside an unquoted value is an ordinary character.
//!
//! No line is skipped, or the rows below it would move up. In a file of one column an empty line is a record with a
//! missing value. In a file of several columns it holds no record and is handed out as [`Record::is_blank`].
//!
//! Files that were joined (a byte order mark or the header line comes again) and files with NUL bytes are refused.

use std::io::{self, Read};
use std::ops::Range;

use sluis_client::Zeroizing;

use self::joined::Header;
use super::BOM;
use crate::formats::FormatError;

mod joined;

/// Largest record in bytes: more is taken for a quote that was never closed.
pub(crate) const MAX_RECORD: usize = 16 << 20;
/// First size of the buffer.
const BUFFER: usize = 256 << 10;

/// What is wrong with the input. Carries no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CsvError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("line {line}: {found} fields, where the header line has {expected}")]
    Ragged {
        line: u64,
        found: usize,
        expected: usize,
    },
    #[error("line {line}: a quoted value that begins here or in this record does not end")]
    UnclosedQuote { line: u64 },
    #[error(
        "line {line}: text after the closing quote of a value; a quote inside a quoted value is written twice"
    )]
    TextAfterQuote { line: u64 },
    #[error(
        "line {line}: a carriage return that does not end a line; quote the value or convert the line endings"
    )]
    BareCarriageReturn { line: u64 },
    #[error("line {line}: the record is over 16 MiB; is a quote missing?")]
    TooLong { line: u64 },
    #[error(
        "line {line}: a byte order mark inside the file; were two files joined? Take the mark out, and the second header \
         line with it"
    )]
    MarkInside { line: u64 },
    #[error("line {line}: the header line comes again; were two files joined? Take it out")]
    HeaderAgain { line: u64 },
    #[error(
        "line {line} is empty; the output has one column, where an empty line is a row; take it out"
    )]
    EmptyLine { line: u64 },
    #[error("line {line}: a NUL byte; this is not text, or the file was damaged")]
    Nul { line: u64 },
    #[error(
        "line {line}: the file ends with the end-of-file mark of DOS (byte 1A hexadecimal); take it out"
    )]
    DosEnd { line: u64 },
    #[error("{0}")]
    NotCsv(String),
}

impl From<CsvError> for FormatError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::Io(source) => Self::Io(source),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// What DOS programs put at the end of a text.
const DOS_END: u8 = 0x1a;

/// Reads records from `input`.
pub(crate) struct CsvReader<R> {
    input: R,
    delimiter: u8,
    /// Wiped when it is dropped.
    buffer: Zeroizing<Vec<u8>>,
    /// What is read and not yet handed out.
    ready: Range<usize>,
    ended: bool,
    /// Line at which the next record begins, from 1.
    line: u64,
    /// Bytes handed out.
    consumed: u64,
    fields: Vec<Field>,
    /// Line of the record that was handed out last.
    record_line: u64,
    /// Where its terminator is in the buffer.
    record_end: Range<usize>,
    expected: Option<usize>,
    header: Header,
}

/// Where a field is in the buffer, quotes included.
#[derive(Clone)]
struct Field {
    raw: Range<usize>,
    quoted: bool,
}

/// One record, in the reader's buffer.
pub(crate) struct Record<'a> {
    /// Line at which it begins, from 1.
    pub(crate) line: u64,
    /// How its line ended: `\n`, `\r\n`, or nothing at the end of the input.
    pub(crate) terminator: &'a [u8],
    buffer: &'a [u8],
    fields: &'a [Field],
}

/// How scanning one record went.
enum Scan {
    /// The record's fields are in `fields`; `end` is after its last field, `next` after its terminator.
    Record { end: usize, next: usize, lines: u64 },
    /// The buffer ends before the record does.
    NeedMore,
}

impl<R: Read> CsvReader<R> {
    /// A reader whose first record says how many fields all have.
    pub(crate) fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            delimiter,
            buffer: Zeroizing::new(vec![0; BUFFER]),
            ready: 0..0,
            ended: false,
            line: 1,
            consumed: 0,
            fields: Vec::new(),
            record_line: 1,
            record_end: 0..0,
            expected: None,
            header: Header::default(),
        }
    }

    /// The input begins after so many lines of its file.
    pub(crate) fn skip_lines(&mut self, lines: u64) {
        self.line += lines;
    }

    /// From now on a record that repeats this header line is refused. `raw`: the header fields as they stand in the input.
    pub(crate) fn refuse_again(&mut self, raw: &[Vec<u8>]) {
        self.header = Header::new(raw);
    }

    /// Bytes of all records so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next record; `None` at the end of the input.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, CsvError> {
        loop {
            if self.ready.is_empty() && self.ended {
                return Ok(None);
            }
            if let Scan::Record { end, next, lines } = self.scan()? {
                return self.hand_out(end, next, lines).map(Some);
            }
            self.fill()?;
        }
    }

    fn hand_out(&mut self, end: usize, next: usize, lines: u64) -> Result<Record<'_>, CsvError> {
        let is_empty = end == self.ready.start;
        if is_empty && self.expected != Some(1) {
            self.fields.clear();
        } else {
            self.check(end, next)?;
        }
        self.consumed += (next - self.ready.start) as u64;
        self.ready.start = next;
        self.record_line = self.line;
        self.record_end = end..next;
        self.line += lines;
        Ok(self.record())
    }

    /// Refuses a record that cannot be one.
    fn check(&mut self, end: usize, next: usize) -> Result<(), CsvError> {
        let line = self.line;
        let text = &self.buffer[self.ready.start..end];
        let has_no_end = end == next;
        if has_no_end && text.last() == Some(&DOS_END) {
            return Err(CsvError::DosEnd { line });
        }
        let expected = *self.expected.get_or_insert(self.fields.len());
        if self.fields.len() != expected {
            return Err(CsvError::Ragged {
                line,
                found: self.fields.len(),
                expected,
            });
        }
        if self.header.is_glued_to(text) {
            return Err(CsvError::MarkInside { line });
        }
        if !self.header.is_repeated_by(&self.buffer, &self.fields) {
            return Ok(());
        }
        Err(match text.starts_with(BOM) {
            true => CsvError::MarkInside { line },
            false => CsvError::HeaderAgain { line },
        })
    }

    fn scan(&mut self) -> Result<Scan, CsvError> {
        self.fields.clear();
        let data = &self.buffer[..self.ready.end];
        let (mut at, mut newlines) = (self.ready.start, 0);
        loop {
            let start = at;
            let quoted = data.get(at) == Some(&b'"');
            if quoted {
                match closing_quote(data, at + 1, &mut newlines) {
                    // At the end of the buffer it may be the first of two.
                    Some(close) if close + 1 < data.len() || self.ended => at = close + 1,
                    None if self.ended => return Err(CsvError::UnclosedQuote { line: self.line }),
                    _ => return Ok(Scan::NeedMore),
                }
            } else {
                at += data[at..]
                    .iter()
                    .take_while(|b| **b != self.delimiter && **b != b'\n' && **b != b'\r')
                    .count();
            }
            self.fields.push(Field {
                raw: start..at,
                quoted,
            });
            match &data[at..] {
                [byte, ..] if *byte == self.delimiter => at += 1,
                [b'\n', ..] => {
                    return Ok(Scan::Record {
                        end: at,
                        next: at + 1,
                        lines: newlines + 1,
                    });
                }
                [b'\r', b'\n', ..] => {
                    return Ok(Scan::Record {
                        end: at,
                        next: at + 2,
                        lines: newlines + 1,
                    });
                }
                [] if self.ended => {
                    return Ok(Scan::Record {
                        end: at,
                        next: at,
                        lines: newlines + 1,
                    });
                }
                [] | [b'\r'] if !self.ended => return Ok(Scan::NeedMore),
                [b'\r', ..] => {
                    return Err(CsvError::BareCarriageReturn {
                        line: self.line + newlines,
                    });
                }
                _ => {
                    return Err(CsvError::TextAfterQuote {
                        line: self.line + newlines,
                    });
                }
            }
        }
    }

    /// Reads more: at least as much again as is ready, so that a long record is not scanned too often.
    fn fill(&mut self) -> Result<(), CsvError> {
        let pending = self.ready.len();
        if pending > MAX_RECORD {
            return Err(CsvError::TooLong { line: self.line });
        }
        self.buffer.copy_within(self.ready.clone(), 0);
        self.ready = 0..pending;
        if self.buffer.len() < 2 * pending + 1 {
            self.buffer.resize(2 * pending + 1, 0);
        }
        while !self.ended && self.ready.end <= 2 * pending {
            match self.input.read(&mut self.buffer[self.ready.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.take_in(read)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl<R> CsvReader<R> {
    /// The record that [`Self::next`] gave last.
    pub(crate) fn record(&self) -> Record<'_> {
        Record {
            line: self.record_line,
            terminator: &self.buffer[self.record_end.clone()],
            buffer: &self.buffer,
            fields: &self.fields,
        }
    }

    /// So many bytes were read behind what was ready.
    fn take_in(&mut self, read: usize) -> Result<(), CsvError> {
        let new = &self.buffer[self.ready.end..self.ready.end + read];
        if new.contains(&0) {
            let text = &self.buffer[self.ready.start..self.ready.end + read];
            let before = text.iter().take_while(|byte| **byte != 0);
            let lines = before.filter(|byte| **byte == b'\n').count() as u64;
            return Err(CsvError::Nul {
                line: self.line + lines,
            });
        }
        self.ready.end += read;
        Ok(())
    }
}

/// The position of the quote that ends a quoted value; counts the line feeds before it.
fn closing_quote(data: &[u8], mut at: usize, newlines: &mut u64) -> Option<usize> {
    loop {
        match data.get(at)? {
            b'"' if data.get(at + 1) == Some(&b'"') => at += 2,
            b'"' => return Some(at),
            b'\n' => {
                *newlines += 1;
                at += 1;
            }
            _ => at += 1,
        }
    }
}

impl<'a> Record<'a> {
    /// Whether the line begins with a byte order mark: as in a file that was joined to another.
    pub(crate) fn has_mark(&self) -> bool {
        !self.is_blank() && self.raw(0).starts_with(BOM)
    }

    /// Whether this is an empty line of a file of several columns: no record.
    pub(crate) fn is_blank(&self) -> bool {
        self.fields.is_empty()
    }

    /// Number of fields.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field as it stands in the input, quotes included.
    pub(crate) fn raw(&self, field: usize) -> &'a [u8] {
        &self.buffer[self.fields[field].raw.clone()]
    }

    /// Fields as they stand in the input, with what is between them.
    pub(crate) fn raw_fields(&self, fields: Range<usize>) -> &'a [u8] {
        let fields = &self.fields[fields];
        let (Some(first), Some(last)) = (fields.first(), fields.last()) else {
            return b"";
        };
        &self.buffer[first.raw.start..last.raw.end]
    }

    /// The value of a field. `scratch` is used where quotes are written twice.
    pub(crate) fn value<'s>(&self, field: usize, scratch: &'s mut Vec<u8>) -> &'s [u8]
    where
        'a: 's,
    {
        let raw = self.raw(field);
        if !self.fields[field].quoted {
            return raw;
        }
        let inner = &raw[1..raw.len() - 1];
        if !inner.contains(&b'"') {
            return inner;
        }
        scratch.clear();
        let mut quotes = 0;
        for byte in inner {
            quotes = if *byte == b'"' { quotes + 1 } else { 0 };
            if quotes % 2 == 0 || *byte != b'"' {
                scratch.push(*byte);
            }
        }
        scratch
    }
}

#[cfg(test)]
mod tests;
