//! The house rules: who may depend on whom. Direct, non-dev dependencies only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Crates of ours and what they must never depend on directly.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "sluis-domain",
        &[
            "tokio",
            "tonic",
            "prost",
            "rocksdb",
            "aes",
            "aes-gcm",
            "hmac",
            "sha2",
            "rustls",
            "sluis-crypto",
            "sluis-ledger",
            "sluis-port",
        ],
    ),
    (
        "sluis-port",
        &[
            "tokio",
            "tonic",
            "prost",
            "rocksdb",
            "sluis-crypto",
            "sluis-ledger",
            "sluis-store",
        ],
    ),
    (
        "sluis-ledger",
        &[
            "tokio",
            "tonic",
            "prost",
            "rocksdb",
            "rustls",
            "clap",
            "aes-gcm",
            "sluis-port",
            "sluis-tlog",
            "sluis-verify",
            "sluis-keyring",
            "sluis-store",
            "sluis-engine",
            "sluis-wire",
        ],
    ),
    (
        "sluis-crypto",
        &[
            "tokio",
            "tonic",
            "prost",
            "rocksdb",
            "tracing",
            "log",
            "sluis-store",
            "sluis-keyring",
        ],
    ),
    (
        "sluis-keyring",
        &[
            "tokio",
            "tonic",
            "prost",
            "rocksdb",
            "aes-gcm",
            "sluis-store",
        ],
    ),
    (
        "sluis-files",
        &[
            "tokio",
            "tonic",
            "prost",
            "rocksdb",
            "rustls",
            "sluis-crypto",
            "sluis-keyring",
            "sluis-store",
        ],
    ),
    (
        "sluis-tlog",
        &[
            "tokio",
            "tonic",
            "prost",
            "rocksdb",
            "sluis-store",
            "sluis-keyring",
            "sluis-engine",
            "sluis-wire",
        ],
    ),
    (
        "sluis-verify",
        &[
            "tokio",
            "tonic",
            "prost",
            "rocksdb",
            "clap",
            "sluis-store",
            "sluis-keyring",
            "sluis-engine",
            "sluis-wire",
        ],
    ),
    (
        "sluis-views",
        &[
            "clap",
            "rocksdb",
            "indicatif",
            "tonic",
            "prost",
            "sluis-wire",
            "sluis-store",
            "sluis-keyring",
            "sluis-engine",
        ],
    ),
    (
        "sluis-store",
        &[
            "sluis-crypto",
            "sluis-keyring",
            "sluis-wire",
            "aes-gcm",
            "tokio",
            "tonic",
        ],
    ),
    (
        "sluis-engine",
        &[
            "tonic",
            "prost",
            "rocksdb",
            "clap",
            "tokio",
            "aes-gcm",
            "sluis-store",
            "sluis-wire",
        ],
    ),
    (
        "sluis-wire",
        &[
            "tokio",
            "rocksdb",
            "rustls",
            "sluis-keyring",
            "sluis-store",
            "sluis-engine",
            "sluis-client",
        ],
    ),
    (
        "sluis-client",
        &["rocksdb", "sluis-keyring", "sluis-store", "sluis-engine"],
    ),
    (
        "sluis-cli",
        &[
            "rocksdb",
            "tonic",
            "prost",
            "sluis-wire",
            "sluis-keyring",
            "sluis-store",
            "sluis-engine",
        ],
    ),
];

/// Development only: nothing that ships may depend on these.
const DEVELOPMENT: &[&str] = &[
    "sluis-testkit",
    "sluis-testkit-daemon",
    "sluis-tests",
    "sluis-benches",
];

/// What may see a generated type of the contract, beside the crate that generates it.
const SEES_MESSAGES: &[&str] = &[
    "sluis-daemon",
    "sluis-client",
    "sluis-testkit-daemon",
    "sluis-tests",
    "sluis-benches",
];

fn direct_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .expect("cargo metadata");
    let normal = |package: &cargo_metadata::Package| {
        let direct = package
            .dependencies
            .iter()
            .filter(|d| d.kind == DependencyKind::Normal);
        direct.map(|d| d.name.clone()).collect()
    };
    metadata
        .packages
        .iter()
        .map(|package| (package.name.to_string(), normal(package)))
        .collect()
}

#[test]
fn no_crate_depends_on_what_it_must_not_know() {
    let direct = direct_dependencies();
    for (package, forbidden) in FORBIDDEN {
        let found = direct
            .get(*package)
            .unwrap_or_else(|| panic!("{package} is gone: update this table"));
        let wrong: Vec<_> = forbidden
            .iter()
            .filter(|name| found.contains(**name))
            .collect();
        assert!(wrong.is_empty(), "{package} must not depend on {wrong:?}");
    }
}

#[test]
fn nothing_shipped_depends_on_development_crates() {
    for (package, found) in direct_dependencies() {
        if !DEVELOPMENT.contains(&package.as_str()) {
            assert!(
                DEVELOPMENT.iter().all(|name| !found.contains(*name)),
                "{package} ships"
            );
        }
    }
}

#[test]
fn only_daemon_client_and_tests_see_a_message() {
    let direct = direct_dependencies();
    assert!(direct.contains_key("sluis-wire"), "update this test");
    for (package, found) in &direct {
        let may = SEES_MESSAGES.contains(&package.as_str());
        assert!(may || !found.contains("sluis-wire"), "{package}");
    }
}

#[test]
fn command_line_and_views_name_no_message() {
    for directory in ["cli/src", "cli/tests", "views/src"] {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        let root = crates.join(directory);
        for file in rust_files(&root) {
            let text = fs::read_to_string(&file).expect("source");
            let path = file.display();
            for name in ["sluis_wire", "sluis_proto", "sluis_client::v1"] {
                assert!(!text.contains(name), "{path} names {name}");
            }
        }
    }
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let found = paths.flat_map(|path| match path.is_dir() {
        true => rust_files(&path),
        false => vec![path],
    });
    found
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}
