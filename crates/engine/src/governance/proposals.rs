//! Proposals: what needs several signatures, from the first word to the effect. What they are is in the ledger's state; the
//! text of a proposed registry and the subject of an erasure are encrypted rows beside it.

use std::sync::Arc;

use sluis_domain::{Identity, ProposalId, Reason};
use sluis_ledger::Signed;
use sluis_ledger::audit::Act;
use sluis_ledger::event::{self, Event, ProposalRef, ProposalSigned};
use sluis_ledger::proposal::{End, Matter, Proposal, Record, Signature, State};
use sluis_ledger::registry::Signers;
use sluis_ledger::rules::standing;
use sluis_ledger::statement::Deed;
use sluis_port::{Family, Write, rows};

use crate::core::change::Change;
use crate::core::policy::{BeKnown, Permit, RejectProposal, SeeProposal, SignProposal};
use crate::core::proposing::{ProposalView, pinned};
use crate::core::record::{Asked, Named};
use crate::core::registry::registry_text;
use crate::core::signing::Said;
use crate::core::snapshot::Snapshot;
use crate::governance::Governance;
use crate::{Caller, Refusal};

/// Most proposals that a list shows.
const MAX_LISTED: usize = 1000;

/// A proposed registry and the one it replaces.
#[derive(Clone, Debug)]
pub struct RegistryTexts {
    /// What is proposed.
    pub proposed: String,
    /// What it replaces.
    pub base: String,
}

impl Governance {
    /// A yes. With the last one the proposal becomes effective before this returns.
    ///
    /// # Errors
    /// [`Reason::UnknownProposal`], [`Reason::NotASigner`], [`Reason::KeyNotPinned`], [`Reason::BadSignature`],
    /// [`Reason::ProposalStale`] if what it is about has changed, those of [`Record::sign`], and the errors of the effect.
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
            let record = self.govern(|| self.sign(caller, id, signature))?;
            Ok(self.proposal_view(record))
        })
    }

    fn sign(
        &self,
        caller: &Caller,
        id: &ProposalId,
        signature: &[u8],
    ) -> Result<(Change, Arc<Record>), Refusal> {
        self.authorise(caller, BeKnown)?;
        let record = self.known_proposal(id)?;
        let permit = self.authorise(caller, SignProposal { record: &record })?;
        let now = permit.now();
        let snapshot = permit.snapshot();
        let object = record.proposal.encode();
        let said = Said {
            deed: Deed::SignProposal,
            object: &object,
            signature,
        };
        let signed = self.check_signature(caller, pinned(snapshot, &caller.identity), &said)?;
        let signature = Signature {
            signer: caller.identity.clone(),
            among: among(snapshot, &caller.identity),
            at: now,
            signed: signed.clone(),
        };
        let next = record.sign(signature, now)?;
        if !standing::proposal(&snapshot.state, &record) {
            return Err(Reason::ProposalStale.into());
        }
        let event = Event::SignProposal(by(caller, &next, signed));
        let change = Change::of(permit.header(), event);
        if !next.missing().is_empty() {
            return Ok((change, Arc::new(next)));
        }
        let effect = self.effect(&permit, &next.proposal)?;
        let next = next.end(End::Effective, &caller.identity, now)?;
        Ok((change.and(effect), Arc::new(next)))
    }

    /// What a proposal does with its last signature.
    fn effect(
        &self,
        permit: &Permit<SignProposal<'_>>,
        proposal: &Proposal,
    ) -> Result<Change, Refusal> {
        match &proposal.matter {
            Matter::Registry { .. } => self.registry_effect(permit, proposal),
            Matter::DestroyVersion { .. } | Matter::CutEscrow { .. } | Matter::Erase { .. } => {
                self.effects.of(permit, proposal)
            }
        }
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
            let record = self.govern(|| self.reject(caller, id, signature))?;
            Ok(self.proposal_view(record))
        })
    }

    fn reject(
        &self,
        caller: &Caller,
        id: &ProposalId,
        signature: &[u8],
    ) -> Result<(Change, Arc<Record>), Refusal> {
        self.authorise(caller, BeKnown)?;
        let record = self.known_proposal(id)?;
        let permit = self.authorise(caller, RejectProposal { record: &record })?;
        let object = record.proposal.encode();
        let said = Said {
            deed: Deed::RejectProposal,
            object: &object,
            signature,
        };
        // A proposer without a pinned key withdraws with the key of their certificate.
        let key = match pinned(permit.snapshot(), &caller.identity) {
            None if record.proposal.proposer == caller.identity => caller.key.as_ref(),
            pinned => pinned,
        };
        let signed = self.check_signature(caller, key, &said)?;
        let next = record.end(End::Rejected, &caller.identity, permit.now())?;
        let event = Event::RejectProposal(by(caller, &next, signed));
        Ok((Change::of(permit.header(), event), Arc::new(next)))
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
            self.fitting(|| self.proposal_with_texts(caller, id))
        })
    }

    fn proposal_with_texts(
        &self,
        caller: &Caller,
        id: &ProposalId,
    ) -> Result<(ProposalView, Option<RegistryTexts>), Refusal> {
        self.authorise(caller, BeKnown)?;
        let record = self.known_proposal(id)?;
        let permit = self.authorise(caller, SeeProposal { record: &record })?;
        let view = self.proposal_view(record.clone());
        let open = view.state == State::Open;
        let texts = match view.record.proposal.matter {
            Matter::Registry { base_version, .. } if open => Some(RegistryTexts {
                proposed: self.proposed_text(id)?,
                base: self.base_text(permit.snapshot(), base_version)?,
            }),
            _ => None,
        };
        Ok((view, texts))
    }

    /// The proposals that concern the caller, in the order of their ids; the ended ones too if `all`.
    ///
    /// # Errors
    /// The errors of [`crate::Engine::admit`].
    pub fn list_proposals(&self, caller: &Caller, all: bool) -> Result<Vec<ProposalView>, Refusal> {
        self.on_record(caller, Act::ReadProposals, || {
            let mut views = self.visible_proposals(caller)?;
            if all {
                views.append(&mut self.past_proposals(caller)?);
                views.sort_by(|a, b| a.record.proposal.id.cmp(&b.record.proposal.id));
                // One that leaves memory at this moment is in both.
                views.dedup_by(|a, b| a.record.proposal.id == b.record.proposal.id);
            } else {
                views.retain(|view| view.state == State::Open);
            }
            views.truncate(MAX_LISTED);
            Ok(views)
        })
    }

    /// The first proposals that have left memory and concern the caller.
    fn past_proposals(&self, caller: &Caller) -> Result<Vec<ProposalView>, Refusal> {
        let permit = self.authorise(caller, BeKnown)?;
        let mut views = Vec::new();
        for record in self.past(permit.snapshot()).proposals() {
            let record = record?;
            if permit.also(&SeeProposal { record: &record }) {
                views.push(self.proposal_view(record));
            }
            if views.len() == MAX_LISTED {
                break;
            }
        }
        Ok(views)
    }

    /// All proposals that concern the caller and did not leave memory.
    pub(crate) fn visible_proposals(&self, caller: &Caller) -> Result<Vec<ProposalView>, Refusal> {
        let permit = self.authorise(caller, BeKnown)?;
        let records = permit.snapshot().state.proposals();
        let seen = records.filter(|record| permit.also(&SeeProposal { record }));
        Ok(seen
            .map(|record| self.proposal_view(record.clone()))
            .collect())
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

/// The text of a proposed registry, encrypted.
pub(crate) fn text_row(snapshot: &Snapshot, id: &ProposalId, toml: &str) -> Write {
    let key = rows::proposed_text_key(id);
    let state = snapshot.keyring.state();
    Write {
        value: Some(state.seal(Family::Grants, &key, 1, toml.as_bytes())),
        family: Family::Grants,
        key,
    }
}

/// As one of whom someone signs.
fn among(snapshot: &Snapshot, identity: &Identity) -> Signers {
    if snapshot.custodians.contains_key(identity) {
        Signers::Custodians
    } else {
        Signers::StewardsOf(identity.organisation.clone())
    }
}
