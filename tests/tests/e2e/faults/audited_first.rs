//! Promise 5: the entry of an act is durable before its answer, or there is no answer.

use std::sync::Arc;
use std::time::Duration;

use sluis_domain::port::store::{Family, Store, StoreError};
use sluis_testkit::world::column;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{Act, BSNS, STUDY, Shared, Stage, code, until};

/// What the embedded store says when a write fails.
fn disk_full() -> StoreError {
    StoreError::ReadOnly("disk full".into())
}

async fn health(stage: &Stage) -> HealthClient<Channel> {
    let me = stage.world.pki.member("hospital-north/etl");
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(stage.world.pki.ca_pem()))
        .identity(Identity::from_pem(me.cert_pem, me.key_pem));
    let endpoint = Channel::from_shared(stage.world.endpoint()).expect("a URL").tls_config(tls).expect("usable");
    HealthClient::new(endpoint.connect().await.expect("connects"))
}

async fn wait_for_health(client: &mut HealthClient<Channel>, expected: ServingStatus) {
    let request = HealthCheckRequest { service: String::new() };
    let mut statuses = client.watch(request).await.expect("a stream").into_inner();
    let seen =
        async { while statuses.message().await.expect("a message").expect("no end").status != expected as i32 {} };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("the health changes");
}

fn rows(stage: &Stage) -> [usize; 5] {
    let count = |family| stage.world.store.inner().scan(family, &[], usize::MAX).expect("readable").len();
    [Family::Link, Family::Identity, Family::Grants, Family::Registry, Family::Keyring].map(count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_an_act_whose_entry_cannot_be_written_is_refused_and_all_later_ones() {
    for act in Act::ALL {
        let stage = Stage::set().await;
        let mut health = health(&stage).await;
        wait_for_health(&mut health, ServingStatus::Serving).await;
        let (before, stored) = (stage.seen().await, rows(&stage));
        stage.world.store.fail_commit(1, disk_full());
        assert_eq!(code(stage.act(act).await), "STORE_READ_ONLY", "{act:?}");
        wait_for_health(&mut health, ServingStatus::NotServing).await;
        for later in Act::ALL {
            assert_eq!(code(stage.act(later).await), "STORE_READ_ONLY", "{later:?} after {act:?}");
        }
        assert_eq!(rows(&stage), stored, "{act:?} wrote something");
        let stage = stage.restart().await;
        assert_eq!(stage.seen().await, before, "{act:?} had an effect");
        stage.act(act).await.expect("and works after a restart");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_no_answer_leaves_before_its_entry_is_durable() {
    for act in Act::ALL {
        let stage: Shared = Arc::new(Stage::set().await);
        let store = stage.world.store.clone();
        store.hold_completions();
        let acting = stage.clone();
        let mut answer = tokio::spawn(async move { acting.act(act).await });
        until("the entry reaches the store", || store.held() == 1).await;
        // It can only pass wrongly, never fail wrongly: an answer that is too early is on its way by now.
        let early = tokio::time::timeout(Duration::from_millis(100), &mut answer).await;
        assert!(early.is_err(), "{act:?} was answered before its entry was durable");
        store.release_completions();
        answer.await.expect("no panic").unwrap_or_else(|error| panic!("{act:?}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_a_refusal_is_on_record_before_it_is_told() {
    let stage: Shared = Arc::new(Stage::set().await);
    let store = stage.world.store.clone();
    let entries = store.entries();
    store.hold_completions();
    let asking = stage.clone();
    let mut answer = tokio::spawn(async move {
        // A source that has no part in this chain.
        let chain = "open-release".parse().expect("an id");
        asking.source.pseudonymise(&chain, &["person".parse().expect("an id")]).await.map(drop)
    });
    until("the refusal reaches the store", || store.held() == 1).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(100), &mut answer).await.is_err(),
        "told before it is on record"
    );
    store.release_completions();
    assert_eq!(code(answer.await.expect("no panic")), "UNKNOWN_CHAIN");
    assert_eq!(store.entries(), entries + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_a_stream_answers_each_batch_after_its_entry_and_in_order() {
    let stage = Stage::set().await;
    let store = stage.world.store.clone();
    let elements = ["bsn".parse().expect("an id")];
    let mut session = stage.source.pseudonymise(&STUDY.parse().expect("an id"), &elements).await.expect("opens");
    store.hold_completions();
    for bsn in BSNS {
        session.send(column("bsn", &[bsn])).await.expect("sent");
    }
    until("all batches reach the store", || store.held() == BSNS.len()).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), session.next()).await.is_err(), "answered too early");
    store.release_completions();
    for (sequence, token) in stage.tokens.iter().enumerate() {
        let result = session.next().await.expect("not refused").expect("an answer");
        assert_eq!((result.sequence, result.columns[0].1.get(0)), (sequence as u64, token.as_bytes()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_a_failed_write_ends_a_stream_after_the_answers_before_it() {
    let stage = Stage::set().await;
    let elements = ["bsn".parse().expect("an id")];
    let mut session = stage.source.pseudonymise(&STUDY.parse().expect("an id"), &elements).await.expect("opens");
    stage.world.store.fail_commit(2, disk_full());
    for bsn in BSNS {
        session.send(column("bsn", &[bsn])).await.expect("sent");
    }
    let first = session.next().await.expect("not refused").expect("an answer");
    assert_eq!(first.columns[0].1.get(0), stage.tokens[0].as_bytes());
    assert_eq!(code(session.next().await), "STORE_READ_ONLY");
}
