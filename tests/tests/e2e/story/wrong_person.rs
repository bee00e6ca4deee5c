//! Promise 7 at the command line: what only looks like an identifier, a name or a date is refused or missing, and never
//! becomes another person.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sluis_testkit::registry::{CUSTODIANS, registry};
use sluis_testkit_daemon::scene::Scene;

use super::{bsns, column, exits, json, key_of, pseudonymise};

const STUDY: &str = "diabetes-study";
const NORTH: &str = "hospital-north/etl";

/// A chain with one namespace of each other kind, which lists its own words in one of them.
const KINDS: &str = r#"
[[namespace]]
id = "person.name"
identifier = "text"
input = "plain"

[[namespace]]
id = "person.name-at-source"
identifier = "text"
input = "prehash"

[[namespace]]
id = "person.code"
identifier = "opaque"
input = "plain"
missing = ["n.v.t."]

[[namespace]]
id = "uk.nhs-number"
identifier = "uk-nhs-number"
input = "plain"

[[namespace]]
id = "bank.iban"
identifier = "iban"
input = "plain"

[[chain]]
id = "kinds"
owner = "uni-research"
sources = ["hospital-north"]
recipients = ["uni-research"]

[[chain.namespace]]
id = "person.name"

[[chain.namespace]]
id = "person.name-at-source"

[[chain.namespace]]
id = "person.code"

[[chain.namespace]]
id = "uk.nhs-number"

[[chain.namespace]]
id = "bank.iban"

[[chain.element]]
name = "name"
treatment = "pseudonym"
namespace = "person.name"

[[chain.element]]
name = "hashed"
treatment = "pseudonym"
namespace = "person.name-at-source"

[[chain.element]]
name = "code"
treatment = "pseudonym"
namespace = "person.code"

[[chain.element]]
name = "nhs"
treatment = "pseudonym"
namespace = "uk.nhs-number"

[[chain.element]]
name = "iban"
treatment = "pseudonym"
namespace = "bank.iban"

[[chain.element]]
name = "row"
treatment = "keep"
"#;

fn scene_of_kinds() -> Scene {
    let scene = Scene::start("");
    let stewards = ["uni-research/steward-1", "uni-research/steward-2"];
    let signers = [&CUSTODIANS[..], &stewards].concat();
    scene.apply(format!("{}{KINDS}", registry()), &signers);
    scene
}

/// Pseudonymises rows of which some are refused: the output, and the reason for each refused line.
fn refused(
    scene: &Scene,
    chain: &str,
    header: &str,
    rows: &[String],
) -> (String, BTreeMap<usize, String>) {
    let keys = key_of(scene, chain, header);
    let input = scene.write("in.csv", format!("{header}\n{}\n", rows.join("\n")));
    let (output, rejects) = (scene.file("out.csv"), scene.file("rejects.csv"));
    let mut arguments = vec!["pseudonymise", &input, "--chain", chain, "-o", &output];
    arguments.extend(["--rejects", &rejects, "--force"]);
    arguments.extend(keys.iter().map(String::as_str));
    exits(&scene.sluis(NORTH).run(&arguments), 3);
    let reasons = scene.read("rejects.csv");
    let lines = column(&reasons, ',', "line");
    let reasons = column(&reasons, ',', "reason");
    let lines = lines.iter().map(|line| line.parse().expect("a number"));
    (scene.read("out.csv"), lines.zip(reasons).collect())
}

/// Each row is one value; the reason for each of them.
fn reasons(scene: &Scene, chain: &str, header: &str, values: &[(&str, &str)]) {
    let rows: Vec<String> = values
        .iter()
        .map(|(value, _)| (*value).to_owned())
        .collect();
    let (output, reasons) = refused(scene, chain, header, &rows);
    let expected: BTreeMap<usize, String> = values
        .iter()
        .enumerate()
        .map(|(row, (_, reason))| (row + 2, (*reason).to_owned()))
        .collect();
    assert_eq!(reasons, expected);
    assert_eq!(output.lines().count(), 1, "the header and no row");
}

#[test]
fn a_spreadsheets_number_never_gets_another_persons_pseudonym() {
    let scene = scene_of_kinds();
    // What the digits of the first would be, if its point vanished, is a valid number.
    scene.write("one.csv", "bsn\n100001610\n");
    pseudonymise(&scene, NORTH, STUDY, "one.csv", "one-out.csv");
    reasons(
        &scene,
        STUDY,
        "bsn",
        &[
            ("10000161.0", "NUMBER_AS_DECIMAL"),
            ("\"10000161,0\"", "NUMBER_AS_DECIMAL"),
            ("1000016.10", "NUMBER_AS_DECIMAL"),
            ("100001610.", "NUMBER_AS_DECIMAL"),
            ("1.0000161E+8", "NUMBER_IN_SCIENTIFIC_NOTATION"),
            ("\"100,001,610\"", "MISPLACED_SEPARATOR"),
            ("31-12-1984", "NUMBER_AS_DATE"),
            ("'100001610", "NUMBER_IN_QUOTES"),
            ("+100001610", "NUMBER_WITH_SIGN"),
            ("100001610\u{200b}", "INVISIBLE_CHARACTER"),
            ("100\u{a0}001\u{a0}610", "INVISIBLE_CHARACTER"),
            ("\u{ff11}00001610", "FOREIGN_DIGITS"),
            ("111111111", "PLACEHOLDER_NUMBER"),
            ("100001611", "INVALID_CHECKSUM"),
        ],
    );
    reasons(
        &scene,
        "kinds",
        "nhs",
        &[
            ("943476591.9", "NUMBER_AS_DECIMAL"),
            ("9.434765919E9", "NUMBER_IN_SCIENTIFIC_NOTATION"),
            ("9999999999", "PLACEHOLDER_NUMBER"),
            ("943.476.5919", "MISPLACED_SEPARATOR"),
        ],
    );
    reasons(
        &scene,
        "kinds",
        "iban",
        &[
            ("N L91ABNA0417164300", "MISPLACED_SEPARATOR"),
            ("NL91ABNA0417164300\u{ad}", "INVISIBLE_CHARACTER"),
        ],
    );
    reasons(
        &scene,
        STUDY,
        "email",
        &[
            ("ada@example.org\u{200b}", "INVISIBLE_CHARACTER"),
            ("\u{feff}ada@example.org.", "INVISIBLE_CHARACTER"),
            ("Ada <ada@example.org>", "INVALID_IDENTIFIER"),
            ("ada@example@org", "INVALID_IDENTIFIER"),
        ],
    );
}

#[test]
fn a_thousand_people_without_a_name_are_not_one_person() {
    let scene = scene_of_kinds();
    let words = [
        "NULL", "null", "Null", "NA", "N/A", "n/a", "NaN", "nan", "None", "\\N", "-", "?", "\" \"",
        "\"\"", "\u{200b}",
    ];
    let rows: Vec<String> = (0..1_000)
        .map(|row| format!("{row},{0},{0},{1}", words[row % words.len()], "n.v.t."))
        .chain(["1000,Ada Lovelace,Ada Lovelace,A-1".to_owned()])
        .collect();
    scene.write(
        "in.csv",
        format!("row,name,hashed,code\n{}\n", rows.join("\n")),
    );
    let summary = pseudonymise(&scene, NORTH, "kinds", "in.csv", "out.csv");
    assert_eq!(count(&summary, "rejected"), 0, "{summary}");
    let output = scene.read("out.csv");
    for name in ["name", "hashed", "code"] {
        let tokens = column(&output, ',', name);
        let present: Vec<usize> = (0..tokens.len())
            .filter(|row| tokens[*row].starts_with("psn1"))
            .collect();
        assert_eq!(present, [1_000], "{name}");
        assert!(tokens[..1_000].iter().all(String::is_empty), "{name}");
    }
    // A namespace that lists its own words has no others.
    scene.write("in.csv", "row,code\n1,NULL\n2,N.V.T.\n");
    pseudonymise(&scene, NORTH, "kinds", "in.csv", "out.csv");
    let codes = column(&scene.read("out.csv"), ',', "code");
    assert!(
        codes[0].starts_with("psn1") && codes[1].is_empty(),
        "{codes:?}"
    );
}

/// A number of the summary.
fn count(summary: &Value, name: &str) -> u64 {
    summary[name].as_u64().unwrap_or_default()
}

#[test]
fn a_word_for_what_is_missing_is_nobody_who_could_be_erased() {
    let scene = scene_of_kinds();
    for (namespace, word) in [
        ("person.name", "NULL"),
        ("nl.bsn", "N/A"),
        ("person.code", "n.v.t."),
    ] {
        let file = scene.write("id.txt", format!("{word}\n"));
        let arguments = [
            "subject",
            "erase",
            "--namespace",
            namespace,
            "--identifier-file",
            &file,
            "--json",
        ];
        let answer = scene.sluis(NORTH).run(&arguments);
        assert!(!answer.status.success(), "{namespace}");
    }
}

#[test]
fn an_old_pseudonym_that_is_a_word_for_what_is_missing_is_imported_for_nobody() {
    let scene = Scene::start("");
    let rows: Vec<String> = bsns()
        .take(6)
        .zip(["P-1", "NULL", "null", "-", "P-2", "N/A"])
        .map(|(bsn, old)| format!("{bsn},{old}"))
        .collect();
    let input = scene.write("old.csv", format!("bsn,old\n{}\n", rows.join("\n")));
    let rejects = scene.file("rejects.csv");
    let output = scene.file("imported.csv");
    let arguments = [
        "import",
        &input,
        "--chain",
        "national-registry",
        "--element",
        "bsn",
        "--old",
        "old",
        "-o",
        &output,
        "--rejects",
        &rejects,
    ];
    exits(&scene.sluis(NORTH).run(&arguments), 3);
    let reasons = column(&scene.read("rejects.csv"), ',', "reason");
    assert_eq!(reasons, ["MISSING_IMPORT"; 4]);
}

#[test]
fn a_date_that_everybody_knows_does_not_tell_how_far_dates_are_shifted() {
    let scene = Scene::start("");
    let known = ["9999-12-31", "1900-01-01", "0001-01-01"];
    let bsns: Vec<String> = bsns().take(120).collect();
    let rows: Vec<String> = bsns
        .iter()
        .flat_map(|bsn| {
            known
                .iter()
                .chain(&["2026-02-01"])
                .map(move |date| format!("{bsn},{date}"))
        })
        .collect();
    scene.write("in.csv", format!("bsn,visit_date\n{}\n", rows.join("\n")));
    pseudonymise(&scene, NORTH, STUDY, "in.csv", "out.csv");
    let shifted = column(&scene.read("out.csv"), ',', "visit_date");
    assert_eq!(shifted.len(), rows.len());
    for subject in shifted.chunks(4) {
        assert_eq!(subject[..3], known, "placeholders stay as they are");
        assert_ne!(subject[3], "2026-02-01", "nobody keeps a true date");
    }
    let distinct: BTreeSet<&String> = shifted.iter().skip(3).step_by(4).collect();
    assert!(distinct.len() > 20, "{distinct:?}");

    let implausible = ["9999-12-30", "0001-01-02", "1849-12-31", "2151-01-01"];
    let rows: Vec<String> = implausible
        .iter()
        .map(|date| format!("{},{date}", bsns[0]))
        .collect();
    let (output, reasons) = refused(&scene, STUDY, "bsn,visit_date", &rows);
    assert_eq!(output.lines().count(), 1);
    assert!(
        reasons.values().all(|reason| reason == "IMPLAUSIBLE_DATE"),
        "{reasons:?}"
    );
    assert_eq!(reasons.len(), implausible.len());
}

#[test]
fn the_oldest_are_one_band_and_impossible_ages_are_refused() {
    let scene = Scene::start("");
    let births = [
        "1985-06-01",
        "1936-01-01",
        "1900-01-01",
        "1886-01-01",
        "1880-01-01",
        "0001-01-01",
        "2026-01-02",
    ];
    let rows: Vec<String> = bsns()
        .zip(births)
        .map(|(bsn, birth)| format!("{bsn},{birth}"))
        .collect();
    let (output, reasons) = refused(&scene, STUDY, "bsn,birth_date", &rows);
    assert_eq!(
        column(&output, ',', "birth_date"),
        ["40-49", "90+", "90+", "90+"]
    );
    let reasons: Vec<(usize, &str)> = reasons
        .iter()
        .map(|(line, reason)| (*line, reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            (6, "IMPLAUSIBLE_DATE"),
            (7, "IMPLAUSIBLE_DATE"),
            (8, "IMPLAUSIBLE_DATE")
        ]
    );
}

#[test]
fn a_placeholder_in_a_row_without_a_subject_stays() {
    let scene = Scene::start("");
    scene.write("in.csv", "bsn,visit_date\nNULL,9999-12-31\n");
    pseudonymise(&scene, NORTH, STUDY, "in.csv", "out.csv");
    assert_eq!(scene.read("out.csv"), "bsn,visit_date\n,9999-12-31\n");
    let (_, reasons) = refused(
        &scene,
        STUDY,
        "bsn,visit_date",
        &["-,2026-01-01".to_owned()],
    );
    assert_eq!(reasons.get(&2).map(String::as_str), Some("NO_SUBJECT"));
}

#[test]
fn the_custodian_says_which_words_and_dates_are_none() {
    let scene = scene_of_kinds();
    let shown = json(&scene.sluis(NORTH).ok(&["chain", "list", "kinds", "--json"]));
    let words = shown["chains"][0]["namespaces"].as_array().expect("a list");
    assert!(
        words.iter().any(|n| n["missing_words"][0] == "n.v.t."),
        "{shown}"
    );
    assert!(
        words.iter().any(|n| n["missing_words"][6] == "\\N"),
        "{shown}"
    );
}
