//! `sluis grant list`.

use clap::{Args, ValueEnum};
use serde_json::json;
use sluis_client::GrantView;
use sluis_ledger::grant;
use sluis_views::grant as view;

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Table};

/// List the grants of which your organisation is the grantee or owns a chain
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis grant list\n  sluis grant list --state requested --json")]
pub(crate) struct ListArgs {
    /// Only grants in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Print the grants as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Requested,
    Approved,
    Denied,
    Expired,
    Exhausted,
    Revoked,
    Stale,
}

impl From<State> for grant::State {
    fn from(state: State) -> Self {
        match state {
            State::Requested => Self::Requested,
            State::Approved => Self::Approved,
            State::Denied => Self::Denied,
            State::Expired => Self::Expired,
            State::Exhausted => Self::Exhausted,
            State::Revoked => Self::Revoked,
            State::Stale => Self::Stale,
        }
    }
}

impl ListArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let state = self.state.map(grant::State::from);
        let grants = client.list_grants(state).await?;
        if self.json {
            output::json(&json!({ "grants": grants.iter().map(view::json).collect::<Vec<_>>() }))?;
            return Ok(Exit::Done);
        }
        let mut table = Table::new([
            "grant", "state", "what", "grantee", "used", "until", "purpose",
        ]);
        for grant in &grants {
            table.row(row(grant));
        }
        table.print()?;
        Ok(Exit::Done)
    }
}

fn row(view: &GrantView) -> [String; 7] {
    let terms = &view.grant.terms;
    [
        view.grant.id.to_string(),
        view::state_word(view.state).to_owned(),
        view::what(&terms.kind),
        view.grant.grantee.to_string(),
        format!("{}/{}", view.used, terms.max_values),
        terms.not_after.to_string(),
        terms.purpose.clone(),
    ]
}
