//! Chains past their retention: a warning first, the end later.
//!
//! | key in `grants` | value (sealed) |
//! |---|---|
//! | `l` \|\| chain id | when the warning was given: milliseconds, 8 bytes; generation 1 |

use std::collections::BTreeMap;

use sluis_domain::audit::{Act, Entry};
use sluis_domain::port::{Commit, Family};
use sluis_domain::registry::Chain;
use sluis_domain::{ChainId, Timestamp};
use sluis_keyring::KeyringError;

use super::Housekeeping;
use crate::custody::key_uses;
use crate::engine::Engine;
use crate::snapshot::Snapshot;
use crate::{Refusal, scan};

const KIND: u8 = b'l';

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

/// What is due for a chain.
enum Step {
    Warn,
    /// The retention was lengthened, or the chain is gone: the next warning is a new one.
    Withdraw,
    Destroy,
}

impl Engine {
    /// When the retention of a chain ends; `None` without one, and for a chain without keys.
    pub fn retained_until(&self, chain: &Chain) -> Option<Timestamp> {
        retained_until(&self.snapshot(), chain)
    }

    /// The chains of which a warning was given.
    pub(crate) fn expiring(&self) -> Result<Vec<Expiring>, Refusal> {
        let snapshot = self.snapshot();
        let warnings = self.warnings(&snapshot)?.into_iter();
        let expiring = warnings.filter_map(|(id, warned)| {
            let retained_until = retained_until(&snapshot, snapshot.registry.registry.chain(&id)?)?;
            Some(Expiring { chain: id, retained_until, destroyed_at: warned.plus_millis(self.life.warning_millis) })
        });
        Ok(expiring.collect())
    }

    /// Warns of chains past their retention, and destroys those that were warned of long enough ago.
    pub(super) fn keep_retention(&self, now: Timestamp, done: &mut Housekeeping) -> Result<(), Refusal> {
        if self.retention_steps(&self.snapshot(), now)?.is_empty() {
            return Ok(());
        }
        let _governing = self.govern();
        for (chain, step) in self.retention_steps(&self.snapshot(), now)? {
            match step {
                Step::Warn => {
                    self.warn(&chain, now)?;
                    done.warned.push(chain);
                }
                Step::Withdraw => {
                    let mut commit = Commit::default();
                    commit.delete(Family::Grants, storage_key(&chain));
                    self.store.commit(commit)?;
                }
                Step::Destroy => {
                    self.destroy_chain(&chain, now)?;
                    done.destroyed.push(chain);
                }
            }
        }
        Ok(())
    }

    fn retention_steps(&self, snapshot: &Snapshot, now: Timestamp) -> Result<Vec<(ChainId, Step)>, Refusal> {
        let mut warnings = self.warnings(snapshot)?;
        let mut steps = Vec::new();
        for chain in snapshot.registry.registry.chains() {
            if retained_until(snapshot, chain).is_none_or(|until| until > now) {
                continue;
            }
            match warnings.remove(chain.id()) {
                None => steps.push((chain.id().clone(), Step::Warn)),
                Some(at) if at.plus_millis(self.life.warning_millis) <= now => {
                    steps.push((chain.id().clone(), Step::Destroy));
                }
                Some(_) => {}
            }
        }
        steps.extend(warnings.into_keys().map(|chain| (chain, Step::Withdraw)));
        Ok(steps)
    }

    fn warnings(&self, snapshot: &Snapshot) -> Result<BTreeMap<ChainId, Timestamp>, Refusal> {
        let mut warnings = BTreeMap::new();
        for (key, stored) in scan::of_kind(&*self.store, Family::Grants, KIND)? {
            let (_, value) = snapshot.keyring.state().open(Family::Grants, &key, &stored)?;
            let chain = std::str::from_utf8(&key[1..]).ok().and_then(|text| text.parse().ok());
            let at = value.try_into().ok().map(u64::from_be_bytes).and_then(Timestamp::from_millis);
            let (Some(chain), Some(at)) = (chain, at) else { return Err(KeyringError::Corrupt("grants").into()) };
            warnings.insert(chain, at);
        }
        Ok(warnings)
    }

    fn warn(&self, chain: &ChainId, now: Timestamp) -> Result<(), Refusal> {
        let snapshot = self.snapshot();
        let key = storage_key(chain);
        let sealed = snapshot.keyring.state().seal(Family::Grants, &key, 1, &now.millis().to_be_bytes());
        let mut entry = Entry::new(now, Act::WarnRetention, snapshot.registry.version);
        entry.chain = Some(chain.clone());
        let mut commit = Commit::default();
        commit.expect(Family::Grants, key.clone(), None).put(Family::Grants, key, sealed).entry(entry.encode());
        self.store.commit(commit)?;
        Ok(())
    }

    fn destroy_chain(&self, chain: &ChainId, now: Timestamp) -> Result<(), Refusal> {
        let snapshot = self.snapshot();
        let mut change = snapshot.keyring.change(now);
        let ended = change.destroy_chain(chain);
        let mut entry = Entry::new(now, Act::ExpireChain, snapshot.registry.version);
        entry.chain = Some(chain.clone());
        entry.keys = key_uses(&ended);
        let mut commit = Commit::default();
        let keyring = self.end_keys(change, &ended, &mut commit)?;
        commit.delete(Family::Grants, storage_key(chain)).entry(entry.encode());
        self.store.commit(commit)?;
        self.replace(None, keyring);
        Ok(())
    }
}

fn retained_until(snapshot: &Snapshot, chain: &Chain) -> Option<Timestamp> {
    let created = snapshot.keyring.chain_created(chain.id())?;
    Some(created.plus_millis(chain.retention()?.millis()))
}

fn storage_key(chain: &ChainId) -> Vec<u8> {
    [&[KIND], chain.as_str().as_bytes()].concat()
}
