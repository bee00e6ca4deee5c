//! The end of keys.

use sluis_domain::port::Commit;
use sluis_domain::proposal::Proposal;
use sluis_domain::{Kid, Reason};

use crate::Refusal;
use crate::engine::Engine;
use crate::policy::{Permit, SignProposal};
use crate::proposals::Effect;

impl Engine {
    pub(crate) fn destroy_effect(
        &self,
        _permit: &Permit<SignProposal<'_>>,
        _proposal: &Proposal,
        _kid: Kid,
        _commit: &mut Commit,
    ) -> Result<Effect, Refusal> {
        Err(Reason::Unimplemented.into())
    }

    pub(crate) fn cut_effect(
        &self,
        _permit: &Permit<SignProposal<'_>>,
        _proposal: &Proposal,
        _kid: Kid,
        _commit: &mut Commit,
    ) -> Result<Effect, Refusal> {
        Err(Reason::Unimplemented.into())
    }
}
