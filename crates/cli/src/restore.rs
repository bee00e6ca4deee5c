//! `sluis restore sign`: a custodian's yes to a restored store.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use sluis_client::{Holder, Signer};
use sluis_domain::Signed;
use sluis_domain::restore::{Request, Signature};
use sluis_domain::statement::Deed;

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, safe};

/// Agree to go on from a restored store, without the custodian's daemon
#[derive(Subcommand, Debug)]
pub(crate) enum RestoreCommand {
    Sign(SignArgs),
}

/// Sign what `sluisd restore` asks for, on your own machine (custodians)
///
/// Shows what is given up, asks, and writes a file with your signature and certificate. `sluisd accept-restore` takes two of
/// them, from two custodians. No connection is made.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis restore sign restore-request --out anna.signature\n  \
                        sluis restore sign restore-request --out anna.signature --yes --json")]
pub(crate) struct SignArgs {
    /// The request, as `sluisd restore` wrote it
    #[arg(value_name = "FILE")]
    request: PathBuf,
    /// Where the signature goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print what was signed as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl RestoreCommand {
    pub(crate) fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Sign(args) => args.run(),
        }
    }
}

impl SignArgs {
    fn run(self) -> Result<Exit, CliError> {
        let request = read(&self.request)?;
        let (certificate, key) = self.connect.credentials()?;
        let holder = Holder::from_pem(&certificate)?;
        let signer = Signer::from_pem(&key).map_err(sluis_client::ClientError::from)?;
        if *signer.public() != holder.key {
            return Err(CliError::usage("the private key is not the one of the certificate"));
        }
        if !self.json {
            show(&request)?;
        }
        if !self.yes {
            let question = format!("Sign as {}?", holder.identity);
            output::confirm(&question, "there is no terminal to ask on: give --yes")?;
        }
        let object = request.restore.encode();
        let signature = signer.sign(Deed::AcceptRestore, &request.origin, &object);
        let signature = signature.map_err(sluis_client::ClientError::from)?;
        let signed = Signed { signature, certificate: holder.certificate };
        let text = Signature { signed, issuers: holder.issuers }.to_string();
        fs::write(&self.out, text).map_err(CliError::writing(&self.out))?;
        let identity = holder.identity.to_string();
        if self.json {
            let restore = &request.restore;
            output::json(&json!({
                "origin": request.origin, "at": restore.at.to_string(), "signer": identity,
                "restored_size": restore.restored_size, "lost_size": restore.lost_size,
                "signature_file": self.out.display().to_string(),
            }))?;
        } else {
            output::line(format!("signed as {identity}: {}", self.out.display()))?;
        }
        Ok(Exit::Done)
    }
}

fn read(path: &Path) -> Result<Request, CliError> {
    let text = fs::read_to_string(path).map_err(CliError::reading(path))?;
    text.parse().map_err(|_| CliError::input(format!("{} is not a request that sluisd restore wrote", path.display())))
}

fn show(request: &Request) -> Result<(), CliError> {
    let restore = &request.restore;
    let hex = |root: &[u8; 32]| data_encoding::HEXLOWER.encode(root);
    output::line(format!("custodian      {}", safe(&request.origin)))?;
    output::line(format!("requested      {}", restore.at))?;
    output::line(format!("restored log   {} entries, root {}", restore.restored_size, hex(&restore.restored_root)))?;
    output::line(format!("given up       {} entries, root {}", restore.lost_size, hex(&restore.lost_root)))?;
    let lost = if (restore.restored_size, restore.restored_root) == (restore.lost_size, restore.lost_root) {
        "No signed head was left: nobody knows what was done after the restored log ended.".to_owned()
    } else {
        format!(
            "What the other log says after its common part with the restored one ({} entries at most) is given up.",
            restore.restored_size
        )
    };
    output::line(lost)?;
    output::line("Every live grant ends and every open proposal becomes stale when two custodians have signed.")
}
