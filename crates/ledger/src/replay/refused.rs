//! What a refusal says: beside who, what and why at most a chain, a grant or a proposal that exists.

use super::grants::check_named;
use crate::event::{About, Refusal};
use crate::fault::Fault;
use crate::state::State;

pub(super) fn check(state: &State, refusal: &Refusal) -> Result<(), Fault> {
    match &refusal.about {
        // The text is of a registry that was not proposed.
        About::Nothing | About::RegistryText(_) => Ok(()),
        About::Chain(chain) if state.had_chain(chain) => Ok(()),
        About::Chain(_) => Err(Fault::Field("chain")),
        About::Grant(grant) => check_named(state, grant).map(drop),
        About::Proposal { digest, .. } if !state.proposal_digests.contains(digest) => {
            Err(Fault::UnknownProposal)
        }
        About::Proposal { chain, .. } => match chain {
            Some(chain) if !state.had_chain(chain) => Err(Fault::Field("chain")),
            _ => Ok(()),
        },
    }
}
