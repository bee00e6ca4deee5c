//! Refusals of authenticated callers are on record, and no one can flood the log with them.

use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch, pseudonymise};
use sluis_wire::v1;

use super::{
    BSNS, CUSTODIAN, RECIPIENT, SOURCE, STEWARDS, STUDY, audit, convert_as, live_convert, outcome,
    texts, tokens,
};

async fn refused(world: &World) -> Vec<v1::AuditEntry> {
    audit(world)
        .await
        .into_iter()
        .filter(|entry| entry.outcome == "refused")
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_refusals_are_on_record_with_who_what_where_and_why() {
    let world = World::start().await;
    let grant = live_convert(&world, 1).await;
    let tokens = tokens(&world, STUDY, &BSNS).await;
    let send = |member: &'static str, chain: &'static str, column: &'static str| {
        let client = world.client(member);
        async move { outcome(pseudonymise(&client.await, chain, batch(&[(column, &BSNS)])).await) }
    };
    send(SOURCE, STUDY, "income").await;
    send(SOURCE, "no-such-chain", "bsn").await;
    send("nobody/etl", STUDY, "bsn").await;
    send("hospital-north/ghost", STUDY, "bsn").await;
    drop(convert_as(&world, RECIPIENT, &grant, &texts(&tokens)).await);
    drop(convert_as(&world, "outsider/etl", &grant, &texts(&tokens)).await);
    let approve = v1::ApproveGrantRequest {
        grant_id: grant.clone(),
        ..v1::ApproveGrantRequest::default()
    };
    drop(
        world
            .client(CUSTODIAN)
            .await
            .grants()
            .approve_grant(approve)
            .await,
    );
    drop(world.apply("colour = 1").await);
    drop(
        world
            .client(STEWARDS[0])
            .await
            .custody()
            .create_backup(v1::CreateBackupRequest {})
            .await,
    );
    drop(
        world
            .client(SOURCE)
            .await
            .audit()
            .read_entries(v1::ReadEntriesRequest::default())
            .await,
    );
    let found: Vec<_> = refused(&world)
        .await
        .into_iter()
        .map(|e| (e.actor, e.act, e.chain_id, e.grant_id, e.reason))
        .collect();
    let expected = [
        (SOURCE, "pseudonymise", STUDY, "", "UNKNOWN_ELEMENT"),
        // A name that is no chain's is whatever the caller put there, so it is not on record.
        (SOURCE, "pseudonymise", "", "", "UNKNOWN_CHAIN"),
        // Refused before anything of the request is read.
        ("nobody/etl", "admit", "", "", "UNKNOWN_ORGANISATION"),
        ("hospital-north/ghost", "admit", "", "", "NOT_A_MEMBER"),
        (RECIPIENT, "convert", STUDY, &grant, "GRANT_EXHAUSTED"),
        ("outsider/etl", "convert", STUDY, &grant, "UNKNOWN_GRANT"),
        (
            CUSTODIAN,
            "grant-approve",
            STUDY,
            &grant,
            "CUSTODIAN_MAY_NOT",
        ),
        (CUSTODIAN, "proposal", "", "", "INVALID_REGISTRY"),
        (STEWARDS[0], "backup", "", "", "NOT_A_CUSTODIAN"),
        (SOURCE, "audit-read", "", "", "NOT_AN_AUDITOR"),
    ]
    .map(|(actor, act, chain, grant, reason)| {
        (
            actor.to_owned(),
            act.to_owned(),
            chain.to_owned(),
            grant.to_owned(),
            reason.to_owned(),
        )
    });
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_one_caller_are_recorded_up_to_a_limit_a_minute_and_still_refused() {
    let world = World::start().await;
    let client = world.client("nobody/etl").await;
    let other = world.client("nobody/other").await;
    for _ in 0..70 {
        assert_eq!(
            outcome(client.identity().who_am_i(v1::WhoAmIRequest {}).await),
            "UNKNOWN_ORGANISATION"
        );
    }
    assert_eq!(
        outcome(other.identity().who_am_i(v1::WhoAmIRequest {}).await),
        "UNKNOWN_ORGANISATION"
    );
    let count = |entries: &[v1::AuditEntry], actor: &str| {
        entries.iter().filter(|e| e.actor == actor).count()
    };
    let entries = refused(&world).await;
    assert_eq!(
        (
            count(&entries, "nobody/etl"),
            count(&entries, "nobody/other")
        ),
        (60, 1)
    );
    world.clock.advance_millis(60_000);
    assert_eq!(
        outcome(client.identity().who_am_i(v1::WhoAmIRequest {}).await),
        "UNKNOWN_ORGANISATION"
    );
    assert_eq!(count(&refused(&world).await, "nobody/etl"), 61);
}
