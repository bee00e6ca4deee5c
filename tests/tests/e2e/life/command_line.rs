//! `sluis subject` and `sluis chain destroy | cut-escrow`.

use sluis_testkit::scene::Scene;

use super::{BSNS, STUDY};

/// The value of a text in indented JSON.
fn field(json: &str, name: &str) -> String {
    let rest = json.split(&format!("\"{name}\": \"")).nth(1);
    rest.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no {name} in {json}")).to_owned()
}

#[test]
fn a_subject_is_erased_and_an_escrow_is_cut_from_the_command_line() {
    let scene = Scene::start("");
    let (source, identifier) = (scene.sluis("gp-south/etl"), scene.write("identifier", format!("{}\n", BSNS[0])));
    let erase = ["subject", "erase", "--namespace", "nl.bsn", "--identifier-file", &identifier];
    let shown = source.ok(&erase);
    assert!(shown.contains("1 steward of uni-research") && shown.contains("sluis proposal sign"), "{shown}");
    assert!(!shown.contains(BSNS[0]));
    let id = field(&source.ok(&[&erase[..], &["--json"]].concat()), "proposal_id");
    for steward in ["uni-research/steward-1", "registry-office/steward-a"] {
        scene.sluis(steward).ok(&["proposal", "sign", &id, "--yes"]);
    }
    let input = scene.write("in.csv", format!("bsn\n{}\n{}\n", BSNS[0], BSNS[1]));
    let output = scene.file("out.csv");
    let said = source.run(&["pseudonymise", &input, "--chain", STUDY, "-o", &output]);
    assert_eq!(said.status.code(), Some(3), "some rows were rejected");
    assert!(String::from_utf8_lossy(&said.stderr).contains("OPTED_OUT"));

    let custodian = scene.sluis("custodian/anna");
    let status = custodian.ok(&["status", "--json"]);
    let version = status.split("\"chain_id\": \"diabetes-study\"").find(|part| part.contains("\"nl.bsn\""));
    let kid = field(version.expect("the line is there"), "kid");
    let cut = custodian.ok(&["chain", "cut-escrow", &kid, "--yes"]);
    assert!(cut.contains("2 stewards of uni-research"), "{cut}");
    assert_eq!(custodian.run(&["chain", "destroy", &kid, "--yes"]).status.code(), Some(1), "it is active");
}
