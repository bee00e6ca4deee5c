//! Bounds: memory, streams, slow readers, and the end of a daemon under load.

mod drain;
mod million;

use std::time::Duration;

use sluis_client::{BatchReceiver, Client, ClientError, Session};
use sluis_port::store::Store;
use sluis_testkit::identifiers::bsns;
use sluis_testkit::registry::CUSTODIANS;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::metrics;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::wait::until;
use sluis_testkit_daemon::world::{METRICS, World, batch, column, pseudonymise};
use sluis_wire::v1;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const STUDY: &str = "diabetes-study";
/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// So long that what can happen has happened.
const A_MOMENT: Duration = Duration::from_millis(200);

async fn world(limits: &str) -> World {
    let world = World::start_empty(&format!("[limits]\nmax_batch_rows = 65536\n{limits}")).await;
    world.apply(&registry()).await.expect("valid");
    world
}

async fn open(client: &Client) -> Result<Session, ClientError> {
    client
        .pseudonymise(
            &STUDY.parse().expect("an id"),
            &["bsn".parse().expect("an id")],
        )
        .await
}

/// A caller that sends as much as it can and never reads; stops when the task is dropped.
fn greedy(session: Session, rows: usize) -> (BatchReceiver, JoinHandle<()>) {
    let (mut sender, unread) = session.split();
    let values: Vec<_> = bsns().take(rows).collect();
    let sending =
        tokio::spawn(async move { while sender.send(column("bsn", &values)).await.is_ok() {} });
    (unread, sending)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_never_read_hold_up_nobody_else() {
    /// Such a batch counts as 8.0 MB, of which four fit into a stream's share of 33.5 MB. Its answer has 1.35 MB: the
    /// windows of a connection have 8.4 MB and take less than seven of them, and each stream can begin one more.
    const ROWS: usize = 30_000;
    const MOST: u64 = 4 * 4 + 6 + 4;
    let world = world("").await;
    let (slow, fair) = (
        world.client("hospital-north/etl").await,
        world.client("gp-south/etl").await,
    );
    let before = world.store.commits();
    let mut stalled = Vec::new();
    for _ in 0..4 {
        stalled.push(greedy(open(&slow).await.expect("opens"), ROWS));
    }
    until("they are being served", async || {
        world.store.commits() >= before + 8
    })
    .await;
    let mut session = open(&fair).await.expect("opens");
    for bsn in bsns().take(50) {
        session.send(column("bsn", &[bsn])).await.expect("sent");
        let answer = timeout(LONG, session.next())
            .await
            .expect("not held up")
            .expect("not refused");
        assert!(answer.is_some());
    }
    // Each sends the eight batches that it may have in flight.
    let served = world.store.commits() - before - 50;
    assert!(
        served <= MOST,
        "{served} batches of callers that do not read were worked on"
    );
    for (unread, sending) in stalled {
        drop(unread);
        sending.await.expect("no panic");
    }
    let freed = timeout(
        LONG,
        pseudonymise(&slow, STUDY, batch(&[("bsn", &["950000012"])])),
    )
    .await;
    freed.expect("room again").expect("pseudonymised");
    assert!(world.store.writable().is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_never_read_are_cut_and_what_they_held_comes_back() {
    // One batch fills more than half of a stream's share, a quarter of the budget, so that these callers hold most of it.
    let world = world(&format!(
        "in_flight_bytes = 54525952\nunread_seconds = 1\n{METRICS}"
    ))
    .await;
    let slow = world.client("hospital-north/etl").await;
    let before = world.store.commits();
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(open(&slow).await.expect("opens"));
    }
    // One connection, until it is cut: whoever came later would not get in.
    let stalled: Vec<_> = sessions
        .into_iter()
        .map(|session| greedy(session, 30_000))
        .collect();
    until("the connection is cut", async || {
        let connections = metrics::value(&world.metrics().await, "sluis_connections");
        connections.expect("a gauge") == 0 && world.store.commits() > before
    })
    .await;
    let fair = world.client("gp-south/etl").await;
    let mut session = open(&fair).await.expect("opens");
    session
        .send(column("bsn", &["950000012"]))
        .await
        .expect("sent");
    let answer = timeout(LONG, session.next())
        .await
        .expect("room again")
        .expect("a caller that reads is not cut");
    assert!(answer.is_some());
    for (mut unread, sending) in stalled {
        let ending = async {
            loop {
                if let Err(error) = unread.next().await {
                    return error;
                }
            }
        };
        let error = timeout(LONG, ending)
            .await
            .expect("what came before the cut can still be read");
        assert!(error.is_connection(), "{error}");
        sending.await.expect("no panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_has_so_many_streams_and_further_ones_wait() {
    let world = world("max_streams_per_connection = 3").await;
    let client = world.client("hospital-north/etl").await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(open(&client).await.expect("opens"));
    }
    let mut further = Box::pin(open(&client));
    assert!(
        timeout(A_MOMENT, &mut further).await.is_err(),
        "a fourth stream was opened"
    );
    open(&world.client("hospital-north/etl").await)
        .await
        .expect("another connection has its own");
    drop(sessions.pop());
    timeout(LONG, further)
        .await
        .expect("its turn")
        .expect("opens");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_has_so_many_data_calls_and_refuses_further_ones() {
    let world = world("max_data_calls = 2").await;
    let client = world.client("hospital-north/etl").await;
    let first = open(&client).await.expect("opens");
    let _second = open(&world.client("gp-south/etl").await)
        .await
        .expect("opens");
    let third = open(&client).await.err().expect("refused");
    assert_eq!(third.reason(), Some("TOO_MANY_REQUESTS"));
    client
        .identity()
        .who_am_i(v1::WhoAmIRequest {})
        .await
        .expect("other services have slots of their own");
    drop(first);
    until("the slot comes back", async || open(&client).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_has_so_many_connections() {
    // No registry, which takes more connections than these.
    let world = World::start_empty("[limits]\nmax_connections = 2").await;
    let connected = async |member: &str| {
        let client = world.connect(&world.pki.member(member)).await?;
        client
            .identity()
            .who_am_i(v1::WhoAmIRequest {})
            .await
            .map_err(ClientError::from)?;
        Ok::<_, ClientError>(client)
    };
    let one = connected(CUSTODIANS[0]).await.expect("welcome");
    let other = connected(CUSTODIANS[1]).await.expect("welcome");
    let third = connected(CUSTODIANS[1])
        .await
        .map(drop)
        .expect_err("not welcome");
    assert!(third.is_connection(), "{third}");
    one.identity()
        .who_am_i(v1::WhoAmIRequest {})
        .await
        .expect("the first goes on");
    drop(other);
    until("its place is free", async || {
        connected(CUSTODIANS[1]).await.is_ok()
    })
    .await;
}
