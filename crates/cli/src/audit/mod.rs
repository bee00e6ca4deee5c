//! `sluis audit`: read the log, take a copy of it, verify that copy offline, and watch the log as a witness.

pub(crate) mod directory;
mod export;
mod progress;
pub(crate) mod read;
pub(crate) mod verify;
mod watch;

use std::path::Path;

use clap::Subcommand;
use sluis_tlog::VerifierKey;
use sluis_verify::export::{VERIFIER_KEY, limit};

use crate::error::{CliError, Exit};

/// The custodian's audit log: read, export, verify offline, watch
#[derive(Subcommand, Debug)]
pub(crate) enum AuditCommand {
    Read(read::ReadArgs),
    Export(export::ExportArgs),
    Verify(verify::VerifyArgs),
    Watch(watch::WatchArgs),
}

impl AuditCommand {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Read(args) => args.run().await,
            Self::Export(args) => args.run().await,
            Self::Verify(args) => args.run(),
            Self::Watch(args) => args.run().await,
        }
    }
}

/// A verifier key as text, or the file that holds it.
pub(crate) fn read_key(text: &str) -> Result<VerifierKey, CliError> {
    let path = Path::new(text);
    let content = if path.is_file() {
        let read = sluis_files::read(path, limit(VERIFIER_KEY));
        let bytes = read.map_err(|error| CliError::reading(path)(error.into()))?;
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        text.to_owned()
    };
    let parsed = content.trim().parse();
    parsed.map_err(|error| {
        CliError::usage(format!(
            "neither a verifier key nor a file that holds one: {error}"
        ))
    })
}
