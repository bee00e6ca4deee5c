//! A large file through both binaries.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use sluis_testkit::identifiers::bsns;
use sluis_testkit_daemon::process::peak_memory;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::{batch, pseudonymise, values};

const ROWS: usize = 1_000_000;
const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_rows_pass_whole_and_in_bounded_memory() {
    let scene = Scene::start("");
    let mut text = String::from("bsn\n");
    for bsn in bsns().take(ROWS) {
        writeln!(text, "{bsn}").expect("a String takes everything");
    }
    let input = scene.write("million.csv", &text);
    let output = scene.file("out.csv");
    let sluis = scene.sluis("hospital-north/etl");
    let arguments = [
        "pseudonymise",
        &input,
        "--chain",
        "national-registry",
        "-o",
        &output,
        "--json",
    ];
    let mut child = sluis
        .command(&arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("sluis runs");
    let mut client_peak = 0;
    let status = loop {
        client_peak = client_peak.max(peak_memory(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let daemon_peak = peak_memory(scene.daemon().pid()).expect("it runs");
    assert_eq!(status.code(), Some(0));
    println!(
        "peak memory: client {} MiB, daemon {} MiB",
        client_peak / MIB,
        daemon_peak / MIB
    );
    assert!(
        client_peak > 0 && client_peak <= 256 * MIB,
        "client: {} MiB",
        client_peak / MIB
    );
    assert!(
        daemon_peak <= 512 * MIB,
        "daemon: {} MiB",
        daemon_peak / MIB
    );

    let result = scene.read("out.csv");
    let mut lines = result.lines();
    assert_eq!(lines.next(), Some("bsn"));
    let tokens: Vec<_> = lines.collect();
    assert_eq!(tokens.len(), ROWS);
    assert!(
        tokens
            .iter()
            .all(|token| token.len() == 44 && token.starts_with("psn1"))
    );
    // Row by row the right ones, wherever batches begin and end.
    let client = scene.client("hospital-north/etl").await;
    let identifiers: Vec<_> = text.lines().skip(1).collect();
    for start in [0, 8_100, 499_950, ROWS - 100] {
        let some = start..start + 100;
        let alone = pseudonymise(
            &client,
            "national-registry",
            batch(&[("bsn", &identifiers[some.clone()])]),
        )
        .await;
        assert_eq!(values(&alone.expect("pseudonymised"), "bsn"), tokens[some]);
    }
    let mut distinct = tokens;
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ROWS, "no two subjects share a pseudonym");
}
