//! The audit log: writing entries with the acts, recording refusals, reading.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use sluis_domain::audit::{Act, Entry, Outcome};
use sluis_domain::port::{Commit, Family};
use sluis_domain::registry::Registry;
use sluis_domain::{ChainId, GrantId, Identity, OrganisationId, Reason, Timestamp};

use crate::engine::Engine;
use crate::policy::{ReadAudit, ReadOwnAudit};
use crate::quota::limit_name;
use crate::{Caller, Refusal};

/// Most refusals of one caller that are recorded in a minute; the others are still refused.
const REFUSALS_PER_MINUTE: u32 = 60;
/// Most callers remembered at a time.
const CALLERS: usize = 4096;
/// Most entries of one page.
pub(crate) const MAX_PAGE: usize = 10_000;
/// Bytes of a page, after which it ends: clients take answers of up to 4 MiB.
const MAX_PAGE_BYTES: usize = 3 << 20;
/// What an entry takes in an answer beside its canonical bytes and, at most, those once more for its fields.
const ENTRY_OVERHEAD: usize = 128;
/// Entries that are read at a time.
const AT_ONCE: u64 = 256;

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
pub(crate) struct RefusalLimit {
    /// Minute, and refusals in it.
    callers: Mutex<BTreeMap<Identity, (u64, u32)>>,
    /// The last minute in which a limit was reached, by organisation and limit.
    limits: Mutex<BTreeMap<(OrganisationId, &'static str), u64>>,
}

impl RefusalLimit {
    /// Each minute the first refusal of an organisation because of each limit is on record, whatever else was refused.
    pub(crate) fn admits(&self, caller: &Identity, reason: Reason, now: Timestamp) -> bool {
        let minute = now.millis() / 60_000;
        let first = limit_name(reason).is_some_and(|limit| {
            let mut limits = self
                .limits
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            limits.insert((caller.organisation.clone(), limit), minute) != Some(minute)
        });
        self.admits_caller(caller, minute) || first
    }

    fn admits_caller(&self, caller: &Identity, minute: u64) -> bool {
        let mut seen = self
            .callers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
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
    /// message), and returns the reason to answer with: [`Reason::ReadOnly`] if it could not be recorded,
    /// [`Reason::HeadUnavailable`] if nothing is.
    pub fn refuse(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        self.record_refusal(caller, self.entry(caller, act), reason.into())
            .reason()
    }

    fn record_refusal(&self, caller: &Caller, mut entry: Entry, refusal: Refusal) -> Refusal {
        if !self.log.in_order() {
            // Nothing more is put on a record that nobody can sign.
            return Reason::HeadUnavailable.into();
        }
        // Batches behind one that was refused are refused with it.
        let unrecorded = matches!(refusal.reason(), Reason::ReadOnly | Reason::StreamRefused);
        if unrecorded
            || !self
                .refusals
                .admits(&caller.identity, refusal.reason(), entry.at)
        {
            return refusal;
        }
        entry.outcome = Outcome::Refused(refusal.reason());
        // Nothing was done, so there is nothing to count.
        (entry.rows, entry.values, entry.rejected, entry.counter) = (0, 0, 0, 0);
        entry.keys.clear();
        // A name that is no chain's is whatever the caller put there.
        let snapshot = self.snapshot();
        entry.chain = entry
            .chain
            .filter(|chain| snapshot.registry.registry.chain(chain).is_some());
        let commit = Commit {
            entries: vec![entry.encode()],
            ..Commit::default()
        };
        match self.store.commit(commit) {
            Ok(_) => refusal,
            Err(error) => error.into(),
        }
    }

    /// Looks at up to `limit` (at most 10,000) entries from sequence `from`, fewer if they are large. With `own` only those
    /// about the caller's organisation are given: acts of its members, acts on chains that it owns now or under its own
    /// grants, and restores.
    ///
    /// # Errors
    /// [`Reason::NotAnAuditor`] and those of the store.
    pub fn read_entries(
        &self,
        caller: &Caller,
        from: u64,
        limit: usize,
        own: bool,
    ) -> Result<EntriesPage, Refusal> {
        self.on_record(caller, Act::ReadAudit, |_| {
            let snapshot = if own {
                self.authorise(caller, ReadOwnAudit)?.snapshot().clone()
            } else {
                self.authorise(caller, ReadAudit)?.snapshot().clone()
            };
            let registry = &snapshot.registry.registry;
            let organisation = &caller.identity.organisation;
            let grants = if own {
                self.grants_of(organisation)
            } else {
                BTreeSet::new()
            };
            let shown = |entry: &Entry| !own || concerns(registry, &grants, entry, organisation);
            let log_size = self.store.entries();
            let end = from
                .saturating_add(limit.clamp(1, MAX_PAGE) as u64)
                .min(log_size);
            let mut page = EntriesPage {
                entries: Vec::new(),
                next_sequence: from,
                log_size,
            };
            let mut bytes = 0;
            while page.next_sequence < end && bytes < MAX_PAGE_BYTES {
                let most = end - page.next_sequence;
                let rows = self.store.scan(
                    Family::Audit,
                    &page.next_sequence.to_be_bytes(),
                    most.min(AT_ONCE) as usize,
                )?;
                if rows.is_empty() {
                    break;
                }
                for (key, canonical) in rows {
                    let corrupt =
                        || Refusal::new(Reason::CorruptStore, "an audit entry cannot be read");
                    let sequence = key
                        .try_into()
                        .map(u64::from_be_bytes)
                        .map_err(|_| corrupt())?;
                    let entry = Entry::decode(&canonical).map_err(|_| corrupt())?;
                    page.next_sequence = sequence + 1;
                    if shown(&entry) {
                        bytes += 2 * canonical.len() + ENTRY_OVERHEAD;
                        page.entries.push((sequence, canonical, entry));
                    }
                    if bytes >= MAX_PAGE_BYTES {
                        break;
                    }
                }
            }
            Ok(page)
        })
    }
}

/// Whether an entry is about an organisation: an act of its members, on a chain it owns or under a grant of its own, or a
/// restore, which ends everybody's grants.
fn concerns(
    registry: &Registry,
    grants: &BTreeSet<GrantId>,
    entry: &Entry,
    organisation: &OrganisationId,
) -> bool {
    let owned = |chain: &ChainId| {
        registry
            .chain(chain)
            .is_some_and(|chain| chain.owner() == organisation)
    };
    entry
        .actor
        .as_ref()
        .is_some_and(|actor| actor.organisation == *organisation)
        || entry.chain.iter().chain(&entry.to_chain).any(owned)
        || entry
            .grant
            .as_ref()
            .is_some_and(|grant| grants.contains(grant))
        || entry.act == Act::AcceptRestore
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_caller_are_bounded_per_minute() {
        let limit = RefusalLimit::default();
        let caller: Identity = "a/b".parse().expect("identity");
        let at = |millis| Timestamp::from_millis(millis).expect("small");
        let admits = |who: &Identity, millis| limit.admits(who, Reason::UnknownChain, at(millis));
        let recorded = (0..100).filter(|_| admits(&caller, 0)).count();
        assert_eq!(recorded, REFUSALS_PER_MINUTE as usize);
        assert!(admits(&caller, 60_000));
        assert!(admits(&"a/c".parse().expect("identity"), 0));
    }

    #[test]
    fn the_first_refusal_of_each_limit_is_always_on_record() {
        let limit = RefusalLimit::default();
        let caller: Identity = "a/b".parse().expect("identity");
        let admits = |reason, minute: u64| {
            limit.admits(
                &caller,
                reason,
                Timestamp::from_millis(minute * 60_000).expect("small"),
            )
        };
        while admits(Reason::UnknownChain, 5) {}
        for reason in [
            Reason::QuotaSubjects,
            Reason::QuotaRejected,
            Reason::QuotaRequests,
            Reason::GrantDailyLimit,
        ] {
            assert_eq!([admits(reason, 5), admits(reason, 5)], [true, false]);
        }
        assert!(!admits(Reason::GrantExhausted, 5));
        assert!(admits(Reason::QuotaSubjects, 6));
    }
}
