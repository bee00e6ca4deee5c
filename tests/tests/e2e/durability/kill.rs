//! SIGKILL under load, again and again. `SLUIS_CRASH_CYCLES` says how often (default 20).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluis_client::{BatchResult, Client};
use sluis_store::{Options, RocksStore};
use sluis_testkit::identifiers::bsns;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::column;
use sluis_wire::v1;
use tokio::sync::Notify;
use tokio::task::JoinSet;

const CHAINS: [&str; 2] = ["diabetes-study", "national-registry"];
/// Rows of a batch under load.
const ROWS: usize = 100;
/// In every fourth cycle: so many that the store writes them as tables.
const BULK_ROWS: usize = 4_500;
/// Rows of a batch of the check after a restart.
const CHECK_ROWS: usize = 16_000;

/// Everything the custodian ever answered.
#[derive(Default)]
struct Acknowledged {
    /// Per chain: identifier -> token.
    tokens: [Mutex<HashMap<String, String>>; 2],
    /// Per chain: token -> token in the other chain.
    converted: [Mutex<HashMap<String, String>>; 2],
    /// Per grant: values of answered batches.
    used: [AtomicU64; 2],
    /// Batches answered to streams that pseudonymise.
    batches: AtomicUsize,
    progress: Notify,
}

impl Acknowledged {
    fn note(&self, map: &Mutex<HashMap<String, String>>, keys: &[String], result: &BatchResult) {
        assert!(result.rejections.is_empty(), "{:?}", result.rejections);
        let mut map = map.lock().expect("not poisoned");
        for (key, value) in keys.iter().zip(result.columns[0].1.iter()) {
            let value = String::from_utf8(value.to_vec()).expect("text");
            let first = map.entry(key.clone()).or_insert_with(|| value.clone());
            assert_eq!(*first, value, "what was answered once is answered again");
        }
    }

    fn tokens(&self, chain: usize) -> Vec<String> {
        self.tokens[chain]
            .lock()
            .expect("not poisoned")
            .values()
            .cloned()
            .collect()
    }
}

/// Sends batches of subjects until the stream breaks; notes what was answered.
async fn pseudonymise(
    client: Client,
    seen: Arc<Acknowledged>,
    chain: usize,
    batches: Vec<Vec<String>>,
) {
    let elements = ["bsn".parse().expect("an id")];
    let Ok(session) = client
        .pseudonymise(&CHAINS[chain].parse().expect("an id"), &elements)
        .await
    else {
        return;
    };
    let (mut sender, mut receiver) = session.split();
    let sending = {
        let batches = batches.clone();
        tokio::spawn(async move {
            for values in &batches {
                if sender.send(column("bsn", values)).await.is_err() {
                    return;
                }
            }
        })
    };
    for values in &batches {
        let Ok(Some(result)) = receiver.next().await else {
            break;
        };
        seen.note(&seen.tokens[chain], values, &result);
        seen.batches.fetch_add(1, Ordering::SeqCst);
        seen.progress.notify_one();
    }
    drop(receiver);
    drop(sending.await);
}

/// Converts acknowledged tokens out of a chain, in many small batches, until the stream breaks.
async fn convert(client: Client, seen: Arc<Acknowledged>, from: usize, grant: String) {
    let Ok(mut session) = client.convert(&grant.parse().expect("an id")).await else {
        return;
    };
    loop {
        let tokens = seen.tokens(from);
        if tokens.is_empty() {
            // Without a token yet: a row without a value, which tells when the stream breaks.
            let nothing = column("bsn", &[""]);
            if session.send(nothing).await.is_err() || !matches!(session.next().await, Ok(Some(_)))
            {
                return;
            }
        }
        for values in tokens.chunks(ROWS).take(20) {
            if session.send(column("bsn", values)).await.is_err() {
                return;
            }
            let Ok(Some(result)) = session.next().await else {
                return;
            };
            seen.note(&seen.converted[from], values, &result);
            seen.used[from].fetch_add(values.len() as u64, Ordering::SeqCst);
        }
    }
}

/// Load from all sides until some batches of this cycle were answered; then SIGKILL in the middle of it.
async fn load_and_kill(
    scene: &mut Scene,
    seen: &Arc<Acknowledged>,
    grants: &[String; 2],
    cycle: usize,
) {
    let mut tasks = JoinSet::new();
    for (stream, (source, chain)) in [
        ("hospital-north/etl", 0),
        ("gp-south/etl", 0),
        ("hospital-north/etl", 1),
    ]
    .into_iter()
    .enumerate()
    {
        tasks.spawn(pseudonymise(
            scene.client(source).await,
            seen.clone(),
            chain,
            batches(cycle, stream),
        ));
    }
    for (from, grant) in grants.iter().enumerate() {
        tasks.spawn(convert(
            scene.client("registry-office/etl").await,
            seen.clone(),
            from,
            grant.clone(),
        ));
    }
    let more = if is_bulk(cycle) {
        3 + cycle % 5
    } else {
        5 + cycle * 7 % 31
    };
    let enough = seen.batches.load(Ordering::SeqCst) + more;
    let progress = async {
        while seen.batches.load(Ordering::SeqCst) < enough {
            seen.progress.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), progress)
        .await
        .expect("the load makes progress");
    scene.kill();
    while let Some(task) = tasks.join_next().await {
        task.expect("no assertion failed under load");
    }
}

fn is_bulk(cycle: usize) -> bool {
    cycle % 4 == 3
}

/// Old subjects and new ones, overlapping between streams and cycles.
fn batches(cycle: usize, stream: usize) -> Vec<Vec<String>> {
    let (rows, first, all) = match is_bulk(cycle) {
        true => (BULK_ROWS, cycle % 8 * 5_000, 40_000),
        false => (ROWS, cycle * 1_500, 20_000),
    };
    let subjects: Vec<_> = bsns().skip(first + stream * 300).take(all).collect();
    subjects.chunks(rows).map(<[_]>::to_vec).collect()
}

async fn used(client: &Client, grant: &str) -> u64 {
    client
        .grant(&grant.parse().expect("an id"))
        .await
        .expect("still there")
        .used
}

/// All that was acknowledged still leads where it led, and counters never went down.
async fn check(scene: &Scene, seen: &Acknowledged, grants: &[String; 2]) {
    let office = scene.client("registry-office/etl").await;
    for (from, grant) in grants.iter().enumerate() {
        let acknowledged = seen.used[from].load(Ordering::SeqCst);
        let counted = used(&office, grant).await;
        assert!(
            counted >= acknowledged,
            "{acknowledged} values were answered and only {counted} are counted"
        );
        let mut session = office
            .convert(&grant.parse().expect("an id"))
            .await
            .expect("the grant lives");
        for values in seen.tokens(from).chunks(CHECK_ROWS) {
            session.send(column("bsn", values)).await.expect("sent");
            let result = session
                .next()
                .await
                .expect("not refused")
                .expect("an answer");
            seen.note(&seen.converted[from], values, &result);
            seen.used[from].fetch_add(values.len() as u64, Ordering::SeqCst);
        }
        assert!(used(&office, grant).await >= seen.used[from].load(Ordering::SeqCst));
    }
    let tokens = [0, 1].map(|chain| seen.tokens[chain].lock().expect("not poisoned").clone());
    let converted = seen.converted[0].lock().expect("not poisoned").clone();
    for (identifier, token) in &tokens[0] {
        let direct = tokens[1].get(identifier);
        assert!(
            direct.is_none_or(|direct| converted.get(token) == Some(direct)),
            "a conversion gave somebody else"
        );
    }
}

/// The audit log from one end to the other: no gap, and not shorter than before. Returns its length.
async fn check_log(scene: &Scene, before: u64) -> u64 {
    let auditor = scene.client("uni-research/privacy-officer").await;
    let mut next = 0;
    loop {
        let request = v1::ReadEntriesRequest {
            from_sequence: next,
            limit: 1_000,
            own: false,
        };
        let page = auditor
            .audit()
            .read_entries(request)
            .await
            .expect("readable")
            .into_inner();
        for entry in &page.entries {
            assert_eq!(entry.sequence, next, "a gap in the log");
            next += 1;
        }
        assert_eq!(page.next_sequence, next);
        if next >= page.log_size {
            break;
        }
    }
    assert!(next >= before, "the log got shorter");
    next
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_no_acknowledged_pseudonym_is_lost_by_kill() {
    let cycles = std::env::var("SLUIS_CRASH_CYCLES")
        .map_or(20, |text| text.parse().expect("a number of cycles"));
    let mut scene = Scene::start("");
    let owners = ["uni-research/steward-1", "registry-office/steward-a"];
    let grants = [(0, 1), (1, 0)].map(|(from, to)| {
        let (from, to) = (
            format!("{}/bsn", CHAINS[from]),
            format!("{}/bsn", CHAINS[to]),
        );
        let terms = [
            "convert",
            "--from",
            &from,
            "--to",
            &to,
            "--max-values",
            "1000000000000",
        ];
        scene.grant("registry-office/etl", &terms, &owners)
    });
    let seen = Arc::new(Acknowledged::default());
    let mut entries = 0;
    for cycle in 0..cycles {
        load_and_kill(&mut scene, &seen, &grants, cycle).await;
        scene.start_again();
        check(&scene, &seen, &grants).await;
        entries = check_log(&scene, entries).await;
    }
    assert!(
        seen.tokens(0).len() > 1_000 && seen.tokens(1).len() > 200,
        "the load was one"
    );
    assert_eq!(scene.stop().0, Some(0));
    let store = RocksStore::open(&scene.path("data"), &Options::default()).expect("opens");
    store
        .verify()
        .expect("every row is whole and the log has no gap");
}
