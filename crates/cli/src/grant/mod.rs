//! `sluis grant`: request, approve, deny, revoke, show, list.

mod approve;
mod list;
mod request;

use clap::{Args, Subcommand};
use sluis_client::v1::{DenyGrantRequest, Grant, RevokeGrantRequest};
use sluis_client::{Client, ClientError, checked};
use sluis_domain::GrantId;
use sluis_ledger::statement::Deed;
use sluis_views::grant as view;

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output;
use crate::unsure::unless_answered;

/// Grants: approved, purpose-bound, limited, expiring, revocable permissions to convert or to re-identify
#[derive(Subcommand, Debug)]
pub(crate) enum GrantCommand {
    #[command(subcommand)]
    Request(request::RequestCommand),
    Approve(approve::ApproveArgs),
    Deny(DenyArgs),
    Revoke(RevokeArgs),
    Show(ShowArgs),
    List(list::ListArgs),
}

impl GrantCommand {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Request(command) => command.run().await,
            Self::Approve(args) => args.run().await,
            Self::Deny(args) => args.run().await,
            Self::Revoke(args) => args.run().await,
            Self::Show(args) => args.run().await,
            Self::List(args) => args.run().await,
        }
    }
}

/// One grant, and how to print it.
#[derive(Args, Debug)]
struct Named {
    /// The grant's id
    grant: GrantId,
    /// Print the grant as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Show a grant: its terms, who approved it, who still has to
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis grant show g-7f3a\n  sluis grant show g-7f3a --json | jq -r .digest"
)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    named: Named,
}

/// Deny a requested grant, for good (stewards of an owner of the grant's chains)
///
/// Shows it and asks; the denial is signed on this machine with the key of your client certificate.
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis grant deny g-7f3a --profile steward-1\n  sluis grant deny g-7f3a --yes"
)]
pub(crate) struct DenyArgs {
    #[command(flatten)]
    named: Named,
    /// Deny without asking
    #[arg(long)]
    yes: bool,
}

/// End a grant, from the next batch on (stewards of an owner of its chains, members of its grantee)
///
/// Shows it and asks; the revocation is signed on this machine with the key of your client certificate.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis grant revoke g-7f3a\n  sluis grant revoke g-7f3a --yes")]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    named: Named,
    /// Revoke without asking
    #[arg(long)]
    yes: bool,
}

impl ShowArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        // Its digest is what `grant approve --digest` takes: the description must be of the bytes that it is of.
        let grant = of_bytes(client.grant(&self.named.grant).await?, &self.named.grant)?;
        print(&grant, self.named.json)
    }
}

impl DenyArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let (grant_id, signature) = self
            .named
            .sign(
                &client,
                Deed::DenyGrant,
                self.yes,
                "Deny this grant, for good?",
            )
            .await?;
        let request = DenyGrantRequest {
            grant_id,
            signature: signature.into(),
        };
        let answer = client
            .grants()
            .deny_grant(request)
            .await
            .map_err(unless_answered(|| {
                format!("sluis grant show {}", self.named.grant)
            }))?
            .into_inner();
        self.named.after(&present(answer.grant)?, self.yes)
    }
}

impl RevokeArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let (grant_id, signature) = self
            .named
            .sign(&client, Deed::RevokeGrant, self.yes, "End this grant?")
            .await?;
        let request = RevokeGrantRequest {
            grant_id,
            signature: signature.into(),
        };
        let answer = client
            .grants()
            .revoke_grant(request)
            .await
            .map_err(unless_answered(|| {
                format!("sluis grant show {}", self.named.grant)
            }))?
            .into_inner();
        self.named.after(&present(answer.grant)?, self.yes)
    }
}

impl Named {
    /// Shows the grant and asks unless told not to, and signs what was shown: grant id and signature.
    async fn sign(
        &self,
        client: &Client,
        deed: Deed,
        yes: bool,
        question: &str,
    ) -> Result<(String, Vec<u8>), CliError> {
        let shown = of_bytes(client.grant(&self.grant).await?, &self.grant)?;
        if !yes {
            output::show(view::lines(&shown), self.json)?;
            let otherwise = "there is no terminal to ask on: look at it with `sluis grant show`, then give --yes";
            output::confirm(question, otherwise)?;
        }
        let signature = client.sign(deed, &shown.origin, &shown.canonical).await?;
        Ok((shown.grant_id, signature))
    }

    /// The grant after it: one line where it was shown before.
    fn after(&self, after: &Grant, yes: bool) -> Result<Exit, CliError> {
        if self.json || yes {
            return print(after, self.json);
        }
        output::line("")?;
        output::line(format!("{}: {}", after.grant_id, view::state(after)))?;
        Ok(Exit::Done)
    }
}

/// The grant, if it is the one asked for and what the bytes that are signed say.
fn of_bytes(wire: Grant, id: &GrantId) -> Result<Grant, ClientError> {
    match checked::grant(&wire)?.id == *id {
        true => Ok(wire),
        false => Err(ClientError::Protocol("an answer with another grant")),
    }
}

/// The grant of an answer, which the contract says is always set.
fn present(grant: Option<Grant>) -> Result<Grant, ClientError> {
    grant.ok_or(ClientError::Protocol("an answer without its grant"))
}

fn print(grant: &Grant, json: bool) -> Result<Exit, CliError> {
    if json {
        output::json(&view::json(grant))?;
    } else {
        for text in view::lines(grant) {
            output::line(text)?;
        }
    }
    Ok(Exit::Done)
}
