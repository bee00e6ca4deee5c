//! Chains and differences between registries.

use std::collections::BTreeSet;

use sluis_domain::OrganisationId;
use sluis_domain::date::Date;
use sluis_domain::generalise::Generalisation;
use sluis_domain::identifier::{Checksum, InputMode};
use sluis_domain::plausible::Placeholders;
use sluis_ledger::registry::{
    Chain, ChainNamespace, Change, ChangeKind, Element, Quota, Registry, Treatment,
};
use sluis_proto::v1;

/// One difference.
pub(crate) fn change(change: Change) -> v1::RegistryChange {
    let kind = match change.kind {
        ChangeKind::Added => v1::ChangeKind::Added,
        ChangeKind::Removed => v1::ChangeKind::Removed,
        ChangeKind::Changed => v1::ChangeKind::Changed,
    };
    v1::RegistryChange {
        kind: kind.into(),
        path: change.path,
        before: change.before.unwrap_or_default(),
        after: change.after.unwrap_or_default(),
    }
}

/// What a member of an organisation may know of a chain.
pub(crate) fn chain(registry: &Registry, chain: &Chain, caller: &OrganisationId) -> v1::Chain {
    let quota = Some(chain.quota(caller))
        .filter(|quota| chain.sources().contains(caller) && !quota.is_unlimited());
    v1::Chain {
        chain_id: chain.id().as_str().to_owned(),
        owner: chain.owner().as_str().to_owned(),
        sources: ids(chain.sources()),
        recipients: ids(chain.recipients()),
        reidentify_to: ids(chain.reidentify_to()),
        reidentify_approvals: chain.reidentify_approvals().into(),
        retention: chain
            .retention()
            .map(|retention| retention.to_string())
            .unwrap_or_default(),
        namespaces: chain
            .namespaces()
            .map(|line| namespace(registry, line))
            .collect(),
        elements: chain.elements().iter().map(element).collect(),
        quota: quota.map(limits),
        ..v1::Chain::default()
    }
}

fn limits(quota: Quota) -> v1::Quota {
    v1::Quota {
        subjects_per_day: quota.subjects_per_day.unwrap_or_default(),
        rejected_percent: quota.rejected_percent.unwrap_or_default().into(),
        requests_per_minute: quota.requests_per_minute.unwrap_or_default(),
    }
}

fn ids(organisations: &BTreeSet<OrganisationId>) -> Vec<String> {
    organisations
        .iter()
        .map(|id| id.as_str().to_owned())
        .collect()
}

fn namespace(registry: &Registry, line: &ChainNamespace) -> v1::ChainNamespace {
    let mut wire = v1::ChainNamespace {
        namespace_id: line.id().as_str().to_owned(),
        link: line.link().as_str().to_owned(),
        reversible: line.reversible(),
        ..v1::ChainNamespace::default()
    };
    // A registry is valid by construction: the namespace of a line exists.
    if let Some(namespace) = registry.namespace(line.id()) {
        wire.identifier = namespace.identifier().as_str().to_owned();
        wire.input = match namespace.input() {
            InputMode::Plain => "plain",
            InputMode::Prehash => "prehash",
        }
        .to_owned();
        wire.checksum = match namespace.checksum() {
            Checksum::Strict => "strict",
            Checksum::Off => "off",
        }
        .to_owned();
        wire.missing_words = namespace.missing().words().to_vec();
    }
    wire
}

fn element(element: &Element) -> v1::Element {
    let mut wire = v1::Element {
        name: element.name().as_str().to_owned(),
        treatment: element.treatment().name().to_owned(),
        ..v1::Element::default()
    };
    match element.treatment() {
        Treatment::Pseudonym { namespace } => wire.namespace_id = namespace.as_str().to_owned(),
        Treatment::DateShift { subject, shift } => {
            wire.subject = subject.as_str().to_owned();
            wire.max_days = shift.max_days.get();
            wire.placeholders = dates(&shift.placeholders);
            wire.plausible_first = shift.plausible.first().to_string();
            wire.plausible_last = shift.plausible.last().to_string();
        }
        Treatment::Generalise(generaliser) => {
            wire.generalise = Some(generalisation(&generaliser.to));
            wire.placeholders = dates(&generaliser.placeholders);
        }
        Treatment::Encrypt | Treatment::Keep | Treatment::Drop => {}
    }
    wire
}

fn dates(placeholders: &Placeholders) -> Vec<String> {
    placeholders.dates().iter().map(Date::to_string).collect()
}

fn generalisation(generalisation: &Generalisation) -> v1::Generalisation {
    let mut wire = v1::Generalisation::default();
    let to = match *generalisation {
        Generalisation::Year => "year",
        Generalisation::Month => "month",
        Generalisation::Decade => "decade",
        Generalisation::AgeBand {
            width,
            reference,
            top,
        } => {
            wire.width = width.into();
            wire.reference = reference.to_string();
            wire.top = top.into();
            "age-band"
        }
        Generalisation::Prefix { length } => {
            wire.length = length.into();
            "prefix"
        }
        Generalisation::Band { width } => {
            wire.width = width;
            "band"
        }
    };
    wire.to = to.to_owned();
    wire
}
