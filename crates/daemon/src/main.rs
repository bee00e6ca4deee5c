//! sluisd: the command line of the daemon.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use sluis_daemon::commands::{self, CommandError};
use sluis_daemon::config::{self, Loaded, Sources};
use sluis_daemon::{process, telemetry};

/// The custodian's daemon: a trusted third party for pseudonymisation.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sets up the data directory, the store and the keyring (and the key-encryption key, if its file is absent).
    Init(Configuration),
    /// Serves until SIGTERM or SIGINT. SIGHUP reads certificates, authorities and revocation lists again.
    Run(Configuration),
    /// Says everything that is wrong with the configuration, or prints what is in force.
    CheckConfig(Configuration),
    /// Restores a backup into an empty data directory and proves that the key fits.
    Restore {
        /// Directory of the backup.
        #[arg(long)]
        from: PathBuf,
        #[command(flatten)]
        configuration: Configuration,
    },
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
        Ok(config::load(&Sources::of_process(self.config.as_deref(), self.set.clone()))?)
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
    process::harden().map_err(|e| CommandError::Process("core dumps and ptrace cannot be turned off", e))?;
    process::log_panics_by_place();
    // Fails only if there is a provider already, and nobody was here before.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    Ok(())
}

fn perform(command: Command) -> Result<String, CommandError> {
    match command {
        Command::Init(configuration) => commands::init(&configuration.load()?.settings),
        Command::CheckConfig(configuration) => commands::check_config(&configuration.load()?),
        Command::Restore { from, configuration } => commands::restore(&configuration.load()?.settings, &from),
        Command::Run(configuration) => {
            let settings = configuration.load()?.settings;
            telemetry::init_log(&settings.telemetry)?;
            commands::run(settings)?;
            Ok(String::new())
        }
    }
}
