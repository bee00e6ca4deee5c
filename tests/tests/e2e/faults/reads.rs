//! Reads that fail or give damaged bytes: refused, never guessed, and never another subject.

use sluis_client::ClientError;
use sluis_port::store::{Commit, Family, Row, Store, StoreError};
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{convert, reidentify, rejections, values};
use sluis_wire::v1;

use super::{BSNS, Stage, code};

fn errors() -> [(StoreError, &'static str); 2] {
    [
        (StoreError::Io("gone".into()), "INTERNAL"),
        (StoreError::Corrupt("checksum".into()), "CORRUPT_STORE"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_unreadable_rows_give_no_data_and_count_nothing() {
    let stage = Stage::set().await;
    for (error, reason) in errors() {
        let before = stage.seen().await;
        stage.world.store.fail_reads(Family::Link, error.clone());
        assert_eq!(code(stage.convert().await), reason);
        stage
            .world
            .store
            .fail_reads(Family::Identity, error.clone());
        assert_eq!(code(stage.reidentify().await), reason);
        stage.world.store.mend_reads(Family::Link);
        stage.world.store.mend_reads(Family::Identity);
        let after = stage.seen().await;
        assert_eq!((after.used, &after.grants), (before.used, &before.grants));
        assert_eq!(
            after.entries,
            before.entries + 2,
            "both refusals are on record"
        );
        assert_eq!(
            values(&stage.convert().await.expect("converted"), "bsn"),
            stage.converted
        );
        assert_eq!(
            values(&stage.reidentify().await.expect("re-identified"), "bsn"),
            BSNS
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_an_unreadable_mark_of_a_counted_batch_gives_no_data() {
    let stage = Stage::set().await.restart().await;
    let sent = || v1::RecordBatch {
        batch_id: b"once"[..].into(),
        ..stage.sent()
    };
    for (error, reason) in errors() {
        stage.world.store.fail_reads(Family::Grants, error);
        assert_eq!(
            code(convert(&stage.office, &stage.convert, sent()).await),
            reason
        );
        assert_eq!(
            code(reidentify(&stage.doctor, &stage.reidentify, sent()).await),
            reason
        );
    }
    stage.world.store.mend_reads(Family::Grants);
    convert(&stage.office, &stage.convert, sent())
        .await
        .expect("converted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_log_is_told_to_the_auditor() {
    let stage = Stage::set().await;
    let auditor = stage.world.client("uni-research/privacy-officer").await;
    let read = || async {
        let request = v1::ReadEntriesRequest {
            from_sequence: 0,
            limit: 10,
            own: false,
        };
        Ok::<_, ClientError>(
            auditor
                .audit()
                .read_entries(request)
                .await?
                .into_inner()
                .entries
                .len(),
        )
    };
    for (error, reason) in errors() {
        stage.world.store.fail_reads(Family::Audit, error);
        assert_eq!(code(read().await), reason);
    }
    stage.world.store.mend_reads(Family::Audit);
    stage.world.store.damage_next_read(Family::Audit);
    // The last byte of an entry without key uses is the low byte of their number.
    assert_eq!(code(read().await), "CORRUPT_STORE");
    assert!(matches!(read().await, Ok(10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_a_damaged_row_refuses_its_own_subject_only() {
    let stage = Stage::set().await;
    stage.world.store.damage_next_read(Family::Link);
    let result = stage.convert().await.expect("the batch is answered");
    assert_eq!(
        rejections(&result),
        [(0, "bsn".into(), "CORRUPT_ROW".into())]
    );
    let converted = values(&result, "bsn");
    assert_eq!(
        (converted[0].as_str(), &converted[1..]),
        ("", &stage.converted[1..])
    );
    stage.world.store.damage_next_read(Family::Identity);
    let result = stage.reidentify().await.expect("the batch is answered");
    assert_eq!(
        rejections(&result),
        [(0, "bsn".into(), "CORRUPT_ROW".into())]
    );
    assert_eq!(values(&result, "bsn"), ["", BSNS[1], BSNS[2]]);
    assert_eq!(
        values(&stage.convert().await.expect("converted"), "bsn"),
        stage.converted
    );
}

/// Writes rows past the custodian, as someone with its disk could.
fn put(stage: &Stage, family: Family, rows: impl IntoIterator<Item = Row>) {
    let mut commit = Commit::default();
    for (key, value) in rows {
        commit.put(family, key, value);
    }
    stage
        .world
        .store
        .inner()
        .commit(commit)
        .expect("the store cannot tell");
}

fn all(stage: &Stage, family: Family) -> Vec<Row> {
    stage
        .world
        .store
        .inner()
        .scan(family, &[], usize::MAX)
        .expect("readable")
}

/// The batch is answered, without a value in it.
async fn all_refused(stage: &Stage, family: Family, what: &str) {
    let result = match family {
        Family::Link => stage.convert().await,
        _ => stage.reidentify().await,
    };
    let result = result.expect("the batch is answered");
    assert_eq!(
        rejections(&result),
        [0, 1, 2].map(|row| (row, "bsn".into(), "CORRUPT_ROW".into())),
        "{what}"
    );
    assert_eq!(values(&result, "bsn"), [""; 3], "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_swapped_rows_never_lead_to_another_subject() {
    let stage = Stage::set().await;
    for family in [Family::Link, Family::Identity] {
        let rows = all(&stage, family);
        // Every value under the key of its neighbour.
        let neighbours = rows
            .iter()
            .skip(1)
            .chain(rows.first())
            .map(|(_, value)| value.clone());
        put(
            &stage,
            family,
            rows.iter().map(|(key, _)| key.clone()).zip(neighbours),
        );
        all_refused(&stage, family, family.name()).await;
        put(&stage, family, rows);
    }
    assert_eq!(
        values(&stage.convert().await.expect("converted"), "bsn"),
        stage.converted
    );
    assert_eq!(
        values(&stage.reidentify().await.expect("re-identified"), "bsn"),
        BSNS
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_every_flipped_byte_of_a_row_is_noticed() {
    let stage = Stage::set_for(1_000).await;
    for (family, length) in [(Family::Link, 17), (Family::Identity, 1 + 24 + 9 + 16)] {
        let rows = all(&stage, family);
        for at in 1..length {
            let flipped = rows.iter().map(|(key, value)| {
                let mut value = value.clone();
                value[at] ^= 0x10;
                (key.clone(), value)
            });
            put(&stage, family, flipped);
            all_refused(&stage, family, &format!("byte {at} of {}", family.name())).await;
        }
        put(&stage, family, rows);
    }
}
