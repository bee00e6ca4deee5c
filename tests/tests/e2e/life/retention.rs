//! A chain past its retention.

use sluis_engine::OVERDUE_ROUNDS;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch, pseudonymise};
use sluis_wire::v1;

use super::{BSNS, REGISTER, STUDY, line, status, tokens};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_past_its_retention_is_shown_and_then_destroyed() {
    let world = World::start_empty("[retention]\nwarning_days = 1").await;
    world
        .apply(&registry().replace("retention = \"10y\"", "retention = \"1d\""))
        .await
        .expect("valid");
    tokens(&world, STUDY, &BSNS).await;
    let elsewhere = tokens(&world, REGISTER, &BSNS).await;
    let chains = world
        .client("gp-south/etl")
        .await
        .registry()
        .list_chains(v1::ListChainsRequest::default())
        .await;
    assert!(
        !chains.expect("may").into_inner().chains[0]
            .retained_until
            .is_empty()
    );
    assert!(status(&world).await.expiring_chains.is_empty());
    world.clock.advance_hours(24);
    assert_eq!(
        world
            .running()
            .housekeep()
            .await
            .expect("done")
            .warned
            .len(),
        1
    );
    let world = world.restart().await;
    assert_eq!(status(&world).await.expiring_chains[0].chain_id, STUDY);
    world.clock.advance_hours(24);
    for round in 1..=OVERDUE_ROUNDS {
        let done = world.running().housekeep().await.expect("done");
        let due = usize::from(round == OVERDUE_ROUNDS);
        assert_eq!(done.destroyed.len(), due, "round {round}");
    }
    let world = world.restart().await;
    assert!(
        line(&world, STUDY)
            .await
            .iter()
            .all(|version| version.state() == v1::KeyState::Destroyed)
    );
    let hospital = world.client("hospital-north/etl").await;
    let refused = pseudonymise(&hospital, STUDY, batch(&[("bsn", &BSNS)]))
        .await
        .expect_err("destroyed");
    assert_eq!(refused.reason(), Some("CHAIN_DESTROYED"));
    assert_eq!(
        tokens(&world, REGISTER, &BSNS).await,
        elsewhere,
        "the other chains go on"
    );
}
