//! Opt-outs apart from the store, so that the restore of an older backup does not forget them.
//!
//! A record is `0x01 || LP(key) || LP(value)` of the mark's row in `optout`: sealed there as here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{NamespaceId, Reason};
use sluis_ledger::restore::LostRow;
use sluis_port::{Store, StoreError, rows};

use crate::core::Core;
use crate::core::opt_outs::{Mark, MarkRow};
use crate::core::scan;
use crate::{EngineError, Refusal};

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

impl Core {
    /// Adds a mark to the journal, if there is one.
    pub(crate) fn journal_mark(&self, row: &MarkRow) -> Result<(), Refusal> {
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

pub(crate) fn encode((key, sealed): &MarkRow) -> Vec<u8> {
    Writer::new(FORMAT).lp(key).lp(sealed).finish()
}

pub(crate) fn decode(record: &[u8]) -> Result<MarkRow, DecodeError> {
    let mut input = Reader::new(record, FORMAT)?;
    let row = (input.lp()?.to_vec(), input.lp()?.to_vec());
    input.end()?;
    Ok(row)
}

/// What a replay did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Opt-outs that the store did not have.
    pub opt_outs: u64,
    /// Rows that led to those subjects.
    pub rows: u64,
}

/// What the journal has and the store has not.
#[derive(Default)]
pub(crate) struct Missing {
    pub(crate) rows: Vec<MarkRow>,
    pub(crate) marks: BTreeMap<NamespaceId, HashSet<Mark>>,
    /// Records that cannot be read, and that are not in the store either.
    pub(crate) unread: BTreeSet<LostRow>,
}

/// Brings opt-outs back that a restored store does not know.
pub(crate) trait OptOutsBack: Send + Sync {
    /// The opt-outs that the journal has and the store has not: every record is read, nothing is changed.
    ///
    /// # Errors
    /// [`Reason::CorruptStore`] for a journal that cannot be read, and the errors of the store.
    fn missing(&self) -> Result<Missing, Refusal>;

    /// The records and rows that cannot be read and that bringing these opt-outs into force again needs. Every row of their
    /// namespaces is opened.
    ///
    /// # Errors
    /// The errors of the store.
    fn unreadable(&self, missing: &Missing) -> Result<BTreeSet<LostRow>, Refusal>;

    /// Puts missing opt-outs into force and removes the rows of those subjects. Only marks are known of them, so every row of
    /// their namespaces is opened; this takes as long as reading them all. The marks are written last: after a crash it
    /// begins again.
    ///
    /// # Errors
    /// [`Reason::CorruptStore`] for a row that cannot be read, and the errors of the store.
    fn replay(&self, missing: Missing) -> Result<Replayed, Refusal>;
}
