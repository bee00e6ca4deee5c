//! The end of a chain's retention, which nobody asks for: a warning first, the end later.

use sluis_domain::{ChainId, Reason};

use crate::audit::Entry;
use crate::fault::Fault;
use crate::state::State;

/// A chain is past its retention.
pub(super) fn warn(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let chain = retained(state, entry)?;
    state.warned.insert(chain);
    Ok(())
}

/// A chain that was warned of is destroyed with all its key versions.
pub(super) fn expire(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let chain = retained(state, entry)?;
    if !state.warned.remove(&chain) {
        return Err(Fault::NotWarned(chain));
    }
    // Without a version nothing was destroyed: an earlier daemon wrote that of chains that had no keys, and they may get some.
    if !entry.keys.is_empty() {
        state.expired.insert(chain);
    }
    Ok(())
}

/// The chain that the daemon itself names: one with a retention that is not destroyed yet.
fn retained(state: &State, entry: &Entry) -> Result<ChainId, Fault> {
    let chain = entry
        .chain
        .as_ref()
        .and_then(|id| state.registry.chain(id))
        .ok_or(Fault::Field("chain"))?;
    if state.expired.contains(chain.id()) {
        return Err(Fault::NotAllowed(Reason::ChainDestroyed));
    }
    if chain.retention().is_some() {
        Ok(chain.id().clone())
    } else {
        Err(Fault::Field("chain"))
    }
}
