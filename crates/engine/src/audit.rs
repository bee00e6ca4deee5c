//! The audit log: writing entries with the acts, recording refusals, reading.

use std::collections::BTreeMap;
use std::sync::Mutex;

use sluis_domain::audit::{Act, Entry, Outcome};
use sluis_domain::port::{Commit, Family};
use sluis_domain::{Identity, Reason, Timestamp};

use crate::engine::Engine;
use crate::policy::ReadAudit;
use crate::{Caller, Refusal};

/// Most refusals of one caller that are recorded in a minute; the others are still refused.
const REFUSALS_PER_MINUTE: u32 = 60;
/// Most callers remembered at a time.
const CALLERS: usize = 4096;
/// Most entries of one page.
pub(crate) const MAX_PAGE: usize = 10_000;

/// A range of the log.
#[derive(Debug)]
pub struct EntriesPage {
    /// Sequence, canonical bytes and meaning of each entry.
    pub entries: Vec<(u64, Vec<u8>, Entry)>,
    /// Where to go on.
    pub next_sequence: u64,
    /// Number of entries in the log.
    pub log_size: u64,
}

/// Bounds the refusals that reach the log, so that a refused caller cannot fill it.
#[derive(Default)]
pub(crate) struct RefusalLimit(Mutex<BTreeMap<Identity, (u64, u32)>>);

impl RefusalLimit {
    fn admits(&self, caller: &Identity, now: Timestamp) -> bool {
        let minute = now.millis() / 60_000;
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if seen.len() >= CALLERS && !seen.contains_key(caller) {
            seen.retain(|_, (last, _)| *last == minute);
            if seen.len() >= CALLERS {
                return false;
            }
        }
        let (last, count) = seen.entry(caller.clone()).or_insert((minute, 0));
        if *last != minute {
            (*last, *count) = (minute, 0);
        }
        *count += 1;
        *count <= REFUSALS_PER_MINUTE
    }
}

impl Engine {
    /// A new entry about an act of `caller` under the registry in force.
    pub(crate) fn entry(&self, caller: &Caller, act: Act) -> Entry {
        let mut entry = Entry::new(self.now(), act, self.snapshot().registry.version);
        entry.actor = Some(caller.identity.clone());
        entry.fingerprint = caller.fingerprint;
        entry
    }

    /// Runs an act; if it is refused, the refusal is on record before it is answered. `body` fills in what the entry
    /// is about and commits the entry itself when it succeeds.
    pub(crate) fn on_record<T>(
        &self,
        caller: &Caller,
        act: Act,
        body: impl FnOnce(&mut Entry) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut entry = self.entry(caller, act);
        body(&mut entry).map_err(|refusal| self.record_refusal(caller, entry, refusal))
    }

    /// Puts on record what the caller was refused outside the engine (a revoked certificate, a limit, a malformed
    /// message), and returns the reason to answer with: [`Reason::ReadOnly`] if it could not be recorded.
    pub fn refuse(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        self.record_refusal(caller, self.entry(caller, act), reason.into()).reason()
    }

    fn record_refusal(&self, caller: &Caller, mut entry: Entry, refusal: Refusal) -> Refusal {
        if refusal.reason() == Reason::ReadOnly || !self.refusals.admits(&caller.identity, entry.at) {
            return refusal;
        }
        entry.outcome = Outcome::Refused(refusal.reason());
        // Nothing was done, so there is nothing to count.
        (entry.rows, entry.values, entry.rejected) = (0, 0, 0);
        entry.keys.clear();
        // A name that is no chain's is whatever the caller put there.
        let snapshot = self.snapshot();
        entry.chain = entry.chain.filter(|chain| snapshot.registry.registry.chain(chain).is_some());
        let commit = Commit { entries: vec![entry.encode()], ..Commit::default() };
        match self.store.commit(commit) {
            Ok(_) => refusal,
            Err(error) => error.into(),
        }
    }

    /// Reads up to `limit` (at most 10,000) entries from sequence `from`.
    ///
    /// # Errors
    /// [`Reason::NotAnAuditor`] and those of the store.
    pub fn read_entries(&self, caller: &Caller, from: u64, limit: usize) -> Result<EntriesPage, Refusal> {
        self.on_record(caller, Act::ReadAudit, |_| {
            self.authorise(caller, ReadAudit)?;
            let log_size = self.store.entries();
            let rows = self.store.scan(Family::Audit, &from.to_be_bytes(), limit.clamp(1, MAX_PAGE))?;
            let mut entries = Vec::with_capacity(rows.len());
            for (key, bytes) in rows {
                let corrupt = || Refusal::new(Reason::CorruptStore, "an audit entry cannot be read");
                let sequence = key.try_into().map(u64::from_be_bytes).map_err(|_| corrupt())?;
                let entry = Entry::decode(&bytes).map_err(|_| corrupt())?;
                entries.push((sequence, bytes, entry));
            }
            let next_sequence = entries.last().map_or(from.max(log_size), |(sequence, ..)| sequence + 1);
            Ok(EntriesPage { entries, next_sequence, log_size })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_caller_are_bounded_per_minute() {
        let limit = RefusalLimit::default();
        let caller: Identity = "a/b".parse().expect("identity");
        let at = |millis| Timestamp::from_millis(millis).expect("small");
        let recorded = (0..100).filter(|_| limit.admits(&caller, at(0))).count();
        assert_eq!(recorded, REFUSALS_PER_MINUTE as usize);
        assert!(limit.admits(&caller, at(60_000)));
        assert!(limit.admits(&"a/c".parse().expect("identity"), at(0)));
    }
}
