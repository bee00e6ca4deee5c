//! Descriptions of chains travel both ways, and what this version does not know is refused with its field.

use super::*;

const REGISTRY: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/samples/registry.toml"
));

fn sample() -> Vec<v1::Chain> {
    let registry = Registry::parse(REGISTRY, &[]).expect("the sample");
    let until = Timestamp::parse("2036-01-01T00:00:00Z").ok();
    let chains = registry.chains().flat_map(|chain| {
        let view = |caller| ChainView::new(&registry, chain, until, caller);
        [view(chain.owner())]
            .into_iter()
            .chain(chain.sources().iter().map(view))
    });
    chains.map(|chain| v1::Chain::from(&chain)).collect()
}

fn element(name: &str, treatment: &str) -> v1::Element {
    v1::Element {
        name: name.to_owned(),
        treatment: treatment.to_owned(),
        namespace_id: "n".to_owned(),
        subject: "s".to_owned(),
        max_days: 30,
        placeholders: vec!["9999-12-31".to_owned()],
        plausible_first: "1900-01-01".to_owned(),
        plausible_last: "2100-01-01".to_owned(),
        generalise: Some(to("age-band")),
    }
}

fn to(to: &str) -> v1::Generalisation {
    v1::Generalisation {
        to: to.to_owned(),
        width: 5,
        reference: "2026-01-01".to_owned(),
        length: 2,
        top: 90,
    }
}

fn chain() -> v1::Chain {
    v1::Chain {
        chain_id: "c".to_owned(),
        owner: "o".to_owned(),
        sources: vec!["s".to_owned()],
        recipients: vec!["r".to_owned()],
        reidentify_to: vec!["s".to_owned()],
        reidentify_approvals: 2,
        retention: "10y".to_owned(),
        retained_until: "2036-01-01T00:00:00Z".to_owned(),
        quota: Some(v1::Quota {
            subjects_per_day: 100,
            rejected_percent: 20,
            requests_per_minute: 6,
        }),
        namespaces: vec![v1::ChainNamespace {
            namespace_id: "n".to_owned(),
            link: "escrow".to_owned(),
            reversible: true,
            identifier: "nl-bsn".to_owned(),
            input: "prehash".to_owned(),
            checksum: "strict".to_owned(),
            missing_words: vec!["NULL".to_owned()],
        }],
        elements: vec![
            element("p", "pseudonym"),
            element("d", "date-shift"),
            element("g", "generalise"),
        ],
    }
}

#[test]
fn chains_of_the_sample_registry_survive_the_way_out_and_in() {
    let sample = sample();
    assert!(!sample.is_empty());
    for wire in sample {
        let view = ChainView::try_from(wire.clone()).expect("ours");
        assert_eq!(v1::Chain::from(&view), wire);
    }
}

#[test]
fn every_treatment_survives_and_what_belongs_to_another_is_not_read() {
    for treatment in [
        "pseudonym",
        "encrypt",
        "date-shift",
        "generalise",
        "keep",
        "drop",
    ] {
        let read = Element::try_from(element("e", treatment)).expect("known");
        let wire = v1::Element::from(&read);
        assert_eq!(wire.treatment, treatment);
        assert_eq!(wire.namespace_id.is_empty(), treatment != "pseudonym");
        assert_eq!(wire.generalise.is_some(), treatment == "generalise");
        assert_eq!(Element::try_from(wire), Ok(read));
    }
    for word in ["year", "month", "decade", "age-band", "prefix", "band"] {
        let read = sluis_domain::generalise::Generalisation::try_from(to(word)).expect("known");
        assert_eq!(v1::Generalisation::from(&read).to, word);
    }
}

#[test]
fn what_is_wrong_or_of_a_later_version_is_named() {
    type Break = fn(&mut v1::Chain);
    let cases: [(Break, &str); 29] = [
        (|c| c.chain_id.clear(), "chain_id"),
        (|c| c.owner = "O".into(), "owner"),
        (|c| c.sources.push("S".into()), "sources[1]"),
        (|c| c.recipients.push(String::new()), "recipients[1]"),
        (|c| c.reidentify_to[0].push(' '), "reidentify_to[0]"),
        (|c| c.reidentify_approvals = 256, "reidentify_approvals"),
        (|c| c.retention = "long".into(), "retention"),
        (|c| c.retained_until = "long".into(), "retained_until"),
        (
            |c| quota(c).rejected_percent = 256,
            "quota.rejected_percent",
        ),
        (
            |c| c.namespaces[0].namespace_id.clear(),
            "namespaces[0].namespace_id",
        ),
        (
            |c| c.namespaces[0].link = "some".into(),
            "namespaces[0].link",
        ),
        (
            |c| c.namespaces[0].identifier = "iris".into(),
            "namespaces[0].identifier",
        ),
        (
            |c| c.namespaces[0].input = "oprf".into(),
            "namespaces[0].input",
        ),
        (
            |c| c.namespaces[0].checksum = "lax".into(),
            "namespaces[0].checksum",
        ),
        (|c| c.namespaces.push(c.namespaces[0].clone()), "namespaces"),
        (|c| c.elements.push(element("p", "encrypt")), "elements"),
        (|c| c.elements[0].name.push('\u{200b}'), "elements[0].name"),
        (
            |c| c.elements[0].treatment = "scramble".into(),
            "elements[0].treatment",
        ),
        (
            |c| c.elements[0].namespace_id.clear(),
            "elements[0].namespace_id",
        ),
        (|c| c.elements[1].subject.clear(), "elements[1].subject"),
        (|c| c.elements[1].max_days = 0, "elements[1].max_days"),
        (
            |c| c.elements[1].placeholders[0].clear(),
            "elements[1].placeholders[0]",
        ),
        (
            |c| c.elements[1].plausible_first.clear(),
            "elements[1].plausible_first",
        ),
        (
            |c| c.elements[1].plausible_last = "1800-01-01".into(),
            "elements[1].plausible_last",
        ),
        (
            |c| c.elements[2].generalise = None,
            "elements[2].generalise",
        ),
        (
            |c| generalise(c).to = "century".into(),
            "elements[2].generalise.to",
        ),
        (|c| generalise(c).width = 0, "elements[2].generalise.width"),
        (
            |c| generalise(c).reference.clear(),
            "elements[2].generalise.reference",
        ),
        (|c| generalise(c).top = 70_000, "elements[2].generalise.top"),
    ];
    assert!(ChainView::try_from(chain()).is_ok());
    for (break_it, field) in cases {
        let mut wire = chain();
        break_it(&mut wire);
        assert_eq!(ChainView::try_from(wire).expect_err(field).field, field);
    }
}

fn quota(chain: &mut v1::Chain) -> &mut v1::Quota {
    chain.quota.as_mut().expect("a quota")
}

fn generalise(chain: &mut v1::Chain) -> &mut v1::Generalisation {
    chain.elements[2].generalise.as_mut().expect("one")
}
