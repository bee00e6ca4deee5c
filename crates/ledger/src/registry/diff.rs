//! What changes between two registries, and what may not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use super::place::{ChainPart, NamespacePart, OrganisationPart, Place};
use super::{Chain, Members, Namespace, Organisation, Problem, Registry};
use sluis_domain::identifier::{Checksum, DEFAULT_WORDS, InputMode, MissingWords};

/// One difference between two registries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// To what: `chain[diabetes-study].element[bsn]`, `organisation[uni-research].stewards`.
    pub path: String,
    /// What was there; `None` if nothing was.
    pub before: Option<String>,
    /// What is there now; `None` if nothing is.
    pub after: Option<String>,
}

/// What happened to something.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is different.
    Changed,
}

/// All differences, in a fixed order: organisations, keys, namespaces, chains, each by id and key. Whatever is added or
/// removed as a whole is shown key by key. The order of elements in a chain carries no meaning and is not compared.
pub fn diff(old: &Registry, new: &Registry) -> Vec<Change> {
    changes(old, new).into_values().collect()
}

/// All differences by place.
pub(super) fn changes(old: &Registry, new: &Registry) -> BTreeMap<Place, Change> {
    let (mut old, new) = (facts(old), facts(new));
    let mut changes = BTreeMap::new();
    for (place, after) in new {
        let before = old.remove(&place);
        let kind = match &before {
            Some(before) if *before == after => continue,
            Some(_) => ChangeKind::Changed,
            None => ChangeKind::Added,
        };
        let path = place.to_string();
        changes.insert(
            place,
            Change {
                kind,
                path,
                before,
                after: Some(after),
            },
        );
    }
    for (place, before) in old {
        let path = place.to_string();
        changes.insert(
            place,
            Change {
                kind: ChangeKind::Removed,
                path,
                before: Some(before),
                after: None,
            },
        );
    }
    changes
}

/// `+ path: after`, `- path: before`, `~ path: before -> after`.
impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "~ {}: {before} -> {after}", self.path),
            (None, Some(after)) => write!(f, "+ {}: {after}", self.path),
            (Some(before), None) => write!(f, "- {}: {before}", self.path),
            (None, None) => write!(f, "  {}", self.path),
        }
    }
}

/// What forbids replacing `old` by `new`.
pub(super) fn check_change(old: &Registry, new: &Registry) -> Vec<Problem> {
    let namespaces = old
        .namespaces()
        .flat_map(|namespace| namespace_change(namespace, new.namespace(namespace.id())));
    let chains = old
        .chains()
        .flat_map(|chain| chain_change(chain, new.chain(chain.id())));
    namespaces.chain(chains).collect()
}

fn namespace_change(old: &Namespace, new: Option<&Namespace>) -> Vec<Problem> {
    let path = format!("namespace[{}]", old.id());
    let Some(new) = new else {
        return vec![forbidden(
            path,
            "a namespace cannot be removed: the keys of its chains would be orphaned; put it back",
        )];
    };
    let identifier = fixed(
        format!("{path}.identifier"),
        old.identifier().as_str(),
        new.identifier().as_str(),
    );
    let input = fixed(
        format!("{path}.input"),
        input_text(old.input()),
        input_text(new.input()),
    );
    identifier.into_iter().chain(input).collect()
}

fn fixed(path: String, before: &str, after: &str) -> Option<Problem> {
    let message = format!(
        "is fixed for the namespace's life: it was \"{before}\" and \"{after}\" would give everybody another \
         pseudonym; put it back, or make a new namespace"
    );
    (before != after).then(|| forbidden(path, message))
}

fn chain_change(old: &Chain, new: Option<&Chain>) -> Vec<Problem> {
    let path = format!("chain[{}]", old.id());
    let Some(new) = new else {
        return vec![forbidden(
            path,
            "a chain cannot be removed: its keys and escrow would be orphaned; put it back",
        )];
    };
    let gone = old
        .namespaces()
        .filter(|namespace| new.namespace(namespace.id()).is_none());
    let message = "a chain's namespace cannot be removed: its keys and escrow would be orphaned; put it back (its \
                   elements may go)";
    gone.map(|namespace| forbidden(format!("{path}.namespace[{}]", namespace.id()), message))
        .collect()
}

fn forbidden(path: String, message: impl Into<String>) -> Problem {
    Problem {
        line: 0,
        column: 0,
        path,
        message: message.into(),
    }
}

/// The registry as single facts. What is empty is no fact.
fn facts(registry: &Registry) -> BTreeMap<Place, String> {
    let organisations = registry.organisations().flat_map(organisation_facts);
    let keys = registry
        .keys()
        .map(|(member, key)| (Place::Key(member.clone()), key.to_string()));
    let namespaces = registry.namespaces().flat_map(namespace_facts);
    let chains = registry.chains().flat_map(chain_facts);
    organisations
        .chain(keys)
        .chain(namespaces)
        .chain(chains)
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

type Fact = (Place, String);

fn organisation_facts(organisation: &Organisation) -> impl Iterator<Item = Fact> {
    let members = match organisation.members() {
        Members::All => "*".to_owned(),
        Members::Listed(names) => list_or_nobody(names),
    };
    let parts = [
        (OrganisationPart::Name, organisation.name().to_owned()),
        (OrganisationPart::Members, members),
        (OrganisationPart::Stewards, list(organisation.stewards())),
        (OrganisationPart::Auditors, list(organisation.auditors())),
        (OrganisationPart::Blocked, list(organisation.blocked())),
    ];
    parts
        .into_iter()
        .map(|(part, value)| (Place::Organisation(organisation.id().clone(), part), value))
}

fn namespace_facts(namespace: &Namespace) -> impl Iterator<Item = Fact> {
    let parts = [
        (
            NamespacePart::Identifier,
            namespace.identifier().to_string(),
        ),
        (
            NamespacePart::Input,
            input_text(namespace.input()).to_owned(),
        ),
        (
            NamespacePart::Checksum,
            checksum_text(namespace.checksum()).to_owned(),
        ),
        (NamespacePart::Missing, words_text(namespace.missing())),
    ];
    parts
        .into_iter()
        .map(|(part, value)| (Place::Namespace(namespace.id().clone(), part), value))
}

fn chain_facts(chain: &Chain) -> impl Iterator<Item = Fact> {
    let parts = [
        (ChainPart::Owner, chain.owner().to_string()),
        (ChainPart::Sources, list(chain.sources())),
        (ChainPart::Recipients, list(chain.recipients())),
        (
            ChainPart::ReidentifyTo,
            list_or_nobody(chain.reidentify_to()),
        ),
        (
            ChainPart::ReidentifyApprovals,
            chain.reidentify_approvals().to_string(),
        ),
        (
            ChainPart::Retention,
            chain
                .retention()
                .map(|retention| retention.to_string())
                .unwrap_or_default(),
        ),
        (ChainPart::Quota(None), chain.quotas.others.to_string()),
    ];
    let quotas = chain.quotas.by_source.iter();
    let quotas =
        quotas.map(|(source, quota)| (ChainPart::Quota(Some(source.clone())), quota.to_string()));
    let namespaces = chain
        .namespaces()
        .map(|line| (ChainPart::Namespace(line.id().clone()), line.to_string()));
    let elements = chain.elements().iter();
    let elements = elements.map(|it| {
        (
            ChainPart::Element(it.name().clone()),
            it.treatment().to_string(),
        )
    });
    let parts = parts
        .into_iter()
        .chain(quotas)
        .chain(namespaces)
        .chain(elements);
    parts.map(|(part, value)| (Place::Chain(chain.id().clone(), part), value))
}

fn list_or_nobody<T: Display>(ids: &BTreeSet<T>) -> String {
    if ids.is_empty() {
        "(nobody)".to_owned()
    } else {
        list(ids)
    }
}

fn list<T: Display>(ids: &BTreeSet<T>) -> String {
    ids.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn input_text(input: InputMode) -> &'static str {
    match input {
        InputMode::Plain => "plain",
        InputMode::Prehash => "prehash",
    }
}

/// The words in quotes, so that a blank and a comma in a word are seen; nothing for the default words.
fn words_text(missing: &MissingWords) -> String {
    let words = missing.words();
    if words == DEFAULT_WORDS {
        return String::new();
    }
    if words.is_empty() {
        return "(no word)".to_owned();
    }
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    quoted.join(", ")
}

fn checksum_text(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::Strict => "strict",
        Checksum::Off => "off",
    }
}
