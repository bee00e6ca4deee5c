//! One RPC from its first header to its last frame: who calls, under which request id, and how it ended. Every RPC
//! goes through [`handle`]; nothing here is repeated in a handler.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use rustls::crypto::aws_lc_rs;
use sluis_domain::{BatchOutcome, Identity, Reason};
use sluis_engine::Caller;
use sluis_ledger::audit::Act;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};

use super::Shared;
use super::body::{CallBody, RequestBody};
use super::pace::Rate;
use super::pool::Bytes;
use super::routes::Routes;
use super::rpc::{self, Class, Rpc};
use super::scan::Scan;
use super::shares::Share;
use crate::status::{Denial, code_name};
use crate::telemetry::Operation;
use crate::tls::Peer;

const REQUEST_ID: &str = "x-request-id";
/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID: usize = 64;
/// When a caller may come again that found no slot.
const SLOTS_AGAIN: Duration = Duration::from_secs(1);
/// How long a caller waits to be told that it asks too much. To refuse is work as well, and a flood of calls would keep the
/// daemon busy with that alone. A call that has a slot keeps it for as long: that slows down who floods, and nobody else.
const REFUSED_AFTER: Duration = Duration::from_millis(250);

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

/// One RPC. Everything that works for it holds it, and with it the slot that bounds how many there are: the slot is free when
/// the last work is over, not when the caller goes away.
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
    slot: OnceLock<Share<Identity>>,
    held: OnceLock<Arc<Bytes>>,
    /// Cancelled when nobody waits for the answer any more.
    gone: CancellationToken,
}

impl Call {
    /// Who calls.
    pub(crate) fn caller(&self) -> Result<&Caller, Denial> {
        self.peer.caller().ok_or(Denial::from(Reason::NoIdentity))
    }

    /// Whether the caller's certificate is still good; asked at every call and before every batch.
    pub(crate) fn check_certificate(&self) -> Result<(), Denial> {
        Ok(self.shared.tls.check(&self.peer)?)
    }

    /// Records how the call ends, and makes the answer. What the daemon itself refuses a caller is put into the audit
    /// log first; the engine has done so with its own refusals.
    pub(crate) async fn deny(&self, mut denial: Denial) -> Status {
        let act = denial.act.or(self.rpc.act());
        if let (false, Some(caller), Some(act)) = (denial.recorded, self.peer.caller(), act) {
            denial.reason = self.record(caller, act, denial.reason).await;
        }
        if matches!(
            denial.reason,
            Reason::ReadOnly
                | Reason::DiskFull
                | Reason::StoreStalled
                | Reason::OutcomeUnknown
                | Reason::CorruptStore
        ) {
            self.shared.health_changed.notify_one();
        }
        if denial.reason == Reason::BatchTooLarge {
            // It was read and walked before it was refused.
            self.note_used_up();
        }
        let status = denial.status();
        // The first denial of a call is the one that is answered.
        self.denied.get_or_init(|| denial);
        status
    }

    /// Puts a refusal on record if there is room for it; the reason to answer with.
    async fn record(&self, caller: &Caller, act: Act, reason: Reason) -> Reason {
        // Most refusals of a caller that is refused again and again need no thread.
        if !self.shared.keeper.admits_refusal(caller, reason) {
            return reason;
        }
        let (shared, caller) = (self.shared.clone(), caller.clone());
        let recorded =
            tokio::task::spawn_blocking(move || shared.keeper.refuse(&caller, act, reason));
        recorded.await.unwrap_or(Reason::Internal)
    }

    /// Waits until the caller may do one more act that goes on record, if that is soon.
    ///
    /// # Errors
    /// [`Reason::RateLimited`].
    pub(crate) async fn take_act(&self, patience: Duration) -> Result<(), Denial> {
        let who = &self.caller()?.identity;
        let wait = self.shared.acts.book(who, Instant::now(), patience);
        match wait {
            Ok(Duration::ZERO) => Ok(()),
            Ok(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Err(wait) => Err(Denial::from(Reason::RateLimited).again_in(wait)),
        }
    }

    /// Whether the caller may try once more what was refused because it was used up or too large.
    ///
    /// # Errors
    /// [`Reason::RateLimited`].
    fn check_used_up(&self) -> Result<(), Denial> {
        let who = &self.caller()?.identity;
        let look = self.shared.used_up.look(who, Instant::now());
        look.map_err(|wait| Denial::from(Reason::RateLimited).again_in(wait))
    }

    /// Counts that the caller was refused something because it was used up or too large.
    pub(crate) fn note_used_up(&self) {
        if let Ok(caller) = self.caller() {
            // What is beyond the rate was refused before it was tried, unless it was tried at the same moment.
            let taken = self.shared.used_up.take(&caller.identity, Instant::now());
            taken.unwrap_or_default();
        }
    }

    /// Whether nobody waits for the answer any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.is_cancelled()
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
            "answers are read too slowly, connection cut"
        );
        self.cut.cancel();
    }

    /// Keeps bytes of the budget until the answer has gone.
    pub(crate) fn hold(&self, bytes: Arc<Bytes>) {
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

/// Somebody waits for the answer of a call. Dropped with the answer's last frame, or when the caller goes away; jobs of the
/// call that have not begun never begin then.
pub(super) struct Awaited(Arc<Call>);

impl Drop for Awaited {
    fn drop(&mut self) {
        let call = &self.0;
        call.gone.cancel();
        if call.ended.get().is_none() {
            call.shared.metrics.call_abandoned();
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
        slot: OnceLock::new(),
        held: OnceLock::new(),
        gone: CancellationToken::new(),
    });
    // Dropped with this future too, which is how a caller that goes away shows.
    let awaited = Awaited(call.clone());
    let mut response = match admit(&call, deadline(&request)).await {
        Ok(()) => {
            let mut request = request.map(|body| request_body(body, &call));
            request.extensions_mut().insert(call.clone());
            let response = connection.routes.call(call.rpc, request).await;
            sluis_error(response, &call).await
        }
        Err(denial) => {
            if matches!(denial.reason, Reason::RateLimited | Reason::TooManyRequests) {
                tokio::time::sleep(REFUSED_AFTER).await;
            }
            call.deny(denial).await.into_http()
        }
    };
    if let Ok(id) = HeaderValue::from_str(&call.request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(status) = Status::from_header_map(response.headers()) {
        call.end(status.code());
    }
    // Not before the answer is on its way: a caller that is told of the end first may take that for the answer.
    let is_last = call.peer.caller().is_none();
    let then = is_last.then(|| connection.close.clone().drop_guard());
    let drain = (call.rpc.class == Class::Infrastructure).then(|| shared.drain.clone());
    let limits = &shared.settings.limits;
    let slowest = Rate {
        least: limits.least_bytes_per_second,
        grace: limits.unread,
    };
    Ok(response.map(|body| CallBody::new(body, call, awaited, slowest, drain).and(then)))
}

fn request_body(body: Incoming, call: &Call) -> RequestBody {
    let limits = &call.shared.settings.limits;
    let longest = match (call.rpc.class, call.rpc.streams()) {
        (Class::Data, true) => None,
        (_, true) => Some(limits.idle),
        (_, false) => Some(limits.request),
    };
    let slowest = Rate {
        least: limits.least_bytes_per_second,
        grace: limits.request,
    };
    let scan = (call.rpc.class == Class::Data).then(|| Scan::new(limits.decoded_bytes()));
    RequestBody::new(body, longest, slowest, scan)
}

/// What every RPC needs before anything of it is read. A slot comes first: whatever a call makes the daemon do is bounded by
/// the number of slots.
async fn admit(call: &Call, deadline: Option<Duration>) -> Result<(), Denial> {
    let caller = call.caller()?;
    call.check_certificate()?;
    let shared = &call.shared;
    if shared.drain.is_cancelled() && call.rpc.class != Class::Infrastructure {
        return Err(Reason::Draining.into());
    }
    take_slot(call, caller, deadline).await?;
    if call.rpc.class == Class::Data {
        // After the slot, so that no more calls than have one try at the same moment.
        call.check_used_up()?;
    }
    if call.rpc.act().is_some() {
        call.take_act(patience(shared, deadline)).await?;
        shared.keeper.admit(caller, call.rpc.is_about_the_seal())?;
    }
    Ok(())
}

/// Waits for a slot of the call's class, for a bounded time.
async fn take_slot(call: &Call, caller: &Caller, deadline: Option<Duration>) -> Result<(), Denial> {
    let shared = &call.shared;
    let slots = match call.rpc.class {
        Class::Data => &shared.data_calls,
        Class::Other => &shared.other_calls,
        Class::Infrastructure => &shared.infrastructure_calls,
    };
    let waited = tokio::select! {
        biased;
        waited = tokio::time::timeout(
            patience(shared, deadline),
            slots.wait(&caller.identity, 1),
        ) => waited.ok().flatten(),
        () = shared.drain.cancelled() => return Err(Reason::Draining.into()),
    };
    let Some(slot) = waited else {
        return Err(Denial::from(Reason::TooManyRequests).again_in(SLOTS_AGAIN));
    };
    // Asked for once.
    call.slot.get_or_init(|| slot);
    Ok(())
}

/// How long a call may wait for others of its caller.
fn patience(shared: &Shared, deadline: Option<Duration>) -> Duration {
    let most = shared.settings.limits.call_wait;
    deadline.map_or(most, |deadline| deadline.min(most))
}

/// The time that the caller gives the call (`grpc-timeout`: at most 8 digits and a unit).
fn deadline<B>(request: &Request<B>) -> Option<Duration> {
    let text = request.headers().get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Duration::from_secs(3_600).checked_mul(number),
        "M" => Duration::from_secs(60).checked_mul(number),
        "S" => Some(Duration::from_secs(number.into())),
        "m" => Some(Duration::from_millis(number.into())),
        "u" => Some(Duration::from_micros(number.into())),
        "n" => Some(Duration::from_nanos(number.into())),
        _ => None,
    }
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

    #[test]
    fn the_time_that_a_caller_gives_a_call_is_read() {
        let with = |text: &str| {
            let request = Request::builder().header("grpc-timeout", text).body(());
            deadline(&request.expect("valid"))
        };
        assert_eq!(with("5S"), Some(Duration::from_secs(5)));
        assert_eq!(with("250m"), Some(Duration::from_millis(250)));
        assert_eq!(
            with("99999999H"),
            Some(Duration::from_secs(359_999_996_400))
        );
        for no_time in ["", "S", "5", "-1S", "5s", "123456789S", "1 S"] {
            assert_eq!(with(no_time), None, "{no_time}");
        }
        assert_eq!(deadline(&Request::new(())), None);
    }
}
