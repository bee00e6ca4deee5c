//! What an entry is about comes back into memory, if it left.

use super::{Archive, Unread};
use crate::days::GrantDays;
use crate::event::Event;
use crate::state::{Ended, State};
use crate::{grant, proposal};

pub(super) fn recall(
    state: &mut State,
    event: &Event,
    archive: &mut (impl Archive + ?Sized),
) -> Result<(), Unread> {
    if let Some(id) = event.grant()
        && state.grant(id).is_none()
        && let Some(past) = archive.grant(id)?
    {
        recall_grant(state, past);
    }
    if let Some(id) = event.proposal()
        && state.proposal(id).is_none()
        && let Some(past) = archive.proposal(id)?
    {
        recall_proposal(state, past);
    }
    if let Some(digest) = event.refused_proposal()
        && !state.proposal_digests.contains(digest)
        && let Some(past) = archive.proposal_with(digest)?
    {
        recall_proposal(state, past);
    }
    Ok(())
}

/// One of a log that was read further is left where it is: at this entry it went on, or was not there.
fn recall_grant(state: &mut State, past: Ended<grant::Record>) {
    if past.entries <= state.entries {
        // What was used of it counts no more.
        state.read_grant(past, 0, GrantDays::default());
    }
}

/// As [`recall_grant`].
fn recall_proposal(state: &mut State, past: Ended<proposal::Record>) {
    if past.entries <= state.entries {
        state.read_proposal(past);
    }
}
