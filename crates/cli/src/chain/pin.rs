//! `sluis chain pin`: write down what a chain does, and compare.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sluis_client::{ChainView, ClientError};
use sluis_domain::ChainId;

use crate::connect::ConnectArgs;
use crate::data::Target;
use crate::error::{CliError, Exit};
use crate::output::{self, Safe};
use crate::pin::Pins;

/// Write down what chains do with your records, so that a custodian that says otherwise is sent nothing (sources)
///
/// The file holds the whole description of each chain: its parties, its namespaces with their identifier, input, checksum and
/// link, its elements with their treatments and parameters, retention and your quota. Read it, keep it, and give it to
/// `sluis pseudonymise`, `import` and `subject erase` with --expect, SLUIS_EXPECT, or `expect` in the profile: they compare it
/// with what the custodian says before anything is sent, and refuse every difference (exit code 9).
///
/// When a chain changes with your consent, look at the differences with --check and write the file again.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis chain pin diabetes-study
  sluis chain pin diabetes-study national-registry --out pins.toml
  sluis chain pin --check pins.toml
  sluis chain pin --check pins.toml --json
  sluis pseudonymise patients.csv --chain diabetes-study --expect pins.toml -o out.csv")]
pub(crate) struct PinArgs {
    /// The chains; with --check by default all of the file
    #[arg(value_name = "CHAIN", required_unless_present = "check")]
    chains: Vec<ChainId>,
    /// Where the pins go [default: standard output]
    #[arg(long, short, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long, requires = "out")]
    force: bool,
    /// Compare this file with what the custodian says now; exit code 9 if anything differs
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Print the pins, or with --check the differences, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl PinArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        match &self.check {
            Some(file) => self.check(file).await,
            None => self.write().await,
        }
    }

    async fn write(&self) -> Result<Exit, CliError> {
        if let Some(path) = &self.out {
            Target::check(path, self.force)?;
        }
        let client = self.connect.connect().await?;
        let mut chains = Vec::new();
        for id in &self.chains {
            let found = client.chain(id).await?;
            chains.push(found.ok_or(ClientError::Protocol(
                "an answer without the chain that was asked for",
            ))?);
        }
        let pins = Pins::of(&chains);
        let text = pins.text()?;
        if let Some(path) = &self.out {
            Target::write_whole(path, text.as_bytes(), self.force, false)?;
        }
        match &self.out {
            _ if self.json => output::json(&pins)?,
            None => output::line(Safe::document(text.trim_end()))?,
            Some(path) => {
                let path = path.display();
                output::line(format!("{} chains in {path}", chains.len()))?;
                output::line(
                    "read it: it is what the custodian says now, not yet what you agreed to",
                )?;
            }
        }
        Ok(Exit::Done)
    }

    async fn check(&self, file: &Path) -> Result<Exit, CliError> {
        let all = Pins::read(file)?;
        let asked: Vec<&str> = match self.chains.as_slice() {
            [] => all.chains().collect(),
            chains => chains.iter().map(ChainId::as_str).collect(),
        };
        let client = self.connect.connect().await?;
        let told = client.list_chains(None).await?.chains;
        let mut found = Vec::new();
        for id in &asked {
            let Some(pin) = all.only(id) else {
                let path = file.display();
                return Err(CliError::usage(format!("{path} has no pin of chain {id}")));
            };
            let now = told.iter().filter(|chain| chain.id.as_str() == *id);
            let now: Vec<ChainView> = now.cloned().collect();
            found.extend(pin.differences(&Pins::of(&now)));
        }
        if self.json {
            let (same, chains) = (found.is_empty(), &asked);
            output::json(&json!({ "same": same, "chains": chains, "differences": found }))?;
            return Ok(if same { Exit::Done } else { Exit::Differs });
        }
        if found.is_empty() {
            output::line(format!("the custodian says the same: {}", asked.join(", ")))?;
            return Ok(Exit::Done);
        }
        Err(CliError::Differs {
            what: format!("the custodian says something else than {}", file.display()),
            details: found.iter().map(ToString::to_string).collect(),
        })
    }
}
