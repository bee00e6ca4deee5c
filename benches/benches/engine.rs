//! Path by path: a batch of 8,192 rows through the engine over an in-memory store, and over RocksDB (durable).
//!
//!     cargo bench --workspace --bench engine

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_executor::block_on;
use sluis_domain::{Column, RecordBatch};
use sluis_engine::Engine;
use sluis_keyring::Kek;
use sluis_port::{Clock, Store};
use sluis_store::{Options, RocksStore};
use sluis_testkit::clock::TestClock;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people::{self, caller};
use sluis_testkit::registry::registry;

const ROWS: usize = 8192;

fn engine(store: Arc<dyn Store>, directory: &std::path::Path) -> Engine {
    let kek = Kek::generate_file(&directory.join("kek")).expect("new file");
    let clock: Arc<dyn Clock> = Arc::new(TestClock::now());
    Engine::initialise(&*store, &kek, &*clock, &people::settings()).expect("empty store");
    let engine = people::open(store, &kek, clock);
    people::apply(&engine, &registry()).expect("valid");
    engine
}

/// Numbers that pass the 11-test, counted upwards.
fn bsns() -> Column {
    let passes = |n: &u32| {
        let digit = |i: u32| (n / 10u32.pow(8 - i)) % 10;
        ((0..8).map(|i| digit(i) * (9 - i)).sum::<u32>() + 11 * 9 - digit(8)) % 11 == 0
    };
    Column::from_values(
        (100_000_001u32..)
            .filter(passes)
            .take(ROWS)
            .map(|n| n.to_string()),
    )
}

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pseudonymise");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.sample_size(20);
    for durable in [false, true] {
        let directory = tempfile::tempdir().expect("scratch");
        let store: Arc<dyn Store> = if durable {
            Arc::new(
                RocksStore::create(&directory.path().join("data"), &Options::default())
                    .expect("new store"),
            )
        } else {
            Arc::new(ModelStore::new())
        };
        let engine = engine(store, directory.path());
        let source = caller("hospital-north/etl");
        let chain = "national-registry".parse().expect("id");
        let element = "bsn".parse().expect("id");
        let session = engine
            .batches()
            .open_pseudonymise(&source, &chain, std::slice::from_ref(&element), false)
            .expect("a source");
        let batch = RecordBatch::new(None, ROWS, vec![(element, bsns())]).expect("well-formed");
        let name = if durable { "rocksdb" } else { "memory" };
        group.bench_with_input(
            BenchmarkId::from_parameter(name),
            &batch,
            |bencher, batch| {
                bencher.iter(|| {
                    block_on(
                        engine
                            .batches()
                            .pseudonymise(&session, batch)
                            .expect("accepted"),
                    )
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, paths);
criterion_main!(benches);
