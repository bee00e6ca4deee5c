//! What a source agreed to: descriptions of chains in a file, and how a custodian's description differs from them.
//!
//! ```toml
//! format = "sluis-pin/1"
//!
//! [chain.diabetes-study]
//! owner = "uni-research"
//! sources = ["gp-south", "hospital-north"]
//! ...
//!
//! [chain.diabetes-study.namespace."nl.bsn"]
//! identifier = "nl-bsn"
//! input = "prehash"
//! ...
//!
//! [chain.diabetes-study.element.bsn]
//! treatment = "pseudonym"
//! namespace = "nl.bsn"
//! ```
//!
//! A pin holds the whole description. The conversions below name every field of it without `..`, so a field that is
//! added there does not compile until it is pinned as well; and differences are found by walking both sides as data, so
//! every field that is pinned is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluis_client::{ChainView, ClientError, NamespaceView, checksum_word, input_word};
use sluis_domain::generalise::Generalisation;
use sluis_domain::plausible::Placeholders;
use sluis_ledger::registry::{Element, Quota, Treatment};

use crate::error::CliError;
use crate::output::safe;
use sluis_views::words::text;

/// The format of the file.
const FORMAT: &str = "sluis-pin/1";

/// What the file begins with.
const HEADING: &str = "\
# What these chains do with your records, as the custodian said when `sluis chain pin` wrote this file. Read it. Commands
# that are given it with --expect, or by `expect` in the profile, send nothing when the custodian says something else.
";

/// A file of pins.
#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pins {
    format: String,
    #[serde(default)]
    chain: BTreeMap<String, ChainPin>,
}

/// A chain: everything a custodian says of it.
#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Default, Debug)]
#[serde(default, deny_unknown_fields)]
struct ChainPin {
    owner: String,
    sources: BTreeSet<String>,
    recipients: BTreeSet<String>,
    reidentify_to: BTreeSet<String>,
    reidentify_approvals: u32,
    retention: String,
    retained_until: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<QuotaPin>,
    namespace: BTreeMap<String, NamespacePin>,
    element: BTreeMap<String, ElementPin>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Default, Debug)]
#[serde(default, deny_unknown_fields)]
struct QuotaPin {
    subjects_per_day: u64,
    rejected_percent: u32,
    requests_per_minute: u32,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Default, Debug)]
#[serde(default, deny_unknown_fields)]
struct NamespacePin {
    identifier: String,
    input: String,
    checksum: String,
    link: String,
    reversible: bool,
    missing_words: BTreeSet<String>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Default, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ElementPin {
    pub(crate) treatment: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) max_days: u32,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) placeholders: BTreeSet<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) plausible_first: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) plausible_last: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) generalise: Option<GeneralisePin>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Default, Debug)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GeneralisePin {
    pub(crate) to: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) width: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) reference: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) length: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) top: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Where a pin and a description are not the same.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Difference {
    /// Such as `chain[study].namespace[nl.bsn].input`.
    path: String,
    /// What the pin says; absent if it says nothing.
    agreed: Option<Value>,
    /// What the custodian says; absent if it says nothing.
    told: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, agreed, told } = self;
        match (agreed, told) {
            (Some(agreed), Some(told)) => {
                write!(
                    f,
                    "{path}: you agreed to {agreed}, the custodian says {told}"
                )
            }
            (Some(agreed), None) => {
                write!(
                    f,
                    "{path}: you agreed to {agreed}, the custodian says nothing of it"
                )
            }
            (None, Some(told)) => {
                write!(
                    f,
                    "{path}: you did not agree to it, the custodian says {told}"
                )
            }
            (None, None) => write!(f, "{path}"),
        }
    }
}

impl Pins {
    /// Pins of these chains.
    pub(crate) fn of(chains: &[ChainView]) -> Self {
        let pins = chains.iter();
        Self {
            format: FORMAT.to_owned(),
            chain: pins
                .map(|chain| (chain.id.to_string(), ChainPin::from(chain)))
                .collect(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`CliError::Io`]; [`CliError::Input`] for a file that is no file of pins, or has a key that this version does not know.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let text = fs::read_to_string(path).map_err(CliError::reading(path))?;
        let wrong = match toml::from_str::<Self>(&text) {
            Ok(pins) if pins.format == FORMAT => return Ok(pins),
            Ok(_) => format!("its format is not {FORMAT}; update sluis"),
            Err(error) => format!("not what `sluis chain pin` writes: {error}"),
        };
        Err(CliError::input(format!("{}: {wrong}", path.display())))
    }

    /// The one text of these pins, with comments at its beginning.
    ///
    /// # Errors
    /// [`CliError::Client`] for a description with text that looks like something else, such as lines of its own: people read the
    /// file in a terminal or an editor.
    pub(crate) fn text(&self) -> Result<String, CliError> {
        let data = serde_json::to_value(&self.chain).unwrap_or_default();
        if !is_plain(&data) {
            return Err(
                ClientError::Protocol("a description with text that cannot be shown").into(),
            );
        }
        let toml = toml::to_string(self).map_err(|error| CliError::Io {
            what: "cannot write the pins".to_owned(),
            source: std::io::Error::other(error),
        })?;
        Ok(format!("{HEADING}\n{toml}"))
    }

    /// The chains that are pinned.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &str> {
        self.chain.keys().map(String::as_str)
    }

    /// The pin of one chain alone; `None` without one.
    pub(crate) fn only(&self, chain: &str) -> Option<Self> {
        let pin = self.chain.get(chain)?.clone();
        Some(Self {
            format: self.format.clone(),
            chain: BTreeMap::from([(chain.to_owned(), pin)]),
        })
    }

    /// Where what the custodian says differs, in the order of the file.
    pub(crate) fn differences(&self, told: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let [agreed, told] =
            [self, told].map(|pins| serde_json::to_value(&pins.chain).unwrap_or_default());
        walk("chain", true, &agreed, &told, &mut found);
        found
    }
}

/// Keys of maps from an id to what it names.
const BY_ID: [&str; 2] = ["namespace", "element"];

fn walk(path: &str, by_id: bool, agreed: &Value, told: &Value, found: &mut Vec<Difference>) {
    let (Value::Object(agreed), Value::Object(told)) = (agreed, told) else {
        if agreed != told {
            found.push(Difference {
                path: path.to_owned(),
                agreed: Some(agreed.clone()),
                told: Some(told.clone()),
            });
        }
        return;
    };
    let keys: BTreeSet<&String> = agreed.keys().chain(told.keys()).collect();
    for key in keys {
        let inner = if by_id {
            format!("{path}[{key}]")
        } else {
            format!("{path}.{key}")
        };
        match (agreed.get(key), told.get(key)) {
            (Some(agreed), Some(told)) => {
                let by_id = !by_id && BY_ID.contains(&key.as_str());
                walk(&inner, by_id, agreed, told, found);
            }
            (agreed, told) => found.push(Difference {
                path: inner,
                agreed: agreed.cloned(),
                told: told.cloned(),
            }),
        }
    }
}

/// Whether every text is shown as it is.
fn is_plain(data: &Value) -> bool {
    match data {
        Value::String(text) => safe(text).as_str() == text,
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(fields) => fields
            .iter()
            .all(|(name, value)| safe(name).as_str() == name && is_plain(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

fn set<T: ToString>(names: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    names.into_iter().map(|name| name.to_string()).collect()
}

impl From<&ChainView> for ChainPin {
    fn from(chain: &ChainView) -> Self {
        let ChainView {
            id: _,
            owner,
            sources,
            recipients,
            reidentify_to,
            reidentify_approvals,
            retention,
            namespaces,
            elements,
            quota,
            retained_until,
        } = chain;
        Self {
            owner: owner.to_string(),
            sources: set(sources),
            recipients: set(recipients),
            reidentify_to: set(reidentify_to),
            reidentify_approvals: (*reidentify_approvals).into(),
            retention: text(*retention),
            retained_until: text(*retained_until),
            quota: quota.map(QuotaPin::from),
            namespace: namespaces
                .iter()
                .map(|namespace| (namespace.id.to_string(), namespace.into()))
                .collect(),
            element: elements
                .iter()
                .map(|element| (element.name().to_string(), element.into()))
                .collect(),
        }
    }
}

impl From<Quota> for QuotaPin {
    fn from(quota: Quota) -> Self {
        let Quota {
            subjects_per_day,
            rejected_percent,
            requests_per_minute,
        } = quota;
        Self {
            subjects_per_day: subjects_per_day.unwrap_or_default(),
            rejected_percent: rejected_percent.unwrap_or_default().into(),
            requests_per_minute: requests_per_minute.unwrap_or_default(),
        }
    }
}

impl From<&NamespaceView> for NamespacePin {
    fn from(namespace: &NamespaceView) -> Self {
        let NamespaceView {
            id: _,
            link,
            reversible,
            identifier,
            input,
            checksum,
            missing_words,
        } = namespace;
        Self {
            identifier: identifier.to_string(),
            input: input_word(*input).to_owned(),
            checksum: checksum_word(*checksum).to_owned(),
            link: link.to_string(),
            reversible: *reversible,
            missing_words: set(missing_words),
        }
    }
}

impl From<&Element> for ElementPin {
    fn from(element: &Element) -> Self {
        let treatment = element.treatment();
        let pin = Self {
            treatment: treatment.name().to_owned(),
            ..Self::default()
        };
        match treatment {
            Treatment::Pseudonym { namespace } => Self {
                namespace: namespace.to_string(),
                ..pin
            },
            Treatment::DateShift { subject, shift } => Self {
                subject: subject.to_string(),
                max_days: shift.max_days.get(),
                placeholders: dates(&shift.placeholders),
                plausible_first: shift.plausible.first().to_string(),
                plausible_last: shift.plausible.last().to_string(),
                ..pin
            },
            Treatment::Generalise(how) => Self {
                generalise: Some((&how.to).into()),
                placeholders: dates(&how.placeholders),
                ..pin
            },
            Treatment::Encrypt | Treatment::Keep | Treatment::Drop => pin,
        }
    }
}

fn dates(placeholders: &Placeholders) -> BTreeSet<String> {
    set(placeholders.dates())
}

impl From<&Generalisation> for GeneralisePin {
    fn from(generalisation: &Generalisation) -> Self {
        let mut pin = Self::default();
        let to = match *generalisation {
            Generalisation::Year => "year",
            Generalisation::Month => "month",
            Generalisation::Decade => "decade",
            Generalisation::AgeBand {
                width,
                reference,
                top,
            } => {
                pin.width = width.into();
                pin.reference = reference.to_string();
                pin.top = top.into();
                "age-band"
            }
            Generalisation::Prefix { length } => {
                pin.length = length.into();
                "prefix"
            }
            Generalisation::Band { width } => {
                pin.width = width;
                "band"
            }
        };
        pin.to = to.to_owned();
        pin
    }
}

#[cfg(test)]
mod tests;
