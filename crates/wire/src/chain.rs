//! What a member is told of a chain.

mod element;

use std::collections::BTreeSet;

use sluis_domain::identifier::{Checksum, IdentifierKind, InputMode};
use sluis_domain::{ChainId, ElementName, NamespaceId, OrganisationId, Timestamp};
use sluis_ledger::registry::{
    Chain, ChainNamespace, Element, LinkMode, Quota, Registry, Retention,
};

use crate::{Invalid, field, v1};

/// What a member of an organisation is told of a chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainView {
    /// Its id.
    pub id: ChainId,
    /// The organisation that owns it.
    pub owner: OrganisationId,
    /// Who may submit records.
    pub sources: BTreeSet<OrganisationId>,
    /// Who receives pseudonyms.
    pub recipients: BTreeSet<OrganisationId>,
    /// Who may ask to re-identify.
    pub reidentify_to: BTreeSet<OrganisationId>,
    /// How many stewards must approve that.
    pub reidentify_approvals: u8,
    /// How long the escrow is kept; `None` for without limit.
    pub retention: Option<Retention>,
    /// Until when that is; `None` without limit, and before the chain has keys.
    pub retained_until: Option<Timestamp>,
    /// What limits the member's organisation; `None` if it is no source, or nothing does.
    pub quota: Option<Quota>,
    /// Its namespaces, each once.
    pub namespaces: Vec<NamespaceView>,
    /// Its elements, each once.
    pub elements: Vec<Element>,
}

/// A namespace as one chain uses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamespaceView {
    /// Its id.
    pub id: NamespaceId,
    /// What leads from its pseudonyms to those of other chains.
    pub link: LinkMode,
    /// Whether its pseudonyms can be re-identified.
    pub reversible: bool,
    /// The kind of identifier.
    pub identifier: IdentifierKind,
    /// Where identifiers are normalised.
    pub input: InputMode,
    /// How strictly they are checked.
    pub checksum: Checksum,
    /// The words for one that is missing.
    pub missing_words: Vec<String>,
}

impl ChainView {
    /// What a member of `caller` may know of a chain of a registry.
    pub fn new(
        registry: &Registry,
        chain: &Chain,
        retained_until: Option<Timestamp>,
        caller: &OrganisationId,
    ) -> Self {
        let quota = chain.quota(caller);
        let limited = chain.is_source(caller) && !quota.is_unlimited();
        let lines = chain.namespaces();
        Self {
            id: chain.id().clone(),
            owner: chain.owner().clone(),
            sources: chain.sources().clone(),
            recipients: chain.recipients().clone(),
            reidentify_to: chain.reidentify_to().clone(),
            reidentify_approvals: chain.reidentify_approvals(),
            retention: chain.retention(),
            retained_until,
            quota: limited.then_some(quota),
            namespaces: lines.filter_map(|line| namespace(registry, line)).collect(),
            elements: chain.elements().to_vec(),
        }
    }

    /// The element with this name.
    pub fn element(&self, name: &ElementName) -> Option<&Element> {
        self.elements.iter().find(|element| element.name() == name)
    }

    /// How the chain uses this namespace.
    pub fn namespace(&self, id: &NamespaceId) -> Option<&NamespaceView> {
        self.namespaces.iter().find(|namespace| namespace.id == *id)
    }
}

/// A registry is valid by construction: the namespace of a line exists.
fn namespace(registry: &Registry, line: &ChainNamespace) -> Option<NamespaceView> {
    let namespace = registry.namespace(line.id())?;
    Some(NamespaceView {
        id: line.id().clone(),
        link: line.link(),
        reversible: line.reversible(),
        identifier: namespace.identifier(),
        input: namespace.input(),
        checksum: namespace.checksum(),
        missing_words: namespace.missing().words().to_vec(),
    })
}

impl From<&ChainView> for v1::Chain {
    fn from(chain: &ChainView) -> Self {
        let namespaces = chain.namespaces.iter();
        Self {
            chain_id: chain.id.to_string(),
            owner: chain.owner.to_string(),
            sources: field::texts(&chain.sources),
            recipients: field::texts(&chain.recipients),
            reidentify_to: field::texts(&chain.reidentify_to),
            reidentify_approvals: chain.reidentify_approvals.into(),
            retention: field::text(chain.retention),
            retained_until: field::text(chain.retained_until),
            namespaces: namespaces.map(v1::ChainNamespace::from).collect(),
            elements: chain.elements.iter().map(v1::Element::from).collect(),
            quota: chain.quota.map(v1::Quota::from),
        }
    }
}

/// Takes only a chain whose description names every element and every namespace once: with two descriptions of one
/// column, what was checked would not have to be what is done.
impl TryFrom<v1::Chain> for ChainView {
    type Error = Invalid;

    fn try_from(wire: v1::Chain) -> Result<Self, Invalid> {
        let v1::Chain {
            chain_id,
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
        } = wire;
        let namespaces: Vec<NamespaceView> = field::messages("namespaces", namespaces)?;
        let elements: Vec<Element> = field::messages("elements", elements)?;
        once("namespaces", namespaces.iter().map(|it| &it.id))?;
        once("elements", elements.iter().map(Element::name))?;
        let quota = quota.map(Quota::try_from).transpose();
        Ok(Self {
            id: field::required("chain_id", &chain_id)?,
            owner: field::required("owner", &owner)?,
            sources: field::each("sources", &sources)?,
            recipients: field::each("recipients", &recipients)?,
            reidentify_to: field::each("reidentify_to", &reidentify_to)?,
            reidentify_approvals: field::narrow("reidentify_approvals", reidentify_approvals)?,
            retention: field::optional("retention", &retention)?,
            retained_until: field::optional_time("retained_until", &retained_until)?,
            quota: quota.map_err(|it| it.within("quota"))?,
            namespaces,
            elements,
        })
    }
}

fn once<T: Ord>(field: &str, names: impl ExactSizeIterator<Item = T>) -> Result<(), Invalid> {
    let count = names.len();
    if names.collect::<BTreeSet<T>>().len() == count {
        Ok(())
    } else {
        Err(Invalid::field(field, "describes one of them twice"))
    }
}

/// No limit is 0.
impl From<Quota> for v1::Quota {
    fn from(quota: Quota) -> Self {
        Self {
            subjects_per_day: quota.subjects_per_day.unwrap_or_default(),
            rejected_percent: quota.rejected_percent.unwrap_or_default().into(),
            requests_per_minute: quota.requests_per_minute.unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::Quota> for Quota {
    type Error = Invalid;

    fn try_from(wire: v1::Quota) -> Result<Self, Invalid> {
        let v1::Quota {
            subjects_per_day,
            rejected_percent,
            requests_per_minute,
        } = wire;
        let percent = field::narrow("rejected_percent", rejected_percent)?;
        Ok(Self {
            subjects_per_day: Some(subjects_per_day).filter(|limit| *limit > 0),
            rejected_percent: Some(percent).filter(|limit| *limit > 0),
            requests_per_minute: Some(requests_per_minute).filter(|limit| *limit > 0),
        })
    }
}

impl From<&NamespaceView> for v1::ChainNamespace {
    fn from(namespace: &NamespaceView) -> Self {
        Self {
            namespace_id: namespace.id.to_string(),
            link: namespace.link.to_string(),
            reversible: namespace.reversible,
            identifier: namespace.identifier.to_string(),
            input: input_word(namespace.input).to_owned(),
            checksum: checksum_word(namespace.checksum).to_owned(),
            missing_words: namespace.missing_words.clone(),
        }
    }
}

impl TryFrom<v1::ChainNamespace> for NamespaceView {
    type Error = Invalid;

    fn try_from(wire: v1::ChainNamespace) -> Result<Self, Invalid> {
        let v1::ChainNamespace {
            namespace_id,
            link,
            reversible,
            identifier,
            input,
            checksum,
            missing_words,
        } = wire;
        let known = LinkMode::ALL.into_iter().find(|it| it.as_str() == link);
        Ok(Self {
            id: field::required("namespace_id", &namespace_id)?,
            link: known.ok_or_else(|| field::unknown("link", "a mode"))?,
            reversible,
            identifier: identifier
                .parse()
                .map_err(|_| field::unknown("identifier", "a kind of identifier"))?,
            input: parse_input(&input)?,
            checksum: parse_checksum(&checksum)?,
            missing_words,
        })
    }
}

/// How the contract spells an input mode.
pub fn input_word(input: InputMode) -> &'static str {
    match input {
        InputMode::Plain => "plain",
        InputMode::Prehash => "prehash",
    }
}

fn parse_input(text: &str) -> Result<InputMode, Invalid> {
    match text {
        "plain" => Ok(InputMode::Plain),
        "prehash" => Ok(InputMode::Prehash),
        _ => Err(field::unknown("input", "an input mode")),
    }
}

/// How the contract spells how strictly identifiers are checked.
pub fn checksum_word(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::Strict => "strict",
        Checksum::Off => "off",
    }
}

fn parse_checksum(text: &str) -> Result<Checksum, Invalid> {
    match text {
        "strict" => Ok(Checksum::Strict),
        "off" => Ok(Checksum::Off),
        _ => Err(field::unknown("checksum", "a checksum mode")),
    }
}

#[cfg(test)]
mod tests;
