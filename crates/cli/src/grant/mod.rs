//! `sluis grant`: request, approve, deny, revoke, show, list.

mod approve;
mod list;
mod request;

use clap::{Args, Subcommand};
use sluis_client::{Client, GrantView};
use sluis_domain::GrantId;
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
        let grant = client.grant(&self.named.grant).await?;
        print(&grant, self.named.json)
    }
}

impl DenyArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let question = "Deny this grant, for good?";
        let shown = self.named.shown(&client, self.yes, question).await?;
        let denied = client.deny_grant(&shown).await;
        let after = denied.map_err(unless_answered(|| self.named.look()))?;
        self.named.after(&after, self.yes)
    }
}

impl RevokeArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let question = "End this grant?";
        let shown = self.named.shown(&client, self.yes, question).await?;
        let revoked = client.revoke_grant(&shown).await;
        let after = revoked.map_err(unless_answered(|| self.named.look()))?;
        self.named.after(&after, self.yes)
    }
}

impl Named {
    /// The grant, which is shown unless `yes`; then `question` is asked.
    async fn shown(
        &self,
        client: &Client,
        yes: bool,
        question: &str,
    ) -> Result<GrantView, CliError> {
        let shown = client.grant(&self.grant).await?;
        if !yes {
            output::show(view::lines(&shown), self.json)?;
            let otherwise = "there is no terminal to ask on: look at it with `sluis grant show`, then give --yes";
            output::confirm(question, otherwise)?;
        }
        Ok(shown)
    }

    /// The command that tells whether it was done.
    fn look(&self) -> String {
        format!("sluis grant show {}", self.grant)
    }

    /// The grant after it: one line where it was shown before.
    fn after(&self, after: &GrantView, yes: bool) -> Result<Exit, CliError> {
        if self.json || yes {
            return print(after, self.json);
        }
        output::line("")?;
        output::line(format!("{}: {}", after.grant.id, view::state(after)))?;
        Ok(Exit::Done)
    }
}

fn print(grant: &GrantView, json: bool) -> Result<Exit, CliError> {
    if json {
        output::json(&view::json(grant))?;
    } else {
        for text in view::lines(grant) {
            output::line(text)?;
        }
    }
    Ok(Exit::Done)
}
