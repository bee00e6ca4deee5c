//! How much one organisation can make the custodian remember without anybody's consent.

use sluis_domain::{Reason, Timestamp};

use crate::Refusal;

/// Most grants, and most proposals, of one organisation in 24 hours, whatever becomes of them: they are kept for ever.
const MAX_A_DAY: usize = 500;
const DAY_MILLIS: u64 = 24 * 3600 * 1000;

/// Refuses one more with `reason` if as many wait already as may, or too many came of late. `earlier`: when each of the
/// organisation's was made, and whether it waits.
pub(crate) fn check(
    reason: Reason,
    most_waiting: usize,
    now: Timestamp,
    earlier: impl Iterator<Item = (Timestamp, bool)>,
) -> Result<(), Refusal> {
    let (mut waiting, mut of_day) = (0, 0);
    for (made, waits) in earlier {
        waiting += usize::from(waits);
        of_day += usize::from(made.plus_millis(DAY_MILLIS) > now);
    }
    let refuse = |limit: String| Err(Refusal::field(reason, "organisation", limit));
    if waiting >= most_waiting {
        refuse(format!("at most {most_waiting} wait for others at a time"))
    } else if of_day >= MAX_A_DAY {
        refuse(format!("at most {MAX_A_DAY} are made in 24 hours, whatever becomes of them"))
    } else {
        Ok(())
    }
}
