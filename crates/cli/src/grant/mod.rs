//! `sluis grant`: request, approve, deny, revoke, show, list.

mod approve;
mod list;
mod request;
mod view;

use clap::{Args, Subcommand};
use sluis_client::ClientError;
use sluis_client::v1::{DenyGrantRequest, Grant, RevokeGrantRequest};
use sluis_domain::GrantId;

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output;

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
#[command(after_help = "EXAMPLES\n  sluis grant show g-7f3a\n  sluis grant show g-7f3a --json | jq -r .digest")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    named: Named,
}

/// Deny a requested grant, for good (stewards of an owner of the grant's chains)
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis grant deny g-7f3a --profile steward-1")]
pub(crate) struct DenyArgs {
    #[command(flatten)]
    named: Named,
}

/// End a grant, from the next batch on (stewards of an owner of its chains, members of its grantee)
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis grant revoke g-7f3a")]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    named: Named,
}

impl ShowArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let grant = client.grant(&self.named.grant).await?;
        print(&grant, self.named.json)
    }
}

impl DenyArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let request = DenyGrantRequest { grant_id: self.named.grant.to_string() };
        let answer = client.grants().deny_grant(request).await.map_err(ClientError::from)?.into_inner();
        print(&present(answer.grant)?, self.named.json)
    }
}

impl RevokeArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let request = RevokeGrantRequest { grant_id: self.named.grant.to_string() };
        let answer = client.grants().revoke_grant(request).await.map_err(ClientError::from)?.into_inner();
        print(&present(answer.grant)?, self.named.json)
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
