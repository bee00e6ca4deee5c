//! Words that stand for what is missing.

use super::*;

fn rules(kind: IdentifierKind, words: &[&str]) -> IdentifierRules {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    IdentifierRules::new(kind, Checksum::Strict, words)
}

fn outcome(rules: &IdentifierRules, value: &str) -> Result<bool, Reason> {
    let mut out = WipedBuffer::default();
    let outcome = rules.normalise(value.as_bytes(), &mut out);
    assert_eq!(out.is_empty(), outcome != Ok(true), "{value:?}");
    outcome
}

#[test]
fn a_thousand_people_named_null_are_not_one_person() {
    for kind in IdentifierKind::ALL {
        let rules = rules(kind, &DEFAULT_WORDS);
        for word in DEFAULT_WORDS {
            for value in [
                word.to_owned(),
                word.to_lowercase(),
                word.to_uppercase(),
                format!(" {word}\t"),
                format!("{word}\r\n"),
            ] {
                assert!(rules.missing().is_missing(value.as_bytes()), "{value:?}");
                assert_eq!(outcome(&rules, &value), Ok(false), "{kind} {value:?}");
            }
        }
        for blank in ["", " ", "\t", "\r\n", " \n "] {
            assert!(rules.missing().is_missing(blank.as_bytes()));
            assert_eq!(outcome(&rules, blank), Ok(false), "{kind} {blank:?}");
        }
    }
}

#[test]
fn a_text_that_folds_to_a_word_is_missing() {
    let rules = rules(IdentifierKind::Text, &DEFAULT_WORDS);
    for value in [
        "\u{ff2e}\u{ff35}LL",
        "N\u{200b}ULL",
        "\u{a0}null",
        "\u{ff0d}",
        "\u{ff1f}",
    ] {
        assert_eq!(outcome(&rules, value), Ok(false), "{value:?}");
    }
    for value in ["nullable", "Mr Null", "--", "n a", "\u{2013}"] {
        assert_eq!(outcome(&rules, value), Ok(true), "{value:?}");
    }
}

#[test]
fn a_word_may_be_a_valid_identifier_in_any_spelling() {
    let bsn = rules(IdentifierKind::NlBsn, &["123456782"]);
    for value in ["123456782", "1234.56.782", " 123 456 782 "] {
        assert_eq!(outcome(&bsn, value), Ok(false), "{value}");
    }
    assert_eq!(outcome(&bsn, "111222333"), Ok(true));
    assert_eq!(outcome(&bsn, "NULL"), Err(Reason::InvalidIdentifier));
    let mail = rules(IdentifierKind::Email, &["NoReply@example.org"]);
    assert_eq!(outcome(&mail, "\u{a0}noreply@EXAMPLE.org"), Ok(false));
    let date = rules(IdentifierKind::Date, &["1900-01-01"]);
    assert_eq!(outcome(&date, "1900-01-01"), Ok(false));
}

#[test]
fn a_namespace_without_words_has_none() {
    for value in ["NULL", "-", "?"] {
        assert_eq!(outcome(&rules(IdentifierKind::Text, &[]), value), Ok(true));
        let opaque = rules(IdentifierKind::Opaque, &[]);
        assert!(!opaque.missing().is_missing(value.as_bytes()));
        assert_eq!(outcome(&opaque, value), Ok(true));
    }
}
