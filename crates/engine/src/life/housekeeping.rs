//! What is done when its time has come, without anybody asking.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeBounds};
use std::sync::PoisonError;

use sluis_domain::{ChainId, GrantId, ProposalId, Reason, Timestamp};

use sluis_ledger::event::{Event, GrantRef, Header, ProposalRef};

use crate::Refusal;
use crate::core::change::Change;
use crate::life::Life;

/// What is overdue, and in how many rounds on end it was: a clock that jumps and comes back ends nothing for good.
#[derive(Debug, Default)]
pub(crate) struct Overdue {
    pub(super) proposals: Rounds<ProposalId>,
    pub(super) grants: Rounds<GrantId>,
    pub(super) chains: Rounds<ChainId>,
}

/// Rounds on end, for each that was overdue in the last one.
#[derive(Debug)]
pub(super) struct Rounds<Id>(BTreeMap<Id, u32>);

impl<Id> Default for Rounds<Id> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Id: Ord + Clone> Rounds<Id> {
    /// Counts one more round, in which these are overdue and no others; those that were in `enough` rounds.
    pub(super) fn count(&mut self, overdue: BTreeSet<Id>, enough: u32) -> BTreeSet<Id> {
        let before = std::mem::take(&mut self.0);
        for id in overdue {
            let rounds = before.get(&id).map_or(1, |rounds| rounds.saturating_add(1));
            self.0.insert(id, rounds);
        }
        let ripe = self.0.iter().filter(|(_, rounds)| **rounds >= enough);
        ripe.map(|(id, _)| id.clone()).collect()
    }
}

/// What one round of [`Life::housekeep`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Housekeeping {
    /// Chains that are past their retention since then.
    pub warned: Vec<ChainId>,
    /// Chains of which a warning was given and that are still there.
    pub expiring: usize,
    /// Chains that were destroyed.
    pub destroyed: Vec<ChainId>,
    /// Subjects erased, once per chain.
    pub erased: u64,
    /// Ranges of the store that were rewritten.
    pub compacted: usize,
}

/// A round of [`Life::housekeep`] in which something could not be done: a row is damaged, or a write failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// What was done all the same.
    pub done: Housekeeping,
    /// The first of what was refused.
    pub refusal: Refusal,
}

/// What ends in a span of time by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endings {
    /// Approved grants that expire.
    pub grants: usize,
    /// Proposals that wait for signatures and expire.
    pub proposals: usize,
}

impl Life {
    /// What ends by itself after `from` and until `to`: what a clock that jumps ends, or brings back.
    pub fn endings(&self, from: Timestamp, to: Timestamp) -> Endings {
        let within = (Bound::Excluded(from), Bound::Included(to));
        let state = self.snapshot().state.clone();
        let grants = state.grants().map(|grant| grant.record());
        let grants = grants.filter(|record| {
            record.ended.is_none() && within.contains(&record.grant.terms.not_after)
        });
        let grants = grants.count();
        let proposals = state
            .proposals()
            .filter(|record| record.ended.is_none() && within.contains(&record.proposal.not_after));
        Endings {
            grants,
            proposals: proposals.count(),
        }
    }

    /// Does what is due: warns of the end of retention, destroys chains past it, erases subjects, ends proposals that no one
    /// signed in time and grants past their end, and rewrites files that hold what was removed. What ends for good was due in
    /// so many rounds on end ([`overdue_rounds`](crate::LifeSettings::overdue_rounds)). To be called every minute or so. Every
    /// part of it is durable and goes on after a crash where it stopped.
    ///
    /// # Errors
    /// [`Unfinished`]: what cannot be done holds up nothing else. [`Reason::HeadUnavailable`] as for every act, and then
    /// nothing is done.
    pub fn housekeep(&self) -> Result<Housekeeping, Box<Unfinished>> {
        // One round at a time.
        let mut overdue = self
            .housekeeping
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut done = Housekeeping::default();
        if let Err(reason) = self.log.check() {
            return Err(Box::new(Unfinished {
                done,
                refusal: reason.into(),
            }));
        }
        let now = self.now();
        let parts = [
            self.keep_retention(now, &mut overdue.chains, &mut done),
            self.expiring()
                .map(|expiring| done.expiring = expiring.len()),
            self.erase_due(now).map(|erased| done.erased = erased),
            self.expire_proposals(now, &mut overdue.proposals),
            self.expire_grants(now, &mut overdue.grants),
            self.compact_due(now)
                .map(|compacted| done.compacted = compacted),
        ];
        match parts.into_iter().find_map(Result::err) {
            None => Ok(done),
            Some(refusal) => Err(Box::new(Unfinished { done, refusal })),
        }
    }

    /// Ends proposals that no one signed in time, on record, and forgets what was kept beside them. Not at once: a clock that
    /// jumps and comes back ends nothing. Until then they are refused by the clock alone.
    fn expire_proposals(
        &self,
        now: Timestamp,
        overdue: &mut Rounds<ProposalId>,
    ) -> Result<(), Refusal> {
        let state = self.snapshot().state.clone();
        let due = state
            .proposals()
            .filter(|record| record.expire(now).is_some());
        let due = due.map(|record| record.proposal.id.clone());
        let ripe = overdue.count(due.collect(), self.life.overdue_rounds);
        end_each(&ripe, |id| self.expire_proposal(id))
    }

    /// Ends a proposal that was not signed in time, on record; nothing if it is not overdue any more.
    pub(crate) fn expire_proposal(&self, id: &ProposalId) -> Result<(), Refusal> {
        self.govern(|| {
            let now = self.now();
            let next = self.known_proposal(id)?.expire(now);
            let next = next.ok_or(Reason::ProposalDecided)?;
            let header = Header {
                at: now,
                ..self.header(None)
            };
            let event = Event::ExpireProposal(ProposalRef::of(&next.proposal));
            Ok((Change::of(header, event), ()))
        })
    }

    /// Ends grants past their end, on record, and as late as [`Self::expire_proposals`] does. Until then the clock alone
    /// refuses their use.
    fn expire_grants(&self, now: Timestamp, overdue: &mut Rounds<GrantId>) -> Result<(), Refusal> {
        let state = self.snapshot().state.clone();
        let due = state.grants().map(|grant| grant.record());
        let due = due.filter(|record| record.expire(now).is_some());
        let due = due.map(|record| record.grant.id.clone());
        let ripe = overdue.count(due.collect(), self.life.overdue_rounds);
        end_each(&ripe, |id| self.expire_grant(id))
    }

    /// Ends a grant past its end, on record.
    fn expire_grant(&self, id: &GrantId) -> Result<(), Refusal> {
        self.govern(|| {
            let now = self.now();
            let next = self.known_grant(id)?.expire(now);
            let next = next.ok_or(Reason::GrantDecided)?;
            let header = Header {
                at: now,
                ..self.header(None)
            };
            let event = Event::ExpireGrant(GrantRef::of(&next.grant));
            Ok((Change::of(header, event), ()))
        })
    }
}

/// Ends each of these. One that cannot be ended holds up no other; the first refusal is said in the end.
fn end_each<Id>(
    ids: &BTreeSet<Id>,
    end: impl Fn(&Id) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let refused = ids.iter().filter_map(|id| end(id).err());
    // Someone else ended it meanwhile.
    let refused: Vec<_> = refused
        .filter(|refusal| {
            !matches!(
                refusal.reason(),
                Reason::GrantDecided | Reason::ProposalDecided
            )
        })
        .collect();
    refused.into_iter().next().map_or(Ok(()), Err)
}
