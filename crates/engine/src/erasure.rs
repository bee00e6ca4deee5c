//! Opt-out and erasure of subjects.

use sluis_domain::port::Commit;
use sluis_domain::proposal::Proposal;
use sluis_domain::{NamespaceId, ProposalId, Reason};

use crate::Refusal;
use crate::engine::Engine;
use crate::policy::{Permit, SignProposal};
use crate::proposals::Effect;

/// Removes what was kept beside a proposed erasure.
pub(crate) fn forget(_id: &ProposalId, _commit: &mut Commit) {}

impl Engine {
    pub(crate) fn erase_effect(
        &self,
        _permit: &Permit<SignProposal<'_>>,
        _proposal: &Proposal,
        _namespace: &NamespaceId,
        _commit: &mut Commit,
    ) -> Result<Effect, Refusal> {
        Err(Reason::Unimplemented.into())
    }
}
