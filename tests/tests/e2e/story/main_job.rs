//! The demo's story at small scale, with everything that it shows asserted.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sluis_domain::date::Date;
use sluis_testkit_daemon::scene::Scene;

use super::{SOURCE_KEY, bsns, column, exits, json, pseudonymise};

const STUDY: &str = "diabetes-study";
const REGISTRY: &str = "national-registry";

#[test]
fn the_main_job_from_records_to_the_audit_log() {
    let mut scene = Scene::start("");
    records_become_pseudonyms(&scene);
    one_patient_one_pseudonym_per_chain(&scene);
    let convert = conversion_needs_both_owners(&scene);
    let reidentify = three_are_called_in_after_two_stewards_agreed(&scene);
    let release = a_release_is_shuffled(&scene);
    rotation_makes_other_pseudonyms_and_old_ones_lead_to_them(&scene);
    let backup = json(&scene.sluis("custodian/anna").ok(&["backup", "--json"]));
    assert!(
        std::path::Path::new(backup["directory"].as_str().expect("text")).is_dir()
            && backup["bytes"].as_u64() > Some(0)
    );
    members_and_custodians_see_their_part(&scene);
    everything_is_on_record(&scene, &convert, &reidentify, &release);
    let (exit, log) = scene.stop();
    assert_eq!(exit, Some(0), "{log}");
}

fn records_become_pseudonyms(scene: &Scene) {
    let files = scene.file("");
    let made = json(&scene.sluis("gp-south/etl").ok(&[
        "dev",
        "sample-data",
        &files,
        "--patients",
        "200",
        "--json",
    ]));
    assert_eq!(made["known_to_both"], 60);
    for (member, chain, input, output) in [
        (
            "hospital-north/etl",
            STUDY,
            "hospital-north.csv",
            "study-north.csv",
        ),
        ("gp-south/etl", STUDY, "gp-south.csv", "study-south.csv"),
        (
            "hospital-north/etl",
            REGISTRY,
            "hospital-north.csv",
            "registry-north.csv",
        ),
    ] {
        let summary = pseudonymise(scene, member, chain, input, output);
        for (key, value) in [("rows", 130), ("written", 130), ("rejected", 0)] {
            assert_eq!(summary[key], value, "{summary}");
        }
        assert_eq!(
            (&summary["command"], &summary["subject"]),
            (&"pseudonymise".into(), &chain.into())
        );
    }
    let (input, output) = (
        scene.read("hospital-north.csv"),
        scene.read("study-north.csv"),
    );
    assert!(
        output.starts_with("bsn,email,name,birth_date,postcode,diagnosis,visit_date\n"),
        "city is dropped"
    );
    assert_eq!(
        column(&output, ',', "diagnosis"),
        column(&input, ',', "diagnosis"),
        "kept"
    );
    let coarse: Vec<_> = column(&input, ',', "postcode")
        .iter()
        .map(|code| code[..4].to_owned())
        .collect();
    assert_eq!(column(&output, ',', "postcode"), coarse);
    assert!(
        column(&output, ',', "birth_date")
            .iter()
            .all(|band| band.len() <= 7 && band.contains(['-', '+']))
    );
    assert!(
        column(&output, ',', "name")
            .iter()
            .all(|text| text.starts_with("enc1"))
    );
    dates_are_shifted_by_patient(&input, &output);
    let registry = scene.read("registry-north.csv");
    assert!(registry.starts_with("bsn,birth_date,diagnosis\n"));
    let years: Vec<_> = column(&input, ',', "birth_date")
        .iter()
        .map(|date| date[..4].to_owned())
        .collect();
    assert_eq!(column(&registry, ',', "birth_date"), years);
}

fn dates_are_shifted_by_patient(input: &str, output: &str) {
    let date = |text: &String| Date::parse(text.as_bytes()).expect("a date");
    let before = column(input, ',', "visit_date");
    let after = column(output, ',', "visit_date");
    let shift = |(before, after): (&String, &String)| {
        (-30..=30)
            .find(|days| date(before).shift(*days).ok() == Some(date(after)))
            .expect("within 30 days")
    };
    let shifts: HashSet<i64> = before.iter().zip(&after).map(shift).collect();
    assert!(
        shifts.len() > 20,
        "130 patients are shifted by different numbers of days: {shifts:?}"
    );
}

fn one_patient_one_pseudonym_per_chain(scene: &Scene) {
    let (north, south) = (scene.read("hospital-north.csv"), scene.read("gp-south.csv"));
    let study_north = scene.read("study-north.csv");
    let study_south = scene.read("study-south.csv");
    for element in ["bsn", "email"] {
        let at = |input: &str, delimiter, output: &str| -> HashMap<String, String> {
            column(input, delimiter, "bsn")
                .into_iter()
                .zip(column(output, delimiter, element))
                .collect()
        };
        let (by_north, by_south) = (at(&north, ',', &study_north), at(&south, ';', &study_south));
        let both: Vec<_> = by_north
            .keys()
            .filter(|bsn| by_south.contains_key(*bsn))
            .collect();
        assert_eq!(both.len(), 60);
        assert!(
            both.iter().all(|bsn| by_north[*bsn] == by_south[*bsn]),
            "{element}: same patient, same pseudonym"
        );
        let distinct: HashSet<_> = by_north.values().chain(by_south.values()).collect();
        assert_eq!(
            distinct.len(),
            200,
            "{element}: different patients, different pseudonyms"
        );
    }
    let study: HashSet<_> = column(&study_north, ',', "bsn").into_iter().collect();
    let registry = column(&scene.read("registry-north.csv"), ',', "bsn");
    assert!(
        registry.iter().all(|token| !study.contains(token)),
        "another chain, another pseudonym"
    );
}

fn conversion_needs_both_owners(scene: &Scene) -> String {
    let office = scene.sluis("registry-office/etl");
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "500",
    ];
    let grant = scene.grant("registry-office/etl", &terms, &[]);
    let tokens = column(&scene.read("study-north.csv"), ',', "bsn").join("\n");
    let input = scene.write("study-tokens.csv", format!("bsn\n{tokens}\n"));
    let output = scene.file("converted.csv");
    let convert = ["convert", &input, "--grant", &grant, "-o", &output];
    assert!(exits(&office.run(&convert), 1).contains("GRANT_NOT_APPROVED"));
    for refused in [
        "registry-office/etl",
        "custodian/anna",
        "outsider/steward-x",
    ] {
        exits(
            &scene
                .sluis(refused)
                .run(&["grant", "approve", &grant, "--yes"]),
            1,
        );
    }
    scene
        .sluis("uni-research/steward-1")
        .ok(&["grant", "approve", &grant, "--yes"]);
    let other = scene
        .sluis("uni-research/steward-2")
        .run(&["grant", "approve", &grant, "--yes"]);
    assert!(
        exits(&office.run(&convert), 1).contains("GRANT_NOT_APPROVED"),
        "two of one owner: {other:?}"
    );
    scene
        .sluis("registry-office/steward-a")
        .ok(&["grant", "approve", &grant, "--yes"]);
    office.ok(&convert);
    let direct = column(&scene.read("registry-north.csv"), ',', "bsn");
    assert_eq!(
        column(&scene.read("converted.csv"), ',', "bsn"),
        direct,
        "conversion gives what direct submission gives"
    );
    grant
}

fn three_are_called_in_after_two_stewards_agreed(scene: &Scene) -> String {
    let doctor = scene.sluis("hospital-north/doctor");
    let terms = [
        "reidentify",
        "--chain",
        STUDY,
        "--element",
        "bsn",
        "--element",
        "name",
        "--max-values",
        "6",
    ];
    let grant = scene.grant("hospital-north/doctor", &terms, &["uni-research/steward-1"]);
    let study = scene.read("study-north.csv");
    let three: Vec<_> = study
        .lines()
        .take(4)
        .map(|line| line.split(',').take(3).collect::<Vec<_>>().join(","))
        .collect();
    let input = scene.write("to-call.csv", three.join("\n"));
    let output = scene.file("called.csv");
    let reidentify = ["reidentify", &input, "--grant", &grant, "-o", &output];
    assert!(exits(&doctor.run(&reidentify), 1).contains("GRANT_NOT_APPROVED"));
    scene
        .sluis("uni-research/steward-2")
        .ok(&["grant", "approve", &grant, "--yes"]);
    doctor.ok(&reidentify);
    let (hospital, called) = (scene.read("hospital-north.csv"), scene.read("called.csv"));
    for element in ["bsn", "name"] {
        assert_eq!(
            column(&called, ',', element),
            column(&hospital, ',', element)[..3]
        );
    }
    assert_eq!(
        column(&called, ',', "email"),
        column(&study, ',', "email")[..3],
        "not of the grant: as it was"
    );
    let again = [
        "reidentify",
        &input,
        "--grant",
        &grant,
        "-o",
        &scene.file("again.csv"),
    ];
    assert!(exits(&doctor.run(&again), 1).contains("GRANT_EXHAUSTED"));
    assert!(!scene.files().contains(&"again.csv".to_owned()));
    grant
}

fn a_release_is_shuffled(scene: &Scene) -> String {
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "open-release/person",
        "--order",
        "shuffled",
    ];
    let terms = [&terms[..], &["--max-values", "130"]].concat();
    let grant = scene.grant(
        "uni-research/etl",
        &terms,
        &["uni-research/steward-1", "uni-research/steward-2"],
    );
    let (input, output) = (scene.file("study-north.csv"), scene.file("released.csv"));
    scene
        .sluis("uni-research/etl")
        .ok(&["convert", &input, "--grant", &grant, "-o", &output]);
    let released = scene.read("released.csv");
    assert!(released.starts_with("bsn\n"), "no other column is written");
    let persons = column(&scene.read("hospital-north.csv"), ',', "bsn").join("\n");
    scene.write("persons.csv", format!("person\n{persons}\n"));
    pseudonymise(
        scene,
        "uni-research/etl",
        "open-release",
        "persons.csv",
        "direct.csv",
    );
    let (mut released, mut direct) = (
        column(&released, ',', "bsn"),
        column(&scene.read("direct.csv"), ',', "person"),
    );
    assert_ne!(
        released, direct,
        "130 values in the same order by chance: once in 130! times"
    );
    released.sort();
    direct.sort();
    assert_eq!(released, direct, "the same set");
    grant
}

fn rotation_makes_other_pseudonyms_and_old_ones_lead_to_them(scene: &Scene) {
    let rotated = json(
        &scene
            .sluis("custodian/anna")
            .ok(&["chain", "rotate", REGISTRY, "--yes", "--json"]),
    );
    assert!(
        rotated.to_string().contains("\"generation\":2"),
        "{rotated}"
    );
    let old = column(&scene.read("registry-north.csv"), ',', "bsn");
    pseudonymise(
        scene,
        "hospital-north/etl",
        REGISTRY,
        "hospital-north.csv",
        "registry-rotated.csv",
    );
    let new = column(&scene.read("registry-rotated.csv"), ',', "bsn");
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    let terms = [
        "convert",
        "--from",
        "national-registry/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "130",
    ];
    let approvers = ["registry-office/steward-a", "registry-office/steward-b"];
    let grant = scene.grant("registry-office/etl", &terms, &approvers);
    let (input, output) = (scene.file("registry-north.csv"), scene.file("renewed.csv"));
    scene
        .sluis("registry-office/etl")
        .ok(&["convert", &input, "--grant", &grant, "-o", &output]);
    assert_eq!(
        scene.read("renewed.csv"),
        scene.read("registry-rotated.csv"),
        "all other columns are as they were"
    );
}

fn members_and_custodians_see_their_part(scene: &Scene) {
    let me = json(
        &scene
            .sluis("uni-research/steward-1")
            .ok(&["whoami", "--json"]),
    );
    assert_eq!(
        (&me["organisation_id"], &me["member"]),
        (&"uni-research".into(), &"steward-1".into())
    );
    assert_eq!(me["roles"], serde_json::json!(["steward"]));
    let status = json(&scene.sluis("custodian/anna").ok(&["status", "--json"]));
    assert_eq!(
        (&status["serving"], &status["registry_version"]),
        (&true.into(), &1.into())
    );
    let states = status["key_versions"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|v| v["chain_id"] == REGISTRY);
    let states: HashSet<_> = states
        .map(|v| v["state"].as_str().expect("text").to_owned())
        .collect();
    assert_eq!(
        states,
        HashSet::from(["active".to_owned(), "convert-only".to_owned()])
    );
    exits(&scene.sluis("uni-research/etl").run(&["status"]), 1);
    exits(&scene.sluis("uni-research/etl").run(&["audit", "read"]), 1);
}

fn everything_is_on_record(scene: &Scene, convert: &str, reidentify: &str, release: &str) {
    let text = scene
        .sluis("uni-research/privacy-officer")
        .ok(&["audit", "read", "--json"]);
    let log: Vec<Value> = text.lines().map(json).collect();
    assert!(
        log.iter()
            .enumerate()
            .all(|(i, entry)| entry["sequence"] == i),
        "no gap"
    );
    let find = |act: &str, grant: &str, outcome: &str| {
        let fits =
            |e: &&Value| e["act"] == act && e["grant_id"] == grant && e["outcome"] == outcome;
        log.iter().filter(fits).cloned().collect::<Vec<_>>()
    };
    let batch = |entry: &Value, actor: &str, chain: &str, to: &str, counts: [u64; 3]| {
        let text = [&entry["actor"], &entry["chain_id"], &entry["to_chain_id"]]
            .map(|v| v.as_str().expect("text"));
        assert_eq!(text, [actor, chain, to], "{entry}");
        assert_eq!(
            [&entry["rows"], &entry["values"], &entry["rejected"]]
                .map(|v| v.as_u64().expect("number")),
            counts
        );
        assert_eq!(entry["registry_version"], 1);
        assert_eq!(
            entry["certificate_fingerprint"].as_str().map(str::len),
            Some(64)
        );
    };
    let pseudonymised = find("pseudonymise", "", "done");
    assert_eq!(pseudonymised.len(), 5);
    batch(
        &pseudonymised[0],
        "hospital-north/etl",
        STUDY,
        "",
        [130, 520, 0],
    );
    batch(&pseudonymised[1], "gp-south/etl", STUDY, "", [130, 520, 0]);
    batch(
        &pseudonymised[2],
        "hospital-north/etl",
        REGISTRY,
        "",
        [130, 130, 0],
    );
    let converted = find("convert", convert, "done");
    assert_eq!(
        (converted.len(), &converted[0]["purpose"]),
        (1, &"a test".into())
    );
    batch(
        &converted[0],
        "registry-office/etl",
        STUDY,
        REGISTRY,
        [130, 130, 0],
    );
    assert_eq!(
        converted[0]["grant_digest"].as_str().map(str::len),
        Some(64)
    );
    batch(
        &find("reidentify", reidentify, "done")[0],
        "hospital-north/doctor",
        STUDY,
        "",
        [3, 6, 0],
    );
    batch(
        &find("convert", release, "done")[0],
        "uni-research/etl",
        STUDY,
        "open-release",
        [130, 130, 0],
    );
    for (act, grant, times, reason) in [
        ("convert", convert, 2, "GRANT_NOT_APPROVED"),
        // That the grant has too little left was seen before anything was sent.
        ("reidentify", reidentify, 1, "GRANT_NOT_APPROVED"),
    ] {
        let refused = find(act, grant, "refused");
        assert_eq!(
            (refused.len(), refused[0]["reason"].as_str()),
            (times, Some(reason)),
            "{refused:?}"
        );
    }
    assert_eq!(find("grant-approve", convert, "done").len(), 2);
    for act in ["initialise", "registry-apply", "chain-rotate", "backup"] {
        assert_eq!(find(act, "", "done").len(), 1, "{act}");
    }
    assert_eq!(
        find("status-read", "", "refused").len() + find("audit-read", "", "refused").len(),
        2
    );
}

#[test]
fn promise_9_the_same_identifier_has_the_same_token_after_a_restart() {
    let mut scene = Scene::start("");
    let ids: Vec<_> = bsns().take(100).collect();
    scene.write(
        "in.csv",
        format!(
            "bsn,email\n{}\n",
            ids.iter()
                .map(|i| format!("{i},p{i}@x.org"))
                .collect::<Vec<_>>()
                .join("\n")
        ),
    );
    pseudonymise(&scene, "hospital-north/etl", STUDY, "in.csv", "before.csv");
    assert_eq!(scene.stop().0, Some(0));
    scene.start_again();
    pseudonymise(&scene, "gp-south/etl", STUDY, "in.csv", "after.csv");
    assert_eq!(scene.read("before.csv"), scene.read("after.csv"));
    assert_eq!(scene.stop().0, Some(0));
    // The keys of the store, applied by the crate that the published vectors check, give the same tokens.
    let tokens = column(&scene.read("before.csv"), ',', "bsn");
    let line = super::irreversible::line(&scene, STUDY, "nl.bsn");
    for (identifier, token) in ids.iter().zip(tokens) {
        let mut computed = Vec::new();
        let pseudonym = line
            .pseudonym
            .pseudonym(&line.linked.link_value(identifier.as_bytes()));
        sluis_crypto::token::write_text(line.info().kid, &pseudonym, &mut computed);
        assert_eq!(token.as_bytes(), computed);
    }
}

#[test]
fn a_prehash_email_has_one_token_per_source_key_whoever_sends_it() {
    let scene = Scene::start("");
    scene.write("in.csv", "email\nAnna.Bakker@Example.org\n");
    scene.write("same.csv", "email\n anna.bakker@example.org \n");
    pseudonymise(&scene, "hospital-north/etl", STUDY, "in.csv", "north.csv");
    pseudonymise(&scene, "gp-south/etl", STUDY, "same.csv", "south.csv");
    assert_eq!(scene.read("north.csv"), scene.read("south.csv"));
    let other = scene.write("other.key", SOURCE_KEY.replace("00", "01"));
    let (input, output) = (scene.file("in.csv"), scene.file("other.csv"));
    let arguments = [
        "pseudonymise",
        &input,
        "--chain",
        STUDY,
        "--source-key",
        &other,
        "-o",
        &output,
    ];
    scene.sluis("gp-south/etl").ok(&arguments);
    assert_ne!(scene.read("other.csv"), scene.read("north.csv"));
    let without = scene
        .sluis("gp-south/etl")
        .run(&["pseudonymise", &input, "--chain", STUDY]);
    assert!(exits(&without, 2).contains("--source-key"));
}
