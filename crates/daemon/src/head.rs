//! The head file: the last signed head of the audit log, kept apart from the store.
//!
//! It is what makes yesterday's store noticeable: the daemon does not open a store that is behind it. It is written every
//! few seconds if the log grew; acts never wait for it. If it cannot be written for too long, all acts are refused until it
//! can be again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sluis_engine::{Engine, EngineError};

use crate::config::AuditSettings;

/// Longest head file that is read.
const MAX_BYTES: u64 = 64 << 10;

/// Longest state that is read.
const MAX_STATE_BYTES: u64 = 1 << 30;
/// Entries after which the state of the log is written again: what a start after a crash has to read.
const SAVE_AFTER: u64 = 16_384;

/// Why a store is not opened with its head file, or why the head is not kept.
#[derive(Debug, thiserror::Error)]
pub enum HeadFault {
    /// There is none.
    #[error(
        "{}: there is no head file. `sluisd init` wrote one: put it back, or a copy of the last head (a witness has one). \
         If none is left, accept the store as it is with `sluisd restore --head-lost` and two custodians' signatures",
        .0.display()
    )]
    Missing(PathBuf),
    /// It cannot be read or written.
    #[error("the head file {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The log does not fit it, or cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A place for signed heads.
#[derive(Debug, Clone)]
pub(crate) struct HeadFile(PathBuf);

impl HeadFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The signed head.
    pub(crate) fn read(&self) -> Result<Vec<u8>, HeadFault> {
        let file = match sluis_files::open(&self.0).map_err(io::Error::from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(HeadFault::Missing(self.0.clone()));
            }
            file => file.map_err(|reason| self.fault(reason))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|reason| self.fault(reason))?;
        Ok(bytes)
    }

    /// Replaces the head, durably: there is always a whole one, the old or the new.
    pub(crate) fn write(&self, note: &str) -> Result<(), HeadFault> {
        replace(&self.0, note.as_bytes()).map_err(|reason| self.fault(reason))
    }

    /// The log's state at a head, for the next start: the name of the head file with `.state` behind it. `None` if there is
    /// none, or if it cannot be read; then the whole log is read.
    pub(crate) fn read_state(&self) -> Option<Vec<u8>> {
        let path = self.beside(".state");
        let read = sluis_files::open(&path).map_err(io::Error::from);
        let read = read.and_then(|file| {
            let mut bytes = Vec::new();
            file.take(MAX_STATE_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        });
        match read {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the state beside the head cannot be read: the whole log is");
                None
            }
        }
    }

    /// Takes the state away: the next start reads the whole log.
    pub(crate) fn remove_state(&self) {
        drop(fs::remove_file(self.beside(".state")));
    }

    /// Replaces the state, durably.
    fn write_state(&self, state: &[u8]) -> Result<(), HeadFault> {
        let path = self.beside(".state");
        let replaced = replace(&path, state);
        replaced.map_err(|reason| HeadFault::File { path, reason })
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        beside(&self.0, suffix)
    }

    fn fault(&self, reason: io::Error) -> HeadFault {
        HeadFault::File {
            path: self.0.clone(),
            reason,
        }
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Replaces a file, durably and for its owner only.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path, ".new");
    let written = write_new(&new, bytes).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // It may have filled the disk.
        drop(fs::remove_file(&new));
    }
    written?;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Keeps heads.
pub(crate) struct Heads {
    file: HeadFile,
    max_lag: Duration,
    /// One head after the other.
    writing: Mutex<()>,
    /// Never held while something is written: a disk may hang.
    progress: Mutex<Progress>,
    failures: AtomicU64,
    /// Entries of the last state that was written for the next start, or that could not be. Held while one is written.
    saved: Mutex<u64>,
}

#[derive(Clone, Copy)]
struct Progress {
    /// When the head file was last seen to have all entries.
    current: Instant,
    /// Whether the last try failed.
    failing: bool,
    /// Whether acts are refused because of that.
    stopped: bool,
}

/// How far the head is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct HeadState {
    /// Entries of the last head.
    pub(crate) size: u64,
    /// For how long there have been entries that are not under a head.
    pub(crate) lag: Duration,
    /// Failed tries since the start.
    pub(crate) failures: u64,
}

impl Heads {
    pub(crate) fn new(settings: &AuditSettings) -> Self {
        let progress = Progress {
            current: Instant::now(),
            failing: false,
            stopped: false,
        };
        Self {
            file: HeadFile::new(&settings.head_file),
            max_lag: settings.max_lag,
            writing: Mutex::new(()),
            progress: Mutex::new(progress),
            failures: AtomicU64::new(0),
            saved: Mutex::new(0),
        }
    }

    /// The head file.
    pub(crate) fn file(&self) -> &HeadFile {
        &self.file
    }

    /// Writes the state of the log for the next start, if it grew by so many entries. A failure is logged: the next start reads
    /// more of the log then.
    pub(crate) fn save(&self, engine: &Engine, grown_by: u64) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let now = engine.entries();
        if now < saved.saturating_add(grown_by.max(1)) {
            return;
        }
        // Whatever becomes of this try, the next one has more to write.
        *saved = now;
        if let Err(fault) = self.write_state(engine) {
            tracing::warn!(fault = %fault, "the state of the audit log cannot be written: the next start reads the log itself");
        }
    }

    fn write_state(&self, engine: &Engine) -> Result<(), HeadFault> {
        match engine.log().save()? {
            Some(state) => self.file.write_state(&state),
            None => Ok(()),
        }
    }

    /// Lets an engine accept acts, if its log continues the head file and the place of the file can be written; then writes
    /// the first head of it. How far the head lags is read from the log, so that a restart does not hide it.
    ///
    /// # Errors
    /// [`HeadFault`]; not if only the writing failed, which is tried again: until it succeeds all acts are refused.
    pub(crate) fn admit(&self, engine: &Engine) -> Result<(), HeadFault> {
        let note = self.file.read()?;
        engine.log().check_head(&note)?;
        let lag = Duration::from_millis(engine.log().head_lag_millis()?);
        let now = Instant::now();
        *self.progress() = Progress {
            current: now.checked_sub(lag).unwrap_or(now),
            failing: false,
            stopped: false,
        };
        // What could be checked is text. The same head once more: it says whether the next one can be written.
        let probed = self.file.write(&String::from_utf8_lossy(&note));
        if let Err(fault) = probed {
            let mut progress = self.progress();
            (progress.failing, progress.stopped) = (true, true);
            drop(progress);
            self.failures.fetch_add(1, Relaxed);
            engine.log().stop_for_head();
            tracing::error!(fault = %fault, "the place of the head file cannot be written: all acts are refused until it can");
            return Ok(());
        }
        drop(self.keep(engine));
        Ok(())
    }

    /// Signs and writes the head, if the log grew. A failure is logged and counted here.
    ///
    /// # Errors
    /// [`HeadFault`].
    pub(crate) fn keep(&self, engine: &Engine) -> Result<(), HeadFault> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let failing = self.progress().failing;
        if !failing
            && engine
                .log()
                .last_head()
                .is_some_and(|head| head.size == engine.entries())
        {
            self.progress().current = now;
            return Ok(());
        }
        let kept = engine
            .log()
            .sign_head()
            .map_err(HeadFault::from)
            .and_then(|head| {
                self.file.write(&head.note)?;
                engine.log().publish_head(head);
                self.save(engine, SAVE_AFTER);
                Ok(())
            });
        match &kept {
            Ok(()) => {
                if failing {
                    tracing::warn!("the head of the audit log is written again");
                }
                *self.progress() = Progress {
                    current: now,
                    failing: false,
                    stopped: false,
                };
            }
            Err(fault) => {
                self.failures.fetch_add(1, Relaxed);
                self.progress().failing = true;
                tracing::warn!(fault = %fault, "the head of the audit log cannot be written");
                self.stop_if_late(engine);
            }
        }
        kept
    }

    /// Ends all acts if the head is too far behind, until it is written again.
    pub(crate) fn stop_if_late(&self, engine: &Engine) {
        let mut progress = self.progress();
        if progress.current.elapsed() >= self.max_lag && !progress.stopped {
            progress.stopped = true;
            engine.log().stop_for_head();
            let lag_seconds = progress.current.elapsed().as_secs();
            tracing::error!(
                lag_seconds,
                "the head of the audit log is too old: all acts are refused until it is written"
            );
        }
    }

    /// How far the head is.
    pub(crate) fn state(&self, engine: &Engine) -> HeadState {
        let size = engine.log().last_head().map_or(0, |head| head.size);
        let behind = engine.entries() > size;
        let lag = if behind {
            self.progress().current.elapsed()
        } else {
            Duration::ZERO
        };
        HeadState {
            size,
            lag,
            failures: self.failures.load(Relaxed),
        }
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the head of an engine that was just set up, or that goes on after a restore.
///
/// # Errors
/// [`HeadFault`].
pub(crate) fn write_first(engine: &Engine, file: &HeadFile) -> Result<(), HeadFault> {
    file.write(&engine.log().sign_head()?.note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_replaced_as_a_whole_and_for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("scratch directory");
        let file = HeadFile::new(&directory.path().join("head"));
        assert!(matches!(file.read(), Err(HeadFault::Missing(_))));
        for text in ["a long one", "short"] {
            file.write(text).expect("written");
            assert_eq!(file.read().expect("readable"), text.as_bytes());
        }
        let mode = fs::metadata(file.path())
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(directory.path()).expect("readable").count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_place_that_is_no_directory_is_a_fault_and_the_old_head_stays() {
        let directory = tempfile::tempdir().expect("scratch directory");
        let file = HeadFile::new(&directory.path().join("head"));
        file.write("old").expect("written");
        fs::create_dir(directory.path().join("head.new")).expect("in the way");
        assert!(matches!(file.write("new"), Err(HeadFault::File { .. })));
        assert_eq!(file.read().expect("readable"), b"old");
    }
}
