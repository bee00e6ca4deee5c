//! How many refusals reach the log, so that a refused caller cannot fill it, and no one crowds out the refusals of others.
//!
//! Each organisation has room of its own. All callers whose organisation is not registered share one room.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sluis_domain::{Identity, OrganisationId, Reason, Timestamp};

/// Most refusals of one caller that are recorded in a minute, beside the first for each reason; the others are still
/// refused.
const OF_CALLER: u32 = 60;
/// Most callers of one room that are remembered. Those beyond share what one caller has.
const CALLERS: usize = 256;
/// Most refusals of strangers that are recorded in a minute.
const OF_STRANGERS: u32 = 600;

/// Counts the refusals of a minute.
#[derive(Default)]
pub(crate) struct RefusalLimit(Mutex<BTreeMap<Option<OrganisationId>, Room>>);

/// The refusals of an organisation, or of all strangers.
#[derive(Default)]
struct Room {
    minute: u64,
    all: u32,
    callers: BTreeMap<Option<Identity>, Refusals>,
}

#[derive(Default)]
struct Refusals {
    count: u32,
    reasons: Vec<Reason>,
}

impl RefusalLimit {
    /// Whether one more refusal is put on record; it counts then. `known`: the caller's organisation is registered.
    pub(crate) fn admits(
        &self,
        caller: &Identity,
        known: bool,
        reason: Reason,
        now: Timestamp,
    ) -> bool {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms
            .entry(known.then(|| caller.organisation.clone()))
            .or_default();
        room.begin(now.millis() / 60_000);
        if !known && room.all >= OF_STRANGERS {
            return false;
        }
        let admitted = room.of(caller).admit(reason);
        room.all += u32::from(admitted);
        admitted
    }
}

impl Room {
    fn begin(&mut self, minute: u64) {
        if self.minute != minute {
            *self = Self {
                minute,
                ..Self::default()
            };
        }
    }

    fn of(&mut self, caller: &Identity) -> &mut Refusals {
        let own = Some(caller.clone());
        let name = if self.callers.len() < CALLERS || self.callers.contains_key(&own) {
            own
        } else {
            None
        };
        self.callers.entry(name).or_default()
    }
}

impl Refusals {
    /// The first for each reason always: many refusals of one kind do not hide one of another.
    fn admit(&mut self, reason: Reason) -> bool {
        let first = !self.reasons.contains(&reason);
        if first {
            self.reasons.push(reason);
        }
        self.count = self.count.saturating_add(1);
        first || self.count <= OF_CALLER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str) -> Identity {
        name.parse().expect("an identity")
    }

    fn minute(number: u64) -> Timestamp {
        Timestamp::from_millis(number * 60_000).expect("small")
    }

    #[test]
    fn refusals_of_one_caller_are_bounded_per_minute() {
        let limit = RefusalLimit::default();
        let admits = |name, at| limit.admits(&who(name), true, Reason::UnknownChain, minute(at));
        let recorded = (0..100).filter(|_| admits("a/b", 0)).count();
        assert_eq!(recorded, OF_CALLER as usize);
        assert!(admits("a/c", 0));
        assert!(admits("a/b", 1));
    }

    #[test]
    fn the_first_refusal_for_each_reason_is_always_on_record() {
        let limit = RefusalLimit::default();
        let admits = |reason, at| limit.admits(&who("a/b"), true, reason, minute(at));
        while admits(Reason::UnknownChain, 5) {}
        for reason in [
            Reason::QuotaSubjects,
            Reason::GrantDailyLimit,
            Reason::GrantExhausted,
            Reason::BadSignature,
        ] {
            assert_eq!([admits(reason, 5), admits(reason, 5)], [true, false]);
        }
        assert!(admits(Reason::QuotaSubjects, 6));
    }

    #[test]
    fn promise_11_refusals_on_record_are_not_crowded_out_by_others() {
        let limit = RefusalLimit::default();
        let refuse = |name: &str, known| {
            limit.admits(&who(name), known, Reason::UnknownOrganisation, minute(3))
        };
        // As many names as a certificate authority gives out, of organisations that are not registered.
        let strangers = (0..10_000).filter(|i| refuse(&format!("stranger-{i}/etl"), false));
        let recorded = strangers.count();
        assert!(recorded <= OF_STRANGERS as usize, "{recorded}");
        // And of one that is, and admits every member.
        let colleagues = (0..10_000).filter(|i| refuse(&format!("open/member-{i}"), true));
        assert!(colleagues.count() < 1_000);
        assert!(refuse("hospital/etl", true), "has its own room");
        let rooms = limit.0.lock().expect("whole");
        let remembered: usize = rooms.values().map(|room| room.callers.len()).sum();
        assert!(remembered <= 2 * (CALLERS + 1) + 1, "{remembered}");
    }
}
