//! The imported mappings of subjects that opted out: found through the index, removed in steps.

use std::collections::HashSet;

use sluis_crypto::escrow::ROW_KEY_LEN;
use sluis_crypto::import::ImportKeys;
use sluis_domain::NamespaceId;
use sluis_keyring::{KeyringError, LineVersion};
use sluis_port::{Commit, Family, Range, Row};

use super::keys;
use crate::Refusal;
use crate::core::opt_outs::Mark;
use crate::core::scan;
use crate::core::snapshot::Snapshot;
use crate::life::Life;

/// An index entry, and the key of the import row it leads to.
type Entry = (Vec<u8>, [u8; ROW_KEY_LEN]);

impl Life {
    /// Removes the import rows of marked subjects in one version, page by page. Needs no lock: no row of a marked subject is
    /// written any more, and rows of others stay.
    ///
    /// # Errors
    /// [`sluis_domain::Reason::CorruptStore`] for a row that cannot be read, and the errors of the store.
    pub(super) fn remove_imports(
        &self,
        snapshot: &Snapshot,
        version: &LineVersion,
        namespace: &NamespaceId,
        marks: &HashSet<Mark>,
    ) -> Result<(), Refusal> {
        let Some(escrow) = &version.escrow else {
            return Ok(());
        };
        for mark in marks {
            let bucket = bucket(escrow.import(), mark);
            scan::pages(&*self.store, &bucket, |page| -> Result<(), Refusal> {
                let entries = open_entries(escrow.import(), namespace, page)?;
                let mut commit = Commit::default();
                for (entry, row) in
                    self.of_marked(snapshot, escrow.import(), namespace, marks, entries)?
                {
                    commit
                        .delete(Family::Import, row)
                        .delete(Family::ImportIndex, entry);
                }
                if !commit.writes.is_empty() {
                    self.store.commit(commit)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Those entries that lead to a row of a marked subject: a bucket has entries of several.
    fn of_marked(
        &self,
        snapshot: &Snapshot,
        import: &ImportKeys,
        namespace: &NamespaceId,
        marks: &HashSet<Mark>,
        entries: Vec<Entry>,
    ) -> Result<Vec<Entry>, Refusal> {
        let opt_out = &keys(snapshot, namespace)?.opt_out;
        let packed: Vec<u8> = entries.iter().flat_map(|(_, row)| *row).collect();
        let rows = self.store.get_many(Family::Import, ROW_KEY_LEN, &packed)?;
        let mut opener = import.opener();
        let mut found = Vec::new();
        for (entry, row) in entries.into_iter().zip(rows.iter()) {
            // One without its row leads nowhere.
            if row.is_empty() {
                continue;
            }
            let link = opener
                .open(namespace, &entry.1, row)
                .map_err(|_| KeyringError::Corrupt("import"))?;
            if marks.contains(&opt_out.mark(&link)) {
                found.push(entry);
            }
        }
        Ok(found)
    }
}

fn bucket(import: &ImportKeys, mark: &Mark) -> Range {
    let from = import.bucket(mark).to_vec();
    // Behind every key of the bucket: they have 16 bytes more.
    let to = [&from[..], &[0xff; 17]].concat();
    Range {
        family: Family::ImportIndex,
        from,
        to,
    }
}

fn open_entries(
    import: &ImportKeys,
    namespace: &NamespaceId,
    page: &[Row],
) -> Result<Vec<Entry>, Refusal> {
    let mut opener = import.opener();
    let entries = page.iter().map(|(key, value)| {
        let entry = key.as_slice().try_into().ok()?;
        let row = opener.open_index(namespace, entry, value).ok()?;
        Some((key.clone(), row))
    });
    let entries: Option<_> = entries.collect();
    entries.ok_or_else(|| KeyringError::Corrupt("import-index").into())
}
