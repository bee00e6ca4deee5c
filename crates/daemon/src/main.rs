//! sluisd: the command line of the daemon.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use sluis_daemon::commands::{self, CommandError, LostHead, Split};
use sluis_daemon::config::{self, KekSource, Loaded, Settings, Sources};
use sluis_daemon::{process, telemetry};
use zeroize::Zeroizing;

/// The custodian's daemon: a trusted third party for pseudonymisation.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sets up the data directory, the store, the keyring and its key-encryption key (unless there is a file with one).
    Init {
        #[command(flatten)]
        shares: Shares,
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Serves until SIGTERM or SIGINT. SIGHUP reads certificates, authorities and revocation lists again.
    Run(Configuration),
    /// Says everything that is wrong with the configuration, or prints what is in force.
    CheckConfig(Configuration),
    /// Verifies the whole store and its audit log while the daemon is stopped. A running daemon does the same in the background after
    /// each start. Shares of the key are read from standard input, one a line.
    Verify(Configuration),
    /// Puts the keyring under a new key-encryption key while the daemon is stopped; no pseudonym changes. Shares of the
    /// present key are read from standard input, one a line.
    RotateKek {
        /// Configuration whose `kek` says where the new key is to be.
        #[arg(long, value_name = "FILE", conflicts_with = "new_file")]
        to_config: Option<PathBuf>,
        /// A new key file, made now.
        #[arg(long, value_name = "FILE", conflicts_with = "shares")]
        new_file: Option<PathBuf>,
        #[command(flatten)]
        shares: Shares,
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Restores a backup into an empty data directory, proves that the key fits, and writes what two custodians must sign.
    Restore {
        /// Directory of the backup; without it, the store in the data directory is taken as it is.
        #[arg(long)]
        from: Option<PathBuf>,
        /// A copy of the last signed head of the log that is given up, if not in the head file.
        #[arg(long, value_name = "FILE", conflicts_with = "head_lost")]
        head: Option<PathBuf>,
        /// No signed head is left anywhere: what was lost will not be known.
        #[arg(long)]
        head_lost: bool,
        #[command(flatten)]
        configuration: Configuration,
    },
    /// Goes on from a restored store with the signatures of two custodians; every live grant ends.
    AcceptRestore {
        /// A file that `sluis restore sign` wrote; twice, from two custodians.
        #[arg(long, value_name = "FILE", required = true)]
        signature: Vec<PathBuf>,
        #[command(flatten)]
        configuration: Configuration,
    },
}

/// A key in shares.
#[derive(Args)]
struct Shares {
    /// Splits the new key-encryption key into so many shares, which are printed once.
    #[arg(long, value_name = "N", requires = "threshold")]
    shares: Option<u8>,
    /// How many shares are needed to open the keyring.
    #[arg(long, value_name = "T", requires = "shares")]
    threshold: Option<u8>,
}

impl Shares {
    fn split(&self) -> Option<Split> {
        self.shares
            .zip(self.threshold)
            .map(|(shares, threshold)| Split { shares, threshold })
    }
}

/// File < environment (SLUISD_TLS__CERT is tls.cert) < flags.
#[derive(Args)]
struct Configuration {
    /// Configuration file (TOML); without one, environment and flags must say everything.
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// Sets one key, such as --set listen=0.0.0.0:7443; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Configuration {
    fn load(&self) -> Result<Loaded, CommandError> {
        Ok(config::load(&Sources::of_process(
            self.config.as_deref(),
            self.set.clone(),
        ))?)
    }
}

fn main() -> ExitCode {
    let outcome = prepare().and_then(|()| perform(Cli::parse().command));
    match outcome {
        Ok(said) => {
            // A closed pipe is no reason to fail.
            drop(std::io::stdout().write_all(said.as_bytes()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            drop(writeln!(std::io::stderr(), "sluisd: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Before anything is read that must stay secret.
fn prepare() -> Result<(), CommandError> {
    process::harden()
        .map_err(|e| CommandError::Process("core dumps and ptrace cannot be turned off", e))?;
    process::log_panics_by_place();
    // Fails only if there is a provider already, and no one was here before.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    Ok(())
}

fn perform(command: Command) -> Result<Zeroizing<String>, CommandError> {
    match command {
        Command::Init {
            shares,
            configuration,
        } => commands::init(&locked(&configuration)?, shares.split()),
        Command::CheckConfig(configuration) => {
            let checked = commands::check_config(&configuration.load()?)?;
            for warning in &checked.warnings {
                drop(writeln!(std::io::stderr(), "sluisd: warning: {warning}"));
            }
            Ok(Zeroizing::new(checked.effective))
        }
        Command::Verify(configuration) => {
            commands::verify(&locked(&configuration)?).map(Zeroizing::new)
        }
        Command::Restore {
            from,
            head,
            head_lost,
            configuration,
        } => {
            let lost = match head {
                Some(path) => LostHead::In(path),
                None if head_lost => LostHead::Lost,
                None => LostHead::Kept,
            };
            commands::restore(&locked(&configuration)?, from.as_deref(), &lost).map(Zeroizing::new)
        }
        Command::AcceptRestore {
            signature,
            configuration,
        } => commands::accept_restore(&locked(&configuration)?, &signature).map(Zeroizing::new),
        Command::RotateKek {
            to_config,
            new_file,
            shares,
            configuration,
        } => {
            let settings = locked(&configuration)?;
            let to = new_place(to_config, new_file, shares.split(), &settings)?;
            commands::rotate_kek(&settings, &to, shares.split(), |said| {
                let mut out = std::io::stdout();
                out.write_all(said.as_bytes()).and_then(|()| out.flush())
            })
        }
        Command::Run(configuration) => {
            let settings = configuration.load()?.settings;
            telemetry::init_log(&settings.telemetry)?;
            if let Some(warning) = process::lock_memory(settings.memory)? {
                tracing::warn!(%warning, "memory is not locked");
            }
            commands::run(settings)
                .inspect_err(|error| tracing::error!(%error, "the daemon does not start"))?;
            Ok(Zeroizing::default())
        }
    }
}

/// The settings, with all memory of the process locked.
fn locked(configuration: &Configuration) -> Result<Settings, CommandError> {
    let settings = configuration.load()?.settings;
    if let Some(warning) = process::lock_memory(settings.memory)? {
        drop(writeln!(std::io::stderr(), "sluisd: warning: {warning}"));
    }
    Ok(settings)
}

/// Where a new key-encryption key is to be. A token can hold the next one as well; any other place must be named.
fn new_place(
    to_config: Option<PathBuf>,
    new_file: Option<PathBuf>,
    split: Option<Split>,
    present: &Settings,
) -> Result<KekSource, CommandError> {
    match (to_config, new_file, split, &present.kek) {
        (Some(config), ..) => Ok(config::load(&Sources {
            file: Some(config),
            ..Sources::default()
        })?
        .settings
        .kek),
        (_, Some(path), ..) => commands::new_file(&path),
        (_, _, Some(_), _) => Ok(KekSource::Shares),
        (_, _, _, token @ KekSource::Token(_)) => Ok(token.clone()),
        _ => Err(CommandError::Usage(
            "say where the new key is to be: --to-config, --new-file, or --shares and --threshold",
        )),
    }
}
