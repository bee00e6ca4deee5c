//! Durable link rows per second: batches of 8192 rows of 37 bytes, several in flight, synced.

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sluis_port::rows::ENTRY_FORMAT;
use sluis_port::store::{Commit, Family, PackedRows, Receipt, Store, StoreError};
use sluis_store::{Options, RocksStore};

const ROWS: usize = 8192;
const IN_FLIGHT: usize = 8;

/// A commit of rows whose keys are random, like those of real link rows, and one audit entry.
fn batch(seed: u64) -> Commit {
    let mut state = seed;
    let mut random = move || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_be_bytes()
    };
    let mut rows = PackedRows::with_capacity(Family::Link, 20, ROWS, 37 * ROWS);
    for _ in 0..ROWS {
        rows.push_with(|out| {
            out.extend_from_slice(&[0, 0, 0, 1]);
            (0..2).for_each(|_| out.extend_from_slice(&random()));
            out.push(1);
            (0..2).for_each(|_| out.extend_from_slice(&random()));
        });
    }
    Commit {
        rows: vec![rows],
        entries: vec![vec![ENTRY_FORMAT; 200]],
        ..Commit::default()
    }
}

/// Time from the first submit to the last completion.
fn load(store: &RocksStore, commits: Vec<Commit>) -> Duration {
    let (slots, done) = sync_channel(IN_FLIGHT);
    (0..IN_FLIGHT).for_each(|_| slots.send(()).expect("the receiver is here"));
    let start = Instant::now();
    for commit in commits {
        done.recv().expect("a sender is here");
        let slots = slots.clone();
        let durable = move |outcome: Result<Receipt, StoreError>| {
            outcome.expect("durable");
            slots.send(()).expect("waited for");
        };
        store.submit(commit, Box::new(durable));
    }
    (0..IN_FLIGHT).for_each(|_| done.recv().expect("a sender is here"));
    start.elapsed()
}

fn link_rows(c: &mut Criterion) {
    let mut group = c.benchmark_group("durable link rows");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(ROWS as u64));
    for (name, bulk_rows) in [("through the log", usize::MAX), ("as tables", 4_096)] {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a scratch directory");
        let options = Options {
            bulk_rows,
            ..Options::default()
        };
        let store = RocksStore::create(&dir.path().join("store"), &options).expect("a new store");
        let mut seed = 0;
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|batches| {
                let commits = (0..batches).map(|n| batch((seed + n) << 32)).collect();
                seed += batches;
                load(&store, commits)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, link_rows);
criterion_main!(benches);
