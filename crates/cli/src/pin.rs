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
//! A pin holds the whole description. The conversions below name every field of the wire without `..`, so a field that is
//! added there does not compile until it is pinned as well; and differences are found by walking both sides as data, so
//! every field that is pinned is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluis_client::{ClientError, v1};

use crate::error::CliError;
use crate::output::safe;

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
struct ElementPin {
    treatment: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    #[serde(skip_serializing_if = "is_zero")]
    max_days: u32,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    placeholders: BTreeSet<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    plausible_first: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    plausible_last: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    generalise: Option<GeneralisePin>,
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Clone, Default, Debug)]
#[serde(default, deny_unknown_fields)]
struct GeneralisePin {
    to: String,
    #[serde(skip_serializing_if = "is_zero")]
    width: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    reference: String,
    #[serde(skip_serializing_if = "is_zero")]
    length: u32,
    #[serde(skip_serializing_if = "is_zero")]
    top: u32,
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
    /// Pins of these chains. Each must have passed [`sluis_client::checked::chain`].
    pub(crate) fn of(chains: &[v1::Chain]) -> Self {
        let pin = |chain: &v1::Chain| (chain.chain_id.clone(), ChainPin::from(chain));
        Self {
            format: FORMAT.to_owned(),
            chain: chains.iter().map(pin).collect(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`CliError::Io`]; [`CliError::Input`] for a file that is no file of pins, or has a key that this version does not know.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let text = fs::read_to_string(path).map_err(CliError::reading(path))?;
        let wrong = |what: String| CliError::input(format!("{}: {what}", path.display()));
        let pins: Self = toml::from_str(&text)
            .map_err(|error| wrong(format!("not what `sluis chain pin` writes: {error}")))?;
        if pins.format == FORMAT {
            Ok(pins)
        } else {
            Err(wrong(format!("its format is not {FORMAT}; update sluis")))
        }
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
        let data = |pins: &Self| serde_json::to_value(&pins.chain).unwrap_or_default();
        let mut found = Vec::new();
        walk("chain", true, &data(self), &data(told), &mut found);
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

fn set(names: &[String]) -> BTreeSet<String> {
    names.iter().cloned().collect()
}

impl From<&v1::Chain> for ChainPin {
    fn from(chain: &v1::Chain) -> Self {
        let v1::Chain {
            chain_id: _,
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
        let namespace = |n: &v1::ChainNamespace| (n.namespace_id.clone(), n.into());
        let element = |e: &v1::Element| (e.name.clone(), e.into());
        Self {
            owner: owner.clone(),
            sources: set(sources),
            recipients: set(recipients),
            reidentify_to: set(reidentify_to),
            reidentify_approvals: *reidentify_approvals,
            retention: retention.clone(),
            retained_until: retained_until.clone(),
            quota: quota.as_ref().map(QuotaPin::from),
            namespace: namespaces.iter().map(namespace).collect(),
            element: elements.iter().map(element).collect(),
        }
    }
}

impl From<&v1::Quota> for QuotaPin {
    fn from(quota: &v1::Quota) -> Self {
        let v1::Quota {
            subjects_per_day,
            rejected_percent,
            requests_per_minute,
        } = quota;
        Self {
            subjects_per_day: *subjects_per_day,
            rejected_percent: *rejected_percent,
            requests_per_minute: *requests_per_minute,
        }
    }
}

impl From<&v1::ChainNamespace> for NamespacePin {
    fn from(namespace: &v1::ChainNamespace) -> Self {
        let v1::ChainNamespace {
            namespace_id: _,
            link,
            reversible,
            identifier,
            input,
            checksum,
            missing_words,
        } = namespace;
        Self {
            identifier: identifier.clone(),
            input: input.clone(),
            checksum: checksum.clone(),
            link: link.clone(),
            reversible: *reversible,
            missing_words: set(missing_words),
        }
    }
}

impl From<&v1::Element> for ElementPin {
    fn from(element: &v1::Element) -> Self {
        let v1::Element {
            name: _,
            treatment,
            namespace_id,
            subject,
            max_days,
            generalise,
            placeholders,
            plausible_first,
            plausible_last,
        } = element;
        Self {
            treatment: treatment.clone(),
            namespace: namespace_id.clone(),
            subject: subject.clone(),
            max_days: *max_days,
            generalise: generalise.as_ref().map(GeneralisePin::from),
            placeholders: set(placeholders),
            plausible_first: plausible_first.clone(),
            plausible_last: plausible_last.clone(),
        }
    }
}

impl From<&v1::Generalisation> for GeneralisePin {
    fn from(generalisation: &v1::Generalisation) -> Self {
        let v1::Generalisation {
            to,
            width,
            reference,
            length,
            top,
        } = generalisation;
        Self {
            to: to.clone(),
            width: *width,
            reference: reference.clone(),
            length: *length,
            top: *top,
        }
    }
}

#[cfg(test)]
mod tests;
