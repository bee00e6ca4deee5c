//! What the entries of the log say about the state that the store holds sealed.
//!
//! A sealed value cannot be changed by hand, but it could be put back as it once was: a grant before it was revoked, a
//! counter before it was used up. The log says what was done since, so the two are compared at the start.
//!
//! Compared are: every grant (its content, its steps, its counter), every proposal (its content, its signatures, its end), the
//! registry in force, the versions of keys that were made, disabled or destroyed, and the log's signing key.

use std::collections::BTreeMap;
use std::fmt::Display;

use sluis_crypto::digest::sha256;
use sluis_domain::audit::{Act, Entry, Outcome};
use sluis_domain::codec::Reader;
use sluis_domain::proposal::{self, Proposal};
use sluis_domain::{GrantId, Kid, ProposalId, grant};
use sluis_keyring::{KeyState, VersionInfo};

use crate::EngineError;
use crate::snapshot::RegistryState;

/// Everything that is compared. It grows with the number of grants, proposals and keys, not with that of entries.
#[derive(Default)]
pub(crate) struct Recount {
    grants: BTreeMap<GrantId, GrantCount>,
    proposals: BTreeMap<ProposalId, ProposalCount>,
    keys: BTreeMap<Kid, Least>,
    registry: (u64, Option<[u8; 32]>),
    custodians: Vec<u8>,
    verifier_key: String,
}

struct GrantCount {
    digest: Option<[u8; 32]>,
    steps: u64,
    ended: bool,
    counter: u64,
}

struct ProposalCount {
    digest: [u8; 32],
    required: u64,
    signatures: u64,
    rejected: bool,
}

/// The least that must have become of a key version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Least {
    Made,
    Disabled,
    Destroyed,
}

/// The state that the store holds sealed.
pub(crate) struct Compared<'a> {
    pub(crate) registry: &'a RegistryState,
    pub(crate) versions: &'a [VersionInfo],
    pub(crate) verifier_key: &'a str,
    /// Grants with their counters.
    pub(crate) grants: Vec<(&'a grant::Record, u64)>,
    pub(crate) proposals: Vec<&'a proposal::Record>,
}

impl Recount {
    /// The next entry.
    pub(crate) fn push(&mut self, sequence: u64, bytes: &[u8]) -> Result<(), EngineError> {
        let entry = Entry::decode(bytes).map_err(|_| EngineError::Entry(sequence))?;
        if (sequence == 0) != (entry.act == Act::Initialise) {
            return Err(EngineError::Entry(sequence));
        }
        if entry.outcome == Outcome::Done { self.take(&entry).ok_or(EngineError::Entry(sequence)) } else { Ok(()) }
    }

    /// Detail of the last list of custodians.
    pub(crate) fn custodians(&self) -> &[u8] {
        &self.custodians
    }

    /// `None` for an entry that does not fit those before it.
    fn take(&mut self, entry: &Entry) -> Option<()> {
        match entry.act {
            Act::Initialise => {
                let mut input = Reader::plain(&entry.detail);
                input.text().ok()?;
                self.verifier_key = input.text().ok()?.to_owned();
            }
            Act::Custodians => self.custodians.clone_from(&entry.detail),
            Act::RotateAuditKey => self.verifier_key = Reader::plain(&entry.detail).text().ok()?.to_owned(),
            Act::RequestGrant => {
                let digest = entry.grant_digest;
                let new = GrantCount { digest, steps: 1, ended: false, counter: 0 };
                if self.grants.insert(entry.grant.clone()?, new).is_some() {
                    return None;
                }
            }
            Act::ApproveGrant => self.grant(entry)?.steps += 1,
            Act::DenyGrant | Act::RevokeGrant => self.grant(entry)?.end(),
            Act::Convert | Act::Reidentify => {
                let grant = self.grant(entry)?;
                grant.counter = grant.counter.max(entry.counter);
            }
            Act::AcceptRestore => self.grants.values_mut().for_each(GrantCount::end),
            Act::Propose => self.propose(entry)?,
            Act::SignProposal => self.proposal(entry)?.signatures += 1,
            Act::RejectProposal => self.proposal(entry)?.rejected = true,
            Act::ApplyRegistry => {
                self.registry = (entry.registry_version, entry.object_digest);
                self.keys(entry, Least::Made);
            }
            Act::RotateChain => self.keys(entry, Least::Made),
            Act::DisableVersion => self.keys(entry, Least::Disabled),
            Act::DestroyVersion | Act::ExpireChain => self.keys(entry, Least::Destroyed),
            _ => {}
        }
        Some(())
    }

    fn grant(&mut self, entry: &Entry) -> Option<&mut GrantCount> {
        self.grants.get_mut(entry.grant.as_ref()?)
    }

    fn proposal(&mut self, entry: &Entry) -> Option<&mut ProposalCount> {
        let id: ProposalId = Reader::plain(&entry.detail).parse().ok()?;
        self.proposals.get_mut(&id)
    }

    fn propose(&mut self, entry: &Entry) -> Option<()> {
        let proposal = Proposal::decode(&entry.detail).ok()?;
        let required = proposal.required.iter().map(|(_, count)| u64::from(*count)).sum();
        let new = ProposalCount { digest: sha256(&entry.detail), required, signatures: 0, rejected: false };
        self.proposals.insert(proposal.id, new).is_none().then_some(())
    }

    fn keys(&mut self, entry: &Entry, least: Least) {
        for key in &entry.keys {
            let known = self.keys.entry(key.kid).or_insert(least);
            *known = least.max(*known);
        }
    }

    /// Whether the sealed state is what the log says.
    ///
    /// # Errors
    /// [`EngineError::Differs`] names the first difference.
    pub(crate) fn compare(&self, state: &Compared<'_>) -> Result<(), EngineError> {
        self.compare_registry(state.registry)?;
        same("the log's signing key", &self.verifier_key.as_str(), &state.verifier_key)?;
        self.compare_keys(state.versions)?;
        same("the number of grants", &self.grants.len(), &state.grants.len())?;
        for (record, counter) in &state.grants {
            let id = &record.grant.id;
            let said =
                self.grants.get(id).ok_or_else(|| differs(format_args!("grant {id}: it was never requested")))?;
            same(format_args!("grant {id}: content"), &said.digest, &Some(sha256(&record.grant.encode())))?;
            same(format_args!("grant {id}: steps"), &said.steps, &record.steps())?;
            same(format_args!("grant {id}: ended"), &said.ended, &record.ended.is_some())?;
            same(format_args!("grant {id}: values used"), &said.counter, counter)?;
        }
        same("the number of proposals", &self.proposals.len(), &state.proposals.len())?;
        state.proposals.iter().try_for_each(|record| self.compare_proposal(record))
    }

    fn compare_registry(&self, state: &RegistryState) -> Result<(), EngineError> {
        let (version, digest) = self.registry;
        same("the registry version", &version, &state.version)?;
        let text = digest.unwrap_or_else(|| sha256(b""));
        same("the text of the registry", &text, &sha256(state.toml.as_bytes()))
    }

    fn compare_keys(&self, versions: &[VersionInfo]) -> Result<(), EngineError> {
        for (kid, least) in &self.keys {
            let info = versions.iter().find(|info| info.kid == *kid);
            let info = info.ok_or_else(|| differs(format_args!("key version {kid} is missing")))?;
            let is = match info.state {
                KeyState::Active | KeyState::ConvertOnly => Least::Made,
                KeyState::Disabled => Least::Disabled,
                KeyState::Destroyed => Least::Destroyed,
            };
            if is < *least {
                return Err(differs(format_args!("key version {kid} is in an earlier state")));
            }
        }
        Ok(())
    }

    fn compare_proposal(&self, record: &proposal::Record) -> Result<(), EngineError> {
        let id = &record.proposal.id;
        let said = self.proposals.get(id);
        let said = said.ok_or_else(|| differs(format_args!("proposal {id}: it was never made")))?;
        same(format_args!("proposal {id}: content"), &said.digest, &sha256(&record.proposal.encode()))?;
        same(format_args!("proposal {id}: signatures"), &said.signatures, &(record.signatures.len() as u64))?;
        let expected = match (said.signatures >= said.required, said.rejected) {
            (true, _) => Some(proposal::End::Effective),
            (false, true) => Some(proposal::End::Rejected),
            (false, false) => None,
        };
        // That one became stale has no entry of its own.
        let end = record.ended.as_ref().map(|(end, ..)| *end).filter(|end| *end != proposal::End::Stale);
        same(format_args!("proposal {id}: end"), &expected, &end)
    }
}

impl GrantCount {
    /// Ends a grant, once.
    fn end(&mut self) {
        self.steps += u64::from(!self.ended);
        self.ended = true;
    }
}

fn same<T: PartialEq>(what: impl Display, log: &T, store: &T) -> Result<(), EngineError> {
    if log == store { Ok(()) } else { Err(differs(what)) }
}

fn differs(what: impl Display) -> EngineError {
    EngineError::Differs(what.to_string())
}
