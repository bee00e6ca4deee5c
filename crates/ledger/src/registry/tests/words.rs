//! Words for what is missing, placeholders, plausible dates and the top of ages.

use super::*;
use crate::registry::{Treatment, diff};
use sluis_domain::generalise::Generalisation;
use sluis_domain::identifier::{DEFAULT_WORDS, MAX_WORDS};

const BSN: &str = "identifier = \"nl-bsn\"";
const MISSING: &str = "namespace[nl.bsn].missing";

fn with_words(list: &str) -> String {
    edited(BSN, &format!("{BSN}\nmissing = {list}"))
}

fn words_of(text: &str) -> Vec<String> {
    let registry = parse(text).expect("valid");
    let namespace = registry.namespace(&"nl.bsn".parse().expect("an id"));
    namespace.expect("there").missing().words().to_vec()
}

/// The treatment of the element `remark` with these keys.
fn remark(keys: &str) -> Result<Treatment, Vec<Problem>> {
    let text = edited("treatment = \"keep\"", keys);
    let registry = parse(&text)?;
    let chain = registry.chains().next().expect("one chain");
    let element = chain.element(&"remark".parse().expect("an id"));
    Ok(element.expect("there").treatment().clone())
}

fn shift(keys: &str) -> Result<Treatment, Vec<Problem>> {
    remark(&format!(
        "treatment = \"date-shift\"\nsubject = \"bsn\"\nmax_days = 30\n{keys}"
    ))
}

#[test]
fn a_namespace_lists_its_words_or_has_the_usual_ones() {
    assert_eq!(words_of(SMALL), DEFAULT_WORDS);
    assert_eq!(words_of(&with_words("[]")), [""; 0]);
    assert_eq!(
        words_of(&with_words("[\"onbekend\", '\\N', \"123456782\"]")),
        ["onbekend", "\\N", "123456782"]
    );
}

#[test]
fn a_word_that_never_fits_is_refused() {
    for (list, message) in [
        ("[\"\"]", "always missing"),
        ("[\" \"]", "always missing"),
        ("[\"NULL \"]", "white space around it"),
        ("[\"a\\u0000b\"]", "control character"),
        ("[\"NULL\", \"NULL\"]", "listed twice"),
    ] {
        refused(&with_words(list), "missing = ", MISSING, message);
    }
    let long = format!("[\"{}\"]", "x".repeat(65));
    refused(&with_words(&long), "missing = ", MISSING, "longer than");
    let many: Vec<String> = (0..=MAX_WORDS).map(|n| format!("\"w{n}\"")).collect();
    let many = format!("[{}]", many.join(", "));
    refused(&with_words(&many), "missing = ", MISSING, "at most");
    let found = problems(&with_words("\"NULL\""));
    assert!(found[0].message.contains("list of texts"), "{}", found[0]);
}

#[test]
fn a_change_of_words_is_shown() {
    let told = |old: &str, new: &str| -> Vec<String> {
        let changes = diff(&parse(old).expect("valid"), &parse(new).expect("valid"));
        changes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(SMALL, &with_words("[\"x, y\", \"z\"]")),
        ["+ namespace[nl.bsn].missing: \"x, y\", \"z\""]
    );
    assert_eq!(
        told(&with_words("[]"), SMALL),
        ["- namespace[nl.bsn].missing: (no word)"]
    );
    let dates =
        "max_days = 30\nplaceholders = [1970-01-01]\nplausible = [\"1900-01-01\", 2030-12-31]";
    assert_eq!(
        told(SMALL, &edited("max_days = 30", dates)),
        [
            "~ chain[diabetes-study].element[visit]: date-shift subject=bsn max_days=30 -> date-shift subject=bsn \
             max_days=30 placeholders=1970-01-01 plausible=1900-01-01..2030-12-31"
        ]
    );
    let none = "max_days = 30\nplaceholders = []";
    assert!(told(SMALL, &edited("max_days = 30", none))[0].ends_with("placeholders=none"));
}

#[test]
fn a_date_shift_has_placeholders_and_plausible_dates_without_being_told() {
    let Ok(Treatment::DateShift { shift, .. }) = shift("") else {
        panic!("a date shift")
    };
    let day = |text: &str| sluis_domain::date::Date::parse(text.as_bytes()).expect("a date");
    for text in ["9999-12-31", "1900-01-01", "0001-01-01"] {
        assert_eq!(shift.moves(day(text)), Ok(false), "{text}");
    }
    assert_eq!(
        shift.moves(day("9999-12-30")),
        Err(sluis_domain::Reason::ImplausibleDate)
    );
}

#[test]
fn dates_that_a_treatment_lists_are_checked() {
    let path = |key: &str| format!("chain[diabetes-study].element[remark].{key}");
    for (keys, key, message) in [
        (
            "placeholders = [\"1900-13-01\"]",
            "placeholders",
            "is not a date",
        ),
        (
            "placeholders = [1900-01-01, 1900-01-01]",
            "placeholders",
            "listed twice",
        ),
        (
            "placeholders = 1900-01-01",
            "placeholders",
            "a list of dates",
        ),
        ("placeholders = [true]", "placeholders", "a list of dates"),
        ("plausible = [1900-01-01]", "plausible", "two dates"),
        ("plausible = []", "plausible", "two dates"),
        (
            "plausible = [2000-01-01, 1999-12-31]",
            "plausible",
            "is after",
        ),
        (
            "plausible = [\"x\", 1999-12-31]",
            "plausible",
            "is not a date",
        ),
        ("top = 90", "top", "takes no `top`"),
    ] {
        let found = shift(keys).expect_err(keys);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].path, path(key));
        assert!(found[0].message.contains(message), "{}", found[0]);
    }
    for (keys, key) in [
        (
            "to = \"prefix\"\nlength = 4\nplaceholders = []",
            "placeholders",
        ),
        (
            "to = \"band\"\nwidth = 4\nplaceholders = []",
            "placeholders",
        ),
        ("to = \"year\"\nplausible = []", "plausible"),
        ("to = \"year\"\ntop = 90", "top"),
    ] {
        let found = remark(&format!("treatment = \"generalise\"\n{keys}")).expect_err(keys);
        assert!(
            found.iter().any(|problem| problem.path == path(key)),
            "{found:#?}"
        );
    }
    let kept = remark("treatment = \"keep\"\nplaceholders = []").expect_err("keep");
    assert_eq!(kept[0].path, path("placeholders"));
}

#[test]
fn ages_have_a_top_without_being_told() {
    let band = "treatment = \"generalise\"\nto = \"age-band\"\nwidth = 10\nreference = 2026-01-01";
    let top = |keys: &str| match remark(&format!("{band}\n{keys}")) {
        Ok(Treatment::Generalise(how)) => match how.to {
            Generalisation::AgeBand { top, .. } => Some(top),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(top(""), Some(90));
    assert_eq!(top("top = 85"), Some(85));
    assert_eq!(top("top = 140\nplaceholders = [9999-12-31]"), Some(140));
    for bad in ["top = 0", "top = 141", "top = \"90\""] {
        assert_eq!(top(bad), None, "{bad}");
    }
}
