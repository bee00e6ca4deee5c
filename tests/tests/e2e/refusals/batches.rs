//! Batches of a source: what refuses the whole batch, and what only a row.

use sluis_port::Family;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch, pseudonymise, rejections, values};
use sluis_wire::v1;
use v1::column::Form;

use super::{BSNS, NATIONAL, OWNER, RECIPIENT, SOURCE, STUDY, bytes, outcome, rows};

fn open(chain: &str, elements: &[&str]) -> Option<v1::PseudonymiseOpen> {
    let elements = elements.iter().map(|e| (*e).to_owned()).collect();
    Some(v1::PseudonymiseOpen {
        chain_id: chain.to_owned(),
        elements,
        ..Default::default()
    })
}

fn packed(data: &'static str, lengths: &[u32]) -> v1::Column {
    let packed = v1::Packed {
        data: data.into(),
        lengths: lengths.to_vec(),
    };
    v1::Column {
        element: "bsn".to_owned(),
        form: Some(Form::Packed(packed)),
    }
}

fn with_rows(rows: u32, columns: Vec<v1::Column>) -> Option<v1::RecordBatch> {
    Some(v1::RecordBatch {
        rows,
        columns,
        ..v1::RecordBatch::default()
    })
}

/// What is wrong, what `SOURCE` sends, and the reason.
type Case = (
    &'static str,
    Option<v1::PseudonymiseOpen>,
    Option<v1::RecordBatch>,
    &'static str,
);

fn cases() -> Vec<Case> {
    let good = || Some(batch(&[("bsn", &BSNS[..1])]));
    let columns = |b: v1::RecordBatch| b.columns;
    let twice = [
        columns(batch(&[("bsn", &BSNS[..1])])),
        columns(batch(&[("bsn", &BSNS[..1])])),
    ]
    .concat();
    let uneven = [
        columns(batch(&[("bsn", &BSNS[..2])])),
        columns(batch(&[("postcode", &["1234AB"])])),
    ]
    .concat();
    let mut long_id = good();
    long_id
        .iter_mut()
        .for_each(|b| b.batch_id = vec![1; 65].into());
    let to_recipient = open(STUDY, &["bsn"]).map(|o| v1::PseudonymiseOpen { deliver: 2, ..o });
    let to_nowhere = open(STUDY, &["bsn"]).map(|o| v1::PseudonymiseOpen { deliver: 99, ..o });
    let formless = v1::Column {
        element: "bsn".to_owned(),
        form: None,
    };
    vec![
        (
            "unknown chain",
            open("no-such-chain", &["bsn"]),
            good(),
            "UNKNOWN_CHAIN",
        ),
        (
            "a chain id that is none",
            open("No Such Chain", &["bsn"]),
            good(),
            "INVALID_REQUEST",
        ),
        ("no chain", open("", &["bsn"]), good(), "INVALID_REQUEST"),
        ("no open", None, good(), "INVALID_REQUEST"),
        ("no batch", open(STUDY, &["bsn"]), None, "INVALID_REQUEST"),
        (
            "unlisted column held",
            open(STUDY, &["bsn", "income"]),
            good(),
            "UNKNOWN_ELEMENT",
        ),
        (
            "unlisted column sent",
            open(STUDY, &["bsn"]),
            Some(batch(&[("income", &["1"])])),
            "UNKNOWN_ELEMENT",
        ),
        (
            "keep",
            open(STUDY, &["diagnosis"]),
            Some(batch(&[("diagnosis", &["E11"])])),
            "CLIENT_ONLY_ELEMENT",
        ),
        (
            "drop",
            open(STUDY, &["city"]),
            Some(batch(&[("city", &["Delft"])])),
            "CLIENT_ONLY_ELEMENT",
        ),
        (
            "columns of different lengths",
            open(STUDY, &["bsn"]),
            with_rows(2, uneven),
            "INVALID_BATCH",
        ),
        (
            "fewer rows than said",
            open(STUDY, &["bsn"]),
            with_rows(2, columns(good().expect("set"))),
            "INVALID_BATCH",
        ),
        (
            "an element twice",
            open(STUDY, &["bsn"]),
            with_rows(1, twice),
            "INVALID_BATCH",
        ),
        (
            "packed, too short",
            open(STUDY, &["bsn"]),
            with_rows(1, vec![packed("950000012", &[8])]),
            "INVALID_BATCH",
        ),
        (
            "packed, too long",
            open(STUDY, &["bsn"]),
            with_rows(1, vec![packed("950000012", &[10])]),
            "INVALID_BATCH",
        ),
        (
            "packed, lengths that overflow",
            open(STUDY, &["bsn"]),
            with_rows(2, vec![packed("950000012", &[u32::MAX, 10])]),
            "INVALID_BATCH",
        ),
        (
            "packed, rows missing",
            open(STUDY, &["bsn"]),
            with_rows(2, vec![packed("950000012", &[9])]),
            "INVALID_BATCH",
        ),
        (
            "no form",
            open(STUDY, &["bsn"]),
            with_rows(1, vec![formless]),
            "INVALID_REQUEST",
        ),
        (
            "date-shift alone",
            open(STUDY, &["bsn"]),
            Some(batch(&[("visit_date", &["2026-01-01"])])),
            "MISSING_SUBJECT",
        ),
        (
            "to the recipient",
            to_recipient,
            good(),
            "UNSUPPORTED_DELIVERY",
        ),
        ("to nowhere", to_nowhere, good(), "INVALID_REQUEST"),
        (
            "batch id over 64 bytes",
            open(STUDY, &["bsn"]),
            long_id,
            "INVALID_REQUEST",
        ),
        (
            "over max rows",
            open(STUDY, &["bsn"]),
            Some(batch(&[("bsn", &vec![BSNS[0]; 65_537])])),
            "BATCH_TOO_LARGE",
        ),
        (
            "oversized",
            open(STUDY, &["bsn"]),
            Some(bytes("name", vec![vec![b'x'; 5 << 20]])),
            "BATCH_TOO_LARGE",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_the_wrong_shape_is_refused_as_a_whole_and_leaves_nothing() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    for (what, open, batch, expected) in cases() {
        let request = v1::PseudonymiseBatchRequest { open, batch };
        let answer = client.pseudonymisation().pseudonymise_batch(request).await;
        assert_eq!(outcome(answer), expected, "{what}");
    }
    assert_eq!(
        (rows(&world, Family::Link), rows(&world, Family::Identity)),
        (0, 0)
    );
    pseudonymise(&client, STUDY, batch(&[("bsn", &BSNS)]))
        .await
        .expect("and the next one is good");
    assert_eq!(
        (rows(&world, Family::Link), rows(&world, Family::Identity)),
        (BSNS.len(), BSNS.len())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unlisted_column_is_named_in_the_refusal() {
    let world = World::start().await;
    let request = v1::PseudonymiseBatchRequest {
        open: open(STUDY, &["bsn", "income", "religion"]),
        batch: Some(batch(&[("bsn", &BSNS)])),
    };
    let refused = world
        .client(SOURCE)
        .await
        .pseudonymisation()
        .pseudonymise_batch(request)
        .await;
    let error = sluis_client::ClientError::from(refused.expect_err("unlisted"));
    let refusal = error.refusal().expect("an answer");
    let said: Vec<_> = refusal
        .violations
        .iter()
        .map(|v| v.description.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "income is not an element of diabetes-study",
            "religion is not an element of diabetes-study"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_sources_may_submit_and_others_do_not_even_learn_that_a_chain_exists() {
    let world = World::start().await;
    for (member, chain, expected) in [
        (SOURCE, STUDY, "allowed"),
        ("gp-south/etl", STUDY, "allowed"),
        ("gp-south/etl", NATIONAL, "UNKNOWN_CHAIN"),
        ("outsider/etl", STUDY, "UNKNOWN_CHAIN"),
        (OWNER, STUDY, "NOT_A_SOURCE"),
        (RECIPIENT, STUDY, "NOT_A_SOURCE"),
        (RECIPIENT, NATIONAL, "NOT_A_SOURCE"),
        (super::CUSTODIAN, STUDY, "CUSTODIAN_MAY_NOT"),
    ] {
        let answer =
            pseudonymise(&world.client(member).await, chain, batch(&[("bsn", &BSNS)])).await;
        assert_eq!(outcome(answer), expected, "{member} in {chain}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_a_bad_row_is_refused_by_number_and_reason_and_never_the_rest_of_the_batch() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let long = b"1".repeat(256);
    let column = bytes(
        "bsn",
        [
            BSNS[0].as_bytes(),
            b"950000013",
            BSNS[1].as_bytes(),
            b"000000000",
            b"00000000",
            &long,
            b"\xff\xfe50000012",
            b"95000001x",
            b"9500000123",
            b"",
            b" 9500.00.012 ",
        ]
        .map(<[u8]>::to_vec)
        .to_vec(),
    );
    let result = pseudonymise(&client, STUDY, column)
        .await
        .expect("the batch is good");
    let expected = [
        (1, "INVALID_CHECKSUM"),
        (3, "ALL_ZERO"),
        (4, "ALL_ZERO"),
        (5, "TOO_LONG"),
        (6, "INVALID_UTF8"),
        (7, "INVALID_IDENTIFIER"),
        (8, "INVALID_IDENTIFIER"),
    ]
    .map(|(row, reason)| (row, "bsn".to_owned(), reason.to_owned()));
    assert_eq!(rejections(&result), expected);
    let alone = pseudonymise(&client, STUDY, batch(&[("bsn", &BSNS[..2])]))
        .await
        .expect("good");
    let alone = values(&alone, "bsn");
    let mut wanted = vec![String::new(); 11];
    (wanted[0], wanted[2], wanted[10]) = (alone[0].clone(), alone[1].clone(), alone[0].clone());
    assert_eq!(values(&result, "bsn"), wanted);
    assert_eq!(rows(&world, Family::Link), 2, "refused rows leave nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_7_a_refused_value_takes_its_whole_row_along_and_no_other() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let result = pseudonymise(
        &client,
        STUDY,
        batch(&[
            ("bsn", &[BSNS[0], BSNS[1], "", BSNS[3]]),
            ("name", &["Ada", "Bea", "Cor", "Dik"]),
            (
                "birth_date",
                &["1950-01-01", "1950-13-01", "1950-01-01", "1950-01-01"],
            ),
            (
                "visit_date",
                &["2026-01-01", "2026-01-01", "2026-01-01", "01-01-2026"],
            ),
        ]),
    )
    .await
    .expect("the batch is good");
    let expected = [
        (1, "birth_date", "INVALID_DATE"),
        (2, "visit_date", "NO_SUBJECT"),
        (3, "visit_date", "INVALID_DATE"),
    ]
    .map(|(row, element, reason)| (row, element.to_owned(), reason.to_owned()));
    assert_eq!(rejections(&result), expected);
    for element in ["bsn", "name", "birth_date", "visit_date"] {
        let present: Vec<bool> = values(&result, element)
            .iter()
            .map(|v| !v.is_empty())
            .collect();
        assert_eq!(present, [true, false, false, false], "{element}");
    }
    assert_eq!(
        (rows(&world, Family::Link), rows(&world, Family::Identity)),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_date_that_the_shift_takes_out_of_the_calendar_refuses_its_row() {
    let world = World::start().await;
    // Dates that the element does not call plausible never get as far as the shift.
    let whole_calendar = "max_days = 30\nplausible = [0001-01-01, 9999-12-31]";
    let registry = registry().replace("max_days = 30", whole_calendar);
    world.apply(&registry).await.expect("applied");
    let client = world.client(SOURCE).await;
    let subjects: Vec<&str> = BSNS.iter().flat_map(|bsn| [*bsn, *bsn, *bsn]).collect();
    let dates = ["0001-01-02", "9999-12-30", "2026-01-01"].repeat(BSNS.len());
    let sent = batch(&[("bsn", &subjects), ("visit_date", &dates)]);
    let result = pseudonymise(&client, STUDY, sent)
        .await
        .expect("the batch is good");
    let refused = rejections(&result);
    assert!(
        refused
            .iter()
            .all(|(_, element, reason)| element == "visit_date" && reason == "DATE_OUT_OF_RANGE")
    );
    // All dates of a subject are shifted one way, so that its first day of the calendar falls out, or its last; neither for
    // one whose shift is of one day, which is not so for all of them.
    assert!(refused.iter().all(|(row, ..)| row % 3 != 2));
    let mut subjects: Vec<_> = refused.iter().map(|(row, ..)| row / 3).collect();
    subjects.dedup();
    assert!(
        subjects.len() == refused.len() && !subjects.is_empty(),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prehash_of_the_wrong_length_is_refused_as_a_row() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let hashes = [
        vec![7; 32],
        vec![7; 31],
        vec![7; 33],
        b"ada@example.org".to_vec(),
        Vec::new(),
    ];
    let result = pseudonymise(&client, STUDY, bytes("email", hashes.to_vec()))
        .await
        .expect("the batch is good");
    let expected = [1, 2, 3].map(|row| (row, "email".to_owned(), "INVALID_PREHASH".to_owned()));
    assert_eq!(rejections(&result), expected);
    let present: Vec<bool> = values(&result, "email")
        .iter()
        .map(|v| !v.is_empty())
        .collect();
    assert_eq!(present, [true, false, false, false, false]);
}
