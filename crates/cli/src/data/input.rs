//! Opening the input: file or standard input, dialect, header line.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::args::FileArgs;
use super::csv::{CsvError, CsvReader};
use super::dialect::{Delimiter, Encoding, detect};
use super::scan::{Sum, Summed};
use super::steady::{Stamp, Steady};
use crate::error::CliError;

/// An input whose header line has been read.
pub(crate) struct Input {
    /// Gives the records after the header line.
    pub(crate) reader: CsvReader<Box<dyn Read + Send>>,
    /// Its name for messages.
    pub(crate) name: String,
    /// Its size in bytes, where it is known.
    pub(crate) size: Option<u64>,
    /// The headers as text, in order.
    pub(crate) headers: Vec<String>,
    /// The header fields as they stand in the input, quotes included.
    pub(crate) raw_headers: Vec<Vec<u8>>,
    /// What ends a line: that of the header line.
    pub(crate) terminator: &'static [u8],
    /// Between values.
    pub(crate) delimiter: u8,
    /// Of all text.
    pub(crate) encoding: Encoding,
    /// Before the header line: a byte order mark and empty lines, or nothing.
    pub(crate) prefix: Vec<u8>,
    /// Checksum of what was read so far.
    pub(crate) sum: Sum,
    /// Where it can be read again; `None` for pipes.
    pub(crate) origin: Option<Origin>,
}

/// A regular file, to be read once more. Only one input at a time may read it.
pub(crate) struct Origin {
    name: String,
    file: File,
    /// Where reading began.
    start: u64,
    /// Bytes from there to its end.
    size: u64,
    /// Its content when it was opened.
    stamp: Stamp,
}

impl Input {
    /// Opens the input of a command. Blocks until the header line is there.
    pub(crate) fn open(args: &FileArgs) -> Result<Self, CliError> {
        match args.input_path() {
            Some(path) => {
                let file = File::open(path).map_err(CliError::reading(path))?;
                let name = path.display().to_string();
                match Origin::of(&file, &name).map_err(CliError::reading(path))? {
                    Some(origin) => origin.open(args),
                    None => Self::new(Box::new(file), name, None, args.delimiter, args.encoding),
                }
            }
            None if !args.input_is_given() && io::stdin().is_terminal() => Err(CliError::usage(
                "no input: name a CSV file, or - for standard input",
            )),
            None => {
                let name = "standard input".to_owned();
                match Origin::of_stdin(&name) {
                    Some(origin) => origin.open(args),
                    None => {
                        let input = Box::new(io::stdin());
                        Self::new(input, name, None, args.delimiter, args.encoding)
                    }
                }
            }
        }
    }

    fn new(
        input: Box<dyn Read + Send>,
        name: String,
        size: Option<u64>,
        delimiter: Option<Delimiter>,
        encoding: Encoding,
    ) -> Result<Self, CliError> {
        let sum = Sum::default();
        let input = Summed::new(input, sum.clone());
        let (dialect, rest) =
            detect(input, delimiter, encoding).map_err(|error| malformed(&name, error))?;
        let rest: Box<dyn Read + Send> = Box::new(rest);
        let mut reader = CsvReader::new(rest, dialect.delimiter);
        reader.skip_lines(dialect.blank_lines);
        let (headers, raw_headers, terminator) = {
            let record = reader.next().map_err(|error| malformed(&name, error))?;
            let record = record.filter(|record| !record.is_blank()).ok_or_else(|| {
                CliError::input(format!("{name} is empty: there is no header line"))
            })?;
            if record.has_mark() {
                return Err(malformed(&name, CsvError::MarkInside { line: 1 }));
            }
            let mut scratch = Vec::new();
            let text = |field| {
                let value = encoding
                    .decode(record.value(field, &mut scratch))
                    .map_err(|_| {
                        CliError::input(format!(
                            "{name}: the header line is not windows-1252; leave --encoding out if the file is UTF-8"
                        ))
                    })?;
                String::from_utf8(value.into_owned()).map_err(|_| {
                    CliError::input(format!(
                        "{name}: the header line is not UTF-8; try --encoding windows-1252"
                    ))
                })
            };
            let headers = (0..record.len()).map(text).collect::<Result<Vec<_>, _>>()?;
            let raw: Vec<_> = (0..record.len())
                .map(|field| record.raw(field).to_vec())
                .collect();
            let terminator: &[u8] = if record.terminator == b"\r\n" {
                b"\r\n"
            } else {
                b"\n"
            };
            (headers, raw, terminator)
        };
        reader.refuse_again(&raw_headers);
        let delimiter = dialect.delimiter;
        Ok(Self {
            reader,
            name,
            size,
            headers,
            raw_headers,
            terminator,
            delimiter,
            encoding,
            prefix: dialect.prefix,
            sum,
            origin: None,
        })
    }

    /// An input in memory.
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: &[u8], encoding: Encoding) -> Result<Self, CliError> {
        let input = Box::new(io::Cursor::new(bytes.to_vec()));
        Self::new(
            input,
            "test.csv".into(),
            Some(bytes.len() as u64),
            None,
            encoding,
        )
    }
}

impl Origin {
    /// From where the file stands; `None` if it is no regular file.
    fn of(file: &File, name: &str) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let mut file = file.try_clone()?;
        let start = file.stream_position()?;
        let size = metadata.len().saturating_sub(start);
        let name = name.to_owned();
        Ok(Some(Self {
            name,
            file,
            start,
            size,
            stamp: Stamp::of(&metadata),
        }))
    }

    /// `sluis convert < FILE`.
    fn of_stdin(name: &str) -> Option<Self> {
        let stdin = io::stdin().as_fd().try_clone_to_owned().ok()?;
        Self::of(&File::from(stdin), name).ok().flatten()
    }

    /// Reads it from its beginning.
    pub(crate) fn open(mut self, args: &FileArgs) -> Result<Input, CliError> {
        let file = self.rewound().map_err(|source| CliError::Io {
            what: format!("cannot read {}", self.name),
            source,
        })?;
        refuse_own_output(&file, args)?;
        let mut input = Input::new(
            Box::new(file),
            self.name.clone(),
            Some(self.size),
            args.delimiter,
            args.encoding,
        )?;
        input.origin = Some(self);
        Ok(input)
    }

    /// From the beginning up to where it ended when it was opened: what is added meanwhile is not read.
    fn rewound(&mut self) -> io::Result<Steady> {
        self.file.seek(SeekFrom::Start(self.start))?;
        let file = self.file.try_clone()?.take(self.size);
        Ok(Steady::new(file, self.stamp.clone()))
    }
}

/// Refuses an input that standard output goes to.
fn refuse_own_output(input: &Steady, args: &FileArgs) -> Result<(), CliError> {
    if args.output_path().is_some() {
        return Ok(());
    }
    match rustix::fs::fstat(io::stdout()) {
        Ok(output) if input.is(output.st_dev, output.st_ino) => Err(CliError::usage(
            "standard output is the input file, which would be lost; choose another name",
        )),
        _ => Ok(()),
    }
}

/// The error for a malformed input, with the name of the file.
pub(crate) fn malformed(name: &str, error: CsvError) -> CliError {
    match error {
        CsvError::Io(source) if source.kind() != io::ErrorKind::InvalidData => CliError::Io {
            what: format!("cannot read {name}"),
            source,
        },
        other => CliError::input(format!("{name}: {other}")),
    }
}

/// `-` is standard input or output.
pub(crate) fn not_dash(path: &Option<PathBuf>) -> Option<&Path> {
    path.as_deref().filter(|path| path.as_os_str() != "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dialect::BOM;

    #[test]
    fn an_empty_file_says_so() {
        for bytes in [&b""[..], b"\n\n", b"\xef\xbb\xbf"] {
            let error = Input::from_bytes(bytes, Encoding::Utf8)
                .err()
                .expect("refused");
            assert!(
                matches!(&error, CliError::Input(text) if text.contains("is empty")),
                "{error}"
            );
        }
    }

    #[test]
    fn headers_are_text_and_stay_as_they_were_written() {
        let input = Input::from_bytes(
            b"\xef\xbb\xbf\"bsn\";\"a;\"\"b\"\r\n1;2\r\n",
            Encoding::Utf8,
        )
        .expect("readable");
        assert_eq!(input.headers, ["bsn", "a;\"b"]);
        assert_eq!(input.raw_headers, [&b"\"bsn\""[..], b"\"a;\"\"b\""]);
        assert_eq!(
            (input.terminator, input.delimiter, &input.prefix[..]),
            (&b"\r\n"[..], b';', BOM)
        );
    }

    #[test]
    fn headers_in_windows_1252() {
        let input = Input::from_bytes(b"pr\xe9nom\n", Encoding::Windows1252).expect("readable");
        assert_eq!(input.headers, ["prénom"]);
        let error = Input::from_bytes(b"pr\xe9nom\n", Encoding::Utf8)
            .err()
            .expect("refused");
        assert!(error.to_string().contains("--encoding windows-1252"));
    }
}
