//! The audit log: writing entries with the acts, recording refusals, reading.

use std::collections::BTreeSet;

use sluis_crypto::random;
use sluis_domain::{ChainId, GrantId, OrganisationId, ProposalId, Reason, Timestamp};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{self, About, Entry, Event, GrantRef, Header, ProposalRef};
use sluis_ledger::registry::Registry;
use sluis_port::{Commit, Family, StoreError, rows};

use crate::engine::Engine;
use crate::policy::{ReadAudit, ReadOwnAudit};
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

/// What a caller asks for, as far as the request alone says it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// What is to be done.
    pub(crate) act: Act,
    /// What it is about.
    pub(crate) about: Named<'a>,
}

/// What a request names. It may not exist.
#[derive(Clone, Copy)]
pub(crate) enum Named<'a> {
    Nothing,
    Chain(&'a ChainId),
    Grant(&'a GrantId),
    Proposal(&'a ProposalId),
    /// SHA-256 of the text of a registry.
    RegistryText([u8; 32]),
}

impl From<Act> for Asked<'_> {
    /// About nothing in particular.
    fn from(act: Act) -> Self {
        Self {
            act,
            about: Named::Nothing,
        }
    }
}

impl<'a> From<Option<&'a ChainId>> for Named<'a> {
    fn from(chain: Option<&'a ChainId>) -> Self {
        chain.map_or(Self::Nothing, Self::Chain)
    }
}

/// The header of an entry that is made now.
pub(crate) fn header(at: Timestamp, caller: Option<&Caller>, registry_version: u64) -> Header {
    Header {
        salt: random::bytes(),
        at,
        registry_version,
        caller: caller.map(|caller| event::Caller {
            identity: caller.identity.clone(),
            fingerprint: caller.fingerprint,
        }),
    }
}

/// The canonical bytes of an entry.
pub(crate) fn encoded(header: Header, event: Event) -> Vec<u8> {
    Entry { header, event }.encode()
}

impl Engine {
    /// The header of an entry about an act of `caller`, or of the daemon itself, under the registry in force.
    pub(crate) fn header(&self, caller: Option<&Caller>) -> Header {
        header(self.now(), caller, self.snapshot().registry.version)
    }

    /// Runs an act; if it is refused, the refusal is on record before it is answered. When it succeeds, `body` has
    /// committed its entry itself.
    pub(crate) fn on_record<'a, T>(
        &self,
        caller: &Caller,
        asked: impl Into<Asked<'a>>,
        body: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        body().map_err(|refusal| self.record_refusal(caller, asked.into(), refusal))
    }

    /// Whether there is room on record for one more refusal of a caller; it counts then. Does not wait for anything.
    pub fn admits_refusal(&self, caller: &Caller, reason: Reason) -> bool {
        if !goes_on_record(reason) {
            return false;
        }
        let snapshot = self.snapshot();
        let known = snapshot.custodians.contains_key(&caller.identity)
            || snapshot
                .registry
                .registry
                .organisation(&caller.identity.organisation)
                .is_some();
        self.refusals
            .admits(&caller.identity, known, reason, self.now())
    }

    /// Puts on record what the caller was refused outside the engine (a revoked certificate, a limit, a malformed
    /// message), if [`Self::admits_refusal`] said that there is room, and returns the reason to answer with: why, if it could
    /// not be recorded, [`Reason::HeadUnavailable`] if nothing is.
    pub fn refuse(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        self.put_refusal(caller, act.into(), reason.into()).reason()
    }

    fn record_refusal(&self, caller: &Caller, asked: Asked<'_>, refusal: Refusal) -> Refusal {
        // What may have been done is not refused.
        if refusal.reason() == Reason::OutcomeUnknown {
            return refusal;
        }
        if !self.log.in_order() {
            return Reason::HeadUnavailable.into();
        }
        if self.admits_refusal(caller, refusal.reason()) {
            self.put_refusal(caller, asked, refusal)
        } else {
            refusal
        }
    }

    fn put_refusal(&self, caller: &Caller, asked: Asked<'_>, refusal: Refusal) -> Refusal {
        if !self.log.in_order() {
            // Nothing more is put on a record that nobody can sign.
            return Reason::HeadUnavailable.into();
        }
        let event = Event::Refused(event::Refusal {
            act: asked.act,
            reason: refusal.reason(),
            about: self.about(asked),
        });
        let commit = Commit {
            entries: vec![encoded(self.header(Some(caller)), event)],
            ..Commit::default()
        };
        match self.store.commit(commit) {
            Ok(_) => refusal,
            // Whether the refusal is on record is unknown, but nothing was done.
            Err(StoreError::Unknown(why)) => StoreError::ReadOnly(why).into(),
            Err(error) => error.into(),
        }
    }

    /// What a refused act was about: only what exists, because anything else is whatever the caller put there.
    fn about(&self, asked: Asked<'_>) -> About {
        let about = match asked.about {
            Named::Nothing => About::Nothing,
            Named::Chain(id) => {
                let snapshot = self.snapshot();
                let chain = snapshot.registry.registry.chain(id);
                chain.map_or(About::Nothing, |chain| About::Chain(chain.id().clone()))
            }
            Named::Grant(id) => match self.known_grant(id) {
                Ok(known) => About::Grant(GrantRef::of(&known.record.grant)),
                Err(_) => About::Nothing,
            },
            Named::Proposal(id) => match self.known_proposal(id) {
                Ok(known) => {
                    let ProposalRef { digest, chain, .. } = ProposalRef::of(&known.record.proposal);
                    About::Proposal { digest, chain }
                }
                Err(_) => About::Nothing,
            },
            Named::RegistryText(digest) => About::RegistryText(digest),
        };
        if about.fits(asked.act) {
            about
        } else {
            About::Nothing
        }
    }

    /// Looks at up to `limit` (at most 10,000) entries from sequence `from`, fewer if they are large. With `own` only those
    /// about the caller's organisation are given: acts of its members, acts on chains that it owns now or under its own
    /// grants, and restores.
    ///
    /// # Errors
    /// [`Reason::NotAnAuditor`] and those of the store.
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
            let organisation = &caller.identity.organisation;
            let grants = if own {
                self.grants_of(organisation)
            } else {
                BTreeSet::new()
            };
            let shown = |entry: &Entry| !own || concerns(registry, &grants, entry, organisation);
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
                    if shown(&entry) {
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

/// Whether a refusal for this reason goes on record. What the store cannot write it cannot put on record either, and of what
/// may have been done the log must not say that it was refused. Batches behind one that was refused are refused with it.
pub(crate) fn goes_on_record(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::ReadOnly
            | Reason::DiskFull
            | Reason::StoreStalled
            | Reason::OutcomeUnknown
            | Reason::StreamRefused
    )
}

/// Whether an entry is about an organisation: an act of its members, on a chain it owns or under a grant of its own, or a
/// restore, which ends everybody's grants.
fn concerns(
    registry: &Registry,
    grants: &BTreeSet<GrantId>,
    entry: &Entry,
    organisation: &OrganisationId,
) -> bool {
    let owned = |chain: &ChainId| {
        registry
            .chain(chain)
            .is_some_and(|chain| chain.owner() == organisation)
    };
    let event = &entry.event;
    let caller = entry.header.caller.as_ref();
    caller.is_some_and(|caller| caller.identity.organisation == *organisation)
        || event.chain().is_some_and(owned)
        || event.to_chain().is_some_and(owned)
        || event.grant().is_some_and(|grant| grants.contains(grant))
        || matches!(event, Event::AcceptRestore(_))
}
