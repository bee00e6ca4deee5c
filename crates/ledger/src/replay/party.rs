//! Who may ask for something about chains.

use sluis_domain::{Identity, Reason};

use crate::fault::Fault;
use crate::state::State;

/// Requests, uses and batches of sources are by members who are no custodians.
pub(super) fn check_party(state: &State, who: &Identity) -> Result<(), Fault> {
    if state.is_custodian(who) {
        Err(Fault::NotAllowed(Reason::CustodianMayNot))
    } else if !state.is_member(who) {
        Err(Fault::NotAllowed(Reason::NotAMember))
    } else {
        Ok(())
    }
}
