//! Reading the log: all of it, or what concerns the caller's own organisation.

use std::collections::BTreeMap;

use sluis_domain::{ChainId, GrantId, OrganisationId, Reason};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Entry, Event};
use sluis_ledger::registry::Registry;
use sluis_port::{Family, rows};

use super::LogKeeper;
use crate::core::Core;
use crate::core::policy::{ReadAudit, ReadOwnAudit};
use crate::{Caller, Refusal};

/// Most entries of one page.
pub(crate) const MAX_PAGE: usize = 10_000;
/// Bytes of a page, after which it ends: clients take answers of up to 4 MiB.
const MAX_PAGE_BYTES: usize = 3 << 20;
/// What an entry takes in an answer beside its canonical bytes and, at most, those once more for its fields.
const ENTRY_OVERHEAD: usize = 128;
/// Entries that are read at a time.
const AT_ONCE: u64 = 256;

/// A range of the log.
#[derive(Debug)]
pub struct EntriesPage {
    /// Sequence, canonical bytes and meaning of each entry.
    pub entries: Vec<(u64, Vec<u8>, Entry)>,
    /// Where to go on.
    pub next_sequence: u64,
    /// Number of entries in the log.
    pub log_size: u64,
}

impl LogKeeper {
    /// Looks at up to `limit` (at most 10,000) entries from sequence `from`, fewer if they are large. With `own` only those
    /// about the caller's organisation are given: acts of its members, acts on chains that it owns now or under its own
    /// grants, and restores.
    ///
    /// # Errors
    /// [`Reason::NotAnAuditor`] and the errors of the store.
    pub fn read_entries(
        &self,
        caller: &Caller,
        from: u64,
        limit: usize,
        own: bool,
    ) -> Result<EntriesPage, Refusal> {
        self.on_record(caller, Act::ReadAudit, || {
            let snapshot = if own {
                self.authorise(caller, ReadOwnAudit)?.snapshot().clone()
            } else {
                self.authorise(caller, ReadAudit)?.snapshot().clone()
            };
            let registry = &snapshot.registry.registry;
            let mut owned = Own {
                core: self,
                registry,
                organisation: &caller.identity.organisation,
                grants: BTreeMap::new(),
            };
            let log_size = self.store.entries();
            let end = from
                .saturating_add(limit.clamp(1, MAX_PAGE) as u64)
                .min(log_size);
            let mut page = EntriesPage {
                entries: Vec::new(),
                next_sequence: from,
                log_size,
            };
            let mut bytes = 0;
            while page.next_sequence < end && bytes < MAX_PAGE_BYTES {
                let most = end - page.next_sequence;
                let rows = self.store.scan(
                    Family::Audit,
                    &rows::audit_key(page.next_sequence),
                    most.min(AT_ONCE) as usize,
                )?;
                if rows.is_empty() {
                    break;
                }
                for (key, canonical) in rows {
                    let corrupt =
                        || Refusal::new(Reason::CorruptStore, "an audit entry cannot be read");
                    let sequence = key
                        .try_into()
                        .map(u64::from_be_bytes)
                        .map_err(|_| corrupt())?;
                    let entry = Entry::decode(&canonical).map_err(|_| corrupt())?;
                    page.next_sequence = sequence + 1;
                    if !own || owned.concerns(&entry)? {
                        bytes += 2 * canonical.len() + ENTRY_OVERHEAD;
                        page.entries.push((sequence, canonical, entry));
                    }
                    if bytes >= MAX_PAGE_BYTES {
                        break;
                    }
                }
            }
            Ok(page)
        })
    }
}

/// What is an organisation's own.
struct Own<'a> {
    core: &'a Core,
    registry: &'a Registry,
    organisation: &'a OrganisationId,
    /// Whether a grant is one of its own, as far as entries named grants.
    grants: BTreeMap<GrantId, bool>,
}

impl Own<'_> {
    /// Whether an entry is about the organisation: an act of its members, on a chain it owns or under a grant of its own, or
    /// a restore, which ends everyone's grants.
    fn concerns(&mut self, entry: &Entry) -> Result<bool, Refusal> {
        let event = &entry.event;
        let caller = entry.header.caller.as_ref();
        let acts = caller.is_some_and(|caller| caller.identity.organisation == *self.organisation);
        Ok(acts
            || matches!(event, Event::AcceptRestore(_))
            || event.chain().is_some_and(|chain| self.owns(chain))
            || event.to_chain().is_some_and(|chain| self.owns(chain))
            || event.grant().map_or(Ok(false), |id| self.is_grantee(id))?)
    }

    fn owns(&self, chain: &ChainId) -> bool {
        let chain = self.registry.chain(chain);
        chain.is_some_and(|chain| chain.owner() == self.organisation)
    }

    fn is_grantee(&mut self, id: &GrantId) -> Result<bool, Refusal> {
        if let Some(known) = self.grants.get(id) {
            return Ok(*known);
        }
        let own = match self.core.known_grant(id) {
            Ok(record) => record.grant.grantee == *self.organisation,
            Err(refusal) if refusal.reason() == Reason::UnknownGrant => false,
            Err(refusal) => return Err(refusal),
        };
        self.grants.insert(id.clone(), own);
        Ok(own)
    }
}
