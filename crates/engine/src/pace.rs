//! How much can be asked of the custodian to remember without anybody's consent.

use sluis_domain::{Identity, Reason, Timestamp};

use crate::Refusal;

/// Most grants, and most proposals, that one person may ask for in 24 hours, whatever becomes of them: they are kept for ever.
const MAX_A_DAY: usize = 500;
const DAY_MILLIS: u64 = 24 * 3600 * 1000;

/// What was asked for before.
pub(crate) struct Earlier<'a> {
    pub(crate) by: &'a Identity,
    pub(crate) at: Timestamp,
    /// Whether it waits for others.
    pub(crate) waits: bool,
}

/// Refuses one more with `reason` if as much of the caller's organisation waits already as may, or the caller asked for too
/// much of late. The latter is of a person, so that nobody uses up what their colleagues may.
pub(crate) fn check<'a>(
    reason: Reason,
    most_waiting: usize,
    (caller, now): (&Identity, Timestamp),
    earlier: impl Iterator<Item = Earlier<'a>>,
) -> Result<(), Refusal> {
    let (mut waiting, mut of_day) = (0, 0);
    for Earlier { by, at, waits } in
        earlier.filter(|earlier| earlier.by.organisation == caller.organisation)
    {
        waiting += usize::from(waits);
        of_day += usize::from(by == caller && at.plus_millis(DAY_MILLIS) > now);
    }
    let refuse = |limit: String| Err(Refusal::field(reason, "caller", limit));
    if waiting >= most_waiting {
        refuse(format!(
            "at most {most_waiting} of an organisation wait for others at a time"
        ))
    } else if of_day >= MAX_A_DAY {
        refuse(format!(
            "a person asks for at most {MAX_A_DAY} in 24 hours, whatever becomes of them"
        ))
    } else {
        Ok(())
    }
}
