//! `sluis whoami`.

use clap::Args;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sluis_client::ClientError;
use sluis_client::v1::{ChainRoles, WhoAmIRequest, WhoAmIResponse};

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output;

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
        let me = client
            .identity()
            .who_am_i(WhoAmIRequest {})
            .await
            .map_err(ClientError::from)?
            .into_inner();
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

fn facts(me: &WhoAmIResponse) -> Vec<(&'static str, String)> {
    let list = |items: &[String]| {
        if items.is_empty() {
            "none".to_owned()
        } else {
            items.join(", ")
        }
    };
    let mut facts = vec![
        ("you are", format!("{}/{}", me.organisation_id, me.member)),
        ("certificate", HEXLOWER.encode(&me.certificate_fingerprint)),
        ("expires", me.certificate_not_after.clone()),
        ("roles", list(&me.roles)),
    ];
    facts.extend(
        me.chains
            .iter()
            .map(|c| ("chain", format!("{}: {}", c.chain_id, c.roles.join(", ")))),
    );
    facts.push(("live grants", list(&me.live_grants)));
    facts.push(("to approve", list(&me.awaiting_approval)));
    facts.push(("to sign", list(&me.awaiting_signature)));
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

fn view(me: &WhoAmIResponse) -> Value {
    let chain = |chain: &ChainRoles| json!({ "chain_id": chain.chain_id, "roles": chain.roles });
    json!({
        "organisation_id": me.organisation_id,
        "member": me.member,
        "certificate_fingerprint": HEXLOWER.encode(&me.certificate_fingerprint),
        "certificate_not_after": me.certificate_not_after,
        "roles": me.roles,
        "chains": me.chains.iter().map(chain).collect::<Vec<_>>(),
        "live_grants": me.live_grants,
        "awaiting_approval": me.awaiting_approval,
        "awaiting_signature": me.awaiting_signature,
        "key_pinned": me.key_pinned,
        "origin": me.origin,
    })
}
