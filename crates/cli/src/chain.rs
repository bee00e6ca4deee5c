//! `sluis chain`: list, rotate, disable, destroy, cut the escrow.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sluis_client::ClientError;
use sluis_client::v1::{
    Chain, CutEscrowRequest, DestroyVersionRequest, DisableVersionRequest, Element, ListChainsRequest, Quota,
    RotateChainRequest,
};
use sluis_domain::{ChainId, NamespaceId};

use crate::connect::ConnectArgs;
use crate::custody::{key_table, key_version};
use crate::error::{CliError, Exit};
use crate::output::{self, Table, safe};
use crate::proposed;

/// Information chains and their key versions
#[derive(Subcommand, Debug)]
pub(crate) enum ChainCommand {
    List(ListArgs),
    Rotate(RotateArgs),
    Disable(DisableArgs),
    Destroy(DestroyArgs),
    CutEscrow(CutEscrowArgs),
}

/// List your organisation's chains, or show one with its elements and treatments
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis chain list\n  sluis chain list diabetes-study\n  sluis chain list --json")]
pub(crate) struct ListArgs {
    /// Only this chain, in full
    chain: Option<ChainId>,
    /// Print the chains as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Give a chain's key lines a new version (custodians)
///
/// From then on the same identifier gets a different pseudonym; the version in use until then only leads out, by
/// conversion and re-identification.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis chain rotate diabetes-study --namespace nl.bsn
  sluis chain rotate diabetes-study --yes --json")]
pub(crate) struct RotateArgs {
    /// The chain
    chain: ChainId,
    /// Only the line of this namespace [default: all lines, also that of encrypted elements]
    #[arg(long)]
    namespace: Option<NamespaceId>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Disable a convert-only key version: its pseudonyms can no longer be converted or re-identified (custodians)
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis status        # lists key versions\n  sluis chain disable 0a1b2c3d")]
pub(crate) struct DisableArgs {
    /// Key id, eight hexadecimal digits
    #[arg(value_parser = parse_kid)]
    kid: String,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Propose to destroy a disabled key version, for ever (custodians)
///
/// When two stewards of the chain's owner have signed, its keys and all rows of it are gone: what its pseudonyms or
/// ciphertexts meant, nobody can find out any more. Backups made before hold both still.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis chain disable 0a1b2c3d\n  sluis chain destroy 0a1b2c3d")]
pub(crate) struct DestroyArgs {
    /// Key id, eight hexadecimal digits
    #[arg(value_parser = parse_kid)]
    kid: String,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Propose to cut the escrow of a key version, for ever (custodians)
///
/// When two stewards of the chain's owner have signed, its pseudonyms go on being made as they are, and nothing leads from
/// them back or across any more: no conversion, no re-identification.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis chain cut-escrow 0a1b2c3d\n  sluis chain cut-escrow 0a1b2c3d --yes --json")]
pub(crate) struct CutEscrowArgs {
    /// Key id, eight hexadecimal digits
    #[arg(value_parser = parse_kid)]
    kid: String,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Args, Debug)]
struct ChangeArgs {
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

fn parse_kid(text: &str) -> Result<String, &'static str> {
    let good = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if good { Ok(text.to_ascii_lowercase()) } else { Err("a key id is eight hexadecimal digits") }
}

impl ChainCommand {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::List(args) => args.run().await,
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
        let request = ListChainsRequest { chain_id: self.chain.as_ref().map(ToString::to_string).unwrap_or_default() };
        let answer = client.registry().list_chains(request).await.map_err(ClientError::from)?.into_inner();
        if self.json {
            let chains: Vec<_> = answer.chains.iter().map(view).collect();
            output::json(&json!({ "registry_version": answer.registry_version, "chains": chains }))?;
        } else if self.chain.is_some() {
            answer.chains.iter().try_for_each(print_in_full)?;
        } else {
            table(&answer.chains).print()?;
        }
        Ok(Exit::Done)
    }
}

impl RotateArgs {
    async fn run(self) -> Result<Exit, CliError> {
        self.change.confirm(&format!("Give {} new keys? New pseudonyms will differ from those so far.", self.chain))?;
        let client = self.change.connect.connect().await?;
        let request = RotateChainRequest {
            chain_id: self.chain.to_string(),
            namespace_id: self.namespace.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let answer = client.custody().rotate_chain(request).await.map_err(ClientError::from)?.into_inner();
        self.change.print(&answer.key_versions)
    }
}

impl DisableArgs {
    async fn run(self) -> Result<Exit, CliError> {
        self.change.confirm(&format!("Disable {}? Its pseudonyms will lead nowhere any more.", self.kid))?;
        let client = self.change.connect.connect().await?;
        let request = DisableVersionRequest { kid: self.kid };
        let answer = client.custody().disable_version(request).await.map_err(ClientError::from)?.into_inner();
        self.change.print(answer.key_version.as_slice())
    }
}

impl DestroyArgs {
    async fn run(self) -> Result<Exit, CliError> {
        self.change.confirm(&format!("Propose to destroy {}, its keys and its rows, for ever?", self.kid))?;
        let client = self.change.connect.connect().await?;
        let request = DestroyVersionRequest { kid: self.kid };
        let answer = client.custody().destroy_version(request).await.map_err(ClientError::from)?.into_inner();
        proposed::print(answer.proposal, self.change.json)
    }
}

impl CutEscrowArgs {
    async fn run(self) -> Result<Exit, CliError> {
        self.change.confirm(&format!("Propose that nothing leads back from {} any more, for ever?", self.kid))?;
        let client = self.change.connect.connect().await?;
        let request = CutEscrowRequest { kid: self.kid };
        let answer = client.custody().cut_escrow(request).await.map_err(ClientError::from)?.into_inner();
        proposed::print(answer.proposal, self.change.json)
    }
}

impl ChangeArgs {
    fn confirm(&self, question: &str) -> Result<(), CliError> {
        if self.yes {
            return Ok(());
        }
        output::confirm(question, "there is no terminal to ask on: give --yes")
    }

    fn print(&self, versions: &[sluis_client::v1::KeyVersion]) -> Result<Exit, CliError> {
        if self.json {
            output::json(&json!({ "key_versions": versions.iter().map(key_version).collect::<Vec<_>>() }))?;
        } else {
            key_table(versions).print()?;
        }
        Ok(Exit::Done)
    }
}

fn table(chains: &[Chain]) -> Table {
    let mut table = Table::new(["chain", "owner", "sources", "recipients", "namespaces", "elements", "retention"]);
    for chain in chains {
        table.row([
            chain.chain_id.clone(),
            chain.owner.clone(),
            chain.sources.join(", "),
            chain.recipients.join(", "),
            chain.namespaces.iter().map(|n| n.namespace_id.as_str()).collect::<Vec<_>>().join(", "),
            chain.elements.len().to_string(),
            or(&chain.retention, "no limit"),
        ]);
    }
    table
}

fn print_in_full(chain: &Chain) -> Result<(), CliError> {
    let approvals = format!("{} ({} approvals)", chain.reidentify_to.join(", "), chain.reidentify_approvals);
    let facts = [
        ("chain", chain.chain_id.clone()),
        ("owner", chain.owner.clone()),
        ("sources", chain.sources.join(", ")),
        ("recipients", chain.recipients.join(", ")),
        ("re-identify", approvals),
        ("retention", retention(chain)),
        ("your quota", quota(chain).unwrap_or_else(|| "no limit".to_owned())),
    ];
    for (name, fact) in facts {
        output::line(format!("{name:<13}{}", safe(&fact)))?;
    }
    output::line("")?;
    let mut namespaces = Table::new(["namespace", "identifier", "input", "checksum", "link", "reversible"]);
    for n in &chain.namespaces {
        let reversible = if n.reversible { "yes" } else { "no" }.to_owned();
        let words = [&n.namespace_id, &n.identifier, &n.input, &n.checksum, &n.link].map(Clone::clone);
        namespaces.row(words.into_iter().chain([reversible]));
    }
    namespaces.print()?;
    output::line("")?;
    let mut elements = Table::new(["element", "treatment", "parameters"]);
    for element in &chain.elements {
        elements.row([element.name.clone(), element.treatment.clone(), parameters(element)]);
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
    let limits = limits.iter().filter(|(limit, _)| *limit > 0).map(|(limit, of)| format!("{limit} {of}"));
    Some(limits.collect::<Vec<_>>().join(", "))
}

fn parameters(element: &Element) -> String {
    let mut parts = Vec::new();
    let mut add = |name: &str, value: &dyn ToString, set: bool| {
        if set {
            parts.push(format!("{name} {}", value.to_string()));
        }
    };
    add("namespace", &element.namespace_id, !element.namespace_id.is_empty());
    add("subject", &element.subject, !element.subject.is_empty());
    add("max_days", &element.max_days, element.max_days > 0);
    if let Some(generalise) = &element.generalise {
        add("to", &generalise.to, true);
        add("width", &generalise.width, generalise.width > 0);
        add("reference", &generalise.reference, !generalise.reference.is_empty());
        add("length", &generalise.length, generalise.length > 0);
    }
    parts.join(", ")
}

fn or(text: &str, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
}

fn view(chain: &Chain) -> Value {
    let namespace = |n: &sluis_client::v1::ChainNamespace| {
        json!({
            "namespace_id": n.namespace_id, "link": n.link, "reversible": n.reversible,
            "identifier": n.identifier, "input": n.input, "checksum": n.checksum,
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
    let generalise = element
        .generalise
        .as_ref()
        .map(|g| json!({ "to": g.to, "width": g.width, "reference": g.reference, "length": g.length }));
    json!({
        "name": element.name,
        "treatment": element.treatment,
        "namespace_id": element.namespace_id,
        "subject": element.subject,
        "max_days": element.max_days,
        "generalise": generalise,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_is_eight_hexadecimal_digits() {
        assert_eq!(parse_kid("0A1b2c3D").as_deref(), Ok("0a1b2c3d"));
        for bad in ["", "0a1b2c3", "0a1b2c3d4", "0a1b2c3g"] {
            assert!(parse_kid(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_limits_that_are_set_are_shown() {
        let limited = Quota { subjects_per_day: 100, requests_per_minute: 6, ..Default::default() };
        let chain = Chain { quota: Some(limited), ..Default::default() };
        assert_eq!(quota(&chain).as_deref(), Some("100 subjects a day, 6 batches a minute"));
        assert_eq!(view(&chain)["quota"]["rejected_percent"], 0);
        assert_eq!(quota(&Chain::default()), None);
    }

    #[test]
    fn parameters_are_named() {
        let shift = Element { subject: "bsn".into(), max_days: 30, ..Default::default() };
        assert_eq!(parameters(&shift), "subject bsn, max_days 30");
        assert_eq!(parameters(&Element::default()), "");
    }
}
