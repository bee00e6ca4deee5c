//! What was answered stays, and stays the same: through restarts, copies and refused starts. Killing is in [`kill`].

mod kill;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use sluis_testkit::registry::CUSTODIANS;
use sluis_testkit_daemon::process::{Sluis, Sluisd, binary};
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::{
    self, World, batch, convert, pseudonymise, reidentify, values, write_config,
};
use sluis_wire::v1;
use tempfile::TempDir;

const BSNS: [&str; 4] = ["950000012", "900095222", "950053533", "111222333"];
const STUDY: &str = "diabetes-study";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_the_log_is_synced_before_every_answer() {
    let world = World::start().await;
    let syncs = || world.store.inner().wal_syncs();
    let (source, office) = (
        world.client("hospital-north/etl").await,
        world.client("registry-office/etl").await,
    );
    let doctor = world.client("hospital-north/doctor").await;
    let before = syncs();
    let terms = world::convert_terms(&world, (STUDY, "bsn"), ("national-registry", "bsn"), 1_000);
    let grant = world
        .grant(
            "registry-office/etl",
            terms,
            &["uni-research/steward-1", "registry-office/steward-a"],
        )
        .await;
    assert!(
        syncs() >= before + 3,
        "request and two approvals, one after another"
    );
    let terms = world::reidentify_terms(&world, STUDY, &["bsn"], 1_000);
    let stewards = ["uni-research/steward-1", "uni-research/steward-2"];
    let second = world.grant("hospital-north/doctor", terms, &stewards).await;
    for _ in 0..10 {
        let before = syncs();
        let tokens = pseudonymise(&source, STUDY, batch(&[("bsn", &BSNS)]))
            .await
            .expect("pseudonymised");
        let tokens = values(&tokens, "bsn");
        let after = syncs();
        assert!(after > before, "a batch was answered without a sync");
        let tokens: Vec<_> = tokens.iter().map(String::as_str).collect();
        convert(&office, &grant, batch(&[("bsn", &tokens)]))
            .await
            .expect("converted");
        let converted = syncs();
        assert!(
            converted > after,
            "a conversion was answered without a sync"
        );
        reidentify(&doctor, &second, batch(&[("bsn", &tokens)]))
            .await
            .expect("re-identified");
        assert!(
            syncs() > converted,
            "a re-identification was answered without a sync"
        );
    }
}

/// What the parties of a custodian get for the same identifiers.
#[derive(PartialEq, Debug)]
struct Outputs {
    tokens: Vec<String>,
    converted: Vec<String>,
    identities: Vec<String>,
}

struct Grants {
    convert: String,
    reidentify: String,
}

fn grants(scene: &Scene) -> Grants {
    let convert = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "1000",
    ];
    let reidentify = [
        "reidentify",
        "--chain",
        STUDY,
        "--element",
        "bsn",
        "--max-values",
        "1000",
    ];
    let owners = ["uni-research/steward-1", "registry-office/steward-a"];
    Grants {
        convert: scene.grant("registry-office/etl", &convert, &owners),
        reidentify: scene.grant(
            "hospital-north/doctor",
            &reidentify,
            &["uni-research/steward-1", "uni-research/steward-2"],
        ),
    }
}

/// Pseudonymises again; converts and re-identifies `old` tokens, or the new ones.
async fn outputs(scene: &Scene, grants: &Grants, old: Option<&Outputs>) -> Outputs {
    let source = scene.client("hospital-north/etl").await;
    let tokens = pseudonymise(&source, STUDY, batch(&[("bsn", &BSNS)]))
        .await
        .expect("pseudonymised");
    let tokens = values(&tokens, "bsn");
    let used: Vec<_> = old
        .map_or(&tokens, |old| &old.tokens)
        .iter()
        .map(String::as_str)
        .collect();
    let office = scene.client("registry-office/etl").await;
    let converted = convert(&office, &grants.convert, batch(&[("bsn", &used)]))
        .await
        .expect("converted");
    let doctor = scene.client("hospital-north/doctor").await;
    let identities = reidentify(&doctor, &grants.reidentify, batch(&[("bsn", &used)]))
        .await
        .expect("re-identified");
    Outputs {
        converted: values(&converted, "bsn"),
        identities: values(&identities, "bsn"),
        tokens,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_9_the_same_pseudonyms_after_a_restart() {
    let mut scene = Scene::start("");
    let grants = grants(&scene);
    let before = outputs(&scene, &grants, None).await;
    assert_eq!(before.identities, BSNS);
    for _ in 0..2 {
        assert_eq!(scene.stop().0, Some(0));
        scene.start_again();
        assert_eq!(outputs(&scene, &grants, Some(&before)).await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_9_the_same_pseudonyms_from_a_backup_restored_elsewhere() {
    let mut scene = Scene::start("");
    let grants = grants(&scene);
    let before = outputs(&scene, &grants, None).await;
    let custodian = scene.client(CUSTODIANS[0]).await;
    let backup = custodian
        .custody()
        .create_backup(v1::CreateBackupRequest {})
        .await
        .expect("a backup")
        .into_inner();
    let later = scene.client("hospital-north/etl").await;
    pseudonymise(&later, "national-registry", batch(&[("bsn", &BSNS[..1])]))
        .await
        .expect("not in the backup");
    assert_eq!(scene.stop().0, Some(0));

    let elsewhere = beside(&scene);
    let said = restore(elsewhere.path(), &backup.directory);
    assert!(said.status.success(), "{}", stderr(&said));
    accept(&scene, elsewhere.path());
    let _certificates = scene.move_to(elsewhere);
    scene.start_again();
    // The grants of before have ended.
    let anew = self::grants(&scene);
    assert_eq!(outputs(&scene, &anew, Some(&before)).await, before);
    assert_eq!(scene.stop().0, Some(0));

    let again = restore(scene.path("").as_path(), &backup.directory);
    refused(&again, "is not empty");
    scene.start_again();
    assert_eq!(
        outputs(&scene, &anew, Some(&before)).await,
        before,
        "a refused restore harmed nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_opens_with_its_own_key_only() {
    let mut scene = Scene::start("");
    let custodian = scene.client(CUSTODIANS[0]).await;
    let backup = custodian
        .custody()
        .create_backup(v1::CreateBackupRequest {})
        .await
        .expect("a backup")
        .into_inner();
    assert_eq!(scene.stop().0, Some(0));
    let elsewhere = beside(&scene);
    fs::write(elsewhere.path().join("kek"), "0123456789abcdef".repeat(4)).expect("scratch file");
    refused(
        &restore(elsewhere.path(), &backup.directory),
        "this is not the KEK of this store",
    );
    refused(&run(elsewhere.path()), "");
    let nothing = tempfile::tempdir().expect("scratch directory");
    fs::remove_dir_all(elsewhere.path().join("data")).ok();
    refused(
        &restore(elsewhere.path(), &nothing.path().display().to_string()),
        "holds no backup",
    );
}

/// A directory with the configuration, certificates and key of a scene, and no store.
fn beside(scene: &Scene) -> TempDir {
    let elsewhere = tempfile::tempdir().expect("scratch directory");
    write_config(elsewhere.path(), "");
    fs::copy(scene.path("kek"), elsewhere.path().join("kek")).expect("copied with its mode");
    fs::create_dir(elsewhere.path().join("head")).expect("scratch directory");
    fs::copy(scene.path("head/head"), elsewhere.path().join("head/head"))
        .expect("copied with its mode");
    fs::create_dir(elsewhere.path().join("pki")).expect("scratch directory");
    for entry in fs::read_dir(scene.path("pki")).expect("readable") {
        let entry = entry.expect("readable");
        fs::copy(
            entry.path(),
            elsewhere.path().join("pki").join(entry.file_name()),
        )
        .expect("copied");
    }
    elsewhere
}

/// Two custodians sign what was restored into a directory.
fn accept(scene: &Scene, directory: &Path) {
    let request = directory.join("head/restore-request").display().to_string();
    let mut command = Sluisd::command(directory, "accept-restore");
    for member in CUSTODIANS {
        let out = directory
            .join(member.replace('/', "-"))
            .display()
            .to_string();
        let hands = Sluis::of(&scene.pki, "https://localhost:1", member);
        hands.ok(&["restore", "sign", &request, "--out", &out, "--yes"]);
        command.arg("--signature").arg(out);
    }
    let said = command.output().expect("sluisd runs");
    assert!(said.status.success(), "{}", stderr(&said));
}

fn restore(directory: &Path, backup: &str) -> Output {
    Sluisd::command(directory, "restore")
        .args(["--from", backup])
        .output()
        .expect("sluisd runs")
}

/// A start that is expected to fail (a daemon that serves would run for ever).
fn run(directory: &Path) -> Output {
    Sluisd::command(directory, "run")
        .output()
        .expect("sluisd runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(output: &Output, message: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(message), "{message:?} is not in: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_on_a_directory_is_refused_and_harms_nothing() {
    let scene = Scene::start("");
    let grants = grants(&scene);
    let before = outputs(&scene, &grants, None).await;
    refused(
        &run(&scene.path("")),
        "in use by another process: another sluisd uses",
    );
    refused(
        &Sluisd::command(&scene.path(""), "init")
            .output()
            .expect("sluisd runs"),
        "another sluisd uses",
    );
    assert_eq!(
        outputs(&scene, &grants, Some(&before)).await,
        before,
        "the first goes on"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_set_up_once() {
    let mut scene = Scene::start("");
    let grants = grants(&scene);
    let before = outputs(&scene, &grants, None).await;
    assert_eq!(scene.stop().0, Some(0));
    let kek = fs::read(scene.path("kek")).expect("readable");
    refused(
        &Sluisd::command(&scene.path(""), "init")
            .output()
            .expect("sluisd runs"),
        "it is never overwritten",
    );
    assert!(
        fs::read(scene.path("kek")).expect("readable") == kek,
        "nor is the key"
    );
    scene.start_again();
    assert_eq!(outputs(&scene, &grants, Some(&before)).await, before);
}

#[test]
fn a_daemon_without_its_key_or_with_one_that_others_can_read_does_not_start() {
    let directory = tempfile::tempdir().expect("scratch directory");
    drop(Sluisd::prepare(directory.path(), ""));
    let (kek, aside) = (directory.path().join("kek"), directory.path().join("aside"));
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&kek, fs::Permissions::from_mode(mode)).expect("own file");
        refused(&run(directory.path()), "run: chmod 600");
    }
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).expect("own file");
    fs::rename(&kek, &aside).expect("same directory");
    refused(&run(directory.path()), "cannot access the KEK file");
    assert!(!kek.exists(), "a daemon never makes a key");
    fs::write(&kek, "short").expect("scratch file");
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).expect("own file");
    refused(
        &run(directory.path()),
        "must hold exactly 64 hexadecimal characters",
    );
    fs::rename(&aside, &kek).expect("same directory");
    Sluisd::start(directory.path()).terminate();
}

#[test]
fn a_store_that_was_never_set_up_is_not_run() {
    let directory = tempfile::tempdir().expect("scratch directory");
    drop(Sluisd::prepare(directory.path(), ""));
    fs::remove_dir_all(directory.path().join("data")).expect("removed");
    refused(&run(directory.path()), "holds no store");
    assert!(!directory.path().join("data").join("CURRENT").exists());
}

#[test]
fn everything_unknown_in_the_configuration_is_told_at_once() {
    let directory = tempfile::tempdir().expect("scratch directory");
    drop(Sluisd::prepare(directory.path(), ""));
    write_config(
        directory.path(),
        "colour = \"blue\"\n[limits]\nmax_connectons = 7\n[surprise.inner]\ndeep = true",
    );
    for command in ["run", "check-config", "init"] {
        let output = Sluisd::command(directory.path(), command)
            .args(["--set", "tls.hat=x"])
            .env("SLUISD_STORE__SPEED", "11")
            .output()
            .expect("sluisd runs");
        for key in [
            "audit.colour",
            "limits.max_connectons",
            "surprise",
            "tls.hat",
            "store.speed",
        ] {
            refused(&output, key);
        }
    }
    let usage = std::process::Command::new(binary("sluisd"))
        .arg("walk")
        .output()
        .expect("sluisd runs");
    assert!(!usage.status.success());
}
