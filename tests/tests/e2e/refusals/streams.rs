//! Streams that do not keep to the contract.

use sluis_client::{Client, ClientError};
use sluis_port::Family;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch};
use sluis_wire::v1;
use tokio_stream::iter;

use super::{BSNS, RECIPIENT, SOURCE, STUDY, live_convert, live_reidentify, outcome, rows};

fn open(elements: &[&str]) -> v1::PseudonymiseRequest {
    let elements = elements.iter().map(|e| (*e).to_owned()).collect();
    let open = v1::PseudonymiseOpen {
        chain_id: STUDY.to_owned(),
        elements,
        ..Default::default()
    };
    v1::PseudonymiseRequest {
        message: Some(v1::pseudonymise_request::Message::Open(open)),
    }
}

fn send(sequence: u64, element: &str) -> v1::PseudonymiseRequest {
    let batch = v1::RecordBatch {
        sequence,
        ..batch(&[(element, &BSNS)])
    };
    v1::PseudonymiseRequest {
        message: Some(v1::pseudonymise_request::Message::Batch(batch)),
    }
}

/// How many messages came back, and how the stream ended.
async fn played(client: &Client, messages: Vec<v1::PseudonymiseRequest>) -> (usize, String) {
    let mut answers = client
        .pseudonymisation()
        .pseudonymise(iter(messages))
        .await
        .expect("headers")
        .into_inner();
    let mut seen = 0;
    loop {
        match answers.message().await {
            Ok(Some(_)) => seen += 1,
            Ok(None) => return (seen, "ended".to_owned()),
            Err(status) => return (seen, outcome(Err::<(), ClientError>(status.into()))),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_out_of_order_is_refused_and_the_answers_before_it_stand() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let nothing = v1::PseudonymiseRequest { message: None };
    let huge = v1::RecordBatch {
        sequence: 1,
        ..super::bytes("name", vec![vec![b'x'; 5 << 20]])
    };
    let huge = v1::PseudonymiseRequest {
        message: Some(v1::pseudonymise_request::Message::Batch(huge)),
    };
    let cases = [
        ("empty", vec![], (0, "ended")),
        ("only open", vec![open(&["bsn"])], (1, "ended")),
        ("missing open", vec![send(0, "bsn")], (0, "INVALID_STREAM")),
        (
            "second open",
            vec![open(&["bsn"]), send(0, "bsn"), open(&["bsn"])],
            (2, "INVALID_STREAM"),
        ),
        (
            "a message of nothing",
            vec![nothing.clone()],
            (0, "INVALID_REQUEST"),
        ),
        (
            "a message of nothing later",
            vec![open(&["bsn"]), nothing],
            (1, "INVALID_REQUEST"),
        ),
        (
            "a gap",
            vec![open(&["bsn"]), send(0, "bsn"), send(2, "bsn")],
            (2, "INVALID_REQUEST"),
        ),
        (
            "twice the same number",
            vec![open(&["bsn"]), send(0, "bsn"), send(0, "bsn")],
            (2, "INVALID_REQUEST"),
        ),
        (
            "unlisted column sent",
            vec![open(&["bsn"]), send(0, "bsn"), send(1, "income")],
            (2, "UNKNOWN_ELEMENT"),
        ),
        (
            "keep column sent",
            vec![open(&["bsn"]), send(0, "bsn"), send(1, "diagnosis")],
            (2, "CLIENT_ONLY_ELEMENT"),
        ),
        (
            "oversized",
            vec![open(&["bsn"]), send(0, "bsn"), huge],
            (2, "BATCH_TOO_LARGE"),
        ),
    ];
    for (what, messages, (answers, end)) in cases {
        assert_eq!(
            played(&client, messages).await,
            (answers, end.to_owned()),
            "{what}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_an_unlisted_column_is_refused_before_any_row_is_processed() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let messages = vec![open(&["bsn", "income"]), send(0, "bsn"), send(1, "bsn")];
    assert_eq!(
        played(&client, messages).await,
        (0, "UNKNOWN_ELEMENT".to_owned())
    );
    assert_eq!(
        (rows(&world, Family::Link), rows(&world, Family::Identity)),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_under_a_grant_begin_with_open_once_too() {
    use v1::{convert_request::Message as C, reidentify_request::Message as R};
    let world = World::start().await;
    let (convert, reidentify) = (
        live_convert(&world, 10).await,
        live_reidentify(&world, 10).await,
    );
    let (recipient, source) = (world.client(RECIPIENT).await, world.client(SOURCE).await);
    let sent = || batch(&[("bsn", &[""])]);
    let open = C::Open(v1::ConvertOpen {
        grant_id: convert,
        ..Default::default()
    });
    for (messages, answers) in [
        (vec![C::Batch(sent())], 0),
        (vec![open.clone(), C::Batch(sent()), open], 2),
    ] {
        let messages = messages
            .into_iter()
            .map(|m| v1::ConvertRequest { message: Some(m) });
        let messages: Vec<_> = messages.collect();
        let mut stream = recipient
            .conversion()
            .convert(iter(messages))
            .await
            .expect("headers")
            .into_inner();
        for _ in 0..answers {
            stream
                .message()
                .await
                .expect("before the error")
                .expect("a message");
        }
        assert_eq!(outcome(stream.message().await), "INVALID_STREAM");
    }
    let open = R::Open(v1::ReidentifyOpen {
        grant_id: reidentify,
    });
    for (messages, answers) in [
        (vec![R::Batch(sent())], 0),
        (vec![open.clone(), R::Batch(sent()), open], 2),
    ] {
        let messages = messages
            .into_iter()
            .map(|m| v1::ReidentifyRequest { message: Some(m) });
        let messages: Vec<_> = messages.collect();
        let mut stream = source
            .reidentification()
            .reidentify(iter(messages))
            .await
            .expect("headers")
            .into_inner();
        for _ in 0..answers {
            stream
                .message()
                .await
                .expect("before the error")
                .expect("a message");
        }
        assert_eq!(outcome(stream.message().await), "INVALID_STREAM");
    }
}
