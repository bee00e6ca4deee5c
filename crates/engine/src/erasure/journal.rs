//! Opt-outs apart from the store, so that the restore of an older backup does not forget them.
//!
//! A record is `0x01 || LP(key) || LP(value)` of the mark's row in `optout`: sealed there as here.

use std::io;

use sluis_domain::Reason;
use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_port::{Store, StoreError, rows};

use super::marks::MarkRow;
use crate::engine::Engine;
use crate::{EngineError, Refusal, scan};

const FORMAT: u8 = 1;

/// Where opt-outs are kept apart from the store: records are only ever added.
pub trait Journal: Send + Sync {
    /// Adds a record, durably.
    ///
    /// # Errors
    /// Of the medium; the record may be there or not.
    fn append(&self, record: &[u8]) -> io::Result<()>;

    /// All records, in order. One that was cut off when it was written is not among them.
    ///
    /// # Errors
    /// Of the medium.
    fn records(&self) -> io::Result<Vec<Vec<u8>>>;
}

impl Engine {
    /// Adds a mark to the journal, if there is one.
    pub(super) fn journal_mark(&self, row: &MarkRow) -> Result<(), Refusal> {
        let Some(journal) = &self.life.journal else {
            return Ok(());
        };
        let failed = |error| {
            Refusal::new(
                Reason::HeadUnavailable,
                format!("the journal of opt-outs: {error}"),
            )
        };
        journal.append(&encode(row)).map_err(failed)
    }
}

/// Adds the marks of a store that its journal does not have: those from before there was one.
pub(crate) fn complete(store: &dyn Store, journal: &dyn Journal) -> Result<(), EngineError> {
    let records = journal.records().map_err(failed)?;
    let kept = records
        .iter()
        .map(|record| decode(record))
        .collect::<Result<Vec<_>, _>>();
    let kept: std::collections::BTreeSet<_> = kept
        .map_err(|_| DAMAGED)?
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    for row in scan::of_kind(store, rows::MARK)? {
        if !kept.contains(&row.0) {
            journal.append(&encode(&row)).map_err(failed)?;
        }
    }
    Ok(())
}

const DAMAGED: EngineError = EngineError::Corrupt("journal of opt-outs");

/// What the medium says passes, damage does not.
fn failed(error: io::Error) -> EngineError {
    match error.kind() {
        io::ErrorKind::InvalidData => DAMAGED,
        _ => StoreError::Io(format!("the journal of opt-outs: {error}")).into(),
    }
}

pub(super) fn encode((key, sealed): &MarkRow) -> Vec<u8> {
    Writer::new(FORMAT).lp(key).lp(sealed).finish()
}

pub(super) fn decode(record: &[u8]) -> Result<MarkRow, DecodeError> {
    let mut input = Reader::new(record, FORMAT)?;
    let row = (input.lp()?.to_vec(), input.lp()?.to_vec());
    input.end()?;
    Ok(row)
}
