//! The head file: missing, damaged, another one, behind, and a place that cannot be written.

use std::fs;
use std::path::Path;

use sluis_daemon::StartError;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::process::Sluisd;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::wait::{first, until};
use sluis_testkit_daemon::world::{World, batch, pseudonymise};

/// Why the daemon does not start after something was done to its head file.
async fn refused(damage: impl FnOnce(&Path)) -> String {
    let world = World::start().await;
    let head = world.path("head/head");
    match world.restart_edited(|_| damage(&head)).await {
        Ok(_) => panic!("the daemon started"),
        Err(error @ StartError::Head(_)) => error.to_string(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_without_its_head_file_or_with_a_damaged_one_does_not_start() {
    let said = refused(|head| fs::remove_file(head).expect("it was there")).await;
    assert!(said.contains("there is no head file"), "{said}");
    let flip = |at: usize| {
        move |head: &Path| {
            let mut note = fs::read(head).expect("readable");
            let at = at.min(note.len() - 3);
            note[at] ^= 1;
            fs::write(head, note).expect("written");
        }
    };
    for at in [3, 60, usize::MAX] {
        let said = refused(flip(at)).await;
        assert!(said.contains("cannot be believed"), "{at}: {said}");
    }
    let other = World::start().await;
    let foreign = fs::read(other.path("head/head")).expect("readable");
    let said = refused(|head| fs::write(head, foreign).expect("written")).await;
    assert!(said.contains("cannot be believed"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn yesterdays_store_is_noticed() {
    let mut scene = Scene::start("");
    assert_eq!(scene.stop().0, Some(0));
    let yesterday = tempfile::tempdir().expect("scratch directory");
    copy_files(&scene.path("data"), yesterday.path());
    scene.start_again();
    let source = scene.client("hospital-north/etl").await;
    pseudonymise(
        &source,
        "national-registry",
        batch(&[("bsn", &["950000012"])]),
    )
    .await
    .expect("today");
    scene.kill();
    scene.start_again();
    assert_eq!(
        scene.stop().0,
        Some(0),
        "the head has everything when the daemon stops"
    );
    fs::remove_dir_all(scene.path("data")).expect("it was there");
    fs::create_dir(scene.path("data")).expect("scratch directory");
    copy_files(yesterday.path(), &scene.path("data"));
    let output = Sluisd::command(&scene.path(""), "run")
        .output()
        .expect("sluisd runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("is older than the last signed head"),
        "{said}"
    );
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_cannot_be_written_ends_all_acts_until_it_can() {
    let world = World::start_empty("head_seconds = 1\nmax_lag_seconds = 2").await;
    world.apply(&registry()).await.expect("valid");
    let mut health = world.health().await;
    let source = world.client("hospital-north/etl").await;
    // Root writes into read-only directories too, but no one writes a file where a directory is.
    let in_the_way = world.path("head/head.new");
    fs::create_dir(&in_the_way).expect("in the way");
    let act = || {
        pseudonymise(
            &source,
            "national-registry",
            batch(&[("bsn", &["950000012"])]),
        )
    };
    let refused = first("the head is too old", async || act().await.err()).await;
    assert_eq!(refused.reason(), Some("AUDIT_HEAD_UNAVAILABLE"));
    health.becomes(false).await;
    let entries = sluis_port::Store::entries(&*world.store);
    assert!(act().await.is_err());
    assert_eq!(
        sluis_port::Store::entries(&*world.store),
        entries,
        "nothing is added that nobody can sign"
    );
    fs::remove_dir(&in_the_way).expect("out of the way");
    health.becomes(true).await;
    until("acts go on by themselves, without a restart", async || {
        act().await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_a_place_for_the_head_serves_nothing_until_there_is_one() {
    let world = World::start_empty("head_seconds = 1\nmax_lag_seconds = 3600").await;
    world.apply(&registry()).await.expect("valid");
    let in_the_way = world.path("head/head.new");
    // Nothing is left to be signed, so only a probe can tell.
    let world = world
        .restart_edited(|_| fs::create_dir(&in_the_way).expect("in the way"))
        .await
        .expect("starts");
    let mut health = world.health().await;
    assert!(!health.serves().await);
    let source = world.client("hospital-north/etl").await;
    let bsn = || batch(&[("bsn", &["950000012"])]);
    let refused = pseudonymise(&source, "national-registry", bsn()).await;
    assert_eq!(
        refused.expect_err("refused").reason(),
        Some("AUDIT_HEAD_UNAVAILABLE")
    );
    fs::remove_dir(&in_the_way).expect("out of the way");
    health.becomes(true).await;
    pseudonymise(&source, "national-registry", bsn())
        .await
        .expect("served");
}
