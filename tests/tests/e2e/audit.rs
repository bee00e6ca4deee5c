//! The auditor's tools against the real daemon: a copy of the log, offline verification, a witness, and reports.

mod copy;
mod export;
mod report;
mod tamper;
mod watch;

use std::fs;
use std::path::Path;

use serde_json::Value;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::custody;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::wait::first;
use sluis_testkit_daemon::world::{batch, convert, pseudonymise, reidentify, values};
use sluis_tlog::{Checkpoint, Note};
use sluis_wire::v1;

use crate::refusals::{
    AUDITOR, BSNS, CUSTODIAN, NATIONAL, OTHER_STEWARD, RECIPIENT, SOURCE, STEWARDS, STUDY,
};
use crate::story::{exits, json};
use sluis_testkit_daemon::raw::Services;

/// A new head every second.
const HEADS: &str = "head_seconds = 1";
/// A purpose with everything that a page could trip over.
const PURPOSE: &str = "<script>alert(\"1\")</script> & 'more' https://example.org/";
/// A purpose that does not concern the owner of the national registry.
const FINDING: &str = "incidental finding";

/// A custodian with a history.
struct Story {
    scene: Scene,
    /// The log's verifier key before it was rotated.
    first_key: String,
    /// Grants by what became of them.
    used: String,
    open: String,
    denied: String,
    revoked: String,
    /// A pseudonym of the study.
    token: String,
}

/// Batches, grants that were used, left open, denied and revoked, refusals, two registries, a proposal that was rejected, a
/// quota that was reached, and rotations of a chain and of the log's key.
async fn story() -> Story {
    let scene = Scene::start(HEADS);
    let first_key = head(&scene).await.1.verifier_key;
    let (source, recipient) = (scene.client(SOURCE).await, scene.client(RECIPIENT).await);
    let made = pseudonymise(&source, STUDY, batch(&[("bsn", &BSNS)]))
        .await
        .expect("a source");
    let tokens = values(&made, "bsn");
    pseudonymise(&source, NATIONAL, batch(&[("bsn", &BSNS[..2])]))
        .await
        .expect("a source");

    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "10",
    ];
    let used = request(&scene, RECIPIENT, &terms, PURPOSE);
    decide(&scene, &used, "approve", &[STEWARDS[0], OTHER_STEWARD]);
    let two = batch(&[("bsn", &[&tokens[0], &tokens[1]])]);
    convert(&recipient, &used, two.clone())
        .await
        .expect("approved");
    let finding = [
        "reidentify",
        "--chain",
        STUDY,
        "--element",
        "bsn",
        "--max-values",
        "1",
    ];
    let finding = request(&scene, SOURCE, &finding, FINDING);
    decide(&scene, &finding, "approve", &STEWARDS);
    let one = batch(&[("bsn", &[&tokens[0]])]);
    reidentify(&source, &finding, one.clone())
        .await
        .expect("approved");
    reidentify(&source, &finding, one)
        .await
        .expect_err("used up");
    let open = request(&scene, RECIPIENT, &terms, "left open");
    convert(&recipient, &open, two.clone())
        .await
        .expect_err("not approved");
    let denied = request(&scene, RECIPIENT, &terms, "not a good reason");
    decide(&scene, &denied, "deny", &STEWARDS[..1]);
    let revoked = request(&scene, RECIPIENT, &terms, "no longer needed");
    decide(&scene, &revoked, "approve", &[STEWARDS[1], OTHER_STEWARD]);
    decide(&scene, &revoked, "revoke", &[RECIPIENT]);
    convert(&scene.client("outsider/etl").await, &used, two)
        .await
        .expect_err("not the grantee");

    let tighter = registry().replacen("subjects_per_day = 1000000", "subjects_per_day = 2", 1);
    scene.apply(&tighter, &STEWARDS);
    let other = scene.client("gp-south/etl").await;
    pseudonymise(&other, STUDY, batch(&[("bsn", &BSNS)]))
        .await
        .expect_err("over the quota");
    let never = scene.apply(tighter.replace("= \"10y\"", "= \"9y\""), &[]);
    scene
        .sluis(STEWARDS[0])
        .ok(&["proposal", "reject", &never, "--yes"]);
    scene
        .sluis(CUSTODIAN)
        .ok(&["chain", "rotate", NATIONAL, "--yes"]);
    rotate_key(&scene).await;
    Story {
        scene,
        first_key,
        used,
        open,
        denied,
        revoked,
        token: tokens[0].clone(),
    }
}

fn request(scene: &Scene, requester: &str, terms: &[&str], purpose: &str) -> String {
    let why = [
        "--purpose",
        purpose,
        "--legal-basis",
        "consent",
        "--until",
        "1d",
        "--json",
    ];
    let said = scene
        .sluis(requester)
        .ok(&[&["grant", "request"], terms, &why[..]].concat());
    json(&said)["grant_id"].as_str().expect("text").to_owned()
}

fn decide(scene: &Scene, grant: &str, what: &str, members: &[&str]) {
    for member in members {
        scene.sluis(member).ok(&["grant", what, grant, "--yes"]);
    }
}

/// One batch of one value; one entry.
async fn act(scene: &Scene, bsn: &str) {
    let source = scene.client(SOURCE).await;
    pseudonymise(&source, NATIONAL, batch(&[("bsn", &[bsn])]))
        .await
        .expect("a source");
}

async fn rotate_key(scene: &Scene) {
    let custodian = scene.client(CUSTODIAN).await;
    custody::rotate_audit_key(&custodian)
        .await
        .expect("a custodian");
    settled(scene).await;
}

/// The last signed head.
async fn head(scene: &Scene) -> (Checkpoint, v1::GetCheckpointResponse) {
    let client = scene.client(SOURCE).await;
    let answer = client
        .audit()
        .get_checkpoint(v1::GetCheckpointRequest {})
        .await
        .expect("a member")
        .into_inner();
    (parsed(answer.checkpoint.as_bytes()), answer)
}

fn parsed(note: &[u8]) -> Checkpoint {
    Note::from_bytes(note)
        .expect("a note")
        .text()
        .parse()
        .expect("a checkpoint")
}

/// Number of entries, signed or not.
async fn entries(scene: &Scene) -> u64 {
    let request = v1::ReadEntriesRequest {
        from_sequence: 0,
        limit: 1,
        own: false,
    };
    let answer = scene
        .client(AUDITOR)
        .await
        .audit()
        .read_entries(request)
        .await;
    answer.expect("an auditor").into_inner().log_size
}

/// Number of entries, once the head covers them all, which takes a second.
async fn settled(scene: &Scene) -> u64 {
    first("a head of all entries", async || {
        let size = head(scene).await.0.size();
        (size == entries(scene).await).then_some(size)
    })
    .await
}

/// `sluis audit export` as the auditor; what it says.
fn export(scene: &Scene, directory: &str) -> Value {
    json(
        &scene
            .sluis(AUDITOR)
            .ok(&["audit", "export", directory, "--json"]),
    )
}

/// `sluis audit verify`, which must end with this code; what it says on standard output and standard error.
#[track_caller]
fn verify(directory: &str, key: &str, code: i32) -> (String, String) {
    let mut command = std::process::Command::new(sluis_testkit_daemon::process::binary("sluis"));
    let output = command
        .args(["audit", "verify", directory, "--key", key])
        .output()
        .expect("sluis runs");
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        exits(&output, code),
    )
}

/// Copies the store and the last head somewhere else, or back.
fn copy_custodian(from: &Path, to: &Path) {
    for place in ["data", "head"] {
        let to = to.join(place);
        if to.exists() {
            fs::remove_dir_all(&to).expect("removed");
        }
        fs::create_dir(&to).expect("made");
        for entry in fs::read_dir(from.join(place)).expect("readable") {
            let entry = entry.expect("readable");
            fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}
