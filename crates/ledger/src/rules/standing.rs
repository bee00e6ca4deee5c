//! Whether what was asked for, approved or signed earlier still counts under the state of this moment.

use sluis_domain::Identity;

use crate::grant::{Approval, Record};
use crate::proposal::{self, Matter, Proposal};
use crate::registry::Signers;
use crate::state::{Stage, State};
use crate::{Signed, rules, signer};

/// Whether a person who signed as one of these still is one, with the key that they signed with.
pub fn signature(state: &State, who: &Identity, among: &Signers, signed: &Signed) -> bool {
    let pinned = state.pinned(who);
    state.is_one_of(who, among) && pinned.is_some() && pinned == signer::key_of(signed).as_ref()
}

/// Whether every approval of a grant so far still counts.
pub fn approvals(state: &State, record: &Record) -> bool {
    record.approvals.iter().all(|given| approval(state, given))
}

fn approval(state: &State, given: &Approval) -> bool {
    let among = Signers::StewardsOf(given.steward.organisation.clone());
    signature(state, &given.steward, &among, &given.signed)
}

/// Whether the registry in force still wants a grant as it is. One that it does not is over for good, whatever the next says.
pub fn grant(state: &State, record: &Record) -> bool {
    let grant = &record.grant;
    let approved = record.awaiting().is_empty();
    rules::grants::eligible(state.registry(), &grant.grantee, &grant.terms.kind).is_ok()
        && rules::grants::wants_the_same(state.registry(), grant)
        && (approved || approvals(state, record))
}

/// Whether what a proposal is about is still as it was proposed, and every signature under it still counts.
pub fn proposal(state: &State, record: &proposal::Record) -> bool {
    matter(state, &record.proposal.matter) && is_wanted(state, record)
}

/// Whether the registry in force wants the signatures that a proposal asks for, and every one so far still counts. One that it
/// does not is over for good, whatever the next says.
pub fn is_wanted(state: &State, record: &proposal::Record) -> bool {
    let mut signatures = record.signatures.iter();
    needs_what_it_takes(state, &record.proposal)
        && signatures.all(|given| signature(state, &given.signer, &given.among, &given.signed))
}

fn matter(state: &State, matter: &Matter) -> bool {
    match matter {
        Matter::Registry {
            base_version,
            base_digest,
            ..
        } => *base_version == state.registry_version() && base_digest == state.registry_digest(),
        Matter::DestroyVersion { kid, .. } => {
            let version = state.version(*kid);
            version.is_some_and(|version| version.stage == Stage::Disabled)
        }
        Matter::CutEscrow { kid, .. } => {
            let version = state.version(*kid);
            version.is_some_and(|version| !version.cut && version.stage != Stage::Destroyed)
        }
        Matter::Erase { .. } => true,
    }
}

/// Whether a proposal asks for the signatures that its matter takes in the registry in force. What a registry change takes
/// only its text says, which is there when it comes into force.
pub fn needs_what_it_takes(state: &State, proposal: &Proposal) -> bool {
    let wanted = rules::signers::for_matter(state.registry(), &proposal.matter);
    wanted.is_none_or(|wanted| wanted == proposal.required)
}
