//! Opt-out and erasure from the request to the last row.

use std::fs;

use sluis_keyring::{Kek, Keyring};
use sluis_store::{Options, RocksStore};
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch, convert, convert_terms, rejections, sign};
use sluis_wire::v1;

use super::{BSNS, REGISTER, STUDY, refused, tokens};

const HOUR: &str = "[erasure]\nwindow_seconds = 3600\n[telemetry]\nlog_level = \"trace\"";

async fn start() -> World {
    let world = World::start_empty(HOUR).await;
    world
        .apply(&registry())
        .await
        .expect("the registry is valid");
    world
}

async fn request(world: &World, who: &str, identifier: &str) -> v1::Proposal {
    let request = v1::RequestErasureRequest {
        namespace_id: "nl.bsn".into(),
        identifier: identifier.to_owned().into(),
    };
    let answer = world
        .client(who)
        .await
        .subjects()
        .request_erasure(request)
        .await
        .expect("proposed");
    answer.into_inner().proposal.expect("always set")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_subject_is_unknown_to_recipients_and_refused_from_sources() {
    let world = start().await;
    let study = tokens(&world, STUDY, &BSNS).await;
    let elsewhere = tokens(&world, REGISTER, &BSNS).await;
    let terms = convert_terms(&world, (STUDY, "bsn"), (REGISTER, "bsn"), 1_000);
    let grant = world
        .grant(
            "registry-office/etl",
            terms,
            &["uni-research/steward-1", "registry-office/steward-a"],
        )
        .await;
    let proposed = request(&world, "gp-south/etl", BSNS[1]).await;
    let needs: Vec<_> = proposed
        .needs
        .iter()
        .map(|need| (need.stewards_of.as_str(), need.count))
        .collect();
    assert_eq!(needs, [("registry-office", 1), ("uni-research", 1)]);

    // Every stage is durable.
    let world = world.restart().await;
    sign(&world.client("uni-research/steward-2").await, &proposed)
        .await
        .expect("signed");
    assert_eq!(refused(&world, STUDY, &BSNS).await, []);
    let world = world.restart().await;
    let signed = sign(&world.client("registry-office/steward-b").await, &proposed)
        .await
        .expect("signed");
    assert_eq!(signed.state(), v1::ProposalState::Effective);
    let opted_out = [(1, "OPTED_OUT".to_owned())];
    assert_eq!(refused(&world, STUDY, &BSNS).await, opted_out);
    let world = world.restart().await;
    assert_eq!(refused(&world, REGISTER, &BSNS).await, opted_out);

    world.clock.advance_hours(1);
    assert_eq!(world.running().housekeep().await.expect("done").erased, 3);
    let office = world.client("registry-office/etl").await;
    // The second is of another chain: a token that means nothing here.
    let sent = [study[1].as_str(), elsewhere[0].as_str(), study[2].as_str()];
    let result = convert(&office, &grant, batch(&[("bsn", &sent)]))
        .await
        .expect("converted");
    let unknown = |row| (row, "bsn".to_owned(), "UNKNOWN_PSEUDONYM".to_owned());
    assert_eq!(
        rejections(&result),
        [unknown(0), unknown(1)],
        "the same answer, and others are untouched"
    );
    assert_eq!(
        tokens(&world, STUDY, &[BSNS[0], BSNS[2]]).await,
        [study[0].clone(), study[2].clone()]
    );
    drop(office);

    let world = world.restart().await;
    assert_eq!(refused(&world, STUDY, &BSNS).await, opted_out);
    assert!(world.path("head/head.optouts").exists());
    let (_, directory) = world.stop().await;
    nowhere(directory.path());
}

/// Neither the identifier nor its link value is in a file.
fn nowhere(directory: &std::path::Path) {
    let store = RocksStore::open(&directory.join("data"), &Options::default())
        .expect("the daemon has stopped");
    let kek = Kek::from_file(&directory.join("kek")).expect("readable");
    let keyring = Keyring::load(&store, &kek).expect("the key fits");
    let namespace = keyring
        .namespace(&"nl.bsn".parse().expect("an id"))
        .expect("registered");
    let link = namespace.linked.link_value(BSNS[1].as_bytes());
    let mark = namespace.opt_out.mark(&link);
    drop(store);
    for place in ["data", "head"] {
        for entry in fs::read_dir(directory.join(place)).expect("readable") {
            let path = entry.expect("readable").path();
            let bytes = fs::read(&path).expect("readable");
            for secret in [BSNS[1].as_bytes(), link.expose(), &mark] {
                let found = bytes.windows(secret.len()).any(|window| window == secret);
                assert!(!found, "{}", path.display());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_says_nothing_about_the_subject_and_only_sources_make_one() {
    let world = start().await;
    tokens(&world, STUDY, &BSNS[..1]).await;
    let (known, unknown) = (
        request(&world, "gp-south/etl", BSNS[0]).await,
        request(&world, "gp-south/etl", BSNS[2]).await,
    );
    assert_eq!(
        (known.needs, known.state, known.canonical.len()),
        (unknown.needs, unknown.state, unknown.canonical.len())
    );
    let ask = |who: &'static str, identifier: &'static str| {
        let world = &world;
        async move {
            let request = v1::RequestErasureRequest {
                namespace_id: "nl.bsn".into(),
                identifier: identifier.to_owned().into(),
            };
            let answer = world
                .client(who)
                .await
                .subjects()
                .request_erasure(request)
                .await;
            sluis_testkit_daemon::world::reason(answer.expect_err("refused"))
        }
    };
    assert_eq!(ask("registry-office/etl", BSNS[0]).await, "NOT_A_SOURCE");
    assert_eq!(ask("custodian/anna", BSNS[0]).await, "CUSTODIAN_MAY_NOT");
    assert_eq!(ask("gp-south/etl", "123456789").await, "INVALID_REQUEST");
}
