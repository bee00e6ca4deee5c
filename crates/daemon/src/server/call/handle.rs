//! How an RPC is admitted, passed on and answered.

use std::convert::Infallible;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use rustls::crypto::aws_lc_rs;
use sluis_domain::Reason;
use sluis_engine::Caller;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};

use super::{Awaited, Call};
use crate::server::Shared;
use crate::server::body::{CallBody, RequestBody};
use crate::server::pace::Rate;
use crate::server::routes::Routes;
use crate::server::rpc::{self, Class};
use crate::server::scan::Scan;
use crate::status::Denial;
use crate::tls::Peer;

const REQUEST_ID: &str = "x-request-id";
/// Longest request id that is taken over from a caller.
const MAX_REQUEST_ID: usize = 64;
/// When a caller may come again that found no slot.
const SLOTS_AGAIN: Duration = Duration::from_secs(1);
/// How long a caller waits to be told that it asks too much. To refuse is work as well, and a flood of calls would keep the
/// daemon busy with that alone. A call that has a slot keeps it for as long: that slows down who floods, and no one else.
const REFUSED_AFTER: Duration = Duration::from_millis(250);

/// What a connection knows.
pub(in crate::server) struct Connection {
    pub(in crate::server) shared: Arc<Shared>,
    pub(in crate::server) routes: Arc<Routes>,
    pub(in crate::server) peer: Arc<Peer>,
    /// Cancelled to close the connection at once.
    pub(in crate::server) cut: CancellationToken,
    /// Cancelled to close the connection when its calls have been answered.
    pub(in crate::server) close: CancellationToken,
}

/// Answers one RPC.
pub(in crate::server) async fn handle(
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
    let id = request.headers().get(REQUEST_ID);
    match id.and_then(|id| id.to_str().ok()) {
        Some(id) if is_plain(id) => id.to_owned(),
        _ => random_id(),
    }
}

fn is_plain(id: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
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
