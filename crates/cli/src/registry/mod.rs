//! `sluis registry`: apply with a diff, sign, show.

mod apply;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Safe};
use crate::proposal::{self, Decision};

/// The registry of organisations, namespaces and chains
#[derive(Subcommand, Debug)]
pub(crate) enum RegistryCommand {
    Apply(apply::ApplyArgs),
    Sign(SignArgs),
    Show(ShowArgs),
}

/// Sign a proposed registry: custodians, and stewards of the organisations it concerns
///
/// Compares the proposed text with the one it replaces on this machine, shows what changes and who must sign because of
/// what, then asks. With the last signature the registry comes into force.
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis registry sign p-7f3a --profile steward-1\n  sluis registry sign p-7f3a --yes"
)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    named: proposal::Named,
    /// Sign without asking
    #[arg(long)]
    yes: bool,
}

/// Print the registry in force, or an earlier version, as it was applied (custodians, auditors)
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis registry show > registry.toml
  sluis registry show --version 3
  sluis registry show --json | jq .version")]
pub(crate) struct ShowArgs {
    /// This version [default: the one in force]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    version: Option<u64>,
    /// Print version and text as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl RegistryCommand {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Apply(args) => args.run().await,
            Self::Sign(args) => proposal::decide(&args.named, args.yes, Decision::Sign, true).await,
            Self::Show(args) => args.run().await,
        }
    }
}

impl ShowArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let text = client.registry_text(self.version).await?;
        if self.json {
            output::json(&json!({ "version": text.version, "toml": text.toml }))?;
        } else {
            output::note(format!("version {}", text.version));
            output::line(Safe::document(text.toml.trim_end()))?;
        }
        Ok(Exit::Done)
    }
}
