//! What was destroyed leaves the disk.

use std::fs;
use std::path::Path;

use sluis_port::{Family, Store, StoreError};
use sluis_testkit::registry::CUSTODIANS;
use sluis_testkit_daemon::custody;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch, convert, convert_terms, reason, rejections};
use sluis_wire::v1;

use super::{BSNS, REGISTER, STUDY, line, tokens};

/// Random bytes of a stored row that nothing else has. Not its last bytes, if it has more: compression may take one of them
/// together with the row that follows.
fn mark(value: &[u8]) -> Vec<u8> {
    let end = match value.len() {
        ..40 => value.len(),
        long => long - 8,
    };
    value[end.saturating_sub(16)..end].to_vec()
}

/// How many of the marks are in the files below a directory.
fn found(directory: &Path, marks: &[Vec<u8>]) -> usize {
    let mut files = Vec::new();
    collect(directory, &mut files);
    let has = |mark: &Vec<u8>| {
        files
            .iter()
            .any(|file| file.windows(mark.len()).any(|window| window == mark))
    };
    marks.iter().filter(|mark| has(mark)).count()
}

fn collect(directory: &Path, files: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, files)
        } else {
            files.push(fs::read(&path).expect("readable"))
        }
    }
}

/// Link and identity rows of a version, and every wrapped key.
fn marks(world: &World, kid: &str) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let kid = u32::from_str_radix(kid, 16)
        .expect("hexadecimal")
        .to_be_bytes();
    let rows = |family| {
        world
            .store
            .scan(family, &[], 1_000)
            .expect("readable")
            .into_iter()
    };
    let of_kid = [Family::Link, Family::Identity]
        .into_iter()
        .flat_map(rows)
        .filter(|(key, _)| key.starts_with(&kid));
    (
        of_kid.map(|(_, value)| mark(&value)).collect(),
        rows(Family::Keyring)
            .map(|(_, value)| mark(&value))
            .collect(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_wraps_of_a_destroyed_version_leave_the_disk() {
    let world = World::start().await;
    let old = tokens(&world, STUDY, &BSNS).await;
    let custodian = world.client(CUSTODIANS[0]).await;
    custody::rotate_chain(&custodian, STUDY, "")
        .await
        .expect("rotated");
    let new = tokens(&world, STUDY, &BSNS).await;
    let kid = line(&world, STUDY).await[0].kid.clone();
    custody::disable_version(&custodian, &kid)
        .await
        .expect("disabled");
    drop(custodian);
    // A stop writes everything into files, where it stays until they are rewritten.
    let world = world.restart().await;
    let (rows, wraps) = marks(&world, &kid);
    assert_eq!(rows.len(), 6);
    assert_eq!(
        found(&world.path("data"), &rows),
        rows.len(),
        "they are in the files"
    );
    assert_eq!(
        found(&world.path("data"), &wraps),
        wraps.len(),
        "so are the keys"
    );

    let custodian = world.client(CUSTODIANS[0]).await;
    let request = v1::DestroyVersionRequest { kid: kid.clone() };
    let proposed = custodian
        .custody()
        .destroy_version(request)
        .await
        .expect("proposed")
        .into_inner();
    let proposal = world
        .sign_all(&proposed.proposal.expect("always set").proposal_id)
        .await
        .expect("signed");
    assert_eq!(proposal.state(), v1::ProposalState::Effective);
    let terms = convert_terms(&world, (STUDY, "bsn"), (REGISTER, "bsn"), 100);
    let grant = world
        .grant(
            "registry-office/etl",
            terms,
            &["uni-research/steward-1", "registry-office/steward-a"],
        )
        .await;
    let office = world.client("registry-office/etl").await;
    let both: Vec<&str> = [&old[0], &new[0]].into_iter().map(String::as_str).collect();
    let result = convert(&office, &grant, batch(&[("bsn", &both)]))
        .await
        .expect("converted");
    assert_eq!(
        rejections(&result),
        [(0, "bsn".to_owned(), "UNKNOWN_PSEUDONYM".to_owned())]
    );
    assert!(world.running().housekeep().await.expect("done").compacted >= 4);
    assert_eq!(
        tokens(&world, STUDY, &BSNS).await,
        new,
        "the survivors' pseudonyms are the same"
    );
    drop((custodian, office));

    let world = world.restart().await;
    assert_eq!(
        tokens(&world, STUDY, &BSNS).await,
        new,
        "and after a restart"
    );
    assert_eq!(
        line(&world, STUDY).await[0].state(),
        v1::KeyState::Destroyed,
        "the tombstone stays"
    );
    let (_, directory) = world.stop().await;
    let data = directory.path().join("data");
    assert_eq!(found(&data, &rows), 0, "no row is left");
    assert_eq!(
        found(&data, &wraps),
        0,
        "no key is wrapped as it was, the master's included"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewriting_that_failed_is_tried_again_and_no_backup_is_made_meanwhile() {
    let world = World::start().await;
    tokens(&world, STUDY, &BSNS).await;
    let custodian = world.client(CUSTODIANS[0]).await;
    let rotated = custody::rotate_chain(&custodian, STUDY, "").await;
    rotated.expect("rotated");
    let kid = line(&world, STUDY).await[0].kid.clone();
    let disabled = custody::disable_version(&custodian, &kid).await;
    disabled.expect("disabled");
    drop(custodian);
    // A stop writes everything into files.
    let world = world.restart().await;
    let (rows, _) = marks(&world, &kid);
    let custodian = world.client(CUSTODIANS[0]).await;
    let destroy = v1::DestroyVersionRequest { kid };
    let proposed = custodian.custody().destroy_version(destroy).await;
    let proposal = proposed.expect("proposed").into_inner().proposal;
    let id = proposal.expect("always set").proposal_id;
    world.sign_all(&id).await.expect("signed");

    let fault = StoreError::Io("removed rows may still be on the disk".into());
    world.store.fail_compactions(Some(fault));
    let refused = world.running().housekeep().await.expect_err("not done");
    assert_eq!(refused.reason().code(), "REMOVAL_PENDING");
    assert_eq!(found(&world.path("data"), &rows), rows.len());
    let backup = || async {
        let mut custody = custodian.custody();
        custody.create_backup(v1::CreateBackupRequest {}).await
    };
    let status = backup().await.expect_err("it would keep them");
    assert_eq!(reason(status), "REMOVAL_PENDING");
    let refused = world.running().housekeep().await.expect_err("not done");
    assert_eq!(refused.reason().code(), "REMOVAL_PENDING", "it stays noted");

    world.store.fail_compactions(None);
    backup().await.expect("what is due is done before");
    assert_eq!(found(&world.path("data"), &rows), 0);
    assert_eq!(found(&world.path("backup"), &rows), 0);
    let again = world.running().housekeep().await.expect("done");
    assert_eq!(again.compacted, 0, "nothing is left to do");
}
