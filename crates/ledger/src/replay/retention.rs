//! The end of a chain's retention, which no one asks for: a warning first, the end later.

use sluis_domain::{ChainId, Reason};

use super::keys;
use crate::audit::Act;
use crate::event::ChainExpired;
use crate::fault::Fault;
use crate::state::State;

/// A chain is past its retention.
pub(super) fn warn(state: &mut State, chain: &ChainId) -> Result<(), Fault> {
    let chain = retained(state, chain)?;
    state.warned.insert(chain);
    Ok(())
}

/// A chain that was warned of is destroyed with all its key versions.
pub(super) fn expire(state: &mut State, expired: &ChainExpired) -> Result<(), Fault> {
    let chain = retained(state, &expired.chain)?;
    if !state.warned.remove(&chain) {
        return Err(Fault::NotWarned(chain));
    }
    // Without a version nothing was destroyed: an earlier daemon wrote the end of chains that had no keys, and they may
    // get some.
    if !expired.ended.is_empty() {
        state.expired.insert(chain.clone());
    }
    for version in &expired.ended {
        keys::change(state, Act::ExpireChain, &version.of(&chain))?;
    }
    keys::check_all_ended(state, &chain)
}

/// The chain that the daemon itself names: one with a retention that is not destroyed yet.
fn retained(state: &State, id: &ChainId) -> Result<ChainId, Fault> {
    let chain = state.registry.chain(id).ok_or(Fault::Field("chain"))?;
    if state.expired.contains(chain.id()) {
        return Err(Fault::NotAllowed(Reason::ChainDestroyed));
    }
    if chain.retention().is_some() {
        Ok(chain.id().clone())
    } else {
        Err(Fault::Field("chain"))
    }
}
