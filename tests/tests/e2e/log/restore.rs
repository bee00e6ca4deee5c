//! The ceremony: a backup comes back, two custodians agree, and no one else's yes will do.

use std::fs;
use std::path::Path;
use std::process::Output;

use sluis_testkit::pki::{Credentials, Pki};
use sluis_testkit::registry::CUSTODIANS;
use sluis_testkit_daemon::process::{Sluis, Sluisd};
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::{batch, pseudonymise};
use sluis_wire::v1;

/// Of someone who only signs: no daemon runs.
fn hands(pki: &Pki, member: &str) -> Sluis {
    Sluis::of(pki, "https://localhost:1", member)
}

fn sluisd(scene: &Scene, command: &str, arguments: &[&str]) -> Output {
    Sluisd::command(&scene.path(""), command)
        .args(arguments)
        .output()
        .expect("sluisd runs")
}

fn accept(scene: &Scene, signatures: &[&str]) -> Output {
    let arguments: Vec<_> = signatures
        .iter()
        .flat_map(|file| ["--signature", file])
        .collect();
    sluisd(scene, "accept-restore", &arguments)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(output: &Output, message: &str) {
    assert!(
        !output.status.success() && said(output).contains(message),
        "{message:?} is not in: {}",
        said(output)
    );
}

/// A custodian with a live grant, stopped, with a backup in place of its store.
async fn restored() -> (Scene, String) {
    let mut scene = Scene::start("");
    let custodian = scene.client(CUSTODIANS[0]).await;
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "10",
    ];
    let grant = scene.grant(
        "registry-office/etl",
        &terms,
        &["uni-research/steward-1", "registry-office/steward-a"],
    );
    let backup = custodian
        .custody()
        .create_backup(v1::CreateBackupRequest {})
        .await
        .expect("a backup")
        .into_inner();
    let source = scene.client("hospital-north/etl").await;
    pseudonymise(
        &source,
        "national-registry",
        batch(&[("bsn", &["950000012"])]),
    )
    .await
    .expect("after the backup");
    assert_eq!(scene.stop().0, Some(0));
    fs::remove_dir_all(scene.path("data")).expect("the store is lost");
    let output = sluisd(&scene, "restore", &["--from", &backup.directory]);
    assert!(output.status.success(), "{}", said(&output));
    (scene, grant)
}

fn sign(scene: &Scene, request: &Path, member: &str) -> String {
    let out = scene.file(&format!("{}.signature", member.replace('/', "-")));
    let request = request.display().to_string();
    let sign = [
        "restore", "sign", &request, "--out", &out, "--yes", "--force",
    ];
    hands(&scene.pki, member).ok(&sign);
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_store_comes_into_force_with_two_custodians_and_ends_live_grants() {
    let (mut scene, grant) = restored().await;
    refused(
        &sluisd(&scene, "run", &[]),
        "is older than the last signed head",
    );
    let request = scene.path("head/restore-request");
    let signatures = CUSTODIANS.map(|member| sign(&scene, &request, member));
    let [anna, ben] = &signatures;

    refused(&accept(&scene, &[anna]), "two custodians, not 1");
    refused(&accept(&scene, &[anna, anna]), "two different custodians");
    let steward = sign(&scene, &request, "uni-research/steward-1");
    refused(&accept(&scene, &[anna, &steward]), "uni-research/steward-1");
    let original = fs::read_to_string(&request).expect("readable");
    let foreign = original.replacen("sluis.test/", "other.test/", 1);
    fs::write(&request, &foreign).expect("written");
    refused(&accept(&scene, &[anna, ben]), "other.test/");
    let of_another = sign(&scene, &request, CUSTODIANS[1]);
    fs::write(&request, &original).expect("written");
    refused(
        &accept(&scene, &[anna, &of_another]),
        "the signature of custodian/ben",
    );
    refused(
        &sluisd(&scene, "run", &[]),
        "is older than the last signed head",
    );

    let ben = sign(&scene, &request, CUSTODIANS[1]);
    // What was lost is in the request; a mark that cannot be read must not keep the daemon from starting afterwards.
    fs::write(scene.path("data/last-commit"), [7; 40]).expect("written");
    let accepted = accept(&scene, &[anna, &ben]);
    assert!(accepted.status.success(), "{}", said(&accepted));
    assert!(!request.exists());
    scene.start_again();
    let shown = scene
        .sluis("registry-office/etl")
        .ok(&["grant", "show", &grant, "--json"]);
    assert!(shown.contains("revoked"), "{shown}");
    let auditor = scene.client("uni-research/privacy-officer").await;
    let read = v1::ReadEntriesRequest {
        from_sequence: 0,
        limit: 10_000,
        own: false,
    };
    let entries = auditor
        .audit()
        .read_entries(read)
        .await
        .expect("readable")
        .into_inner()
        .entries;
    let restore = entries
        .iter()
        .find(|entry| entry.act == "restore")
        .expect("on record");
    assert_eq!(restore.signers, CUSTODIANS);
    assert_eq!(scene.stop().0, Some(0));
    scene.start_again();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_do_not_work_again_after_the_head_file_was_removed() {
    let (mut scene, _) = restored().await;
    let (head, request) = (head_file(&scene), scene.path("head/restore-request"));
    let lost = fs::read(&head).expect("the head that is given up");
    let kept = fs::read_to_string(&request).expect("readable");
    let [anna, ben] = CUSTODIANS.map(|member| sign(&scene, &request, member));
    let accepted = accept(&scene, &[&anna, &ben]);
    assert!(accepted.status.success(), "{}", said(&accepted));
    scene.start_again();
    assert_eq!(scene.stop().0, Some(0));

    // On the same store, without the head file and with that of then.
    fs::remove_file(&head).expect("there");
    fs::write(&request, &kept).expect("written");
    refused(&accept(&scene, &[&anna, &ben]), "there is no head file");
    fs::write(&head, &lost).expect("written");
    refused(&accept(&scene, &[&anna, &ben]), "was accepted before");
    // On the same backup, once more.
    fs::remove_dir_all(scene.path("data")).expect("the store is lost");
    let backup = scene.path("backup").display().to_string();
    let output = sluisd(&scene, "restore", &["--from", &backup]);
    assert!(output.status.success(), "{}", said(&output));
    fs::write(&request, &kept).expect("written");
    refused(
        &accept(&scene, &[&anna, &ben]),
        "was not made for this copy of the store",
    );
}

/// Where the head file is.
fn head_file(scene: &Scene) -> std::path::PathBuf {
    let files = fs::read_dir(scene.path("head")).expect("readable");
    files
        .map(|file| file.expect("readable").path())
        .find(|path| fs::read_to_string(path).is_ok_and(|text| text.starts_with("sluis.test/")))
        .expect("a head file")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_signs_a_restore_that_was_not_shown() {
    let (scene, _) = restored().await;
    let (request, out) = (
        scene.path("head/restore-request").display().to_string(),
        scene.file("anna.signature"),
    );
    let sign = ["restore", "sign", &request, "--out", &out];
    let anna = hands(&scene.pki, CUSTODIANS[0]);
    for (more, code) in [(&["--json"][..], 2), (&["--json", "--yes"], 0)] {
        let output = anna.run(&[&sign[..], more].concat());
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(
            said(&output).contains("lost log") && said(&output).contains("is given up"),
            "{}",
            said(&output)
        );
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(
            !printed.contains("given up"),
            "standard output is for JSON: {printed}"
        );
    }
    let before = scene.read("anna.signature");
    let again = anna.run(&[&sign[..], &["--yes"]].concat());
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    assert!(said(&again).contains("--force") && again.stdout.is_empty());
    assert_eq!(scene.read("anna.signature"), before, "not replaced");
    let shown = anna.ok(&[&sign[..], &["--yes", "--force"]].concat());
    assert!(
        shown.contains("lost log") && shown.contains("signed as custodian/anna"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_counts_with_a_certificate_that_would_open_a_connection() {
    let (scene, _) = restored().await;
    let request = scene.path("head/restore-request");
    let anna = sign(&scene, &request, CUSTODIANS[0]);
    let sign_with = |name: &str, pki: &Pki, credentials: &Credentials| {
        let (out, request) = (
            scene.file(&format!("{name}.signature")),
            request.display().to_string(),
        );
        let hands = Sluis::with(pki, "https://localhost:1", name, credentials);
        hands.ok(&["restore", "sign", &request, "--out", &out, "--yes"]);
        out
    };
    // The pinned key in a certificate that no one issued who may.
    let elsewhere = Pki::named(&scene.path("elsewhere"), "Another CA");
    let foreign = sign_with("foreign", &elsewhere, &elsewhere.member(CUSTODIANS[1]));
    refused(&accept(&scene, &[&anna, &foreign]), "UnknownIssuer");
    let expired = sign_with(
        "expired",
        &scene.pki,
        &scene.pki.expired_member(CUSTODIANS[1]),
    );
    refused(&accept(&scene, &[&anna, &expired]), "expired");
    let stolen = scene.pki.member(CUSTODIANS[1]);
    let revoked = sign_with("stolen", &scene.pki, &stolen);
    scene.pki.revoke(&stolen);
    refused(&accept(&scene, &[&anna, &revoked]), "evoked");
    let ben = sign(&scene, &request, CUSTODIANS[1]);
    let accepted = accept(&scene, &[&anna, &ben]);
    assert!(accepted.status.success(), "{}", said(&accepted));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_head_is_lost_needs_the_ceremony_too() {
    let mut scene = Scene::start("");
    assert_eq!(scene.stop().0, Some(0));
    refused(&sluisd(&scene, "restore", &["--head-lost"]), "there is one");
    let whole = sluisd(&scene, "restore", &[]);
    assert!(
        whole.status.success()
            && String::from_utf8_lossy(&whole.stdout).contains("nothing was lost")
    );
    fs::remove_file(scene.path("head/head")).expect("it was there");
    refused(&sluisd(&scene, "run", &[]), "there is no head file");
    refused(&sluisd(&scene, "restore", &[]), "there is no head file");
    let output = sluisd(&scene, "restore", &["--head-lost"]);
    assert!(output.status.success(), "{}", said(&output));
    let signatures =
        CUSTODIANS.map(|member| sign(&scene, &scene.path("head/restore-request"), member));
    let accepted = accept(&scene, &signatures.each_ref().map(String::as_str));
    assert!(accepted.status.success(), "{}", said(&accepted));
    scene.start_again();
}
