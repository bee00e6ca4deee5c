//! The end of keys: versions that two stewards of the chain's owner destroy or cut off, and chains past their retention.
//!
//! What ends here ends in one commit: the keyring is wrapped anew without what was destroyed, the rows are removed, and
//! the entry says so. What was removed leaves the disk a little later, see [`compaction`].

pub(crate) mod compaction;
mod housekeeping;
mod retention;

use sluis_domain::time::DAY_MILLIS;
use std::fmt;
use std::sync::Arc;

use sluis_domain::{ChainId, Kid, Reason};
use sluis_keyring::{Change, ChangeError, KeyState, Keyring, VersionInfo};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Event, ProposalRef, VersionEnded};
use sluis_ledger::proposal::{Matter, Proposal};
use sluis_ledger::rules;
use sluis_port::{Commit, Family, rows};

pub(crate) use housekeeping::Overdue;
pub use housekeeping::{Endings, Housekeeping, OVERDUE_ROUNDS, Unfinished};
pub use retention::Expiring;

use crate::audit::{Asked, encoded};
use crate::custody::key_version;
use crate::engine::Engine;
use crate::erasure::Journal;
use crate::policy::{Custody, Permit, SignProposal};
use crate::proposals::{Effect, ProposalView};
use crate::snapshot::Snapshot;
use crate::{Caller, Refusal};

/// What the operator decides about the life of chains and subjects.
#[derive(Clone)]
pub struct LifeSettings {
    /// How long a chain past its retention is still there after the warning, in milliseconds.
    pub warning_millis: u64,
    /// Within how many milliseconds of its approval an erasure reaches every chain, each at its own random moment.
    pub erasure_window_millis: u64,
    /// In how many rounds on end something must be overdue before it ends for good.
    pub overdue_rounds: u32,
    /// Where opt-outs are kept apart from the store; without one, those after a backup are lost with the store.
    pub journal: Option<Arc<dyn Journal>>,
}

impl Default for LifeSettings {
    /// 30 days, 24 hours, [`OVERDUE_ROUNDS`], no journal.
    fn default() -> Self {
        Self {
            warning_millis: 30 * DAY_MILLIS,
            erasure_window_millis: DAY_MILLIS,
            overdue_rounds: OVERDUE_ROUNDS,
            journal: None,
        }
    }
}

impl fmt::Debug for LifeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            warning_millis,
            erasure_window_millis,
            overdue_rounds,
            journal,
        } = self;
        write!(
            f,
            "LifeSettings({warning_millis}, {erasure_window_millis}, {overdue_rounds}, journal: {})",
            journal.is_some()
        )
    }
}

impl Engine {
    /// Proposes to destroy a disabled version.
    ///
    /// # Errors
    /// [`Reason::UnknownVersion`], [`Reason::VersionState`] unless it is disabled, [`Reason::NotACustodian`],
    /// [`Reason::TooManyProposals`], and those of the store.
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
    /// [`Reason::NotACustodian`], [`Reason::TooManyProposals`], and those of the store.
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
        matter: impl FnOnce(VersionInfo) -> Result<Matter, Reason>,
    ) -> Result<ProposalView, Refusal> {
        let named = version(&self.snapshot().keyring, kid);
        let asked = Asked {
            act: Act::Propose,
            about: named.as_ref().map(|info| &info.chain).into(),
        };
        self.on_record(caller, asked, || {
            let _governing = self.govern();
            let permit = self.authorise(caller, Custody)?;
            let info = version(&permit.snapshot().keyring, kid).ok_or(Reason::UnknownVersion)?;
            let required =
                rules::signers::for_version(&permit.snapshot().registry.registry, &info.chain);
            self.propose(caller, matter(info)?, required, |_, _| {})
        })
    }

    /// Destroys a version or cuts its escrow, as `end` does, in the commit of the last signature.
    pub(crate) fn end_effect(
        &self,
        permit: &Permit<SignProposal<'_>>,
        proposal: &Proposal,
        event: fn(VersionEnded) -> Event,
        end: impl FnOnce(&mut Change) -> Result<VersionInfo, ChangeError>,
        commit: &mut Commit,
    ) -> Result<Effect, Refusal> {
        let mut change = permit.snapshot().keyring.change(permit.now());
        let info = end(&mut change).map_err(refused)?;
        let ended = event(VersionEnded {
            proposal: proposal.id.clone(),
            digest: ProposalRef::of(proposal).digest,
            version: key_version(&info),
        });
        commit.entry(encoded(permit.header(), ended));
        let keyring = self.end_keys(change, &[info], commit)?;
        Ok(Effect {
            keyring: Some(keyring),
            ..Effect::default()
        })
    }

    /// Adds the end of versions to a commit: keys, rows, and what must leave the disk. The keyring after it. Only while
    /// [`Self::govern`] is held.
    fn end_keys(
        &self,
        change: Change,
        ended: &[VersionInfo],
        commit: &mut Commit,
    ) -> Result<Keyring, Refusal> {
        let (keyring, writes) = change.finish();
        commit.writes.extend(writes);
        let seal = keyring.state();
        for range in ended
            .iter()
            .filter(|info| info.namespace.is_some())
            .flat_map(|info| rows::rows_of_version(info.kid))
        {
            compaction::note(&*self.store, seal, &range, self.now(), commit)?;
            commit.removals.push(range);
        }
        compaction::note(
            &*self.store,
            seal,
            &compaction::whole(Family::Keyring),
            self.now(),
            commit,
        )?;
        Ok(keyring)
    }
}

/// Whether what a proposal about a version says still holds.
pub(crate) fn stands(snapshot: &Snapshot, proposal: &Proposal) -> bool {
    let (kid, fits): (_, fn(&VersionInfo) -> bool) = match &proposal.matter {
        Matter::DestroyVersion { kid, .. } => (*kid, |info| info.state == KeyState::Disabled),
        Matter::CutEscrow { kid, .. } => (*kid, |info| info.escrow),
        Matter::Registry { .. } | Matter::Erase { .. } => return false,
    };
    version(&snapshot.keyring, kid).is_some_and(|info| {
        fits(&info)
            && rules::signers::for_version(&snapshot.registry.registry, &info.chain)
                == proposal.required
    })
}

/// Whether a chain had keys once and they were destroyed with it: it never gets new ones.
pub(crate) fn is_destroyed(keyring: &Keyring, chain: &ChainId) -> bool {
    keyring.chain_created(chain).is_none() && keyring.had_versions(chain)
}

fn version(keyring: &Keyring, kid: Kid) -> Option<VersionInfo> {
    keyring.versions().into_iter().find(|info| info.kid == kid)
}

fn refused(error: ChangeError) -> Reason {
    match error {
        ChangeError::UnknownVersion => Reason::UnknownVersion,
        ChangeError::State => Reason::VersionState,
        ChangeError::NoEscrow => Reason::NotLinked,
    }
}
