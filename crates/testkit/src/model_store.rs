//! The store as it should behave, in a map.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

use sluis_domain::Column;
use sluis_port::rows;
use sluis_port::store::{
    Commit, Completion, Expectation, Family, LogEnd, Range, Receipt, Row, Store, StoreError, Write,
};

type Outcome = (Completion, Result<Receipt, StoreError>);

/// A store in memory. Commits take effect before `submit` returns and complete on a thread of the store. It has no
/// backup.
pub struct ModelStore {
    state: Mutex<State>,
}

struct State {
    rows: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    entries: u64,
    end: Option<Weak<dyn LogEnd>>,
    /// To the thread that completes; it ends with the store.
    completing: Sender<Outcome>,
}

impl Default for ModelStore {
    fn default() -> Self {
        let (completing, outcomes) = channel::<Outcome>();
        std::thread::spawn(move || {
            outcomes
                .into_iter()
                .for_each(|(done, outcome)| done(outcome))
        });
        Self {
            state: Mutex::new(State {
                rows: BTreeMap::new(),
                entries: 0,
                end: None,
                completing,
            }),
        }
    }
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
        Ok(self
            .state()
            .rows
            .get(&(family as u8, key.to_vec()))
            .cloned())
    }

    fn get_many(&self, family: Family, key_len: usize, keys: &[u8]) -> Result<Column, StoreError> {
        if key_len == 0 || !keys.len().is_multiple_of(key_len) {
            return Err(StoreError::Io(
                "packed keys do not have the stated length".into(),
            ));
        }
        let values: Result<Vec<_>, _> = keys
            .chunks(key_len)
            .map(|key| self.get(family, key))
            .collect();
        Ok(Column::from_values(
            values?.into_iter().map(Option::unwrap_or_default),
        ))
    }

    fn scan(&self, family: Family, start: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let state = self.state();
        let from = state.rows.range((family as u8, start.to_vec())..);
        let rows = from
            .take_while(|((number, _), _)| *number == family as u8)
            .take(limit);
        Ok(rows
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn submit(&self, commit: Commit, done: Completion) {
        let mut state = self.state();
        let outcome = state.apply(commit);
        // Sent while the state is held, so that completions keep the order of the commits.
        state
            .completing
            .send((done, outcome))
            .expect("the thread lives as long as the store");
    }

    fn protect_end(&self, end: Weak<dyn LogEnd>) {
        self.state().end = Some(end);
    }

    fn compact(&self, _range: &Range) -> Result<(), StoreError> {
        Ok(())
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
        check_layout(&commit)?;
        let holds =
            |e: &Expectation| self.rows.get(&(e.family as u8, e.key.clone())) == e.value.as_ref();
        if !commit.expect.iter().all(holds) {
            return Err(StoreError::Conflict);
        }
        let receipt = Receipt {
            first_entry: self.entries,
        };
        let end_key = (Family::Meta as u8, rows::META_LOG_END.to_vec());
        let end = self.end.as_ref().and_then(Weak::upgrade);
        if let Some(end) = end.filter(|_| !commit.entries.is_empty()) {
            let before = self.rows.get(&end_key).map(Vec::as_slice);
            let entries: Vec<_> = commit.entries.iter().map(Vec::as_slice).collect();
            let after = end.after(before, self.entries, &entries);
            after.and_then(|after| self.rows.insert(end_key, after));
        }
        for Range { family, from, to } in commit.removals {
            self.rows
                .retain(|(number, key), _| *number != family as u8 || *key < from || *key >= to);
        }
        for Write { family, key, value } in commit.writes {
            match value {
                Some(value) => drop(self.rows.insert((family as u8, key), value)),
                None => drop(self.rows.remove(&(family as u8, key))),
            }
        }
        for rows in &commit.rows {
            let family = rows.family() as u8;
            self.rows.extend(
                rows.iter()
                    .map(|(key, value)| ((family, key.to_vec()), value.to_vec())),
            );
        }
        for entry in commit.entries {
            self.rows.insert(
                (Family::Audit as u8, rows::audit_key(self.entries).to_vec()),
                entry,
            );
            self.entries += 1;
        }
        Ok(receipt)
    }
}

fn check_layout(commit: &Commit) -> Result<(), StoreError> {
    let put = |write: &Write| match &write.value {
        _ if write.family == Family::Audit => Err(StoreError::Corrupt(
            "audit entries can only be appended".into(),
        )),
        Some(value) => rows::check_row(write.family, &write.key, value),
        None => Ok(()),
    };
    if commit
        .removals
        .iter()
        .any(|range| range.family == Family::Audit)
    {
        return Err(StoreError::Corrupt(
            "audit entries can only be appended".into(),
        ));
    }
    commit.writes.iter().try_for_each(put)?;
    for rows in &commit.rows {
        rows.iter()
            .try_for_each(|(key, value)| rows::check_row(rows.family(), key, value))?;
    }
    commit
        .entries
        .iter()
        .try_for_each(|entry| rows::check_row(Family::Audit, &rows::audit_key(0), entry))
}
