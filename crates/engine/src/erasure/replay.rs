//! Opt-outs that were made after a backup, once more: part of the restore of an older store.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sluis_crypto::digest::sha256;
use sluis_domain::{ChainId, NamespaceId, Reason, Timestamp};
use sluis_keyring::{KeyringError, LineVersion};
use sluis_ledger::restore::{LostKind, LostRow};
use sluis_port::{Commit, Family, Row, Store, rows};

use super::jobs::{erased_entry, escrowed};
use super::marks::{self, Mark, MarkRow, OptOuts};
use super::{journal, keys};
use crate::engine::Engine;
use crate::snapshot::Snapshot;
use crate::{Refusal, scan};

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
    rows: Vec<MarkRow>,
    marks: BTreeMap<NamespaceId, HashSet<Mark>>,
    /// Records that cannot be read, and that are not in the store either.
    unread: BTreeSet<LostRow>,
}

impl Engine {
    /// The opt-outs that the journal has and the store has not: every record is read, nothing is changed.
    ///
    /// # Errors
    /// [`Reason::CorruptStore`] for a journal that cannot be read, and those of the store.
    pub(crate) fn missing_opt_outs(&self) -> Result<Missing, Refusal> {
        let Some(journal) = &self.life.journal else {
            return Ok(Missing::default());
        };
        let unread = |error| {
            Refusal::new(
                Reason::CorruptStore,
                format!("the journal of opt-outs: {error}"),
            )
        };
        missing(
            &*self.store,
            &self.snapshot(),
            &journal.records().map_err(unread)?,
        )
    }

    /// Puts missing opt-outs into force and removes the rows of those subjects.
    /// Only marks are known of them, so every row of their namespaces is opened; this takes as long as reading them all.
    /// The marks are written last: after a crash it begins anew. Only while [`Self::govern`] is held.
    ///
    /// # Errors
    /// [`Reason::CorruptStore`] for a row that cannot be read, and those of the store.
    pub(crate) fn replay_opt_outs(&self, missing: Missing) -> Result<Replayed, Refusal> {
        let (snapshot, now) = (self.snapshot(), self.now());
        let mut done = Replayed {
            opt_outs: missing.rows.len() as u64,
            rows: 0,
        };
        let mut opt_outs = OptOuts::clone(&snapshot.opt_outs);
        for (namespace, marks) in &missing.marks {
            opt_outs = opt_outs.with(namespace, marks.iter().copied());
            let mut chains: BTreeMap<ChainId, Vec<_>> = BTreeMap::new();
            for version in escrowed(&snapshot.keyring, None, namespace) {
                chains
                    .entry(version.info().chain.clone())
                    .or_default()
                    .push(version);
            }
            for (chain, versions) in chains {
                done.rows +=
                    self.erase_marked(&snapshot, (&chain, namespace), &versions, marks, now)?;
            }
        }
        if !missing.rows.is_empty() {
            let mut commit = Commit::default();
            for (key, sealed) in missing.rows {
                commit
                    .expect(Family::Optout, key.clone(), None)
                    .put(Family::Optout, key, sealed);
            }
            self.store.commit(commit)?;
            self.replace_opt_outs(opt_outs);
        }
        Ok(done)
    }

    /// Removes the rows of marked subjects in one chain; how many link rows.
    fn erase_marked(
        &self,
        snapshot: &Snapshot,
        (chain, namespace): (&ChainId, &NamespaceId),
        versions: &[std::sync::Arc<LineVersion>],
        marks: &HashSet<Mark>,
        now: Timestamp,
    ) -> Result<u64, Refusal> {
        let mut found = HashSet::new();
        let (mut commit, mut infos, mut rows) = (Commit::default(), Vec::new(), 0);
        for version in versions {
            let [links, ..] = rows::rows_of_version(version.info().kid);
            scan::pages(&*self.store, &links, |page| -> Result<(), Refusal> {
                for row in page {
                    let mark = mark_of(snapshot, version, namespace, row)?;
                    if marks.contains(&mark) {
                        found.insert(mark);
                        rows += 1;
                        commit
                            .delete(Family::Link, row.0.clone())
                            .delete(Family::Identity, row.0.clone());
                    }
                }
                Ok(())
            })?;
            self.remove_imports(snapshot, version, namespace, marks)?;
            self.note_removed(snapshot, version.info(), now, &mut commit)?;
            infos.push(version.info().clone());
        }
        if rows > 0 {
            let line = (chain, namespace, infos.as_slice());
            commit.entry(erased_entry(snapshot, line, found.len() as u64, now)?);
        }
        self.commit_governed(commit, None)?;
        Ok(rows)
    }
}

impl Missing {
    /// The records and rows that cannot be read and that bringing these opt-outs into force again needs. Every row of their
    /// namespaces is opened.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn unreadable(&self, engine: &Engine) -> Result<BTreeSet<LostRow>, Refusal> {
        let (snapshot, mut unread) = (engine.snapshot(), self.unread.clone());
        for namespace in self.marks.keys() {
            for version in escrowed(&snapshot.keyring, None, namespace) {
                unread.extend(unread_rows(engine, &snapshot, &version, namespace)?);
            }
        }
        Ok(unread)
    }
}

/// The link and import rows of a version, and entries of its index, that cannot be read.
fn unread_rows(
    engine: &Engine,
    snapshot: &Snapshot,
    version: &LineVersion,
    namespace: &NamespaceId,
) -> Result<Vec<LostRow>, Refusal> {
    let [links, _, imports, index] = rows::rows_of_version(version.info().kid);
    let mut unread = Vec::new();
    scan::pages(&*engine.store, &links, |page| -> Result<(), Refusal> {
        for row in page {
            if mark_of(snapshot, version, namespace, row).is_err() {
                unread.push(lost(LostKind::Link, &row.0));
            }
        }
        Ok(())
    })?;
    let Some(escrow) = &version.escrow else {
        return Ok(unread);
    };
    let mut opener = escrow.import().opener();
    scan::pages(&*engine.store, &imports, |page| -> Result<(), Refusal> {
        for (key, value) in page {
            let opened = key
                .as_slice()
                .try_into()
                .is_ok_and(|row| opener.open(namespace, row, value).is_ok());
            if !opened {
                unread.push(lost(LostKind::Import, key));
            }
        }
        Ok(())
    })?;
    scan::pages(&*engine.store, &index, |page| -> Result<(), Refusal> {
        for (key, value) in page {
            let opened = key
                .as_slice()
                .try_into()
                .is_ok_and(|entry| opener.open_index(namespace, entry, value).is_ok());
            if !opened {
                unread.push(lost(LostKind::ImportIndex, key));
            }
        }
        Ok(())
    })?;
    Ok(unread)
}

fn lost(kind: LostKind, name: &[u8]) -> LostRow {
    LostRow {
        kind,
        name: name.to_vec(),
    }
}

fn missing(
    store: &dyn Store,
    snapshot: &Snapshot,
    records: &[Vec<u8>],
) -> Result<Missing, Refusal> {
    let mut missing = Missing::default();
    for record in records {
        let row = journal::decode(record).ok();
        let read = row
            .as_ref()
            .and_then(|(key, sealed)| marks::read(snapshot.keyring.state(), key, sealed).ok());
        let (Some((key, sealed)), Some((namespace, mark))) = (&row, read) else {
            let kept = match &row {
                Some((key, _)) => store.get(Family::Optout, key)?.is_some(),
                None => false,
            };
            if !kept {
                missing
                    .unread
                    .insert(lost(LostKind::Journal, &sha256(record)));
            }
            continue;
        };
        let new = !snapshot.opt_outs.contains(&namespace, &mark);
        // A journal may have a subject twice.
        if new && missing.marks.entry(namespace).or_default().insert(mark) {
            missing.rows.push((key.clone(), sealed.clone()));
        }
    }
    Ok(missing)
}

/// The mark of the subject that a link row leads to.
fn mark_of(
    snapshot: &Snapshot,
    version: &LineVersion,
    namespace: &NamespaceId,
    (key, value): &Row,
) -> Result<Mark, Refusal> {
    let corrupt = || KeyringError::Corrupt("link");
    let escrow = version.escrow.as_ref().ok_or_else(corrupt)?;
    let key = key.as_slice().try_into().map_err(|_| corrupt())?;
    let (_, link) = escrow
        .open_row(&version.pseudonym, key, value)
        .map_err(|_| corrupt())?;
    Ok(keys(snapshot, namespace)?.opt_out.mark(&link))
}
