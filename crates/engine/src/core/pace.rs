//! How much can be asked of the custodian to remember without anybody's consent.

use sluis_domain::time::DAY_MILLIS;
use sluis_domain::{Identity, Reason, Timestamp};

use crate::Refusal;

/// Most grants, and most proposals, that one person may ask for in 24 hours, whatever becomes of them: they are kept for ever.
const MAX_A_DAY: usize = 500;
/// An organisation may have as much waiting as so many people.
const PEOPLE: usize = 4;

/// What was asked for before.
pub(crate) struct Earlier<'a> {
    pub(crate) by: &'a Identity,
    pub(crate) at: Timestamp,
    /// Whether it waits for others.
    pub(crate) waits: bool,
}

/// Refuses one more with `reason` if as much of the caller, or of the caller's organisation, waits already as may, or if the
/// caller asked for too much of late. An organisation has room for several people, so that no one uses up what their
/// colleagues may.
pub(crate) fn check<'a>(
    reason: Reason,
    most_waiting: usize,
    (caller, now): (&Identity, Timestamp),
    earlier: impl Iterator<Item = Earlier<'a>>,
) -> Result<(), Refusal> {
    let (mut of_all, mut own, mut of_day) = (0, 0, 0);
    for Earlier { by, at, waits } in
        earlier.filter(|earlier| earlier.by.organisation == caller.organisation)
    {
        of_all += usize::from(waits);
        own += usize::from(waits && by == caller);
        of_day += usize::from(by == caller && at.plus_millis(DAY_MILLIS) > now);
    }
    let most_of_all = most_waiting * PEOPLE;
    let limit = if own >= most_waiting {
        format!("at most {most_waiting} of a person wait for others at a time")
    } else if of_all >= most_of_all {
        format!("at most {most_of_all} of an organisation wait for others at a time")
    } else if of_day >= MAX_A_DAY {
        format!("a person asks for at most {MAX_A_DAY} in 24 hours, whatever becomes of them")
    } else {
        return Ok(());
    };
    Err(Refusal::field(reason, "caller", limit))
}
