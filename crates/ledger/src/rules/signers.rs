//! Whose signatures an act takes.

use std::collections::BTreeMap;

use sluis_domain::{ChainId, Identity, NamespaceId, OrganisationId};

use crate::proposal::Matter;
use crate::registry::{REQUIRED_SIGNATURES, Registry, Signers, required_signers};

/// Groups of people, each with the number of them that must sign; sorted, each group once.
pub type Groups = Vec<(Signers, u8)>;

/// Whether someone is a steward of their organisation at this moment, and not blocked.
pub fn is_standing_steward(registry: &Registry, who: &Identity) -> bool {
    let organisation = registry.organisation(&who.organisation);
    organisation.is_some_and(|of| of.is_steward(&who.member) && !of.is_blocked(&who.member))
}

/// Whether someone is one of these at this moment, and not blocked. Who the custodians are is not in the registry.
pub fn is_one_of(
    registry: &Registry,
    is_custodian: bool,
    who: &Identity,
    signers: &Signers,
) -> bool {
    let organisation = registry.organisation(&who.organisation);
    match signers {
        Signers::Custodians => {
            is_custodian && !organisation.is_some_and(|of| of.is_blocked(&who.member))
        }
        Signers::StewardsOf(_) => registry.may_sign(signers, who),
    }
}

/// How many stewards an organisation has.
pub fn stewards(registry: &Registry, organisation: &OrganisationId) -> usize {
    let organisation = registry.organisation(organisation);
    organisation.map_or(0, |of| of.stewards().len())
}

/// So many stewards of an organisation, or two custodians as long as it has fewer.
fn for_organisation(
    registry: &Registry,
    organisation: &OrganisationId,
    count: u8,
) -> (Signers, u8) {
    if stewards(registry, organisation) >= usize::from(count) {
        (Signers::StewardsOf(organisation.clone()), count)
    } else {
        (Signers::Custodians, REQUIRED_SIGNATURES)
    }
}

/// What the end of a key version takes: two stewards of the chain's owner. For a chain that is no longer registered, two
/// custodians.
pub fn for_version(registry: &Registry, chain: &ChainId) -> Groups {
    let owner = registry.chain(chain).map(|chain| chain.owner());
    let group = owner.map(|owner| for_organisation(registry, owner, REQUIRED_SIGNATURES));
    vec![group.unwrap_or((Signers::Custodians, REQUIRED_SIGNATURES))]
}

/// What an erasure takes: one steward of every owner of a chain with the namespace; two if there is only one owner.
pub fn for_erasure(registry: &Registry, namespace: &NamespaceId) -> Groups {
    let chains = registry.chains();
    let mut owners: Vec<_> = chains
        .filter(|chain| chain.namespace(namespace).is_some())
        .map(|chain| chain.owner())
        .collect();
    owners.sort();
    owners.dedup();
    let count = match owners.as_slice() {
        [_] => REQUIRED_SIGNATURES,
        _ => 1,
    };
    let groups: BTreeMap<_, _> = owners
        .into_iter()
        .map(|owner| for_organisation(registry, owner, count))
        .collect();
    groups.into_iter().collect()
}

/// What a change of the registry takes. Two custodians, if it concerns no one: a first registry without anything in it still
/// needs someone to have said so.
pub fn for_registry(before: &Registry, next: &Registry) -> Groups {
    let needs = required_signers(before, next);
    let groups: BTreeMap<_, _> = needs
        .into_iter()
        .map(|need| (need.signers, need.count))
        .collect();
    if groups.is_empty() {
        vec![(Signers::Custodians, REQUIRED_SIGNATURES)]
    } else {
        groups.into_iter().collect()
    }
}

/// What a proposal takes in the registry in force; `None` for a registry, for which only its text says that.
pub fn for_matter(registry: &Registry, matter: &Matter) -> Option<Groups> {
    match matter {
        Matter::Registry { .. } => None,
        Matter::DestroyVersion { chain, .. } | Matter::CutEscrow { chain, .. } => {
            Some(for_version(registry, chain))
        }
        Matter::Erase { namespace } => Some(for_erasure(registry, namespace)),
    }
}
