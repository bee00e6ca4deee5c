//! The rules of a chain.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::super::chain::{Chain, ChainNamespace, Element, Elements, LinkMode, Retention};
use super::super::delivery::Delivery;
use super::super::problem::{Problems, quoted};
use super::super::raw::{At, Entry, RawChain, RawChainNamespace, Texts};
use super::super::{MAX_ELEMENTS_PER_CHAIN, MAX_NAMESPACES_PER_CHAIN, MIN_APPROVALS};
use super::{Known, Parties, Register, choice, ids, parsed, quota, treatment};
use sluis_domain::id::{ChainId, ElementName, NamespaceId, OrganisationId};
use sluis_domain::identifier::InputMode;

/// A chain; `None` if something of it is broken and reported.
pub(super) fn chain(
    id: &ChainId,
    raw: &RawChain,
    parties: &Parties,
    problems: &mut Problems<'_>,
) -> Option<Chain> {
    let entry = &raw.entry;
    let approvals = approvals(raw, problems);
    let owner = owner(raw, approvals.unwrap_or(MIN_APPROVALS), parties, problems);
    let before = problems.count();
    let sources = organisations(raw.sources.as_ref(), entry, "sources", parties, problems);
    if let Some(texts) = raw.sources.as_ref().filter(|texts| texts.value.is_empty()) {
        problems.report(
            texts.at,
            entry.key("sources"),
            "a chain needs at least one source; name who submits records",
        );
    }
    // Against a list of sources that is itself broken, no quota is held.
    let sound = raw.sources.is_some() && problems.count() == before;
    let quotas = quota::quotas(raw, Some(&sources).filter(|_| sound), problems);
    let recipients = organisations(
        raw.recipients.as_ref(),
        entry,
        "recipients",
        parties,
        problems,
    );
    let reidentify_to = match &raw.reidentify_to {
        Some(texts) => organisations(Some(texts), entry, "reidentify_to", parties, problems),
        None => sources.clone(),
    };
    let retention = raw
        .retention
        .as_ref()
        .map(|text| parsed::<Retention>(text, entry, "retention", problems));
    let delivery = delivery(raw, problems);
    let namespaces = namespaces(raw, parties, problems);
    let elements = elements(raw, &namespaces, problems);
    Some(Chain {
        id: id.clone(),
        owner: owner?,
        sources,
        recipients,
        reidentify_to,
        reidentify_approvals: approvals?,
        retention: match retention {
            Some(retention) => Some(retention?),
            None => None,
        },
        delivery: delivery?,
        quotas: quotas?,
        namespaces: super::all_sound(namespaces)?,
        elements: Elements::new(elements?),
    })
}

fn approvals(raw: &RawChain, problems: &mut Problems<'_>) -> Option<u8> {
    let Some(number) = &raw.reidentify_approvals else {
        return Some(MIN_APPROVALS);
    };
    match u8::try_from(number.value) {
        Ok(approvals) if approvals >= MIN_APPROVALS => Some(approvals),
        _ => {
            let message = format!(
                "must be {MIN_APPROVALS} to {}: no grant comes alive on one person's word",
                u8::MAX
            );
            problems.report(number.at, raw.entry.key("reidentify_approvals"), message);
            None
        }
    }
}

/// The owner, who has stewards enough. Blocked stewards count: blocking one in an emergency must not be refused.
fn owner(
    raw: &RawChain,
    approvals: u8,
    parties: &Parties,
    problems: &mut Problems<'_>,
) -> Option<OrganisationId> {
    let text = raw.owner.as_ref()?;
    let id: OrganisationId = parsed(text, &raw.entry, "owner", problems)?;
    let organisation = reference(
        At {
            at: text.at,
            value: &id,
        },
        &parties.organisations,
        &raw.entry,
        "owner",
        "organisation",
        problems,
    )?;
    let stewards = organisation.as_ref()?.stewards().len();
    if stewards < usize::from(approvals) {
        let message = format!(
            "\"{id}\" has {stewards} of the {approvals} stewards that an owner of this chain needs, because grants on it \
             need the approval, and changes of it the signatures, of different stewards; name more in its `stewards`, \
             each with a [[key]]"
        );
        problems.report(text.at, raw.entry.key("owner"), message);
        return None;
    }
    Some(id)
}

fn delivery(raw: &RawChain, problems: &mut Problems<'_>) -> Option<Delivery> {
    let Some(text) = &raw.deliver else {
        return Some(Delivery::default());
    };
    if text.value == "recipient" {
        let message = "delivery to the recipient is reserved for a later version; use \"caller\"";
        problems.report(text.at, raw.entry.key("deliver"), message);
        return None;
    }
    let choices = Delivery::ALL.map(|delivery| (delivery.as_str(), delivery));
    choice(text, &raw.entry, "deliver", &choices, problems)
}

fn organisations(
    texts: Option<&Texts>,
    entry: &Entry,
    key: &str,
    parties: &Parties,
    problems: &mut Problems<'_>,
) -> BTreeSet<OrganisationId> {
    let listed: Vec<At<OrganisationId>> = ids(texts, entry, key, problems);
    for At { at, value } in &listed {
        reference(
            At { at: *at, value },
            &parties.organisations,
            entry,
            key,
            "organisation",
            problems,
        );
    }
    listed.into_iter().map(|id| id.value).collect()
}

fn namespaces(
    raw: &RawChain,
    parties: &Parties,
    problems: &mut Problems<'_>,
) -> Known<NamespaceId, ChainNamespace> {
    if let Some(surplus) = raw.namespaces.get(MAX_NAMESPACES_PER_CHAIN) {
        let message = format!("a chain has at most {MAX_NAMESPACES_PER_CHAIN} namespaces");
        problems.report(surplus.entry.at, raw.entry.key("namespace"), message);
    }
    let mut namespaces = Register::new("namespace");
    for line in &raw.namespaces {
        let id = line.id.as_ref();
        namespaces.add(&line.entry, "id", id, problems, |id, problems| {
            chain_namespace(id, line, parties, problems)
        });
    }
    namespaces.known
}

fn chain_namespace(
    id: &NamespaceId,
    raw: &RawChainNamespace,
    parties: &Parties,
    problems: &mut Problems<'_>,
) -> Option<ChainNamespace> {
    // An id that is missing or malformed was reported by the caller, who passes a stand-in.
    let at = raw
        .id
        .as_ref()
        .filter(|text| text.value == id.as_str())
        .map(|text| text.at);
    let namespace = at.and_then(|at| {
        reference(
            At { at, value: id },
            &parties.namespaces,
            &raw.entry,
            "id",
            "namespace",
            problems,
        )
    });
    let link = match &raw.link {
        Some(text) => choice(
            text,
            &raw.entry,
            "link",
            &LinkMode::ALL.map(|mode| (mode.as_str(), mode)),
            problems,
        ),
        None => Some(LinkMode::Escrow),
    };
    let reversible = raw
        .reversible
        .as_ref()
        .filter(|reversible| reversible.value);
    if let Some(At { at, .. }) = reversible {
        let path = raw.entry.key("reversible");
        if let Some(link) = link.filter(|link| *link != LinkMode::Escrow) {
            let message = format!(
                "link \"{link}\" keeps no escrow, so nothing can be reversible; remove this, or use link \"escrow\""
            );
            problems.report(*at, path.clone(), message);
        }
        if namespace
            .and_then(Option::as_ref)
            .is_some_and(|namespace| namespace.input() != InputMode::Plain)
        {
            let message = "with input \"prehash\" the custodian never sees the identifier and cannot give it back; remove this";
            problems.report(*at, path, message);
        }
    }
    Some(ChainNamespace {
        id: id.clone(),
        link: link?,
        reversible: reversible.is_some(),
    })
}

fn elements(
    raw: &RawChain,
    namespaces: &Known<NamespaceId, ChainNamespace>,
    problems: &mut Problems<'_>,
) -> Option<Vec<Element>> {
    if raw.elements.is_empty() {
        problems.report(
            raw.entry.at,
            raw.entry.key("element"),
            "a chain needs at least one element; add [[chain.element]]",
        );
    }
    if let Some(surplus) = raw.elements.get(MAX_ELEMENTS_PER_CHAIN) {
        let message = format!("a chain has at most {MAX_ELEMENTS_PER_CHAIN} elements");
        problems.report(surplus.entry.at, raw.entry.key("element"), message);
    }
    let mut elements: Register<ElementName, Element> = Register::new("element");
    let mut order = Vec::new();
    for line in &raw.elements {
        let name = line.name.as_ref();
        elements.add(&line.entry, "name", name, problems, |name, problems| {
            order.push(name.clone());
            let treatment = treatment::treatment(line, namespaces, problems)?;
            Some(Element {
                name: name.clone(),
                treatment,
            })
        });
    }
    treatment::subjects(&raw.elements, &elements.known, problems);
    order
        .iter()
        .map(|name| elements.known.remove(name).flatten())
        .collect()
}

/// What an id refers to; reports an unknown one.
pub(super) fn reference<'k, I: Ord + Display, T>(
    id: At<&I>,
    known: &'k Known<I, T>,
    entry: &Entry,
    key: &str,
    what: &str,
    problems: &mut Problems<'_>,
) -> Option<&'k Option<T>> {
    let found = known.get(id.value);
    if found.is_none() {
        let message = format!(
            "there is no {what} {}; add it as [[{what}]] or correct the name",
            quoted(&id.value.to_string())
        );
        problems.report(id.at, entry.key(key), message);
    }
    found
}
