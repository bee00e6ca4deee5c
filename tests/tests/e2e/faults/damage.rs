//! Damage in a table of a running custodian: called damage, at level error, and not serving.

use std::fs;
use std::path::Path;

use sluis_testkit::identifiers::bsns;
use sluis_testkit_daemon::health::Health;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::{batch, convert, pseudonymise, values};

/// Bytes of 2,000 link rows.
const LARGE: usize = 2_000 * 37;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_found_in_a_table_is_called_corrupt_at_level_error_and_ends_serving() {
    let mut scene = Scene::start("");
    let source = scene.client("hospital-north/etl").await;
    let all: Vec<String> = bsns().take(3_000).collect();
    let sent: Vec<&str> = all.iter().map(String::as_str).collect();
    let result = pseudonymise(&source, "diabetes-study", batch(&[("bsn", &sent)])).await;
    let tokens = values(&result.expect("accepted"), "bsn");
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "9000",
    ];
    let approvers = ["uni-research/steward-1", "registry-office/steward-a"];
    let grant = scene.grant("registry-office/etl", &terms, &approvers);
    drop(source);
    assert_eq!(scene.stop().0, Some(0));
    damage_large_tables(&scene.path("data"));

    scene.start_again();
    let mut health = Health::of(&scene.pki, &scene.daemon().endpoint()).await;
    assert!(health.serves().await);
    let office = scene.client("registry-office/etl").await;
    let sent: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let refused = convert(&office, &grant, batch(&[("bsn", &sent)])).await;
    assert_eq!(
        refused.expect_err("damaged").reason(),
        Some("CORRUPT_STORE")
    );
    health.becomes(false).await;
    let source = scene.client("hospital-north/etl").await;
    let refused = pseudonymise(&source, "diabetes-study", batch(&[("bsn", &["950000012"])])).await;
    assert_eq!(
        refused.expect_err("damaged").reason(),
        Some("CORRUPT_STORE")
    );
    let (code, log) = scene.stop();
    assert_eq!(code, Some(0));
    let calls = log.lines().filter(|line| line.contains("CORRUPT_STORE"));
    assert!(calls.clone().count() >= 2, "both calls: {log}");
    assert!(calls.clone().all(|line| line.contains("ERROR")), "{log}");
}

/// Flips a bit in each table with many rows: the escrow's.
fn damage_large_tables(data: &Path) {
    for entry in fs::read_dir(data).expect("readable") {
        let path = entry.expect("readable").path();
        let mut bytes = fs::read(&path).expect("readable");
        if path.extension().is_some_and(|ext| ext == "sst") && bytes.len() > LARGE {
            bytes[2_000] ^= 1;
            fs::write(&path, bytes).expect("written");
        }
    }
}
