//! Callers that mean no good, over real sockets: they do not read, do not finish, take every slot, or are nobody.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::Frame;
use prost::Message;
use sluis_client::{Client, ClientError, v1};
use sluis_testkit::metrics;
use sluis_testkit::pki::{Credentials, TRUST_DOMAIN, Wanted};
use sluis_testkit::registry::registry;
use sluis_testkit::wait::until;
use sluis_testkit::world::{METRICS, World, batch, pseudonymise, reason};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
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
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(world.pki.ca_pem()))
        .identity(Identity::from_pem(
            &credentials.cert_pem,
            &credentials.key_pem,
        ));
    let endpoint = Endpoint::from_shared(world.endpoint())
        .expect("a URL")
        .initial_stream_window_size(65_535);
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
    let world = world("in_flight_bytes = 54525952\nunread_seconds = 1").await;
    let request = framed(&unary_request(&vec![BSN; 45_000]));
    let mut unread = Vec::new();
    // Four of them are nearly the whole budget: nobody else would get so much again. Each has a connection of its own,
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
    let world = world("max_data_calls = 20\nmax_connections = 20").await;
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
    let world = world("in_flight_bytes = 54525952").await;
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
