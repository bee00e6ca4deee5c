//! Registries, what changes between them, and the chains that a member is told of.

use sluis_ledger::registry::{Change, ChangeKind, Requirement};

use crate::chain::ChainView;
use crate::proposal::ProposalView;
use crate::{Invalid, field, v1};

/// What a custodian makes of a registry that was sent to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProposedRegistry {
    /// Version in force.
    pub version: u64,
    /// What differs.
    pub changes: Vec<Change>,
    /// Key lines with a new version, as `chain` or `chain/namespace`.
    pub new_key_lines: Vec<String>,
    /// The signatures that it needs, and why.
    pub needs: Vec<Requirement>,
    /// The proposal; `None` on a dry run and if nothing differs.
    pub proposal: Option<ProposalView>,
}

impl From<ProposedRegistry> for v1::ApplyRegistryResponse {
    fn from(proposed: ProposedRegistry) -> Self {
        let changes = proposed.changes.into_iter();
        let needs = proposed.needs.into_iter();
        Self {
            version: proposed.version,
            changes: changes.map(v1::RegistryChange::from).collect(),
            new_key_lines: proposed.new_key_lines,
            proposal: proposed.proposal.map(v1::Proposal::from),
            needs: needs.map(v1::SignersNeeded::from).collect(),
        }
    }
}

impl TryFrom<v1::ApplyRegistryResponse> for ProposedRegistry {
    type Error = Invalid;

    fn try_from(wire: v1::ApplyRegistryResponse) -> Result<Self, Invalid> {
        let proposal = wire.proposal.map(ProposalView::try_from).transpose();
        Ok(Self {
            version: wire.version,
            changes: field::messages("changes", wire.changes)?,
            new_key_lines: wire.new_key_lines,
            needs: field::messages("needs", wire.needs)?,
            proposal: proposal.map_err(|it| it.within("proposal"))?,
        })
    }
}

/// An empty text is absent.
impl From<Change> for v1::RegistryChange {
    fn from(change: Change) -> Self {
        let kind = match change.kind {
            ChangeKind::Added => v1::ChangeKind::Added,
            ChangeKind::Removed => v1::ChangeKind::Removed,
            ChangeKind::Changed => v1::ChangeKind::Changed,
        };
        Self {
            kind: kind.into(),
            path: change.path,
            before: change.before.unwrap_or_default(),
            after: change.after.unwrap_or_default(),
        }
    }
}

impl TryFrom<v1::RegistryChange> for Change {
    type Error = Invalid;

    fn try_from(wire: v1::RegistryChange) -> Result<Self, Invalid> {
        let kind = v1::ChangeKind::try_from(wire.kind)
            .map_err(|_| field::unknown("kind", "a kind of change"))?;
        Ok(Self {
            kind: match kind {
                v1::ChangeKind::Added => ChangeKind::Added,
                v1::ChangeKind::Removed => ChangeKind::Removed,
                v1::ChangeKind::Changed => ChangeKind::Changed,
                v1::ChangeKind::Unspecified => return Err(Invalid::missing("kind")),
            },
            path: wire.path,
            before: Some(wire.before).filter(|text| !text.is_empty()),
            after: Some(wire.after).filter(|text| !text.is_empty()),
        })
    }
}

/// The text of a registry version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryText {
    /// Its version.
    pub version: u64,
    /// The text as it was applied.
    pub toml: String,
}

impl From<v1::GetRegistryResponse> for RegistryText {
    fn from(wire: v1::GetRegistryResponse) -> Self {
        Self {
            version: wire.version,
            toml: wire.toml,
        }
    }
}

impl From<RegistryText> for v1::GetRegistryResponse {
    fn from(text: RegistryText) -> Self {
        Self {
            version: text.version,
            toml: text.toml,
        }
    }
}

/// The chains that a member is told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chains {
    /// Registry version in force.
    pub registry_version: u64,
    /// Its chains.
    pub chains: Vec<ChainView>,
}

impl From<Chains> for v1::ListChainsResponse {
    fn from(list: Chains) -> Self {
        Self {
            chains: list.chains.iter().map(v1::Chain::from).collect(),
            registry_version: list.registry_version,
        }
    }
}

impl TryFrom<v1::ListChainsResponse> for Chains {
    type Error = Invalid;

    fn try_from(wire: v1::ListChainsResponse) -> Result<Self, Invalid> {
        Ok(Self {
            registry_version: wire.registry_version,
            chains: field::messages("chains", wire.chains)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed() -> ProposedRegistry {
        let change = |kind, before: Option<&str>, after: Option<&str>| Change {
            kind,
            path: "chain[a].retention".to_owned(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        ProposedRegistry {
            version: 3,
            changes: vec![
                change(ChangeKind::Added, None, Some("10y")),
                change(ChangeKind::Removed, Some("10y"), None),
                change(ChangeKind::Changed, Some("10y"), Some("5y")),
            ],
            new_key_lines: vec!["a/n".to_owned()],
            needs: vec![Requirement {
                signers: sluis_ledger::registry::Signers::Custodians,
                count: 2,
                because: vec!["chain[a].retention".to_owned()],
            }],
            proposal: None,
        }
    }

    #[test]
    fn what_would_change_survives_the_way_out_and_in() {
        let wire = v1::ApplyRegistryResponse::from(proposed());
        assert_eq!(ProposedRegistry::try_from(wire), Ok(proposed()));
    }

    #[test]
    fn errors_name_the_field() {
        type Break = fn(&mut v1::ApplyRegistryResponse);
        let cases: [(Break, &str); 5] = [
            (|it| it.changes[1].kind = 0, "changes[1].kind"),
            (|it| it.changes[2].kind = 99, "changes[2].kind"),
            (|it| it.needs[0].count = 256, "needs[0].count"),
            (
                |it| it.needs[0].stewards_of = "NO".into(),
                "needs[0].stewards_of",
            ),
            (
                |it| it.proposal = Some(v1::Proposal::default()),
                "proposal.canonical",
            ),
        ];
        for (break_it, field) in cases {
            let mut wire = v1::ApplyRegistryResponse::from(proposed());
            break_it(&mut wire);
            let invalid = ProposedRegistry::try_from(wire).expect_err(field);
            assert_eq!(invalid.field, field);
        }
    }
}
