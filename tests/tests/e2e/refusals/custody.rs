//! Acts of custody, and what waits for signatures.

use std::fs;

use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch, pseudonymise, reject};
use sluis_wire::v1;

use super::{BSNS, CUSTODIAN, OTHER_STEWARD, SOURCE, STUDY, outcome};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_cannot_be_written_is_refused_and_the_next_one_succeeds() {
    let world = World::start().await;
    let custodian = world.client(CUSTODIAN).await;
    let backup = || async {
        outcome(
            custodian
                .custody()
                .create_backup(v1::CreateBackupRequest {})
                .await,
        )
    };
    let directory = world.path("backup");
    fs::remove_dir_all(&directory).expect("made at the start");
    fs::write(&directory, "no directory").expect("written");
    assert_eq!(backup().await, "BACKUP_FAILED");
    pseudonymise(&world.client(SOURCE).await, STUDY, batch(&[("bsn", &BSNS)]))
        .await
        .expect("service goes on");
    fs::remove_file(&directory).expect("written above");
    fs::create_dir(&directory).expect("made");
    assert_eq!(backup().await, "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_has_so_many_open_proposals_and_the_next_waits_until_one_is_decided() {
    let world = World::start().await;
    let ask = |member: &'static str| {
        let client = world.client(member);
        async move {
            let request = v1::RequestErasureRequest {
                namespace_id: "nl.bsn".into(),
                identifier: BSNS[0].to_owned().into(),
            };
            client
                .await
                .subjects()
                .request_erasure(request)
                .await
                .map(|answer| answer.into_inner().proposal)
        }
    };
    let mut last = None;
    for _ in 0..50 {
        last = ask(SOURCE).await.expect("not too many");
    }
    assert_eq!(outcome(ask(SOURCE).await), "TOO_MANY_PROPOSALS");
    assert_eq!(
        outcome(ask("gp-south/etl").await),
        "allowed",
        "others are not held up"
    );
    let steward = world.client(OTHER_STEWARD).await;
    reject(&steward, &last.expect("always set"))
        .await
        .expect("a steward of an owner");
    assert_eq!(outcome(ask(SOURCE).await), "allowed");
    assert_eq!(outcome(ask(SOURCE).await), "TOO_MANY_PROPOSALS");
}
