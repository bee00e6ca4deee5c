//! The same with `sluis`: what is shown is what is signed.

use std::process::Output;

use sluis_testkit::people;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::scene::Scene;

use super::{BEN, CUSTODIAN, STEWARDS};

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn between<'a>(text: &'a str, before: &str, after: char) -> &'a str {
    let rest = text
        .split(before)
        .nth(1)
        .unwrap_or_else(|| panic!("no {before} in {text}"));
    rest.split(after).next().unwrap_or_default()
}

#[test]
fn a_registry_change_waits_for_its_signatures_and_says_who_must_give_them() {
    let scene = Scene::start("");
    let text = registry()
        .replace("= \"10y\"", "= \"9y\"")
        .replace("name = \"University Research\"", "name = \"U\"");
    let file = scene.write("next.toml", text);
    let shown = scene
        .sluis(CUSTODIAN)
        .ok(&["registry", "apply", &file, "--dry-run"]);
    for part in [
        "~ chain[diabetes-study].retention: 10y -> 9y",
        "must be signed by 2 custodians, because of organisation[uni-research].name",
        "must be signed by 2 stewards of uni-research, because of chain[diabetes-study].retention",
        "this was a dry run: nothing was changed; version 1 is in force",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let shown = scene
        .sluis(CUSTODIAN)
        .ok(&["registry", "apply", &file, "--yes"]);
    let id = between(&shown, "signs with: sluis registry sign ", '\n').to_owned();
    assert!(
        shown.contains("1 custodian and 2 stewards of uni-research"),
        "anna has signed: {shown}"
    );
    assert!(scene.sluis(BEN).ok(&["whoami"]).contains(&id));
    assert!(
        scene
            .sluis(STEWARDS[0])
            .ok(&["proposal", "list"])
            .contains(&id)
    );
    let shown = scene
        .sluis(STEWARDS[0])
        .ok(&["registry", "sign", &id, "--yes"]);
    assert!(
        shown.contains("~ chain[diabetes-study].retention: 10y -> 9y"),
        "{shown}"
    );
    scene
        .sluis(STEWARDS[1])
        .ok(&["proposal", "sign", &id, "--yes"]);
    let shown = scene.sluis(BEN).ok(&["registry", "sign", &id, "--yes"]);
    assert!(
        shown.contains(&format!("signed; {id} is effective")),
        "{shown}"
    );
    assert!(
        scene
            .sluis(CUSTODIAN)
            .ok(&["registry", "show"])
            .contains("retention = \"9y\"")
    );
    assert!(
        scene
            .sluis(CUSTODIAN)
            .ok(&["registry", "show", "--version", "1"])
            .contains("retention = \"10y\"")
    );
    assert!(
        scene
            .sluis(CUSTODIAN)
            .ok(&["proposal", "show", &id])
            .contains("effective")
    );
    let same = scene.sluis(CUSTODIAN).ok(&["registry", "apply", &file]);
    assert!(same.contains("no changes; version 2 is in force"), "{same}");
}

#[test]
fn without_a_terminal_nothing_is_signed_unasked_and_a_no_is_for_good() {
    let scene = Scene::start("");
    let file = scene.write("next.toml", registry().replace("= \"10y\"", "= \"9y\""));
    let shown =
        scene
            .sluis(CUSTODIAN)
            .ok(&["registry", "apply", &file, "--yes", "--no-sign", "--json"]);
    let id = between(&shown, "\"proposal_id\": \"", '"').to_owned();
    for command in [["registry", "sign", &id], ["proposal", "reject", &id]] {
        let output = scene.sluis(STEWARDS[0]).run(&command);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    }
    scene
        .sluis(STEWARDS[0])
        .ok(&["proposal", "reject", &id, "--yes"]);
    let output = scene
        .sluis(STEWARDS[1])
        .run(&["registry", "sign", &id, "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("PROPOSAL_DECIDED"),
        "{}",
        said(&output)
    );
}

#[test]
fn the_key_of_a_certificate_is_printed_as_registry_and_configuration_want_it() {
    let scene = Scene::start("");
    let sluis = scene.sluis(STEWARDS[0]);
    let key = people::public_key(STEWARDS[0]);
    assert_eq!(
        sluis.ok(&["key", "show", "--registry"]),
        people::key_table(STEWARDS[0])
    );
    assert_eq!(
        sluis.ok(&["key", "show", "--line"]),
        format!("{}={key}\n", STEWARDS[0])
    );
    assert!(
        sluis
            .ok(&["key", "show", "--json"])
            .contains(&key.to_string())
    );
    let both = sluis.ok(&["key", "show"]);
    assert!(
        both.contains(&people::key_table(STEWARDS[0]))
            && both.contains(&format!("{}={key}", STEWARDS[0]))
    );
}
