//! How much of a grant is used.

use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::wait::until;
use sluis_testkit_daemon::world::{World, batch, convert, reason, rejections, values};
use sluis_wire::v1;

use super::{
    BSNS, RECIPIENT, STUDY, convert_as, grant, live_convert, live_reidentify, outcome, packed,
    texts, tokens,
};

fn named(batch_id: &str, tokens: &[&str]) -> v1::RecordBatch {
    v1::RecordBatch {
        batch_id: batch_id.as_bytes().to_vec().into(),
        ..batch(&[("bsn", tokens)])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_beyond_the_maximum_is_refused_whole_told_what_remains_and_does_not_count() {
    let world = World::start().await;
    let id = live_convert(&world, 3).await;
    let tokens = tokens(&world, STUDY, &BSNS).await;
    let tokens = texts(&tokens);
    convert_as(&world, RECIPIENT, &id, &tokens[..1])
        .await
        .expect("one of three");
    for _ in 0..2 {
        let refused = convert_as(&world, RECIPIENT, &id, &tokens[..3])
            .await
            .expect_err("three of two");
        assert_eq!(refused.reason(), Some("GRANT_EXHAUSTED"));
        let told = &refused.refusal().expect("an answer").violations[0];
        assert_eq!(
            (told.field.as_str(), told.description.as_str()),
            ("batch", "2 values remain, the batch has 3")
        );
        assert_eq!(grant(&world, RECIPIENT, &id).await.used_values, 1);
    }
    // Missing values do not count, refused rows do.
    let rest = [tokens[1], "", "nonsense", ""];
    let result = convert_as(&world, RECIPIENT, &id, &rest)
        .await
        .expect("two of two");
    assert_eq!(rejections(&result).len(), 1);
    let now = grant(&world, RECIPIENT, &id).await;
    assert_eq!(
        (now.used_values, now.state()),
        (3, v1::GrantState::Exhausted)
    );
    let refused = convert_as(&world, RECIPIENT, &id, &tokens[..1])
        .await
        .expect_err("nothing remains");
    assert_eq!(
        refused.refusal().expect("an answer").violations[0].description,
        "0 values remain, the batch has 1"
    );
    convert_as(&world, RECIPIENT, &id, &["", ""])
        .await
        .expect("nothing of nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_columns_of_a_re_identification_count() {
    let world = World::start().await;
    let id = live_reidentify(&world, 3).await;
    let client = world.client(super::SOURCE).await;
    let column = batch(&[("bsn", &["a", "b"]), ("name", &["c", "d"])]);
    let refused = sluis_testkit_daemon::world::reidentify(&client, &id, column)
        .await
        .expect_err("four of three");
    assert_eq!(
        refused.refusal().expect("an answer").violations[0].description,
        "3 values remain, the batch has 4"
    );
    let column = batch(&[("bsn", &["a", "b"]), ("name", &["c", ""])]);
    assert_eq!(
        outcome(sluis_testkit_daemon::world::reidentify(&client, &id, column).await),
        "allowed"
    );
    assert_eq!(grant(&world, super::SOURCE, &id).await.used_values, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_exhausts_its_grant_ends_and_what_was_answered_counts() {
    let world = World::start().await;
    let id = live_convert(&world, 3).await;
    let tokens = tokens(&world, STUDY, &BSNS[..2]).await;
    let mut stream = world
        .client(RECIPIENT)
        .await
        .convert(&id.parse().expect("an id"))
        .await
        .expect("live");
    assert_eq!(stream.opened().remaining, Some(3));
    assert_eq!(stream.opened().remaining_today, None);
    stream
        .send(packed("bsn", &texts(&tokens)))
        .await
        .expect("sent");
    stream
        .send(packed("bsn", &texts(&tokens)))
        .await
        .expect("sent");
    assert_eq!(outcome(stream.next().await), "allowed");
    assert_eq!(outcome(stream.next().await), "GRANT_EXHAUSTED");
    assert_eq!(grant(&world, RECIPIENT, &id).await.used_values, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_a_stream_count_in_order_and_none_after_one_that_was_refused() {
    let world = World::start().await;
    let tokens = tokens(&world, STUDY, &BSNS).await;
    let tokens = texts(&tokens);
    let client = world.client(RECIPIENT).await;
    // Long batches are slow, so that short ones behind them are ready first.
    let long: Vec<&str> = (0..2_000).map(|_| tokens[0]).collect();
    for _ in 0..5 {
        let id = live_convert(&world, 2_002).await;
        let mut stream = client
            .convert(&id.parse().expect("an id"))
            .await
            .expect("live");
        for batch in [&long[..], &tokens[..1], &long] {
            stream.send(packed("bsn", batch)).await.expect("sent");
        }
        // The stream may have ended by now.
        for _ in 0..2 {
            drop(stream.send(packed("bsn", &tokens[..1])).await);
        }
        assert_eq!(outcome(stream.next().await), "allowed");
        assert_eq!(outcome(stream.next().await), "allowed");
        assert_eq!(outcome(stream.next().await), "GRANT_EXHAUSTED");
        drop(stream);
        assert_eq!(grant(&world, RECIPIENT, &id).await.used_values, 2_001);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_sent_again_counts_once_and_other_content_under_its_id_is_refused() {
    let world = World::start().await;
    let id = live_convert(&world, 3).await;
    let client = world.client(RECIPIENT).await;
    let tokens = tokens(&world, STUDY, &BSNS).await;
    let tokens = texts(&tokens);
    let first = convert(&client, &id, named("one", &tokens[..2]))
        .await
        .expect("two of three");
    assert_eq!(first.counted_values, 2);
    for _ in 0..3 {
        let again = convert(&client, &id, named("one", &tokens[..2]))
            .await
            .expect("counted already");
        assert_eq!(values(&again, "bsn"), values(&first, "bsn"));
        assert_eq!(again.counted_values, 0);
    }
    let imported = v1::ConvertBatchRequest {
        grant_id: id.clone(),
        batch: Some(named("one", &tokens[..2])),
        from_imported: true,
    };
    let imported = client.conversion().convert_batch(imported).await;
    assert_eq!(
        imported.err().map(reason).as_deref(),
        Some("BATCH_ID_REUSED"),
        "the same text as something else"
    );
    assert_eq!(grant(&world, RECIPIENT, &id).await.used_values, 2);
    for other in [
        &tokens[..1],
        &tokens[1..3],
        &[tokens[1], tokens[0]],
        &[tokens[0], tokens[1], ""],
    ] {
        assert_eq!(
            outcome(convert(&client, &id, named("one", other)).await),
            "BATCH_ID_REUSED"
        );
    }
    assert_eq!(grant(&world, RECIPIENT, &id).await.used_values, 2);
    convert(&client, &id, named("two", &tokens[..1]))
        .await
        .expect("another id counts");
    // Exhausted, and yet what was counted may be asked for again, also after a restart.
    let world = world.restart().await;
    let client = world.client(RECIPIENT).await;
    assert_eq!(
        grant(&world, RECIPIENT, &id).await.state(),
        v1::GrantState::Exhausted
    );
    let again = convert(&client, &id, named("one", &tokens[..2]))
        .await
        .expect("counted already");
    assert_eq!(values(&again, "bsn"), values(&first, "bsn"));
    assert_eq!(
        outcome(convert(&client, &id, named("three", &tokens[..1])).await),
        "GRANT_EXHAUSTED"
    );
    // An id belongs to its grant.
    let other = live_convert(&world, 3).await;
    assert_eq!(
        outcome(convert(&client, &other, named("one", &tokens[..3])).await),
        "allowed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_stream_that_broke_off_is_sent_again_and_counts_once() {
    let world = World::start().await;
    let id = live_convert(&world, 3).await;
    let tokens = tokens(&world, STUDY, &BSNS).await;
    let client = world.client(RECIPIENT).await;
    let sent = async || {
        let mut stream = client
            .convert(&id.parse().expect("an id"))
            .await
            .expect("live");
        stream
            .send(packed("bsn", &texts(&tokens)[..2]).with_id("monday".into()))
            .await
            .expect("sent");
        stream
    };
    let before = world.store.commits();
    let broken_off = sent().await;
    until("the batch is counted", async || {
        world.store.commits() > before
    })
    .await;
    drop(broken_off);
    // Until it is durable, the second one waits for it.
    assert_eq!(outcome(sent().await.next().await), "allowed");
    assert_eq!(grant(&world, RECIPIENT, &id).await.used_values, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_batch_does_not_use_up_its_id() {
    let world = World::start().await;
    let id = live_convert(&world, 2).await;
    let tokens = tokens(&world, STUDY, &BSNS).await;
    let client = world.client(RECIPIENT).await;
    assert_eq!(
        outcome(convert(&client, &id, named("one", &texts(&tokens)[..3])).await),
        "GRANT_EXHAUSTED"
    );
    assert_eq!(
        outcome(convert(&client, &id, named("one", &texts(&tokens)[..2])).await),
        "allowed"
    );
}
