//! The commands of `sluisd`.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluis_domain::port::StoreError;
use sluis_engine::{Engine, EngineError};
use sluis_keyring::{Kek, KekError};
use sluis_store::{Options, RocksStore};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{ConfigError, KekSource, Loaded, Settings};
use crate::telemetry::LogError;
use crate::{Daemon, StartError, Stopped, SystemClock, TlsError, load_kek};

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
    Kek(#[from] KekError),
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
    /// The process could not be set up.
    #[error("{0}: {1}")]
    Process(&'static str, io::Error),
}

/// Sets up a custodian: data directory, store, keyring, and, if a file is configured for it and absent, the
/// key-encryption key. Returns what was done, for the operator.
///
/// # Errors
/// [`CommandError`]; a key-encryption key that was made stays.
pub fn init(settings: &Settings) -> Result<String, CommandError> {
    let mut said = String::new();
    let kek = init_kek(&settings.kek, &mut said)?;
    make_private(&settings.data_directory)?;
    if let Some(backup) = &settings.backup_directory {
        make_private(backup)?;
    }
    let store = create_or_finish(settings)?;
    Engine::initialise(&store, &kek, &SystemClock)?;
    say(&mut said, format_args!("The store is in {}.", settings.data_directory.display()));
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

fn init_kek(source: &KekSource, said: &mut String) -> Result<Kek, CommandError> {
    let KekSource::File(path) = source else { return Ok(load_kek(source)?) };
    if path.exists() {
        return Ok(Kek::from_file(path)?);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_private(parent)?;
    }
    let kek = Kek::generate_file(path)?;
    let path = path.display();
    say(said, format_args!("A NEW KEY-ENCRYPTION KEY was written to {path}."));
    say(said, format_args!("  Copy it to a safe place away from this machine and away from the backups, NOW."));
    say(
        said,
        format_args!(
            "  Without it the store and every backup of it are lost; with it and a backup, everything is open."
        ),
    );
    Ok(kek)
}

fn say(said: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(said, "{line}").expect("writing to a String cannot fail");
}

/// Runs until SIGTERM or SIGINT; SIGHUP reads the files of TLS again.
///
/// # Errors
/// [`CommandError`] when it does not start.
pub fn run(settings: Settings) -> Result<Stopped, CommandError> {
    let store = Arc::new(RocksStore::open(&settings.data_directory, &options(&settings))?);
    let runtime = tokio::runtime::Runtime::new().map_err(|e| CommandError::Process("threads", e))?;
    let stopped = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|e| CommandError::Process("signals", e))?;
        let running = Daemon::start(settings, store, Arc::new(SystemClock)).await?;
        while signals.next().await == Wanted::Reload {
            running.reload();
        }
        Ok(running.shutdown().await)
    });
    // Everything has ended, or had its deadline.
    runtime.shutdown_background();
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

/// The effective configuration, after a look at what it points to.
///
/// # Errors
/// Every problem with the files it names, as one [`ConfigError`].
pub fn check_config(loaded: &Loaded) -> Result<String, CommandError> {
    let mut problems = Vec::new();
    if let Err(e) = crate::tls::Tls::load(loaded.settings.tls.clone(), Arc::new(SystemClock)) {
        problems.push(format!("tls: {e}"));
    }
    // A key file that is not there yet is made by init.
    let absent = matches!(&loaded.settings.kek, KekSource::File(path) if !path.exists());
    if let Some(e) = load_kek(&loaded.settings.kek).err().filter(|_| !absent) {
        problems.push(format!("kek: {e}"));
    }
    if problems.is_empty() { Ok(loaded.effective.clone()) } else { Err(ConfigError(problems).into()) }
}

/// Restores the latest backup of `from` into the configured data directory, which must be absent or empty, and opens
/// it with the key-encryption key before it says that it is done.
///
/// # Errors
/// [`CommandError`]; what was copied stays, but without the engine having accepted it.
pub fn restore(settings: &Settings, from: &Path) -> Result<String, CommandError> {
    let kek = load_kek(&settings.kek)?;
    sluis_store::restore(from, &settings.data_directory)?;
    accept_restored(settings, &kek).map_err(|reason| {
        let path = settings.data_directory.clone();
        CommandError::Restored { path, reason: Box::new(reason) }
    })
}

fn accept_restored(settings: &Settings, kek: &Kek) -> Result<String, CommandError> {
    let store = Arc::new(RocksStore::open(&settings.data_directory, &options(settings))?);
    store.verify()?;
    let engine_settings = sluis_engine::Settings { custodians: settings.custodians.clone() };
    let engine = Engine::open(store.clone(), kek, Arc::new(SystemClock), engine_settings)?;
    let mut said = String::new();
    let (entries, directory) = (engine.entries(), settings.data_directory.display());
    say(
        &mut said,
        format_args!("Restored into {directory}: every row was read, the key fits, {entries} audit entries."),
    );
    Ok(said)
}

fn options(settings: &Settings) -> Options {
    Options {
        block_cache_bytes: settings.store.block_cache_bytes,
        write_buffer_bytes: settings.store.write_buffer_bytes,
        max_open_files: settings.store.max_open_files,
        ..Options::default()
    }
}

/// A directory that only its owner can enter; one that exists stays as it is.
fn make_private(path: &Path) -> Result<(), CommandError> {
    let made =
        if path.is_dir() { Ok(()) } else { parents(path).and_then(|()| DirBuilder::new().mode(0o700).create(path)) };
    made.map_err(|reason| CommandError::Directory { path: path.to_owned(), reason })
}

fn parents(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}
