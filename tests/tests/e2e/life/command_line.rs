//! `sluis subject` and `sluis chain rotate | disable | destroy | cut-escrow`.

use std::process::Output;

use sluis_testkit_daemon::process::Sluis;
use sluis_testkit_daemon::scene::{Scene, field};

use super::{BSNS, REGISTER, STUDY};

/// Key id of a line's version, as `sluis status` tells it.
fn kid(custodian: &Sluis, chain: &str, namespace: &str) -> String {
    let status = custodian.ok(&["status", "--json"]);
    let version = status
        .split(&format!("\"chain_id\": \"{chain}\""))
        .find(|part| part.contains(namespace));
    field(version.expect("the line is there"), "kid")
}

/// What it printed as a result, and what it told the person beside it.
fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_subject_is_erased_and_an_escrow_is_cut_from_the_command_line() {
    let scene = Scene::start("");
    let (source, identifier) = (
        scene.sluis("gp-south/etl"),
        scene.write("identifier", format!("{}\n", BSNS[0])),
    );
    let erase = [
        "subject",
        "erase",
        "--namespace",
        "nl.bsn",
        "--identifier-file",
        &identifier,
    ];
    let shown = source.ok(&erase);
    assert!(
        shown.contains("1 steward of uni-research") && shown.contains("sluis proposal sign"),
        "{shown}"
    );
    assert!(!shown.contains(BSNS[0]));
    let id = field(
        &source.ok(&[&erase[..], &["--json"]].concat()),
        "proposal_id",
    );
    for steward in ["uni-research/steward-1", "registry-office/steward-a"] {
        scene.sluis(steward).ok(&["proposal", "sign", &id, "--yes"]);
    }
    let input = scene.write("in.csv", format!("bsn\n{}\n{}\n", BSNS[0], BSNS[1]));
    let output = scene.file("out.csv");
    let said = source.run(&["pseudonymise", &input, "--chain", STUDY, "-o", &output]);
    assert_eq!(said.status.code(), Some(3), "some rows were rejected");
    assert!(String::from_utf8_lossy(&said.stderr).contains("OPTED_OUT"));

    let custodian = scene.sluis("custodian/anna");
    let kid = kid(&custodian, STUDY, "\"nl.bsn\"");
    let cut = custodian.ok(&["chain", "cut-escrow", &kid, "--yes"]);
    assert!(cut.contains("2 stewards of uni-research"), "{cut}");
    assert_eq!(
        custodian
            .run(&["chain", "destroy", &kid, "--yes"])
            .status
            .code(),
        Some(1),
        "it is active"
    );
}

#[test]
fn before_a_key_version_ends_it_is_shown() {
    let scene = Scene::start("");
    let custodian = scene.sluis("custodian/anna");
    let kid = kid(&custodian, STUDY, "\"nl.bsn\"");
    for command in ["disable", "destroy", "cut-escrow"] {
        let output = custodian.run(&["chain", command, &kid]);
        assert_eq!(output.status.code(), Some(2), "there is nobody to ask");
        let (shown, _) = said(&output);
        for part in [STUDY, "nl.bsn", &kid, "active"] {
            assert!(shown.contains(part), "{command}: {part} in {shown}");
        }
        // What a custodian does alone is signed, and so is shown: five lines more.
        let lines = if command == "disable" { 7 } else { 2 };
        assert_eq!(
            shown.lines().count(),
            lines,
            "{command}: of one version: {shown}"
        );
        let (result, shown) = said(&custodian.run(&["chain", command, &kid, "--json"]));
        assert!(
            result.is_empty() && shown.contains("nl.bsn"),
            "{command}: {result:?}, {shown}"
        );
        let output = custodian.run(&["chain", command, "00000001"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).1.contains("UNKNOWN_KEY_VERSION"), "{command}");
    }
    let (shown, _) = said(&custodian.run(&["chain", "rotate", STUDY]));
    assert!(
        shown.contains(STUDY) && shown.contains("encrypted elements") && !shown.contains(REGISTER),
        "{shown}"
    );
    assert!(
        said(&custodian.run(&["chain", "rotate", "no-such-chain"]))
            .1
            .contains("UNKNOWN_CHAIN")
    );
    assert!(
        custodian.ok(&["proposal", "list"]).lines().count() == 1,
        "nothing was proposed"
    );
    let refused = custodian.run(&["chain", "destroy", &kid, "--yes"]);
    assert!(
        said(&refused).1.contains("sluis chain disable"),
        "what comes before it: {:?}",
        said(&refused)
    );
}

#[test]
fn an_erasure_that_cannot_be_asked_for_says_what_is_missing_and_nothing_else() {
    let scene = Scene::start("");
    let (source, empty) = (scene.sluis("gp-south/etl"), scene.write("empty", ""));
    let told = |namespace| {
        said(&source.run(&[
            "subject",
            "erase",
            "--namespace",
            namespace,
            "--identifier-file",
            &empty,
        ]))
        .1
    };
    let (identifier, key) = (told("nl.bsn"), told("study.email"));
    assert!(
        identifier.contains("identifier") && !identifier.contains("source-key"),
        "{identifier}"
    );
    assert!(key.contains("give --source-key"), "{key}");
}
