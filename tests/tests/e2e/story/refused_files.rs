//! Files that are not what they should be: a clear message, no output, nothing left behind, no value shown.

use sluis_testkit::scene::Scene;

use super::{bsns, exits};

/// Not a BSN, and nowhere else.
const VALUE: &str = "SECRET-4711";

#[test]
fn a_bad_file_is_refused_and_leaves_nothing() {
    let scene = Scene::start("");
    let good = bsns().next().expect("endless");
    let north = scene.sluis("hospital-north/etl");
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("a row too short", format!("bsn,diagnosis\n{good},A\n{VALUE}\n").into(), "line 3: 1 fields"),
        ("a row too long", format!("bsn,diagnosis\n{good},A,{VALUE}\n").into(), "line 2: 3 fields"),
        ("an empty file", Vec::new(), "is empty"),
        ("lines without anything", b"\r\n\n".to_vec(), "is empty"),
        ("the same header twice", format!("bsn,bsn\n{VALUE},{VALUE}\n").into(), "two columns"),
        ("a column the chain does not list", format!("bsn,shoe_size\n{good},{VALUE}\n").into(), "\"shoe_size\""),
        ("a column without a name", format!("bsn,\n{good},{VALUE}\n").into(), "UNKNOWN_ELEMENT"),
        ("an open quote", format!("bsn,diagnosis\n{good},\"{VALUE}\n").into(), "line 2"),
        ("text after a quote", format!("bsn,diagnosis\n{good},\"A\"{VALUE}\n").into(), "line 2"),
        ("a bare carriage return", format!("bsn,diagnosis\n{good},A\r{VALUE},B\n").into(), "line 2"),
        ("UTF-16", "bsn\n".encode_utf16().fold(vec![0xff, 0xfe], |mut b, u| {b.extend(u.to_le_bytes()); b}), "UTF-16"),
        ("only columns that are dropped", format!("city\n{VALUE}\n").into(), "no column is left"),
        ("no header", format!("{good},{VALUE}\n").into(), "UNKNOWN_ELEMENT"),
    ];
    for (what, content, expected) in cases {
        let input = scene.write("in.csv", content);
        let files = scene.files();
        let (output, rejects) = (scene.file("out.csv"), scene.file("rejects.csv"));
        let arguments = ["pseudonymise", &input, "--chain", "national-registry", "-o", &output, "--rejects", &rejects];
        let answer = north.run(&arguments);
        let said = exits(&answer, 4);
        // The header line is not a value; what stands in its place may be shown.
        let shown = said.replace(&content.split(|b| *b == b'\n').next().map(String::from_utf8_lossy).unwrap_or_default()[..], "");
        assert!(said.contains(expected), "{what}: {said}");
        assert!(*what == "no header" || !shown.contains(VALUE), "{what}: {said}");
        assert!(answer.stdout.is_empty(), "{what}");
        assert_eq!(scene.files(), files, "{what}");
    }
}

#[test]
fn what_goes_wrong_after_rows_were_answered_leaves_no_file_either() {
    let scene = Scene::start("");
    let rows: Vec<_> = bsns().take(20).collect();
    let input = scene.write("in.csv", format!("bsn,diagnosis\n{},A\n{VALUE}\n", rows.join(",A\n")));
    let files = scene.files();
    let output = scene.file("out.csv");
    let arguments = ["pseudonymise", &input, "--chain", "national-registry", "-o", &output, "--batch-rows", "1"];
    let said = exits(&scene.sluis("hospital-north/etl").run(&arguments), 4);
    assert!(said.contains("line 22: 1 fields") && !said.contains(VALUE), "{said}");
    assert_eq!(scene.files(), files);
}

/// A table without rows is a table: scripts that run every night must not fail on a quiet day.
#[test]
fn a_file_with_a_header_line_only_gives_one() {
    let scene = Scene::start("");
    let input = scene.write("in.csv", "city,bsn,diagnosis\r\n");
    let output = scene.file("out.csv");
    scene.sluis("hospital-north/etl").ok(&["pseudonymise", &input, "--chain", "national-registry", "-o", &output]);
    assert_eq!(scene.read("out.csv"), "bsn,diagnosis\r\n");
}
