//! Files that are not what they should be: a clear message, no output, nothing left behind, no value shown.

use sluis_testkit_daemon::scene::Scene;

use super::{bsns, exits};

/// Not a BSN, and nowhere else.
const VALUE: &str = "SECRET-4711";

#[test]
fn a_bad_file_is_refused_and_leaves_nothing() {
    let scene = Scene::start("");
    let good = bsns().next().expect("endless");
    let north = scene.sluis("hospital-north/etl");
    let cases: &[(&str, Vec<u8>, &str)] = &[
        (
            "a row too short",
            format!("bsn,diagnosis\n{good},A\n{VALUE}\n").into(),
            "line 3: 1 fields",
        ),
        (
            "a row too long",
            format!("bsn,diagnosis\n{good},A,{VALUE}\n").into(),
            "line 2: 3 fields",
        ),
        ("an empty file", Vec::new(), "is empty"),
        ("lines without anything", b"\r\n\n".to_vec(), "is empty"),
        (
            "the same header twice",
            format!("bsn,bsn\n{VALUE},{VALUE}\n").into(),
            "two columns",
        ),
        (
            "a column the chain does not list",
            format!("bsn,shoe_size\n{good},{VALUE}\n").into(),
            "\"shoe_size\"",
        ),
        (
            "a column without a name",
            format!("bsn,\n{good},{VALUE}\n").into(),
            "UNKNOWN_ELEMENT",
        ),
        (
            "an open quote",
            format!("bsn,diagnosis\n{good},\"{VALUE}\n").into(),
            "line 2",
        ),
        (
            "text after a quote",
            format!("bsn,diagnosis\n{good},\"A\"{VALUE}\n").into(),
            "line 2",
        ),
        (
            "a bare carriage return",
            format!("bsn,diagnosis\n{good},A\r{VALUE},B\n").into(),
            "line 2",
        ),
        (
            "UTF-16",
            "bsn\n".encode_utf16().fold(vec![0xff, 0xfe], |mut b, u| {
                b.extend(u.to_le_bytes());
                b
            }),
            "UTF-16",
        ),
        (
            "only columns that are dropped",
            format!("city\n{VALUE}\n").into(),
            "no column is left",
        ),
        (
            "no header line, the same value twice",
            format!("{good},{good}\n").into(),
            "two columns",
        ),
        (
            "no header line",
            format!("{good},{VALUE}\n").into(),
            "header line missing",
        ),
    ];
    for (what, content, expected) in cases {
        let input = scene.write("in.csv", content);
        let files = scene.files();
        let (output, rejects) = (scene.file("out.csv"), scene.file("rejects.csv"));
        let arguments = [
            "pseudonymise",
            &input,
            "--chain",
            "national-registry",
            "-o",
            &output,
            "--rejects",
            &rejects,
        ];
        let answer = north.run(&arguments);
        let said = exits(&answer, 4);
        assert!(said.contains(expected), "{what}: {said}");
        assert!(
            !said.contains(VALUE) && !said.contains(&good),
            "{what}: {said}"
        );
        assert!(answer.stdout.is_empty(), "{what}");
        assert_eq!(scene.files(), files, "{what}");
    }
}

#[test]
fn what_goes_wrong_after_rows_were_answered_leaves_no_file_either() {
    let scene = Scene::start("");
    let rows: Vec<_> = bsns().take(20).collect();
    let input = scene.write(
        "in.csv",
        format!("bsn,diagnosis\n{},A\n{VALUE}\n", rows.join(",A\n")),
    );
    let files = scene.files();
    let output = scene.file("out.csv");
    let arguments = [
        "pseudonymise",
        &input,
        "--chain",
        "national-registry",
        "-o",
        &output,
        "--batch-rows",
        "1",
    ];
    let said = exits(&scene.sluis("hospital-north/etl").run(&arguments), 4);
    assert!(
        said.contains("line 22: 1 fields") && !said.contains(VALUE),
        "{said}"
    );
    assert_eq!(scene.files(), files);
}

/// The first line of a file of tokens without a header line is a token.
#[test]
fn a_file_of_tokens_without_a_header_line_is_refused_without_showing_one() {
    let scene = Scene::start("");
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "9",
    ];
    let approvers = ["uni-research/steward-1", "registry-office/steward-a"];
    let grant = scene.grant("registry-office/etl", &terms, &approvers);
    let token = "psn1ceaaaaab6ro733775gjyagbees6qzfrs6bculi4p";
    let input = scene.write("tokens.csv", format!("{token}\n{token}\n"));
    let said = exits(
        &scene
            .sluis("registry-office/etl")
            .run(&["convert", &input, "--grant", &grant]),
        2,
    );
    assert!(
        said.contains("header line missing") && !said.contains("psn1"),
        "{said}"
    );
}

/// A table without rows is a table: scripts that run every night must not fail on a quiet day.
#[test]
fn a_file_with_a_header_line_only_gives_one() {
    let scene = Scene::start("");
    let input = scene.write("in.csv", "city,bsn,diagnosis\r\n");
    let output = scene.file("out.csv");
    scene.sluis("hospital-north/etl").ok(&[
        "pseudonymise",
        &input,
        "--chain",
        "national-registry",
        "-o",
        &output,
    ]);
    assert_eq!(scene.read("out.csv"), "bsn,diagnosis\r\n");
}
