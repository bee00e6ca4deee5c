//! Opt-out and erasure of subjects.
//!
//! A source presents the subject; stewards of every owner of a chain with the namespace sign. From then on the subject is
//! refused ([`opt_outs`]), and the rows that lead back to it and across are removed from every chain, each at its own
//! random moment ([`jobs`]), so that a simultaneous disappearance does not tell which pseudonyms belong together. What the
//! custodian keeps of the subject in the end is the mark.

mod imports;
mod jobs;
mod replay;

use std::sync::Arc;

use sluis_crypto::LinkValue;
use sluis_domain::{NamespaceId, ProposalId, Reason, WipedBuffer};
use sluis_keyring::{KeyringError, NamespaceKeys, StateSeal};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Event, OptedOut, ProposalRef};
use sluis_ledger::proposal::{LIFE_MILLIS, Matter, Proposal, Record};
use sluis_ledger::rules;
use sluis_port::{Commit, Family, Write, rows};
use zeroize::Zeroizing;

use crate::core::change::Change;
use crate::core::compaction;
use crate::core::input::method_input;
use crate::core::opt_outs;
use crate::core::policy::{Permit, RequestErasure, SignProposal};
use crate::core::proposing::ProposalView;
use crate::core::snapshot::Snapshot;
use crate::life::Life;
use crate::{Caller, Refusal};

impl Life {
    /// Proposes the erasure of a subject, and its refusal from then on. `identifier` is what a source of the namespace
    /// submits: the identifier, or with prehash input the 32 bytes. The answer is the same for a subject that no one ever
    /// submitted.
    ///
    /// # Errors
    /// [`Reason::NotASource`], [`Reason::CustodianMayNot`], [`Reason::InvalidRequest`] for a value that is no identifier,
    /// [`Reason::TooManyProposals`], and the errors of the store.
    pub fn request_erasure(
        &self,
        caller: &Caller,
        namespace: &NamespaceId,
        identifier: &[u8],
    ) -> Result<ProposalView, Refusal> {
        self.on_record(caller, Act::Propose, || {
            let proposal = self.govern(|| self.proposed_erasure(caller, namespace, identifier))?;
            Ok(self.proposal_view(Arc::new(Record::new(proposal))))
        })
    }

    fn proposed_erasure(
        &self,
        caller: &Caller,
        namespace: &NamespaceId,
        identifier: &[u8],
    ) -> Result<(Change, Proposal), Refusal> {
        let action = RequestErasure {
            namespace: namespace.clone(),
        };
        let permit = self.authorise(caller, action)?;
        let snapshot = permit.snapshot();
        let link = linked(snapshot, namespace, identifier)?;
        let required = rules::signers::for_erasure(&snapshot.registry.registry, namespace);
        let matter = Matter::Erase {
            namespace: namespace.clone(),
        };
        let (change, proposal) = self.proposed(caller, matter, required)?;
        // It leaves the disk, too, however the proposal ends.
        let end = permit.now().plus_millis(LIFE_MILLIS);
        let noted = self.noted(&compaction::whole(Family::Optout), end)?;
        let key = rows::erasure_request_key(&proposal.id);
        let row = link_row(snapshot.keyring.state(), key, &link);
        Ok((change.with([noted, row]), proposal))
    }

    /// Puts an opt-out into force with the last signature: the mark, and a job for every chain.
    pub(crate) fn erase_effect(
        &self,
        permit: &Permit<SignProposal<'_>>,
        proposal: &Proposal,
        namespace: &NamespaceId,
    ) -> Result<Change, Refusal> {
        let snapshot = permit.snapshot();
        let link = self.presented(snapshot, &proposal.id)?;
        let mark = keys(snapshot, namespace)?.opt_out.mark(&link);
        let row = opt_outs::row(snapshot.keyring.state(), namespace, &mark);
        let jobs = self.jobs(snapshot, namespace, &link, permit.now())?;
        let mut marked = Commit::default();
        marked.put(Family::Optout, row.0.clone(), row.1.clone());
        let opted_out = Event::OptOut(OptedOut {
            proposal: proposal.id.clone(),
            digest: ProposalRef::of(proposal).digest,
        });
        let change = Change::of(permit.header(), opted_out).with(jobs);
        Ok(Change {
            opt_outs: Some(snapshot.opt_outs.with(namespace, [mark])),
            // An opt-out that was acknowledged is in the journal.
            journal: vec![row],
            ..change.with_rows(marked)
        })
    }

    /// The link value of the subject that a proposal is about.
    fn presented(&self, snapshot: &Snapshot, id: &ProposalId) -> Result<LinkValue, Refusal> {
        let key = rows::erasure_request_key(id);
        let stored = self
            .store
            .get(Family::Optout, &key)?
            .ok_or(KeyringError::Corrupt("optout"))?;
        Ok(open_link(snapshot.keyring.state(), &key, &stored)?)
    }
}

/// The linked link value of an identifier, or of a prehash.
fn linked(
    snapshot: &Snapshot,
    namespace: &NamespaceId,
    identifier: &[u8],
) -> Result<LinkValue, Refusal> {
    let registered = snapshot
        .registry
        .registry
        .namespace(namespace)
        .ok_or(Reason::NotASource)?;
    let mut input = WipedBuffer::with_capacity(256);
    let why = match method_input(registered, identifier, &mut input) {
        Ok(true) => return Ok(keys(snapshot, namespace)?.linked.link_value(&input)),
        Ok(false) => "is missing",
        Err(reason) => reason.message(),
    };
    Err(Refusal::field(Reason::InvalidRequest, "identifier", why))
}

fn keys<'a>(
    snapshot: &'a Snapshot,
    namespace: &NamespaceId,
) -> Result<&'a Arc<NamespaceKeys>, Refusal> {
    snapshot.keyring.namespace(namespace).ok_or_else(|| {
        let why = format!("namespace {namespace} is registered and has no key");
        Refusal::new(Reason::Internal, why)
    })
}

/// The row of a link value, encrypted.
fn link_row(seal: &StateSeal, key: Vec<u8>, link: &LinkValue) -> Write {
    Write {
        value: Some(seal.seal(Family::Optout, &key, 1, link.expose())),
        family: Family::Optout,
        key,
    }
}

fn open_link(seal: &StateSeal, key: &[u8], stored: &[u8]) -> Result<LinkValue, KeyringError> {
    let value = Zeroizing::new(seal.open(Family::Optout, key, stored)?.1);
    let bytes: [u8; 16] = value
        .as_slice()
        .try_into()
        .map_err(|_| KeyringError::Corrupt("optout"))?;
    Ok(LinkValue::from_bytes(bytes))
}
