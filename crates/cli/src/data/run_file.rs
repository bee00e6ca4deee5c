//! The file beside an output that lets a failed run be repeated without counting anything twice.
//!
//! Every batch bears an id: the random id of the run, and the number of the batch. The custodian counts a batch that comes
//! again with the same id and the same content once. So the file keeps the id of the run and what decides where one batch
//! ends and the next begins. It is made before the first batch is sent, and removed when the output has its name.
//!
//! It holds no personal data: of the input it has the size and 16 bits of a checksum, too few to try out who is in it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::treat::BatchLimits;
use crate::error::CliError;

/// Changes when the same input and limits give other batches.
const FORMAT: u32 = 2;
/// Larger files are no run files. A progress line takes about 60 bytes.
const LONGEST: u64 = 64 << 20;
const SUFFIX: &str = ".sluis-run";

/// What the run does. A repetition must do the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// `convert` or `reidentify`.
    pub(crate) command: String,
    /// The grant.
    pub(crate) grant: String,
    /// What becomes of each column, and how the file is written.
    pub(crate) columns: String,
    /// Size of the input in bytes.
    pub(crate) input_bytes: u64,
    /// 16 bits of a checksum of the input.
    pub(crate) input_check: u16,
}

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    /// 32 hexadecimal digits.
    run: String,
    task: Task,
    /// Where batches end.
    batches: BatchLimits,
}

/// How far a run came. One line for each answered batch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// Batches that were answered.
    pub(crate) batches: u64,
    /// Rows in them.
    pub(crate) rows: u64,
    /// Values in them that are not missing.
    pub(crate) values: u64,
}

/// An open run file. No other process can have it open too.
pub(crate) struct RunFile {
    path: PathBuf,
    file: File,
    run: String,
    task: Task,
    batches: BatchLimits,
    /// What an earlier try says.
    progress: Progress,
}

/// Where the run file of an output is.
pub(crate) fn beside(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

impl RunFile {
    /// Begins a run.
    pub(crate) fn begin(path: &Path, task: Task, batches: BatchLimits) -> Result<Self, CliError> {
        let mut id = [0u8; 16];
        getrandom::fill(&mut id)
            .map_err(|_| CliError::writing(path)(io::Error::other("no random bytes")))?;
        let run = data_encoding::HEXLOWER.encode(&id);
        let file = File::options()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(CliError::writing(path))?;
        let header = Header {
            format: FORMAT,
            run,
            task,
            batches,
        };
        let started = Self {
            path: path.to_path_buf(),
            file,
            run: header.run.clone(),
            task: header.task.clone(),
            batches,
            progress: Progress::default(),
        };
        let written = started
            .lock()
            .and_then(|()| started.append(&header))
            .and_then(|()| started.file.sync_all());
        if let Err(error) = written {
            started.remove();
            return Err(CliError::writing(path)(error));
        }
        Ok(started)
    }

    /// The file of a run that did not end; `None` if there is none.
    pub(crate) fn find(path: &Path) -> Result<Option<Self>, CliError> {
        let opened = File::options().read(true).append(true).open(path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CliError::reading(path)(error)),
        };
        let mut text = String::new();
        let mut limited = Read::by_ref(&mut file).take(LONGEST);
        limited
            .read_to_string(&mut text)
            .map_err(CliError::reading(path))?;
        let mut lines = text.split_inclusive('\n');
        let header = lines.next().and_then(|line| line.strip_suffix('\n'));
        let header: Header = header
            .and_then(|line| serde_json::from_str(line).ok())
            .filter(|header: &Header| header.format == FORMAT && is_id(&header.run))
            .ok_or_else(|| no_run_file(path))?;
        // The last line may be cut off: a full disk, or a process that was killed.
        let progress = lines
            .filter_map(|line| serde_json::from_str(line.strip_suffix('\n')?).ok())
            .next_back()
            .unwrap_or_default();
        let found = Self {
            path: path.to_path_buf(),
            file,
            run: header.run,
            task: header.task,
            batches: header.batches,
            progress,
        };
        found.lock().map_err(CliError::reading(path))?;
        Ok(Some(found))
    }

    /// Refuses to repeat a run that did something else.
    pub(crate) fn check(&self, asked: &Task) -> Result<(), CliError> {
        let before = &self.task;
        let differs = if (&before.command, &before.grant) != (&asked.command, &asked.grant) {
            format!(
                "it was `sluis {}` under grant {}",
                before.command, before.grant
            )
        } else if (before.input_bytes, before.input_check) != (asked.input_bytes, asked.input_check)
        {
            "the input is not the same file, or it has changed".to_owned()
        } else if before.columns != asked.columns {
            "columns, delimiter, encoding or output order were others".to_owned()
        } else {
            return Ok(());
        };
        let path = self.path.display();
        Err(CliError::usage(format!(
            "{path} belongs to another run: {differs}. Nothing was sent. Resume with the same input and flags, or remove \
             {path} to give that run up"
        )))
    }

    /// Where batches end.
    pub(crate) fn batches(&self) -> BatchLimits {
        self.batches
    }

    /// How far an earlier try came, at least.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// The id of the batch with this number, from 0.
    pub(crate) fn batch_id(&self, number: u64) -> Vec<u8> {
        format!("{}-{number}", self.run).into_bytes()
    }

    /// Writes down how far the run is. What cannot be written is left out: it is told, and nothing rests on it.
    pub(crate) fn note(&self, progress: Progress) {
        drop(self.append(&progress));
    }

    /// The run is over. What has taken the name of the file meanwhile is left alone.
    pub(crate) fn remove(&self) {
        if self.has_its_name().unwrap_or(false) {
            drop(fs::remove_file(&self.path));
        }
    }

    fn has_its_name(&self) -> io::Result<bool> {
        let (open, named) = (self.file.metadata()?, fs::metadata(&self.path)?);
        Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
    }

    fn append(&self, line: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(line)? + "\n";
        (&self.file).write_all(text.as_bytes())
    }

    fn lock(&self) -> io::Result<()> {
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another sluis is at work on this run",
            )),
            // A file system without locks.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn no_run_file(path: &Path) -> CliError {
    let path = path.display();
    CliError::input(format!(
        "{path} is not a file of this version of sluis that says how a run goes on; nothing was sent"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn task() -> Task {
        Task {
            command: "convert".into(),
            grant: "g-1".into(),
            columns: "send".into(),
            input_bytes: 7,
            input_check: 9,
        }
    }

    fn limits() -> BatchLimits {
        BatchLimits::before_the_stream(10)
    }

    fn path() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("writable");
        let path = beside(&directory.path().join("out.csv"));
        (directory, path)
    }

    fn found(path: &Path) -> RunFile {
        RunFile::find(path).expect("readable").expect("there")
    }

    #[test]
    fn a_run_is_found_again_with_its_ids_and_its_limits() {
        let (_directory, path) = path();
        assert!(RunFile::find(&path).expect("readable").is_none());
        let begun = RunFile::begin(&path, task(), limits()).expect("writable");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let progress = |batches| Progress {
            batches,
            rows: 2,
            values: 3,
        };
        begun.note(progress(1));
        begun.note(progress(2));
        let ids = (begun.batch_id(0), begun.batch_id(1));
        assert_ne!(ids.0, ids.1);
        assert!(ids.1.len() <= 64);
        assert!(RunFile::find(&path).is_err(), "another process has it");
        drop(begun);
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(b"{\"batches\":3,"))
            .expect("writable");
        let again = found(&path);
        assert_eq!((again.batch_id(0), again.batch_id(1)), ids);
        assert_eq!((again.progress(), again.batches()), (progress(2), limits()));
        again.remove();
        assert!(!path.exists());
    }

    #[test]
    fn what_has_taken_the_name_of_a_run_file_is_not_removed_with_the_run() {
        let (directory, path) = path();
        let run = RunFile::begin(&path, task(), limits()).expect("writable");
        let result = directory.path().join("result");
        fs::write(&result, "rows").expect("writable");
        fs::rename(&result, &path).expect("writable");
        run.remove();
        assert_eq!(fs::read_to_string(&path).expect("there"), "rows");
    }

    #[test]
    fn a_run_goes_on_only_with_the_same_input_grant_and_columns() {
        let (_directory, path) = path();
        let run = RunFile::begin(&path, task(), limits()).expect("writable");
        assert!(run.check(&task()).is_ok());
        type Other = fn(&mut Task);
        let others: [Other; 5] = [
            |task| task.command = "reidentify".into(),
            |task| task.grant = "g-2".into(),
            |task| task.columns = "keep".into(),
            |task| task.input_bytes += 1,
            |task| task.input_check += 1,
        ];
        for other in others {
            let mut asked = task();
            other(&mut asked);
            assert!(matches!(run.check(&asked), Err(CliError::Usage(_))));
        }
    }

    #[test]
    fn what_is_no_run_file_is_refused_and_left_alone() {
        let (_directory, path) = path();
        for text in ["", "x\n", "{}\n", "{\"format\":1}\n"] {
            fs::write(&path, text).expect("writable");
            assert!(matches!(RunFile::find(&path), Err(CliError::Input(_))));
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
    }
}
