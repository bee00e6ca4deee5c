//! Opt-out and erasure of subjects.
//!
//! A source presents the subject; stewards of every owner of a chain with the namespace sign. From then on the subject is
//! refused ([`marks`]), and the rows that lead back to it and across are removed from every chain, each at its own
//! random moment ([`jobs`]), so that a simultaneous disappearance does not tell which pseudonyms belong together. What the
//! custodian keeps of the subject in the end is the mark.

mod imports;
mod jobs;
mod journal;
mod marks;
mod replay;

use std::sync::Arc;

use sluis_crypto::LinkValue;
use sluis_domain::{NamespaceId, ProposalId, Reason, WipedBuffer};
use sluis_keyring::{KeyringError, NamespaceKeys, StateSeal};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Event, OptedOut, ProposalRef};
use sluis_ledger::proposal::{Matter, Proposal};
use sluis_ledger::rules;
use sluis_port::{Commit, Family, rows};
use zeroize::Zeroizing;

pub use journal::Journal;
pub(crate) use journal::complete;
pub(crate) use marks::{Marks, OptOuts};
pub(crate) use replay::Missing;
pub use replay::Replayed;

use crate::audit::encoded;
use crate::engine::Engine;
use crate::life::compaction;
use crate::policy::{Permit, RequestErasure, SignProposal};
use crate::proposals::{Effect, ProposalView};
use crate::pseudonymise::method_input;
use crate::snapshot::Snapshot;
use crate::{Caller, Refusal};

impl Engine {
    /// Proposes the erasure of a subject, and its refusal from then on. `identifier` is what a source of the namespace
    /// submits: the identifier, or with prehash input the 32 bytes. The answer is the same for a subject that nobody ever
    /// submitted.
    ///
    /// # Errors
    /// [`Reason::NotASource`], [`Reason::CustodianMayNot`], [`Reason::InvalidRequest`] for a value that is no identifier,
    /// [`Reason::TooManyProposals`], and those of the store.
    pub fn request_erasure(
        &self,
        caller: &Caller,
        namespace: &NamespaceId,
        identifier: &[u8],
    ) -> Result<ProposalView, Refusal> {
        self.on_record(caller, Act::Propose, || {
            let _governing = self.govern();
            let permit = self.authorise(
                caller,
                RequestErasure {
                    namespace: namespace.clone(),
                },
            )?;
            let snapshot = permit.snapshot();
            let link = linked(snapshot, namespace, identifier)?;
            let required = rules::signers::for_erasure(&snapshot.registry.registry, namespace);
            let matter = Matter::Erase {
                namespace: namespace.clone(),
            };
            // It leaves the disk, too, however the proposal ends.
            let not_after = permit
                .now()
                .plus_millis(sluis_ledger::proposal::LIFE_MILLIS);
            let mut noted = Commit::default();
            let optouts = compaction::whole(Family::Optout);
            compaction::note(
                &*self.store,
                snapshot.keyring.state(),
                &optouts,
                not_after,
                &mut noted,
            )?;
            self.propose(caller, matter, required, |id, commit| {
                commit.writes.extend(noted.writes);
                put_link(
                    snapshot.keyring.state(),
                    rows::erasure_request_key(id),
                    &link,
                    commit,
                );
            })
        })
    }

    /// Puts an opt-out into force, in the commit of the last signature: the mark, and a job for every chain.
    pub(crate) fn erase_effect(
        &self,
        permit: &Permit<SignProposal<'_>>,
        proposal: &Proposal,
        namespace: &NamespaceId,
        commit: &mut Commit,
    ) -> Result<Effect, Refusal> {
        let snapshot = permit.snapshot();
        let link = self.presented(snapshot, &proposal.id)?;
        let mark = keys(snapshot, namespace)?.opt_out.mark(&link);
        let row = marks::row(snapshot.keyring.state(), namespace, &mark);
        self.schedule(snapshot, namespace, &link, permit.now(), commit)?;
        commit.put(Family::Optout, row.0.clone(), row.1.clone());
        let opted_out = Event::OptOut(OptedOut {
            proposal: proposal.id.clone(),
            digest: ProposalRef::of(proposal).digest,
        });
        commit.entry(encoded(permit.header(), opted_out));
        // Before the commit: an opt-out that was acknowledged is in the journal. One that is only there had every
        // signature it needs, so to replay it does no wrong. Not before it is known that nothing but the disk can refuse it.
        self.rehearse(commit, None)?;
        self.journal_mark(&row)?;
        let opt_outs = snapshot.opt_outs.with(namespace, [mark]);
        let after = move |engine: &Engine| engine.replace_opt_outs(opt_outs);
        Ok(Effect {
            after: Some(Box::new(after)),
            ..Effect::default()
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

/// Removes what was kept beside a proposed erasure.
pub(crate) fn forget(id: &ProposalId, commit: &mut Commit) {
    commit.delete(Family::Optout, rows::erasure_request_key(id));
}

/// Whether the same people would have to sign now.
pub(crate) fn stands(snapshot: &Snapshot, proposal: &Proposal, namespace: &NamespaceId) -> bool {
    rules::signers::for_erasure(&snapshot.registry.registry, namespace) == proposal.required
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
    let refused = |why| Refusal::field(Reason::InvalidRequest, "identifier", why);
    let mut input = WipedBuffer::with_capacity(256);
    match method_input(registered, identifier, &mut input) {
        Ok(true) => Ok(keys(snapshot, namespace)?.linked.link_value(&input)),
        Ok(false) => Err(refused("is missing")),
        Err(reason) => Err(refused(reason.message())),
    }
}

fn keys<'a>(
    snapshot: &'a Snapshot,
    namespace: &NamespaceId,
) -> Result<&'a Arc<NamespaceKeys>, Refusal> {
    let missing = || {
        Refusal::new(
            Reason::Internal,
            format!("namespace {namespace} is registered and has no key"),
        )
    };
    snapshot.keyring.namespace(namespace).ok_or_else(missing)
}

fn put_link(seal: &StateSeal, key: Vec<u8>, link: &LinkValue, commit: &mut Commit) {
    let sealed = seal.seal(Family::Optout, &key, 1, link.expose());
    commit
        .expect(Family::Optout, key.clone(), None)
        .put(Family::Optout, key, sealed);
}

fn open_link(seal: &StateSeal, key: &[u8], stored: &[u8]) -> Result<LinkValue, KeyringError> {
    let value = Zeroizing::new(seal.open(Family::Optout, key, stored)?.1);
    let bytes: [u8; 16] = value
        .as_slice()
        .try_into()
        .map_err(|_| KeyringError::Corrupt("optout"))?;
    Ok(LinkValue::from_bytes(bytes))
}
