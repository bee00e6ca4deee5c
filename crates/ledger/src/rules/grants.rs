//! What a grant may be about, who may hold it, and who must approve it.

use sluis_domain::{ChainId, ElementName, NamespaceId, OrganisationId, Reason};

use crate::grant::{Grant, Kind};
use crate::registry::{Chain, LinkMode, Registry, Treatment};

/// Whether an organisation is a party of a chain.
pub fn concerns(chain: &Chain, organisation: &OrganisationId) -> bool {
    chain.owner() == organisation
        || chain.is_source(organisation)
        || chain.is_recipient(organisation)
        || chain.reidentify_to().contains(organisation)
}

/// Whether an organisation may hold a grant of this kind: conversion is for the owner or a recipient of the chain converted
/// from, re-identification for those that the chain lists.
///
/// # Errors
/// [`Reason::NotEligible`]; [`Reason::UnknownChain`] also for a chain that does not concern the organisation, so that it does not
/// learn what there is.
pub fn eligible(registry: &Registry, grantee: &OrganisationId, kind: &Kind) -> Result<(), Reason> {
    let known = |id: &ChainId| registry.chain(id).ok_or(Reason::UnknownChain);
    let (chain, may) = match kind {
        Kind::Convert { from, .. } => {
            let chain = known(&from.0)?;
            (
                chain,
                chain.owner() == grantee || chain.is_recipient(grantee),
            )
        }
        Kind::Reidentify { chain, .. } => {
            let chain = known(chain)?;
            (chain, chain.reidentify_to().contains(grantee))
        }
    };
    match may {
        true => Ok(()),
        false if concerns(chain, grantee) => Err(Reason::NotEligible),
        false => Err(Reason::UnknownChain),
    }
}

/// Whether a grant needs the approvals, and is about the namespaces, that the registry wants for it.
pub fn wants_the_same(registry: &Registry, grant: &Grant) -> bool {
    requirements(registry, &grant.grantee, &grant.terms.kind).is_ok_and(|wanted| {
        wanted.required == grant.required && wanted.namespaces == grant.namespaces
    })
}

/// What a grant of some kind needs under a registry.
pub struct Requirements {
    /// One organisation per approval, sorted.
    pub required: Vec<OrganisationId>,
    /// The namespace of each element; `None` for encrypted elements. One for conversion.
    pub namespaces: Vec<Option<NamespaceId>>,
}

/// What must be true of chains and elements, and who must approve. The grantee, who is [`eligible`], is told what is wrong
/// with chains that concern it. Of others it gets one answer, so it does not learn what they have.
///
/// # Errors
/// [`Reason::UnknownChain`], [`Reason::UnknownElement`], [`Reason::NotLinked`], [`Reason::NotReversible`].
pub fn requirements(
    registry: &Registry,
    grantee: &OrganisationId,
    kind: &Kind,
) -> Result<Requirements, Reason> {
    match kind {
        Kind::Convert { from, to, .. } => {
            // All of the chain converted from comes first: what is wrong there hides what the other one is like.
            let from_chain = registry.chain(&from.0).ok_or(Reason::UnknownChain)?;
            let namespace = pseudonym_namespace(from_chain, &from.1)?;
            if !link(from_chain, namespace).is_some_and(LinkMode::leads_out) {
                return Err(Reason::NotLinked);
            }
            let to_chain = registry.chain(&to.0).ok_or(Reason::UnknownChain)?;
            check_target(to_chain, &to.1, namespace).map_err(|reason| {
                if concerns(to_chain, grantee) {
                    reason
                } else {
                    Reason::UnknownChain
                }
            })?;
            let mut required = vec![from_chain.owner().clone(), to_chain.owner().clone()];
            required.sort();
            Ok(Requirements {
                required,
                namespaces: vec![Some(namespace.clone())],
            })
        }
        Kind::Reidentify { chain, elements } => {
            let chain = registry.chain(chain).ok_or(Reason::UnknownChain)?;
            let namespaces = elements
                .iter()
                .map(|e| reversible(chain, e))
                .collect::<Result<_, _>>()?;
            let required = vec![chain.owner().clone(); chain.reidentify_approvals().into()];
            Ok(Requirements {
                required,
                namespaces,
            })
        }
    }
}

/// Whether pseudonyms of a namespace can be converted into those of an element.
fn check_target(
    chain: &Chain,
    element: &ElementName,
    namespace: &NamespaceId,
) -> Result<(), Reason> {
    let same = pseudonym_namespace(chain, element)? == namespace;
    if same && link(chain, namespace).is_some_and(LinkMode::is_linked) {
        Ok(())
    } else {
        Err(Reason::NotLinked)
    }
}

fn link(chain: &Chain, namespace: &NamespaceId) -> Option<LinkMode> {
    chain.namespace(namespace).map(|line| line.link())
}

fn pseudonym_namespace<'a>(
    chain: &'a Chain,
    element: &ElementName,
) -> Result<&'a NamespaceId, Reason> {
    match chain.element(element).map(|e| e.treatment()) {
        Some(Treatment::Pseudonym { namespace }) => Ok(namespace),
        Some(_) => Err(Reason::NotLinked),
        None => Err(Reason::UnknownElement),
    }
}

fn reversible(chain: &Chain, element: &ElementName) -> Result<Option<NamespaceId>, Reason> {
    match chain.element(element).map(|e| e.treatment()) {
        Some(Treatment::Encrypt) => Ok(None),
        Some(Treatment::Pseudonym { namespace })
            if chain.namespace(namespace).is_some_and(|n| n.reversible()) =>
        {
            Ok(Some(namespace.clone()))
        }
        Some(_) => Err(Reason::NotReversible),
        None => Err(Reason::UnknownElement),
    }
}
