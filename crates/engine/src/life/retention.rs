//! Chains past their retention: a warning first, the end later.
//!
//! A warning counts for the end that it was of and for no other: one that was withdrawn because the retention was
//! lengthened says nothing about the later end, no matter who puts its row back. Nor does one without an end, as an
//! earlier version gave it: the chain is warned of once more.

use std::collections::{BTreeMap, BTreeSet};

use sluis_domain::{ChainId, Reason, Timestamp};
use sluis_keyring::KeyringError;
use sluis_ledger::event::{ChainExpired, Event};
use sluis_ledger::registry::Chain;
use sluis_port::{Commit, Family, rows};

use super::Housekeeping;
use super::housekeeping::Rounds;
use crate::Refusal;
use crate::core::change::Change;
use crate::core::record::header;
use crate::core::scan;
use crate::core::snapshot::Snapshot;
use crate::core::versions::line_version;
use crate::life::Life;

const CORRUPT: KeyringError = KeyringError::Corrupt("grants");

/// A chain that is past its retention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// Which.
    pub chain: ChainId,
    /// When its retention ended.
    pub retained_until: Timestamp,
    /// When it will be destroyed.
    pub destroyed_at: Timestamp,
}

/// A warning as stored.
struct Warning {
    at: Timestamp,
    /// When the retention ended that it was of.
    of: Option<Timestamp>,
}

/// What is due for a chain.
enum Step {
    /// Of the end of its retention.
    Warn(Timestamp),
    /// The retention was lengthened, or the chain is gone: the next warning is a new one.
    Withdraw,
    /// Past the end of its retention.
    Destroy(Timestamp),
}

/// A chain and what is due; a refusal if its warning cannot be read, and then it is left as it is.
type Due = (ChainId, Result<Step, Refusal>);

impl Life {
    /// When the retention of a chain ends; `None` without one, and for a chain without keys.
    pub fn retained_until(&self, chain: &Chain) -> Option<Timestamp> {
        retained_until(&self.snapshot(), chain)
    }

    /// The chains of which a warning was given. One with a damaged warning is not destroyed, and so not among them.
    pub(crate) fn expiring(&self) -> Result<Vec<Expiring>, Refusal> {
        let snapshot = self.snapshot();
        let warnings = self.warnings(&snapshot)?.into_iter();
        let expiring = warnings.filter_map(|(id, warning)| {
            let Warning { at, of } = warning.ok()?;
            let retained_until = retained_until(&snapshot, snapshot.registry.registry.chain(&id)?)?;
            let destroyed_at = at.plus_millis(self.life.warning_millis);
            (of == Some(retained_until)).then_some(Expiring {
                chain: id,
                retained_until,
                destroyed_at,
            })
        });
        Ok(expiring.collect())
    }

    /// Warns of chains past their retention, and destroys those that were warned of long enough ago: not in the first round
    /// in which the clock says so, because keys do not come back when a clock does. What cannot be done for one chain does
    /// not hold up the others; the first refusal is said in the end.
    pub(super) fn keep_retention(
        &self,
        now: Timestamp,
        overdue: &mut Rounds<ChainId>,
        done: &mut Housekeeping,
    ) -> Result<(), Refusal> {
        let steps = self.retention_steps(&self.snapshot(), now)?;
        let ripe = overdue.count(to_destroy(&steps), self.life.overdue_rounds);
        if steps.is_empty() {
            return Ok(());
        }
        let mut failed = None;
        for (chain, step) in steps {
            if matches!(step, Ok(Step::Destroy(_))) && !ripe.contains(&chain) {
                continue;
            }
            if let Err(refusal) = step.and_then(|step| self.keep_chain(chain, step, now, done)) {
                failed = failed.or(Some(refusal));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn keep_chain(
        &self,
        chain: ChainId,
        step: Step,
        now: Timestamp,
        done: &mut Housekeeping,
    ) -> Result<(), Refusal> {
        match step {
            Step::Warn(until) => {
                self.warn(&chain, until, now)?;
                done.warned.push(chain);
            }
            Step::Withdraw => {
                let mut commit = Commit::default();
                commit.delete(Family::Grants, rows::warning_key(&chain));
                self.store.commit(commit)?;
            }
            Step::Destroy(until) => {
                self.destroy_chain(&chain, until, now)?;
                done.destroyed.push(chain);
            }
        }
        Ok(())
    }

    fn retention_steps(&self, snapshot: &Snapshot, now: Timestamp) -> Result<Vec<Due>, Refusal> {
        let mut warnings = self.warnings(snapshot)?;
        let mut steps = Vec::new();
        for chain in snapshot.registry.registry.chains() {
            let Some(until) = retained_until(snapshot, chain).filter(|until| *until <= now) else {
                continue;
            };
            let step = match warnings.remove(chain.id()).transpose() {
                Err(refusal) => Err(refusal),
                Ok(Some(Warning { at, of })) if of == Some(until) => {
                    if at.plus_millis(self.life.warning_millis) > now {
                        continue;
                    }
                    Ok(Step::Destroy(until))
                }
                Ok(_) => Ok(Step::Warn(until)),
            };
            steps.push((chain.id().clone(), step));
        }
        steps.extend(
            warnings
                .into_iter()
                .map(|(chain, warning)| (chain, warning.map(|_| Step::Withdraw))),
        );
        Ok(steps)
    }

    /// All warnings; of one with a damaged row, that it is.
    fn warnings(
        &self,
        snapshot: &Snapshot,
    ) -> Result<BTreeMap<ChainId, Result<Warning, Refusal>>, Refusal> {
        let mut warnings = BTreeMap::new();
        for (key, stored) in scan::of_kind(&*self.store, rows::WARNING)? {
            let chain = std::str::from_utf8(&key[1..])
                .ok()
                .and_then(|text| text.parse().ok());
            let warning = snapshot.keyring.state().open(Family::Grants, &key, &stored);
            let warning = warning.and_then(|(_, value)| read(&value).ok_or(CORRUPT));
            warnings.insert(chain.ok_or(CORRUPT)?, warning.map_err(Refusal::from));
        }
        Ok(warnings)
    }

    /// In the place of any warning of another end.
    fn warn(&self, chain: &ChainId, until: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        self.govern(|| {
            let snapshot = self.snapshot();
            check_past(&snapshot, chain, until)?;
            let key = rows::warning_key(chain);
            let value = [now.millis().to_be_bytes(), until.millis().to_be_bytes()].concat();
            let state = snapshot.keyring.state();
            let sealed = state.seal(Family::Grants, &key, 1, &value);
            let header = header(now, None, snapshot.registry.version);
            let mut commit = Commit::default();
            commit.put(Family::Grants, key, sealed);
            let change = Change::of(header, Event::WarnRetention(chain.clone()));
            Ok((change.with_rows(commit), ()))
        })
    }

    fn destroy_chain(
        &self,
        chain: &ChainId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.govern(|| {
            let snapshot = self.snapshot();
            check_past(&snapshot, chain, until)?;
            let mut keys = snapshot.keyring.change(now);
            let ended = keys.destroy_chain(chain);
            let header = header(now, None, snapshot.registry.version);
            let expired = Event::ExpireChain(ChainExpired {
                chain: chain.clone(),
                ended: ended.iter().map(line_version).collect(),
            });
            let mut commit = Commit::default();
            commit.delete(Family::Grants, rows::warning_key(chain));
            let change = Change::of(header, expired).with_rows(commit);
            Ok((change.and(self.end_keys(keys, &ended)?), ()))
        })
    }
}

/// Another registry may have lengthened the retention meanwhile.
fn check_past(snapshot: &Snapshot, chain: &ChainId, until: Timestamp) -> Result<(), Refusal> {
    let chain = snapshot.registry.registry.chain(chain);
    let ends = chain.and_then(|chain| retained_until(snapshot, chain));
    if ends == Some(until) {
        Ok(())
    } else {
        Err(Reason::RegistryChanged.into())
    }
}

fn to_destroy(steps: &[Due]) -> BTreeSet<ChainId> {
    let ends = steps
        .iter()
        .filter(|(_, step)| matches!(step, Ok(Step::Destroy(_))));
    ends.map(|(chain, _)| chain.clone()).collect()
}

fn retained_until(snapshot: &Snapshot, chain: &Chain) -> Option<Timestamp> {
    // A root alone, which an earlier version gave to every chain, serves nothing: there is nothing to destroy.
    let created = snapshot
        .keyring
        .chain_created(chain.id())
        .filter(|_| snapshot.keyring.is_keyed(chain.id()))?;
    Some(created.plus_millis(chain.retention()?.millis()))
}

fn read(value: &[u8]) -> Option<Warning> {
    let (at, of) = value.split_at_checked(8)?;
    let of = if of.is_empty() {
        None
    } else {
        Some(moment(of)?)
    };
    Some(Warning {
        at: moment(at)?,
        of,
    })
}

fn moment(bytes: &[u8]) -> Option<Timestamp> {
    Timestamp::from_millis(u64::from_be_bytes(bytes.try_into().ok()?))
}
