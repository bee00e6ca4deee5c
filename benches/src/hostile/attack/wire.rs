//! gRPC by hand: requests that say what they say at their own pace, and answers that are read or not.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::{Body as _, Frame};
use prost::Message;
use tokio::sync::oneshot;
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::{Service, ServiceExt};

/// A transport whose answers are read only if the caller does so.
pub(super) async fn channel(endpoint: &str, ca: &Path, credentials: &Path) -> Channel {
    let identity = Identity::from_pem(
        read(&credentials.with_extension("pem")),
        read(&credentials.with_extension("key")),
    );
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(ca)))
        .identity(identity);
    Endpoint::from_shared(endpoint.to_owned())
        .expect("a URL")
        .initial_stream_window_size(65_535)
        .tls_config(tls)
        .expect("PEM")
        .connect()
        .await
        .expect("connects")
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("written before")
}

/// A request body: pieces with a pause before each, and then its end or nothing more.
pub(super) struct Said {
    pieces: VecDeque<(Duration, Bytes)>,
    ends: bool,
    pause: Option<Pin<Box<Sleep>>>,
    all_sent: Option<oneshot::Sender<()>>,
}

impl Said {
    pub(super) fn new(pieces: Vec<(Duration, Bytes)>, ends: bool) -> Self {
        Self {
            pieces: pieces.into(),
            ends,
            pause: None,
            all_sent: None,
        }
    }

    /// Resolves when the transport has taken the last piece.
    pub(super) fn sent(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.all_sent = Some(sender);
        receiver
    }
}

impl hyper::body::Body for Said {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some((pause, _)) = self.pieces.front() else {
            if let Some(sender) = self.all_sent.take() {
                // Most attacks do not ask.
                sender.send(()).unwrap_or_default();
            }
            return if self.ends {
                Poll::Ready(None)
            } else {
                Poll::Pending
            };
        };
        if !pause.is_zero() {
            let pause = *pause;
            let sleep = self
                .pause
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            ready!(sleep.as_mut().poll(cx));
            self.pause = None;
        }
        let piece = self.pieces.pop_front().map(|(_, bytes)| bytes);
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A message as gRPC frames it.
pub(super) fn framed(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.encoded_len()).expect("short"));
    message.encode(&mut bytes).expect("there is room");
    bytes.freeze()
}

/// Sends a request; the answer once its headers are there.
pub(super) async fn call(
    channel: &Channel,
    path: &str,
    said: Said,
) -> Result<Response<Body>, Status> {
    let request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(said))
        .expect("a request");
    let mut channel = channel.clone();
    let ready = channel.ready().await.map_err(broken)?;
    let response = ready.call(request).await.map_err(broken)?;
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => Err(status),
        _ => Ok(response),
    }
}

fn broken(error: tonic::transport::Error) -> Status {
    Status::from_error(Box::new(error))
}

/// Reads an answer to its end, and says how it ended.
pub(super) async fn outcome(answer: Result<Response<Body>, Status>) -> String {
    let status = match answer {
        Ok(response) => trailers(response).await,
        Err(status) => status,
    };
    match status.get_details_error_info() {
        _ if status.code() == Code::Ok => "answered".to_owned(),
        Some(info) => info.reason,
        None => format!("{:?}", status.code()),
    }
}

async fn trailers(response: Response<Body>) -> Status {
    let mut body = std::pin::pin!(response.into_body());
    loop {
        match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            Some(Ok(frame)) => {
                let status = frame.trailers_ref().and_then(Status::from_header_map);
                if let Some(status) = status {
                    return status;
                }
            }
            Some(Err(status)) => return status,
            None => return Status::unknown("cut"),
        }
    }
}
