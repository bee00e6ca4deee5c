//! The rules of treatments: each has exactly its parameters.

use std::num::NonZeroU32;

use super::super::MAX_SHIFT_DAYS;
use super::super::chain::{ChainNamespace, Element, Treatment};
use super::super::problem::{Problems, quoted};
use super::super::raw::{At, RawElement};
use super::{Known, choice, dates, number, parsed};
use sluis_domain::generalise::{DEFAULT_TOP, Generalisation, Generaliser, MAX_TOP};
use sluis_domain::id::{ElementName, NamespaceId};
use sluis_domain::plausible::{DateShift, Placeholders, Plausible};

/// What an element's `treatment` and `to` ask for, before its parameters are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pseudonym,
    Encrypt,
    DateShift,
    Generalise,
    Keep,
    Drop,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Year,
    Month,
    Decade,
    AgeBand,
    Prefix,
    Band,
}

const KINDS: [(&str, Kind); 6] = [
    ("pseudonym", Kind::Pseudonym),
    ("encrypt", Kind::Encrypt),
    ("date-shift", Kind::DateShift),
    ("generalise", Kind::Generalise),
    ("keep", Kind::Keep),
    ("drop", Kind::Drop),
];

const TOS: [(&str, To); 6] = [
    ("year", To::Year),
    ("month", To::Month),
    ("decade", To::Decade),
    ("age-band", To::AgeBand),
    ("prefix", To::Prefix),
    ("band", To::Band),
];

/// The treatment of an element; `None` if something of it is broken and reported.
pub(super) fn treatment(
    raw: &RawElement,
    namespaces: &Known<NamespaceId, ChainNamespace>,
    problems: &mut Problems<'_>,
) -> Option<Treatment> {
    let kind = choice(
        raw.treatment.as_ref()?,
        &raw.entry,
        "treatment",
        &KINDS,
        problems,
    )?;
    let to = match (kind, &raw.to) {
        (Kind::Generalise, Some(text)) => Some(choice(text, &raw.entry, "to", &TOS, problems)?),
        _ => None,
    };
    parameters(raw, kind, to, problems);
    match kind {
        Kind::Pseudonym => pseudonym(raw, namespaces, problems),
        Kind::Encrypt => Some(Treatment::Encrypt),
        Kind::DateShift => date_shift(raw, problems),
        Kind::Generalise => {
            let placeholders = dates::placeholders(raw, Placeholders::default(), problems);
            Some(Treatment::Generalise(Generaliser {
                to: generalisation(raw, to?, problems)?,
                placeholders: placeholders?,
            }))
        }
        Kind::Keep => Some(Treatment::Keep),
        Kind::Drop => Some(Treatment::Drop),
    }
}

/// Checks that the subject of every date shift is a pseudonym element of the same chain.
pub(super) fn subjects(
    raw: &[RawElement],
    elements: &Known<ElementName, Element>,
    problems: &mut Problems<'_>,
) {
    for element in raw.iter().filter(|raw| {
        raw.treatment
            .as_ref()
            .is_some_and(|text| text.value == "date-shift")
    }) {
        let Some(subject) = &element.subject else {
            continue;
        };
        let wrong = match elements.get(subject.value.as_str()) {
            None => "is not an element of this chain",
            Some(
                Some(Element {
                    treatment: Treatment::Pseudonym { .. },
                    ..
                })
                | None,
            ) => continue,
            Some(Some(_)) => "is not a pseudonym element",
        };
        if subject.value.parse::<ElementName>().is_ok() {
            let message = format!(
                "{} {wrong}; name the pseudonym element of the date's subject",
                quoted(&subject.value)
            );
            problems.report(subject.at, element.entry.key("subject"), message);
        }
    }
}

/// Reports parameters that are missing, and those that belong to another treatment.
fn parameters(raw: &RawElement, kind: Kind, to: Option<To>, problems: &mut Problems<'_>) {
    let wanted: &[&str] = match (kind, to) {
        (Kind::Pseudonym, _) => &["namespace"],
        (Kind::DateShift, _) => &["subject", "max_days"],
        (Kind::Generalise, Some(To::AgeBand)) => &["to", "width", "reference"],
        (Kind::Generalise, Some(To::Prefix)) => &["to", "length"],
        (Kind::Generalise, Some(To::Band)) => &["to", "width"],
        (Kind::Generalise, _) => &["to"],
        (Kind::Encrypt | Kind::Keep | Kind::Drop, _) => &[],
    };
    let optional: &[&str] = match (kind, to) {
        (Kind::DateShift, _) => &["placeholders", "plausible"],
        (Kind::Generalise, Some(To::AgeBand)) => &["top", "placeholders"],
        (Kind::Generalise, Some(To::Year | To::Month | To::Decade)) => &["placeholders"],
        _ => &[],
    };
    let name = raw
        .treatment
        .as_ref()
        .map_or("", |text| text.value.as_str());
    let name = match &raw.to {
        Some(to) if kind == Kind::Generalise => format!("treatment \"{name}\" to \"{}\"", to.value),
        _ => format!("treatment \"{name}\""),
    };
    for key in wanted
        .iter()
        .filter(|key| !raw.parameters.iter().any(|written| written.value == **key))
    {
        problems.report(
            raw.entry.at,
            raw.entry.key(key),
            format!("{name} needs `{key}`; add it"),
        );
    }
    // Without a usable `to` no one knows which further parameters belong.
    let undecided = kind == Kind::Generalise && to.is_none();
    for At { at, value: key } in raw
        .parameters
        .iter()
        .filter(|written| !undecided && !wanted.contains(&written.value))
        .filter(|written| !optional.contains(&written.value))
    {
        problems.report(
            *at,
            raw.entry.key(key),
            format!("{name} takes no `{key}`; remove it"),
        );
    }
}

fn pseudonym(
    raw: &RawElement,
    namespaces: &Known<NamespaceId, ChainNamespace>,
    problems: &mut Problems<'_>,
) -> Option<Treatment> {
    let text = raw.namespace.as_ref()?;
    let namespace: NamespaceId = parsed(text, &raw.entry, "namespace", problems)?;
    if !namespaces.contains_key(&namespace) {
        let message = format!(
            "the chain does not list namespace \"{namespace}\"; add it as [[chain.namespace]] or correct the name"
        );
        problems.report(text.at, raw.entry.key("namespace"), message);
        return None;
    }
    Some(Treatment::Pseudonym { namespace })
}

fn date_shift(raw: &RawElement, problems: &mut Problems<'_>) -> Option<Treatment> {
    let subject = raw
        .subject
        .as_ref()
        .and_then(|text| parsed(text, &raw.entry, "subject", problems));
    let max_days = number(
        &raw.entry,
        "max_days",
        raw.max_days.as_ref(),
        MAX_SHIFT_DAYS,
        problems,
    );
    let placeholders = dates::placeholders(raw, Placeholders::of_date_shift(), problems);
    let plausible = match &raw.plausible {
        Some(texts) => dates::plausible(raw, texts, problems),
        None => Some(Plausible::default()),
    };
    Some(Treatment::DateShift {
        subject: subject?,
        shift: DateShift {
            max_days: NonZeroU32::new(max_days?)?,
            placeholders: placeholders?,
            plausible: plausible?,
        },
    })
}

fn generalisation(raw: &RawElement, to: To, problems: &mut Problems<'_>) -> Option<Generalisation> {
    Some(match to {
        To::Year => Generalisation::Year,
        To::Month => Generalisation::Month,
        To::Decade => Generalisation::Decade,
        To::AgeBand => {
            let width = number(&raw.entry, "width", raw.width.as_ref(), u16::MAX, problems);
            let reference = raw
                .reference
                .as_ref()
                .and_then(|text| dates::date(raw, "reference", text, problems));
            let top = match &raw.top {
                Some(top) => number(&raw.entry, "top", Some(top), MAX_TOP, problems),
                None => Some(DEFAULT_TOP),
            };
            Generalisation::AgeBand {
                width: width?,
                reference: reference?,
                top: top?,
            }
        }
        To::Prefix => Generalisation::Prefix {
            length: number(
                &raw.entry,
                "length",
                raw.length.as_ref(),
                u16::MAX,
                problems,
            )?,
        },
        To::Band => Generalisation::Band {
            width: number(&raw.entry, "width", raw.width.as_ref(), u32::MAX, problems)?,
        },
    })
}
