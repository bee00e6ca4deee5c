//! The typed model and its lookups.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::*;
use crate::registry::{Chain, Delivery, LinkMode, Members, RetentionUnit, Treatment};
use sluis_domain::date::Date;
use sluis_domain::generalise::{Generalisation, Generaliser};
use sluis_domain::id::OrganisationId;
use sluis_domain::identifier::{Checksum, IdentifierKind, InputMode};
use sluis_domain::plausible::{DateShift, Placeholders, Plausible};

fn chain<'r>(registry: &'r Registry, id: &str) -> &'r Chain {
    registry
        .chain(&id.parse().expect("an id"))
        .expect("the chain is there")
}

fn treatment<'r>(chain: &'r Chain, element: &str) -> &'r Treatment {
    chain
        .element(&element.parse().expect("an id"))
        .expect("the element is there")
        .treatment()
}

fn names(ids: &BTreeSet<OrganisationId>) -> Vec<&str> {
    ids.iter().map(OrganisationId::as_str).collect()
}

#[test]
fn the_sample_uses_everything() {
    let registry = parse(SAMPLE).expect("the sample is valid");
    assert_eq!(
        (
            registry.organisations().len(),
            registry.namespaces().len(),
            registry.chains().len()
        ),
        (4, 2, 3)
    );
    let inputs: BTreeSet<String> = registry
        .namespaces()
        .map(|namespace| format!("{:?}", namespace.input()))
        .collect();
    assert_eq!(inputs.len(), 2);
    let links: BTreeSet<&str> = registry
        .chains()
        .flat_map(Chain::namespaces)
        .map(|line| line.link().as_str())
        .collect();
    assert_eq!(links.len(), LinkMode::ALL.len());
    let used: BTreeSet<String> = registry
        .chains()
        .flat_map(Chain::elements)
        .map(|element| match element.treatment() {
            Treatment::Generalise(how) => format!("{:?}", std::mem::discriminant(&how.to)),
            other => other.name().to_owned(),
        })
        .collect();
    assert_eq!(
        used.len(),
        5 + 6,
        "six treatments, one of them in six forms"
    );
}

fn date(text: &str) -> Date {
    Date::parse(text.as_bytes()).expect("a date")
}

fn dates(texts: &[&str]) -> Placeholders {
    Placeholders::new(texts.iter().map(|text| date(text)).collect())
}

#[test]
fn the_sample_says_what_it_says() {
    let registry = parse(SAMPLE).expect("the sample is valid");
    let study = chain(&registry, "diabetes-study");
    assert_eq!(study.owner().as_str(), "uni-research");
    assert_eq!(names(study.sources()), ["gp-south", "hospital-north"]);
    assert_eq!(
        names(study.recipients()),
        ["registry-office", "uni-research"]
    );
    assert_eq!(
        study.retention().map(|r| (r.count(), r.unit())),
        Some((10, RetentionUnit::Years))
    );
    let lines: Vec<_> = study
        .namespaces()
        .map(|line| (line.id().as_str(), line.link(), line.reversible()))
        .collect();
    assert_eq!(
        lines,
        [
            ("nl.bsn", LinkMode::Escrow, true),
            ("study.email", LinkMode::Escrow, false)
        ]
    );

    let order: Vec<&str> = study
        .elements()
        .iter()
        .map(|element| element.name().as_str())
        .collect();
    assert_eq!(
        order,
        [
            "bsn",
            "email",
            "name",
            "admission-date",
            "birth-date",
            "postcode",
            "diagnosis",
            "phone"
        ]
    );
    assert_eq!(
        *treatment(study, "bsn"),
        Treatment::Pseudonym {
            namespace: "nl.bsn".parse().expect("an id")
        }
    );
    assert_eq!(*treatment(study, "name"), Treatment::Encrypt);
    let shift = Treatment::DateShift {
        subject: "bsn".parse().expect("an id"),
        shift: DateShift {
            max_days: NonZeroU32::new(30).expect("not zero"),
            placeholders: dates(&["1900-01-01", "1970-01-01", "9999-12-31"]),
            plausible: Plausible::new(date("1990-01-01"), date("2040-12-31")).expect("a range"),
        },
    };
    assert_eq!(*treatment(study, "admission-date"), shift);
    assert_eq!(
        *treatment(study, "birth-date"),
        Treatment::Generalise(Generaliser {
            to: Generalisation::AgeBand {
                width: 10,
                reference: date("2026-01-01"),
                top: 90,
            },
            placeholders: dates(&["1900-01-01"]),
        })
    );
    assert_eq!(
        *treatment(study, "postcode"),
        Treatment::Generalise(Generalisation::Prefix { length: 4 }.into())
    );
    assert_eq!(*treatment(study, "diagnosis"), Treatment::Keep);
    assert_eq!(*treatment(study, "phone"), Treatment::Drop);

    let release = chain(&registry, "open-release-2026");
    assert_eq!(
        *treatment(release, "income"),
        Treatment::Generalise(Generalisation::Band { width: 10_000 }.into())
    );
    assert!(
        release.reidentify_to().is_empty(),
        "[] is nobody, not the default"
    );
}

#[test]
fn namespaces_are_typed() {
    let registry = parse(SAMPLE).expect("the sample is valid");
    let found: Vec<_> = registry
        .namespaces()
        .map(|n| (n.id().as_str(), n.identifier(), n.input(), n.checksum()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "nl.bsn",
                IdentifierKind::NlBsn,
                InputMode::Plain,
                Checksum::Strict
            ),
            (
                "study.email",
                IdentifierKind::Email,
                InputMode::Prehash,
                Checksum::Strict
            ),
        ]
    );
}

#[test]
fn what_is_left_out_has_its_default() {
    let text = edited(
        "reidentify_to = [\"hospital-north\", \"gp-south\"]\nreidentify_approvals = 2\nretention = \"10y\"\n\
         deliver = \"caller\"\n",
        "",
    )
    .replace("recipients = [\"uni-research\"]\n", "");
    let registry = parse(&text).expect("valid");
    let study = chain(&registry, "diabetes-study");
    assert_eq!(study.reidentify_to(), study.sources());
    assert_eq!(study.reidentify_approvals(), 2);
    assert_eq!(study.retention(), None);
    assert_eq!(study.delivery(), Delivery::Caller);
    assert!(study.recipients().is_empty());
}

#[test]
fn members_are_listed_or_all() {
    let registry = parse(SAMPLE).expect("the sample is valid");
    let organisation = |id: &str| {
        registry
            .organisation(&id.parse().expect("an id"))
            .expect("there")
    };
    let name = |text: &str| text.parse().expect("a member");
    let (gp, uni) = (organisation("gp-south"), organisation("uni-research"));
    assert_eq!(*gp.members(), Members::All);
    assert!(
        gp.is_member(&name("whoever"))
            && gp.is_member(&name("old-laptop"))
            && gp.is_blocked(&name("old-laptop"))
    );
    assert!(
        !gp.is_blocked(&name("whoever"))
            && !gp.is_steward(&name("whoever"))
            && !gp.is_auditor(&name("whoever"))
    );
    assert!(uni.is_member(&name("etl")) && !uni.is_member(&name("whoever")));
    assert!(uni.is_steward(&name("steward-1")) && !uni.is_steward(&name("privacy-officer")));
    assert!(uni.is_auditor(&name("privacy-officer")) && !uni.is_auditor(&name("steward-1")));
}

#[test]
fn lookups_of_what_is_not_there_find_nothing() {
    let registry = small();
    assert!(
        registry
            .organisation(&"nobody".parse().expect("an id"))
            .is_none()
    );
    assert!(
        registry
            .namespace(&"nothing".parse().expect("an id"))
            .is_none()
    );
    assert!(registry.chain(&"nothing".parse().expect("an id")).is_none());
    let study = chain(&registry, "diabetes-study");
    assert!(study.element(&"nothing".parse().expect("an id")).is_none());
    assert!(
        study
            .namespace(&"nothing".parse().expect("an id"))
            .is_none()
    );
    assert!(
        study.is_source(&"gp-south".parse().expect("an id"))
            && !study.is_source(&"uni-research".parse().expect("an id"))
    );
    assert!(study.is_recipient(&"uni-research".parse().expect("an id")));
}

#[test]
fn only_keep_and_drop_stay_with_the_client() {
    let registry = parse(SAMPLE).expect("the sample is valid");
    let study = chain(&registry, "diabetes-study");
    let client_only: Vec<&str> = study
        .elements()
        .iter()
        .filter(|e| matches!(e.treatment(), Treatment::Keep | Treatment::Drop))
        .map(|e| e.name().as_str())
        .collect();
    assert_eq!(client_only, ["diagnosis", "phone"]);
}

#[test]
fn a_retention_is_written_as_it_was_read() {
    for text in ["10y", "18m", "6w", "90d", "1d", "9999y"] {
        assert_eq!(
            text.parse::<crate::registry::Retention>()
                .map(|retention| retention.to_string()),
            Ok(text.to_owned())
        );
    }
}

#[test]
fn a_retention_is_a_fixed_time() {
    const DAY: u64 = 86_400_000;
    for (text, days) in [
        ("1d", 1),
        ("90d", 90),
        ("2w", 14),
        ("1m", 31),
        ("18m", 558),
        ("1y", 366),
        ("9999y", 3_659_634),
    ] {
        let retention: crate::registry::Retention = text.parse().expect("a retention");
        assert_eq!(retention.millis(), days * DAY, "{text}");
    }
}
