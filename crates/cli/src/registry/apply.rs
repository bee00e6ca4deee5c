//! `sluis registry apply`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sluis_client::checked::CheckedProposal;
use sluis_client::{Client, ClientError, ProposalView, ProposedRegistry};
use sluis_ledger::proposal::State;
use sluis_ledger::registry::{Change, ChangeKind};
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
        let preview = client.preview_registry(&toml).await?;
        self.show(&preview)?;
        if self.dry_run || preview.needs.is_empty() {
            return self.report_unchanged(&preview);
        }
        if !self.yes {
            let otherwise = "there is no terminal to ask on: look at the differences with --dry-run, then give --yes";
            output::confirm("Propose these changes?", otherwise)?;
        }
        let proposed = client.propose_registry(&toml, preview.version).await;
        let proposed = proposed.map_err(unless_answered(|| "sluis proposal list".to_owned()))?;
        let view = proposed
            .proposal
            .clone()
            .ok_or(ClientError::Protocol("an answer without its proposal"))?;
        let view = if self.no_sign {
            view
        } else {
            self.sign(&client, &toml, &preview, &view).await?
        };
        self.report(&proposed, &view)
    }

    /// One's own signature, under the file and the differences that were shown and nothing else.
    async fn sign(
        &self,
        client: &Client,
        toml: &str,
        shown: &ProposedRegistry,
        proposed: &ProposalView,
    ) -> Result<ProposalView, CliError> {
        let id = &proposed.proposal.id;
        let checked = client.proposal(id).await?;
        if checked.view.state != State::Open {
            return Ok(checked.view);
        }
        let texts = checked.view.texts.as_ref();
        let same_text = texts.is_some_and(|texts| texts.proposed == toml);
        if !same_text || local_diff(&checked) != diff(shown, Paint::plain()) {
            let what =
                "the proposal is not what was shown, so you did not sign it; look at it with";
            return Err(CliError::NotConfirmed(format!(
                "{what} `sluis proposal show {id}`"
            )));
        }
        proposal::sign_own(client, checked.view).await
    }

    fn report_unchanged(&self, preview: &ProposedRegistry) -> Result<Exit, CliError> {
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

    fn report(&self, proposed: &ProposedRegistry, view: &ProposalView) -> Result<Exit, CliError> {
        if self.json {
            output::json(&view_of(proposed, Some(view)))?;
            return Ok(Exit::Done);
        }
        if view.state == State::Effective {
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
        for text in proposal::what_is_missing(view) {
            output::line(text.replace("sluis proposal sign", "sluis registry sign"))?;
        }
        Ok(Exit::Done)
    }

    /// The differences and the signatures, on standard error where standard output is for JSON.
    fn show(&self, answer: &ProposedRegistry) -> Result<(), CliError> {
        let paint = if self.json {
            Paint::stderr()
        } else {
            Paint::stdout()
        };
        let keys = answer
            .new_key_lines
            .iter()
            .map(|line| paint.yellow(&format!("! new keys for {line}")));
        let needs = answer.needs.iter().map(|need| view::need_line(need).into());
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
fn diff(answer: &ProposedRegistry, paint: Paint) -> Vec<Safe> {
    answer
        .changes
        .iter()
        .map(|change| paint.line(view::change_line(change)))
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

fn view_of(answer: &ProposedRegistry, proposal: Option<&ProposalView>) -> Value {
    let applied = proposal.is_some_and(|view| view.state == State::Effective);
    json!({
        "applied": applied,
        "version": answer.version.saturating_add(applied.into()),
        "changes": answer.changes.iter().map(change_view).collect::<Vec<_>>(),
        "new_key_lines": answer.new_key_lines,
        "needs": view::needs(&answer.needs),
        "proposal": proposal.map(view::json),
    })
}

fn change_view(change: &Change) -> Value {
    let kind = match change.kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed => "changed",
    };
    let before = change.before.as_deref().unwrap_or_default();
    let after = change.after.as_deref().unwrap_or_default();
    json!({ "kind": kind, "path": change.path, "before": before, "after": after })
}
