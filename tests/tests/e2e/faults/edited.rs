//! An intruder edits registry, counters or keys in the store by hand, while the daemon is stopped.
//!
//! | edit | what happens |
//! |---|---|
//! | a changed byte, or a value under another key: keyring, registry, counter; one of them removed | the daemon does not start |
//! | a whole value put back as it once was under the same key (counter) | the daemon does not start: the audit log says more |
//!
//! That the log itself was not put back is what the head file is for; see [`crate::log`].

use sluis_port::store::{Commit, Family, Row, Store};
use sluis_store::RocksStore;

use super::{Act, Stage};

fn rows(store: &impl Store, family: Family, first: Option<u8>) -> Vec<Row> {
    let rows = store.scan(family, &[], usize::MAX).expect("readable");
    rows.into_iter()
        .filter(|(key, _)| first.is_none_or(|first| key[0] == first))
        .collect()
}

fn put(store: &RocksStore, family: Family, key: &[u8], value: &[u8]) {
    let mut commit = Commit::default();
    commit.put(family, key, value);
    store.commit(commit).expect("the store cannot tell");
}

fn remove(store: &RocksStore, family: Family, key: &[u8]) {
    let mut commit = Commit::default();
    commit.put(family, key, []).writes[0].value = None;
    store.commit(commit).expect("the store cannot tell");
}

fn flip(store: &RocksStore, family: Family, (key, value): &Row, at: usize) {
    let mut value = value.clone();
    value[at] ^= 1;
    put(store, family, key, &value);
}

/// Why the daemon does not start after the edit.
async fn refusal(stage: Stage, edit: impl FnOnce(&RocksStore)) -> String {
    match stage.edited(edit).await {
        Ok(_) => panic!("the daemon started on an edited store"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_byte_of_keys_registry_or_grants_stops_the_start() {
    for (family, first) in [
        (Family::Keyring, None),
        (Family::Registry, None),
        (Family::Grants, Some(b'c')),
    ] {
        // In the generation, the nonce, the ciphertext, the tag; in the header, the check value, the wrap.
        for part in [1, 10, 60, usize::MAX] {
            let said = refusal(Stage::set().await, |store| {
                let row = rows(store, family, first).pop().expect("a row");
                flip(store, family, &row, part.min(row.1.len() - 1));
            });
            let said = said.await;
            let told = said.contains("corrupt") || said.contains("counter of a grant");
            assert!(told, "{family:?} {part}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_under_the_keys_of_others_stop_the_start() {
    for (family, first) in [(Family::Keyring, Some(5)), (Family::Grants, Some(b'c'))] {
        let said = refusal(Stage::set().await, |store| {
            let all = rows(store, family, first);
            put(store, family, &all[0].0, &all[1].1);
            put(store, family, &all[1].0, &all[0].1);
        });
        let said = said.await;
        let told = said.contains("corrupt") || said.contains("counter of a grant");
        assert!(told, "{family:?}: {said}");
    }
    let stage = Stage::set().await;
    stage.act(Act::Sign).await.expect("version 2");
    let said = refusal(stage, |store| {
        let versions = rows(store, Family::Registry, None);
        put(store, Family::Registry, &versions[1].0, &versions[0].1);
    });
    assert!(
        said.await.contains("corrupt"),
        "an old registry as the newest"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_newest_registry_stops_the_start() {
    let stage = Stage::set().await;
    stage.act(Act::Sign).await.expect("version 2");
    let said = refusal(stage, |store| {
        let (key, _) = rows(store, Family::Registry, None)
            .pop()
            .expect("version 2");
        remove(store, Family::Registry, &key);
    });
    let said = said.await;
    assert!(said.contains("registry"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_swapped_or_removed_counters_stop_the_start() {
    type Edit = fn(&RocksStore, &[Row]);
    let edits: [(&str, Edit); 3] = [
        ("changed", |store, all| {
            all.iter()
                .for_each(|row| flip(store, Family::Grants, row, 20))
        }),
        ("moved", |store, all| {
            for ((key, _), (_, value)) in all.iter().zip(all.iter().skip(1).chain(all.first())) {
                put(store, Family::Grants, key, value);
            }
        }),
        ("removed", |store, all| {
            all.iter()
                .for_each(|(key, _)| remove(store, Family::Grants, key))
        }),
    ];
    for (what, edit) in edits {
        let stage = Stage::set().await;
        stage.reidentify().await.expect("re-identified");
        let said = refusal(stage, |store| {
            edit(store, &rows(store, Family::Grants, Some(b'c')))
        })
        .await;
        assert!(said.contains("counter of a grant"), "{what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_put_back_as_it_was_stops_the_start() {
    let stage = Stage::set().await;
    let key = [b"c", stage.convert.as_bytes()].concat();
    let earlier = stage
        .world
        .store
        .get(Family::Grants, &key)
        .expect("readable")
        .expect("three values are counted");
    stage.convert().await.expect("converted");
    let grant = stage.convert.clone();
    assert_eq!(stage.grant(&grant).await.expect("answered").used, 6);
    let said = refusal(stage, |store| put(store, Family::Grants, &key, &earlier)).await;
    assert!(
        said.contains(&format!("grant {grant}: values used")),
        "{said}"
    );
}
