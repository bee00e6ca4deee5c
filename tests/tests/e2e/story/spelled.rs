//! Files as people have them: empty lines, marks, encodings, other kinds of files. No row ever gets its neighbour's
//! pseudonym.

use serde_json::Value;
use sluis_testkit_daemon::scene::Scene;

use super::{bsns, exits, json, pseudonymise, said};

const STUDY: &str = "diabetes-study";
const REGISTRY: &str = "national-registry";

/// Row by row: the tokens of a file of one column, empty where the value is missing.
fn rows(output: &str) -> Vec<String> {
    let lines = output.lines().skip(1);
    lines
        .map(|line| line.trim_matches('"').to_owned())
        .collect()
}

/// How often a value of the element was missing, as `--json` says.
fn missing(summary: &Value, element: &str) -> u64 {
    let counts = summary["missing"].as_array().expect("a list");
    let of_element = counts.iter().find(|count| count["element"] == element);
    of_element.map_or(0, |count| count["rows"].as_u64().expect("a number"))
}

#[test]
fn an_empty_line_is_a_row_without_a_value_and_nobody_gets_the_neighbours_pseudonym() {
    let scene = Scene::start("");
    let ids: Vec<_> = bsns().take(2).collect();
    scene.write("plain.csv", format!("bsn\n{}\n{}\n", ids[0], ids[1]));
    pseudonymise(
        &scene,
        "hospital-north/etl",
        STUDY,
        "plain.csv",
        "plain-out.csv",
    );
    let tokens = rows(&scene.read("plain-out.csv"));
    let expected = [tokens[0].clone(), String::new(), tokens[1].clone()];
    for (name, text) in [
        ("lf.csv", format!("bsn\n{}\n\n{}\n", ids[0], ids[1])),
        (
            "crlf.csv",
            format!("bsn\r\n{}\r\n\r\n{}\r\n", ids[0], ids[1]),
        ),
        (
            "quoted.csv",
            format!("\"bsn\"\n\"{}\"\n\n\"{}\"", ids[0], ids[1]),
        ),
        (
            "mark.csv",
            format!("\u{feff}bsn\n{}\n\n{}\n", ids[0], ids[1]),
        ),
    ] {
        scene.write(name, text);
        let summary = pseudonymise(&scene, "hospital-north/etl", STUDY, name, "out.csv");
        let counts = [&summary["rows"], &summary["written"], &summary["rejected"]];
        assert_eq!(counts, [3, 3, 0], "{name}: {summary}");
        assert_eq!(missing(&summary, "bsn"), 1, "{name}: {summary}");
        assert_eq!(rows(&scene.read("out.csv")), expected, "{name}");
    }
    under_grants_too(&scene, &tokens);
    imported_too(&scene, &ids, &tokens);
}

/// `convert` and `reidentify`.
fn under_grants_too(scene: &Scene, tokens: &[String]) {
    let input = scene.write(
        "tokens.csv",
        format!("bsn\n{}\n\n{}\n", tokens[0], tokens[1]),
    );
    let to_registry = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
    ];
    let back = ["reidentify", "--chain", STUDY, "--element", "bsn"];
    let stewards = ["uni-research/steward-1", "uni-research/steward-2"];
    let office = ["uni-research/steward-1", "registry-office/steward-a"];
    for (command, member, terms, approvers) in [
        ("convert", "registry-office/etl", &to_registry[..], office),
        ("reidentify", "hospital-north/doctor", &back[..], stewards),
    ] {
        let terms = [terms, &["--max-values", "9"]].concat();
        let grant = scene.grant(member, &terms, &approvers);
        let output = scene.file("granted.csv");
        let arguments = [
            command, &input, "--grant", &grant, "-o", &output, "--json", "--force",
        ];
        let summary = json(&scene.sluis(member).ok(&arguments));
        assert_eq!(summary["rows"], 3, "{summary}");
        assert_eq!(missing(&summary, "bsn"), 1, "{summary}");
        let rows = rows(&scene.read("granted.csv"));
        let are_empty: Vec<bool> = rows.iter().map(String::is_empty).collect();
        assert_eq!(are_empty, [false, true, false], "{command}");
    }
}

/// `import`; an empty line would be a row of the output, which has one column, and is refused before anything is sent.
fn imported_too(scene: &Scene, ids: &[String], tokens: &[String]) {
    let text = |blank: &str| format!("bsn,old\n{},A\n{blank},B\n{},C\n{blank}", ids[0], ids[1]);
    let input = scene.write("old.csv", text("\n"));
    let output = scene.file("imported.csv");
    let arguments = [
        "import",
        &input,
        "--chain",
        STUDY,
        "--element",
        "bsn",
        "--old",
        "old",
        "-o",
        &output,
        "--json",
    ];
    let north = scene.sluis("hospital-north/etl");
    let told = exits(&north.run(&arguments), 4);
    assert!(told.contains("line 3 is empty"), "{told}");
    assert!(!std::path::Path::new(&output).exists(), "{told}");
    scene.write("old.csv", text(""));
    let answer = north.run(&arguments);
    let told = exits(&answer, 3);
    let summary = json(&String::from_utf8(answer.stdout).expect("text"));
    assert_eq!(summary["rows"], 3, "{told}{summary}");
    assert_eq!(summary["empty_lines"], 0, "{summary}");
    let written = format!("bsn\n{}\n{}\n", tokens[0], tokens[1]);
    assert_eq!(scene.read("imported.csv"), written);
}

#[test]
fn a_mark_and_an_encoding_that_contradict_each_other_are_refused_and_so_are_joined_files() {
    let scene = Scene::start("");
    let ids: Vec<_> = bsns().take(2).collect();
    let north = scene.sluis("hospital-north/etl");
    let utf_16 = |mark: [u8; 2], unit: fn(u16) -> [u8; 2]| {
        let units = "bsn\n1\n".encode_utf16().flat_map(unit);
        mark.into_iter().chain(units).collect::<Vec<u8>>()
    };
    let little = utf_16([0xff, 0xfe], u16::to_le_bytes);
    let table = format!("bsn\n{}\n", ids[0]);
    let cases: &[(&[u8], &str, &str)] = &[
        (b"\xef\xbb\xbfbsn\n1\n", "windows-1252", "byte order mark"),
        (&little, "utf-8", "UTF-16"),
        (&little, "windows-1252", "UTF-16"),
        (&utf_16([0xfe, 0xff], u16::to_be_bytes), "utf-8", "UTF-16"),
        (&little[2..], "utf-8", "UTF-16"),
        (
            &[
                &b"\xef\xbb\xbf"[..],
                table.as_bytes(),
                b"\xef\xbb\xbf",
                table.as_bytes(),
            ]
            .concat(),
            "utf-8",
            "line 3",
        ),
        (
            &[table.as_bytes(), table.as_bytes()].concat(),
            "utf-8",
            "line 3: the header line",
        ),
        (b"bsn\n1\0\n", "utf-8", "NUL"),
    ];
    for (content, encoding, expected) in cases {
        let input = scene.write("in.csv", content);
        let files = scene.files();
        let output = scene.file("out.csv");
        let arguments = [
            "pseudonymise",
            &input,
            "--chain",
            REGISTRY,
            "--encoding",
            encoding,
            "-o",
            &output,
        ];
        let told = exits(&north.run(&arguments), 4);
        assert!(told.contains(expected) && !told.contains(&ids[0]), "{told}");
        assert_eq!(scene.files(), files);
    }
}

#[test]
fn one_element_in_two_columns_is_refused_and_a_header_with_a_comma_can_be_named() {
    let scene = Scene::start("");
    let north = scene.sluis("hospital-north/etl");
    let bsn = bsns().next().expect("endless");
    let run = |text: String, columns: &str| {
        let input = scene.write("in.csv", text);
        let output = scene.file("out.csv");
        let arguments = [
            "pseudonymise",
            &input,
            "--chain",
            REGISTRY,
            "--columns",
            columns,
            "-o",
            &output,
            "--force",
        ];
        north.run(&arguments)
    };
    for (header, columns, code, expected) in [
        ("BSN,bsn", "BSN=bsn", 4, "two columns"),
        ("BSN,diagnosis", "BSN=bsn,BSN=diagnosis", 2, "twice"),
        ("BSN,bsn ", "BSN=bsn", 4, "capitals or spaces"),
        ("BSN ,diagnosis", "BSN=bsn", 2, "capitals or spaces"),
    ] {
        let told = exits(&run(format!("{header}\n{bsn},A\n"), columns), code);
        assert!(told.contains(expected), "{told}");
    }
    let quoted = "\"BSN, burger\"=bsn,\"Dx \"\"1\"\"\"=diagnosis";
    let text = format!("\"BSN, burger\",\"Dx \"\"1\"\"\"\n{bsn},A\n");
    let answer = run(text, quoted);
    assert_eq!(answer.status.code(), Some(0), "{}", said(&answer));
    assert!(
        scene
            .read("out.csv")
            .starts_with("\"BSN, burger\",\"Dx \"\"1\"\"\"\npsn1")
    );
}

#[test]
fn a_date_that_is_one_only_with_day_and_month_swapped_names_the_flag() {
    let scene = Scene::start("");
    let bsn = bsns().next().expect("endless");
    let text = format!("bsn,birth_date\n{bsn},04/03/1980\n{bsn},04/13/1980\n{bsn},1980-04-13\n");
    let input = scene.write("in.csv", text);
    let arguments = [
        "pseudonymise",
        &input,
        "--chain",
        REGISTRY,
        "--date-format",
        "%d/%m/%Y",
    ];
    let told = exits(&scene.sluis("hospital-north/etl").run(&arguments), 3);
    for part in ["DAY_AND_MONTH_SWAPPED", "INVALID_DATE", "--date-format"] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn a_file_that_is_no_csv_is_named_with_the_way_out() {
    let scene = Scene::start("");
    let north = scene.sluis("hospital-north/etl");
    let cases: &[(&[u8], &str)] = &[
        (
            b"PK\x03\x04\x14\0\x06\0[Content_Types].xml\0xl/workbook.xml",
            ".xlsx",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", ".xls"),
        (b"\x1f\x8b\x08\0\0\0", "zcat"),
        (b"\x28\xb5\x2f\xfd\x24\0", "zstdcat"),
        (b"PK\x03\x04\x14\0\0\0a.csv", "unzip"),
        (b"PAR1\x15\x04\x15", "Parquet"),
        (b"%PDF-1.7\n%\xe2", "PDF"),
        (b"[{\"bsn\": \"1\"}]", "JSON"),
        (b"<html><table><tr><td>bsn", "HTML"),
    ];
    for (content, expected) in cases {
        let file = scene.write("in.csv", content);
        let good = scene.write("good.csv", "bsn\n");
        let commands: [&[&str]; 7] = [
            &["pseudonymise", &file, "--chain", REGISTRY],
            &[
                "pseudonymise",
                &good,
                "--chain",
                REGISTRY,
                "--source-key",
                &file,
            ],
            &[
                "import",
                &file,
                "--chain",
                STUDY,
                "--element",
                "bsn",
                "--old",
                "old",
            ],
            &["convert", &file, "--grant", "g-1"],
            &["reidentify", &file, "--grant", "g-1"],
            &[
                "subject",
                "erase",
                "--namespace",
                "nl.bsn",
                "--identifier-file",
                &file,
            ],
            &["registry", "apply", &file],
        ];
        for arguments in commands {
            let told = exits(&north.run(arguments), 4);
            assert!(told.contains(expected), "{arguments:?}: {told}");
        }
    }
}
