//! `sluis chain`: list, pin, rotate, disable, destroy, cut the escrow.

mod pin;
mod versions;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluis_client::{ChainView, NamespaceView, checksum_word, input_word};
use sluis_domain::ChainId;
use sluis_domain::generalise::Generalisation;
use sluis_domain::plausible::Placeholders;
use sluis_ledger::registry::{Element, Quota, Treatment};

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Table};
use crate::pin::ElementPin;
use sluis_views::words::{listed, text};

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
        let answer = client.list_chains(self.chain.as_ref()).await?;
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

fn table(chains: &[ChainView]) -> Table {
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
        let retention = chain.retention.map(|retention| retention.to_string());
        table.row([
            chain.id.to_string(),
            chain.owner.to_string(),
            listed(&chain.sources),
            listed(&chain.recipients),
            listed(chain.namespaces.iter().map(|namespace| &namespace.id)),
            chain.elements.len().to_string(),
            retention.unwrap_or_else(|| NO_LIMIT.to_owned()),
        ]);
    }
    table
}

const NO_LIMIT: &str = "no limit";

fn print_in_full(chain: &ChainView) -> Result<(), CliError> {
    let approvals = format!(
        "{} ({} approvals)",
        listed(&chain.reidentify_to),
        chain.reidentify_approvals
    );
    let facts = [
        ("chain", chain.id.to_string()),
        ("owner", chain.owner.to_string()),
        ("sources", listed(&chain.sources)),
        ("recipients", listed(&chain.recipients)),
        ("re-identify", approvals),
        ("retention", retention(chain)),
        (
            "your quota",
            chain.quota.map_or_else(|| NO_LIMIT.to_owned(), quota),
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
        let reversible = if n.reversible { "yes" } else { "no" };
        namespaces.row([
            n.id.to_string(),
            n.identifier.to_string(),
            input_word(n.input).to_owned(),
            checksum_word(n.checksum).to_owned(),
            n.link.to_string(),
            reversible.to_owned(),
        ]);
    }
    namespaces.print()?;
    output::line("")?;
    let mut elements = Table::new(["element", "treatment", "parameters"]);
    for element in &chain.elements {
        elements.row([
            element.name().to_string(),
            element.treatment().name().to_owned(),
            parameters(element.treatment()),
        ]);
    }
    elements.print()
}

/// How long the chain lives, and until when.
fn retention(chain: &ChainView) -> String {
    match (chain.retention, chain.retained_until) {
        (None, _) => NO_LIMIT.to_owned(),
        (Some(length), None) => length.to_string(),
        (Some(length), Some(until)) => format!("{length}, until {until}"),
    }
}

/// What limits the caller's organisation as a source.
fn quota(quota: Quota) -> String {
    let limits = [
        (quota.subjects_per_day, "subjects a day"),
        (quota.rejected_percent.map(u64::from), "percent rejected"),
        (quota.requests_per_minute.map(u64::from), "batches a minute"),
    ];
    let set = limits
        .into_iter()
        .filter_map(|(limit, of)| Some((limit?, of)));
    listed(set.map(|(limit, of)| format!("{limit} {of}")))
}

fn parameters(treatment: &Treatment) -> String {
    match treatment {
        Treatment::Pseudonym { namespace } => format!("namespace {namespace}"),
        Treatment::DateShift { subject, shift } => {
            let (first, last) = (shift.plausible.first(), shift.plausible.last());
            let moved = format!("subject {subject}, max_days {}", shift.max_days);
            let placeholders = placeholders(&shift.placeholders);
            format!("{moved}{placeholders}, plausible {first} to {last}")
        }
        Treatment::Generalise(how) => {
            format!("{}{}", to(&how.to), placeholders(&how.placeholders))
        }
        Treatment::Encrypt | Treatment::Keep | Treatment::Drop => String::new(),
    }
}

fn to(generalisation: &Generalisation) -> String {
    match generalisation {
        Generalisation::Year => "to year".to_owned(),
        Generalisation::Month => "to month".to_owned(),
        Generalisation::Decade => "to decade".to_owned(),
        Generalisation::AgeBand {
            width,
            reference,
            top,
        } => format!("to age-band, width {width}, reference {reference}, top {top}"),
        Generalisation::Prefix { length } => format!("to prefix, length {length}"),
        Generalisation::Band { width } => format!("to band, width {width}"),
    }
}

/// After other parameters.
fn placeholders(placeholders: &Placeholders) -> String {
    if placeholders.is_empty() {
        return String::new();
    }
    let dates: Vec<String> = placeholders
        .dates()
        .iter()
        .map(ToString::to_string)
        .collect();
    format!(", placeholders {}", dates.join(" "))
}

/// A chain as JSON: what a pin of it holds, with the field names of the wire.
fn view(chain: &ChainView) -> Value {
    json!({
        "chain_id": chain.id,
        "owner": chain.owner,
        "sources": chain.sources,
        "recipients": chain.recipients,
        "reidentify_to": chain.reidentify_to,
        "reidentify_approvals": chain.reidentify_approvals,
        "retention": text(chain.retention),
        "retained_until": text(chain.retained_until),
        "quota": chain.quota.map(quota_view),
        "namespaces": chain.namespaces.iter().map(namespace_view).collect::<Vec<_>>(),
        "elements": chain.elements.iter().map(element_view).collect::<Vec<_>>(),
    })
}

fn quota_view(quota: Quota) -> Value {
    json!({
        "subjects_per_day": quota.subjects_per_day.unwrap_or_default(),
        "rejected_percent": quota.rejected_percent.unwrap_or_default(),
        "requests_per_minute": quota.requests_per_minute.unwrap_or_default(),
    })
}

fn namespace_view(namespace: &NamespaceView) -> Value {
    json!({
        "namespace_id": namespace.id,
        "link": namespace.link.as_str(),
        "reversible": namespace.reversible,
        "identifier": namespace.identifier.as_str(),
        "input": input_word(namespace.input),
        "checksum": checksum_word(namespace.checksum),
        "missing_words": namespace.missing_words,
    })
}

/// Every field, also those of other treatments.
fn element_view(element: &Element) -> Value {
    let pin = ElementPin::from(element);
    let generalise = pin.generalise.as_ref().map(|g| {
        json!({
            "to": g.to, "width": g.width, "reference": g.reference, "length": g.length, "top": g.top,
        })
    });
    json!({
        "name": element.name(),
        "treatment": pin.treatment,
        "namespace_id": pin.namespace,
        "subject": pin.subject,
        "max_days": pin.max_days,
        "generalise": generalise,
        "placeholders": pin.placeholders,
        "plausible_first": pin.plausible_first,
        "plausible_last": pin.plausible_last,
    })
}

#[cfg(test)]
mod tests {
    use sluis_domain::generalise::Generaliser;

    use super::*;

    #[test]
    fn only_limits_that_are_set_are_shown() {
        let limited = Quota {
            subjects_per_day: Some(100),
            rejected_percent: None,
            requests_per_minute: Some(6),
        };
        assert_eq!(quota(limited), "100 subjects a day, 6 batches a minute");
        assert_eq!(quota_view(limited)["rejected_percent"], 0);
    }

    #[test]
    fn parameters_are_named() {
        let prefix = Treatment::Generalise(Generaliser {
            to: Generalisation::Prefix { length: 2 },
            placeholders: Placeholders::new(vec![]),
        });
        assert_eq!(parameters(&prefix), "to prefix, length 2");
        assert_eq!(
            element_view(&Element::new("e".parse().expect("an id"), prefix))["max_days"],
            0
        );
        assert_eq!(parameters(&Treatment::Keep), "");
    }
}
