//! Where in a registry a fact stands.
//!
//! Typed, so that anyone who adds a fact must say what its path is and, in [`super::signers`], who signs its change: the
//! matches there and here are exhaustive.

use std::fmt;

use sluis_domain::id::{ChainId, ElementName, Identity, NamespaceId, OrganisationId};

/// A place, in the order in which differences are shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
    Organisation(OrganisationId, OrganisationPart),
    Key(Identity),
    Namespace(NamespaceId, NamespacePart),
    Chain(ChainId, ChainPart),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum OrganisationPart {
    Name,
    Members,
    Stewards,
    Auditors,
    Blocked,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum NamespacePart {
    Identifier,
    Input,
    Checksum,
    Missing,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum ChainPart {
    Owner,
    Sources,
    Recipients,
    ReidentifyTo,
    ReidentifyApprovals,
    Retention,
    /// Of a source; `None` for the one of all other sources.
    Quota(Option<OrganisationId>),
    /// Link and reversibility.
    Namespace(NamespaceId),
    Element(ElementName),
}

/// The path: `chain[diabetes-study].quota[gp-south]`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organisation(id, part) => write!(f, "organisation[{id}].{part}"),
            Self::Key(member) => write!(f, "key[{member}]"),
            Self::Namespace(id, part) => write!(f, "namespace[{id}].{part}"),
            Self::Chain(id, part) => write!(f, "chain[{id}].{part}"),
        }
    }
}

impl fmt::Display for OrganisationPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "name",
            Self::Members => "members",
            Self::Stewards => "stewards",
            Self::Auditors => "auditors",
            Self::Blocked => "blocked",
        })
    }
}

impl fmt::Display for NamespacePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identifier => "identifier",
            Self::Input => "input",
            Self::Checksum => "checksum",
            Self::Missing => "missing",
        })
    }
}

impl fmt::Display for ChainPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_str("owner"),
            Self::Sources => f.write_str("sources"),
            Self::Recipients => f.write_str("recipients"),
            Self::ReidentifyTo => f.write_str("reidentify_to"),
            Self::ReidentifyApprovals => f.write_str("reidentify_approvals"),
            Self::Retention => f.write_str("retention"),
            Self::Quota(Some(source)) => write!(f, "quota[{source}]"),
            // No id is "*".
            Self::Quota(None) => f.write_str("quota[*]"),
            Self::Namespace(id) => write!(f, "namespace[{id}]"),
            Self::Element(name) => write!(f, "element[{name}]"),
        }
    }
}
