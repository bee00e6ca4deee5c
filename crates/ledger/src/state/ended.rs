//! Grants and proposals that have ended. Nothing changes them any more, so whoever keeps a state for long may take them out
//! of memory ([`State::forget`]) and give them back when an entry names one ([`crate::Archive`]).

use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::time::DAY_MILLIS;
use sluis_domain::{GrantId, ProposalId, Timestamp};

use super::{GrantState, State};
use crate::days::GrantDays;
use crate::{grant, proposal};

/// A record that has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended<R> {
    /// What it was.
    pub record: Arc<R>,
    /// Number of entries of the log with the one that ended it.
    pub entries: u64,
}

/// Something that has ended and may leave memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Past {
    /// A grant.
    Grant(Ended<grant::Record>),
    /// A proposal.
    Proposal(Ended<proposal::Record>),
}

/// What it is called.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum PastId {
    Grant(GrantId),
    Proposal(ProposalId),
}

impl State {
    /// What ended and was asked for more than a day before the latest entry: up to a day it counts for those who ask for more.
    pub fn past(&self) -> impl Iterator<Item = Past> {
        let latest = self.told.latest();
        let past = self.ended.iter();
        past.take_while(move |((kept_until, _), _)| *kept_until <= latest)
            .filter_map(|((_, id), entries)| self.past_record(id, *entries))
    }

    fn past_record(&self, id: &PastId, entries: u64) -> Option<Past> {
        match id {
            PastId::Grant(id) => {
                let record = self.grants.get(id)?.record.clone();
                Some(Past::Grant(Ended { record, entries }))
            }
            PastId::Proposal(id) => {
                let record = self.proposals.get(id)?.clone();
                Some(Past::Proposal(Ended { record, entries }))
            }
        }
    }

    /// Takes something out of memory that [`Self::past`] gave.
    pub(crate) fn forget(&mut self, past: &Past) {
        match past {
            Past::Grant(Ended { record, .. }) => {
                self.ended.remove(&of_grant(record));
                self.grants.remove(&record.grant.id);
            }
            Past::Proposal(Ended { record, .. }) => {
                self.ended.remove(&of_proposal(record));
                self.proposals.remove(&record.proposal.id);
                let digest = sha256(&record.proposal.encode());
                self.proposal_digests.remove(&digest);
            }
        }
    }

    /// The grants that [`Self::past`] does not give, each with the number of entries at its end, or 0.
    pub(super) fn lasting_grants(&self) -> Vec<(&GrantState, u64)> {
        let grants = self.grants.values();
        let lasting = grants.filter_map(|grant| {
            let entries = self.lasts(&of_grant(&grant.record))?;
            Some((grant, entries))
        });
        lasting.collect()
    }

    /// As [`Self::lasting_grants`].
    pub(super) fn lasting_proposals(&self) -> Vec<(&proposal::Record, u64)> {
        let proposals = self.proposals.values();
        let lasting = proposals.filter_map(|record| {
            let entries = self.lasts(&of_proposal(record))?;
            Some((&**record, entries))
        });
        lasting.collect()
    }

    /// The number of entries at an end, 0 without one; `None` for what may leave memory.
    fn lasts(&self, key: &(Timestamp, PastId)) -> Option<u64> {
        match self.ended.get(key) {
            None => Some(0),
            Some(entries) => (key.0 > self.told.latest()).then_some(*entries),
        }
    }

    /// A known grant with the next step.
    pub(crate) fn put_grant(&mut self, record: grant::Record) {
        if record.ended.is_some() {
            self.ended.insert(of_grant(&record), self.entries + 1);
        }
        if let Some(grant) = self.grants.get_mut(&record.grant.id) {
            grant.record = Arc::new(record);
        }
    }

    /// A known proposal with the next step.
    pub(crate) fn put_proposal(&mut self, record: proposal::Record) {
        if record.ended.is_some() {
            self.ended.insert(of_proposal(&record), self.entries + 1);
        }
        let id = record.proposal.id.clone();
        self.proposals.insert(id, Arc::new(record));
    }

    /// Puts a grant here as it was kept elsewhere.
    pub(crate) fn read_grant(&mut self, kept: Ended<grant::Record>, counter: u64, days: GrantDays) {
        let Ended { record, entries } = kept;
        if entries > 0 {
            self.ended.insert(of_grant(&record), entries);
        }
        let grant = GrantState {
            digest: sha256(&record.grant.encode()),
            record: record.clone(),
            counter,
            days,
        };
        self.grants.insert(record.grant.id.clone(), grant);
    }

    /// As [`Self::read_grant`].
    pub(crate) fn read_proposal(&mut self, kept: Ended<proposal::Record>) {
        let Ended { record, entries } = kept;
        if entries > 0 {
            self.ended.insert(of_proposal(&record), entries);
        }
        let digest = sha256(&record.proposal.encode());
        self.proposal_digests.insert(digest);
        self.proposals.insert(record.proposal.id.clone(), record);
    }
}

fn of_grant(record: &grant::Record) -> (Timestamp, PastId) {
    let kept_until = record.grant.requested_at.plus_millis(DAY_MILLIS);
    (kept_until, PastId::Grant(record.grant.id.clone()))
}

fn of_proposal(record: &proposal::Record) -> (Timestamp, PastId) {
    let kept_until = record.proposal.at.plus_millis(DAY_MILLIS);
    (kept_until, PastId::Proposal(record.proposal.id.clone()))
}
