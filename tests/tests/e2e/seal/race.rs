//! Closing and opening at the same time, with work in flight: two keyrings are never open over one store.

use std::collections::BTreeSet;

use sluis_ledger::audit::Act;
use sluis_port::Family;
use sluis_testkit_daemon::wait::until;
use sluis_testkit_daemon::world::{World, batch, column, pseudonymise};
use tokio::task::JoinSet;

use super::{entries, seal, unseal, whoami};
use crate::refusals::{BSNS, CUSTODIAN, RECIPIENT, SOURCE, STUDY};
use crate::refusals::{convert_as, grant, live_convert, outcome, texts, tokens};

const BEN: &str = "custodian/ben";

/// The values of a column of an answer of the client.
fn column_of(result: &sluis_client::BatchResult) -> Vec<String> {
    result.columns[0]
        .1
        .iter()
        .map(|value| String::from_utf8(value.to_vec()).expect("text"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_in_flight_ends_and_nobody_opens_it_again_before_its_keys_are_gone() {
    let world = World::start().await;
    let tokens = tokens(&world, STUDY, &BSNS).await;
    let under = live_convert(&world, 100).await;
    let recipient = world.client(RECIPIENT).await;
    let mut stream = recipient
        .convert(&under.parse().expect("an id"))
        .await
        .expect("approved");
    stream.send(column("bsn", &tokens)).await.expect("sent");
    let before = column_of(&stream.next().await.expect("approved").expect("an answer"));

    world.store.hold_reads(Family::Link);
    stream.send(column("bsn", &tokens)).await.expect("sent");
    until("the batch is worked on", async || world.store.reading() > 0).await;
    let (anna, ben) = (world.client(CUSTODIAN).await, world.client(BEN).await);
    let sealing = tokio::spawn(async move { seal(&anna).await });
    until("it is sealed", async || whoami(&ben).await == "SEALED").await;
    assert_eq!(unseal(&ben, "").await, "CONFLICT");
    assert!(
        !sealing.is_finished(),
        "it says that it is sealed when the keys are gone"
    );
    assert_eq!(whoami(&ben).await, "SEALED");
    world.store.release_reads(Family::Link);

    let answered = stream
        .next()
        .await
        .expect("it was under way")
        .expect("an answer");
    assert_eq!(column_of(&answered), before);
    assert_eq!(outcome(stream.next().await), "SEALED");
    assert_eq!(sealing.await.expect("no panic"), "sealed");
    assert_eq!(unseal(&ben, "").await, "open");
    assert_eq!(
        grant(&world, RECIPIENT, &under).await.used_values,
        8,
        "what was answered is counted"
    );
    convert_as(&world, RECIPIENT, &under, &texts(&tokens))
        .await
        .expect("open");
    assert_eq!(grant(&world, RECIPIENT, &under).await.used_values, 12);
    // The log, with an entry of a batch after that of the seal, is in order.
    drop(world.restart().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_hands_that_close_and_open_at_once_leave_a_log_in_order() {
    const ROUNDS: usize = 6;
    let world = World::start().await;
    let before = tokens(&world, STUDY, &BSNS).await;
    let source = world.client(SOURCE).await;
    let custodians = [world.client(CUSTODIAN).await, world.client(BEN).await];
    let allowed = BTreeSet::from([
        "sealed",
        "SEALED",
        "open",
        "NOT_SEALED",
        "CONFLICT",
        "allowed",
    ]);
    for _ in 0..ROUNDS {
        let mut hands = JoinSet::new();
        for custodian in &custodians {
            let (closing, opening, source) = (custodian.clone(), custodian.clone(), source.clone());
            hands.spawn(async move { seal(&closing).await });
            hands.spawn(async move { unseal(&opening, "").await });
            hands.spawn(async move {
                outcome(pseudonymise(&source, STUDY, batch(&[("bsn", &BSNS)])).await)
            });
        }
        for said in hands.join_all().await {
            assert!(allowed.contains(said.as_str()), "{said}");
        }
    }
    // Whoever sealed last has heard that the keys are gone.
    let last = unseal(&custodians[0], "").await;
    assert!(["open", "NOT_SEALED"].contains(&last.as_str()), "{last}");
    assert_eq!(tokens(&world, STUDY, &BSNS).await, before);
    let done = entries(&*world.store)
        .into_iter()
        .filter(|(.., end)| end.is_ok());
    let turns: Vec<_> = done
        .map(|(act, ..)| act)
        .filter(|act| matches!(act, Act::Seal | Act::Unseal))
        .collect();
    for (place, act) in turns.iter().enumerate() {
        assert_eq!(*act, [Act::Unseal, Act::Seal][place % 2], "{turns:?}");
    }
    assert_eq!(turns.len() % 2, 1, "it is open, as it was at the start");
    drop(world.restart().await);
}
