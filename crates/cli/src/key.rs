//! `sluis key`: the key that a person signs with.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use sluis_client::Holder;
use sluis_ledger::Custodian;

use crate::connect::ConnectArgs;
use crate::credentials;
use crate::error::{CliError, Exit};
use crate::output::{self, Safe};

/// The key you sign with: that of your client certificate
#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    Show(ShowArgs),
}

/// Print your public key as the registry pins it (stewards) and as the custodian's configuration does (custodians)
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis key show
  sluis key show --cert uni-research/steward-1.pem --registry >> registry.toml
  sluis key show --cert custodian/anna.pem --line
  sluis key show --json")]
pub(crate) struct ShowArgs {
    /// Print only the [[key]] table for the registry
    #[arg(long, conflicts_with = "line")]
    registry: bool,
    /// Print only the line for `custodians` in the configuration of sluisd
    #[arg(long)]
    line: bool,
    /// Print the key as JSON
    #[arg(long, conflicts_with_all = ["line", "registry"])]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl KeyCommand {
    pub(crate) fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Show(args) => args.run(),
        }
    }
}

impl ShowArgs {
    fn run(self) -> Result<Exit, CliError> {
        let path: PathBuf = self.connect.certificate()?;
        let holder = credentials::holder(&path)?;
        let line = Custodian {
            identity: holder.identity.clone(),
            key: holder.key.clone(),
        }
        .to_string();
        if self.json {
            output::json(
                &json!({ "member": holder.identity.to_string(), "public_key": holder.key.to_string() }),
            )?;
        } else if self.line {
            output::line(line)?;
        } else if self.registry {
            output::line(Safe::document(&table(&holder)))?;
        } else {
            output::line("In the configuration of sluisd, for custodians:")?;
            output::show(["", &line, "", "In the registry, for stewards:"], false)?;
            output::line(Safe::document(&table(&holder)))?;
        }
        Ok(Exit::Done)
    }
}

/// The table that pins the key in a registry, with an empty line before it.
pub(crate) fn table(holder: &Holder) -> String {
    format!(
        "\n[[key]]\nmember = \"{}\"\npublic_key = \"{}\"",
        holder.identity, holder.key
    )
}
