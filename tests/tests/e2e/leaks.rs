//! Promise 2: no identifier, value, link value, pseudonym or key is written by the daemon to disk, a log, a metric or an
//! error message. One custodian is led down every path with marked values, and then they are looked for everywhere.

mod drive;
mod scanner;

use std::fs;
use std::path::Path;

use sluis_keyring::{Kek, Keyring};
use sluis_port::{Commit, Family, Store};
use sluis_store::{Options, RocksStore};
use sluis_testkit_daemon::metrics;
use sluis_testkit_daemon::scene::Scene;

use scanner::Scanner;

const TELEMETRY: &str = "[telemetry]\nlog_level = \"trace\"\nmetrics_listen = \"127.0.0.1:0\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_2_no_plaintext_is_written_anywhere() {
    let mut scene = Scene::start(TELEMETRY);
    let mut scanner = Scanner::default();
    let returned = tokio::task::block_in_place(|| drive::files(&scene, &mut scanner));
    let refusals = drive::calls(&scene, &mut scanner).await;
    tokio::task::block_in_place(|| drive::rotate_and_back_up(&scene));

    let pid = scene.daemon().pid();
    let page = metrics::page(scene.daemon().metrics_addr()).await;
    assert!(page.contains("sluis_"), "a page of metrics");
    let mut places = vec![
        (
            "what the command line said".to_owned(),
            returned.into_bytes(),
        ),
        ("the daemon's refusals".to_owned(), refusals.into_bytes()),
        ("the metrics".to_owned(), page.into_bytes()),
        (
            "the environment".to_owned(),
            fs::read(format!("/proc/{pid}/environ")).expect("our own process"),
        ),
        (
            "the command line of the daemon".to_owned(),
            fs::read(format!("/proc/{pid}/cmdline")).expect("our own process"),
        ),
    ];
    files_below(&scene.path("data"), &mut places);
    let (exit, log) = scene.stop();
    assert_eq!(exit, Some(0));
    assert!(log.contains("\"TRACE\""), "the log says all it can");
    places.push(("the log".to_owned(), log.into_bytes()));
    // Again, now that everything is flushed; and the copy.
    files_below(&scene.path("data"), &mut places);
    files_below(&scene.path("backup"), &mut places);
    let before = places.len();
    rows(&scene.path("data"), &mut places);
    assert!(places.len() > before + 100, "the store holds rows");
    mark_keys_and_link_values(&scene, &mut scanner);
    // Restoring is a path, too, and a backup that is opened shows its rows uncompressed.
    let restored = scene.path("restored");
    sluis_store::restore(&scene.path("backup"), &restored).expect("restores");
    rows(&restored, &mut places);

    let records = ["in.csv", "study.csv"].map(|name| (name.to_owned(), scene.read_bytes(name)));
    assert!(
        scanner.search(&records).len() > 600,
        "where they belong, they are found"
    );
    let found = scanner.search(&places);
    assert!(
        found.is_empty(),
        "{} places\n{}",
        found.len(),
        found.join("\n")
    );
    assert!(scanner.marks() > 100, "{}", scanner.marks());
}

/// The key-encryption key, and the link value of every identifier, which no message and no file ever shows.
fn mark_keys_and_link_values(scene: &Scene, scanner: &mut Scanner) {
    let store =
        RocksStore::open(&scene.path("data"), &Options::default()).expect("the daemon has stopped");
    let kek = fs::read(scene.path("kek")).expect("made by init");
    scanner.mark("the key-encryption key", &kek);
    let keyring = Keyring::load(
        &store,
        &Kek::from_file(&scene.path("kek")).expect("readable"),
    )
    .expect("the key fits");
    let chain = "diabetes-study".parse().expect("an id");
    let line = keyring
        .active_line(&chain, &"nl.bsn".parse().expect("an id"))
        .expect("the chain has it");
    for bsn in drive::bsns() {
        scanner.mark(
            "a link value",
            line.linked.link_value(bsn.as_bytes()).expose(),
        );
    }
}

/// The name and content of every file; names are looked at, too.
fn files_below(directory: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files_below(&path, places);
        } else if let Ok(mut content) = fs::read(&path) {
            // RocksDB may have removed it in between; then there is nothing to read.
            content.extend_from_slice(path.to_string_lossy().as_bytes());
            places.push((path.display().to_string(), content));
        }
    }
}

/// Every row of a store, as it is without RocksDB's compression.
fn rows(directory: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    let store = RocksStore::open(directory, &Options::default()).expect("opens");
    for family in Family::ALL {
        let mut start = Vec::new();
        loop {
            let page = store.scan(family, &start, 1_000).expect("readable");
            let Some((last, _)) = page.last() else { break };
            start = [&last[..], &[0]].concat();
            places.extend(page.into_iter().map(|(key, value)| {
                (
                    format!("family {}", family.name()),
                    [key, vec![0xff; 4], value].concat(),
                )
            }));
        }
    }
}

#[test]
fn a_planted_value_is_found_in_every_form_and_place() {
    let mut scanner = Scanner::default();
    let marked = "Plánted-9f31\u{1}".as_bytes();
    scanner.mark("planted", marked);
    let forms = scanner::forms(marked);
    assert!(forms.len() >= 14, "{}", forms.len());
    for (form, bytes) in &forms {
        let place = [b"noise ".as_slice(), bytes, b" noise"].concat();
        let found = scanner.search(&[("here".to_owned(), place)]);
        assert!(!found.is_empty() && found[0].contains("here"), "{form}");
        assert!(!found[0].contains("9f31"), "the report does not repeat it");
    }
    // Base64 of a longer text that has it inside, at any offset.
    for before in ["", "x", "xy", "xyz"] {
        let inside = [before.as_bytes(), marked, b"tail"].concat();
        let place = scanner::base64(&inside, scanner::STANDARD).into_bytes();
        assert!(
            !scanner.search(&[("base64".to_owned(), place)]).is_empty(),
            "{before}"
        );
    }
    assert!(
        scanner
            .search(&[("elsewhere".to_owned(), b"Planted-9f31".to_vec())])
            .is_empty()
    );

    let directory = tempfile::tempdir().expect("scratch directory");
    fs::create_dir(directory.path().join("sub")).expect("writable");
    fs::write(directory.path().join("sub/file"), marked).expect("writable");
    let mut places = Vec::new();
    files_below(directory.path(), &mut places);
    assert_eq!(scanner.search(&places).len(), 1, "in a file");

    let data = directory.path().join("data");
    fs::create_dir(&data).expect("writable");
    let store = RocksStore::create(&data, &Options::default()).expect("new");
    let mut commit = Commit::default();
    commit.put(
        Family::Grants,
        b"key".to_vec(),
        [&[1], &b" ".repeat(5_000)[..], marked].concat(),
    );
    store.commit(commit).expect("written");
    drop(store);
    places.clear();
    rows(&data, &mut places);
    assert_eq!(scanner.search(&places).len(), 1, "in a row of a store");
}

/// Whether it is dumpable shows from outside only to others than root; a test of the daemon asks from inside.
#[test]
fn promise_2_the_daemon_leaves_no_core_dump() {
    use std::os::unix::fs::MetadataExt;
    let scene = Scene::start("");
    let pid = scene.daemon().pid();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("our own process");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .expect("a line");
    assert_eq!(
        core.split_whitespace().collect::<Vec<_>>()[4..6],
        ["0", "0"],
        "{core}"
    );
    // The kernel gives the files of a process that is not dumpable to root.
    assert_eq!(
        fs::metadata(format!("/proc/{pid}/mem"))
            .expect("it runs")
            .uid(),
        0
    );
}
