//! `sluis chain`: list, pin, rotate, disable, destroy, cut the escrow.

mod pin;
mod versions;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluis_client::ClientError;
use sluis_client::v1::{Chain, Element, ListChainsRequest, Quota};
use sluis_domain::ChainId;

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Table};

/// Information chains and their key versions
#[derive(Subcommand, Debug)]
pub(crate) enum ChainCommand {
    List(ListArgs),
    Pin(pin::PinArgs),
    Rotate(versions::RotateArgs),
    Disable(versions::DisableArgs),
    Destroy(versions::DestroyArgs),
    CutEscrow(versions::CutEscrowArgs),
}

/// List your organisation's chains, or show one with its elements and treatments
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis chain list\n  sluis chain list diabetes-study\n  sluis chain list --json"
)]
pub(crate) struct ListArgs {
    /// Only this chain, in full
    chain: Option<ChainId>,
    /// Print the chains as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl ChainCommand {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::List(args) => args.run().await,
            Self::Pin(args) => args.run().await,
            Self::Rotate(args) => args.run().await,
            Self::Disable(args) => args.run().await,
            Self::Destroy(args) => args.run().await,
            Self::CutEscrow(args) => args.run().await,
        }
    }
}

impl ListArgs {
    async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let request = ListChainsRequest {
            chain_id: self
                .chain
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        };
        let answer = client
            .registry()
            .list_chains(request)
            .await
            .map_err(ClientError::from)?
            .into_inner();
        if self.json {
            let chains: Vec<_> = answer.chains.iter().map(view).collect();
            output::json(
                &json!({ "registry_version": answer.registry_version, "chains": chains }),
            )?;
        } else if self.chain.is_some() {
            answer.chains.iter().try_for_each(print_in_full)?;
        } else {
            table(&answer.chains).print()?;
        }
        Ok(Exit::Done)
    }
}

fn table(chains: &[Chain]) -> Table {
    let mut table = Table::new([
        "chain",
        "owner",
        "sources",
        "recipients",
        "namespaces",
        "elements",
        "retention",
    ]);
    for chain in chains {
        table.row([
            chain.chain_id.clone(),
            chain.owner.clone(),
            chain.sources.join(", "),
            chain.recipients.join(", "),
            chain
                .namespaces
                .iter()
                .map(|n| n.namespace_id.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            chain.elements.len().to_string(),
            or(&chain.retention, "no limit"),
        ]);
    }
    table
}

fn print_in_full(chain: &Chain) -> Result<(), CliError> {
    let approvals = format!(
        "{} ({} approvals)",
        chain.reidentify_to.join(", "),
        chain.reidentify_approvals
    );
    let facts = [
        ("chain", chain.chain_id.clone()),
        ("owner", chain.owner.clone()),
        ("sources", chain.sources.join(", ")),
        ("recipients", chain.recipients.join(", ")),
        ("re-identify", approvals),
        ("retention", retention(chain)),
        (
            "your quota",
            quota(chain).unwrap_or_else(|| "no limit".to_owned()),
        ),
    ];
    for (name, fact) in facts {
        output::line(format!("{name:<13}{fact}"))?;
    }
    output::line("")?;
    let mut namespaces = Table::new([
        "namespace",
        "identifier",
        "input",
        "checksum",
        "link",
        "reversible",
    ]);
    for n in &chain.namespaces {
        let reversible = if n.reversible { "yes" } else { "no" }.to_owned();
        let words = [
            &n.namespace_id,
            &n.identifier,
            &n.input,
            &n.checksum,
            &n.link,
        ]
        .map(Clone::clone);
        namespaces.row(words.into_iter().chain([reversible]));
    }
    namespaces.print()?;
    output::line("")?;
    let mut elements = Table::new(["element", "treatment", "parameters"]);
    for element in &chain.elements {
        elements.row([
            element.name.clone(),
            element.treatment.clone(),
            parameters(element),
        ]);
    }
    elements.print()
}

/// How long the chain lives, and until when.
fn retention(chain: &Chain) -> String {
    match (chain.retention.as_str(), chain.retained_until.as_str()) {
        ("", _) => "no limit".to_owned(),
        (length, "") => length.to_owned(),
        (length, until) => format!("{length}, until {until}"),
    }
}

/// What limits the caller's organisation as a source.
fn quota(chain: &Chain) -> Option<String> {
    let quota = chain.quota.as_ref()?;
    let limits = [
        (quota.subjects_per_day, "subjects a day"),
        (quota.rejected_percent.into(), "percent rejected"),
        (quota.requests_per_minute.into(), "batches a minute"),
    ];
    let limits = limits
        .iter()
        .filter(|(limit, _)| *limit > 0)
        .map(|(limit, of)| format!("{limit} {of}"));
    Some(limits.collect::<Vec<_>>().join(", "))
}

fn parameters(element: &Element) -> String {
    let mut parts = Vec::new();
    let mut add = |name: &str, value: &dyn ToString, set: bool| {
        if set {
            parts.push(format!("{name} {}", value.to_string()));
        }
    };
    add(
        "namespace",
        &element.namespace_id,
        !element.namespace_id.is_empty(),
    );
    add("subject", &element.subject, !element.subject.is_empty());
    add("max_days", &element.max_days, element.max_days > 0);
    if let Some(generalise) = &element.generalise {
        add("to", &generalise.to, true);
        add("width", &generalise.width, generalise.width > 0);
        add(
            "reference",
            &generalise.reference,
            !generalise.reference.is_empty(),
        );
        add("length", &generalise.length, generalise.length > 0);
        add("top", &generalise.top, generalise.top > 0);
    }
    let placeholders = element.placeholders.join(" ");
    add("placeholders", &placeholders, !placeholders.is_empty());
    let plausible = format!("{} to {}", element.plausible_first, element.plausible_last);
    add("plausible", &plausible, !element.plausible_first.is_empty());
    parts.join(", ")
}

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() {
        otherwise.to_owned()
    } else {
        text.to_owned()
    }
}

fn view(chain: &Chain) -> Value {
    let namespace = |n: &sluis_client::v1::ChainNamespace| {
        json!({
            "namespace_id": n.namespace_id, "link": n.link, "reversible": n.reversible,
            "identifier": n.identifier, "input": n.input, "checksum": n.checksum,
            "missing_words": n.missing_words,
        })
    };
    json!({
        "chain_id": chain.chain_id,
        "owner": chain.owner,
        "sources": chain.sources,
        "recipients": chain.recipients,
        "reidentify_to": chain.reidentify_to,
        "reidentify_approvals": chain.reidentify_approvals,
        "retention": chain.retention,
        "retained_until": chain.retained_until,
        "quota": chain.quota.as_ref().map(quota_view),
        "namespaces": chain.namespaces.iter().map(namespace).collect::<Vec<_>>(),
        "elements": chain.elements.iter().map(element).collect::<Vec<_>>(),
    })
}

fn quota_view(quota: &Quota) -> Value {
    json!({
        "subjects_per_day": quota.subjects_per_day,
        "rejected_percent": quota.rejected_percent,
        "requests_per_minute": quota.requests_per_minute,
    })
}

fn element(element: &Element) -> Value {
    let generalise = element.generalise.as_ref().map(|g| {
        json!({
            "to": g.to, "width": g.width, "reference": g.reference, "length": g.length, "top": g.top,
        })
    });
    json!({
        "name": element.name,
        "treatment": element.treatment,
        "namespace_id": element.namespace_id,
        "subject": element.subject,
        "max_days": element.max_days,
        "generalise": generalise,
        "placeholders": element.placeholders,
        "plausible_first": element.plausible_first,
        "plausible_last": element.plausible_last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_that_are_set_are_shown() {
        let limited = Quota {
            subjects_per_day: 100,
            requests_per_minute: 6,
            ..Default::default()
        };
        let chain = Chain {
            quota: Some(limited),
            ..Default::default()
        };
        assert_eq!(
            quota(&chain).as_deref(),
            Some("100 subjects a day, 6 batches a minute")
        );
        assert_eq!(view(&chain)["quota"]["rejected_percent"], 0);
        assert_eq!(quota(&Chain::default()), None);
    }

    #[test]
    fn parameters_are_named() {
        let shift = Element {
            subject: "bsn".into(),
            max_days: 30,
            ..Default::default()
        };
        assert_eq!(parameters(&shift), "subject bsn, max_days 30");
        assert_eq!(parameters(&Element::default()), "");
    }
}
