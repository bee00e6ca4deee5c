//! Goes through the entries of a log in their order and rebuilds what they say.
//!
//! Everything that the custodian decides by rules that the log itself shows is decided here: registry versions and
//! their signatures, requests and approvals of grants, their use, proposals and what came of them, whose key versions are and
//! which are still there. The first entry that breaks a rule is named. What is not judged: the order of times, because
//! clocks step (a large step back is told), and whether a refusal was right; its fields are. Memory is bounded by the number of
//! grants, proposals and key versions.

use sluis_crypto::VerifierKey;
use sluis_domain::codec::{DecodeError, Reader};
use sluis_domain::{Identity, ProposalId};

use crate::audit::{Act, Entry, MAX_ENTRY, Outcome};
use crate::fault::{Fault, Wrong};
use crate::instruction::ends_instructions;
use crate::state::State;

mod batches;
mod custody;
mod fields;
mod grants;
mod instruction;
mod keys;
mod proposals;
mod registry;
mod retention;

/// Where registry texts come from: they are too long for entries.
pub trait Registries {
    /// The text of a version; `None` if there is none.
    ///
    /// # Errors
    /// [`Unread`] if it cannot be read now.
    fn text(&mut self, version: u64) -> Result<Option<String>, Unread>;
}

/// The text of a registry cannot be read now, which says nothing about the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unread;

impl<F: FnMut(u64) -> Option<String>> Registries for F {
    fn text(&mut self, version: u64) -> Result<Option<String>, Unread> {
        Ok(self(version))
    }
}

/// What must be the next entry: the effect of a proposal, in the name of the last who signed it.
#[derive(Clone, Debug)]
struct Due {
    proposal: ProposalId,
    signer: Identity,
    /// SHA-256 of their certificate.
    fingerprint: [u8; 32],
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
    /// [`Fault::RegistryUnread`] the same entry may come once more.
    pub fn push(
        &mut self,
        place: &Place<'_>,
        bytes: &[u8],
        registries: &mut (impl Registries + ?Sized),
    ) -> Result<Entry, Wrong> {
        let sequence = place.sequence;
        if let Some(wrong) = &self.over {
            return Err(wrong.clone());
        }
        let taken = self
            .take(place, bytes, registries)
            .map_err(|fault| Wrong { sequence, fault });
        let wrong = taken
            .as_ref()
            .err()
            .filter(|wrong| !matches!(wrong.fault, Fault::RegistryUnread(_)));
        self.over = wrong.cloned();
        taken
    }

    fn take(
        &mut self,
        place: &Place<'_>,
        bytes: &[u8],
        registries: &mut (impl Registries + ?Sized),
    ) -> Result<Entry, Fault> {
        let sequence = place.sequence;
        if sequence != self.state.entries {
            return Err(Fault::Gap(self.state.entries));
        }
        let entry = Entry::decode(bytes)
            .ok()
            .filter(|_| bytes.len() <= MAX_ENTRY)
            .ok_or(Fault::NotAnEntry)?;
        let first = entry.act == Act::Initialise && entry.outcome == Outcome::Done;
        if first != (sequence == 0) || (!first && entry.act == Act::Initialise) {
            return Err(Fault::Initialise);
        }
        fields::check(&self.state, &entry)?;
        let text = match (entry.act, entry.outcome) {
            (Act::ApplyRegistry, Outcome::Done) => {
                let version = entry.registry_version;
                registries
                    .text(version)
                    .map_err(|Unread| Fault::RegistryUnread(version))?
            }
            _ => None,
        };
        let due = self.due.take();
        self.check_due(due.as_ref(), &entry)?;
        self.check_version(&entry)?;
        if entry.outcome == Outcome::Done {
            self.apply(&entry, place, due.as_ref(), text)?;
            keys::follow(&mut self.state, &entry)?;
        }
        self.state.restoring = match entry.act {
            Act::AcceptRestore => true,
            Act::EraseSubjects | Act::Custodians => self.state.restoring,
            _ => false,
        };
        if entry.outcome == Outcome::Done && ends_instructions(entry.act) {
            self.state.custody_head = place.leaf;
        }
        self.state.told.see(sequence, &entry);
        self.state.entries += 1;
        Ok(entry)
    }

    /// The effect of a proposal is in one commit with the last signature.
    fn check_due(&self, due: Option<&Due>, entry: &Entry) -> Result<(), Fault> {
        let Some(due) = due else { return Ok(()) };
        let follows = entry.outcome == Outcome::Done
            && proposals::effect_of(&self.state, &due.proposal) == Some(entry.act);
        if follows {
            Ok(())
        } else {
            Err(Fault::EffectMissing(due.proposal.clone()))
        }
    }

    fn check_version(&self, entry: &Entry) -> Result<(), Fault> {
        let in_force = self.state.registry_version;
        let done = entry.outcome == Outcome::Done;
        let right = match entry.act {
            Act::ApplyRegistry if done => entry.registry_version == in_force + 1,
            // Commits of these expect the registry to be the one they were decided under.
            Act::Pseudonymise | Act::Import | Act::Convert | Act::Reidentify if done => {
                entry.registry_version == in_force
            }
            act if done && is_governed(act) => entry.registry_version == in_force,
            // Anything else may have begun under an earlier one.
            _ => entry.registry_version <= in_force,
        };
        if right {
            Ok(())
        } else {
            Err(Fault::RegistryVersion {
                named: entry.registry_version,
                in_force,
            })
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
        match entry.act {
            Act::Initialise => initialise(state, entry),
            Act::Custodians => custody::name_custodians(state, entry),
            Act::RotateChain => instruction::rotate_chain(state, entry),
            Act::DisableVersion => instruction::disable_version(state, entry),
            Act::RotateAuditKey => instruction::rotate_audit_key(state, entry),
            Act::AcceptRestore => custody::accept_restore(state, place, entry),
            Act::RequestGrant => grants::request(state, entry),
            Act::ApproveGrant => grants::approve(state, entry),
            Act::DenyGrant => grants::deny(state, entry),
            Act::RevokeGrant => grants::revoke(state, entry),
            Act::Convert | Act::Reidentify => grants::charge(state, entry),
            Act::Pseudonymise | Act::Import => batches::submit(state, entry),
            Act::Propose => proposals::propose(state, entry),
            Act::SignProposal => {
                self.due = proposals::sign(state, entry)?;
                Ok(())
            }
            Act::RejectProposal => proposals::reject(state, entry),
            Act::ExpireProposal => proposals::expire(state, entry),
            Act::Unseal => custody::unseal(entry),
            Act::Seal | Act::CreateBackup => custody::by_custodian(state, entry),
            Act::ApplyRegistry => registry::apply(state, entry, due, text),
            Act::DestroyVersion | Act::CutEscrow | Act::OptOut => {
                proposals::take_effect(state, entry, due)
            }
            Act::WarnRetention => retention::warn(state, entry),
            Act::ExpireChain => retention::expire(state, entry),
            _ => Ok(()),
        }
    }
}

/// Acts that are done one at a time, under the registry in force.
fn is_governed(act: Act) -> bool {
    matches!(
        act,
        Act::RequestGrant
            | Act::ApproveGrant
            | Act::DenyGrant
            | Act::RevokeGrant
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

/// The first entry: which log this is, and its first key.
fn initialise(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let [origin, key] = texts(entry)?;
    let key: VerifierKey = key.parse().map_err(|_| Fault::Detail(entry.act.as_str()))?;
    if origin != state.origin || key.name() != origin {
        return Err(Fault::OtherLog);
    }
    state.verifier_keys.push((0, key));
    Ok(())
}

/// A detail that consists of `N` texts, each LP.
fn texts<const N: usize>(entry: &Entry) -> Result<[String; N], Fault> {
    // A reader takes a format byte off first, and these have none.
    let bytes = [&[0], entry.detail.as_slice()].concat();
    let read = || -> Result<Vec<String>, DecodeError> {
        let mut input = Reader::new(&bytes, 0)?;
        let texts = (0..N)
            .map(|_| input.text().map(str::to_owned))
            .collect::<Result<_, _>>()?;
        input.end()?;
        Ok(texts)
    };
    read()
        .ok()
        .and_then(|texts| texts.try_into().ok())
        .ok_or(Fault::Detail(entry.act.as_str()))
}
