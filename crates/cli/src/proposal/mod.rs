//! `sluis proposal`: what waits for signatures: registry changes, the end of keys, erasures.

mod decide;

use clap::{Args, Subcommand};
use serde_json::json;
use sluis_client::{Client, ProposalView};
use sluis_domain::ProposalId;
use sluis_views::proposal as view;

pub(crate) use self::decide::{Decision, decide, sign};
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Table};

/// Proposals: registry changes, the end of keys and erasures, until enough people have signed them
#[derive(Subcommand, Debug)]
pub(crate) enum ProposalCommand {
    Sign(SignArgs),
    Reject(RejectArgs),
    Show(ShowArgs),
    List(ListArgs),
}

impl ProposalCommand {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Sign(args) => decide(&args.named, args.yes, Decision::Sign, false).await,
            Self::Reject(args) => decide(&args.named, args.yes, Decision::Reject, false).await,
            Self::Show(args) => args.run().await,
            Self::List(args) => args.run().await,
        }
    }
}

/// One proposal, and how to print it.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The proposal's id
    pub(crate) proposal: ProposalId,
    /// Print the proposal as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

/// Sign a proposal: custodians, and stewards of the organisations it concerns
///
/// Shows what it does, read from the bytes that are signed, then asks. The signature is made on this machine with the
/// key of your client certificate. With the last signature the proposal becomes effective.
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis proposal sign p-7f3a --profile steward-1\n  sluis proposal sign p-7f3a --yes"
)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    named: Named,
    /// Sign without asking
    #[arg(long)]
    yes: bool,
}

/// Reject a proposal, for good, or withdraw your own
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis proposal reject p-7f3a --profile steward-1")]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    named: Named,
    /// Reject without asking
    #[arg(long)]
    yes: bool,
}

/// Show a proposal: what it does, who signed, who still has to
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis proposal show p-7f3a\n  sluis proposal show p-7f3a --json | jq .missing"
)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    named: Named,
}

/// List the proposals that concern you
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis proposal list\n  sluis proposal list --all --json")]
pub(crate) struct ListArgs {
    /// Those that have ended, too
    #[arg(long)]
    all: bool,
    /// Print the proposals as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl ShowArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let checked = client.proposal(&self.named.proposal).await?;
        if self.named.json {
            output::json(&view::json(&checked.view))?;
            return Ok(Exit::Done);
        }
        let paint = output::Paint::stdout();
        for line in view::lines(&checked) {
            output::line(paint.line(line))?;
        }
        Ok(Exit::Done)
    }
}

impl ListArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let proposals = client.list_proposals(self.all).await?;
        if self.json {
            let views: Vec<_> = proposals.iter().map(view::json).collect();
            output::json(&json!({ "proposals": views }))?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new([
            "proposal",
            "kind",
            "state",
            "proposer",
            "until",
            "waits for",
        ]);
        for view in &proposals {
            let proposal = &view.proposal;
            table.row([
                proposal.id.to_string(),
                view::kind_word(&proposal.matter).to_owned(),
                view::state_word(view.state).to_owned(),
                proposal.proposer.to_string(),
                proposal.not_after.to_string(),
                view::waits_for(view),
            ]);
        }
        table.print()?;
        Ok(Exit::Done)
    }
}

/// Signs what was just proposed, if its signature is one that the proposal waits for; gives the proposal after it.
///
/// # Errors
/// Those of the calls.
pub(crate) async fn sign_own(
    client: &Client,
    proposed: ProposalView,
) -> Result<ProposalView, CliError> {
    let me = client.who_am_i().await?;
    if !me.awaiting_signature.contains(&proposed.proposal.id) {
        return Ok(proposed);
    }
    if !me.key_pinned {
        output::warn(
            "the key of your certificate is not the one that is pinned for you, so you did not sign it",
        );
        return Ok(proposed);
    }
    sign(client, &proposed).await
}

/// What the others have to do; nothing if the proposal is effective.
pub(crate) fn what_is_missing(view: &ProposalView) -> Vec<String> {
    if view.missing.is_empty() {
        return Vec::new();
    }
    let (id, until) = (&view.proposal.id, view.proposal.not_after);
    vec![
        format!("{id} waits until {until} for {}", view::waits_for(view)),
        format!("each of them signs with: sluis proposal sign {id}"),
    ]
}
