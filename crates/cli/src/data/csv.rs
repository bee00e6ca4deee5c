//! A CSV reader that hands out records in place: no copy and no allocation per value.
//!
//! RFC 4180 with any one-byte delimiter, lines ending in LF or CRLF, and lines without any byte skipped. Strict where
//! being lenient could let a row slip into a value and so past its treatment: a quoted value must end, nothing may
//! follow its closing quote, and every record has as many fields as the first. A quote inside an unquoted value is an
//! ordinary character.

use std::io::{self, Read};
use std::ops::Range;

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
}

/// Reads records from `input`.
pub(crate) struct CsvReader<R> {
    input: R,
    delimiter: u8,
    buffer: Vec<u8>,
    /// What is read and not yet handed out.
    ready: Range<usize>,
    ended: bool,
    /// Line at which the next record begins, from 1.
    line: u64,
    /// Bytes handed out.
    consumed: u64,
    fields: Vec<Field>,
    expected: Option<usize>,
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
            buffer: vec![0; BUFFER],
            ready: 0..0,
            ended: false,
            line: 1,
            consumed: 0,
            fields: Vec::new(),
            expected: None,
        }
    }

    /// Bytes of all records so far.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The next record; `None` at the end of the input.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, CsvError> {
        loop {
            self.skip_empty_lines();
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
        let line = self.line;
        let expected = *self.expected.get_or_insert(self.fields.len());
        if self.fields.len() != expected {
            return Err(CsvError::Ragged {
                line,
                found: self.fields.len(),
                expected,
            });
        }
        self.consumed += (next - self.ready.start) as u64;
        self.ready.start = next;
        self.line += lines;
        Ok(Record {
            line,
            terminator: &self.buffer[end..next],
            buffer: &self.buffer,
            fields: &self.fields,
        })
    }

    fn skip_empty_lines(&mut self) {
        loop {
            let length = match &self.buffer[self.ready.clone()] {
                [b'\n', ..] => 1,
                [b'\r', b'\n', ..] => 2,
                _ => return,
            };
            self.ready.start += length;
            self.consumed += length as u64;
            self.line += 1;
        }
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
                Ok(read) => self.ready.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
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
    /// Number of fields.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field as it stands in the input, quotes included.
    pub(crate) fn raw(&self, field: usize) -> &'a [u8] {
        &self.buffer[self.fields[field].raw.clone()]
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

/// Appends a value, in quotes if it needs them.
pub(crate) fn write_value(value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    if !value
        .iter()
        .any(|byte| *byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n'))
    {
        out.extend_from_slice(value);
        return;
    }
    out.push(b'"');
    for byte in value {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests;
