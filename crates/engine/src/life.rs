//! The end of keys: versions that two stewards of the chain's owner destroy or cut off, and chains past their retention.
//!
//! What ends here ends in one commit: the keyring is wrapped again without what was destroyed, the rows are removed, and
//! the entry says so. What was removed leaves the disk a little later, see [`compaction`].

mod compaction;
mod erasure;
mod housekeeping;
mod kek;
pub(crate) mod keys;
mod retention;

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use sluis_domain::{Kid, Reason};
use sluis_keyring::{Change as KeyChange, ChangeError, KeyState, VersionInfo};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Event, ProposalRef, VersionEnded};
use sluis_ledger::proposal::{Matter, Proposal, Record};
use sluis_ledger::rules;
use sluis_port::{Commit, Family, rows};

use housekeeping::Overdue;
pub use housekeeping::{Endings, Housekeeping, Unfinished};
pub use retention::Expiring;

use crate::core::Core;
use crate::core::change::Change;
use crate::core::compaction::whole;
use crate::core::policy::{Custody, Permit, SignProposal};
use crate::core::proposing::{Effects, ProposalView};
use crate::core::record::Asked;
use crate::core::versions::key_version;
use crate::core::versions::version;
use crate::{Caller, Refusal};

/// Keys, retention, erasure, and what must leave the disk.
pub struct Life {
    core: Arc<Core>,
    /// One round at a time.
    housekeeping: Mutex<Overdue>,
}

impl Deref for Life {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl Effects for Life {
    fn of(
        &self,
        permit: &Permit<SignProposal<'_>>,
        proposal: &Proposal,
    ) -> Result<Change, Refusal> {
        match &proposal.matter {
            Matter::DestroyVersion { kid, .. } => {
                self.end_effect(permit, proposal, Event::DestroyVersion, |keys| {
                    keys.destroy(*kid)
                })
            }
            Matter::CutEscrow { kid, .. } => {
                self.end_effect(permit, proposal, Event::CutEscrow, |keys| {
                    keys.cut_escrow(*kid)
                })
            }
            Matter::Erase { namespace } => self.erase_effect(permit, proposal, namespace),
            Matter::Registry { .. } => Err(Refusal::new(
                Reason::Internal,
                "a registry is no matter of keys or subjects",
            )),
        }
    }
}

impl Life {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            housekeeping: Mutex::default(),
        }
    }

    /// Proposes to destroy a disabled version.
    ///
    /// # Errors
    /// [`Reason::UnknownVersion`], [`Reason::VersionState`] unless it is disabled, [`Reason::NotACustodian`],
    /// [`Reason::TooManyProposals`], and the errors of the store.
    pub fn propose_destroy(&self, caller: &Caller, kid: Kid) -> Result<ProposalView, Refusal> {
        self.propose_end(caller, kid, |info| {
            let matter = Matter::DestroyVersion {
                kid,
                chain: info.chain,
                namespace: info.namespace,
            };
            if info.state == KeyState::Disabled {
                Ok(matter)
            } else {
                Err(Reason::VersionState)
            }
        })
    }

    /// Proposes to cut the escrow of a version.
    ///
    /// # Errors
    /// [`Reason::UnknownVersion`], [`Reason::VersionState`] if it is destroyed, [`Reason::NotLinked`] if it has no escrow,
    /// [`Reason::NotACustodian`], [`Reason::TooManyProposals`], and the errors of the store.
    pub fn propose_cut(&self, caller: &Caller, kid: Kid) -> Result<ProposalView, Refusal> {
        self.propose_end(caller, kid, |info| match info.namespace {
            _ if info.state == KeyState::Destroyed => Err(Reason::VersionState),
            Some(namespace) if info.escrow => Ok(Matter::CutEscrow {
                kid,
                chain: info.chain,
                namespace,
            }),
            _ => Err(Reason::NotLinked),
        })
    }

    fn propose_end(
        &self,
        caller: &Caller,
        kid: Kid,
        matter: impl Fn(VersionInfo) -> Result<Matter, Reason>,
    ) -> Result<ProposalView, Refusal> {
        let named = version(&self.snapshot().keyring, kid);
        let asked = Asked {
            act: Act::Propose,
            about: named.as_ref().map(|info| &info.chain).into(),
        };
        self.on_record(caller, asked, || {
            let proposal = self.govern(|| {
                let permit = self.authorise(caller, Custody)?;
                let keyring = &permit.snapshot().keyring;
                let info = version(keyring, kid).ok_or(Reason::UnknownVersion)?;
                let registry = &permit.snapshot().registry.registry;
                let required = rules::signers::for_version(registry, &info.chain);
                self.proposed(caller, matter(info)?, required)
            })?;
            Ok(self.proposal_view(Arc::new(Record::new(proposal))))
        })
    }

    /// Destroys a version or cuts its escrow, as `end` does, in the commit of the last signature.
    pub(crate) fn end_effect(
        &self,
        permit: &Permit<SignProposal<'_>>,
        proposal: &Proposal,
        event: fn(VersionEnded) -> Event,
        end: impl FnOnce(&mut KeyChange) -> Result<VersionInfo, ChangeError>,
    ) -> Result<Change, Refusal> {
        let mut keys = permit.snapshot().keyring.change(permit.now());
        let info = end(&mut keys).map_err(refused)?;
        let ended = event(VersionEnded {
            proposal: proposal.id.clone(),
            digest: ProposalRef::of(proposal).digest,
            version: key_version(&info),
        });
        let rows = self.end_keys(keys, &[info])?;
        Ok(Change::of(permit.header(), ended).and(rows))
    }

    /// The end of versions: keys, rows, and what must leave the disk.
    fn end_keys(&self, keys: KeyChange, ended: &[VersionInfo]) -> Result<Change, Refusal> {
        let now = self.now();
        let mut commit = Commit::default();
        for info in ended.iter().filter(|info| info.namespace.is_some()) {
            for range in rows::rows_of_version(info.kid) {
                commit.writes.push(self.noted(&range, now)?);
                commit.removals.push(range);
            }
        }
        let keyring = whole(Family::Keyring);
        commit.writes.push(self.noted(&keyring, now)?);
        let change = Change::default().keys(keys.finish());
        Ok(change.with_rows(commit))
    }
}

fn refused(error: ChangeError) -> Reason {
    match error {
        ChangeError::UnknownVersion => Reason::UnknownVersion,
        ChangeError::State => Reason::VersionState,
        ChangeError::NoEscrow => Reason::NotLinked,
    }
}
