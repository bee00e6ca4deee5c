//! CSV files.

mod dialect;
mod reader;

use std::ffi::OsStr;
use std::io::Read;
use std::ops::Range;

use sluis_client::{Spelling, Wanted, Zeroizing};
use sluis_domain::Reason;

use self::dialect::{BOM, Dialect};
pub(crate) use self::dialect::{Delimiter, Encoding, detect};
pub(crate) use self::reader::{CsvError, CsvReader};
use super::{Content, Format, FormatError, Next, Options, RecordSink, RecordSource};

/// It takes any file: what is no CSV file is told by its content.
pub(super) const FORMAT: Format = Format {
    recognises: |_: &[u8], _: &OsStr| true,
    open: |content, options| Ok(Box::new(CsvSource::open(content, options)?)),
};

/// The records of a CSV file with a header line.
pub(crate) struct CsvSource {
    reader: CsvReader<Box<dyn Read + Send>>,
    headers: Vec<String>,
    /// The header fields as they stand in the file, quotes included.
    raw_headers: Vec<Vec<u8>>,
    /// Before the header line: a byte order mark and empty lines, or nothing.
    prefix: Vec<u8>,
    style: Style,
    spelling: Spelling,
    refuses_blank_lines: bool,
    /// Reused for every value: without quotes, as UTF-8, in plain form.
    unquoted: Zeroizing<Vec<u8>>,
    decoded: Zeroizing<Vec<u8>>,
    plain: Zeroizing<Vec<u8>>,
}

/// How rows and values are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Between values.
    pub(crate) delimiter: u8,
    /// At the end of a line.
    pub(crate) terminator: &'static [u8],
    /// Of all text.
    pub(crate) encoding: Encoding,
}

impl CsvSource {
    fn open(content: Content, options: &Options) -> Result<Self, FormatError> {
        let (dialect, rest) = detect(content, options.delimiter, options.encoding)?;
        let Dialect {
            delimiter,
            prefix,
            blank_lines,
        } = dialect;
        let rest: Box<dyn Read + Send> = Box::new(rest);
        let mut reader = CsvReader::new(rest, delimiter);
        reader.skip_lines(blank_lines);
        let record = reader.next()?.filter(|record| !record.is_blank());
        let record = record.ok_or_else(|| malformed("it is empty: there is no header line"))?;
        if record.has_mark() {
            return Err(CsvError::MarkInside { line: 1 }.into());
        }
        let terminator: &[u8] = match record.terminator {
            b"\r\n" => b"\r\n",
            _ => b"\n",
        };
        let columns = 0..record.len();
        let headers = columns
            .clone()
            .map(|field| header(record.value(field, &mut Vec::new()), options.encoding))
            .collect::<Result<_, _>>()?;
        let raw_headers: Vec<_> = columns.map(|field| record.raw(field).to_vec()).collect();
        reader.refuse_again(&raw_headers);
        Ok(Self {
            reader,
            headers,
            raw_headers,
            prefix,
            style: Style {
                delimiter,
                terminator,
                encoding: options.encoding,
            },
            spelling: options.spelling.clone(),
            refuses_blank_lines: false,
            unquoted: Zeroizing::default(),
            decoded: Zeroizing::default(),
            plain: Zeroizing::default(),
        })
    }
}

fn header(value: &[u8], encoding: Encoding) -> Result<String, FormatError> {
    let value = encoding.decode(value).map_err(|_| {
        malformed("the header line is not windows-1252; leave --encoding out if the file is UTF-8")
    })?;
    String::from_utf8(value.into_owned())
        .map_err(|_| malformed("the header line is not UTF-8; try --encoding windows-1252"))
}

fn malformed(what: &str) -> FormatError {
    FormatError::Malformed(what.to_owned())
}

impl RecordSource for CsvSource {
    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn advance(&mut self) -> Result<Option<Next>, FormatError> {
        let Some(record) = self.reader.next()? else {
            return Ok(None);
        };
        let line = record.line;
        if !record.is_blank() {
            return Ok(Some(Next::Record { line }));
        }
        match self.refuses_blank_lines {
            true => Err(CsvError::EmptyLine { line }.into()),
            false => Ok(Some(Next::Blank)),
        }
    }

    fn value(&mut self, column: usize, wanted: Wanted<'_>) -> Result<&[u8], Reason> {
        let record = self.reader.record();
        // Before a value, a byte order mark would make another value of it.
        if column == 0 && wanted.form != sluis_client::Form::Text && record.has_mark() {
            return Err(Reason::InvisibleCharacter);
        }
        let value = record.value(column, &mut self.unquoted);
        let value = self.style.encoding.decode_into(value, &mut self.decoded)?;
        self.spelling.plain(value, wanted, &mut self.plain)
    }

    fn kept(&mut self, columns: Range<usize>) -> &[u8] {
        self.reader.record().raw_fields(columns)
    }

    fn consumed(&self) -> u64 {
        self.reader.consumed()
    }

    fn refuse_blank_lines(&mut self) {
        self.refuses_blank_lines = true;
    }

    fn described(&self) -> String {
        let delimiter = char::from(self.style.delimiter);
        format!("delimiter {delimiter:?}, {:?}", self.style.encoding)
    }

    fn sink(&self, columns: &[usize]) -> Box<dyn RecordSink> {
        let headers = columns.iter().map(|column| &*self.raw_headers[*column]);
        Box::new(CsvSink::new(self.style, &self.prefix, headers))
    }
}

/// Writes a CSV file with a header line.
pub(crate) struct CsvSink {
    style: Style,
    /// Columns of the file.
    columns: usize,
    /// Cells of the row that did not end yet.
    cells: usize,
    text: Vec<u8>,
    /// Length of the rows that ended.
    ended: usize,
}

impl CsvSink {
    /// Begins a file. `headers`: as they stand in the file. `prefix`: what stands before them.
    pub(crate) fn new<'a>(
        style: Style,
        prefix: &[u8],
        headers: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut sink = Self {
            style,
            columns: headers.len(),
            cells: 0,
            text: prefix.to_vec(),
            ended: prefix.len(),
        };
        headers.for_each(|header| sink.kept(header));
        sink.end_row();
        sink
    }

    fn begin_cell(&mut self) {
        if self.cells > 0 {
            self.text.push(self.style.delimiter);
        }
        self.cells += 1;
    }
}

impl RecordSink for CsvSink {
    fn kept(&mut self, cells: &[u8]) {
        self.begin_cell();
        self.text.extend_from_slice(cells);
    }

    fn value(&mut self, value: &[u8]) -> Result<(), Reason> {
        self.begin_cell();
        let value = self.style.encoding.encode(value)?;
        write_value(&value, self.style.delimiter, &mut self.text);
        Ok(())
    }

    fn end_row(&mut self) {
        // Many readers skip a line without any byte.
        if self.columns == 1 && self.text.len() == self.ended {
            self.text.extend_from_slice(b"\"\"");
        }
        self.blank_lines(1);
    }

    fn take_back_row(&mut self) {
        self.text.truncate(self.ended);
        self.cells = 0;
    }

    fn blank_lines(&mut self, lines: usize) {
        for _ in 0..lines {
            self.text.extend_from_slice(self.style.terminator);
        }
        self.ended = self.text.len();
        self.cells = 0;
    }

    fn written(&mut self) -> &[u8] {
        &self.text[..self.ended]
    }

    fn clear(&mut self) {
        self.text.drain(..self.ended);
        self.ended = 0;
    }
}

/// Appends a value, in quotes if it needs them.
pub(crate) fn write_value(value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    let needs_quotes = value
        .iter()
        .any(|byte| *byte == delimiter || matches!(byte, b'"' | b'\r' | b'\n'));
    if !needs_quotes {
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
