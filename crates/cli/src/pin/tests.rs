//! Every lie about a chain is a difference, and the file is what it was written as.

use super::*;

fn honest() -> v1::Chain {
    let namespace = |id: &str, input: &str| v1::ChainNamespace {
        namespace_id: id.into(),
        link: "escrow".into(),
        reversible: false,
        identifier: "email".into(),
        input: input.into(),
        checksum: "off".into(),
        missing_words: vec!["NULL".into(), "\\N".into()],
    };
    let element = |name: &str, treatment: &str| v1::Element {
        name: name.into(),
        treatment: treatment.into(),
        ..Default::default()
    };
    v1::Chain {
        chain_id: "study".into(),
        owner: "uni".into(),
        sources: vec!["north".into(), "south".into()],
        recipients: vec!["uni".into()],
        reidentify_to: vec!["north".into()],
        reidentify_approvals: 2,
        retention: "10y".into(),
        retained_until: "2036-01-01T00:00:00Z".into(),
        quota: Some(v1::Quota {
            subjects_per_day: 100,
            ..Default::default()
        }),
        namespaces: vec![namespace("nl.bsn", "plain"), namespace("mail", "prehash")],
        elements: vec![
            v1::Element {
                namespace_id: "mail".into(),
                ..element("mail", "pseudonym")
            },
            v1::Element {
                subject: "mail".into(),
                max_days: 30,
                ..element("visit", "date-shift")
            },
            v1::Element {
                generalise: Some(v1::Generalisation {
                    to: "prefix".into(),
                    length: 2,
                    ..Default::default()
                }),
                ..element("postcode", "generalise")
            },
            element("sex", "keep"),
            element("name", "drop"),
        ],
    }
}

fn differences(lie: impl FnOnce(&mut v1::Chain)) -> Vec<String> {
    let mut told = honest();
    lie(&mut told);
    let pins = Pins::of(&[honest()]);
    let found = pins.differences(&Pins::of(&[told]));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn every_lie_about_a_chain_is_named() {
    type Lie = fn(&mut v1::Chain);
    let lies: [(Lie, &str); 30] = [
        (|c| c.owner = "x".into(), "chain[study].owner"),
        (|c| c.sources.push("x".into()), "chain[study].sources"),
        (|c| c.recipients.clear(), "chain[study].recipients"),
        (|c| c.reidentify_to.clear(), "chain[study].reidentify_to"),
        (
            |c| c.reidentify_approvals = 3,
            "chain[study].reidentify_approvals",
        ),
        (|c| c.retention = String::new(), "chain[study].retention"),
        (|c| c.retained_until.clear(), "chain[study].retained_until"),
        (|c| c.quota = None, "chain[study].quota"),
        (
            |c| c.quota.as_mut().expect("one").subjects_per_day = 101,
            "chain[study].quota.subjects_per_day",
        ),
        (
            |c| c.namespaces[1].input = "plain".into(),
            "chain[study].namespace[mail].input",
        ),
        (
            |c| c.namespaces[1].identifier = "opaque".into(),
            "chain[study].namespace[mail].identifier",
        ),
        (
            |c| c.namespaces[0].checksum = "strict".into(),
            "chain[study].namespace[nl.bsn].checksum",
        ),
        (
            |c| c.namespaces[0].link = "none".into(),
            "chain[study].namespace[nl.bsn].link",
        ),
        (
            |c| c.namespaces[0].reversible = true,
            "chain[study].namespace[nl.bsn].reversible",
        ),
        (
            |c| drop(c.namespaces.remove(0)),
            "chain[study].namespace[nl.bsn]",
        ),
        (
            |c| c.elements[0].namespace_id = "nl.bsn".into(),
            "chain[study].element[mail].namespace",
        ),
        (
            |c| c.elements[0].treatment = "encrypt".into(),
            "chain[study].element[mail].treatment",
        ),
        (
            |c| c.elements[1].subject = "sex".into(),
            "chain[study].element[visit].subject",
        ),
        (
            |c| c.elements[1].max_days = 0,
            "chain[study].element[visit].max_days",
        ),
        (
            |c| c.elements[2].generalise.as_mut().expect("one").length = 6,
            "chain[study].element[postcode].generalise.length",
        ),
        (
            |c| c.elements[2].generalise.as_mut().expect("one").top = 140,
            "chain[study].element[postcode].generalise.top",
        ),
        (
            |c| c.elements[2].placeholders = vec!["1984-03-07".into()],
            "chain[study].element[postcode].placeholders",
        ),
        (
            |c| c.elements[1].plausible_last = "9999-12-31".into(),
            "chain[study].element[visit].plausible_last",
        ),
        (
            |c| c.namespaces[1].missing_words.push("anna".into()),
            "chain[study].namespace[mail].missing_words",
        ),
        (
            |c| c.elements[2].generalise = None,
            "chain[study].element[postcode].generalise",
        ),
        (
            |c| c.elements[3].treatment = "encrypt".into(),
            "chain[study].element[sex].treatment",
        ),
        (
            |c| c.elements[4].treatment = "keep".into(),
            "chain[study].element[name].treatment",
        ),
        (
            |c| c.elements[4].name = "name\u{200b}".into(),
            "chain[study].element[name]",
        ),
        (|c| c.elements.truncate(4), "chain[study].element[name]"),
        (|c| c.chain_id = "other".into(), "chain[other]"),
    ];
    for (lie, path) in lies {
        let told = differences(lie);
        assert!(
            told.iter()
                .any(|line| line.starts_with(&format!("{path}: "))),
            "{path}: {told:?}"
        );
    }
    assert_eq!(differences(|_| ()), [""; 0]);
    assert_eq!(differences(|chain| chain.elements.reverse()), [""; 0]);
}

#[test]
fn a_difference_says_both_sides() {
    let [line] = &differences(|chain| chain.namespaces[1].input = "plain".into())[..] else {
        panic!("one difference");
    };
    assert_eq!(
        line,
        "chain[study].namespace[mail].input: you agreed to \"prehash\", the custodian says \"plain\""
    );
}

#[test]
fn the_file_is_one_text_for_one_description_and_reads_back() {
    let directory = tempfile::tempdir().expect("scratch");
    let path = directory.path().join("pins.toml");
    let pins = Pins::of(&[honest()]);
    let text = pins.text().expect("text");
    let mut reversed = honest();
    reversed.elements.reverse();
    reversed.sources.reverse();
    let of_reversed = Pins::of(&[reversed]).text().expect("text");
    assert_eq!(of_reversed, text);
    for part in [
        "format = \"sluis-pin/1\"",
        "[chain.study.namespace.\"nl.bsn\"]",
        "input = \"prehash\"",
        "[chain.study.element.visit]",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    fs::write(&path, &text).expect("scratch file");
    assert_eq!(Pins::read(&path).expect("ours"), pins);
    for (bad, why) in [
        (text.replace("sluis-pin/1", "sluis-pin/2"), "its format"),
        (text.replace("owner =", "ownr ="), "ownr"),
        (String::new(), "format"),
        (
            text.replacen("[chain.study]", "[chain.study]\nowner = \"x\"", 1),
            "not what",
        ),
    ] {
        fs::write(&path, bad).expect("scratch file");
        let error = Pins::read(&path).expect_err("refused");
        assert!(matches!(error, CliError::Input(_)), "{error}");
        assert!(error.to_string().contains(why), "{why}: {error}");
    }
    for hides in [
        "keep\u{202e}",
        "keep\u{200b}",
        "keep\u{1b}[2K",
        "keep\"\ninput = \"x",
    ] {
        let mut told = honest();
        told.elements[3].treatment = hides.into();
        assert!(Pins::of(&[told]).text().is_err(), "{hides:?}");
        let mut told = honest();
        told.elements[3].name = hides.into();
        assert!(Pins::of(&[told]).text().is_err(), "{hides:?}");
    }
    // What a file leaves out is not agreed to.
    fs::write(&path, text.replace("input = \"prehash\"\n", "")).expect("scratch file");
    let less = Pins::read(&path).expect("readable");
    assert_eq!(less.differences(&pins).len(), 1);
}
