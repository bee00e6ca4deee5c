//! A look at every row of a store.

use rocksdb::{IteratorMode, ReadOptions};
use sluis_port::rows;
use sluis_port::store::{Family, StoreError};

use crate::database::Database;
use crate::error::from_rocks;

/// Reads every row, with its checksum and its layout; audit entries have no gap. The number of audit entries.
pub(crate) fn verify(db: &Database) -> Result<u64, StoreError> {
    let mut next = 0;
    for family in Family::ALL {
        let mut read = ReadOptions::default();
        read.fill_cache(false);
        let rows = db
            .db
            .iterator_cf_opt(db.family(family)?, read, IteratorMode::Start);
        for row in rows {
            let (key, value) = row.map_err(|error| from_rocks(&error))?;
            rows::check_row(family, &key, &value)?;
            if family == Family::Audit {
                let sequence = rows::audit_sequence(&key)?;
                if sequence != next {
                    return Err(StoreError::Corrupt(format!(
                        "audit entry {next} is missing"
                    )));
                }
                next += 1;
            }
        }
    }
    Ok(next)
}
