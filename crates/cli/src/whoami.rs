//! `sluis whoami`.

use clap::Args;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sluis_client::{ChainRoles, WhoAmI};

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output;
use sluis_views::words::listed;

/// Show who the custodian thinks you are, and which roles, chains and grants that gives
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis whoami\n  sluis whoami --profile steward-1 --json | jq .awaiting_approval"
)]
pub(crate) struct WhoamiArgs {
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl WhoamiArgs {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let me = client.who_am_i().await?;
        if self.json {
            output::json(&view(&me))?;
            return Ok(Exit::Done);
        }
        for (name, fact) in facts(&me) {
            output::line(format!("{name:<19}{fact}"))?;
        }
        Ok(Exit::Done)
    }
}

fn facts(me: &WhoAmI) -> Vec<(&'static str, String)> {
    let certificate = HEXLOWER.encode(&me.certificate_fingerprint);
    let mut facts = vec![
        ("you are", me.identity.to_string()),
        ("certificate", certificate),
        ("expires", me.certificate_not_after.to_string()),
        ("roles", listed_or_none(&me.roles)),
    ];
    let chains = me.chains.iter();
    facts.extend(chains.map(|it| ("chain", format!("{}: {}", it.chain, listed(&it.roles)))));
    facts.push(("live grants", listed_or_none(&me.live_grants)));
    facts.push(("to approve", listed_or_none(&me.awaiting_approval)));
    facts.push(("to sign", listed_or_none(&me.awaiting_signature)));
    facts.push((
        "signing key",
        if me.key_pinned {
            "pinned for you"
        } else {
            "not pinned for you"
        }
        .to_owned(),
    ));
    facts.push(("log origin", me.origin.clone()));
    facts
}

fn listed_or_none<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        "none".to_owned()
    } else {
        listed(items.iter().map(T::to_string))
    }
}

fn view(me: &WhoAmI) -> Value {
    json!({
        "organisation_id": me.identity.organisation,
        "member": me.identity.member,
        "certificate_fingerprint": HEXLOWER.encode(&me.certificate_fingerprint),
        "certificate_not_after": me.certificate_not_after.to_string(),
        "roles": me.roles,
        "chains": me.chains.iter().map(chain_view).collect::<Vec<_>>(),
        "live_grants": me.live_grants,
        "awaiting_approval": me.awaiting_approval,
        "awaiting_signature": me.awaiting_signature,
        "key_pinned": me.key_pinned,
        "origin": me.origin,
    })
}

fn chain_view(of: &ChainRoles) -> Value {
    json!({ "chain_id": of.chain, "roles": of.roles })
}
