//! `sluis registry`: apply with a diff, show.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluis_client::v1::{ApplyRegistryRequest, ApplyRegistryResponse, ChangeKind, GetRegistryRequest, RegistryChange};
use sluis_client::{Client, ClientError};

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Paint, safe};

/// The registry of organisations, namespaces and chains (custodians)
#[derive(Subcommand, Debug)]
pub(crate) enum RegistryCommand {
    Apply(ApplyArgs),
    Show(ShowArgs),
}

/// Put a registry into force: shows what would change, asks, applies exactly that
///
/// The custodian checks the whole file before it takes any of it; a refusal lists every error with its place.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis registry apply registry.toml --dry-run
  sluis registry apply registry.toml
  sluis registry apply registry.toml --yes --json")]
pub(crate) struct ApplyArgs {
    /// The whole registry as TOML
    file: PathBuf,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Apply without asking
    #[arg(long)]
    yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Print the registry in force, as it was applied
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis registry show > registry.toml\n  sluis registry show --json | jq .version")]
pub(crate) struct ShowArgs {
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
            Self::Show(args) => args.run().await,
        }
    }
}

impl ApplyArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let toml = read(&self.file)?;
        let client = self.connect.connect().await?;
        let preview = self.apply(&client, &toml, None).await?;
        if self.dry_run {
            return self.report(&preview, "no changes; ", "this was a dry run: nothing was changed; ");
        }
        if preview.changes.is_empty() {
            return self.report(&preview, "no changes; ", "");
        }
        if !self.yes {
            self.show(&preview)?;
            let otherwise = "there is no terminal to ask on: look at the differences with --dry-run, then give --yes";
            output::confirm("Apply these changes?", otherwise)?;
        }
        let applied = self.apply(&client, &toml, Some(preview.version)).await?;
        self.report_applied(&applied)
    }

    /// A dry run without, the real thing with the version the differences were seen against.
    async fn apply(
        &self,
        client: &Client,
        toml: &str,
        expected_version: Option<u64>,
    ) -> Result<ApplyRegistryResponse, CliError> {
        let dry_run = expected_version.is_none();
        let request = ApplyRegistryRequest { toml: toml.to_owned(), dry_run, expected_version };
        let answer = client.registry().apply_registry(request).await;
        Ok(answer.map_err(ClientError::from)?.into_inner())
    }

    fn report(&self, answer: &ApplyRegistryResponse, unchanged: &str, changed: &str) -> Result<Exit, CliError> {
        if self.json {
            output::json(&view(answer, false))?;
            return Ok(Exit::Done);
        }
        self.show(answer)?;
        let prefix = if answer.changes.is_empty() { unchanged } else { changed };
        output::line(format!("{prefix}version {} is in force", answer.version))?;
        Ok(Exit::Done)
    }

    fn report_applied(&self, answer: &ApplyRegistryResponse) -> Result<Exit, CliError> {
        if self.json {
            output::json(&view(answer, true))?;
            return Ok(Exit::Done);
        }
        if self.yes {
            self.show(answer)?;
        }
        output::line(format!("applied; version {} is in force", answer.version))?;
        Ok(Exit::Done)
    }

    /// The differences, on standard error where standard output is for JSON.
    fn show(&self, answer: &ApplyRegistryResponse) -> Result<(), CliError> {
        let paint = if self.json { Paint::stderr() } else { Paint::stdout() };
        for text in diff(answer, paint) {
            if self.json { output::note(text) } else { output::line(text)? }
        }
        Ok(())
    }
}

impl ShowArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let answer =
            client.registry().get_registry(GetRegistryRequest {}).await.map_err(ClientError::from)?.into_inner();
        if self.json {
            output::json(&json!({ "version": answer.version, "toml": answer.toml }))?;
        } else {
            output::note(format!("version {}", answer.version));
            output::line(answer.toml.trim_end())?;
        }
        Ok(Exit::Done)
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    let bytes = fs::read(path).map_err(CliError::reading(path))?;
    String::from_utf8(bytes).map_err(|_| CliError::input(format!("{} is not UTF-8 text", path.display())))
}

fn diff(answer: &ApplyRegistryResponse, paint: Paint) -> Vec<String> {
    let changes = answer.changes.iter().map(|change| diff_line(change, paint));
    let lines = answer.new_key_lines.iter().map(|line| paint.yellow(&format!("! new keys for {}", safe(line))));
    changes.chain(lines).collect()
}

fn diff_line(change: &RegistryChange, paint: Paint) -> String {
    let (path, before, after) = (safe(&change.path), safe(&change.before), safe(&change.after));
    let with = |text: &str| if text.is_empty() { String::new() } else { format!(" = {text}") };
    match change.kind() {
        ChangeKind::Added => paint.green(&format!("+ {path}{}", with(&after))),
        ChangeKind::Removed => paint.red(&format!("- {path}{}", with(&before))),
        ChangeKind::Changed | ChangeKind::Unspecified => paint.yellow(&format!("~ {path}: {before} -> {after}")),
    }
}

fn view(answer: &ApplyRegistryResponse, applied: bool) -> Value {
    let kind = |change: &RegistryChange| match change.kind() {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed => "changed",
        ChangeKind::Unspecified => "unknown",
    };
    let change = |c: &RegistryChange| json!({ "kind": kind(c), "path": c.path, "before": c.before, "after": c.after });
    json!({
        "applied": applied,
        "version": answer.version,
        "changes": answer.changes.iter().map(change).collect::<Vec<_>>(),
        "new_key_lines": answer.new_key_lines,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_what_where_before_and_after() {
        let change = |kind: ChangeKind, before: &str, after: &str| RegistryChange {
            kind: kind.into(),
            path: "chain[a].retention".into(),
            before: before.into(),
            after: after.into(),
        };
        let answer = ApplyRegistryResponse {
            version: 1,
            changes: vec![
                change(ChangeKind::Added, "", "10y"),
                change(ChangeKind::Removed, "10y", ""),
                change(ChangeKind::Changed, "10y", "5y"),
            ],
            new_key_lines: vec!["a/nl.bsn".into()],
        };
        let expected = [
            "+ chain[a].retention = 10y",
            "- chain[a].retention = 10y",
            "~ chain[a].retention: 10y -> 5y",
            "! new keys for a/nl.bsn",
        ];
        assert_eq!(diff(&answer, Paint::plain()), expected);
    }
}
