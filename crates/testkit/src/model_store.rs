//! The store as it should behave, in a map.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sluis_domain::Column;
use sluis_domain::port::store::{Commit, Completion, Family, Receipt, Store, StoreError};
use sluis_store::layout;

/// A store in memory. Commits complete on the caller's thread, before `submit` returns. It has no backup.
#[derive(Default)]
pub struct ModelStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    entries: u64,
}

impl ModelStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for ModelStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state().rows.get(&(family as u8, key.to_vec())).cloned())
    }

    fn get_many(&self, family: Family, key_len: usize, keys: &[u8]) -> Result<Column, StoreError> {
        if key_len == 0 || !keys.len().is_multiple_of(key_len) {
            return Err(StoreError::Io("packed keys do not have the stated length".into()));
        }
        let values: Result<Vec<_>, _> = keys.chunks(key_len).map(|key| self.get(family, key)).collect();
        Ok(Column::from_values(values?.into_iter().map(Option::unwrap_or_default)))
    }

    fn scan(&self, family: Family, start: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let state = self.state();
        let from = state.rows.range((family as u8, start.to_vec())..);
        let rows = from.take_while(|((number, _), _)| *number == family as u8).take(limit);
        Ok(rows.map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn submit(&self, commit: Commit, done: Completion) {
        let outcome = self.state().apply(commit);
        done(outcome);
    }

    fn entries(&self) -> u64 {
        self.state().entries
    }

    fn writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn backup(&self, _directory: &Path) -> Result<u64, StoreError> {
        Err(StoreError::Io("a store in memory has no backup".into()))
    }
}

impl State {
    fn apply(&mut self, commit: Commit) -> Result<Receipt, StoreError> {
        let mut after = State { rows: self.rows.clone(), entries: self.entries };
        let receipt = Receipt { first_entry: self.entries };
        for write in commit.writes {
            after.write(write.family, write.key, write.value)?;
        }
        for rows in &commit.rows {
            for (key, value) in rows.iter() {
                after.write(rows.family(), key.to_vec(), Some(value.to_vec()))?;
            }
        }
        for entry in commit.entries {
            let key = layout::audit_key(after.entries);
            layout::check_row(Family::Audit, &key, &entry)?;
            after.rows.insert((Family::Audit as u8, key.to_vec()), entry);
            after.entries += 1;
        }
        let holds = |family, key: &Vec<u8>, value: &Option<Vec<u8>>| {
            self.rows.get(&(family as u8, key.clone())) == value.as_ref()
        };
        if !commit.expect.iter().all(|expected| holds(expected.family, &expected.key, &expected.value)) {
            return Err(StoreError::Conflict);
        }
        *self = after;
        Ok(receipt)
    }

    fn write(&mut self, family: Family, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StoreError> {
        if family == Family::Audit {
            return Err(StoreError::Corrupt("audit entries can only be appended".into()));
        }
        match value {
            Some(value) => {
                layout::check_row(family, &key, &value)?;
                self.rows.insert((family as u8, key), value);
            }
            None => drop(self.rows.remove(&(family as u8, key))),
        }
        Ok(())
    }
}
