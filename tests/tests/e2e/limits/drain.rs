//! A daemon that stops under load answers what it took, and loses nothing that it answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluis_client::{Client, ClientError, Session};
use sluis_daemon::Stopped;
use sluis_store::{Options, RocksStore};
use sluis_testkit::identifiers::bsns;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::wait::until;
use sluis_testkit_daemon::world::{batch, column, convert, pseudonymise, values};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{LONG, STUDY, greedy, open, world};

/// Identifiers and the tokens they were answered with.
#[derive(Default)]
struct Answered {
    pairs: Mutex<Vec<(String, String)>>,
    progress: Notify,
}

impl Answered {
    fn add(&self, identifiers: &[String], tokens: impl Iterator<Item = String>) {
        self.pairs
            .lock()
            .expect("not poisoned")
            .extend(identifiers.iter().cloned().zip(tokens));
        self.progress.notify_one();
    }

    fn count(&self) -> usize {
        self.pairs.lock().expect("not poisoned").len()
    }
}

/// Streams batches for ever; returns how it ended.
async fn stream(session: Session, seen: Arc<Answered>, start: usize) -> ClientError {
    let batches: Vec<Vec<String>> = bsns()
        .skip(start)
        .take(50_000)
        .collect::<Vec<_>>()
        .chunks(100)
        .map(<[_]>::to_vec)
        .collect();
    let (mut sender, mut receiver) = session.split();
    let sent = batches.clone();
    let sending = tokio::spawn(async move {
        for values in sent.iter().cycle() {
            if sender.send(column("bsn", values)).await.is_err() {
                return;
            }
        }
    });
    for values in batches.iter().cycle() {
        match receiver.next().await {
            Ok(Some(result)) => {
                let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("text");
                seen.add(values, result.columns[0].1.iter().map(text));
            }
            Ok(None) => panic!("a stream does not just end"),
            Err(error) => {
                sending.await.expect("no panic");
                return error;
            }
        }
    }
    unreachable!("a cycle does not end")
}

/// Unary calls for ever; returns how it ended.
async fn calls(client: Client, seen: Arc<Answered>) -> ClientError {
    for bsn in bsns().skip(200_000) {
        match pseudonymise(&client, STUDY, batch(&[("bsn", &[&bsn])])).await {
            Ok(result) => seen.add(&[bsn], values(&result, "bsn").into_iter()),
            Err(error) => return error,
        }
    }
    unreachable!("there are more identifiers than time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_6_a_drained_daemon_loses_nothing_that_it_answered() {
    let mut scene = Scene::start("");
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "100000000",
    ];
    let grant = scene.grant(
        "registry-office/etl",
        &terms,
        &["uni-research/steward-1", "registry-office/steward-a"],
    );
    for round in 1..=3 {
        let seen = Arc::new(Answered::default());
        let (mut sessions, mut endings) = (Vec::new(), Vec::new());
        for (start, source) in ["hospital-north/etl", "gp-south/etl", "hospital-north/etl"]
            .into_iter()
            .enumerate()
        {
            // Open before there is any progress, after which the daemon may stop.
            let session = open(&scene.client(source).await).await.expect("opens");
            sessions.push((session, start * 10_000));
        }
        for (session, start) in sessions {
            endings.push(tokio::spawn(stream(session, seen.clone(), start)));
        }
        endings.push(tokio::spawn(calls(
            scene.client("gp-south/etl").await,
            seen.clone(),
        )));
        let progress = async {
            while seen.count() < round * 2_000 {
                seen.progress.notified().await;
            }
        };
        timeout(LONG, progress)
            .await
            .expect("the load makes progress");
        let (exit, log) = tokio::task::block_in_place(|| scene.stop());
        assert_eq!(exit, Some(0), "{log}");
        assert!(log.contains("Drained"), "within the deadline: {log}");
        for ending in endings {
            let error = timeout(LONG, ending)
                .await
                .expect("it ends")
                .expect("no panic");
            assert!(
                error.reason() == Some("DRAINING") || error.is_connection(),
                "{error}"
            );
        }
        scene.start_again();
        let pairs = std::mem::take(&mut *seen.pairs.lock().expect("not poisoned"));
        let office = scene.client("registry-office/etl").await;
        let source = scene.client("hospital-north/etl").await;
        for some in pairs.chunks(5_000) {
            let tokens: Vec<_> = some.iter().map(|(_, token)| token.as_str()).collect();
            let identifiers: Vec<_> = some
                .iter()
                .map(|(identifier, _)| identifier.as_str())
                .collect();
            let result = convert(&office, &grant, batch(&[("bsn", &tokens)]))
                .await
                .expect("converted");
            assert!(
                result.rejections.is_empty(),
                "an answered pseudonym is lost: {:?}",
                result.rejections[0]
            );
            let direct = pseudonymise(
                &source,
                "national-registry",
                batch(&[("bsn", &identifiers)]),
            )
            .await;
            assert_eq!(
                values(&result, "bsn"),
                values(&direct.expect("pseudonymised"), "bsn")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_in_flight_are_answered_while_draining_and_new_ones_are_refused() {
    let world = world("").await;
    let store = world.store.clone();
    let client = world.client("hospital-north/etl").await;
    let mut session = open(&client).await.expect("opens");
    store.hold_completions();
    for bsn in ["950000012", "900095222"] {
        session.send(column("bsn", &[bsn])).await.expect("sent");
    }
    until("both are in flight", async || store.held() == 2).await;
    let stopping = tokio::spawn(world.stop());
    let refused = async {
        // Until the drain has begun, a call waits for its held completion.
        loop {
            let call = pseudonymise(&client, STUDY, batch(&[("bsn", &["950053533"])]));
            if let Ok(outcome) = timeout(Duration::from_millis(50), call).await {
                return outcome;
            }
        }
    };
    let error = timeout(LONG, refused)
        .await
        .expect("answered")
        .expect_err("refused");
    assert!(
        error.reason() == Some("DRAINING") || error.is_connection(),
        "{error}"
    );
    assert!(!stopping.is_finished(), "it waits for what is in flight");
    store.release_completions();
    for sequence in 0..2 {
        let result = session
            .next()
            .await
            .expect("not refused")
            .expect("an answer");
        assert_eq!(
            (result.sequence, result.columns[0].1.present()),
            (sequence, 1)
        );
    }
    assert_eq!(
        session.next().await.expect_err("the stream ends").reason(),
        Some("DRAINING")
    );
    assert_eq!(
        timeout(LONG, stopping)
            .await
            .expect("it stops")
            .expect("no panic")
            .0,
        Stopped::Drained
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_deadline_cuts_a_caller_that_does_not_read_and_then_lets_go_of_the_store() {
    let world = world("drain_seconds = 1").await;
    let client = world.client("hospital-north/etl").await;
    let before = world.store.commits();
    let (unread, sending) = greedy(open(&client).await.expect("opens"), 40_000);
    // A stream's share has room for three.
    until("its batches are worked on", async || {
        world.store.commits() >= before + 3
    })
    .await;
    let (stopped, directory) = timeout(LONG, world.stop()).await.expect("it stops");
    assert_eq!(stopped, Stopped::DeadlinePassed);
    drop(unread);
    sending.await.expect("no panic");
    let store = RocksStore::open(&directory.path().join("data"), &Options::default())
        .expect("it was let go");
    store.verify().expect("whole");
}
