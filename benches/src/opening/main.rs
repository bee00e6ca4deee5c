//! How long a start takes, and how much memory, with a short log and with a long one.
//!
//!     make opening
//!
//! Each log is made by a real engine over RocksDB: it is set up, gets a registry, and pseudonymises one batch. The entry of that
//! batch is then repeated with other salts until the log is long enough. For each number a line says how long it takes to
//! open the store, and then the engine: from the state beside the head, and from the first entry.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark says its numbers"
)]

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Instant;

use futures_executor::block_on;
use sluis_domain::{Column, RecordBatch};
use sluis_engine::Engine;
use sluis_keyring::Kek;
use sluis_port::{Clock, Commit, Family, Store, rows};
use sluis_store::{Options, RocksStore};
use sluis_testkit::clock::TestClock;
use sluis_testkit::people::{self, caller};
use sluis_testkit::registry::registry;

/// Entries of one commit.
const AT_ONCE: u64 = 10_000;
/// Where the salt lies in an entry, behind the format.
const SALT: std::ops::Range<usize> = 1..9;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, directory] = &arguments[..]
        && let "saved" | "whole" = mode.as_str()
    {
        open(std::path::Path::new(directory), mode == "saved");
        return ExitCode::SUCCESS;
    }
    let sizes: Vec<u64> = arguments
        .iter()
        .filter_map(|size| size.parse().ok())
        .collect();
    if sizes.is_empty() {
        eprintln!("sluis-opening <number of entries>..., such as 10000 10000000");
        return ExitCode::FAILURE;
    }
    for size in sizes {
        let directory = tempfile::tempdir().expect("scratch directory");
        make(directory.path(), size);
        for mode in ["saved", "whole"] {
            let program = std::env::current_exe().expect("this program");
            let opened = Command::new(program)
                .arg(mode)
                .arg(directory.path())
                .status();
            assert!(opened.expect("starts").success(), "{mode}");
        }
    }
    ExitCode::SUCCESS
}

/// A store with so many entries, its key, its head, and its state at the head.
fn make(directory: &std::path::Path, size: u64) {
    let started = Instant::now();
    let kek = Kek::generate_file(&directory.join("kek")).expect("a new file");
    let store = RocksStore::create(&directory.join("data"), &Options::default());
    let store: Arc<dyn Store> = Arc::new(store.expect("a new store"));
    let clock: Arc<dyn Clock> = Arc::new(TestClock::now());
    Engine::initialise(&*store, &kek, &*clock, &people::settings()).expect("an empty store");
    let engine = people::open(store.clone(), &kek, clock);
    people::apply(&engine, &registry()).expect("a valid registry");
    let batch = one_batch(&engine, &*store);
    while store.entries() < size {
        let first = store.entries();
        let mut commit = Commit::default();
        for number in first..size.min(first + AT_ONCE) {
            let mut entry = batch.clone();
            entry[SALT].copy_from_slice(&number.to_be_bytes());
            commit.entry(entry);
        }
        store.commit(commit).expect("room on the disk");
    }
    let head = engine.log().sign_head().expect("a log in order");
    std::fs::write(directory.join("head"), &head.note).expect("room on the disk");
    let state = engine.log().save().expect("readable").expect("in order");
    std::fs::write(directory.join("state"), &state).expect("room on the disk");
    println!(
        "{size} entries: made in {:.1} s, the state has {} bytes",
        started.elapsed().as_secs_f64(),
        state.len()
    );
}

/// The entry of a batch.
fn one_batch(engine: &Engine, store: &dyn Store) -> Vec<u8> {
    let chain = "national-registry".parse().expect("an id");
    let element: sluis_domain::ElementName = "bsn".parse().expect("an id");
    let elements = std::slice::from_ref(&element);
    let session =
        engine
            .batches()
            .open_pseudonymise(&caller("hospital-north/etl"), &chain, elements, false);
    let column = Column::from_values(["111222333".to_owned()]);
    let batch = RecordBatch::new(None, 1, vec![(element.clone(), column)]).expect("well-formed");
    let session = session.expect("a source of the chain");
    let pending = engine
        .batches()
        .pseudonymise(&session, &batch)
        .expect("accepted");
    block_on(pending).expect("durable");
    let last = rows::audit_key(store.entries() - 1);
    let mut found = store.scan(Family::Audit, &last, 1).expect("readable");
    found.pop().expect("the entry of the batch").1
}

/// Opens what [`make`] made, and says how long it took.
fn open(directory: &std::path::Path, from_state: bool) {
    let kek = Kek::from_file(&directory.join("kek")).expect("the key");
    let started = Instant::now();
    let store = RocksStore::open(&directory.join("data"), &Options::default());
    let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
    let opened = started.elapsed();
    let state = from_state.then(|| std::fs::read(directory.join("state")).expect("the state"));
    let clock: Arc<dyn Clock> = Arc::new(TestClock::now());
    let settings = people::settings();
    let engine = Engine::resume(store.clone(), &kek, clock, settings, state.as_deref());
    let engine = engine.expect("a log in order");
    let head = std::fs::read(directory.join("head")).expect("the head");
    engine.log().check_head(&head).expect("its own head");
    println!(
        "{} entries, {}: store {:.3} s, engine {:.3} s, resident at most {} MiB",
        store.entries(),
        if from_state {
            "from the state"
        } else {
            "from the first entry"
        },
        opened.as_secs_f64(),
        (started.elapsed() - opened).as_secs_f64(),
        peak_mib()
    );
}

/// The most memory that this process had.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
