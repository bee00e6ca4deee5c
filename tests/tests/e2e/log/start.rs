//! A start begins with the state beside the head, and the rest of the log is verified afterwards.

use std::fs;
use std::path::PathBuf;

use sluis_port::rows;
use sluis_port::store::{Commit, Family, Store};
use sluis_store::{Options, RocksStore};
use sluis_testkit::registry::{CUSTODIANS, registry};
use sluis_testkit_daemon::process::Sluisd;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::wait::until;

const VERIFIED: &str = "the whole audit log was verified";

fn state(scene: &Scene) -> PathBuf {
    scene.directory().join("head/head.state")
}

/// What `sluisd verify` says, and whether it is content.
fn verify(scene: &Scene) -> (bool, String) {
    let output = Sluisd::command(scene.directory(), "verify")
        .output()
        .expect("sluisd runs");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_begins_with_the_state_beside_the_head_and_verifies_the_rest() {
    let mut scene = Scene::start("");
    let (code, _) = scene.stop();
    assert_eq!(code, Some(0));
    assert!(state(&scene).exists(), "a stop writes it");
    let (content, said) = verify(&scene);
    assert!(content && said.contains("were verified"), "{said}");
    scene.start_again();
    until("the log is verified", async || {
        scene.daemon().log().contains(VERIFIED)
    })
    .await;
    scene.sluis(CUSTODIANS[0]).ok(&["status"]);
    scene.stop();
    // Damaged, it costs time and nothing else.
    let mut bytes = fs::read(state(&scene)).expect("readable");
    bytes[40] ^= 1;
    fs::write(state(&scene), bytes).expect("writable");
    scene.start_again();
    scene.sluis(CUSTODIANS[0]).ok(&["status"]);
    assert!(!scene.daemon().log().contains("in the background"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_an_edited_store_ends_all_acts_soon_after_the_start() {
    let mut scene = Scene::start("");
    let longer = registry().replace("retention = \"10y\"", "retention = \"11y\"");
    scene.apply(
        longer,
        &["uni-research/steward-1", "uni-research/steward-2"],
    );
    scene.stop();
    // The text of a registry that is not in force any more: only the verification reads it.
    let store = RocksStore::open(&scene.directory().join("data"), &Options::default());
    let store = store.expect("opens");
    let mut commit = Commit::default();
    commit.put(Family::Registry, rows::registry_key(1), vec![1; 80]);
    store.commit(commit).expect("written");
    drop(store);
    let (content, said) = verify(&scene);
    assert!(!content, "{said}");
    scene.start_again();
    let found = "the audit log is not what it was";
    until("the fault is found", async || {
        scene.daemon().log().contains(found)
    })
    .await;
    let output = scene.sluis(CUSTODIANS[0]).run(&["status"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("CORRUPT_STORE"), "{said}");
}
