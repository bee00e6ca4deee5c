//! A party and its members.

use std::collections::BTreeSet;

use sluis_domain::id::{MemberName, OrganisationId};

/// A party. Its members are certificate identities.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Organisation {
    pub(super) id: OrganisationId,
    pub(super) name: String,
    pub(super) members: Members,
    pub(super) stewards: BTreeSet<MemberName>,
    pub(super) auditors: BTreeSet<MemberName>,
    pub(super) blocked: BTreeSet<MemberName>,
}

/// Who an organisation admits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Members {
    /// Every certificate of the organisation (`members = ["*"]`).
    All,
    /// These only.
    Listed(BTreeSet<MemberName>),
}

impl Members {
    /// Whether this name is admitted.
    pub fn admit(&self, member: &MemberName) -> bool {
        match self {
            Self::All => true,
            Self::Listed(names) => names.contains(member),
        }
    }
}

impl Organisation {
    /// The id.
    pub fn id(&self) -> &OrganisationId {
        &self.id
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who it admits.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Who may approve or deny grants on its chains. A steward may be blocked at the same time.
    pub fn stewards(&self) -> &BTreeSet<MemberName> {
        &self.stewards
    }

    /// Who may read and verify the audit log. An auditor may be blocked at the same time.
    pub fn auditors(&self) -> &BTreeSet<MemberName> {
        &self.auditors
    }

    /// Who is shut out, whatever else is written about them.
    pub fn blocked(&self) -> &BTreeSet<MemberName> {
        &self.blocked
    }

    /// Whether this is a member. Says nothing about [`Self::is_blocked`], which must be asked as well.
    pub fn is_member(&self, member: &MemberName) -> bool {
        self.members.admit(member)
    }

    /// Whether this member is shut out.
    pub fn is_blocked(&self, member: &MemberName) -> bool {
        self.blocked.contains(member)
    }

    /// Whether this member is a steward. Says nothing about [`Self::is_blocked`].
    pub fn is_steward(&self, member: &MemberName) -> bool {
        self.stewards.contains(member)
    }

    /// Whether this member is an auditor. Says nothing about [`Self::is_blocked`].
    pub fn is_auditor(&self, member: &MemberName) -> bool {
        self.auditors.contains(member)
    }
}
