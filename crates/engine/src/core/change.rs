//! Governed acts: decided under the state of an epoch, committed only in that epoch, and then in force.
//!
//! An act decides without holding anything: it authorises, looks up, verifies signatures, and returns a [`Change`]. Only
//! [`Core::put_into_force`] holds the governing lock. If the state moved on meanwhile, in this process or in another one on the
//! same store, the act decides again; if that happens again and again, it does so while it holds the lock.

use std::sync::Arc;

use sluis_domain::{ProposalId, Reason};
use sluis_keyring::Keyring;
use sluis_ledger::State;
use sluis_ledger::event::{Event, Header};
use sluis_ledger::proposal::{End, Matter, Record};
use sluis_port::{Commit, Family, StoreError, Write, rows};

use crate::Refusal;
use crate::core::Core;
use crate::core::compaction;
use crate::core::epoch;
use crate::core::held::Governing;
use crate::core::opt_outs::OptOuts;
use crate::core::record::encoded;
use crate::core::registry::RegistryState;
use crate::core::snapshot::Snapshot;

/// How often an act is decided, because others come first.
const MOST_TRIES: u32 = 20;
/// How often that happens beside other acts. After that the act keeps the others of this process waiting while it is decided.
const BESIDE_OTHERS: u32 = 3;

/// What an act does: entries and rows, written together or not at all, and what is in force then.
#[derive(Default)]
pub(crate) struct Change {
    pub(crate) commit: Commit,
    /// Keys after it.
    pub(crate) keyring: Option<Keyring>,
    /// Registry after it.
    pub(crate) registry: Option<RegistryState>,
    /// Opt-outs after it.
    pub(crate) opt_outs: Option<OptOuts>,
    /// Rows for the journal of opt-outs, which it must be in before the store.
    pub(crate) journal: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Change {
    /// One entry.
    pub(crate) fn of(header: Header, event: Event) -> Self {
        Self::default().then(header, event)
    }

    /// One entry more.
    pub(crate) fn then(mut self, header: Header, event: Event) -> Self {
        self.commit.entry(encoded(header, event));
        self
    }

    /// More writes.
    pub(crate) fn with(mut self, writes: impl IntoIterator<Item = Write>) -> Self {
        self.commit.writes.extend(writes);
        self
    }

    /// What a commit holds besides.
    pub(crate) fn with_rows(self, commit: Commit) -> Self {
        self.and(Self {
            commit,
            ..Self::default()
        })
    }

    /// Another keyring, and the rows of it that change.
    pub(crate) fn keys(self, (keyring, writes): (Keyring, Vec<Write>)) -> Self {
        Self {
            keyring: Some(keyring),
            ..self.with(writes)
        }
    }

    /// What another change does as well, after this one.
    pub(crate) fn and(mut self, other: Self) -> Self {
        let Commit {
            expect,
            removals,
            writes,
            rows,
            entries,
        } = other.commit;
        self.commit.expect.extend(expect);
        self.commit.removals.extend(removals);
        self.commit.writes.extend(writes);
        self.commit.rows.extend(rows);
        self.commit.entries.extend(entries);
        self.journal.extend(other.journal);
        Self {
            keyring: other.keyring.or(self.keyring),
            registry: other.registry.or(self.registry),
            opt_outs: other.opt_outs.or(self.opt_outs),
            ..self
        }
    }
}

impl Core {
    /// Decides an act and puts it into force. `decide` may be called more than once, each time under a newer state, and takes no
    /// lock.
    ///
    /// # Errors
    /// The errors of `decide`; [`Reason::Internal`] for entries that would not verify, [`Reason::Conflict`] if others keep coming
    /// first, and the errors of the store. Nothing was done then.
    pub(crate) fn govern<T>(
        &self,
        decide: impl Fn() -> Result<(Change, T), Refusal>,
    ) -> Result<T, Refusal> {
        for tried in 0..MOST_TRIES {
            self.refreshed()?;
            let alone = (tried >= BESIDE_OTHERS).then(|| self.alone());
            let epoch = self.snapshot().epoch;
            let (change, value) = match decide() {
                // If another act came between, what was read may not fit together.
                Err(_) if self.is_overtaken(epoch)? => continue,
                decided => decided?,
            };
            // So that less is left to read while batches wait; what is wrong with the log is said by whoever needs it.
            self.read_log_on();
            let governing = alone.unwrap_or_else(|| self.alone());
            if self.snapshot().epoch == epoch && self.put_into_force(&governing, change)? {
                return Ok(value);
            }
        }
        Err(Reason::Conflict.into())
    }

    /// Tries a change with the auditor's rules, commits it, and puts it into force. `false` if another daemon on the same store
    /// came first: nothing was done then.
    pub(crate) fn put_into_force(
        &self,
        _: &Governing<'_>,
        change: Change,
    ) -> Result<bool, Refusal> {
        let Change {
            mut commit,
            keyring,
            registry,
            opt_outs,
            journal,
        } = change;
        let present = self.snapshot();
        let state = self.rehearse(&commit, registry.as_ref())?;
        // What was signed is in force even if the store fails now, so replaying it is harmless.
        for row in &journal {
            self.journal_mark(row)?;
        }
        let ended = ended(&present.state, &state);
        commit.writes.extend(self.forget_proposals(&state, &ended)?);
        epoch::end(present.epoch, &mut commit);
        match self.store.commit(commit) {
            Ok(_) => {}
            Err(error) => {
                let other = epoch::read(&*self.store).is_ok_and(|epoch| epoch != present.epoch);
                return match error {
                    StoreError::Conflict if other => Ok(false),
                    error => Err(error.into()),
                };
            }
        }
        self.replace(Snapshot {
            epoch: present.epoch + 1,
            state: Arc::new(state),
            registry: registry.map_or_else(|| present.registry.clone(), Arc::new),
            keyring: keyring.map_or_else(|| present.keyring.clone(), Arc::new),
            custodians: present.custodians.clone(),
            opt_outs: opt_outs.map_or_else(|| present.opt_outs.clone(), Arc::new),
        });
        Ok(true)
    }

    /// Removes what was kept beside proposals that ended, from the disk too.
    fn forget_proposals(&self, state: &State, ended: &[ProposalId]) -> Result<Vec<Write>, Refusal> {
        let mut commit = Commit::default();
        let mut erasures = false;
        for id in ended {
            commit
                .delete(Family::Grants, rows::proposed_text_key(id))
                .delete(Family::Optout, rows::erasure_request_key(id));
            erasures |= state
                .proposal(id)
                .is_some_and(|record| is_unmet_erasure(record));
        }
        if erasures {
            let optouts = compaction::whole(Family::Optout);
            let noted = self.noted(&optouts, self.now())?;
            commit.writes.push(noted);
        }
        Ok(commit.writes)
    }
}

/// Whether an erasure came to nothing: what it was about leaves the disk at once.
fn is_unmet_erasure(record: &Record) -> bool {
    let erasure = matches!(record.proposal.matter, Matter::Erase { .. });
    let effective = matches!(record.ended, Some((End::Effective, ..)));
    erasure && !effective
}

/// The proposals that were open before and are not any more.
fn ended(before: &State, after: &State) -> Vec<ProposalId> {
    let open = before.proposals().filter(|record| record.ended.is_none());
    let ids = open.map(|record| &record.proposal.id);
    let ended = ids.filter(|id| {
        after
            .proposal(id)
            .is_some_and(|record| record.ended.is_some())
    });
    ended.cloned().collect()
}
