//! What a former key-encryption key opens leaves the disk.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::Path;

use sluis_daemon::commands;
use sluis_daemon::config::KekSource;
use sluis_port::{Family, Store};
use sluis_store::{Options, RocksStore};
use sluis_testkit::pki::Pki;
use sluis_testkit_daemon::world;

/// Random bytes that only the stored row has: near the end of its value. The very last ones compression may take together
/// with the row that follows.
fn marks(store: &impl Store, family: Family) -> Vec<Vec<u8>> {
    let rows = store.scan(family, &[], 1_000).unwrap().into_iter();
    let keys = rows.filter(|(key, _)| family == Family::Keyring || key == b"kek");
    keys.map(|(_, value)| value[value.len() - 14..value.len() - 3].to_vec())
        .collect()
}

/// How many of the marks are in the files below a directory.
fn found(directory: &Path, marks: &[Vec<u8>]) -> usize {
    let files = files(directory);
    let has = |mark: &Vec<u8>| {
        files
            .iter()
            .any(|file| file.windows(mark.len()).any(|window| window == mark))
    };
    marks.iter().filter(|mark| has(mark)).count()
}

fn files(directory: &Path) -> Vec<Vec<u8>> {
    let paths = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![fs::read(&path).unwrap()]
            }
        })
        .collect()
}

#[test]
fn what_a_former_key_opens_leaves_the_store_and_is_in_no_later_backup() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    Pki::create(&path.join("pki"));
    world::write_config(path, "");
    let settings = world::settings(path);
    commands::init(&settings, None).unwrap();
    let open = || RocksStore::open(&settings.data_directory, &Options::default()).unwrap();
    let store = open();
    let wraps = [marks(&store, Family::Keyring), marks(&store, Family::Meta)].concat();
    drop(store);
    assert_eq!(
        (wraps.len(), found(&settings.data_directory, &wraps)),
        (4, 4),
        "master, state, log, and the record of the KEK"
    );

    commands::rotate_kek(
        &settings,
        &KekSource::File(path.join("kek.2")),
        None,
        |_| Ok(()),
    )
    .unwrap();
    assert_eq!(found(&settings.data_directory, &wraps), 0);
    let store = open();
    store.backup(&path.join("after")).unwrap();
    drop(store);
    assert_eq!(
        (
            found(&settings.data_directory, &wraps),
            found(&path.join("after"), &wraps)
        ),
        (0, 0)
    );
}
