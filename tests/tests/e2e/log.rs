//! The log as others see it: proofs over the wire, the head file, and the ceremony after a restore.

mod head;
mod restore;
mod start;

use sluis_client::Client;
use sluis_testkit::registry::CUSTODIANS;
use sluis_testkit_daemon::custody;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::wait::first;
use sluis_testkit_daemon::world::{World, reason};
use sluis_tlog::{Checkpoint, Hash, VerifierKey, leaf_hash, verify_consistency, verify_inclusion};
use sluis_wire::v1;

/// The last head, and the keys that can be believed after it.
async fn checkpoint(client: &Client) -> (Checkpoint, v1::GetCheckpointResponse) {
    let answer = client
        .audit()
        .get_checkpoint(v1::GetCheckpointRequest {})
        .await
        .expect("answered")
        .into_inner();
    let key: VerifierKey = answer.verifier_key.parse().expect("a key");
    let opened = Checkpoint::open(
        answer.checkpoint.as_bytes(),
        key.name(),
        std::slice::from_ref(&key),
    );
    (opened.expect("signed").checkpoint, answer)
}

fn hashes(proof: &[impl AsRef<[u8]>]) -> Vec<Hash> {
    proof
        .iter()
        .map(|hash| hash.as_ref().try_into().expect("32 bytes"))
        .collect()
}

/// The head after the log has grown beyond `size`, which takes a second.
async fn next_head(client: &Client, size: u64) -> Checkpoint {
    first("a new head", async || {
        Some(checkpoint(client).await.0).filter(|head| head.size() > size)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proofs_over_the_wire_verify_and_survive_another_signing_key_and_a_restart() {
    let world = World::start_empty("head_seconds = 1").await;
    world
        .apply(&sluis_testkit::registry::registry())
        .await
        .expect("valid");
    let member = world.client("hospital-north/etl").await;
    let (old, answer) = checkpoint(&member).await;
    assert!(answer.handovers.is_empty());
    let custodian = world.client(CUSTODIANS[0]).await;
    let rotated = custody::rotate_audit_key(&custodian)
        .await
        .expect("rotated");
    let new = next_head(&member, old.size()).await;
    let (_, after) = checkpoint(&member).await;
    assert_eq!(after.verifier_key, rotated.verifier_key);
    let first: VerifierKey = answer.verifier_key.parse().expect("a key");
    assert!(
        Checkpoint::open(
            after.handovers[0].as_bytes(),
            first.name(),
            std::slice::from_ref(&first)
        )
        .is_ok()
    );

    let auditor = world.client("uni-research/privacy-officer").await;
    let read = v1::ReadEntriesRequest {
        from_sequence: 0,
        limit: 10,
        own: false,
    };
    let entries = auditor
        .audit()
        .read_entries(read)
        .await
        .expect("readable")
        .into_inner()
        .entries;
    for entry in &entries {
        let request = v1::ProveInclusionRequest {
            sequence: entry.sequence,
            tree_size: new.size(),
        };
        let proof = member
            .audit()
            .prove_inclusion(request)
            .await
            .expect("proven")
            .into_inner();
        let leaf = leaf_hash(&entry.canonical);
        assert_eq!(proof.leaf_hash, leaf.to_vec());
        let proven = verify_inclusion(
            entry.sequence,
            new.size(),
            &leaf,
            &hashes(&proof.hashes),
            new.root(),
        );
        proven.expect("in the log");
    }
    let world = world.restart().await;
    let member = world.client("hospital-north/etl").await;
    let request = v1::ProveConsistencyRequest {
        old_size: old.size(),
        new_size: new.size(),
    };
    let proof = member
        .audit()
        .prove_consistency(request)
        .await
        .expect("proven")
        .into_inner();
    verify_consistency(
        old.size(),
        old.root(),
        new.size(),
        new.root(),
        &hashes(&proof.hashes),
    )
    .expect("continued");

    let beyond = v1::ProveInclusionRequest {
        sequence: 0,
        tree_size: u64::MAX,
    };
    assert_eq!(
        reason(
            member
                .audit()
                .prove_inclusion(beyond)
                .await
                .expect_err("no head")
        ),
        "UNKNOWN_LOG_SIZE"
    );
    let outsider = custody::rotate_audit_key(&member)
        .await
        .expect_err("refused");
    assert_eq!(outsider.reason(), Some("NOT_A_CUSTODIAN"));
}
