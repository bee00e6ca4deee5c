//! One RPC from its first header to its last frame: who calls, under which request id, and how it ended. Every RPC
//! goes through [`handle`]; nothing here is repeated in a handler.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use rustls::crypto::aws_lc_rs;
use sluis_domain::{BatchOutcome, Reason};
use sluis_engine::Caller;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};

use super::Shared;
use super::body::{CallBody, RequestBody};
use super::pool::Reserved;
use super::routes::Routes;
use super::rpc::{self, Class, Rpc};
use super::slots::Slot;
use crate::status::{Denial, code_name};
use crate::telemetry::Operation;
use crate::tls::Peer;

const REQUEST_ID: &str = "x-request-id";
/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID: usize = 64;

/// What a connection knows.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) routes: Arc<Routes>,
    pub(super) peer: Arc<Peer>,
    /// Cancelled to close the connection at once.
    pub(super) cut: CancellationToken,
    /// Cancelled to close the connection when its calls have been answered.
    pub(super) close: CancellationToken,
}

/// One RPC.
pub(crate) struct Call {
    shared: Arc<Shared>,
    rpc: &'static Rpc,
    peer: Arc<Peer>,
    cut: CancellationToken,
    request_id: String,
    started: Instant,
    denied: OnceLock<Denial>,
    ended: OnceLock<Code>,
    batches: AtomicU64,
    values: AtomicU64,
    rejected: AtomicU64,
    held: OnceLock<Reserved>,
}

impl Call {
    /// Who calls.
    pub(crate) fn caller(&self) -> Result<&Caller, Denial> {
        self.peer.caller().ok_or(Denial::from(Reason::NoIdentity))
    }

    /// Whether the caller's certificate is still good; asked before every batch.
    pub(crate) fn check_certificate(&self) -> Result<(), Denial> {
        if self.shared.tls.is_revoked(&self.peer) {
            Err(Reason::CertificateRevoked.into())
        } else {
            Ok(())
        }
    }

    /// Records how the call ends, and makes the answer. What the daemon itself refuses a caller is put into the audit
    /// log first; the engine has done so with its own refusals.
    pub(crate) async fn deny(&self, mut denial: Denial) -> Status {
        if let (false, Some(caller), Some(act)) =
            (denial.recorded, self.peer.caller(), self.rpc.act())
        {
            let (shared, caller, reason) = (self.shared.clone(), caller.clone(), denial.reason);
            let recorded =
                tokio::task::spawn_blocking(move || shared.keeper.refuse(&caller, act, reason))
                    .await;
            denial.reason = recorded.unwrap_or(Reason::Internal);
        }
        if denial.reason == Reason::ReadOnly {
            self.shared.health_changed.notify_one();
        }
        let status = denial.status();
        // The first denial of a call is the one that is answered.
        self.denied.get_or_init(|| denial);
        status
    }

    /// Counts an answered batch.
    pub(crate) fn count(&self, operation: Operation, values: u64, outcome: &BatchOutcome) {
        self.batches.fetch_add(1, Relaxed);
        self.values.fetch_add(values, Relaxed);
        self.rejected
            .fetch_add(outcome.rejections.len() as u64, Relaxed);
        self.shared
            .metrics
            .batch(operation, values, &outcome.rejections);
    }

    /// Closes the caller's connection at once.
    pub(crate) fn cut_connection(&self) {
        tracing::warn!(
            request_id = self.request_id,
            rpc = self.rpc.path,
            "answers are not read, connection cut"
        );
        self.cut.cancel();
    }

    /// Keeps bytes of the budget until the answer has gone.
    pub(crate) fn hold(&self, bytes: Reserved) {
        // A unary call reserves once.
        self.held.get_or_init(|| bytes);
    }

    /// Records the status that the transport sends.
    pub(super) fn end(&self, code: Code) {
        // Only the first is sent.
        self.ended.get_or_init(|| code);
    }

    /// The code of metric and log: reason of a denial, else the name of the gRPC code; nothing sent is a caller that
    /// went away.
    fn code(&self) -> &'static str {
        match (self.denied.get(), self.ended.get()) {
            (Some(denial), _) => denial.reason.code(),
            (None, Some(code)) => code_name(*code),
            (None, None) => code_name(Code::Cancelled),
        }
    }

    fn log(&self) {
        let (organisation, member) = match self.peer.caller() {
            Some(caller) => (
                caller.identity.organisation.as_str(),
                caller.identity.member.as_str(),
            ),
            None => ("", ""),
        };
        let detail = self
            .denied
            .get()
            .map_or("", |denial| denial.detail.as_str());
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.request_id,
                    rpc = self.rpc.path,
                    organisation,
                    member,
                    code = self.code(),
                    detail,
                    batches = self.batches.load(Relaxed),
                    values = self.values.load(Relaxed),
                    rejected = self.rejected.load(Relaxed),
                    duration_ms = self.started.elapsed().as_millis() as u64,
                    "call"
                )
            };
        }
        match (
            self.denied.get().map(|denial| denial.status().code()),
            self.rpc.class,
        ) {
            (Some(Code::Internal), _) => line!(error),
            (None, Class::Infrastructure) => line!(debug),
            _ => line!(info),
        }
    }
}

/// The last of a call.
impl Drop for Call {
    fn drop(&mut self) {
        self.shared
            .metrics
            .call(self.rpc.path, self.code(), self.started.elapsed());
        self.log();
    }
}

/// Answers one RPC.
pub(super) async fn handle(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<CallBody>, Infallible> {
    let shared = &connection.shared;
    let call = Arc::new(Call {
        shared: shared.clone(),
        rpc: rpc::find(request.uri().path()).unwrap_or(&rpc::UNKNOWN),
        peer: connection.peer.clone(),
        cut: connection.cut.clone(),
        request_id: request_id(&request),
        started: Instant::now(),
        denied: OnceLock::new(),
        ended: OnceLock::new(),
        batches: AtomicU64::new(0),
        values: AtomicU64::new(0),
        rejected: AtomicU64::new(0),
        held: OnceLock::new(),
    });
    let (mut response, slot) = match admit(&call).await {
        Ok(slot) => {
            let limits = &shared.settings.limits;
            let longest = match (call.rpc.class, call.rpc.streams()) {
                (Class::Data, true) => None,
                (_, true) => Some(limits.idle),
                (_, false) => Some(limits.request),
            };
            let mut request = request.map(|body| RequestBody::new(body, longest));
            request.extensions_mut().insert(call.clone());
            let response = connection.routes.call(call.rpc, request).await;
            (sluis_error(response, &call).await, Some(slot))
        }
        Err(denial) => (call.deny(denial).await.into_http(), None),
    };
    if let Ok(id) = HeaderValue::from_str(&call.request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(status) = Status::from_header_map(response.headers()) {
        call.end(status.code());
    }
    if call.peer.caller().is_none() {
        connection.close.cancel();
    }
    let drain = (call.rpc.class == Class::Infrastructure).then(|| shared.drain.clone());
    let longest_unread = shared.settings.limits.unread;
    Ok(response.map(|body| CallBody::new(body, call, slot, longest_unread, drain)))
}

/// What every RPC needs before anything of it is read.
async fn admit(call: &Call) -> Result<Slot, Denial> {
    let caller = call.caller()?;
    call.check_certificate()?;
    let shared = &call.shared;
    if shared.drain.is_cancelled() && call.rpc.class != Class::Infrastructure {
        return Err(Reason::Draining.into());
    }
    if call.rpc.act().is_some() {
        known(shared, caller, call.rpc.is_about_the_seal()).await?;
    }
    let slots = match call.rpc.class {
        Class::Data => &shared.data_calls,
        Class::Other => &shared.other_calls,
        Class::Infrastructure => &shared.infrastructure_calls,
    };
    slots
        .take(Some(&caller.identity))
        .ok_or_else(|| Reason::TooManyRequests.into())
}

/// Whether the caller is a member and not blocked, and the keyring open; a refusal is put on record, which may take a
/// while.
async fn known(shared: &Arc<Shared>, caller: &Caller, about_the_seal: bool) -> Result<(), Denial> {
    let (shared, caller) = (shared.clone(), caller.clone());
    let known =
        tokio::task::spawn_blocking(move || shared.keeper.admit(&caller, about_the_seal)).await;
    known.map_err(|_| Denial::internal("a job panicked"))?
}

/// tonic answers what it cannot read by itself, with a text and without a reason. Those answers get ours.
async fn sluis_error(response: Response<Body>, call: &Call) -> Response<Body> {
    let status =
        Status::from_header_map(response.headers()).filter(|_| call.denied.get().is_none());
    match status.as_ref().map(Status::code).and_then(transport_reason) {
        Some(reason) if call.rpc.class != Class::Infrastructure => {
            call.deny(reason.into()).await.into_http()
        }
        _ => response,
    }
}

/// The reason for a status that tonic made while reading a request.
pub(crate) fn transport_reason(code: Code) -> Option<Reason> {
    match code {
        Code::OutOfRange | Code::ResourceExhausted => Some(Reason::BatchTooLarge),
        Code::Internal | Code::InvalidArgument => Some(Reason::InvalidRequest),
        Code::DeadlineExceeded => Some(Reason::RequestTimeout),
        _ => None,
    }
}

/// The caller's request id if it is short and plain, else a random one.
fn request_id<B>(request: &Request<B>) -> String {
    let plain = |id: &&str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(allowed)
    };
    match request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(plain)
    {
        Some(id) => id.to_owned(),
        None => random_id(),
    }
}

fn random_id() -> String {
    let mut bytes = [0; 8];
    // An id that is not random is still an id.
    drop(aws_lc_rs::default_provider().secure_random.fill(&mut bytes));
    format!("{:016x}", u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_and_plain_request_ids_are_taken_over() {
        let with = |id: &str| {
            request_id(
                &Request::builder()
                    .header(REQUEST_ID, id)
                    .body(())
                    .expect("valid"),
            )
        };
        assert_eq!(with("abc-1.2_X"), "abc-1.2_X");
        for bad in ["", "a b", "a\"b", "a/b", &"x".repeat(65)] {
            let id = with(bad);
            assert!(id != bad && id.len() == 16, "{bad}");
        }
        assert_ne!(with(""), with(""));
    }
}
