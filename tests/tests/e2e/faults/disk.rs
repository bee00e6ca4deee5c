//! A disk that is almost full, and one that is full, through the real daemon.

use std::time::{Duration, Instant};

use sluis_client::Client;
use sluis_testkit::identifiers::bsns;
use sluis_testkit_daemon::health::Health;
use sluis_testkit_daemon::metrics;
use sluis_testkit_daemon::process::Sluisd;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::small_disk::SmallDisk;
use sluis_testkit_daemon::wait::first;
use sluis_testkit_daemon::world::{batch, pseudonymise, values};

const MIB: u64 = 1 << 20;
const CHAIN: &str = "national-registry";
/// A stop takes this long at most, whatever the disk does: the drain of the configuration, the last jobs, the store.
const LONGEST_STOP: Duration = Duration::from_secs(45);

/// A custodian whose store lies on a disk of `bytes`.
fn small(bytes: u64, store: &str) -> (SmallDisk, Scene) {
    let directory = tempfile::tempdir().expect("scratch directory");
    let disk = SmallDisk::mount(&directory.path().join("data"), bytes);
    let extra = format!("[store]\n{store}\n[telemetry]\nmetrics_listen = \"127.0.0.1:0\"");
    let scene = Scene::start_in(directory, &extra);
    (disk, scene)
}

/// One batch of one subject: its token, or why not.
async fn token(source: &Client, bsn: &str) -> Result<String, String> {
    match pseudonymise(source, CHAIN, batch(&[("bsn", &[bsn])])).await {
        Ok(result) => Ok(values(&result, "bsn").remove(0)),
        Err(error) => Err(error.reason().unwrap_or("NO_REASON").to_owned()),
    }
}

async fn metric(scene: &Scene, name: &str) -> Option<u64> {
    metrics::value(&metrics::page(scene.daemon().metrics_addr()).await, name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_is_told_refused_with_its_own_reason_and_used_again_when_there_is_room()
 {
    let (disk, mut scene) = small(512 * MIB, "");
    let source = scene.client("hospital-north/etl").await;
    let before = token(&source, "950000012").await.expect("there is room");
    let endpoint = scene.daemon().endpoint();
    let mut health = Health::of(&scene.pki, &endpoint).await;
    assert!(health.serves().await);

    disk.fill(40 * MIB);
    health.becomes(false).await;
    let refused = token(&source, "950000012").await;
    assert_eq!(refused, Err("DISK_FULL".to_owned()));
    assert_eq!(metric(&scene, "sluis_store_writable").await, Some(0));
    let free = metric(&scene, "sluis_store_free_bytes")
        .await
        .expect("told");
    assert!(free <= 41 * MIB, "{free}");

    disk.make_room();
    health.becomes(true).await;
    assert_eq!(token(&source, "950000012").await, Ok(before));
    let (code, log) = scene.stop();
    assert_eq!(code, Some(0));
    for line in [
        "there is little room left on the disk of the store",
        "the store takes no writes: all acts are refused",
        "make room for at least",
        "the store takes writes again",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    drop(disk);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_on_a_full_disk_has_an_unknown_outcome_and_the_store_is_opened_again_when_there_is_room()
 {
    let (disk, mut scene) = small(64 * MIB, "min_free_bytes = 0\nwrite_buffer_bytes = 1048576");
    let source = scene.client("hospital-north/etl").await;
    let before = token(&source, "950000012").await.expect("there is room");
    let endpoint = scene.daemon().endpoint();
    let mut health = Health::of(&scene.pki, &endpoint).await;
    disk.fill(0);
    // The store took some room ahead, which is used up first.
    let many: Vec<String> = bsns().take(2_000).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = first("the disk is full", async || {
        let sent = batch(&[("bsn", &many)]);
        pseudonymise(&source, CHAIN, sent).await.err()
    })
    .await;
    assert_eq!(refused.reason(), Some("OUTCOME_UNKNOWN"));
    let refused = token(&source, "950000012").await;
    assert_eq!(refused, Err("DISK_FULL".to_owned()));
    health.becomes(false).await;

    disk.make_room();
    health.becomes(true).await;
    assert_eq!(token(&source, "950000012").await, Ok(before));
    let (code, log) = scene.stop();
    assert_eq!(code, Some(0));
    assert!(
        log.contains("the store was opened again after a failed write"),
        "{log}"
    );
    drop(disk);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_neither_holds_up_the_stop_nor_loses_anything_and_the_start_says_how_much_room_is_missing()
 {
    let (disk, mut scene) = small(128 * MIB, "write_buffer_bytes = 16777216");
    let source = scene.client("hospital-north/etl").await;
    let before = token(&source, "950000012").await.expect("there is room");
    disk.fill(0);
    let refused = token(&source, "950000012").await;
    assert_eq!(refused, Err("DISK_FULL".to_owned()));
    let stopping = Instant::now();
    let (code, log) = scene.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(
        stopping.elapsed() < LONGEST_STOP,
        "{:?}",
        stopping.elapsed()
    );

    // What the store let go of when it was closed, someone else takes.
    disk.fill(0);
    let started = Sluisd::command(&scene.path(""), "run")
        .output()
        .expect("sluisd runs");
    let said = String::from_utf8_lossy(&started.stderr).into_owned();
    assert!(!started.status.success(), "{said}");
    assert!(said.contains("make room for at least"), "{said}");

    disk.make_room();
    scene.start_again();
    let source = scene.client("hospital-north/etl").await;
    assert_eq!(token(&source, "950000012").await, Ok(before));
    scene.stop();
    drop(disk);
}
