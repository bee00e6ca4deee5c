//! A key in a file: sealed by a custodian, opened by a custodian.

use sluis_ledger::audit::Act;
use sluis_testkit_daemon::world::World;

use super::{entries, seal, unseal, whoami};
use crate::refusals::{BSNS, CUSTODIAN, SOURCE, STUDY, outcome, packed, tokens};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_ends_streams_and_lasts_until_a_custodian_opens_it_again() {
    let world = World::start().await;
    let before = tokens(&world, STUDY, &BSNS).await;
    let source = world.client(SOURCE).await;
    let (chain, elements) = (
        STUDY.parse().expect("an id"),
        ["bsn".parse().expect("an id")],
    );
    let mut idle = source
        .pseudonymise(&chain, &elements)
        .await
        .expect("a source");
    let mut busy = source
        .pseudonymise(&chain, &elements)
        .await
        .expect("a source");
    busy.send(packed("bsn", &BSNS)).await.expect("sent");
    busy.next().await.expect("answered");

    let custodian = world.client(CUSTODIAN).await;
    assert_eq!(seal(&source).await, "NOT_A_CUSTODIAN");
    assert_eq!(seal(&custodian).await, "sealed");
    for stream in [&mut idle, &mut busy] {
        assert_eq!(outcome(stream.next().await), "SEALED");
    }
    world.health().await.becomes(false).await;
    assert_eq!(whoami(&source).await, "SEALED");
    assert_eq!(unseal(&source, "").await, "NOT_A_CUSTODIAN");
    assert_eq!(unseal(&custodian, "a share").await, "NO_SHARES");
    assert_eq!(unseal(&custodian, "").await, "open");
    world.health().await.becomes(true).await;
    assert_eq!(unseal(&custodian, "").await, "NOT_SEALED");
    assert_eq!(tokens(&world, STUDY, &BSNS).await, before);

    let acts = [Act::Seal, Act::Unseal];
    let told = entries(&*world.store)
        .into_iter()
        .filter(|(act, ..)| acts.contains(act));
    let told: Vec<_> = told
        .map(|(act, who, end)| (act, who.unwrap_or_default(), end.map(drop)))
        .collect();
    let refused = |act, who: &str, why: &str| (act, who.to_owned(), Err(why.to_owned()));
    let done = |act| (act, "anna".to_owned(), Ok(()));
    let expected = [
        // At the start, by the daemon itself.
        (Act::Unseal, String::new(), Ok(())),
        refused(Act::Seal, "etl", "NOT_A_CUSTODIAN"),
        done(Act::Seal),
        refused(Act::Unseal, "etl", "NOT_A_CUSTODIAN"),
        refused(Act::Unseal, "anna", "NO_SHARES"),
        done(Act::Unseal),
        refused(Act::Unseal, "anna", "NOT_SEALED"),
    ];
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_that_is_gone_or_another_keeps_it_sealed() {
    let world = World::start().await;
    let custodian = world.client(CUSTODIAN).await;
    assert_eq!(seal(&custodian).await, "sealed");
    let (kek, aside) = (world.path("kek"), world.path("kek.aside"));
    std::fs::rename(&kek, &aside).expect("same directory");
    assert_eq!(unseal(&custodian, "").await, "INTERNAL");
    drop(sluis_keyring::Kek::generate_file(&kek).expect("another key"));
    assert_eq!(unseal(&custodian, "").await, "INTERNAL");
    std::fs::rename(&aside, &kek).expect("same directory");
    assert_eq!(unseal(&custodian, "").await, "open");
}
