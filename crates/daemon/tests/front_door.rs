//! What every call goes through, over real sockets: identity, limits, order, metrics.

use std::net::TcpStream;

use sluis_client::Client;
use sluis_testkit::pki::{TRUST_DOMAIN, Wanted};
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{METRICS, World, batch, pseudonymise, reason, values};
use sluis_wire::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use v1::pseudonymise_request::Message as Outgoing;
use v1::pseudonymise_response::Message as Incoming;

const SOURCE: &str = "hospital-north/etl";
const CHAIN: &str = "diabetes-study";
const BSN: &str = "950000012";

/// A stream that the test feeds and reads by hand.
struct Open {
    requests: mpsc::Sender<v1::PseudonymiseRequest>,
    answers: Streaming<v1::PseudonymiseResponse>,
}

impl Open {
    async fn new(client: &Client) -> Self {
        let (requests, receiver) = mpsc::channel(64);
        let answers = client
            .pseudonymisation()
            .pseudonymise(ReceiverStream::new(receiver))
            .await;
        let open = Self {
            requests,
            answers: answers.expect("headers come at once").into_inner(),
        };
        let first = v1::PseudonymiseOpen {
            chain_id: CHAIN.to_owned(),
            elements: vec!["bsn".to_owned()],
            ..Default::default()
        };
        open.send(Outgoing::Open(first)).await;
        open
    }

    async fn opened(client: &Client) -> Self {
        let mut open = Self::new(client).await;
        let first = open
            .answers
            .message()
            .await
            .expect("opened")
            .expect("a message");
        assert!(matches!(first.message, Some(Incoming::Opened(_))));
        open
    }

    async fn send(&self, message: Outgoing) {
        let request = v1::PseudonymiseRequest {
            message: Some(message),
        };
        // When the stream has ended the answer says why.
        drop(self.requests.send(request).await);
    }

    async fn send_batch(&self, sequence: u64) {
        self.send(Outgoing::Batch(v1::RecordBatch {
            sequence,
            ..batch(&[("bsn", &[BSN])])
        }))
        .await;
    }

    async fn result(&mut self) -> Result<v1::BatchResult, Status> {
        match self.answers.message().await?.expect("a message").message {
            Some(Incoming::Result(result)) => Ok(result),
            _ => panic!("a result"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_in_order_and_an_error_comes_after_them() {
    let world = World::start().await;
    let mut open = Open::opened(&world.client(SOURCE).await).await;
    for sequence in 0..20 {
        open.send_batch(sequence).await;
    }
    open.send_batch(7).await;
    for sequence in 0..20 {
        assert_eq!(open.result().await.expect("answered").sequence, sequence);
    }
    let status = open.result().await.expect_err("20 comes next");
    assert_eq!(
        (status.code(), reason(status).as_str()),
        (Code::InvalidArgument, "INVALID_REQUEST")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_column_comes_back_packed() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let plain = pseudonymise(&client, CHAIN, batch(&[("bsn", &[BSN, "", BSN])]))
        .await
        .expect("answered");
    let packed = v1::Packed {
        data: [BSN, BSN].concat().into(),
        lengths: vec![9, 0, 9],
    };
    let column = v1::Column {
        element: "bsn".to_owned(),
        form: Some(v1::column::Form::Packed(packed)),
    };
    let request = v1::RecordBatch {
        rows: 3,
        columns: vec![column],
        ..v1::RecordBatch::default()
    };
    let packed = pseudonymise(&client, CHAIN, request)
        .await
        .expect("answered");
    assert_eq!(values(&packed, "bsn"), values(&plain, "bsn"));
    let Some(v1::batch_result::Output::Plain(output)) = packed.output else {
        panic!("plain")
    };
    assert!(matches!(
        output.columns[0].form,
        Some(v1::column::Form::Packed(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_does_not_begin_with_open_is_refused() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let (requests, receiver) = mpsc::channel(4);
    let answers = client
        .pseudonymisation()
        .pseudonymise(ReceiverStream::new(receiver))
        .await;
    let mut open = Open {
        requests,
        answers: answers.expect("headers").into_inner(),
    };
    open.send_batch(0).await;
    assert_eq!(
        reason(open.result().await.expect_err("no open")),
        "INVALID_STREAM"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_its_request_id() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let with_id = |id: &'static str| {
        let mut request = Request::new(v1::WhoAmIRequest {});
        request
            .metadata_mut()
            .insert("x-request-id", id.parse().expect("ASCII"));
        request
    };
    let mine = client
        .identity()
        .who_am_i(with_id("mine-1"))
        .await
        .expect("known");
    assert_eq!(
        mine.metadata().get("x-request-id").map(|id| id.as_bytes()),
        Some(&b"mine-1"[..])
    );
    let other = client
        .identity()
        .who_am_i(with_id("not plain!"))
        .await
        .expect("known");
    assert_ne!(
        other.metadata().get("x-request-id").map(|id| id.as_bytes()),
        Some(&b"not plain!"[..])
    );
    let refused = client
        .custody()
        .get_status(v1::GetStatusRequest {})
        .await
        .expect_err("not a custodian");
    assert!(refused.metadata().contains_key("x-request-id"));
    assert_eq!(reason(refused), "NOT_A_CUSTODIAN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_exactly_one_spiffe_id_gets_nothing() {
    let world = World::start().await;
    let id = |member: &str| format!("spiffe://{TRUST_DOMAIN}/{member}");
    for uris in [
        vec![],
        vec![id(SOURCE), id("gp-south/etl")],
        vec!["spiffe://elsewhere.test/a/b".to_owned()],
    ] {
        let wanted = Wanted {
            uris,
            dns: vec!["etl.test".to_owned()],
            expired: false,
        };
        let client = world
            .connect(&world.pki.client(&wanted))
            .await
            .expect("the authority is ours");
        let refused = client
            .identity()
            .who_am_i(v1::WhoAmIRequest {})
            .await
            .expect_err("nobody");
        assert_eq!(
            (refused.code(), reason(refused).as_str()),
            (Code::Unauthenticated, "NO_SPIFFE_ID")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_revoked_ends_its_open_stream() {
    let world = World::start().await;
    let credentials = world.pki.member(SOURCE);
    let client = world.connect(&credentials).await.expect("connects");
    let mut open = Open::opened(&client).await;
    open.send_batch(0).await;
    open.result().await.expect("still good");
    world.pki.revoke(&credentials);
    world.running().reload();
    // The reload happens at its own time; every batch asks again.
    let mut refused = None;
    for sequence in 1..100_000 {
        open.send_batch(sequence).await;
        if let Err(status) = open.result().await {
            refused = Some(reason(status));
            break;
        }
    }
    assert_eq!(refused.as_deref(), Some("CERTIFICATE_REVOKED"));
    let next = client
        .identity()
        .who_am_i(v1::WhoAmIRequest {})
        .await
        .expect_err("revoked");
    assert_eq!(reason(next), "CERTIFICATE_REVOKED");
    // A new connection does not even come through the handshake.
    match world.connect(&credentials).await {
        Err(_) => {}
        Ok(client) => drop(
            client
                .identity()
                .who_am_i(v1::WhoAmIRequest {})
                .await
                .expect_err("no handshake"),
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_unreadable_is_refused_with_a_reason() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    let long = "x".repeat(5 << 20);
    let refused = pseudonymise(&client, CHAIN, batch(&[("bsn", &[&long])]))
        .await
        .expect_err("too large");
    assert_eq!(refused.reason(), Some("BATCH_TOO_LARGE"));
    let many = vec![BSN; 65_537];
    let refused = pseudonymise(&client, CHAIN, batch(&[("bsn", &many)]))
        .await
        .expect_err("too many");
    assert_eq!(refused.reason(), Some("BATCH_TOO_LARGE"));
    let no_column = v1::Column {
        element: "bsn".to_owned(),
        form: None,
    };
    let request = v1::RecordBatch {
        rows: 1,
        columns: vec![no_column],
        ..v1::RecordBatch::default()
    };
    let refused = pseudonymise(&client, CHAIN, request)
        .await
        .expect_err("no form");
    assert_eq!(refused.reason(), Some("INVALID_REQUEST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_and_who_does_not_speak_hold_nobody_up() {
    let world = World::start().await;
    let silent: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(world.running().addr()).expect("accepted"))
        .collect();
    let client = world.client(SOURCE).await;
    // Never reads: fills its slots and waits.
    let stuck = Open::new(&client).await;
    for sequence in 0..32 {
        stuck.send_batch(sequence).await;
    }
    pseudonymise(&client, CHAIN, batch(&[("bsn", &[BSN])]))
        .await
        .expect("answered");
    let mut other = Open::opened(&world.client("gp-south/etl").await).await;
    other.send_batch(0).await;
    other.result().await.expect("answered");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_read_leaves_most_of_the_budget_to_the_others() {
    let world = small_budget("").await;
    let stuck = unread_stream(&world).await;
    let other = world.client("gp-south/etl").await;
    for _ in 0..20 {
        pseudonymise(&other, CHAIN, batch(&[("bsn", &MANY)]))
            .await
            .expect("answered");
    }
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_is_cut_off_and_the_budget_comes_back() {
    let world = small_budget("unread_seconds = 1").await;
    let mut stuck = Vec::new();
    // Four shares are the budget.
    for _ in 0..5 {
        stuck.push(unread_stream(&world).await);
    }
    // This waits until the first of them has been cut.
    let other = world.client("gp-south/etl").await;
    pseudonymise(&other, CHAIN, batch(&[("bsn", &MANY)]))
        .await
        .expect("answered");
    drop(stuck);
}

/// A batch that counts as 5.3 MB, of which a share has room for two.
static MANY: [&str; 20_000] = [BSN; 20_000];

/// A budget for ten batches.
async fn small_budget(extra: &str) -> World {
    let limits = "[limits]\nin_flight_bytes = 54525952\nmax_batches_in_flight = 64\nmax_batch_rows = 65536\n";
    let world = World::start_empty(&format!("{limits}{extra}")).await;
    world.apply(&registry()).await.expect("valid");
    world
}

/// A stream with more answers than its transport takes without being read.
async fn unread_stream(world: &World) -> Open {
    let stream = Open::new(&world.client(SOURCE).await).await;
    for sequence in 0..8 {
        stream
            .send(Outgoing::Batch(v1::RecordBatch {
                sequence,
                ..batch(&[("bsn", &MANY)])
            }))
            .await;
    }
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_calls_and_values_and_show_none_of_them() {
    let world = World::start_empty(METRICS).await;
    let refused = world
        .client(SOURCE)
        .await
        .identity()
        .who_am_i(v1::WhoAmIRequest {})
        .await
        .expect_err("unknown");
    assert_eq!(reason(refused), "UNKNOWN_ORGANISATION");
    let text = world.metrics().await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    for name in [
        "sluis_store_writable 1",
        "sluis_handshakes_total{outcome=\"ok\"}",
        "sluis_in_flight_bytes 0",
    ] {
        assert!(text.contains(name), "{name} is missing in {text}");
    }
    assert!(!text.contains("hospital-north"));
}
