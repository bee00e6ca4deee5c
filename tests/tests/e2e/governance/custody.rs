//! What one custodian does alone with keys: with the pinned key, signed, once.

use serde_json::Value;
use sluis_client::ClientError;
use sluis_ledger::instruction::Task;
use sluis_testkit_daemon::custody;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::World;
use sluis_wire::v1;

use crate::refusals::{CUSTODIAN, STUDY, outcome};
use sluis_testkit_daemon::raw::Services;

fn rotation() -> Task {
    Task::RotateChain {
        chain: STUDY.parse().expect("an id"),
        namespace: "nl.bsn".parse().ok(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_in_a_custodians_name_with_another_key_does_nothing() {
    let world = World::start().await;
    let custodian = world.client(CUSTODIAN).await;
    let stolen_name = world
        .connect(&world.pki.other_key_of(CUSTODIAN))
        .await
        .expect("the authority is ours");
    let good = custody::instruct(&custodian, rotation()).await;
    let request = v1::RotateChainRequest {
        instruction: Some(good.clone()),
    };
    let told = [
        outcome(stolen_name.custody().rotate_chain(request).await),
        outcome(custody::disable_version(&stolen_name, "00000001").await),
        outcome(custody::rotate_audit_key(&stolen_name).await),
        outcome(stolen_name.custody_status().await),
        outcome(
            stolen_name
                .custody()
                .create_backup(v1::CreateBackupRequest {})
                .await,
        ),
    ];
    assert_eq!(told, ["KEY_NOT_PINNED"; 5]);
    // The same instruction of the custodian serves, and serves once.
    let rotate = || async {
        let request = v1::RotateChainRequest {
            instruction: Some(good.clone()),
        };
        let answer = custodian.custody().rotate_chain(request).await;
        outcome::<_, ClientError>(answer.map_err(ClientError::from))
    };
    assert_eq!(rotate().await, "allowed");
    assert_eq!(rotate().await, "INSTRUCTION_STALE");
}

#[test]
fn the_command_line_shows_what_it_signs_and_anybody_can_verify_it() {
    let scene = Scene::start("head_seconds = 1");
    let custodian = scene.sluis(CUSTODIAN);
    let shown = custodian.ok(&["chain", "rotate", STUDY, "--namespace", "nl.bsn", "--yes"]);
    for part in [
        "You sign this instruction with the key of your certificate",
        "chain-rotate: the line of nl.bsn in diabetes-study",
        "after",
        "registry version 1",
        "within ten minutes",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let status: Value = serde_json::from_str(&custodian.ok(&["status", "--json"])).expect("JSON");
    let versions = status["key_versions"].as_array().expect("a list");
    let old = versions
        .iter()
        .find(|version| version["state"] == "convert-only")
        .and_then(|version| version["kid"].as_str())
        .expect("it was replaced");
    custodian.ok(&["chain", "disable", old, "--yes"]);
    let rotated = custodian.ok(&["custody", "rotate-audit-key", "--yes", "--json"]);
    let rotated: Value = serde_json::from_str(&rotated).expect("JSON");
    let auditor = scene.sluis("uni-research/privacy-officer");
    let log = auditor.ok(&["audit", "read", "--json"]);
    let entries = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let acts = ["chain-rotate", "version-disable", "audit-key-rotate"];
    let done: Vec<Value> = entries
        .filter(|entry| acts.iter().any(|act| entry["act"] == *act))
        .collect();
    let signers: Vec<&Value> = done.iter().map(|entry| &entry["signers"]).collect();
    let anna = serde_json::json!([CUSTODIAN]);
    assert_eq!(signers, [&anna; 3], "{log}");
    // The head that hands over covers them all.
    let copy = scene.file("copy");
    auditor.ok(&["audit", "export", &copy]);
    let key = rotated["verifier_key"].as_str().expect("text");
    auditor.ok(&["audit", "verify", &copy, "--key", key]);
}
