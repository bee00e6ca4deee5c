//! Opt-outs that were made after a backup, once more: part of the restore of an older store.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sluis_crypto::digest::sha256;
use sluis_domain::{ChainId, NamespaceId, Reason, Timestamp};
use sluis_keyring::{KeyringError, LineVersion};
use sluis_ledger::restore::{LostKind, LostRow};
use sluis_port::{Commit, Family, Row, Store, rows};

use super::jobs::{erased, escrowed};
use super::keys;
use crate::Refusal;
use crate::core::change::Change;
use crate::core::journal::{self, Missing, OptOutsBack, Replayed};
use crate::core::opt_outs::{self, Mark, OptOuts};
use crate::core::scan;
use crate::core::snapshot::Snapshot;
use crate::life::Life;

impl OptOutsBack for Life {
    /// The opt-outs that the journal has and the store has not: every record is read, nothing is changed.
    ///
    /// # Errors
    /// [`Reason::CorruptStore`] for a journal that cannot be read, and the errors of the store.
    fn missing(&self) -> Result<Missing, Refusal> {
        let Some(journal) = &self.life.journal else {
            return Ok(Missing::default());
        };
        let snapshot = self.snapshot();
        let records = journal.records().map_err(|error| {
            let why = format!("the journal of opt-outs: {error}");
            Refusal::new(Reason::CorruptStore, why)
        })?;
        missing(&*self.store, &snapshot, &records)
    }

    /// Puts missing opt-outs into force and removes the rows of those subjects.
    /// Only marks are known of them, so every row of their namespaces is opened; this takes as long as reading them all.
    /// The marks are written last: after a crash it begins again. Only while [`Self::govern`] is held.
    ///
    /// # Errors
    /// [`Reason::CorruptStore`] for a row that cannot be read, and the errors of the store.
    fn replay(&self, missing: Missing) -> Result<Replayed, Refusal> {
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
            self.govern(|| {
                let marks = Change {
                    opt_outs: Some(opt_outs.clone()),
                    ..Change::default()
                };
                Ok((marks.with_rows(commit.clone()), ()))
            })?;
        }
        Ok(done)
    }

    fn unreadable(&self, missing: &Missing) -> Result<BTreeSet<LostRow>, Refusal> {
        let snapshot = self.snapshot();
        let mut unread = missing.unread.clone();
        for namespace in missing.marks.keys() {
            for version in escrowed(&snapshot.keyring, None, namespace) {
                unread.extend(unread_rows(&*self.store, &snapshot, &version, namespace)?);
            }
        }
        Ok(unread)
    }
}

impl Life {
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
            commit.writes.extend(self.removed(version.info(), now)?);
            infos.push(version.info().clone());
        }
        self.govern(|| {
            let removed = Change::default().with_rows(commit.clone());
            if rows == 0 {
                return Ok((removed, rows));
            }
            let line = (chain, namespace, infos.as_slice());
            let (header, event) = erased(snapshot, line, found.len() as u64, now)?;
            Ok((removed.then(header, event), rows))
        })
    }
}

/// The link and import rows of a version, and entries of its index, that cannot be read.
fn unread_rows(
    store: &dyn Store,
    snapshot: &Snapshot,
    version: &LineVersion,
    namespace: &NamespaceId,
) -> Result<Vec<LostRow>, Refusal> {
    let [links, _, imports, index] = rows::rows_of_version(version.info().kid);
    let mut unread = Vec::new();
    scan::pages(store, &links, |page| -> Result<(), Refusal> {
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
    scan::pages(store, &imports, |page| -> Result<(), Refusal> {
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
    scan::pages(store, &index, |page| -> Result<(), Refusal> {
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
            .and_then(|(key, sealed)| opt_outs::read(snapshot.keyring.state(), key, sealed).ok());
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
    let opened = version.escrow.as_ref().and_then(|escrow| {
        let key = key.as_slice().try_into().ok()?;
        escrow.open_row(&version.pseudonym, key, value).ok()
    });
    let (_, link) = opened.ok_or(KeyringError::Corrupt("link"))?;
    Ok(keys(snapshot, namespace)?.opt_out.mark(&link))
}
