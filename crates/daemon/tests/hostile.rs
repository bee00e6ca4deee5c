//! Callers that mean no good, over real sockets: they do not read, do not finish, take every slot, or are no one.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::Frame;
use prost::Message;
use sluis_client::{Client, ClientError};
use sluis_port::{Family, Store};
use sluis_testkit::pki::{Credentials, TRUST_DOMAIN, Wanted};
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::metrics;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::wait::until;
use sluis_testkit_daemon::world::{
    METRICS, World, batch, convert_terms, pseudonymise, reason, values,
};
use sluis_wire::v1;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Service, ServiceExt};

const SOURCE: &str = "hospital-north/etl";
const OTHER: &str = "gp-south/etl";
const CHAIN: &str = "diabetes-study";
const BSN: &str = "950000012";
const UNARY: &str = "/sluis.v1.PseudonymisationService/PseudonymiseBatch";
const STREAM: &str = "/sluis.v1.PseudonymisationService/Pseudonymise";
/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(60);

async fn world(limits: &str) -> World {
    let world = World::start_empty(&format!("[limits]\n{limits}")).await;
    world.apply(&registry()).await.expect("valid");
    world
}

/// A transport with the smallest windows, whose answers are read only if the test does so.
async fn channel(world: &World, credentials: &Credentials) -> Channel {
    channel_with_window(world, credentials, 65_535).await
}

/// The window: bytes of an answer that the daemon may send before any is read.
async fn channel_with_window(world: &World, credentials: &Credentials, window: u32) -> Channel {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(world.pki.ca_pem()))
        .identity(Identity::from_pem(
            &credentials.cert_pem,
            &credentials.key_pem,
        ));
    let endpoint = Endpoint::from_shared(world.endpoint())
        .expect("a URL")
        .initial_stream_window_size(window);
    endpoint
        .tls_config(tls)
        .expect("PEM")
        .connect()
        .await
        .expect("connects")
}

/// A request body that says what it says and then either ends or does not.
struct Said {
    bytes: Option<Bytes>,
    ends: bool,
}

impl hyper::body::Body for Said {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match (self.bytes.take(), self.ends) {
            (Some(bytes), _) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            (None, true) => Poll::Ready(None),
            (None, false) => Poll::Pending,
        }
    }
}

async fn call(
    channel: &Channel,
    path: &str,
    bytes: Bytes,
    ends: bool,
) -> Result<Response<Body>, Status> {
    let request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Said {
            bytes: Some(bytes),
            ends,
        }))
        .expect("a request");
    let mut channel = channel.clone();
    let ready = channel.ready().await.expect("connected");
    let response = ready
        .call(request)
        .await
        .map_err(|e| Status::from_error(Box::new(e)))?;
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => Err(status),
        _ => Ok(response),
    }
}

/// A message as gRPC frames it.
fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).expect("short"));
    message.encode(&mut bytes).expect("there is room");
    bytes.freeze()
}

fn unary_request(values: &[&str]) -> v1::PseudonymiseBatchRequest {
    let open = v1::PseudonymiseOpen {
        chain_id: CHAIN.to_owned(),
        elements: vec!["bsn".to_owned()],
        ..Default::default()
    };
    v1::PseudonymiseBatchRequest {
        open: Some(open),
        batch: Some(batch(&[("bsn", values)])),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_any_rpc_that_is_not_read_is_cut_and_the_budget_comes_back() {
    let limits = "in_flight_bytes = 54525952\nunread_seconds = 1\nmax_batch_rows = 65536";
    let world = world(limits).await;
    let request = framed(&unary_request(&vec![BSN; 45_000]));
    let mut unread = Vec::new();
    // Four of them are nearly the whole budget: no one else would get so much again. Each has a connection of its own,
    // for the first may be cut before the last is there; on a slow machine even before we see that it is answered.
    for _ in 0..4 {
        let slow = channel(&world, &world.pki.member(SOURCE)).await;
        match call(&slow, UNARY, request.clone(), true).await {
            Ok(answer) => unread.push(answer),
            Err(cut) => assert_eq!(ClientError::from(cut).reason(), None),
        }
    }
    let fair = world.client(OTHER).await;
    let large = vec![BSN; 45_000];
    let answer = timeout(LONG, pseudonymise(&fair, CHAIN, batch(&[("bsn", &large)]))).await;
    answer.expect("the budget came back").expect("answered");
    drop(unread);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_which_the_caller_has_room_for_one_byte_is_held_and_cut_too() {
    let limits = "[limits]\nunread_seconds = 1";
    let world = World::start_empty(&format!("{METRICS}\n{limits}")).await;
    world.apply(&registry()).await.expect("valid");
    let slow = channel_with_window(&world, &world.pki.member(SOURCE), 1).await;
    let request = framed(&unary_request(&vec![BSN; 10_000]));
    // It may be cut before we see that it is answered.
    let unread = call(&slow, UNARY, request, true).await;
    until("the connection is cut by the daemon", async || {
        metrics::value(&world.metrics().await, "sluis_connections").expect("a gauge") == 0
    })
    .await;
    until("the budget came back", async || {
        in_flight(&world).await == 0
    })
    .await;
    drop((unread, slow));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_is_whole_however_small_the_window() {
    let world = world("").await;
    let credentials = world.pki.member(SOURCE);
    let large = unary_request(&vec![BSN; 10_000]);
    let mut answers = Vec::new();
    for window in [1_000, 65_535, 1 << 24] {
        let channel = channel_with_window(&world, &credentials, window).await;
        let mut client =
            v1::pseudonymisation_service_client::PseudonymisationServiceClient::new(channel)
                .max_decoding_message_size(usize::MAX);
        let answer = client.pseudonymise_batch(large.clone()).await;
        let result = answer.expect("answered").into_inner().result;
        answers.push(values(&result.expect("a result"), "bsn").len());
    }
    assert_eq!(answers, [10_000; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_arrive_ends_and_so_does_a_stream_that_does_not_begin() {
    let world = world("request_seconds = 1").await;
    let slow = channel(&world, &world.pki.member(SOURCE)).await;
    let half = framed(&unary_request(&[BSN])).slice(..9);
    let refused = timeout(LONG, call(&slow, UNARY, half.clone(), false))
        .await
        .expect("not for ever")
        .err();
    let refused = refused.expect("half a request");
    assert_eq!(
        (refused.code(), reason(refused).as_str()),
        (Code::DeadlineExceeded, "REQUEST_TIMEOUT")
    );
    // A stream has its headers already; the reason is in the trailers.
    let response = call(&slow, STREAM, half, false).await.expect("headers");
    let status = timeout(LONG, trailers(response))
        .await
        .expect("not for ever");
    assert_eq!(
        (status.code(), reason(status).as_str()),
        (Code::DeadlineExceeded, "REQUEST_TIMEOUT")
    );
}

async fn trailers(response: Response<Body>) -> Status {
    let mut body = std::pin::pin!(response.into_body());
    loop {
        let frame =
            std::future::poll_fn(|cx| hyper::body::Body::poll_frame(body.as_mut(), cx)).await;
        let frame = frame.expect("trailers come").expect("not cut");
        if let Some(trailers) = frame.trailers_ref() {
            return Status::from_header_map(trailers).expect("a status");
        }
    }
}

/// An open stream: its requests, so that it stays open, and its answers.
type Open = (
    mpsc::Sender<v1::PseudonymiseRequest>,
    tonic::Streaming<v1::PseudonymiseResponse>,
);

async fn open(client: &Client) -> Result<Open, Status> {
    let (requests, receiver) = mpsc::channel(4);
    let message = v1::PseudonymiseOpen {
        chain_id: CHAIN.to_owned(),
        elements: vec!["bsn".to_owned()],
        ..Default::default()
    };
    let message = Some(v1::pseudonymise_request::Message::Open(message));
    requests
        .send(v1::PseudonymiseRequest { message })
        .await
        .expect("there is room");
    let mut answers = client
        .pseudonymisation()
        .pseudonymise(ReceiverStream::new(receiver))
        .await?
        .into_inner();
    answers.message().await?.expect("opened");
    Ok((requests, answers))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_which_nothing_comes_ends() {
    let world = world("idle_seconds = 1").await;
    let (_requests, mut answers) = open(&world.client(SOURCE).await).await.expect("opens");
    let ended = timeout(LONG, answers.message())
        .await
        .expect("not for ever")
        .expect_err("idle");
    assert_eq!(
        (ended.code(), reason(ended).as_str()),
        (Code::DeadlineExceeded, "IDLE_STREAM")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_member_gets_a_quarter_of_the_slots_and_the_others_the_rest() {
    let world = world("max_data_calls = 20\nmax_connections = 20\ncall_wait_seconds = 0").await;
    let greedy = world.client(SOURCE).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(open(&greedy).await.expect("a quarter"));
    }
    let refused = open(&world.client(SOURCE).await)
        .await
        .expect_err("on any connection");
    assert_eq!(
        (refused.code(), reason(refused).as_str()),
        (Code::ResourceExhausted, "TOO_MANY_REQUESTS")
    );
    open(&world.client(OTHER).await).await.expect("the others");
    // Connections likewise; which of them are already there does not matter.
    let credentials = world.pki.member(SOURCE);
    let mut connections = Vec::new();
    for _ in 0..20 {
        if let Ok(client) = world.connect(&credentials).await
            && client
                .identity()
                .who_am_i(v1::WhoAmIRequest {})
                .await
                .is_ok()
        {
            connections.push(client);
        }
    }
    assert!(connections.len() < 5, "{}", connections.len());
    let other = world.client(OTHER).await;
    other
        .identity()
        .who_am_i(v1::WhoAmIRequest {})
        .await
        .expect("the others");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_registered_is_refused_before_anything_is_read() {
    let world = World::start().await;
    let stranger = channel(&world, &world.pki.member("nobody/etl")).await;
    // Nothing of the messages ever comes.
    for path in [
        UNARY,
        STREAM,
        "/sluis.v1.RegistryService/ApplyRegistry",
        "/sluis.v1.IdentityService/WhoAmI",
    ] {
        let refused = timeout(LONG, call(&stranger, path, Bytes::from_static(&[0]), false))
            .await
            .expect("at once");
        assert_eq!(
            reason(refused.expect_err("nobody")),
            "UNKNOWN_ORGANISATION",
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_nobody_is_closed_after_its_first_answer() {
    let world = World::start_empty(METRICS).await;
    let uris = vec![format!("spiffe://{TRUST_DOMAIN}/not-a-member")];
    let wanted = Wanted {
        uris,
        dns: vec!["etl.test".to_owned()],
        expired: false,
    };
    let nobody = world
        .connect(&world.pki.client(&wanted))
        .await
        .expect("the authority is ours");
    let refused = nobody
        .identity()
        .who_am_i(v1::WhoAmIRequest {})
        .await
        .expect_err("nobody");
    assert_eq!(reason(refused), "NO_SPIFFE_ID");
    // By the daemon: the client is still there.
    until("the connection is closed", async || {
        metrics::value(&world.metrics().await, "sluis_connections").expect("a gauge") == 0
    })
    .await;
    drop(nobody);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_beyond_its_share_is_refused_and_callers_are_told_how_many_rows_fit() {
    // A share of 13 MiB: 9 MiB beside the largest message, 36,864 values.
    let world = world("in_flight_bytes = 54525952\nmax_batch_rows = 65536").await;
    let client = world.client(SOURCE).await;
    let chain = CHAIN.parse().expect("an id");
    let session = client
        .pseudonymise(&chain, &["bsn".parse().expect("an id")])
        .await
        .expect("opens");
    let told = session.limits().max_batch_rows as usize;
    assert!((32_768..36_864).contains(&told), "{told}");
    drop(session);
    pseudonymise(&client, CHAIN, batch(&[("bsn", &vec![BSN; told])]))
        .await
        .expect("fits");
    let refused = pseudonymise(&client, CHAIN, batch(&[("bsn", &vec![BSN; 60_000])]))
        .await
        .expect_err("too large");
    assert_eq!(refused.reason(), Some("BATCH_TOO_LARGE"));
    let violations = &refused.refusal().expect("an answer").violations;
    assert!(
        violations
            .iter()
            .any(|v| v.description.contains("fewer rows")),
        "{violations:?}"
    );
}

const RECIPIENT: &str = "registry-office/etl";
const STEWARDS: [&str; 2] = ["uni-research/steward-1", "registry-office/steward-a"];

/// Tokens of one subject, and a live grant to convert them.
async fn convertible(world: &World, max_values: u64) -> (String, String) {
    let source = world.client(SOURCE).await;
    let result = pseudonymise(&source, CHAIN, batch(&[("bsn", &[BSN])])).await;
    let tokens = values(&result.expect("a source"), "bsn");
    let terms = convert_terms(
        world,
        (CHAIN, "bsn"),
        ("national-registry", "bsn"),
        max_values,
    );
    let grant = world.grant(RECIPIENT, terms, &STEWARDS).await;
    (tokens[0].clone(), grant)
}

async fn abandoned(world: &World) -> u64 {
    metrics::value(&world.metrics().await, "sluis_calls_abandoned_total").unwrap_or(0)
}

async fn in_flight(world: &World) -> u64 {
    metrics::value(&world.metrics().await, "sluis_in_flight_bytes").expect("a gauge")
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_what_a_job_holds_is_its_own_and_one_without_a_caller_never_begins() {
    let limits = "[limits]\ncpu_threads = 1\nmax_data_calls = 16\ncall_wait_seconds = 0";
    let world = World::start_empty(&format!("{METRICS}\n{limits}")).await;
    world.apply(&registry()).await.expect("valid");
    let (token, grant) = convertible(&world, 1_000).await;
    let recipient = world.client(RECIPIENT).await;
    // The first batch waits for the store, on the only thread that one member may have.
    world.store.hold_reads(Family::Link);
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(fed(&recipient, &grant, &token).await);
    }
    until("one batch is worked on", async || {
        world.store.reading() == 1 && in_flight(&world).await >= 4 * 4 * 256
    })
    .await;
    let (held, entries) = (in_flight(&world).await, world.store.entries());
    drop(streams);
    until("all are known to be gone", async || {
        abandoned(&world).await == 4
    })
    .await;
    assert_eq!(in_flight(&world).await, held, "nothing was given back");
    let again =
        sluis_testkit_daemon::world::convert(&recipient, &grant, batch(&[("bsn", &[&token])]));
    let refused = again.await.expect_err("all four calls are still at work");
    assert_eq!(refused.reason(), Some("TOO_MANY_REQUESTS"));
    let fair = world.client(OTHER).await;
    let answer = timeout(LONG, pseudonymise(&fair, CHAIN, batch(&[("bsn", &[BSN])])));
    answer
        .await
        .expect("another member's batch finds a thread")
        .expect("answered");
    world.store.release_reads(Family::Link);
    until("all was given back", async || in_flight(&world).await == 0).await;
    // The one that had begun, the refusal, and the other member's.
    assert_eq!(world.store.entries() - entries, 3);
}

/// A conversion with four batches on their way, of which no answer is read.
async fn fed(
    client: &Client,
    grant: &str,
    token: &str,
) -> (
    mpsc::Sender<v1::ConvertRequest>,
    tonic::Streaming<v1::ConvertResponse>,
) {
    use v1::convert_request::Message;
    let open = Message::Open(v1::ConvertOpen {
        grant_id: grant.to_owned(),
        ..Default::default()
    });
    let batches = (0..4).map(|sequence| {
        Message::Batch(v1::RecordBatch {
            sequence,
            ..batch(&[("bsn", &[token])])
        })
    });
    let (requests, receiver) = mpsc::channel(8);
    for message in [open].into_iter().chain(batches) {
        let message = Some(message);
        requests
            .send(v1::ConvertRequest { message })
            .await
            .expect("there is room");
    }
    let answers = client
        .conversion()
        .convert(ReceiverStream::new(receiver))
        .await
        .expect("headers")
        .into_inner();
    (requests, answers)
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_a_call_too_many_waits_for_the_ones_before_it() {
    let world = world("max_data_calls = 4\ncall_wait_seconds = 60").await;
    let client = world.client(SOURCE).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(open(&client).await.expect("a slot"));
    }
    let waiting: Vec<_> = (0..6)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(
                async move { pseudonymise(&client, CHAIN, batch(&[("bsn", &[BSN])])).await },
            )
        })
        .collect();
    // Its own deadline is kept.
    let mut hasty = tonic::Request::new(unary_request(&[BSN]));
    hasty.set_timeout(Duration::from_millis(50));
    let refused = client.pseudonymisation().pseudonymise_batch(hasty).await;
    assert!(refused.is_err());
    assert!(waiting.iter().all(|call| !call.is_finished()));
    held.pop();
    for call in waiting {
        let answered = timeout(LONG, call).await.expect("in its turn");
        answered.expect("not cancelled").expect("answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_finds_no_slot_is_told_when_to_come_again() {
    let world = world("max_data_calls = 4\nmax_waiting_calls = 0").await;
    let client = world.client(SOURCE).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(open(&client).await.expect("a slot"));
    }
    let refused = open(&client).await.expect_err("none may wait");
    assert!(refused.get_details_retry_info().is_some());
    assert_eq!(reason(refused), "TOO_MANY_REQUESTS");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_acts_of_one_member_have_a_rate_and_those_of_others_have_their_own() {
    let world = world("acts_per_second = 1\nacts_burst = 6\ncall_wait_seconds = 0").await;
    let (client, other) = (world.client(SOURCE).await, world.client(OTHER).await);
    let mut outcomes = Vec::new();
    // Reads, refusals, requests and batches alike.
    for _ in 0..4 {
        let custody = client.custody().get_status(v1::GetStatusRequest {}).await;
        outcomes.push(reason(custody.expect_err("not a custodian")));
        let request = v1::ApproveGrantRequest {
            grant_id: "g-invented".to_owned(),
            ..Default::default()
        };
        let approved = client.grants().approve_grant(request).await;
        outcomes.push(reason(approved.expect_err("no such grant")));
        let read = v1::ListChainsRequest::default();
        let read = client.registry().list_chains(read).await;
        outcomes.extend(read.err().map(reason));
    }
    assert!(outcomes.iter().any(|reason| reason == "UNKNOWN_GRANT"));
    let refused = pseudonymise(&client, CHAIN, batch(&[("bsn", &[BSN])])).await;
    assert_eq!(
        refused.expect_err("too many acts").reason(),
        Some("RATE_LIMITED")
    );
    let refused = client.identity().who_am_i(v1::WhoAmIRequest {}).await;
    let refused = refused.expect_err("too many acts");
    assert!(refused.get_details_retry_info().is_some());
    pseudonymise(&other, CHAIN, batch(&[("bsn", &[BSN])]))
        .await
        .expect("has a rate of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_what_is_used_up_is_not_tried_again_and_again() {
    let world = world("used_up_per_minute = 2").await;
    let (token, grant) = convertible(&world, 1).await;
    let recipient = world.client(RECIPIENT).await;
    let mut reasons = Vec::new();
    for _ in 0..5 {
        let tokens = [token.as_str(), token.as_str()];
        let answer =
            sluis_testkit_daemon::world::convert(&recipient, &grant, batch(&[("bsn", &tokens)]))
                .await;
        reasons.push(answer.expect_err("two of one").reason().map(str::to_owned));
    }
    let told: Vec<_> = reasons.iter().flatten().map(String::as_str).collect();
    let [exhausted, limited] = ["GRANT_EXHAUSTED", "RATE_LIMITED"];
    assert_eq!(told, [exhausted, exhausted, limited, limited, limited]);
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_what_is_too_large_is_not_read_again_and_again() {
    let world = world("used_up_per_minute = 2").await;
    let client = world.client(SOURCE).await;
    let mut told = Vec::new();
    for rows in [2_000_000, 2_000_000, 2_000_000, 1] {
        let request = v1::PseudonymiseBatchRequest {
            batch: Some(batch(&[("bsn", &vec![""; rows])])),
            ..unary_request(&[])
        };
        let refused = client.pseudonymisation().pseudonymise_batch(request).await;
        told.push(reason(refused.expect_err("refused")));
    }
    let [large, limited] = ["BATCH_TOO_LARGE", "RATE_LIMITED"];
    assert_eq!(told, [large, large, limited, limited]);
    let other = world.client(OTHER).await;
    pseudonymise(&other, CHAIN, batch(&[("bsn", &[BSN])]))
        .await
        .expect("has a bucket of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_what_is_used_up_ends_no_other_stream_of_the_person() {
    let world = world("used_up_per_minute = 2").await;
    let (token, used_up) = convertible(&world, 1).await;
    let terms = convert_terms(&world, (CHAIN, "bsn"), ("national-registry", "bsn"), 100);
    let other = world.grant(RECIPIENT, terms, &STEWARDS).await;
    let recipient = world.client(RECIPIENT).await;
    let (requests, mut answers) = fed(&recipient, &other, &token).await;
    // Opened, and its four batches.
    for _ in 0..5 {
        answers.message().await.expect("answered").expect("open");
    }
    let tokens = [token.as_str(), token.as_str()];
    let mut last = None;
    for _ in 0..3 {
        let answer =
            sluis_testkit_daemon::world::convert(&recipient, &used_up, batch(&[("bsn", &tokens)]))
                .await;
        last = answer.expect_err("two of one").reason().map(str::to_owned);
    }
    assert_eq!(last.as_deref(), Some("RATE_LIMITED"));
    let next = v1::RecordBatch {
        sequence: 4,
        ..batch(&[("bsn", &[&token])])
    };
    let message = Some(v1::convert_request::Message::Batch(next));
    requests
        .send(v1::ConvertRequest { message })
        .await
        .expect("open");
    answers.message().await.expect("answered").expect("open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_waits_while_its_certificate_is_revoked_never_begins() {
    let world = world("cpu_threads = 1").await;
    let (token, grant) = convertible(&world, 1_000).await;
    let credentials = world.pki.member(RECIPIENT);
    let recipient = world.connect(&credentials).await.expect("a member");
    world.store.hold_reads(Family::Link);
    let (requests, mut answers) = fed(&recipient, &grant, &token).await;
    until("one batch is worked on", async || {
        world.store.reading() == 1
    })
    .await;
    answers.message().await.expect("answered").expect("opened");
    world.pki.revoke(&credentials);
    world.running().reload();
    until("the list was read", async || {
        let known = recipient.identity().who_am_i(v1::WhoAmIRequest {}).await;
        known
            .err()
            .is_some_and(|refused| reason(refused) == "CERTIFICATE_REVOKED")
    })
    .await;
    world.store.release_reads(Family::Link);
    answers.message().await.expect("had begun").expect("open");
    let refused = answers.message().await.expect_err("had not begun");
    assert_eq!(reason(refused), "CERTIFICATE_REVOKED");
    drop(requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_batches_with_nothing_in_them_are_refused_and_so_is_opening_for_no_column() {
    let world = world("").await;
    let client = world.client(SOURCE).await;
    let entries = world.store.entries();
    for nothing in [
        batch(&[]),
        batch(&[("bsn", &[])]),
        v1::RecordBatch {
            rows: 5,
            ..batch(&[])
        },
    ] {
        let request = v1::PseudonymiseBatchRequest {
            batch: Some(nothing.clone()),
            ..unary_request(&[BSN])
        };
        let refused = client.pseudonymisation().pseudonymise_batch(request).await;
        assert_eq!(reason(refused.expect_err("nothing in it")), "INVALID_BATCH");
        let (requests, mut answers) = open(&client).await.expect("opens");
        let message = Some(v1::pseudonymise_request::Message::Batch(nothing));
        requests
            .send(v1::PseudonymiseRequest { message })
            .await
            .expect("open");
        let refused = answers.message().await.expect_err("nothing in it");
        assert_eq!(reason(refused), "INVALID_BATCH");
    }
    let none = v1::PseudonymiseOpen {
        chain_id: CHAIN.to_owned(),
        ..Default::default()
    };
    let request = v1::PseudonymiseBatchRequest {
        open: Some(none),
        ..unary_request(&[BSN])
    };
    let refused = client.pseudonymisation().pseudonymise_batch(request).await;
    assert_eq!(reason(refused.expect_err("no column")), "INVALID_REQUEST");
    assert_eq!(
        world.store.entries() - entries,
        7,
        "each refusal is on record"
    );
}

/// A request body that never ends, a byte at a time.
struct Trickle(Bytes, Pin<Box<tokio::time::Sleep>>);

impl hyper::body::Body for Trickle {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        std::task::ready!(self.1.as_mut().poll(cx));
        self.1 = Box::pin(tokio::time::sleep(Duration::from_millis(100)));
        let byte = self.0.split_to(1);
        Poll::Ready(Some(Ok(Frame::data(byte))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_a_byte_now_and_then_does_not_keep_a_stream_open() {
    let world = world("request_seconds = 1\nidle_seconds = 3600").await;
    let slow = channel(&world, &world.pki.member(SOURCE)).await;
    let opening = v1::pseudonymise_request::Message::Open(v1::PseudonymiseOpen {
        chain_id: CHAIN.to_owned(),
        elements: vec!["bsn".to_owned()],
        ..Default::default()
    });
    let message = v1::pseudonymise_request::Message::Batch(batch(&[("bsn", &[BSN; 10_000])]));
    let messages = [opening, message].map(|message| {
        framed(&v1::PseudonymiseRequest {
            message: Some(message),
        })
    });
    let first = messages[0].clone();
    let rest = Trickle(
        messages[1].clone(),
        Box::pin(tokio::time::sleep(Duration::ZERO)),
    );
    let body = Body::new(After(Some(first), rest));
    let request = Request::post(STREAM)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .expect("a request");
    let mut slow = slow.clone();
    let ready = slow.ready().await.expect("connected");
    let response = ready.call(request).await.expect("headers");
    let status = timeout(LONG, trailers(response))
        .await
        .expect("not for ever");
    assert_eq!(reason(status), "REQUEST_TIMEOUT");
}

/// Something at once, and then a trickle.
struct After(Option<Bytes>, Trickle);

impl hyper::body::Body for After {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.0.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.1).poll_frame(cx),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_a_message_that_would_be_decoded_into_too_much_is_refused_before_it_is() {
    let world = world("").await;
    let client = world.client(SOURCE).await;
    for columns in [
        batch(&[("bsn", &[""; 1_000_000])]).columns,
        vec![v1::Column::default(); 1_000_000],
    ] {
        let request = v1::PseudonymiseBatchRequest {
            batch: Some(v1::RecordBatch {
                rows: 1,
                columns,
                ..Default::default()
            }),
            ..unary_request(&[BSN])
        };
        let refused = client.pseudonymisation().pseudonymise_batch(request).await;
        let refused = refused.expect_err("tens of megabytes");
        assert!(refused.get_details_bad_request().is_none(), "not looked at");
        assert_eq!(reason(refused), "BATCH_TOO_LARGE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_11_handshakes_of_one_address_have_a_share() {
    let limits = "[limits]\nmax_handshakes_per_address = 3\nhandshake_timeout_seconds = 60";
    let world = World::start_empty(&format!("{METRICS}\n{limits}")).await;
    let address = world.running().addr();
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(
            tokio::net::TcpStream::connect(address)
                .await
                .expect("taken"),
        );
    }
    let one_more = tokio::net::TcpStream::connect(address)
        .await
        .expect("taken");
    timeout(LONG, one_more.readable())
        .await
        .expect("put out")
        .expect("at its end");
    let refused = "sluis_handshakes_total{outcome=\"too-many-of-address\"}";
    until("it is counted", async || {
        metrics::value(&world.metrics().await, refused) == Some(1)
    })
    .await;
    drop(silent);
    until("there is room again", async || {
        world
            .connect(&world.pki.member("custodian/anna"))
            .await
            .is_ok()
    })
    .await;
}
