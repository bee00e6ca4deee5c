//! `sluis proposal`: what waits for signatures: registry changes, the end of keys, erasures.

mod decide;

use clap::{Args, Subcommand};
use serde_json::json;
use sluis_client::checked::{self, CheckedProposal};
use sluis_client::v1::{GetProposalRequest, ListProposalsRequest, Proposal, WhoAmIRequest};
use sluis_client::{Client, ClientError};
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
            Self::Sign(args) => decide(&args.named, args.yes, Decision::Sign, None).await,
            Self::Reject(args) => decide(&args.named, args.yes, Decision::Reject, None).await,
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
        let (wire, checked) = fetch(&client, &self.named.proposal).await?;
        if self.named.json {
            output::json(&view::json(&wire))?;
            return Ok(Exit::Done);
        }
        let paint = output::Paint::stdout();
        for line in view::lines(&wire, &checked) {
            output::line(paint.line(line))?;
        }
        Ok(Exit::Done)
    }
}

impl ListArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let request = ListProposalsRequest { all: self.all };
        let answer = client
            .proposals()
            .list_proposals(request)
            .await
            .map_err(ClientError::from)?
            .into_inner();
        for wire in &answer.proposals {
            checked::proposal(wire)?;
        }
        if self.json {
            output::json(
                &json!({ "proposals": answer.proposals.iter().map(view::json).collect::<Vec<_>>() }),
            )?;
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
        for wire in &answer.proposals {
            let proposal = wire.clone();
            table.row([
                proposal.proposal_id,
                view::kind_word(wire).to_owned(),
                view::state_word(wire).to_owned(),
                proposal.proposer,
                proposal.not_after,
                view::waits_for(wire),
            ]);
        }
        table.print()?;
        Ok(Exit::Done)
    }
}

/// A proposal, and what the bytes that are signed say.
pub(crate) async fn fetch(
    client: &Client,
    id: &ProposalId,
) -> Result<(Proposal, CheckedProposal), CliError> {
    let request = GetProposalRequest {
        proposal_id: id.to_string(),
    };
    let answer = client
        .proposals()
        .get_proposal(request)
        .await
        .map_err(ClientError::from)?
        .into_inner();
    let wire = present(answer.proposal)?;
    let checked = checked::proposal(&wire)?;
    if checked.proposal.id != *id {
        return Err(ClientError::Protocol("an answer with another proposal").into());
    }
    Ok((wire, checked))
}

/// Signs what was just proposed, if its signature is one that the proposal waits for; gives the proposal after it.
///
/// # Errors
/// Those of the calls.
pub(crate) async fn sign_own(client: &Client, wire: Proposal) -> Result<Proposal, CliError> {
    let me = client
        .identity()
        .who_am_i(WhoAmIRequest {})
        .await
        .map_err(ClientError::from)?
        .into_inner();
    if !me.awaiting_signature.contains(&wire.proposal_id) {
        return Ok(wire);
    }
    if !me.key_pinned {
        output::warn(
            "the key of your certificate is not the one that is pinned for you, so you did not sign it",
        );
        return Ok(wire);
    }
    sign(client, &wire).await
}

/// What the others have to do; nothing if the proposal is effective.
pub(crate) fn what_is_missing(wire: &Proposal) -> Vec<String> {
    if wire.missing.is_empty() {
        return Vec::new();
    }
    vec![
        format!(
            "{} waits until {} for {}",
            wire.proposal_id,
            wire.not_after,
            view::waits_for(wire)
        ),
        format!(
            "each of them signs with: sluis proposal sign {}",
            wire.proposal_id
        ),
    ]
}

/// The proposal of an answer, which the contract says is always set.
pub(crate) fn present(proposal: Option<Proposal>) -> Result<Proposal, ClientError> {
    proposal.ok_or(ClientError::Protocol("an answer without its proposal"))
}
