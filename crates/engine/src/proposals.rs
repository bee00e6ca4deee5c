//! Proposals: what needs several signatures, from the first word to the effect.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use sluis_crypto::{digest::sha256, random};
use sluis_domain::{Identity, ProposalId, PublicKey, Reason, Timestamp};
use sluis_keyring::Keyring;
use sluis_ledger::audit::{Act, MAX_ENTRY};
use sluis_ledger::event::{self, Event, Header, ProposalRef, ProposalSigned};
use sluis_ledger::proposal::{End, LIFE_MILLIS, Matter, Proposal, Record, Signature, State};
use sluis_ledger::registry::{Registry, Signers};
use sluis_ledger::statement::Deed;
use sluis_ledger::{Signed, rules};
use sluis_port::{Commit, Family, Store, rows};

use crate::audit::{Asked, Named, encoded};
use crate::engine::{Engine, registry_text};
use crate::life::compaction;
use crate::pace::{self, Earlier};
use crate::policy::{BeKnown, Permit, RejectProposal, SeeProposal, SignProposal};
use crate::signing::Said;
use crate::snapshot::{RegistryState, Snapshot};
use crate::{Caller, EngineError, Refusal, erasure, life, scan};

/// Most proposals of one person that may wait at a time.
const MAX_OPEN: usize = 50;
/// Longest proposal in bytes: its entry holds it whole, beside at most a thousand bytes.
const MAX_PROPOSAL: usize = MAX_ENTRY - 1_000;
/// Most proposals that a list shows.
const MAX_LISTED: usize = 1000;

/// A proposal as it stands.
#[derive(Clone, Debug)]
pub struct ProposalView {
    /// What was proposed, and what happened to it.
    pub record: Arc<Record>,
    /// Where it stands now.
    pub state: State,
}

/// A proposed registry and the one it replaces.
#[derive(Clone, Debug)]
pub struct RegistryTexts {
    /// What is proposed.
    pub proposed: String,
    /// What it replaces.
    pub base: String,
}

/// A proposal in memory, with its sealed bytes in the store.
#[derive(Clone)]
pub(crate) struct KnownProposal {
    pub(crate) record: Arc<Record>,
    stored: Arc<[u8]>,
}

/// Something done after a commit, while [`Engine::govern`] is held.
type Afterwards = Box<dyn FnOnce(&Engine)>;

/// What a proposal does when it becomes effective: writes go into the commit it is given, the rest comes into force
/// when that commit is durable.
#[derive(Default)]
pub(crate) struct Effect {
    /// Keys after it.
    pub(crate) keyring: Option<Keyring>,
    /// Registry after it.
    pub(crate) registry: Option<RegistryState>,
    /// Anything else.
    pub(crate) after: Option<Afterwards>,
}

/// All proposals of a store.
pub(crate) fn load(
    store: &dyn Store,
    keyring: &Keyring,
) -> Result<BTreeMap<ProposalId, KnownProposal>, EngineError> {
    let mut proposals = BTreeMap::new();
    for (key, stored) in scan::of_kind(store, rows::PROPOSAL)? {
        let (_, value) = keyring.state().open(Family::Grants, &key, &stored)?;
        let record = Record::decode(&value).map_err(|_| EngineError::Corrupt("proposal"))?;
        if key != rows::proposal_key(&record.proposal.id) {
            return Err(EngineError::Corrupt("proposal"));
        }
        let known = KnownProposal {
            record: Arc::new(record),
            stored: stored.into(),
        };
        proposals.insert(known.record.proposal.id.clone(), known);
    }
    Ok(proposals)
}

impl Engine {
    /// Puts a proposal on record, with what `beside` adds to the commit under its id. Only while [`Self::govern`] is held.
    pub(crate) fn propose(
        &self,
        caller: &Caller,
        matter: Matter,
        required: Vec<(Signers, u8)>,
        beside: impl FnOnce(&ProposalId, &mut Commit),
    ) -> Result<ProposalView, Refusal> {
        let (now, snapshot) = (self.now(), self.snapshot());
        let proposals = self.lock_proposals();
        let earlier = proposals.values().map(|known| Earlier {
            by: &known.record.proposal.proposer,
            at: known.record.proposal.at,
            waits: known.record.state(now) == State::Open,
        });
        pace::check(
            Reason::TooManyProposals,
            MAX_OPEN,
            (&caller.identity, now),
            earlier,
        )?;
        drop(proposals);
        let proposal = Proposal {
            id: new_id(),
            matter,
            proposer: caller.identity.clone(),
            at: now,
            not_after: now.plus_millis(LIFE_MILLIS),
            registry_version: snapshot.registry.version,
            required,
        };
        if proposal.encode().len() > MAX_PROPOSAL {
            let text = "concerns more owners of chains than an entry of the log can name";
            return Err(Refusal::field(Reason::InvalidRequest, "required", text));
        }
        let mut commit = Commit::default();
        beside(&proposal.id, &mut commit);
        // The proposal and its entry are of one moment.
        let header = Header {
            at: now,
            ..self.header(Some(caller))
        };
        commit.entry(encoded(header, Event::Propose(proposal.clone())));
        self.store_proposal(Record::new(proposal), None, commit, None)
    }

    /// A yes. With the last one the proposal becomes effective before this returns.
    ///
    /// # Errors
    /// [`Reason::UnknownProposal`], [`Reason::NotASigner`], [`Reason::KeyNotPinned`], [`Reason::BadSignature`],
    /// [`Reason::ProposalStale`] if what it is about has changed, those of [`Record::sign`], and those of the effect.
    pub fn sign_proposal(
        &self,
        caller: &Caller,
        id: &ProposalId,
        signature: &[u8],
    ) -> Result<ProposalView, Refusal> {
        let asked = Asked {
            act: Act::SignProposal,
            about: Named::Proposal(id),
        };
        self.on_record(caller, asked, || {
            let _governing = self.govern();
            self.authorise(caller, BeKnown)?;
            let known = self.known_proposal(id)?;
            let permit = self.authorise(
                caller,
                SignProposal {
                    record: &known.record,
                },
            )?;
            let (now, snapshot) = (permit.now(), permit.snapshot());
            let among = among(snapshot, &caller.identity);
            let object = known.record.proposal.encode();
            let said = Said {
                deed: Deed::SignProposal,
                object: &object,
                signature,
            };
            let signed = self.check_signature(caller, pinned(snapshot, &caller.identity), &said)?;
            let signature = Signature {
                signer: caller.identity.clone(),
                among,
                at: now,
                signed: signed.clone(),
            };
            let next = known.record.sign(signature, now)?;
            if !self.still_stands(snapshot, &next) {
                self.end_proposal(&known, End::Stale, caller)?;
                return Err(Reason::ProposalStale.into());
            }
            let event = Event::SignProposal(by(caller, &next, signed));
            let commit = Commit {
                entries: vec![encoded(permit.header(), event)],
                ..Commit::default()
            };
            if next.missing().is_empty() {
                self.make_effective(&permit, next, &known, commit)
            } else {
                self.store_proposal(next, Some(&known), commit, None)
            }
        })
    }

    /// A no, or the withdrawal by the proposer.
    ///
    /// # Errors
    /// [`Reason::UnknownProposal`], [`Reason::NotASigner`], [`Reason::KeyNotPinned`], [`Reason::BadSignature`], and those
    /// of a proposal that is not open.
    pub fn reject_proposal(
        &self,
        caller: &Caller,
        id: &ProposalId,
        signature: &[u8],
    ) -> Result<ProposalView, Refusal> {
        let asked = Asked {
            act: Act::RejectProposal,
            about: Named::Proposal(id),
        };
        self.on_record(caller, asked, || {
            let _governing = self.govern();
            self.authorise(caller, BeKnown)?;
            let known = self.known_proposal(id)?;
            let permit = self.authorise(
                caller,
                RejectProposal {
                    record: &known.record,
                },
            )?;
            let object = known.record.proposal.encode();
            let said = Said {
                deed: Deed::RejectProposal,
                object: &object,
                signature,
            };
            // A proposer without a pinned key withdraws with the key of their certificate.
            let key = match pinned(permit.snapshot(), &caller.identity) {
                None if known.record.proposal.proposer == caller.identity => caller.key.as_ref(),
                pinned => pinned,
            };
            let signed = self.check_signature(caller, key, &said)?;
            let next = known
                .record
                .end(End::Rejected, &caller.identity, permit.now())?;
            let event = Event::RejectProposal(by(caller, &next, signed));
            let mut commit = Commit {
                entries: vec![encoded(permit.header(), event)],
                ..Commit::default()
            };
            self.forget_for_good(&next, permit.now(), &mut commit)?;
            self.store_proposal(next, Some(&known), commit, None)
        })
    }

    /// One proposal; for a registry its texts too.
    ///
    /// # Errors
    /// [`Reason::UnknownProposal`] if it does not exist or does not concern the caller.
    pub fn get_proposal(
        &self,
        caller: &Caller,
        id: &ProposalId,
    ) -> Result<(ProposalView, Option<RegistryTexts>), Refusal> {
        let asked = Asked {
            act: Act::ReadProposals,
            about: Named::Proposal(id),
        };
        self.on_record(caller, asked, || {
            self.authorise(caller, BeKnown)?;
            let known = self.known_proposal(id)?;
            let permit = self.authorise(
                caller,
                SeeProposal {
                    record: &known.record,
                },
            )?;
            let view = self.proposal_view(known.record.clone());
            let open = view.state == State::Open;
            let texts = match view.record.proposal.matter {
                Matter::Registry { base_version, .. } if open => Some(RegistryTexts {
                    proposed: self.proposed_text(id)?,
                    base: self.base_text(permit.snapshot(), base_version)?,
                }),
                _ => None,
            };
            Ok((view, texts))
        })
    }

    /// The proposals that concern the caller, in the order of their ids; the ended ones too if `all`.
    ///
    /// # Errors
    /// Those of [`Self::admit`].
    pub fn list_proposals(&self, caller: &Caller, all: bool) -> Result<Vec<ProposalView>, Refusal> {
        self.on_record(caller, Act::ReadProposals, || {
            let views = self
                .visible_proposals(caller)?
                .into_iter()
                .filter(|view| all || view.state == State::Open);
            Ok(views.take(MAX_LISTED).collect())
        })
    }

    /// All proposals that concern the caller.
    pub(crate) fn visible_proposals(&self, caller: &Caller) -> Result<Vec<ProposalView>, Refusal> {
        let permit = self.authorise(caller, BeKnown)?;
        let records: Vec<_> = self
            .lock_proposals()
            .values()
            .map(|known| known.record.clone())
            .collect();
        let seen = records
            .into_iter()
            .filter(|record| permit.also(&SeeProposal { record }));
        Ok(seen.map(|record| self.proposal_view(record)).collect())
    }

    /// All proposals.
    pub(crate) fn all_proposals(&self) -> Vec<ProposalView> {
        let records: Vec<_> = self
            .lock_proposals()
            .values()
            .map(|known| known.record.clone())
            .collect();
        records
            .into_iter()
            .map(|record| self.proposal_view(record))
            .collect()
    }

    /// Removes what was kept beside a proposal that came to nothing, from the disk too.
    pub(crate) fn forget_for_good(
        &self,
        record: &Record,
        now: Timestamp,
        commit: &mut Commit,
    ) -> Result<(), Refusal> {
        forget_beside(&record.proposal.id, commit);
        if !matches!(record.proposal.matter, Matter::Erase { .. }) {
            return Ok(());
        }
        let snapshot = self.snapshot();
        compaction::note(
            &*self.store,
            snapshot.keyring.state(),
            &compaction::whole(Family::Optout),
            now,
            commit,
        )
    }

    /// Whether the caller's signature is one that the proposal waits for.
    pub(crate) fn awaits(&self, permit: &Permit<BeKnown>, record: &Record) -> bool {
        permit.also(&SignProposal { record })
            && !record
                .signatures
                .iter()
                .any(|s| s.signer == permit.caller().identity)
            && record.state(permit.now()) == State::Open
            && (record.proposal.proposer_may_sign()
                || record.proposal.proposer != permit.caller().identity)
    }

    /// Text of the registry that a proposal replaces, which may not be in force any more: it is what the signed bytes name.
    fn base_text(&self, snapshot: &Snapshot, version: u64) -> Result<String, Refusal> {
        if version == snapshot.registry.version {
            return Ok(snapshot.registry.toml.clone());
        }
        // There is no text before the first.
        Ok(registry_text(&*self.store, &snapshot.keyring, version)?.unwrap_or_default())
    }

    /// Text of a proposed registry.
    pub(crate) fn proposed_text(&self, id: &ProposalId) -> Result<String, Refusal> {
        let key = rows::proposed_text_key(id);
        let lost = || {
            Refusal::new(
                Reason::CorruptStore,
                "the text of a proposal is missing or damaged",
            )
        };
        let stored = self.store.get(Family::Grants, &key)?.ok_or_else(lost)?;
        let (_, text) = self
            .snapshot()
            .keyring
            .state()
            .open(Family::Grants, &key, &stored)?;
        String::from_utf8(text).map_err(|_| lost())
    }

    /// Every signature once more, against the keys and roles of this moment: nobody who lost their standing counts.
    fn still_stands(&self, snapshot: &Snapshot, record: &Record) -> bool {
        let object = record.proposal.encode();
        let base = match &record.proposal.matter {
            Matter::Registry {
                base_version,
                base_digest,
                ..
            } => {
                let present = &snapshot.registry;
                *base_version == present.version && *base_digest == sha256(present.toml.as_bytes())
            }
            Matter::DestroyVersion { .. } | Matter::CutEscrow { .. } => {
                life::stands(snapshot, &record.proposal)
            }
            Matter::Erase { namespace } => erasure::stands(snapshot, &record.proposal, namespace),
        };
        base && record.signatures.iter().all(|signature| {
            let said = Said {
                deed: Deed::SignProposal,
                object: &object,
                signature: &signature.signed.signature,
            };
            in_standing(snapshot, &signature.signer, &signature.among)
                && pinned(snapshot, &signature.signer).is_some_and(|key| self.fits(key, &said))
        })
    }

    /// The last signature is there: does it, in the same commit.
    fn make_effective(
        &self,
        permit: &Permit<SignProposal<'_>>,
        record: Record,
        known: &KnownProposal,
        mut commit: Commit,
    ) -> Result<ProposalView, Refusal> {
        let caller = permit.caller();
        let proposal = &record.proposal;
        let effect = match &proposal.matter {
            Matter::Registry { .. } => self.registry_effect(permit, proposal, &mut commit)?,
            Matter::DestroyVersion { kid, .. } => self.end_effect(
                permit,
                proposal,
                Event::DestroyVersion,
                |keys| keys.destroy(*kid),
                &mut commit,
            )?,
            Matter::CutEscrow { kid, .. } => self.end_effect(
                permit,
                proposal,
                Event::CutEscrow,
                |keys| keys.cut_escrow(*kid),
                &mut commit,
            )?,
            Matter::Erase { namespace } => {
                self.erase_effect(permit, proposal, namespace, &mut commit)?
            }
        };
        forget_beside(&proposal.id, &mut commit);
        let next = record.end(End::Effective, &caller.identity, permit.now())?;
        let view = self.store_proposal(next, Some(known), commit, effect.registry.as_ref())?;
        if effect.keyring.is_some() || effect.registry.is_some() {
            let keyring = effect
                .keyring
                .unwrap_or_else(|| Keyring::clone(&permit.snapshot().keyring));
            self.replace(effect.registry, keyring);
        }
        if let Some(after) = effect.after {
            after(self);
        }
        Ok(view)
    }

    /// Adds the end of every open proposal to a commit; [`Self::put_proposals`] when that is durable. Only while
    /// [`Self::govern`] is held.
    pub(crate) fn end_proposals(
        &self,
        by: &Identity,
        now: Timestamp,
        commit: &mut Commit,
    ) -> Result<Vec<KnownProposal>, Refusal> {
        self.end_each_proposal(now, commit, |record| record.end_as_stale(by, now))
    }

    /// Adds the end of every open proposal but one that another registry makes stale: it replaces another one, others would have to
    /// sign, or who signed has lost their role or key. They do not come back when the registry does. As
    /// [`Self::end_proposals`].
    pub(crate) fn end_stale_proposals(
        &self,
        coming: &RegistryState,
        but: &ProposalId,
        permit: &Permit<SignProposal<'_>>,
        commit: &mut Commit,
    ) -> Result<Vec<KnownProposal>, Refusal> {
        let (by, now) = (&permit.caller().identity, permit.now());
        let custodians = &permit.snapshot().custodians;
        self.end_each_proposal(now, commit, |record| {
            let stands = record.proposal.id == *but
                || self.stands_under(&coming.registry, custodians, record);
            if stands {
                None
            } else {
                record.end_as_stale(by, now)
            }
        })
    }

    /// Whether the registry wants the signatures that a proposal has and waits for.
    fn stands_under(
        &self,
        registry: &Registry,
        custodians: &BTreeMap<Identity, PublicKey>,
        record: &Record,
    ) -> bool {
        let proposal = &record.proposal;
        // A registry replaces the one before.
        let wanted = rules::signers::for_matter(registry, &proposal.matter);
        let object = proposal.encode();
        wanted.as_ref() == Some(&proposal.required)
            && record.signatures.iter().all(|given| {
                let said = Said {
                    deed: Deed::SignProposal,
                    object: &object,
                    signature: &given.signed.signature,
                };
                rules::signers::is_one_of(
                    registry,
                    custodians.contains_key(&given.signer),
                    &given.signer,
                    &given.among,
                ) && pinned_in(registry, custodians, &given.signer)
                    .is_some_and(|key| self.fits(key, &said))
            })
    }

    fn end_each_proposal(
        &self,
        now: Timestamp,
        commit: &mut Commit,
        end: impl Fn(&Record) -> Option<Record>,
    ) -> Result<Vec<KnownProposal>, Refusal> {
        let snapshot = self.snapshot();
        let seal = snapshot.keyring.state();
        let mut ended = Vec::new();
        for known in self.lock_proposals().values() {
            let Some(record) = end(&known.record) else {
                continue;
            };
            let key = rows::proposal_key(&record.proposal.id);
            let generation = seal.open(Family::Grants, &key, &known.stored)?.0 + 1;
            let stored = seal.seal(Family::Grants, &key, generation, &record.encode());
            commit.expect(Family::Grants, key.clone(), Some(known.stored.to_vec()));
            commit.put(Family::Grants, key, stored.clone());
            self.forget_for_good(&record, now, commit)?;
            ended.push(KnownProposal {
                record: Arc::new(record),
                stored: stored.into(),
            });
        }
        Ok(ended)
    }

    /// Puts proposals into force that are durable.
    pub(crate) fn put_proposals(&self, proposals: Vec<KnownProposal>) {
        self.lock_proposals().extend(
            proposals
                .into_iter()
                .map(|known| (known.record.proposal.id.clone(), known)),
        );
    }

    /// Ends a proposal that nobody signed in time, on record; nothing if it is not overdue any more.
    pub(crate) fn expire_proposal(&self, id: &ProposalId) -> Result<(), Refusal> {
        let _governing = self.govern();
        let (now, known) = (self.now(), self.lock_proposals().get(id).cloned());
        let Some(known) = known else { return Ok(()) };
        let Some(next) = known.record.expire(now) else {
            return Ok(());
        };
        let header = Header {
            at: now,
            ..self.header(None)
        };
        let event = Event::ExpireProposal(ProposalRef::of(&next.proposal));
        let mut commit = Commit {
            entries: vec![encoded(header, event)],
            ..Commit::default()
        };
        self.forget_for_good(&next, now, &mut commit)?;
        self.store_proposal(next, Some(&known), commit, None)
            .map(drop)
    }

    fn end_proposal(
        &self,
        known: &KnownProposal,
        end: End,
        caller: &Caller,
    ) -> Result<(), Refusal> {
        let now = self.now();
        let next = known.record.end(end, &caller.identity, now)?;
        let mut commit = Commit::default();
        self.forget_for_good(&next, now, &mut commit)?;
        self.store_proposal(next, Some(known), commit, None)
            .map(drop)
    }

    fn store_proposal(
        &self,
        next: Record,
        present: Option<&KnownProposal>,
        mut commit: Commit,
        coming: Option<&RegistryState>,
    ) -> Result<ProposalView, Refusal> {
        let (id, key) = (
            next.proposal.id.clone(),
            rows::proposal_key(&next.proposal.id),
        );
        let snapshot = self.snapshot();
        let seal = snapshot.keyring.state();
        let generation = match present {
            None => 1,
            Some(known) => seal.open(Family::Grants, &key, &known.stored)?.0 + 1,
        };
        let stored = seal.seal(Family::Grants, &key, generation, &next.encode());
        commit.expect(
            Family::Grants,
            key.clone(),
            present.map(|known| known.stored.to_vec()),
        );
        commit.put(Family::Grants, key, stored.clone());
        self.commit_governed(commit, coming)?;
        let record = Arc::new(next);
        self.lock_proposals().insert(
            id,
            KnownProposal {
                record: record.clone(),
                stored: stored.into(),
            },
        );
        Ok(self.proposal_view(record))
    }

    /// The proposal with this id.
    pub(crate) fn known_proposal(&self, id: &ProposalId) -> Result<KnownProposal, Reason> {
        let known = self.lock_proposals().get(id).cloned();
        known.ok_or(Reason::UnknownProposal)
    }

    pub(crate) fn proposal_view(&self, record: Arc<Record>) -> ProposalView {
        ProposalView {
            state: record.state(self.now()),
            record,
        }
    }

    fn lock_proposals(&self) -> MutexGuard<'_, BTreeMap<ProposalId, KnownProposal>> {
        self.proposals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the caller says about a proposal.
fn by(caller: &Caller, record: &Record, signed: Signed) -> ProposalSigned {
    ProposalSigned {
        proposal: ProposalRef::of(&record.proposal),
        signature: event::Signature {
            signer: caller.identity.clone(),
            signed,
        },
    }
}

/// Adds the text of a proposed registry.
pub(crate) fn put_text(snapshot: &Snapshot, id: &ProposalId, toml: &str, commit: &mut Commit) {
    let key = rows::proposed_text_key(id);
    let sealed = snapshot
        .keyring
        .state()
        .seal(Family::Grants, &key, 1, toml.as_bytes());
    commit
        .expect(Family::Grants, key.clone(), None)
        .put(Family::Grants, key, sealed);
}

/// Removes what was kept beside a proposal.
pub(crate) fn forget_beside(id: &ProposalId, commit: &mut Commit) {
    commit.delete(Family::Grants, rows::proposed_text_key(id));
    crate::erasure::forget(id, commit);
}

/// As one of whom somebody signs.
fn among(snapshot: &Snapshot, identity: &Identity) -> Signers {
    if snapshot.custodians.contains_key(identity) {
        Signers::Custodians
    } else {
        Signers::StewardsOf(identity.organisation.clone())
    }
}

/// Whether somebody is (still) one of these.
pub(crate) fn in_standing(snapshot: &Snapshot, identity: &Identity, signers: &Signers) -> bool {
    let registry = &snapshot.registry.registry;
    let is_custodian = snapshot.custodians.contains_key(identity);
    rules::signers::is_one_of(registry, is_custodian, identity, signers)
}

/// The key pinned for somebody: custodians in the configuration, stewards in the registry.
pub(crate) fn pinned<'a>(snapshot: &'a Snapshot, identity: &Identity) -> Option<&'a PublicKey> {
    pinned_in(&snapshot.registry.registry, &snapshot.custodians, identity)
}

fn pinned_in<'a>(
    registry: &'a Registry,
    custodians: &'a BTreeMap<Identity, PublicKey>,
    identity: &Identity,
) -> Option<&'a PublicKey> {
    custodians.get(identity).or_else(|| registry.key(identity))
}

/// 80 random bits: nobody guesses a proposal's id, and nobody needs to.
fn new_id() -> ProposalId {
    let text = random::bytes::<10>()
        .iter()
        .fold(String::from("p-"), |text, byte| format!("{text}{byte:02x}"));
    text.parse()
        .expect("lower-case hexadecimal digits are an id")
}
