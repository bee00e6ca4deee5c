//! Formats of record files: how a file spells names, values and rows.
//!
//! Records go `RecordSource -> treat -> RecordSink`. A source gives values in plain form, whatever their spelling; what
//! becomes of them is decided in `data`, which knows no format. To add a format, write a file beside `csv.rs` and give it
//! a line in [`FORMATS`].

mod content;
pub(crate) mod csv;
mod steady;

use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::Path;

use sluis_client::{Spelling, Wanted};
use sluis_domain::Reason;

pub(crate) use self::content::{Content, Sum};
use self::csv::{Delimiter, Encoding};
pub(crate) use self::steady::{Stamp, Steady};

/// The formats. The first that takes a file for its own reads it; the last takes any.
const FORMATS: &[Format] = &[csv::FORMAT];
/// How many bytes of a file a format is told by.
const FIRST_BYTES: usize = 16;

/// One format.
pub(crate) struct Format {
    /// Whether a file is of this format, by its first bytes and the extension of its name (empty for a pipe).
    recognises: fn(&[u8], &OsStr) -> bool,
    /// Reads what stands before the first record.
    open: fn(Content, &Options) -> Opened,
}

/// A file at its first record.
type Opened = Result<Box<dyn RecordSource>, FormatError>;

/// What a user says about a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Between values, where the format has something between values.
    pub(crate) delimiter: Option<Delimiter>,
    /// Of text, where the format leaves it open.
    pub(crate) encoding: Encoding,
    /// Of dates and numbers, where they are text.
    pub(crate) spelling: Spelling,
}

/// What is wrong with a file. Carries no value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormatError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{0}")]
    Malformed(String),
}

/// What a source has moved to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// A record that begins in this line, from 1; its number where a format has no lines.
    Record { line: u64 },
    /// A line without a record, which has its place in the output.
    Blank,
}

/// Reads the records of a file.
pub(crate) trait RecordSource: Send {
    /// Names of the columns, in order.
    fn headers(&self) -> &[String];

    /// Moves to what comes next; `None` at the end of the file.
    fn advance(&mut self) -> Result<Option<Next>, FormatError>;

    /// The value of a column of the present record, in the wanted form; empty if it is missing.
    fn value(&mut self, column: usize, wanted: Wanted<'_>) -> Result<&[u8], Reason>;

    /// Columns of the present record that stand side by side, as the sink of this source writes them.
    fn kept(&mut self, columns: Range<usize>) -> &[u8];

    /// Bytes of the file up to and with the present record.
    fn consumed(&self) -> u64;

    /// Lines without a record are an error from now on.
    fn refuse_blank_lines(&mut self) {}

    /// What decides how values and rows are read and written, as text that stays the same for the same file and options.
    fn described(&self) -> String;

    /// A sink that writes as this file is written: a column for each of `columns`, which are numbers of this file's.
    fn sink(&self, columns: &[usize]) -> Box<dyn RecordSink>;
}

/// Writes the records of a file, cell by cell.
pub(crate) trait RecordSink: Send {
    /// Adds cells that the source kept.
    fn kept(&mut self, cells: &[u8]);

    /// Adds a cell with this value; empty if it is missing.
    ///
    /// # Errors
    /// [`Reason::Unencodable`] where the value cannot be written; the row has to be taken back.
    fn value(&mut self, value: &[u8]) -> Result<(), Reason>;

    /// The row has all its cells.
    fn end_row(&mut self);

    /// Takes back the cells of a row that did not end.
    fn take_back_row(&mut self);

    /// Adds lines without a record.
    fn blank_lines(&mut self, lines: usize);

    /// What stands in the file for everything that ended since [`Self::clear`], the header included.
    fn written(&mut self) -> &[u8];

    /// What was written is in the file.
    fn clear(&mut self);
}

/// Begins to read a file in the format it has.
pub(crate) fn open(mut content: Content, options: &Options) -> Opened {
    let extension = Path::new(content.name()).extension().unwrap_or_default();
    let extension = extension.to_ascii_lowercase();
    let first = content.peek(FIRST_BYTES)?;
    let format = FORMATS
        .iter()
        .find(|format| (format.recognises)(first, &extension))
        .expect("the last format takes any file");
    (format.open)(content, options)
}
