//! Every lie about a chain is a difference, and the file is what it was written as.

use sluis_domain::date::Date;
use sluis_domain::generalise::Generaliser;
use sluis_domain::identifier::{Checksum, IdentifierKind, InputMode};
use sluis_domain::plausible::{DateShift, Plausible};
use sluis_domain::{ElementName, Timestamp};
use sluis_ledger::registry::LinkMode;

use super::*;

fn id<T: std::str::FromStr<Err: fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

fn namespace(name: &str, input: InputMode) -> NamespaceView {
    NamespaceView {
        id: id(name),
        link: LinkMode::Escrow,
        reversible: false,
        identifier: IdentifierKind::Email,
        input,
        checksum: Checksum::Off,
        missing_words: vec!["NULL".into(), "\\N".into()],
    }
}

fn pseudonym(namespace: &str) -> Treatment {
    let namespace = id(namespace);
    Treatment::Pseudonym { namespace }
}

fn shifted(subject: &str, max_days: u32, last: &str) -> Treatment {
    let first = date("1900-01-01");
    Treatment::DateShift {
        subject: id(subject),
        shift: DateShift {
            max_days: max_days.try_into().expect("not zero"),
            placeholders: Placeholders::of_date_shift(),
            plausible: Plausible::new(first, date(last)).expect("in order"),
        },
    }
}

fn generalised(to: Generalisation, placeholders: Vec<Date>) -> Treatment {
    let placeholders = Placeholders::new(placeholders);
    Treatment::Generalise(Generaliser { to, placeholders })
}

fn age_band(top: u16) -> Treatment {
    let to = Generalisation::AgeBand {
        width: 5,
        reference: date("2026-01-01"),
        top,
    };
    generalised(to, Vec::new())
}

fn prefix(length: u16) -> Treatment {
    generalised(Generalisation::Prefix { length }, Vec::new())
}

fn date(text: &str) -> Date {
    Date::parse(text.as_bytes()).expect("a date")
}

fn honest() -> ChainView {
    let elements = [
        ("mail", pseudonym("mail")),
        ("visit", shifted("mail", 30, "2100-01-01")),
        ("postcode", prefix(2)),
        ("born", age_band(90)),
        ("sex", Treatment::Keep),
        ("name", Treatment::Drop),
    ];
    let elements = elements.map(|(name, treatment)| Element::new(id(name), treatment));
    ChainView {
        id: id("study"),
        owner: id("uni"),
        sources: BTreeSet::from([id("north"), id("south")]),
        recipients: BTreeSet::from([id("uni")]),
        reidentify_to: BTreeSet::from([id("north")]),
        reidentify_approvals: 2,
        retention: Some(id("10y")),
        retained_until: Timestamp::parse("2036-01-01T00:00:00Z").ok(),
        quota: Some(Quota {
            subjects_per_day: Some(100),
            ..Quota::default()
        }),
        namespaces: vec![
            namespace("nl.bsn", InputMode::Plain),
            namespace("mail", InputMode::Prehash),
        ],
        elements: elements.to_vec(),
    }
}

fn treat(chain: &mut ChainView, name: &str, treatment: Treatment) {
    let name: ElementName = id(name);
    let mut elements = chain.elements.iter_mut();
    let element = elements.find(|element| *element.name() == name);
    *element.expect("listed") = Element::new(name, treatment);
}

fn differences(lie: impl FnOnce(&mut ChainView)) -> Vec<String> {
    let mut told = honest();
    lie(&mut told);
    let pins = Pins::of(&[honest()]);
    let found = pins.differences(&Pins::of(&[told]));
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn every_lie_about_a_chain_is_named() {
    type Lie = fn(&mut ChainView);
    let lies: [(Lie, &str); 30] = [
        (|c| c.owner = id("x"), "owner"),
        (|c| c.sources.extend([id("x")]), "sources"),
        (|c| c.recipients.clear(), "recipients"),
        (|c| c.reidentify_to.clear(), "reidentify_to"),
        (|c| c.reidentify_approvals = 3, "reidentify_approvals"),
        (|c| c.retention = None, "retention"),
        (|c| c.retained_until = None, "retained_until"),
        (|c| c.quota = None, "quota"),
        (
            |c| c.quota.as_mut().expect("one").subjects_per_day = Some(101),
            "quota.subjects_per_day",
        ),
        (
            |c| c.namespaces[1].input = InputMode::Plain,
            "namespace[mail].input",
        ),
        (
            |c| c.namespaces[1].identifier = IdentifierKind::Opaque,
            "namespace[mail].identifier",
        ),
        (
            |c| c.namespaces[0].checksum = Checksum::Strict,
            "namespace[nl.bsn].checksum",
        ),
        (
            |c| c.namespaces[0].link = LinkMode::None,
            "namespace[nl.bsn].link",
        ),
        (
            |c| c.namespaces[0].reversible = true,
            "namespace[nl.bsn].reversible",
        ),
        (
            |c| c.namespaces[1].missing_words.push("anna".into()),
            "namespace[mail].missing_words",
        ),
        (|c| drop(c.namespaces.remove(0)), "namespace[nl.bsn]"),
        (
            |c| treat(c, "mail", pseudonym("nl.bsn")),
            "element[mail].namespace",
        ),
        (
            |c| treat(c, "mail", Treatment::Encrypt),
            "element[mail].treatment",
        ),
        (
            |c| treat(c, "visit", shifted("sex", 30, "2100-01-01")),
            "element[visit].subject",
        ),
        (
            |c| treat(c, "visit", shifted("mail", 1, "2100-01-01")),
            "element[visit].max_days",
        ),
        (
            |c| treat(c, "visit", shifted("mail", 30, "9999-12-31")),
            "element[visit].plausible_last",
        ),
        (
            |c| treat(c, "postcode", prefix(6)),
            "element[postcode].generalise.length",
        ),
        (
            |c| treat(c, "postcode", Treatment::Keep),
            "element[postcode].generalise",
        ),
        (
            |c| {
                let to = Generalisation::Prefix { length: 2 };
                treat(c, "postcode", generalised(to, vec![date("1984-03-07")]));
            },
            "element[postcode].placeholders",
        ),
        (
            |c| treat(c, "born", age_band(139)),
            "element[born].generalise.top",
        ),
        (
            |c| treat(c, "born", generalised(Generalisation::Month, Vec::new())),
            "element[born].generalise.to",
        ),
        (
            |c| treat(c, "sex", Treatment::Encrypt),
            "element[sex].treatment",
        ),
        (
            |c| treat(c, "name", Treatment::Keep),
            "element[name].treatment",
        ),
        (|c| c.elements.truncate(5), "element[name]"),
        (
            |c| c.elements.push(Element::new(id("x"), Treatment::Keep)),
            "element[x]",
        ),
    ];
    for (lie, path) in lies {
        let told = differences(lie);
        let named = format!("chain[study].{path}: ");
        assert!(
            told.iter().any(|line| line.starts_with(&named)),
            "{path}: {told:?}"
        );
    }
    let renamed = differences(|c| c.id = id("other"));
    assert!(
        renamed
            .iter()
            .any(|line| line.starts_with("chain[other]: "))
    );
    assert_eq!(differences(|_| ()), [""; 0]);
    assert_eq!(differences(|chain| chain.elements.reverse()), [""; 0]);
}

#[test]
fn a_difference_says_both_sides() {
    let [line] = &differences(|chain| chain.namespaces[1].input = InputMode::Plain)[..] else {
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
    reversed.namespaces.reverse();
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
    // Of all that a description holds, only these are texts of any kind.
    for hides in [
        "NULL\u{202e}",
        "NULL\u{200b}",
        "NULL\u{1b}[2K",
        "NULL\"\ninput = \"x",
    ] {
        let mut told = honest();
        told.namespaces[0].missing_words[0] = hides.into();
        assert!(Pins::of(&[told]).text().is_err(), "{hides:?}");
    }
    // What a file leaves out is not agreed to.
    fs::write(&path, text.replace("input = \"prehash\"\n", "")).expect("scratch file");
    let less = Pins::read(&path).expect("readable");
    assert_eq!(less.differences(&pins).len(), 1);
}
