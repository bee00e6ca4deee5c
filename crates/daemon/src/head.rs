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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sluis_engine::{Engine, EngineError};

use crate::config::AuditSettings;
use crate::server::Shared;

/// Longest head file that is read.
const MAX_BYTES: u64 = 64 << 10;

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
        self.replace(note).map_err(|reason| self.fault(reason))
    }

    fn replace(&self, note: &str) -> io::Result<()> {
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.0.with_file_name(name);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(note.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        let directory = self
            .0
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    }

    fn fault(&self, reason: io::Error) -> HeadFault {
        HeadFault::File {
            path: self.0.clone(),
            reason,
        }
    }
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
        }
    }

    /// Lets an engine accept acts, if its log continues the head file and the place of the file can be written; then writes
    /// the first head of it. How far the head lags is read from the log, so that a restart does not hide it.
    ///
    /// # Errors
    /// [`HeadFault`]; not if only the writing failed, which is tried again: until it succeeds all acts are refused.
    pub(crate) fn admit(&self, engine: &Engine) -> Result<(), HeadFault> {
        let note = self.file.read()?;
        engine.check_head(&note)?;
        let lag = Duration::from_millis(engine.head_lag_millis()?);
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
            engine.stop_for_head();
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
                .last_head()
                .is_some_and(|head| head.size == engine.entries())
        {
            self.progress().current = now;
            return Ok(());
        }
        let kept = engine
            .sign_head()
            .map_err(HeadFault::from)
            .and_then(|head| {
                self.file.write(&head.note)?;
                engine.publish_head(head);
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
    fn stop_if_late(&self, engine: &Engine) {
        let mut progress = self.progress();
        if progress.current.elapsed() >= self.max_lag && !progress.stopped {
            progress.stopped = true;
            engine.stop_for_head();
            let lag_seconds = progress.current.elapsed().as_secs();
            tracing::error!(
                lag_seconds,
                "the head of the audit log is too old: all acts are refused until it is written"
            );
        }
    }

    /// How far the head is.
    pub(crate) fn state(&self, engine: &Engine) -> HeadState {
        let size = engine.last_head().map_or(0, |head| head.size);
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
    file.write(&engine.sign_head()?.note)
}

/// Keeps the head of the log until it is dropped.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let every = shared.settings.audit.head_every;
    loop {
        tokio::time::sleep(every).await;
        let mut keeping = std::pin::pin!(keep(&shared));
        // A write that hangs is a write that fails.
        while tokio::time::timeout(every, &mut keeping).await.is_err() {
            if let Ok(engine) = shared.engine() {
                shared.keeper.heads().stop_if_late(&engine);
                shared.look_at_health();
            }
        }
    }
}

/// Keeps the head of the log now, unless the keyring is sealed.
pub(crate) async fn keep(shared: &Arc<Shared>) {
    let keeping = shared.clone();
    let done = tokio::task::spawn_blocking(move || {
        let Ok(engine) = keeping.engine() else { return };
        let before = engine.accepts();
        // Said in the log.
        drop(keeping.keeper.heads().keep(&engine));
        if engine.accepts() != before {
            keeping.look_at_health();
        }
    });
    drop(done.await);
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
