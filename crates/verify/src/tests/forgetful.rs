//! A reader with a bad memory: after every entry it is saved and loaded, and forgets every grant and proposal that has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::{GrantId, ProposalId};
use sluis_ledger::registry::Registry;
use sluis_ledger::state::{Ended, Past};
use sluis_ledger::{Archive, Unread, Wrong, grant, proposal};

use super::forge::{Forge, ORIGIN, story};
use super::keys::life;
use crate::Replay;

/// What the reader forgot.
struct Notes<'a> {
    log: &'a Forge,
    grants: BTreeMap<GrantId, Ended<grant::Record>>,
    proposals: BTreeMap<ProposalId, Ended<proposal::Record>>,
    registries: BTreeMap<u64, Arc<Registry>>,
}

impl Archive for Notes<'_> {
    fn text(&mut self, version: u64) -> Result<Option<String>, Unread> {
        let version = usize::try_from(version).expect("small");
        Ok(self.log.registries.get(version).cloned())
    }

    fn grant(&mut self, id: &GrantId) -> Result<Option<Ended<grant::Record>>, Unread> {
        Ok(self.grants.get(id).cloned())
    }

    fn proposal(&mut self, id: &ProposalId) -> Result<Option<Ended<proposal::Record>>, Unread> {
        Ok(self.proposals.get(id).cloned())
    }

    fn proposal_with(
        &mut self,
        digest: &[u8; 32],
    ) -> Result<Option<Ended<proposal::Record>>, Unread> {
        let mut proposals = self.proposals.values();
        let found = proposals.find(|past| sha256(&past.record.proposal.encode()) == *digest);
        Ok(found.cloned())
    }
}

impl Notes<'_> {
    /// Writes down what has ended, and forgets it.
    fn forget(&mut self, replay: &mut Replay) {
        let state = replay.state();
        let entries = state.entries();
        let grants = state.grants().map(|known| known.record());
        let grants = grants.filter(|record| record.ended.is_some());
        let proposals = state.proposals();
        let proposals = proposals.filter(|record| record.ended.is_some());
        let past: Vec<_> = grants
            .map(|record| Past::Grant(ended(record, entries)))
            .chain(proposals.map(|record| Past::Proposal(ended(record, entries))))
            .collect();
        for past in past {
            replay.forget(&past);
            match past {
                Past::Grant(grant) => {
                    let id = grant.record.grant.id.clone();
                    self.grants.entry(id).or_insert(grant);
                }
                Past::Proposal(proposal) => {
                    let id = proposal.record.proposal.id.clone();
                    self.proposals.entry(id).or_insert(proposal);
                }
            }
        }
    }

    /// As after another start.
    fn load(&mut self, saved: &[u8]) -> Replay {
        let log = self.log;
        let registries = &mut self.registries;
        let registry = |version, digest: &[u8; 32]| {
            let text = &log.registries[usize::try_from(version).expect("small")];
            assert_eq!(*digest, sha256(text.as_bytes()));
            let parsed = || Arc::new(Registry::parse(text, &[]).expect("it was applied"));
            Some(registries.entry(version).or_insert_with(parsed).clone())
        };
        Replay::load(ORIGIN, saved, registry).expect("it was saved")
    }
}

fn ended<R>(record: &Arc<R>, entries: u64) -> Ended<R> {
    Ended {
        record: record.clone(),
        entries,
    }
}

pub(super) fn replay(log: &Forge) -> Result<Replay, Wrong> {
    read(log, |_, _| ())
}

/// Reads a log; `check` gets every state as it was saved and as it was loaded.
fn read(log: &Forge, check: impl Fn(&Replay, &Replay)) -> Result<Replay, Wrong> {
    let mut notes = Notes {
        log,
        grants: BTreeMap::new(),
        proposals: BTreeMap::new(),
        registries: BTreeMap::new(),
    };
    let mut replay = Replay::new(ORIGIN);
    for (sequence, entry) in log.encoded().iter().enumerate() {
        replay.push(sequence as u64, entry, &mut notes)?;
        notes.forget(&mut replay);
        if let Some(saved) = replay.save() {
            let loaded = notes.load(&saved);
            check(&replay, &loaded);
            replay = loaded;
        }
    }
    Ok(replay)
}

#[test]
fn whatever_a_state_has_is_saved_and_loaded() {
    for log in [story(), life()] {
        let read = read(&log, |saved, loaded| {
            assert_eq!(format!("{saved:?}"), format!("{loaded:?}"));
        });
        read.expect("nothing is wrong");
    }
}
