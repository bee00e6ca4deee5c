//! `sluis status`, `sluis backup` and `sluis custody`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluis_client::{CustodyStatus, ExpiringChain, KeyState, KeyVersion};
use sluis_ledger::instruction::Task;

use crate::change::ChangeArgs;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::instructed::instruct;
use crate::output::{self, Table};
use crate::unsure::{unless_answered, unless_answered_with};
use sluis_views::words::text;

/// Show the state of the custodian and its key versions (custodians)
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis status\n  sluis status --json | jq .registry_version")]
pub(crate) struct StatusArgs {
    /// Print the state as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Write a verified copy of the store on the custodian's machine while it is in use (custodians)
///
/// The copy lands in the backup directory of the daemon's configuration and holds no unwrapped key. `sluisd restore`
/// brings it back.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis backup\n  sluis backup --json | jq -r .directory")]
pub(crate) struct BackupArgs {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Care for the custodian's own keys (custodians)
#[derive(Subcommand, Debug)]
pub(crate) enum CustodyCommand {
    RotateAuditKey(RotateAuditKeyArgs),
}

/// Sign the audit log with a new key from now on (custodians)
///
/// The old key signs the hand-over, so that whoever trusts it can go on to the new one; old proofs stay valid.
/// Shows the instruction that you sign with the key of your certificate, and asks.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis custody rotate-audit-key\n  \
                        sluis custody rotate-audit-key --yes --json | jq -r .verifier_key")]
pub(crate) struct RotateAuditKeyArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

impl CustodyCommand {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::RotateAuditKey(args) => args.run().await,
        }
    }
}

impl RotateAuditKeyArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.change.connect.connect().await?;
        let status = client.custody_status().await?;
        let question = "Sign the log with a new key from now on?";
        let task = Task::RotateAuditKey;
        let instruction = instruct(&self.change, &client, &status, task, Some(question)).await?;
        let rotated = client.rotate_audit_key(instruction).await;
        let key = rotated.map_err(unless_answered(|| "sluis audit read".to_owned()))?;
        if self.change.json {
            output::json(&json!({ "verifier_key": key }))?;
        } else {
            output::line(format!("the log's new verifier key: {key}"))?;
            output::line(
                "publish it; the old key signs the hand-over, so whoever trusts that one can follow",
            )?;
        }
        Ok(Exit::Done)
    }
}

impl StatusArgs {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let status = client.custody_status().await?;
        if self.json {
            output::json(&view(&status))?;
        } else {
            print(&status)?;
        }
        Ok(Exit::Done)
    }
}

impl BackupArgs {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let made = client.create_backup().await;
        let backup = made.map_err(unless_answered_with(|| {
            "Look into the backup directory on the custodian's machine; one more backup does no harm".to_owned()
        }))?;
        if self.json {
            output::json(&json!({
                "directory": backup.directory, "bytes": backup.bytes, "audit_entries": backup.audit_entries,
            }))?;
        } else {
            output::line(format!(
                "backup in {} on the custodian's machine",
                backup.directory
            ))?;
            output::line(format!(
                "{} bytes, at least {} audit entries",
                backup.bytes, backup.audit_entries
            ))?;
        }
        Ok(Exit::Done)
    }
}

/// Key versions as a table.
pub(crate) fn key_table(versions: &[KeyVersion]) -> Table {
    let mut table = Table::new(["chain", "line", "version", "kid", "state", "escrow", "made"]);
    for version in versions {
        let namespace = version.namespace.as_ref();
        table.row([
            version.chain.to_string(),
            namespace
                .map_or("encrypted elements", |id| id.as_str())
                .to_owned(),
            version.generation.to_string(),
            version.kid.to_string(),
            state(version.state).to_owned(),
            if version.escrow { "yes" } else { "no" }.to_owned(),
            version.created_at.to_string(),
        ]);
    }
    table
}

/// A key version as JSON, with the field names of the wire.
pub(crate) fn key_version(version: &KeyVersion) -> Value {
    json!({
        "kid": version.kid.to_string(),
        "chain_id": version.chain,
        "namespace_id": text(version.namespace.as_ref()),
        "state": state(version.state),
        "generation": version.generation,
        "created_at": version.created_at.to_string(),
        "escrow": version.escrow,
    })
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Active => "active",
        KeyState::ConvertOnly => "convert-only",
        KeyState::Disabled => "disabled",
        KeyState::Destroyed => "destroyed",
    }
}

fn print(status: &CustodyStatus) -> Result<(), CliError> {
    let serving = if status.serving {
        "yes"
    } else {
        "no: acts are refused; the daemon's log says why"
    };
    let facts = [
        ("version", status.version.clone()),
        ("method", status.method.clone()),
        ("started", status.started_at.to_string()),
        ("serving", serving.to_owned()),
        ("registry", format!("version {}", status.registry_version)),
        ("audit", format!("{} entries", status.audit_entries)),
        ("origin", status.origin.clone()),
    ];
    for (name, fact) in facts {
        output::line(format!("{name:<10}{fact}"))?;
    }
    for chain in &status.expiring_chains {
        let (id, until, destroyed) = (&chain.chain, chain.retained_until, chain.destroyed_at);
        let text =
            format!("the retention of {id} ended at {until}: it will be destroyed at {destroyed}");
        output::line(format!("{:<10}{text}", "retention"))?;
    }
    if !status.key_versions.is_empty() {
        output::line("")?;
        key_table(&status.key_versions).print()?;
    }
    Ok(())
}

fn view(status: &CustodyStatus) -> Value {
    json!({
        "version": status.version,
        "method": status.method,
        "started_at": status.started_at.to_string(),
        "serving": status.serving,
        "registry_version": status.registry_version,
        "audit_entries": status.audit_entries,
        "origin": status.origin,
        "now": status.now.to_string(),
        "key_versions": status.key_versions.iter().map(key_version).collect::<Vec<_>>(),
        "expiring_chains": status.expiring_chains.iter().map(expiring).collect::<Vec<_>>(),
    })
}

fn expiring(chain: &ExpiringChain) -> Value {
    json!({
        "chain_id": chain.chain,
        "retained_until": chain.retained_until.to_string(),
        "destroyed_at": chain.destroyed_at.to_string(),
    })
}
