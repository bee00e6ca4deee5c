//! The registry: which organisations there are, which identifiers they share, and which information chains run
//! between them.
//!
//! It is declarative. The operator writes the whole as TOML (`docs/samples/registry.toml` shows every key),
//! [`Registry::parse`] takes all of it or nothing and names every error at once, and [`diff`] shows what would
//! change, [`required_signers`] who must sign that. A [`Registry`] is valid by construction: every reference resolves,
//! every owner has its stewards, every steward has one key that no one else has, every treatment has exactly its
//! parameters. It holds no personal data, so all of it may be shown and logged.

mod chain;
mod delivery;
mod diff;
mod organisation;
mod place;
mod problem;
mod quota;
mod raw;
mod signers;
mod validate;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use chain::{Chain, ChainNamespace, Element, LinkMode, Retention, RetentionUnit, Treatment};
pub use delivery::Delivery;
pub use diff::{Change, ChangeKind, diff};
pub use organisation::{Members, Organisation};
pub use problem::Problem;
pub use quota::Quota;
pub use signers::{REQUIRED_SIGNATURES, Requirement, Signers, required_signers};

use sluis_domain::id::{ChainId, Identity, NamespaceId, OrganisationId};
use sluis_domain::identifier::{
    Checksum, IdentifierKind, IdentifierRules, InputMode, MissingWords,
};
use sluis_domain::public_key::PublicKey;

/// Most chains in a registry.
pub const MAX_CHAINS: usize = 1_000;
/// Most namespaces in a chain.
pub const MAX_NAMESPACES_PER_CHAIN: usize = 64;
/// Most elements in a chain.
pub const MAX_ELEMENTS_PER_CHAIN: usize = sluis_domain::batch::MAX_COLUMNS;
/// Fewest approvals of a re-identification, and fewest stewards of an organisation that owns a chain: two gates, and
/// two signatures ([`REQUIRED_SIGNATURES`]) under a change of the chain.
pub const MIN_APPROVALS: u8 = 2;
/// Longest date shift, in days either way (about a century).
pub const MAX_SHIFT_DAYS: u32 = 36_500;
/// From this many rows of a UTC day on, [`Quota::rejected_percent`] is looked at: a share of few rows says little.
pub const MIN_ROWS_FOR_REJECTED_PERCENT: u64 = 1_000;
/// Longest name of an organisation, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// A whole registry, valid by construction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registry {
    organisations: BTreeMap<OrganisationId, Organisation>,
    keys: BTreeMap<Identity, PublicKey>,
    namespaces: BTreeMap<NamespaceId, Namespace>,
    chains: BTreeMap<ChainId, Chain>,
}

/// A kind of subject identifier shared by chains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Namespace {
    id: NamespaceId,
    input: InputMode,
    rules: IdentifierRules,
}

impl Registry {
    /// A registry without organisations, keys, namespaces and chains: what a new custodian starts with.
    pub fn empty() -> Self {
        Self {
            organisations: BTreeMap::new(),
            keys: BTreeMap::new(),
            namespaces: BTreeMap::new(),
            chains: BTreeMap::new(),
        }
    }

    /// Parses and validates a registry in TOML. `custodians` are the ones of the daemon's own configuration; none of
    /// them may be a steward.
    ///
    /// # Errors
    /// Every [`Problem`] of the text in the order of its lines; a TOML syntax error is a single one.
    pub fn parse(text: &str, custodians: &[Identity]) -> Result<Self, Vec<Problem>> {
        let mut problems = problem::Problems::new(text);
        let registry = raw::read(text, &mut problems)
            .and_then(|raw| validate::registry(&raw, custodians, &mut problems));
        match registry {
            Some(registry) if problems.is_empty() => Ok(registry),
            _ => Err(problems.into_sorted()),
        }
    }

    /// What forbids replacing this registry by `new`; empty if nothing does. The problems have no line.
    pub fn check_change(&self, new: &Self) -> Vec<Problem> {
        diff::check_change(self, new)
    }

    /// The organisation with this id.
    pub fn organisation(&self, id: &OrganisationId) -> Option<&Organisation> {
        self.organisations.get(id)
    }

    /// The pinned key that this steward's signatures are verified with; `None` for anyone who is no steward.
    pub fn key(&self, steward: &Identity) -> Option<&PublicKey> {
        self.keys.get(steward)
    }

    /// All pinned keys in the order of their holders: one of each steward, each different.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = (&Identity, &PublicKey)> {
        self.keys.iter()
    }

    /// The namespace with this id.
    pub fn namespace(&self, id: &NamespaceId) -> Option<&Namespace> {
        self.namespaces.get(id)
    }

    /// The chain with this id.
    pub fn chain(&self, id: &ChainId) -> Option<&Chain> {
        self.chains.get(id)
    }

    /// Whether what this registry does with records of the chain is done by `later` too: its elements have the same treatments,
    /// and its namespaces the same rules. There may be more of them.
    pub fn treats_as_before(&self, later: &Self, chain: &ChainId) -> bool {
        let Some((old, new)) = self.chain(chain).zip(later.chain(chain)) else {
            return false;
        };
        let mut elements = old.elements().iter();
        let mut namespaces = old.namespaces();
        elements.all(|element| new.element(element.name()) == Some(element))
            && namespaces.all(|namespace| {
                let id = namespace.id();
                new.namespace(id) == Some(namespace) && later.namespace(id) == self.namespace(id)
            })
    }

    /// All organisations in the order of their ids.
    pub fn organisations(&self) -> impl ExactSizeIterator<Item = &Organisation> {
        self.organisations.values()
    }

    /// All namespaces in the order of their ids.
    pub fn namespaces(&self) -> impl ExactSizeIterator<Item = &Namespace> {
        self.namespaces.values()
    }

    /// All chains in the order of their ids.
    pub fn chains(&self) -> impl ExactSizeIterator<Item = &Chain> {
        self.chains.values()
    }

    /// The organisation that owns `chain`; `None` only for a chain of another registry.
    pub fn owner(&self, chain: &Chain) -> Option<&Organisation> {
        self.organisation(chain.owner())
    }
}

impl Namespace {
    /// The id.
    pub fn id(&self) -> &NamespaceId {
        &self.id
    }

    /// Which identifiers it holds; fixed for its life.
    pub fn identifier(&self) -> IdentifierKind {
        self.rules.kind()
    }

    /// What sources send of an identifier; fixed for its life.
    pub fn input(&self) -> InputMode {
        self.input
    }

    /// Whether check digits are verified.
    pub fn checksum(&self) -> Checksum {
        self.rules.checksum()
    }

    /// The words that stand for a missing identifier.
    pub fn missing(&self) -> &MissingWords {
        self.rules.missing()
    }

    /// How an identifier becomes its normal form.
    pub fn rules(&self) -> &IdentifierRules {
        &self.rules
    }
}
