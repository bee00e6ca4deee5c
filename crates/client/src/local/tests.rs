//! Which step an element gets, and what it does to values.

use sluis_wire::v1;

use super::*;
use crate::Spelling;

fn element(name: &str, treatment: &str) -> v1::Element {
    v1::Element {
        name: name.into(),
        treatment: treatment.into(),
        ..Default::default()
    }
}

fn namespace(id: &str, identifier: &str, input: &str) -> v1::ChainNamespace {
    v1::ChainNamespace {
        namespace_id: id.into(),
        link: "escrow".into(),
        reversible: false,
        identifier: identifier.into(),
        input: input.into(),
        checksum: "strict".into(),
        missing_words: ["NULL", "-"].map(Into::into).to_vec(),
    }
}

fn chain() -> ChainView {
    let pseudonym = |name: &str, namespace: &str| v1::Element {
        namespace_id: namespace.into(),
        ..element(name, "pseudonym")
    };
    let generalise = |name: &str, how: v1::Generalisation| v1::Element {
        generalise: Some(how),
        ..element(name, "generalise")
    };
    let to = |to: &str| v1::Generalisation {
        to: to.into(),
        ..Default::default()
    };
    let chain = v1::Chain {
        chain_id: "c".into(),
        owner: "o".into(),
        namespaces: vec![
            namespace("plain", "nl-bsn", "plain"),
            namespace("hashed", "nl-bsn", "prehash"),
            namespace("born", "date", "prehash"),
            namespace("born-plain", "date", "plain"),
            namespace("code", "opaque", "plain"),
        ],
        elements: vec![
            pseudonym("bsn", "plain"),
            pseudonym("hash", "hashed"),
            pseudonym("born-hash", "born"),
            pseudonym("born-plain", "born-plain"),
            pseudonym("code", "code"),
            pseudonym("lost", "no-such"),
            element("note", "encrypt"),
            v1::Element {
                subject: "bsn".into(),
                max_days: 30,
                plausible_first: "1900-01-01".into(),
                plausible_last: "2100-01-01".into(),
                ..element("visit", "date-shift")
            },
            element("sex", "keep"),
            element("name", "drop"),
            generalise("year", to("year")),
            generalise(
                "postcode",
                v1::Generalisation {
                    length: 2,
                    ..to("prefix")
                },
            ),
            generalise(
                "weight",
                v1::Generalisation {
                    width: 10,
                    ..to("band")
                },
            ),
            v1::Element {
                placeholders: vec!["9999-12-31".into()],
                ..generalise(
                    "age",
                    v1::Generalisation {
                        width: 10,
                        reference: "2026-01-01".into(),
                        top: 90,
                        ..to("age-band")
                    },
                )
            },
        ],
        ..Default::default()
    };
    ChainView::try_from(chain).expect("understood")
}

fn step_with(name: &str, keys: &SourceKeys) -> Result<Step, PlanError> {
    Step::of(&chain(), &name.parse().expect("an id"), keys)
}

fn key() -> SourceKey {
    SourceKey::from_file_content(&[7; 32]).expect("32 bytes")
}

/// Keys of all namespaces that are hashed, and of no other.
fn keys() -> SourceKeys {
    keys_of(&["hashed", "born"])
}

fn keys_of(namespaces: &[&str]) -> SourceKeys {
    let mut keys = SourceKeys::default();
    for namespace in namespaces {
        keys.insert(namespace.parse().expect("an id"), key());
    }
    keys
}

fn apply(name: &str, value: &str) -> Result<Vec<u8>, Reason> {
    let spelling = Spelling {
        dates: "%d-%m-%Y".parse().expect("a format"),
        ..Spelling::default()
    };
    let mut step = step_with(name, &keys()).expect("a step");
    let mut scratch = Vec::new();
    let value = spelling.plain(value.as_bytes(), step.wanted(), &mut scratch)?;
    let mut out = Vec::new();
    match &mut step {
        Step::Send(step) => step.apply(value, &mut out)?,
        Step::Generalise(step) => step.apply(value, &mut out)?,
        step => panic!("{step:?} does not change values"),
    }
    Ok(out)
}

#[test]
fn only_what_the_custodian_must_see_is_sent() {
    for (name, sent) in [
        ("bsn", true),
        ("hash", true),
        ("note", true),
        ("visit", true),
        ("sex", false),
        ("name", false),
        ("year", false),
        ("postcode", false),
    ] {
        assert_eq!(
            matches!(step_with(name, &keys()), Ok(Step::Send(_))),
            sent,
            "{name}"
        );
    }
}

#[test]
fn plain_identifiers_are_sent_as_they_are() {
    assert_eq!(
        apply("bsn", " 950.000.012 ").as_deref(),
        Ok(&b" 950.000.012 "[..])
    );
    assert_eq!(apply("bsn", &"1".repeat(MAX_RAW + 1)), Err(Reason::TooLong));
    assert_eq!(apply("note", "").as_deref(), Ok(&b""[..]));
}

#[test]
fn a_word_for_what_is_missing_never_leaves_the_client() {
    for name in ["bsn", "hash", "born-hash", "born-plain", "code"] {
        for value in ["NULL", "null", " Null\t", "-", "", " "] {
            assert_eq!(apply(name, value), Ok(Vec::new()), "{name} {value:?}");
        }
    }
    // No identifiers, so no words either.
    assert_eq!(apply("note", "NULL").as_deref(), Ok(&b"NULL"[..]));
    assert_eq!(apply("visit", "NULL"), Err(Reason::InvalidDate));
}

#[test]
fn a_prehash_is_of_the_normal_form_and_shows_no_identifier() {
    let hash = apply("hash", "950000012").expect("valid");
    assert_eq!(hash.len(), 32);
    assert_eq!(apply("hash", "950.000.012"), Ok(hash.clone()));
    let namespace = "hashed".parse().expect("an id");
    let key = SourceKey::from_file_content(&[7; 32])
        .expect("32 bytes")
        .for_namespace(&namespace);
    assert_eq!(hash, key.prehash(b"950000012"));
    assert_eq!(apply("hash", "  "), Ok(Vec::new()), "missing");
    assert_eq!(apply("hash", "950000013"), Err(Reason::InvalidChecksum));
    assert_eq!(apply("hash", "000000000"), Err(Reason::AllZero));
}

#[test]
fn dates_are_read_in_the_callers_format_wherever_they_go() {
    assert_eq!(
        apply("visit", "07-03-1984").as_deref(),
        Ok(&b"1984-03-07"[..])
    );
    assert_eq!(
        apply("born-plain", "07-03-1984").as_deref(),
        Ok(&b"1984-03-07"[..])
    );
    assert_eq!(apply("year", "07-03-1984").as_deref(), Ok(&b"1984"[..]));
    let key = SourceKey::from_file_content(&[7; 32])
        .expect("32 bytes")
        .for_namespace(&"born".parse().expect("an id"));
    assert_eq!(
        apply("born-hash", "07-03-1984"),
        Ok(key.prehash(b"1984-03-07").to_vec())
    );
    for name in ["visit", "born-plain", "year", "born-hash"] {
        assert_eq!(
            apply(name, "1984-03-07"),
            Err(Reason::InvalidDate),
            "{name}"
        );
        assert_eq!(apply(name, ""), Ok(Vec::new()), "{name}");
    }
}

#[test]
fn generalisations_have_their_parameters() {
    assert_eq!(apply("postcode", "1234AB").as_deref(), Ok(&b"12"[..]));
    assert_eq!(apply("weight", "73.5").as_deref(), Ok(&b"[70,80)"[..]));
    assert_eq!(apply("weight", "heavy"), Err(Reason::InvalidNumber));
    assert_eq!(apply("age", "07-03-1984").as_deref(), Ok(&b"40-49"[..]));
    assert_eq!(apply("age", "07-03-1930").as_deref(), Ok(&b"90+"[..]));
    assert_eq!(
        apply("age", "31-12-9999").as_deref(),
        Ok(&b"9999-12-31"[..])
    );
    assert_eq!(apply("age", "30-12-9999"), Err(Reason::ImplausibleDate));
    assert_eq!(apply("weight", "1.234"), Err(Reason::AmbiguousNumber));
}

#[test]
fn only_opaque_identifiers_are_compared_byte_for_byte() {
    for (name, exact) in [
        ("code", true),
        ("bsn", false),
        ("hash", false),
        ("note", false),
    ] {
        let step = step_with(name, &keys()).expect("a step");
        assert_eq!(step.wanted().form == Form::Exact, exact, "{name}");
    }
}

#[test]
fn what_is_no_date_in_plain_form_is_not_sent_as_one() {
    for name in ["visit", "born-plain", "born-hash"] {
        let Ok(Step::Send(mut step)) = step_with(name, &keys()) else {
            panic!("{name} is sent")
        };
        let refused = step.apply(b"950000012", &mut Vec::new());
        assert_eq!(refused, Err(Reason::InvalidDate), "{name}");
    }
}

#[test]
fn invalid_utf8_is_refused_except_in_opaque_identifiers() {
    for (name, outcome) in [
        ("bsn", Err(Reason::InvalidUtf8)),
        ("note", Err(Reason::InvalidUtf8)),
        ("code", Ok(())),
    ] {
        let Ok(Step::Send(mut step)) = step_with(name, &keys()) else {
            panic!("{name} is sent")
        };
        assert_eq!(step.apply(b"\xff\xfe", &mut Vec::new()), outcome, "{name}");
    }
}

#[test]
fn what_is_not_described_is_refused() {
    assert_eq!(
        step_with("lost", &keys()).err(),
        Some(PlanError::UnknownNamespace("lost".parse().expect("an id")))
    );
    assert_eq!(
        step_with("other", &keys()).err(),
        Some(PlanError::UnknownElement("other".parse().expect("an id")))
    );
}

#[test]
fn without_a_source_key_nothing_is_hashed_and_nothing_is_sent_in_clear() {
    let mut only_born = SourceKeys::default();
    only_born.insert(
        "born".parse().expect("an id"),
        SourceKey::from_file_content(&[8; 32]).expect("32 bytes"),
    );
    assert!(step_with("born-hash", &only_born).is_ok());
    let expected = PlanError::NoSourceKey {
        element: "hash".parse().expect("an id"),
        namespace: "hashed".parse().expect("an id"),
    };
    assert_eq!(step_with("hash", &only_born).err(), Some(expected));
}

#[test]
fn promise_10_what_has_a_source_key_is_hashed_or_not_sent_whatever_the_custodian_says() {
    let mut unnamed = keys_of(&["hashed"]);
    unnamed.set_default(key());
    for (keys, unnamed) in [(keys_of(&["plain"]), false), (unnamed, true)] {
        let expected = PlanError::NotHashed {
            element: "bsn".parse().expect("an id"),
            namespace: "plain".parse().expect("an id"),
            unnamed,
        };
        assert_eq!(step_with("bsn", &keys).err(), Some(expected));
        assert!(step_with("note", &keys).is_ok());
    }
}

#[test]
fn a_source_key_that_hashes_nothing_that_is_sent_is_refused() {
    let used = |keys: &SourceKeys, elements: &[&str]| {
        keys.check_used(&chain(), &elements.iter().copied().collect())
    };
    assert_eq!(used(&keys(), &["hash", "born-hash", "note"]), Ok(()));
    let born = "born".parse().expect("an id");
    assert_eq!(
        used(&keys(), &["hash"]),
        Err(PlanError::UnusedSourceKey(born))
    );
    let absent = keys_of(&["absent"]);
    assert!(used(&absent, &["hash", "note"]).is_err());
    let mut unnamed = keys_of(&["hashed"]);
    unnamed.set_default(key());
    assert_eq!(used(&unnamed, &["hash", "born-hash"]), Ok(()));
    assert_eq!(
        used(&unnamed, &["hash", "note"]),
        Err(PlanError::UnusedDefaultKey)
    );
    assert_eq!(used(&SourceKeys::default(), &[]), Ok(()));
}

#[test]
fn only_what_a_custodian_issued_is_sent_back_to_it_and_what_is_missing_stays_missing() {
    let sent = |value: &[u8]| {
        let mut out = Vec::new();
        SendStep::Issued.apply(value, &mut out).map(|()| out)
    };
    assert_eq!(sent(b""), Ok(Vec::new()));
    assert_eq!(sent(b"950000012"), Err(Reason::MalformedPseudonym));
    assert_eq!(sent(b"enc1"), Err(Reason::MalformedCiphertext));
    let short = b"psn1ceaqeayeaaisem2ekvthpcezvk54zxpo7525xljn";
    let carried = b"psn1ciaqeayeaaisem2ekvthpcezvk54zxpo77765xomxovjtcdxmzkuimzcceagltesxq";
    for token in [&short[..], carried] {
        assert_eq!(sent(token), Ok(token.to_vec()));
        let cut = &token[..token.len() - 1];
        assert_eq!(sent(cut), Err(Reason::MalformedPseudonym));
    }
}
