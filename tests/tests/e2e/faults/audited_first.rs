//! Promise 5: the entry of an act is durable before its answer, or there is no answer.

use std::sync::Arc;
use std::time::Duration;

use sluis_port::store::{Family, Store, StoreError};
use sluis_testkit_daemon::wait::until;
use sluis_testkit_daemon::world::column;

use super::{Act, BSNS, STUDY, Shared, Stage, code};

/// What the embedded store says when a write fails.
fn disk_full() -> StoreError {
    StoreError::ReadOnly("disk full".into())
}

fn rows(stage: &Stage) -> [usize; 5] {
    let count = |family| {
        stage
            .world
            .store
            .inner()
            .scan(family, &[], usize::MAX)
            .expect("readable")
            .len()
    };
    [
        Family::Link,
        Family::Identity,
        Family::Grants,
        Family::Registry,
        Family::Keyring,
    ]
    .map(count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_an_act_whose_entry_cannot_be_written_is_refused_and_all_later_ones() {
    for act in Act::ALL {
        let stage = Stage::set().await;
        let mut health = stage.world.health().await;
        health.becomes(true).await;
        let mut before = stage.seen().await;
        let stored = rows(&stage);
        stage.world.store.fail_commit(1, disk_full());
        assert_eq!(code(stage.act(act).await), "STORE_READ_ONLY", "{act:?}");
        health.becomes(false).await;
        for later in Act::ALL {
            assert_eq!(
                code(stage.act(later).await),
                "STORE_READ_ONLY",
                "{later:?} after {act:?}"
            );
        }
        assert_eq!(rows(&stage), stored, "{act:?} wrote something");
        let stage = stage.restart().await;
        // The start is on record, as an opening.
        before.entries += 1;
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
        until("the entry reaches the store", async || store.held() == 1).await;
        // It can only pass wrongly, never fail wrongly: an answer that is too early is on its way by now.
        let early = tokio::time::timeout(Duration::from_millis(100), &mut answer).await;
        assert!(
            early.is_err(),
            "{act:?} was answered before its entry was durable"
        );
        store.release_completions();
        answer
            .await
            .expect("no panic")
            .unwrap_or_else(|error| panic!("{act:?}: {error}"));
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
        asking
            .source
            .pseudonymise(&chain, &["person".parse().expect("an id")])
            .await
            .map(drop)
    });
    until("the refusal reaches the store", async || store.held() == 1).await;
    assert!(
        tokio::time::timeout(Duration::from_millis(100), &mut answer)
            .await
            .is_err(),
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
    let mut session = stage
        .source
        .pseudonymise(&STUDY.parse().expect("an id"), &elements)
        .await
        .expect("opens");
    store.hold_completions();
    for bsn in BSNS {
        session.send(column("bsn", &[bsn])).await.expect("sent");
    }
    until("all batches reach the store", async || {
        store.held() == BSNS.len()
    })
    .await;
    assert!(
        tokio::time::timeout(Duration::from_millis(100), session.next())
            .await
            .is_err(),
        "answered too early"
    );
    store.release_completions();
    for (sequence, token) in stage.tokens.iter().enumerate() {
        let result = session
            .next()
            .await
            .expect("not refused")
            .expect("an answer");
        assert_eq!(
            (result.sequence, result.columns[0].1.get(0)),
            (sequence as u64, token.as_bytes())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_a_failed_write_ends_a_stream_after_the_answers_before_it() {
    let stage = Stage::set().await;
    let elements = ["bsn".parse().expect("an id")];
    let mut session = stage
        .source
        .pseudonymise(&STUDY.parse().expect("an id"), &elements)
        .await
        .expect("opens");
    let store = &stage.world.store;
    let before = store.commits();
    store.fail_commit(2, disk_full());
    session.send(column("bsn", &[BSNS[0]])).await.expect("sent");
    // Batches are worked on side by side: the others must not overtake it.
    until("the first batch reaches the store", async || {
        store.commits() == before + 1
    })
    .await;
    for bsn in &BSNS[1..] {
        session.send(column("bsn", &[bsn])).await.expect("sent");
    }
    let first = session
        .next()
        .await
        .expect("not refused")
        .expect("an answer");
    assert_eq!(first.columns[0].1.get(0), stage.tokens[0].as_bytes());
    assert_eq!(code(session.next().await), "STORE_READ_ONLY");
}
