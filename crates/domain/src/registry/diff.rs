//! What changes between two registries, and what may not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use super::{Chain, Members, Namespace, Organisation, Problem, Registry};
use crate::identifier::{Checksum, InputMode};

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

/// All differences, in a fixed order: organisations, namespaces, chains, each by id and key. Whatever is added or
/// removed as a whole is shown key by key. The order of elements in a chain carries no meaning and is not compared.
pub fn diff(old: &Registry, new: &Registry) -> Vec<Change> {
    let (mut old, new) = (facts(old), facts(new));
    let mut changes: BTreeMap<Place, Change> = BTreeMap::new();
    for (place, (path, after)) in new {
        let before = old.remove(&place).map(|(_, before)| before);
        let kind = match &before {
            Some(before) if *before == after => continue,
            Some(_) => ChangeKind::Changed,
            None => ChangeKind::Added,
        };
        changes.insert(place, Change { kind, path, before, after: Some(after) });
    }
    for (place, (path, before)) in old {
        changes.insert(place, Change { kind: ChangeKind::Removed, path, before: Some(before), after: None });
    }
    changes.into_values().collect()
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
    let namespaces = old.namespaces().flat_map(|namespace| namespace_change(namespace, new.namespace(namespace.id())));
    let chains = old.chains().flat_map(|chain| chain_change(chain, new.chain(chain.id())));
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
    let fixed = |key: &str, before: &str, after: &str| {
        let message = format!(
            "is fixed for the namespace's life: it was \"{before}\" and \"{after}\" would give everybody another \
             pseudonym; put it back, or make a new namespace"
        );
        (before != after).then(|| forbidden(format!("{path}.{key}"), message))
    };
    let identifier = fixed("identifier", old.identifier().as_str(), new.identifier().as_str());
    let input = fixed("input", input_text(old.input()), input_text(new.input()));
    identifier.into_iter().chain(input).collect()
}

fn chain_change(old: &Chain, new: Option<&Chain>) -> Vec<Problem> {
    let path = format!("chain[{}]", old.id());
    let Some(new) = new else {
        return vec![forbidden(path, "a chain cannot be removed: its keys and escrow would be orphaned; put it back")];
    };
    let gone = old.namespaces().filter(|namespace| new.namespace(namespace.id()).is_none());
    let message = "a chain's namespace cannot be removed: its keys and escrow would be orphaned; put it back (its \
                   elements may go)";
    gone.map(|namespace| forbidden(format!("{path}.namespace[{}]", namespace.id()), message)).collect()
}

fn forbidden(path: String, message: impl Into<String>) -> Problem {
    Problem { line: 0, column: 0, path, message: message.into() }
}

/// Where a fact stands in the order: part, id, rank of the key, name of the element or namespace.
type Place = (u8, String, u8, String);
/// Path and value.
type Fact = (String, String);

/// The registry as single facts. What is empty is no fact.
fn facts(registry: &Registry) -> BTreeMap<Place, Fact> {
    let mut facts = Facts::default();
    registry.organisations().for_each(|organisation| facts.organisation(organisation));
    registry.namespaces().for_each(|namespace| facts.namespace(namespace));
    registry.chains().for_each(|chain| facts.chain(chain));
    facts.found
}

#[derive(Default)]
struct Facts {
    found: BTreeMap<Place, Fact>,
}

impl Facts {
    fn organisation(&mut self, organisation: &Organisation) {
        let id = organisation.id();
        let members = match organisation.members() {
            Members::All => "*".to_owned(),
            Members::Listed(names) if names.is_empty() => "(nobody)".to_owned(),
            Members::Listed(names) => list(names),
        };
        let keys = [
            ("name", organisation.name().to_owned()),
            ("members", members),
            ("stewards", list(organisation.stewards())),
            ("auditors", list(organisation.auditors())),
            ("blocked", list(organisation.blocked())),
        ];
        self.keys(0, &format!("organisation[{id}]"), keys);
    }

    fn namespace(&mut self, namespace: &Namespace) {
        let keys = [
            ("identifier", namespace.identifier().to_string()),
            ("input", input_text(namespace.input()).to_owned()),
            ("checksum", checksum_text(namespace.checksum()).to_owned()),
        ];
        self.keys(1, &format!("namespace[{}]", namespace.id()), keys);
    }

    fn chain(&mut self, chain: &Chain) {
        let path = format!("chain[{}]", chain.id());
        let reidentify_to = list(chain.reidentify_to());
        let keys = [
            ("owner", chain.owner().to_string()),
            ("sources", list(chain.sources())),
            ("recipients", list(chain.recipients())),
            ("reidentify_to", if reidentify_to.is_empty() { "(nobody)".to_owned() } else { reidentify_to }),
            ("reidentify_approvals", chain.reidentify_approvals().to_string()),
            ("retention", chain.retention().map(|retention| retention.to_string()).unwrap_or_default()),
        ];
        let ranks = keys.len() as u8;
        self.keys(2, &path, keys);
        for namespace in chain.namespaces() {
            let at = format!("{path}.namespace[{}]", namespace.id());
            self.add((2, path.clone(), ranks, namespace.id().to_string()), at, namespace.to_string());
        }
        for element in chain.elements() {
            let at = format!("{path}.element[{}]", element.name());
            self.add((2, path.clone(), ranks + 1, element.name().to_string()), at, element.treatment().to_string());
        }
    }

    fn keys<const N: usize>(&mut self, part: u8, path: &str, keys: [(&str, String); N]) {
        for (rank, (key, value)) in (0u8..).zip(keys) {
            self.add((part, path.to_owned(), rank, String::new()), format!("{path}.{key}"), value);
        }
    }

    fn add(&mut self, place: Place, path: String, value: String) {
        if !value.is_empty() {
            self.found.insert(place, (path, value));
        }
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

fn checksum_text(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::Strict => "strict",
        Checksum::Off => "off",
    }
}
