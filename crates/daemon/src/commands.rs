//! The commands of `sluisd`.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluis_engine::{Engine, EngineError, Refusal, RestoreError};
use sluis_keyring::{KeyringError, ShareError};
use sluis_port::{Store, StoreError};
use sluis_store::{Options, RocksStore};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::config::{ConfigError, KekSource, Loaded, Settings};
use crate::head::HeadFile;
use crate::process::NotLocked;
use crate::telemetry::LogError;
use crate::{Daemon, HeadFault, KekFault, StartError, Stopped, SystemClock, TlsError};
use kek::NewKek;

mod end;
mod kek;
mod restore;

pub use kek::{Split, new_file, rotate_kek};
pub use restore::{LostHead, accept_restore, restore};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The key-encryption key.
    #[error(transparent)]
    Kek(#[from] KekFault),
    /// A share, or how many of them.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The new key-encryption key does not come back.
    #[error(
        "the old key-encryption key stays in force, because the new one does not come back: {0}"
    )]
    NotRotated(Box<Self>),
    /// The new key-encryption key is in force, and what the old one opens is still on the disk.
    #[error(
        "the keyring is under the new key-encryption key, but the files with what the old one opens could not be \
         rewritten: make no backup before sluisd has run and done it ({})",
        .0.detail()
    )]
    NotForgotten(Box<Refusal>),
    /// The engine refused.
    #[error("{} ({})", .0.reason().message(), .0.detail())]
    Refused(Box<Refusal>),
    /// Flags that do not fit the configuration.
    #[error("{0}")]
    Usage(&'static str),
    /// Memory cannot be locked.
    #[error(transparent)]
    Memory(#[from] NotLocked),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The daemon does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// TLS.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// A directory.
    #[error("{}: {reason}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A restored store was not accepted.
    #[error("{}: the backup was copied here but is not usable: {reason}; empty the directory before another try", path.display())]
    Restored {
        /// Where it is.
        path: PathBuf,
        /// Why it was not accepted.
        reason: Box<Self>,
    },
    /// The head of the audit log.
    #[error(transparent)]
    Head(#[from] HeadFault),
    /// A restored store is not accepted.
    #[error("the restored store is not accepted: {0}")]
    Restore(#[from] RestoreError),
    /// A signature by someone whose certificate does not count.
    #[error("{}: the signer's certificate: {reason}", path.display())]
    Signer {
        /// Of the signature.
        path: PathBuf,
        /// Why not.
        reason: TlsError,
    },
    /// A file is not what it should be.
    #[error("{}: {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        what: &'static str,
    },
    /// The process could not be set up.
    #[error("{0}: {1}")]
    Process(&'static str, io::Error),
}

impl CommandError {
    fn refused(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Sets up a custodian: data directory, store, keyring, and the key-encryption key, unless there is a file with one.
/// Returns what was done, for the operator; shares of the key are in it and nowhere else.
///
/// # Errors
/// [`CommandError`]; a key-encryption key that was made stays.
pub fn init(settings: &Settings, split: Option<Split>) -> Result<Zeroizing<String>, CommandError> {
    let mut said = kek::nothing_said();
    let new = NewKek::make(&settings.kek, split, &mut said)?;
    make_private(&settings.data_directory)?;
    if let Some(backup) = &settings.backup_directory {
        make_private(backup)?;
    }
    let store = Arc::new(create_or_finish(settings)?);
    let made = Engine::initialise(&*store, &new.kek, &SystemClock, &settings.engine());
    // An earlier attempt may have been cut short before the first head was written, and nothing was done since.
    let cut_short = store.entries() <= 2 && !settings.audit.head_file.exists();
    let exists = Err(EngineError::Keyring(KeyringError::Exists));
    if !(cut_short && made == exists) {
        made?;
    }
    let engine = Engine::open(store, &new.kek, Arc::new(SystemClock), settings.engine())?;
    restore::first_head(settings, &engine)?;
    new.show_shares(&mut said);
    say(
        &mut said,
        format_args!("The store is in {}.", settings.data_directory.display()),
    );
    say(&mut said, format_args!("Start the daemon with: sluisd run"));
    Ok(said)
}

/// A new store, or one whose set-up was cut short before it had a keyring; the engine refuses any other.
fn create_or_finish(settings: &Settings) -> Result<RocksStore, CommandError> {
    let (directory, options) = (&settings.data_directory, options(settings));
    match RocksStore::create(directory, &options) {
        Err(StoreError::Io(said)) if said.ends_with("already holds a store") => {
            Ok(RocksStore::open(directory, &options)?)
        }
        created => Ok(created?),
    }
}

/// Verifies a store while the daemon is stopped: every row, every entry of the audit log by the rules, and its signed head.
///
/// # Errors
/// [`CommandError`] says what is wrong.
pub fn verify(settings: &Settings) -> Result<String, CommandError> {
    let options = options(settings);
    let store = Arc::new(RocksStore::open(&settings.data_directory, &options)?);
    store.verify()?;
    let kek = kek::present(&settings.kek, &*store)?;
    let clock = Arc::new(SystemClock);
    let engine = Engine::open(store.clone(), &kek, clock, settings.engine())?;
    let head = HeadFile::new(&settings.audit.head_file).read()?;
    engine.log().continues(&head)?;
    let entries = store.entries();
    Ok(format!(
        "The store is in order: all {entries} entries of the audit log were verified, and the log continues its signed head.\n"
    ))
}

fn say(said: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(said, "{line}").expect("writing to a String cannot fail");
}

/// Runs until SIGTERM or SIGINT; SIGHUP reads the files of TLS again.
///
/// # Errors
/// [`CommandError`] when it does not start.
pub fn run(settings: Settings) -> Result<Stopped, CommandError> {
    let store = Arc::new(RocksStore::open(
        &settings.data_directory,
        &options(&settings),
    )?);
    let runtime =
        tokio::runtime::Runtime::new().map_err(|e| CommandError::Process("threads", e))?;
    let served: Arc<dyn Store> = store.clone();
    let stopped = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|e| CommandError::Process("signals", e))?;
        let running = Daemon::start(settings, served, Arc::new(SystemClock)).await?;
        while signals.next().await == Wanted::Reload {
            running.reload();
        }
        Ok(running.shutdown().await)
    });
    // Everything has ended, or had its deadline.
    runtime.shutdown_background();
    end::close(store, i32::from(stopped.is_err()));
    stopped
}

#[derive(PartialEq, Eq)]
enum Wanted {
    Reload,
    Stop,
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.terminate.recv() => Wanted::Stop,
            _ = self.interrupt.recv() => Wanted::Stop,
            _ = self.hang_up.recv() => Wanted::Reload,
        }
    }
}

/// What `sluisd check-config` found.
#[derive(Debug)]
pub struct Checked {
    /// The effective configuration.
    pub effective: String,
    /// What does not keep the daemon from starting, but needs someone: certificates and revocation lists that have ended
    /// or end soon, authorities without a list, lists without an authority.
    pub warnings: Vec<String>,
}

/// The effective configuration, after a look at what it points to.
///
/// # Errors
/// Every problem with the files it names, as one [`ConfigError`].
pub fn check_config(loaded: &Loaded) -> Result<Checked, CommandError> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    match crate::tls::Tls::load(loaded.settings.tls.clone(), Arc::new(SystemClock)) {
        Ok((tls, _)) => warnings = tls.warnings(),
        Err(e) => problems.push(format!("tls: {e}")),
    }
    // A key file that is not there yet is made by init.
    let absent = matches!(&loaded.settings.kek, KekSource::File(path) if !path.exists());
    if let Some(e) = loaded.settings.kek.check().err().filter(|_| !absent) {
        problems.push(format!("kek: {e}"));
    }
    if problems.is_empty() {
        Ok(Checked {
            effective: loaded.effective.clone(),
            warnings,
        })
    } else {
        Err(ConfigError(problems).into())
    }
}

fn options(settings: &Settings) -> Options {
    Options {
        block_cache_bytes: settings.store.block_cache_bytes,
        write_buffer_bytes: settings.store.write_buffer_bytes,
        max_open_files: settings.store.max_open_files,
        least_free_bytes: settings.store.min_free_bytes,
        longest_stall: settings.store.max_stall,
        ..Options::default()
    }
}

/// A directory that only its owner can enter; one that exists stays as it is.
fn make_private(path: &Path) -> Result<(), CommandError> {
    let made = if path.is_dir() {
        Ok(())
    } else {
        parents(path).and_then(|()| DirBuilder::new().mode(0o700).create(path))
    };
    made.map_err(|reason| CommandError::Directory {
        path: path.to_owned(),
        reason,
    })
}

fn parents(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}
