//! What becomes of key versions and of the chains that had them.

use sluis_domain::audit::{Act, Entry};

use crate::state::{Stage, State};

/// Takes over what an entry that was done says about keys.
pub(super) fn note(state: &mut State, entry: &Entry) {
    let stage = match entry.act {
        Act::ApplyRegistry | Act::RotateChain | Act::CutEscrow => Stage::Made,
        Act::DisableVersion => Stage::Disabled,
        Act::DestroyVersion | Act::ExpireChain => Stage::Destroyed,
        _ => return,
    };
    for used in &entry.keys {
        let version = state.versions.entry(used.kid).or_default();
        version.stage = version.stage.max(stage);
        version.cut |= entry.act == Act::CutEscrow;
    }
    if entry.act == Act::ExpireChain {
        state.expired.extend(entry.chain.clone());
    }
}
