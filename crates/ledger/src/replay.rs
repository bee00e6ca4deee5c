//! Goes through the entries of a log in their order and rebuilds what they say.
//!
//! Everything that the custodian decides by rules that the log itself shows is decided here: registry versions and
//! their signatures, requests and approvals of grants, their use, proposals and what came of them, which chain has
//! which key versions and which are still there. The first entry that breaks a rule is named. What is not judged: the
//! order of times, because clocks step (a large step back is told), and whether a refusal was right; its fields are.
//! Memory is bounded by the number of key versions, and of grants and proposals; those that ended may leave it
//! ([`Ledger::forget`]).

use std::sync::Arc;

use sluis_domain::codec::{DecodeError, Reader, Writer};
use sluis_domain::{GrantId, Identity, ProposalId};

use crate::audit::Act;
use crate::event::{Caller, Entry, Event, Header, Initialised};
use crate::fault::{Fault, Wrong};
use crate::instruction::ends_instructions;
use crate::registry::Registry;
use crate::state::{Ended, Past, State};
use crate::{grant, proposal};

mod batches;
mod custody;
mod grants;
mod instruction;
mod keys;
mod party;
mod proposals;
mod recall;
mod refused;
mod registry;
mod retention;

/// Changes with everything that [`Ledger::save`] writes.
const SAVED_FORMAT: u8 = 2;

/// Where that comes from which the entries only name and memory does not hold.
pub trait Archive {
    /// The text of a version of the registry, which is too long for an entry; `None` if there is none.
    ///
    /// # Errors
    /// [`Unread`] if it cannot be read now.
    fn text(&mut self, version: u64) -> Result<Option<String>, Unread>;

    /// A grant that [`Ledger::forget`] took out of memory.
    ///
    /// # Errors
    /// [`Unread`] if it cannot be read now.
    fn grant(&mut self, _id: &GrantId) -> Result<Option<Ended<grant::Record>>, Unread> {
        Ok(None)
    }

    /// A proposal that [`Ledger::forget`] took out of memory.
    ///
    /// # Errors
    /// [`Unread`] if it cannot be read now.
    fn proposal(&mut self, _id: &ProposalId) -> Result<Option<Ended<proposal::Record>>, Unread> {
        Ok(None)
    }

    /// As [`Self::proposal`], by the SHA-256 of its canonical bytes.
    ///
    /// # Errors
    /// [`Unread`] if it cannot be read now.
    fn proposal_with(
        &mut self,
        _digest: &[u8; 32],
    ) -> Result<Option<Ended<proposal::Record>>, Unread> {
        Ok(None)
    }
}

/// Something cannot be read now, which says nothing about the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unread;

/// Texts of registries alone, for one who keeps everything else in memory.
impl<F: FnMut(u64) -> Option<String>> Archive for F {
    fn text(&mut self, version: u64) -> Result<Option<String>, Unread> {
        Ok(self(version))
    }
}

/// What must be the next entry: the effect of a proposal, in the name of the last who signed it.
#[derive(Clone, Debug)]
struct Due {
    proposal: ProposalId,
    signer: Caller,
}

/// What comes with an entry and is not in its bytes.
pub struct Place<'a> {
    /// Its number.
    pub sequence: u64,
    /// Its hash as a leaf of the log's tree.
    pub leaf: [u8; 32],
    /// The root that the log had at a size; `None` if that is too long ago, or not yet.
    pub root_at: &'a dyn Fn(u64) -> Option<[u8; 32]>,
}

/// A log as far as it was read: the sum of its entries. Each entry is applied by the rules, or refused by them.
#[derive(Clone, Debug)]
pub struct Ledger {
    state: State,
    /// A proposal whose last signature was the last entry: its effect is due.
    due: Option<Due>,
    /// What was wrong, if anything was.
    over: Option<Wrong>,
}

impl Ledger {
    /// Of the log with this origin, from its first entry.
    pub fn new(origin: &str) -> Self {
        Self {
            state: State::new(origin),
            due: None,
            over: None,
        }
    }

    /// The ledger as bytes, without what [`State::past`] gives, for [`Self::load`]; `None` while something is wrong or missing ([`Self::unfinished`]).
    pub fn save(&self) -> Option<Vec<u8>> {
        if self.over.is_some() || self.unfinished().is_some() {
            return None;
        }
        let mut out = Writer::new(SAVED_FORMAT);
        self.state.write(&mut out);
        Some(out.finish())
    }

    /// Reads what [`Self::save`] wrote. `registry` gives the registry of a version and digest of its text.
    ///
    /// # Errors
    /// [`DecodeError`] for bytes that are not the saved ledger of this log, and if there is no such registry.
    pub fn load(
        origin: &str,
        bytes: &[u8],
        registry: impl FnOnce(u64, &[u8; 32]) -> Option<Arc<Registry>>,
    ) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes, SAVED_FORMAT)?;
        let state = State::read(&mut input, registry)?;
        input.end()?;
        if state.origin != origin {
            return Err(DecodeError);
        }
        Ok(Self {
            state,
            due: None,
            over: None,
        })
    }

    /// Takes something out of memory that [`State::past`] gave. From then on the archive must give it.
    pub fn forget(&mut self, past: &Past) {
        self.state.forget(past);
    }

    /// What the entries so far say.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What is missing if there is no further entry: the first one, or the effect of a proposal, which is one commit with the
    /// last signature under it.
    pub fn unfinished(&self) -> Option<Wrong> {
        let due = self.due.clone();
        let fault = match due {
            Some(due) => Fault::EffectMissing(due.proposal),
            None if self.state.entries == 0 => Fault::Initialise,
            None => return None,
        };
        Some(Wrong {
            sequence: self.state.entries,
            fault,
        })
    }

    /// The next entry, as its canonical bytes and its place in the log.
    ///
    /// # Errors
    /// What is wrong with it. The replay is over then, and says the same to every further entry; only after
    /// [`Fault::RegistryUnread`] and [`Fault::RecordUnread`] the same entry may come once more.
    pub fn push(
        &mut self,
        place: &Place<'_>,
        bytes: &[u8],
        archive: &mut (impl Archive + ?Sized),
    ) -> Result<Entry, Wrong> {
        let sequence = place.sequence;
        if let Some(wrong) = &self.over {
            return Err(wrong.clone());
        }
        let taken = self
            .take(place, bytes, archive)
            .map_err(|fault| Wrong { sequence, fault });
        let wrong = taken
            .as_ref()
            .err()
            .filter(|wrong| !matches!(wrong.fault, Fault::RegistryUnread(_) | Fault::RecordUnread));
        self.over = wrong.cloned();
        taken
    }

    fn take(
        &mut self,
        place: &Place<'_>,
        bytes: &[u8],
        archive: &mut (impl Archive + ?Sized),
    ) -> Result<Entry, Fault> {
        let sequence = place.sequence;
        if sequence != self.state.entries {
            return Err(Fault::Gap(self.state.entries));
        }
        let entry = Entry::decode(bytes).map_err(|_| Fault::NotAnEntry)?;
        if matches!(entry.event, Event::Initialise(_)) != (sequence == 0) {
            return Err(Fault::Initialise);
        }
        let text = match entry.event {
            Event::ApplyRegistry(_) => {
                let version = entry.header.registry_version;
                archive
                    .text(version)
                    .map_err(|Unread| Fault::RegistryUnread(version))?
            }
            _ => None,
        };
        let recalled = recall::recall(&mut self.state, &entry.event, archive);
        recalled.map_err(|Unread| Fault::RecordUnread)?;
        let due = self.due.take();
        self.check_due(due.as_ref(), &entry.event)?;
        self.check_version(&entry)?;
        self.apply(&entry, place, due.as_ref(), text)?;
        self.state.restoring = match entry.event {
            Event::AcceptRestore(_) => true,
            Event::EraseSubjects(_) | Event::Custodians(_) => self.state.restoring,
            _ => false,
        };
        if entry.event.refused().is_none() && ends_instructions(entry.event.act()) {
            self.state.custody_head = place.leaf;
        }
        self.state.told.see(sequence, &entry);
        self.state.entries += 1;
        Ok(entry)
    }

    /// The effect of a proposal is in one commit with the last signature.
    fn check_due(&self, due: Option<&Due>, event: &Event) -> Result<(), Fault> {
        let Some(due) = due else { return Ok(()) };
        let follows = event.refused().is_none()
            && proposals::effect_of(&self.state, &due.proposal) == Some(event.act());
        if follows {
            Ok(())
        } else {
            Err(Fault::EffectMissing(due.proposal.clone()))
        }
    }

    fn check_version(&self, entry: &Entry) -> Result<(), Fault> {
        let in_force = self.state.registry_version;
        let named = entry.header.registry_version;
        let right = match &entry.event {
            // It may have begun under an earlier one.
            Event::Refused(_) => named <= in_force,
            Event::ApplyRegistry(_) => named == in_force + 1,
            done if names_the_one_in_force(done.act()) => named == in_force,
            // So may these.
            _ => named <= in_force,
        };
        if right {
            Ok(())
        } else {
            Err(Fault::RegistryVersion { named, in_force })
        }
    }

    fn apply(
        &mut self,
        entry: &Entry,
        place: &Place<'_>,
        due: Option<&Due>,
        text: Option<String>,
    ) -> Result<(), Fault> {
        let state = &mut self.state;
        let header = &entry.header;
        let act = entry.event.act();
        match &entry.event {
            Event::Initialise(first) => initialise(state, first),
            Event::Custodians(custodians) => custody::name_custodians(state, custodians),
            Event::RotateChain(rotated) => instruction::rotate_chain(state, header, rotated),
            Event::DisableVersion(disabled) => {
                instruction::disable_version(state, header, disabled)
            }
            Event::RotateAuditKey(rotated) => instruction::rotate_audit_key(state, header, rotated),
            Event::AcceptRestore(restored) => {
                custody::accept_restore(state, place, header, restored)
            }
            Event::RequestGrant(grant) => grants::request(state, header, grant),
            Event::ApproveGrant(signed) => grants::approve(state, header, signed),
            Event::DenyGrant(signed) => grants::deny(state, header, signed),
            Event::RevokeGrant(signed) => grants::revoke(state, header, signed),
            Event::ExpireGrant(grant) => grants::expire(state, header, grant),
            Event::Convert(batch) | Event::Reidentify(batch) => {
                grants::charge(state, header, act, batch)
            }
            Event::Pseudonymise(batch) | Event::Import(batch) => {
                batches::submit(state, header, act, batch)
            }
            Event::Propose(proposal) => proposals::propose(state, header, proposal),
            Event::SignProposal(signed) => {
                self.due = proposals::sign(state, header, signed)?;
                Ok(())
            }
            Event::RejectProposal(signed) => proposals::reject(state, header, signed),
            Event::ExpireProposal(proposal) => proposals::expire(state, header, proposal),
            Event::Unseal(opening) => custody::unseal(header, opening),
            Event::Seal | Event::CreateBackup => custody::by_custodian(state, header),
            Event::ApplyRegistry(applied) => registry::apply(state, header, applied, due, text),
            Event::DestroyVersion(ended) | Event::CutEscrow(ended) => {
                proposals::end_version(state, header, act, ended, due)
            }
            Event::OptOut(opted_out) => proposals::opt_out(state, header, opted_out, due),
            Event::WarnRetention(chain) => retention::warn(state, chain),
            Event::ExpireChain(expired) => retention::expire(state, expired),
            Event::EraseSubjects(erased) => keys::erase(state, erased),
            Event::RotateKek => Ok(()),
            Event::Refused(refusal) => refused::check(state, refusal),
        }
    }
}

/// Acts that are done one at a time, and batches: their commits expect the registry to be the one they were decided under.
fn names_the_one_in_force(act: Act) -> bool {
    matches!(
        act,
        Act::Pseudonymise
            | Act::Import
            | Act::Convert
            | Act::Reidentify
            | Act::RequestGrant
            | Act::ApproveGrant
            | Act::DenyGrant
            | Act::RevokeGrant
            | Act::ExpireGrant
            | Act::Propose
            | Act::SignProposal
            | Act::RejectProposal
            | Act::ExpireProposal
            | Act::DestroyVersion
            | Act::CutEscrow
            | Act::OptOut
            | Act::RotateChain
            | Act::DisableVersion
            | Act::RotateAuditKey
    )
}

/// Who did it.
fn caller(header: &Header) -> Result<&Identity, Fault> {
    let caller = header.caller.as_ref().ok_or(Fault::Field("caller"))?;
    Ok(&caller.identity)
}

/// The first entry: which log this is, and its first key.
fn initialise(state: &mut State, first: &Initialised) -> Result<(), Fault> {
    if first.origin != state.origin || first.key.name() != first.origin {
        return Err(Fault::OtherLog);
    }
    state.verifier_keys.push((0, first.key.clone()));
    Ok(())
}
