//! `sluis grant list`.

use clap::{Args, ValueEnum};
use serde_json::json;
use sluis_client::v1::{Grant, GrantState, ListGrantsRequest};
use sluis_client::{ClientError, checked};
use sluis_views::grant as view;

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Table};

const PAGE: u32 = 1_000;

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

impl From<State> for GrantState {
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
        let grants = self.fetch().await?;
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

    async fn fetch(&self) -> Result<Vec<Grant>, CliError> {
        let client = self.connect.connect().await?;
        let state = self.state.map_or(GrantState::Unspecified, GrantState::from);
        let mut grants = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListGrantsRequest {
                page_size: PAGE,
                page_token,
                state: state.into(),
            };
            let page = client
                .grants()
                .list_grants(request)
                .await
                .map_err(ClientError::from)?
                .into_inner();
            // Digests are copied from here: each description must be of the bytes that its digest is of.
            page.grants
                .iter()
                .try_for_each(|grant| checked::grant(grant).map(drop))?;
            grants.extend(page.grants);
            if page.next_page_token.is_empty() {
                return Ok(grants);
            }
            page_token = page.next_page_token;
        }
    }
}

fn row(grant: &Grant) -> [String; 7] {
    let terms = grant.terms.clone().unwrap_or_default();
    [
        grant.grant_id.clone(),
        view::state_word(grant).to_owned(),
        view::what(grant),
        grant.grantee.clone(),
        format!("{}/{}", grant.used_values, terms.max_values),
        terms.not_after,
        terms.purpose,
    ]
}
