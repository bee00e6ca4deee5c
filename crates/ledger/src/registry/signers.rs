//! Who must sign a change of the registry.
//!
//! No one changes alone what protects an organisation: who its stewards are and with which keys, and what the chains
//! it owns allow. Two of its stewards sign that, as they stand in the registry *before* the change, so that a change
//! cannot bring its own signers along. Custodians sign the rest, also two of them.
//!
//! | change | signed by two of |
//! |---|---|
//! | a chain: any part of it, or all of it as new or removed | the stewards of its owner; of the old and the new one if it changes hands |
//! | an organisation: stewards, or the key of one | its own stewards |
//! | an organisation, removed as a whole | its own stewards |
//! | everything else: names, members, auditors, `blocked`, namespaces, new organisations | the custodians |
//!
//! An organisation that had fewer than two stewards before the change cannot sign ([`REQUIRED_SIGNATURES`]). Two
//! custodians sign for it: that is a first registration. As new owner of an existing chain it needs no signature
//! beside the old owner's, because two custodians sign its stewards in the same change.
//!
//! Elements are the owner's as everything in a chain: two custodians alone must not turn a `pseudonym` into a `keep`.
//! Any further part of an organisation has to be placed by the one who adds it.

use std::collections::BTreeMap;

use super::Registry;
use super::diff::changes;
use super::place::{OrganisationPart, Place};
use sluis_domain::id::{ChainId, Identity, OrganisationId};

/// How many different people must sign, of each of the [`Signers`] a change needs.
pub const REQUIRED_SIGNATURES: u8 = 2;

/// A group of people. Any two of them may sign.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Signers {
    /// Those that the daemon's own configuration names.
    Custodians,
    /// The stewards of this organisation in the registry before the change.
    StewardsOf(OrganisationId),
}

/// Signatures that a change needs before it takes effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// Who must sign.
    pub signers: Signers,
    /// How many different people of them: [`REQUIRED_SIGNATURES`].
    pub count: u8,
    /// The [`super::Change::path`]s that need them, in the order of [`super::diff`]; at least one.
    pub because: Vec<String>,
}

/// All signatures that replacing `old` by `new` needs: custodians first, then organisations by id, each once. Every
/// [`super::Change`] of [`super::diff`] is in at least one of them; empty if nothing changes.
pub fn required_signers(old: &Registry, new: &Registry) -> Vec<Requirement> {
    let mut because: BTreeMap<Signers, Vec<String>> = BTreeMap::new();
    for (place, change) in changes(old, new) {
        for signers in signers_of(&place, old, new) {
            because
                .entry(signers)
                .or_default()
                .push(change.path.clone());
        }
    }
    because
        .into_iter()
        .map(|(signers, because)| Requirement {
            signers,
            count: REQUIRED_SIGNATURES,
            because,
        })
        .collect()
}

impl Registry {
    /// Whether this registry lets `who` sign as one of `signers`: stewards of the organisation who are not blocked.
    /// Always `false` for [`Signers::Custodians`], which the registry does not know.
    pub fn may_sign(&self, signers: &Signers, who: &Identity) -> bool {
        match signers {
            Signers::Custodians => false,
            Signers::StewardsOf(id) => {
                *id == who.organisation
                    && self
                        .organisation(id)
                        .is_some_and(|of| of.is_steward(&who.member) && !of.is_blocked(&who.member))
            }
        }
    }
}

fn signers_of(place: &Place, old: &Registry, new: &Registry) -> Vec<Signers> {
    match place {
        Place::Organisation(id, part) => vec![of_organisation(id, *part, old, new)],
        Place::Key(holder) => vec![stewards_or_custodians(&holder.organisation, old)],
        Place::Namespace(..) => vec![Signers::Custodians],
        Place::Chain(id, _) => of_chain(id, old, new),
    }
}

fn of_organisation(
    id: &OrganisationId,
    part: OrganisationPart,
    old: &Registry,
    new: &Registry,
) -> Signers {
    let removed = new.organisation(id).is_none();
    match part {
        _ if removed => stewards_or_custodians(id, old),
        OrganisationPart::Stewards => stewards_or_custodians(id, old),
        OrganisationPart::Name
        | OrganisationPart::Members
        | OrganisationPart::Auditors
        | OrganisationPart::Blocked => Signers::Custodians,
    }
}

/// Whatever part of a chain it is: two custodians alone change nothing of it.
fn of_chain(id: &ChainId, old: &Registry, new: &Registry) -> Vec<Signers> {
    let owners = [old, new].map(|registry| Some(registry.chain(id)?.owner().clone()));
    match owners {
        [Some(before), Some(after)] => {
            let heir = Some(after).filter(|after| *after != before && can_sign(after, old));
            std::iter::once(stewards_or_custodians(&before, old))
                .chain(heir.map(Signers::StewardsOf))
                .collect()
        }
        [Some(owner), None] | [None, Some(owner)] => vec![stewards_or_custodians(&owner, old)],
        // Of a chain in neither there is no change.
        [None, None] => vec![Signers::Custodians],
    }
}

fn stewards_or_custodians(id: &OrganisationId, old: &Registry) -> Signers {
    if can_sign(id, old) {
        Signers::StewardsOf(id.clone())
    } else {
        Signers::Custodians
    }
}

/// Whether the organisation has stewards enough. Blocked ones count: otherwise blocking all but one of them would
/// hand an organisation's rights to the custodians, who decide about blocking.
fn can_sign(id: &OrganisationId, old: &Registry) -> bool {
    let stewards = old
        .organisation(id)
        .map_or(0, |organisation| organisation.stewards().len());
    stewards >= usize::from(REQUIRED_SIGNATURES)
}
