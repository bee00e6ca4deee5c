//! A running study moves in: old pseudonyms become tokens, and nothing else comes of them.

use sluis_testkit_daemon::scene::Scene;

use super::{bsns, column, exits, json, pseudonymise, source_key};

const STUDY: &str = "diabetes-study";
const REGISTRY: &str = "national-registry";
const ROWS: usize = 40;

fn old(i: usize) -> String {
    format!("Study-No-{i:04}")
}

fn join(header: &str, lines: impl IntoIterator<Item = String>) -> String {
    lines
        .into_iter()
        .fold(format!("{header}\n"), |text, line| text + &line + "\n")
}

/// Imports a file as a member, with more arguments; the exit code must be this one. What was said on standard error.
#[track_caller]
fn import(scene: &Scene, member: &str, input: &str, more: &[&str], code: i32) -> String {
    let output = scene.file("imported.csv");
    let arguments = [
        &["import", input, "--chain", STUDY, "-o", &output, "--force"],
        more,
    ]
    .concat();
    exits(&scene.sluis(member).run(&arguments), code)
}

#[test]
fn a_running_study_moves_in() {
    let scene = Scene::start("");
    let subjects: Vec<String> = bsns().take(ROWS).collect();
    let identifiers = scene.write("identifiers.csv", join("bsn", subjects.clone()));
    for (chain, output) in [(STUDY, "study.csv"), (REGISTRY, "registry.csv")] {
        pseudonymise(&scene, "hospital-north/etl", chain, &identifiers, output);
    }
    import_gives_what_pseudonymising_gives(&scene, &subjects);
    old_pseudonyms_become_tokens(&scene);
    bad_rows_are_left_out(&scene, &subjects);
    files_that_do_not_fit_are_refused(&scene, &subjects);
}

fn import_gives_what_pseudonymising_gives(scene: &Scene, subjects: &[String]) {
    let rows = subjects
        .iter()
        .enumerate()
        .map(|(i, bsn)| format!("{};E11.9;{bsn}", old(i)));
    let input = scene.write("running.csv", join("Study number;diagnosis;BSN", rows));
    let more = [
        "--element",
        "bsn",
        "--old",
        "Study number",
        "--columns",
        "BSN=bsn",
        "--json",
        "--batch-rows",
        "16",
    ];
    for round in 0..2 {
        let output = scene.file("imported.csv");
        let arguments = [
            &["import", &input, "--chain", STUDY, "-o", &output, "--force"],
            &more[..],
        ]
        .concat();
        let summary = json(&scene.sluis("hospital-north/etl").ok(&arguments));
        for (key, value) in [("rows", ROWS), ("written", ROWS), ("rejected", 0)] {
            assert_eq!(summary[key], value, "round {round}: {summary}");
        }
        assert_eq!(summary["command"], "import");
    }
    let (imported, direct) = (scene.read("imported.csv"), scene.read("study.csv"));
    assert!(
        imported.starts_with("diagnosis;BSN\nE11.9;psn1"),
        "old pseudonyms do not come back"
    );
    assert_eq!(column(&imported, ';', "BSN"), column(&direct, ',', "bsn"));
}

fn old_pseudonyms_become_tokens(scene: &Scene) {
    let values = (0..ROWS)
        .rev()
        .map(|i| format!("{},x{i}", old(i)))
        .chain(["Study-No-9999,y".to_owned(), ",z".to_owned()]);
    let input = scene.write("old.csv", join("study-no,note", values));
    for (grantee, to, approvers, direct) in [
        (
            "registry-office/etl",
            "national-registry/bsn",
            ["uni-research/steward-1", "registry-office/steward-a"],
            "registry.csv",
        ),
        (
            "uni-research/etl",
            "diabetes-study/bsn",
            ["uni-research/steward-1", "uni-research/steward-2"],
            "study.csv",
        ),
    ] {
        let terms = [
            "convert",
            "--from",
            "diabetes-study/bsn",
            "--to",
            to,
            "--max-values",
            "100",
        ];
        let grant = scene.grant(grantee, &terms, &approvers);
        let (output, rejects) = (scene.file("new.csv"), scene.file("new.rejects"));
        let convert = [
            "convert",
            &input,
            "--grant",
            &grant,
            "--column",
            "study-no",
            "-o",
            &output,
            "--rejects",
            &rejects,
            "--force",
        ];
        exits(&scene.sluis(grantee).run(&convert), 3);
        assert_eq!(
            scene.read("new.csv"),
            "study-no,note\n,z\n",
            "without the flag they are not even sent"
        );
        exits(
            &scene
                .sluis(grantee)
                .run(&[&convert[..], &["--from-imported"]].concat()),
            3,
        );
        let mut expected = column(&scene.read(direct), ',', "bsn");
        expected.reverse();
        expected.push(String::new());
        assert_eq!(
            column(&scene.read("new.csv"), ',', "study-no"),
            expected,
            "{to}"
        );
        assert_eq!(
            scene.read("new.rejects"),
            "line,row,element,reason\n42,41,bsn,UNKNOWN_PSEUDONYM\n"
        );
        let shown = json(
            &scene
                .sluis(grantee)
                .ok(&["grant", "show", &grant, "--json"]),
        );
        assert_eq!(
            shown["used_values"],
            ROWS + 1,
            "every value that was sent counts: {shown}"
        );
    }
}

fn bad_rows_are_left_out(scene: &Scene, subjects: &[String]) {
    let rows = [
        format!("{},{}", subjects[0], old(1)),
        format!("{},", subjects[0]),
        format!("{},{}", subjects[0], "x".repeat(256)),
        format!(",{}", old(ROWS)),
        format!("{},{}", subjects[0], old(ROWS)),
        format!("{},{}", subjects[1], old(ROWS)),
        format!("{},{}", subjects[0], old(0)),
    ];
    let input = scene.write("bad.csv", join("bsn,study-no", rows));
    let rejects = scene.file("bad.rejects");
    let more = [
        "--element",
        "bsn",
        "--old",
        "study-no",
        "--rejects",
        &rejects,
    ];
    import(scene, "hospital-north/etl", &input, &more, 3);
    let expected = [
        "2,1,study-no,IMPORT_CONFLICT",
        "3,2,study-no,MISSING_IMPORT",
        "4,3,study-no,TOO_LONG",
        "5,4,study-no,NO_SUBJECT",
        "7,6,study-no,IMPORT_CONFLICT",
    ];
    assert_eq!(
        scene.read("bad.rejects"),
        join("line,row,element,reason", expected.map(str::to_owned))
    );
    let direct = column(&scene.read("study.csv"), ',', "bsn");
    assert_eq!(
        column(&scene.read("imported.csv"), ',', "bsn"),
        [&*direct[0], &*direct[0]]
    );
}

fn files_that_do_not_fit_are_refused(scene: &Scene, subjects: &[String]) {
    let source = "hospital-north/etl";
    let key = source_key(scene);
    let row = format!("{},a@b.example,E11.9,No-1", subjects[0]);
    let input = scene.write("refused.csv", join("bsn,email,diagnosis,study-no", [row]));
    let with = |element, old| ["--element", element, "--old", old, "--source-key", &key];
    assert!(import(scene, source, &input, &with("email", "study-no"), 1).contains("NOT_LINKED"));
    let said = import(scene, source, &input, &with("bsn", "diagnosis"), 4);
    assert!(
        said.contains("UNKNOWN_ELEMENT") && said.contains("study-no"),
        "{said}"
    );
    let three = scene.write(
        "three.csv",
        join(
            "bsn,email,diagnosis",
            [format!("{},a@b.example,E11.9", subjects[0])],
        ),
    );
    let said = import(scene, source, &three, &with("bsn", "diagnosis"), 1);
    assert!(
        said.contains("INVALID_REQUEST") && said.contains("is an element of the chain"),
        "{said}"
    );
    import(scene, source, &input, &with("bsn", "absent"), 2);
    import(scene, source, &input, &with("nothing", "study-no"), 2);
    assert!(
        import(
            scene,
            "uni-research/etl",
            &input,
            &with("bsn", "study-no"),
            1
        )
        .contains("NOT_A_SOURCE")
    );
}
