//! What a log says, as rebuilt from its entries.

use std::sync::Arc;

use sluis_crypto::VerifierKey;
use sluis_crypto::digest::sha256;
use sluis_domain::{
    ChainId, GrantId, Identity, Kid, NamespaceId, ProposalId, PublicKey, Timestamp,
};

use crate::days::GrantDays;
use crate::persistent::{Map, Set};
use crate::registry::{Registry, Signers};
use crate::rules;
use crate::told::{SetBack, StoodStill, Told};
use crate::{Custodian, grant, proposal};

mod ended;
mod saved;

pub(crate) use ended::PastId;
pub use ended::{Ended, Past};

/// Everything that the entries so far say. It grows with the number of keys, and of grants and proposals that go on, not with that
/// of entries. A clone shares their records.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) origin: String,
    pub(crate) entries: u64,
    pub(crate) verifier_keys: Vec<(u64, VerifierKey)>,
    pub(crate) custodians: Vec<Custodian>,
    pub(crate) custodian_lists: u64,
    /// Hash of the last entry that ends the life of instructions.
    pub(crate) custody_head: [u8; 32],
    pub(crate) registry: Arc<Registry>,
    pub(crate) registry_version: u64,
    pub(crate) registry_digest: [u8; 32],
    pub(crate) grants: Map<GrantId, GrantState>,
    pub(crate) proposals: Map<ProposalId, Arc<proposal::Record>>,
    /// SHA-256 of each of them: refusals name proposals by that.
    pub(crate) proposal_digests: Set<[u8; 32]>,
    /// Which of these have ended: until when they are kept here, and the number of entries with the one that ended them.
    pub(crate) ended: Map<(Timestamp, PastId), u64>,
    pub(crate) versions: Map<Kid, Version>,
    /// Every key line that a registry has had.
    pub(crate) lines: Set<Line>,
    /// Every chain that a registry has had.
    pub(crate) chains: Set<ChainId>,
    /// Chains of which a warning was given that they are past their retention, and that did not end since.
    pub(crate) warned: Set<ChainId>,
    /// Chains that were destroyed after their retention.
    pub(crate) expired: Set<ChainId>,
    pub(crate) opt_outs: u64,
    /// Namespaces in which someone opted out.
    pub(crate) opted_out: Set<NamespaceId>,
    pub(crate) restores: u64,
    /// The last entries are a restore and what it brings about: opt-outs that it puts back have no entry of their own.
    pub(crate) restoring: bool,
    /// The last of them: number of its entry, and SHA-256 of what was signed.
    pub(crate) last_restore: Option<(u64, [u8; 32])>,
    pub(crate) signatures: u64,
    pub(crate) told: Told,
}

/// A key line: a chain and a namespace, or the chain's encrypted elements.
pub(crate) type Line = (ChainId, Option<NamespaceId>);

/// A key version, as far as the log says what it is.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) chain: ChainId,
    /// `None`: for encrypted elements.
    pub(crate) namespace: Option<NamespaceId>,
    pub(crate) state: VersionState,
}

/// What became of a key version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VersionState {
    /// How far it has come.
    pub stage: Stage,
    /// Whether its escrow was cut.
    pub cut: bool,
}

/// How far a key version has come. It only moves on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Stage {
    /// It was made.
    #[default]
    Made,
    /// It was disabled.
    Disabled,
    /// It was destroyed, alone or with its chain.
    Destroyed,
}

/// A grant with what happened to it.
#[derive(Clone, Debug)]
pub struct GrantState {
    pub(crate) record: Arc<grant::Record>,
    /// SHA-256 of the grant's canonical bytes.
    pub(crate) digest: [u8; 32],
    pub(crate) counter: u64,
    /// Values by UTC day.
    pub(crate) days: GrantDays,
}

impl GrantState {
    /// The grant, its approvals and its end.
    pub fn record(&self) -> &Arc<grant::Record> {
        &self.record
    }

    /// SHA-256 of the grant's canonical bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// How many steps made it what it is: the request, each approval, the end.
    pub fn steps(&self) -> u64 {
        self.record.steps()
    }

    /// Values used under it.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// How many values were charged on which UTC day.
    pub fn days(&self) -> &GrantDays {
        &self.days
    }

    /// How it was ended, if it was.
    pub fn ended(&self) -> Option<grant::End> {
        self.record.ended.as_ref().map(|ended| ended.how)
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> grant::State {
        self.record.state(now, self.counter)
    }
}

impl State {
    pub(crate) fn new(origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            entries: 0,
            verifier_keys: Vec::new(),
            custodians: Vec::new(),
            custodian_lists: 0,
            custody_head: [0; 32],
            registry: Arc::new(Registry::empty()),
            registry_version: 0,
            registry_digest: sha256(&[]),
            grants: Map::default(),
            proposals: Map::default(),
            proposal_digests: Set::default(),
            ended: Map::default(),
            versions: Map::default(),
            lines: Set::default(),
            chains: Set::default(),
            warned: Set::default(),
            expired: Set::default(),
            opt_outs: 0,
            opted_out: Set::default(),
            restores: 0,
            restoring: false,
            last_restore: None,
            signatures: 0,
            told: Told::default(),
        }
    }

    /// Origin of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of entries.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The log's signing keys, oldest first, each with the number of the entry that named it.
    pub fn verifier_keys(&self) -> &[(u64, VerifierKey)] {
        &self.verifier_keys
    }

    /// The custodians of this moment.
    pub fn custodians(&self) -> &[Custodian] {
        &self.custodians
    }

    /// How many times the configuration named custodians: more than 1 is worth a look.
    pub fn custodian_lists(&self) -> u64 {
        self.custodian_lists
    }

    /// Hash, as a leaf, of the last entry that ends the life of instructions: what the next instruction must name.
    pub fn custody_head(&self) -> [u8; 32] {
        self.custody_head
    }

    /// The registry in force; an empty one before the first.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Its version; 0 before the first.
    pub fn registry_version(&self) -> u64 {
        self.registry_version
    }

    /// SHA-256 of its text; of no bytes before the first.
    pub fn registry_digest(&self) -> &[u8; 32] {
        &self.registry_digest
    }

    /// All grants that did not leave memory, in the order of their ids.
    pub fn grants(&self) -> impl ExactSizeIterator<Item = &GrantState> {
        self.grants.values()
    }

    /// As [`Self::grants`], those after this id.
    pub fn grants_after<'a>(
        &'a self,
        id: Option<&'a GrantId>,
    ) -> impl Iterator<Item = &'a Arc<grant::Record>> {
        self.grants.after(id).map(GrantState::record)
    }

    /// A grant that did not leave memory.
    pub fn grant(&self, id: &GrantId) -> Option<&GrantState> {
        self.grants.get(id)
    }

    /// All proposals that did not leave memory, in the order of their ids.
    pub fn proposals(&self) -> impl ExactSizeIterator<Item = &Arc<proposal::Record>> {
        self.proposals.values()
    }

    /// A proposal that did not leave memory.
    pub fn proposal(&self, id: &ProposalId) -> Option<&Arc<proposal::Record>> {
        self.proposals.get(id)
    }

    /// All key versions that were ever made, with what became of them.
    pub fn versions(&self) -> impl ExactSizeIterator<Item = (Kid, VersionState)> {
        self.versions
            .iter()
            .map(|(kid, version)| (*kid, version.state))
    }

    /// A key version.
    pub fn version(&self, kid: Kid) -> Option<VersionState> {
        self.versions.get(&kid).map(|version| version.state)
    }

    /// Erasures that came into force.
    pub fn opt_outs(&self) -> u64 {
        self.opt_outs
    }

    /// Restores of older stores that custodians accepted.
    pub fn restores(&self) -> u64 {
        self.restores
    }

    /// The last restore: number of its entry, and SHA-256 of what was signed.
    pub fn last_restore(&self) -> Option<(u64, [u8; 32])> {
        self.last_restore
    }

    /// Signatures of people that were verified.
    pub fn signatures(&self) -> u64 {
        self.signatures
    }

    /// By how much the custodian's clock was set back, if by more than ten minutes: the furthest. What had expired may have been
    /// used again meanwhile.
    pub fn set_back(&self) -> Option<SetBack> {
        self.told.set_back
    }

    /// The longest row of entries with one and the same time, if it has more than 256.
    pub fn stood_still(&self) -> Option<StoodStill> {
        self.told.stood_still
    }

    /// The first entry of an act that someone began more than ten minutes after the keyring was closed.
    pub fn while_sealed(&self) -> Option<u64> {
        self.told.while_sealed
    }

    /// Whether a registry up to now has had this chain.
    pub(crate) fn had_chain(&self, id: &ChainId) -> bool {
        self.chains.contains(id)
    }

    pub(crate) fn is_custodian(&self, who: &Identity) -> bool {
        self.custodians
            .iter()
            .any(|custodian| custodian.identity == *who)
    }

    /// The key pinned for a person: custodians by the configuration, stewards by the registry.
    pub fn pinned(&self, who: &Identity) -> Option<&PublicKey> {
        let custodian = self
            .custodians
            .iter()
            .find(|custodian| custodian.identity == *who);
        custodian
            .map(|custodian| &custodian.key)
            .or_else(|| self.registry.key(who))
    }

    /// Whether someone is one of these at this moment, and not blocked.
    pub(crate) fn is_one_of(&self, who: &Identity, signers: &Signers) -> bool {
        rules::signers::is_one_of(&self.registry, self.is_custodian(who), who, signers)
    }

    /// Whether someone is a member who is not blocked.
    pub(crate) fn is_member(&self, who: &Identity) -> bool {
        self.registry
            .organisation(&who.organisation)
            .is_some_and(|of| of.is_member(&who.member))
            && !self.is_blocked(who)
    }

    fn is_blocked(&self, who: &Identity) -> bool {
        self.registry
            .organisation(&who.organisation)
            .is_some_and(|of| of.is_blocked(&who.member))
    }
}
