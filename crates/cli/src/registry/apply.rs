//! `sluis registry apply`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sluis_client::checked::{self, CheckedProposal};
use sluis_client::v1::{
    ApplyRegistryRequest, ApplyRegistryResponse, ChangeKind, Proposal, ProposalState,
    RegistryChange,
};
use sluis_client::{Client, ClientError};
use sluis_views::proposal as view;

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::file_kind;
use crate::output::{self, Paint, Safe};
use crate::proposal;
use crate::unsure::unless_answered;

/// Propose a registry (custodians): shows what would change and who must sign, asks, proposes exactly that, and signs
///
/// The custodian checks the whole file before it takes any of it; a refusal lists every error with its place. The
/// registry comes into force with the last signature it needs; your own is given at once.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis registry apply registry.toml --dry-run
  sluis registry apply registry.toml
  sluis registry apply registry.toml --yes --json | jq -r .proposal.proposal_id")]
pub(crate) struct ApplyArgs {
    /// The whole registry as TOML
    file: PathBuf,
    /// Only show what would change and who would have to sign
    #[arg(long)]
    dry_run: bool,
    /// Propose without asking
    #[arg(long)]
    yes: bool,
    /// Propose, and leave all signatures to others
    #[arg(long)]
    no_sign: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl ApplyArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let toml = read(&self.file)?;
        let client = self.connect.connect().await?;
        let preview = self.send(&client, &toml, None).await?;
        self.show(&preview)?;
        if self.dry_run || preview.needs.is_empty() {
            return self.report_unchanged(&preview);
        }
        if !self.yes {
            let otherwise = "there is no terminal to ask on: look at the differences with --dry-run, then give --yes";
            output::confirm("Propose these changes?", otherwise)?;
        }
        let proposed = self.send(&client, &toml, Some(preview.version)).await?;
        let wire = proposal::present(proposed.proposal.clone())?;
        let wire = if self.no_sign {
            wire
        } else {
            self.sign(&client, &toml, &preview, wire).await?
        };
        self.report(&proposed, &wire)
    }

    /// A dry run without, a proposal with the version the differences were seen against.
    async fn send(
        &self,
        client: &Client,
        toml: &str,
        expected_version: Option<u64>,
    ) -> Result<ApplyRegistryResponse, CliError> {
        let dry_run = expected_version.is_none();
        let request = ApplyRegistryRequest {
            toml: toml.to_owned(),
            dry_run,
            expected_version,
        };
        let answer = client.registry().apply_registry(request).await;
        if dry_run {
            return Ok(answer.map_err(ClientError::from)?.into_inner());
        }
        let look = || "sluis proposal list".to_owned();
        Ok(answer.map_err(unless_answered(look))?.into_inner())
    }

    /// One's own signature, under the file and the differences that were shown and nothing else.
    async fn sign(
        &self,
        client: &Client,
        toml: &str,
        shown: &ApplyRegistryResponse,
        proposed: Proposal,
    ) -> Result<Proposal, CliError> {
        let id = checked::proposal(&proposed)?.proposal.id;
        let (wire, checked) = proposal::fetch(client, &id).await?;
        if wire.state() != ProposalState::Open {
            return Ok(wire);
        }
        if wire.registry_toml != toml || local_diff(&checked) != diff(shown, Paint::plain()) {
            let what =
                "the proposal is not what was shown, so you did not sign it; look at it with";
            return Err(CliError::NotConfirmed(format!(
                "{what} `sluis proposal show {id}`"
            )));
        }
        proposal::sign_own(client, wire).await
    }

    fn report_unchanged(&self, preview: &ApplyRegistryResponse) -> Result<Exit, CliError> {
        if self.json {
            output::json(&view_of(preview, None))?;
            return Ok(Exit::Done);
        }
        let prefix = match preview.changes.is_empty() {
            true => "no changes; ",
            false => "this was a dry run: nothing was changed; ",
        };
        output::line(format!("{prefix}version {} is in force", preview.version))?;
        Ok(Exit::Done)
    }

    fn report(&self, proposed: &ApplyRegistryResponse, wire: &Proposal) -> Result<Exit, CliError> {
        if self.json {
            output::json(&view_of(proposed, Some(wire)))?;
            return Ok(Exit::Done);
        }
        if wire.state() == ProposalState::Effective {
            output::line(format!(
                "applied; version {} is in force",
                proposed.version.saturating_add(1)
            ))?;
        } else {
            output::line(format!(
                "proposed; version {} stays in force until everybody has signed",
                proposed.version
            ))?;
        }
        for text in proposal::what_is_missing(wire) {
            output::line(text.replace("sluis proposal sign", "sluis registry sign"))?;
        }
        Ok(Exit::Done)
    }

    /// The differences and the signatures, on standard error where standard output is for JSON.
    fn show(&self, answer: &ApplyRegistryResponse) -> Result<(), CliError> {
        let paint = if self.json {
            Paint::stderr()
        } else {
            Paint::stdout()
        };
        let keys = answer
            .new_key_lines
            .iter()
            .map(|line| paint.yellow(&format!("! new keys for {line}")));
        let needs = answer
            .needs
            .iter()
            .map(|need| view::need_line(need.count, &need.stewards_of, &need.because).into());
        output::show(
            diff(answer, paint).into_iter().chain(keys).chain(needs),
            self.json,
        )
    }
}

fn read(path: &Path) -> Result<String, CliError> {
    let bytes = fs::read(path).map_err(CliError::reading(path))?;
    file_kind::expect_text(&bytes, path)?;
    String::from_utf8(bytes)
        .map_err(|_| CliError::input(format!("{} is not UTF-8 text", path.display())))
}

/// The differences as the custodian told them.
fn diff(answer: &ApplyRegistryResponse, paint: Paint) -> Vec<Safe> {
    answer
        .changes
        .iter()
        .map(|change| paint.line(view::change_line(&as_domain(change))))
        .collect()
}

/// The differences as computed here.
fn local_diff(checked: &CheckedProposal) -> Vec<Safe> {
    let changes = checked
        .registry
        .iter()
        .flat_map(|registry| &registry.changes);
    changes
        .map(|change| view::change_line(change).text)
        .collect()
}

fn as_domain(change: &RegistryChange) -> sluis_ledger::registry::Change {
    use sluis_ledger::registry::ChangeKind as Kind;
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let kind = match change.kind() {
        ChangeKind::Added => Kind::Added,
        ChangeKind::Removed => Kind::Removed,
        ChangeKind::Changed | ChangeKind::Unspecified => Kind::Changed,
    };
    let (before, after) = (text(&change.before), text(&change.after));
    sluis_ledger::registry::Change {
        kind,
        path: change.path.clone(),
        before,
        after,
    }
}

fn view_of(answer: &ApplyRegistryResponse, wire: Option<&Proposal>) -> Value {
    let kind = |change: &RegistryChange| match change.kind() {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed => "changed",
        ChangeKind::Unspecified => "unknown",
    };
    let change = |c: &RegistryChange| json!({ "kind": kind(c), "path": c.path, "before": c.before, "after": c.after });
    let applied = wire.is_some_and(|wire| wire.state() == ProposalState::Effective);
    json!({
        "applied": applied,
        "version": answer.version.saturating_add(applied.into()),
        "changes": answer.changes.iter().map(change).collect::<Vec<_>>(),
        "new_key_lines": answer.new_key_lines,
        "needs": view::needs(&answer.needs),
        "proposal": wire.map(view::json),
    })
}
