//! The tour of README.md, run as it stands.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use sluis_testkit_daemon::process::binary;

const README: &str = include_str!("../../../README.md");

/// The shell blocks behind a `<!-- tour -->` mark, in order.
fn tour() -> String {
    let blocks: Vec<_> = README
        .split("<!-- tour -->\n```sh\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("a block ends"))
        .collect();
    assert!(blocks.len() >= 5, "README.md has lost its tour");
    blocks.join("\n")
}

/// A port that stays free until the tour gets to it: those from 32768 on are given to whoever asks for any port.
fn free_port() -> u16 {
    let first = 20_000 + std::process::id() % 12_000;
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (first as u16..32_768).find(free).expect("a free port")
}

#[test]
fn the_tour_of_the_readme_runs_as_it_stands() {
    let scratch = tempfile::tempdir().expect("scratch directory");
    let script = format!(
        "set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n{}",
        tour()
    );
    let script = script
        .replace("7443", &free_port().to_string())
        .replace("kill %1", "kill $!");
    let bin = binary("sluis");
    let path = format!(
        "{}:{}",
        bin.parent().expect("a directory").display(),
        std::env::var("PATH").expect("set")
    );
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&scratch)
        .env("PATH", path)
        .env("SLUIS_REPO", repository)
        .output()
        .expect("bash runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let called = std::fs::read_to_string(scratch.path().join("called.csv"))
        .expect("the last file of the tour");
    assert_eq!(called.lines().count(), 4, "a header and three patients");
    assert!(
        said.contains("reidentify") && said.contains("grant-approve"),
        "the audit log was shown"
    );
}
