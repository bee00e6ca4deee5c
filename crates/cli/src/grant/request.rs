//! `sluis grant request`.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use sluis_domain::{ChainId, ElementName};
use sluis_ledger::grant::{Kind, OutputOrder, Terms};

use crate::clock;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::moment::Moment;
use crate::unsure::unless_answered;

/// Ask for a grant
#[derive(Subcommand, Debug)]
pub(crate) enum RequestCommand {
    Convert(ConvertGrantArgs),
    #[command(visible_alias = "re-identification")]
    Reidentify(ReidentifyGrantArgs),
}

/// Ask for permission to convert the pseudonyms of one chain into those of another
///
/// You must be a member of the owner or of a recipient of the chain converted from. One steward of each chain's owner
/// approves; where one organisation owns both, two different ones.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis grant request convert --from diabetes-study/bsn --to national-registry/bsn \\
      --purpose 'yearly linkage, protocol 2026-14' --legal-basis 'GDPR art. 9(2)(j)' \\
      --max-values 200000 --max-values-per-day 20000 --until 30d
  sluis grant request convert --from a/bsn --to b/bsn --order shuffled \\
      --purpose 'counting' --legal-basis 'GDPR art. 9(2)(j)' --max-values 5000 \\
      --from-time 2027-01-01T00:00:00Z --until 2027-02-01T00:00:00Z")]
pub(crate) struct ConvertGrantArgs {
    /// Chain and pseudonym element to convert from
    #[arg(long, value_name = "CHAIN/ELEMENT")]
    from: Place,
    /// Chain and pseudonym element to convert to, of the same namespace
    #[arg(long, value_name = "CHAIN/ELEMENT")]
    to: Place,
    /// Order of converted values within a batch
    #[arg(long, value_enum, default_value_t = Order::Ordered)]
    order: Order,
    #[command(flatten)]
    common: Common,
}

/// Ask for permission to go from tokens or encrypted elements back to the values
///
/// The chain must list your organisation in reidentify_to. As many different stewards of the chain's owner approve as
/// the chain's reidentify_approvals says.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis grant request reidentify --chain diabetes-study --element bsn --element name \\
      --purpose 'incidental finding, 3 patients' --legal-basis 'GDPR art. 9(2)(h)' \\
      --max-values 6 --until 12h")]
pub(crate) struct ReidentifyGrantArgs {
    /// The chain
    #[arg(long, value_name = "CHAIN")]
    chain: ChainId,
    /// Element to re-identify; give it once for each
    #[arg(long = "element", value_name = "ELEMENT", required = true)]
    elements: Vec<ElementName>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Common {
    /// Why; goes on record, must not contain personal data
    #[arg(long)]
    purpose: String,
    /// On which legal basis; goes on record, must not contain personal data
    #[arg(long)]
    legal_basis: String,
    /// Most values (not rows) that may be processed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_values: u64,
    /// Most values of one UTC day [default: no limit but --max-values]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_values_per_day: Option<u64>,
    /// From when: RFC 3339, or a duration from now [default: now]
    #[arg(long, value_name = "TIME")]
    from_time: Option<Moment>,
    /// Until when (exclusive): RFC 3339, or a duration from now such as 30d or 12h
    #[arg(long, value_name = "TIME")]
    until: Moment,
    /// Print the grant as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// `chain/element`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    chain: ChainId,
    element: ElementName,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (chain, element) = text
            .split_once('/')
            .ok_or("write it as CHAIN/ELEMENT, such as diabetes-study/bsn")?;
        let chain = chain.parse().map_err(|e| format!("chain: {e}"))?;
        let element = element.parse().map_err(|e| format!("element: {e}"))?;
        Ok(Self { chain, element })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    /// Row by row: the caller learns which pseudonyms belong together
    Ordered,
    /// Random within the batch: the caller learns only which set became which set
    Shuffled,
}

impl RequestCommand {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Convert(args) => {
                let kind = args.kind();
                args.common.request(kind).await
            }
            Self::Reidentify(args) => {
                let kind = args.kind();
                args.common.request(kind).await
            }
        }
    }
}

impl ConvertGrantArgs {
    fn kind(&self) -> Kind {
        let order = match self.order {
            Order::Ordered => OutputOrder::Ordered,
            Order::Shuffled => OutputOrder::Shuffled,
        };
        let Self { from, to, .. } = self;
        Kind::Convert {
            from: (from.chain.clone(), from.element.clone()),
            to: (to.chain.clone(), to.element.clone()),
            order,
        }
    }
}

impl ReidentifyGrantArgs {
    fn kind(&self) -> Kind {
        Kind::Reidentify {
            chain: self.chain.clone(),
            elements: self.elements.clone(),
        }
    }
}

impl Common {
    async fn request(self, kind: Kind) -> Result<Exit, CliError> {
        let now = clock::now();
        let not_before = self.from_time.map(|moment| moment.from(now));
        let not_after = self.until.from(now);
        if not_after <= not_before.unwrap_or(now) {
            return Err(CliError::usage(
                "--until must be later than now and than --from-time",
            ));
        }
        let terms = Terms {
            kind,
            purpose: self.purpose,
            legal_basis: self.legal_basis,
            max_values: self.max_values,
            max_values_per_day: self.max_values_per_day,
            not_before,
            not_after,
        };
        let client = self.connect.connect().await?;
        let requested = client.request_grant(&terms).await;
        let grant = requested.map_err(unless_answered(|| {
            "sluis grant list --state requested".to_owned()
        }))?;
        super::print(&grant, self.json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_chain_and_an_element() {
        let place: Place = "diabetes-study/bsn".parse().expect("valid");
        assert_eq!(
            (place.chain.as_str(), place.element.as_str()),
            ("diabetes-study", "bsn")
        );
        for bad in ["bsn", "/bsn", "a/", "A/b", "a/b/c"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
