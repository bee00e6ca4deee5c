//! Making proposals, and looking at them. They are signed elsewhere.

use std::sync::Arc;

use sluis_crypto::random;
use sluis_domain::{Identity, ProposalId, PublicKey, Reason};
use sluis_ledger::audit::MAX_ENTRY;
use sluis_ledger::event::{Event, Header};
use sluis_ledger::proposal::{LIFE_MILLIS, Matter, Proposal, Record, State};
use sluis_ledger::registry::Signers;
use sluis_ledger::rules::standing;

use super::Core;
use super::change::Change;
use super::pace::{self, Earlier};
use super::policy::{Permit, SignProposal};
use super::snapshot::Snapshot;
use crate::{Caller, Refusal};

/// Most proposals of one person that may wait at a time.
const MAX_OPEN: usize = 50;
/// Longest proposal in bytes: its entry holds it whole, beside at most a thousand bytes.
const MAX_PROPOSAL: usize = MAX_ENTRY - 1_000;
/// A proposal as it stands.
#[derive(Clone, Debug)]
pub struct ProposalView {
    /// What was proposed, and what happened to it.
    pub record: Arc<Record>,
    /// Where it stands now.
    pub state: State,
}

/// What proposals do with their last signature, in another part of the engine.
pub(crate) trait Effects: Send + Sync {
    /// The change that a proposal about a key version or a subject makes.
    ///
    /// # Errors
    /// Why it cannot be done now.
    fn of(&self, permit: &Permit<SignProposal<'_>>, proposal: &Proposal)
    -> Result<Change, Refusal>;
}

impl Core {
    /// A proposal, and the change that puts it on record.
    ///
    /// # Errors
    /// [`Reason::TooManyProposals`], [`Reason::InvalidRequest`] for one that no entry can hold.
    pub(crate) fn proposed(
        &self,
        caller: &Caller,
        matter: Matter,
        required: Vec<(Signers, u8)>,
    ) -> Result<(Change, Proposal), Refusal> {
        let now = self.now();
        let snapshot = self.snapshot();
        let earlier = snapshot.state.proposals().map(|record| Earlier {
            by: &record.proposal.proposer,
            at: record.proposal.at,
            waits: self.state_of(&snapshot, record) == State::Open,
        });
        let asking = (&caller.identity, now);
        pace::check(Reason::TooManyProposals, MAX_OPEN, asking, earlier)?;
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
        // The proposal and its entry are of one moment.
        let header = Header {
            at: now,
            ..self.header(Some(caller))
        };
        let change = Change::of(header, Event::Propose(proposal.clone()));
        Ok((change, proposal))
    }

    pub(crate) fn proposal_view(&self, record: Arc<Record>) -> ProposalView {
        ProposalView {
            state: self.state_of(&self.snapshot(), &record),
            record,
        }
    }

    /// Where a proposal stands now: one that no one can sign any more is stale.
    fn state_of(&self, snapshot: &Snapshot, record: &Record) -> State {
        match record.state(self.now()) {
            State::Open if !standing::proposal(&snapshot.state, record) => State::Stale,
            state => state,
        }
    }
}

/// The key pinned for a person: custodians in the configuration, stewards in the registry.
pub(crate) fn pinned<'a>(snapshot: &'a Snapshot, identity: &Identity) -> Option<&'a PublicKey> {
    let custodian = snapshot.custodians.get(identity);
    custodian.or_else(|| snapshot.registry.registry.key(identity))
}

/// 80 random bits: no one guesses a proposal's id, and no one needs to.
fn new_id() -> ProposalId {
    let text = random::bytes::<10>()
        .iter()
        .fold(String::from("p-"), |text, byte| format!("{text}{byte:02x}"));
    text.parse()
        .expect("lower-case hexadecimal digits are an id")
}
