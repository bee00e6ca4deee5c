//! Record files of all shapes, and how the command line says how it went.

use sluis_testkit_daemon::process::Sluis;
use sluis_testkit_daemon::scene::Scene;

use super::{bsns, column, exits, json, pseudonymise, said};

const STUDY: &str = "diabetes-study";
const REGISTRY: &str = "national-registry";
const GOOD: &str = "950000012";

#[test]
fn exit_codes_say_how_it_went() {
    let scene = Scene::start("");
    let north = scene.sluis("hospital-north/etl");
    let good = scene.write("good.csv", format!("bsn\n{GOOD}\n"));
    let some = scene.write("some.csv", format!("bsn\n{GOOD}\n123\n"));
    let ragged = scene.write("ragged.csv", format!("bsn,diagnosis\n{GOOD}\n"));
    let run =
        |input: &str, chain: &str| north.run(&["pseudonymise", input, "--chain", chain, "-q"]);
    exits(&run(&good, REGISTRY), 0);
    let unknown = exits(&run(&good, "open-release"), 1);
    assert!(
        unknown.contains("UNKNOWN_CHAIN") && unknown.contains("sluis chain list"),
        "{unknown}"
    );
    let not_a_source =
        scene
            .sluis("registry-office/etl")
            .run(&["pseudonymise", &good, "--chain", REGISTRY]);
    assert!(exits(&not_a_source, 1).contains("NOT_A_SOURCE"));
    exits(
        &north.run(&["convert", &good, "--grant", "g-none", "--column", "bsn"]),
        1,
    );
    exits(&north.run(&["pseudonymise", &good]), 2);
    exits(
        &north.run(&[
            "pseudonymise",
            &good,
            "--chain",
            REGISTRY,
            "--delimiter",
            "ab",
        ]),
        2,
    );
    exits(&run(&some, REGISTRY), 3);
    exits(&run(&ragged, REGISTRY), 4);
    exits(&run(&scene.file("absent.csv"), REGISTRY), 6);
    let nowhere = scene.file("no/such/directory/out.csv");
    exits(
        &north.run(&["pseudonymise", &good, "--chain", REGISTRY, "-o", &nowhere]),
        6,
    );
    exits(
        &Sluis::of(&scene.pki, "https://localhost:1", "hospital-north/etl").run(&["whoami"]),
        5,
    );
    let stranger = sluis_testkit::pki::Pki::create(&scene.path("other-pki"));
    let forged = Sluis::with(
        &scene.pki,
        &scene.daemon().endpoint(),
        "forged",
        &stranger.member("hospital-north/etl"),
    );
    exits(&forged.run(&["whoami"]), 5);
}

#[test]
fn rejected_rows_are_left_out_and_listed_without_their_values() {
    let scene = Scene::start("");
    let ids: Vec<_> = bsns().take(2).collect();
    // Line 3 is empty, no row, and passed through; the quoted value spans lines 5 and 6.
    let input = format!(
        "bsn,diagnosis,birth_date\n{0},A,1980-01-01\n\n950000013,B,1980-01-01\n{1},\"C\nD\",1980-01-01\n000000000,E,1980-01-01\n\
         12345,F,1980-01-01\n{0},G,31-12-1980\n,H,1980-01-01\n",
        ids[0], ids[1]
    );
    let input = scene.write("in.csv", input);
    let (output, rejects) = (scene.file("out.csv"), scene.file("rejects.csv"));
    let arguments = [
        "pseudonymise",
        &input,
        "--chain",
        REGISTRY,
        "-o",
        &output,
        "--rejects",
        &rejects,
        "--json",
        "--batch-rows",
        "2",
    ];
    let answer = scene.sluis("hospital-north/etl").run(&arguments);
    let told = exits(&answer, 3);
    let summary = json(&String::from_utf8(answer.stdout).expect("text"));
    assert_eq!(
        [&summary["rows"], &summary["written"], &summary["rejected"]],
        [7, 3, 4],
        "{summary}"
    );
    assert_eq!(summary["rejections"].as_array().map(Vec::len), Some(4));
    let listed = scene.read("rejects.csv");
    let expected = "line,row,element,reason\n4,2,bsn,INVALID_CHECKSUM\n7,4,bsn,ALL_ZERO\n8,5,bsn,INVALID_IDENTIFIER\n\
                    9,6,birth_date,INVALID_DATE\n";
    assert_eq!(listed, expected);
    let written = scene.read("out.csv");
    let diagnoses: Vec<_> = ["A", "\"C\nD\"", "H"]
        .map(|d| format!(",{d},1980\n"))
        .into();
    assert!(
        diagnoses.iter().all(|d| written.contains(d)) && written.lines().count() == 6,
        "{written}"
    );
    assert!(
        written.ends_with("\n,H,1980\n"),
        "a missing identifier stays missing"
    );
    for value in ["950000013", "000000000", "12345", "31-12-1980", &ids[0]] {
        assert!(
            !format!("{told}{summary}{listed}{written}").contains(value),
            "{value}"
        );
    }
}

#[test]
fn spreadsheet_files_come_back_as_they_were() {
    let scene = Scene::start("");
    let input = format!(
        "\u{feff}city;\"diagnosis\";bsn;birth_date\r\nGent;\"a;b\"\"c\r\nd\";{GOOD};1980-05-06\r\nAalst;;;\r\n"
    );
    scene.write("in.csv", input);
    pseudonymise(&scene, "hospital-north/etl", REGISTRY, "in.csv", "out.csv");
    scene.write("plain.csv", format!("bsn\n{GOOD}\n"));
    pseudonymise(
        &scene,
        "hospital-north/etl",
        REGISTRY,
        "plain.csv",
        "plain-out.csv",
    );
    let token = &column(&scene.read("plain-out.csv"), ',', "bsn")[0];
    let expected =
        format!("\u{feff}\"diagnosis\";bsn;birth_date\r\n\"a;b\"\"c\r\nd\";{token};1980\r\n;;\r\n");
    assert_eq!(scene.read("out.csv"), expected);
}

#[test]
fn windows_1252_goes_in_and_comes_back() {
    let scene = Scene::start("");
    let input = scene.write(
        "in.csv",
        [
            b"pr\xe9nom;diagnosis;bsn\nZo\xeb;\x80 5;".as_slice(),
            GOOD.as_bytes(),
            b"\n",
        ]
        .concat(),
    );
    let output = scene.file("out.csv");
    let encoding = ["--encoding", "windows-1252"];
    let columns = ["--columns", "pr\u{e9}nom=name"];
    let arguments = [
        &["pseudonymise", &input, "--chain", STUDY, "-o", &output][..],
        &encoding,
        &columns,
    ]
    .concat();
    scene.sluis("hospital-north/etl").ok(&arguments);
    let out = scene.read_bytes("out.csv");
    assert!(
        out.starts_with(b"pr\xe9nom;diagnosis;bsn\nenc1"),
        "the header stays as it was"
    );
    assert!(
        out.windows(5).any(|w| w == b";\x80 5;"),
        "a kept value stays as it was, byte for byte"
    );
    let terms = [
        "reidentify",
        "--chain",
        STUDY,
        "--element",
        "name",
        "--max-values",
        "1",
    ];
    let grant = scene.grant(
        "hospital-north/doctor",
        &terms,
        &["uni-research/steward-1", "uni-research/steward-2"],
    );
    let back = scene.file("back.csv");
    let arguments = [
        &["reidentify", &output, "--grant", &grant, "-o", &back][..],
        &encoding,
        &columns,
    ]
    .concat();
    scene.sluis("hospital-north/doctor").ok(&arguments);
    assert!(
        scene
            .read_bytes("back.csv")
            .starts_with(b"pr\xe9nom;diagnosis;bsn\nZo\xeb;\x80 5;psn1")
    );
}

#[test]
fn dates_are_read_as_told_and_columns_are_named_as_told() {
    let scene = Scene::start("");
    scene.write(
        "iso.csv",
        format!("bsn,birth_date,visit_date\n{GOOD},1980-12-31,2025-02-01\n"),
    );
    pseudonymise(
        &scene,
        "hospital-north/etl",
        STUDY,
        "iso.csv",
        "iso-out.csv",
    );
    let dutch = scene.write(
        "dutch.csv",
        format!("BSN,Geboren,visit_date\n{GOOD},31-12-1980,1-2-2025\n"),
    );
    let output = scene.file("dutch-out.csv");
    let flags = [
        "--date-format",
        "%d-%m-%Y",
        "--columns",
        "BSN=bsn,Geboren=birth_date",
    ];
    let base = ["pseudonymize", &dutch, "--chain", STUDY, "-o", &output];
    scene
        .sluis("gp-south/etl")
        .ok(&[&base[..], &flags].concat());
    let (iso, dutch) = (scene.read("iso-out.csv"), scene.read("dutch-out.csv"));
    assert_eq!(dutch.lines().next(), Some("BSN,Geboren,visit_date"));
    assert_eq!(iso.lines().nth(1), dutch.lines().nth(1));
    assert_eq!(
        column(&iso, ',', "birth_date"),
        ["40-49"],
        "45 on 2026-01-01"
    );
}

#[test]
fn standard_input_and_output_are_files_too() {
    use std::io::Write;
    use std::process::Stdio;
    let scene = Scene::start("");
    let sluis = scene.sluis("hospital-north/etl");
    let mut command = sluis.command(&[
        "pseudonymise",
        "-",
        "--chain",
        REGISTRY,
        "-o",
        "-",
        "--json",
    ]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin
        .write_all(format!("bsn\tdiagnosis\n{GOOD}\tA\n").as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    let summary = json(&exits(&output, 0));
    assert_eq!(
        (&summary["rows"], &summary["output"]),
        (&1.into(), &"-".into())
    );
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        text.starts_with("bsn\tdiagnosis\npsn1") && text.ends_with("\tA\n"),
        "nothing but the records: {text}"
    );
}

#[test]
fn one_file_under_two_names_is_refused_before_anything_is_sent() {
    let scene = Scene::start("");
    let input = scene.write("in.csv", format!("bsn\n{GOOD}\n"));
    scene.write("old.csv", "precious");
    std::os::unix::fs::symlink("old.csv", scene.file("link.csv")).expect("scratch directory");
    let files = scene.files();
    for (output, rejects) in [("out.csv", "../files/out.csv"), ("link.csv", "old.csv")] {
        let (output, rejects) = (scene.file(output), scene.file(rejects));
        let flags = [
            "pseudonymise",
            &input,
            "--chain",
            REGISTRY,
            "-o",
            &output,
            "--rejects",
            &rejects,
            "--force",
        ];
        let said = exits(
            &Sluis::of(&scene.pki, "https://localhost:1", "hospital-north/etl").run(&flags),
            2,
        );
        assert!(said.contains("the same file"), "{said}");
    }
    assert_eq!(
        (scene.files(), scene.read("old.csv")),
        (files, "precious".into())
    );
}

#[test]
fn an_existing_file_is_replaced_only_when_told() {
    let scene = Scene::start("");
    let north = scene.sluis("hospital-north/etl");
    let input = scene.write("in.csv", format!("bsn\n{GOOD}\n"));
    let output = scene.write("out.csv", "precious");
    let rejects = scene.write("rejects.csv", "precious too");
    let free = scene.file("free.csv");
    let base = ["pseudonymise", &input, "--chain", REGISTRY];
    let files = scene.files();
    for flags in [
        ["-o", &output, "--rejects", &free],
        ["-o", &free, "--rejects", &rejects],
    ] {
        assert!(exits(&north.run(&[&base[..], &flags].concat()), 2).contains("--force"));
    }
    assert_eq!(
        (scene.read("out.csv"), scene.read("rejects.csv")),
        ("precious".into(), "precious too".into())
    );
    assert_eq!(scene.files(), files);
    let forced = north.run(
        &[
            &base[..],
            &["-o", &output, "--rejects", &rejects, "--force"],
        ]
        .concat(),
    );
    assert_eq!(forced.status.code(), Some(0), "{}", said(&forced));
    assert!(scene.read("out.csv").starts_with("bsn\npsn1"));
    assert_eq!(scene.read("rejects.csv"), "line,row,element,reason\n");
}
