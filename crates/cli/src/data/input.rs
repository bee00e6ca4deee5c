//! Opening the input: file or standard input, up to its first record.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::os::fd::AsFd;

use sluis_client::Spelling;

use super::args::FileArgs;
use crate::error::CliError;
use crate::formats::{self, Content, FormatError, Options, RecordSource, Stamp, Steady, Sum};

/// An input at its first record.
pub(crate) struct Input {
    /// Its records.
    pub(crate) source: Box<dyn RecordSource>,
    /// Its name for messages.
    pub(crate) name: String,
    /// Its size in bytes, where it is known.
    pub(crate) size: Option<u64>,
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
    options: Options,
}

impl Input {
    /// Opens the input of a command. Blocks until the first record is there.
    pub(crate) fn open(args: &FileArgs, spelling: Spelling) -> Result<Self, CliError> {
        let options = args.options(spelling);
        let (name, origin, pipe): (_, _, Box<dyn Read + Send>) = match args.input_path() {
            Some(path) => {
                let file = File::open(path).map_err(CliError::reading(path))?;
                let name = path.display().to_string();
                let origin = Origin::of(&file, &name, &options).map_err(CliError::reading(path))?;
                (name, origin, Box::new(file))
            }
            None if !args.input_is_given() && io::stdin().is_terminal() => {
                return Err(CliError::usage(
                    "no input: name a CSV file, or - for standard input",
                ));
            }
            None => {
                let name = "standard input".to_owned();
                let origin = Origin::of_stdin(&name, &options);
                (name, origin, Box::new(io::stdin()))
            }
        };
        match origin {
            Some(origin) => origin.open(args),
            None => Self::new(Content::pipe(name, pipe), None, &options),
        }
    }

    fn new(content: Content, size: Option<u64>, options: &Options) -> Result<Self, CliError> {
        let name = content.name().to_owned();
        let sum = content.sum();
        let source = formats::open(content, options).map_err(|error| malformed(&name, error))?;
        Ok(Self {
            source,
            name,
            size,
            sum,
            origin: None,
        })
    }

    /// A CSV file in memory.
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: &[u8], options: &Options) -> Result<Self, CliError> {
        let pipe = Box::new(io::Cursor::new(bytes.to_vec()));
        let content = Content::pipe("test.csv".to_owned(), pipe);
        Self::new(content, Some(bytes.len() as u64), options)
    }
}

impl Origin {
    /// From where the file stands; `None` if it is no regular file.
    fn of(file: &File, name: &str, options: &Options) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let mut file = file.try_clone()?;
        let start = file.stream_position()?;
        let size = metadata.len().saturating_sub(start);
        Ok(Some(Self {
            name: name.to_owned(),
            file,
            start,
            size,
            stamp: Stamp::of(&metadata),
            options: options.clone(),
        }))
    }

    /// `sluis convert < FILE`.
    fn of_stdin(name: &str, options: &Options) -> Option<Self> {
        let stdin = io::stdin().as_fd().try_clone_to_owned().ok()?;
        Self::of(&File::from(stdin), name, options).ok().flatten()
    }

    /// Reads it from its beginning.
    pub(crate) fn open(mut self, args: &FileArgs) -> Result<Input, CliError> {
        let file = self.rewound().map_err(|source| CliError::Io {
            what: format!("cannot read {}", self.name),
            source,
        })?;
        refuse_own_output(&file, args)?;
        let content = Content::file(self.name.clone(), file);
        let mut input = Input::new(content, Some(self.size), &self.options)?;
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
pub(crate) fn malformed(name: &str, error: impl Into<FormatError>) -> CliError {
    match error.into() {
        FormatError::Io(source) if source.kind() != io::ErrorKind::InvalidData => CliError::Io {
            what: format!("cannot read {name}"),
            source,
        },
        other => CliError::input(format!("{name}: {other}")),
    }
}
