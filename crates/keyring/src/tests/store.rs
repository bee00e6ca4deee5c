//! A store in memory: as much of the port as a keyring uses.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use sluis_domain::Column;
use sluis_port::store::{Commit, Completion, Family, Range, Row, Store, StoreError, Write};

type Rows = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// Rows by family and key.
#[derive(Default)]
pub(super) struct MapStore(Mutex<Rows>);

impl MapStore {
    pub(super) fn apply(&self, writes: Vec<Write>) {
        let mut rows = self.0.lock().expect("no panic meanwhile");
        for Write { family, key, value } in writes {
            match value {
                Some(value) => drop(rows.insert((family as u8, key), value)),
                None => drop(rows.remove(&(family as u8, key))),
            }
        }
    }

    /// A copy of all rows.
    pub(super) fn rows(&self) -> Rows {
        self.0.lock().expect("no panic meanwhile").clone()
    }

    pub(super) fn of(rows: Rows) -> Self {
        Self(Mutex::new(rows))
    }
}

impl Store for MapStore {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows().get(&(family as u8, key.to_vec())).cloned())
    }

    fn get_many(&self, _: Family, _: usize, _: &[u8]) -> Result<Column, StoreError> {
        panic!("a keyring is not read by bulk")
    }

    fn scan(&self, family: Family, start: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let rows = self
            .rows()
            .into_iter()
            .filter(|((f, key), _)| *f == family as u8 && **key >= *start);
        Ok(rows
            .take(limit)
            .map(|((_, key), value)| (key, value))
            .collect())
    }

    fn protect_end(&self, end: std::sync::Weak<dyn sluis_port::LogEnd>) {
        drop(end);
    }

    fn submit(&self, _: Commit, _: Completion) {
        panic!("writes are applied by the test")
    }

    fn entries(&self) -> u64 {
        0
    }

    fn writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn compact(&self, _: &Range) -> Result<(), StoreError> {
        panic!("never asked for")
    }

    fn backup(&self, _: &Path) -> Result<u64, StoreError> {
        panic!("never asked for")
    }
}
