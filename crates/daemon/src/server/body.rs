//! The bodies of a request and of its answer. The answer's ends the call's record when the last frame has gone, tells the
//! call's jobs when no one waits for them any more, and cuts the connection of a caller that reads too slowly; the
//! request's ends a request that comes too slowly, or would be decoded into too much.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::task::JoinHandle;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

use super::call::{Awaited, Call};
use super::pace::{Pace, Rate};
use super::scan::Scan;

/// Most bytes that the transport gets at once. It asks for the next ones as soon as the caller has room for one byte of
/// these, and keeps what does not fit: in whole messages that would be megabytes that nothing counts.
const PIECE: usize = 16 << 10;

/// A body with what must live as long as it.
pub(super) struct CallBody {
    inner: Body,
    /// What the transport has not yet asked for of the last data.
    rest: Bytes,
    call: Option<Arc<Call>>,
    _awaited: Awaited,
    unread: Arc<Unread>,
    watch: JoinHandle<()>,
    /// Ends a stream that would otherwise never end, when the daemon drains.
    drain: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// What is done when the transport has the whole answer.
    _then: Option<DropGuard>,
}

impl CallBody {
    pub(super) fn new(
        inner: Body,
        call: Arc<Call>,
        awaited: Awaited,
        slowest: Rate,
        drain: Option<CancellationToken>,
    ) -> Self {
        let drain = drain.map(|token| Box::pin(token.cancelled_owned()));
        let unread = Arc::new(Unread::new(slowest));
        unread.answered(0);
        let call_of_watch = Arc::downgrade(&call);
        let watch = tokio::spawn(cut_when_stalled(unread.clone(), call_of_watch));
        Self {
            inner,
            rest: Bytes::new(),
            call: Some(call),
            _awaited: awaited,
            unread,
            watch,
            drain,
            _then: None,
        }
    }

    /// What is done when the transport has the whole answer.
    pub(super) fn and(mut self, then: Option<DropGuard>) -> Self {
        self._then = then;
        self
    }

    fn see(&mut self, trailers: &HeaderMap<HeaderValue>) {
        if let (Some(call), Some(status)) = (self.call.take(), Status::from_header_map(trailers)) {
            call.end(status.code());
        }
    }

    /// The next piece of what is left. A copy, for a part keeps the memory of the whole.
    fn piece(&mut self) -> Frame<Bytes> {
        let length = self.rest.len().min(PIECE);
        let piece = Bytes::copy_from_slice(&self.rest.split_to(length));
        self.unread.answered(length);
        Frame::data(piece)
    }

    /// Trailers that say that the daemon stops.
    fn stop(&mut self) -> Frame<Bytes> {
        self.drain = None;
        self.inner = Body::empty();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from(Code::Unavailable as i32));
        self.see(&trailers);
        Frame::trailers(trailers)
    }
}

impl hyper::body::Body for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        this.unread.asked();
        if !this.rest.is_empty() {
            return Poll::Ready(Some(Ok(this.piece())));
        }
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        if polled.is_pending()
            && let Some(drain) = &mut this.drain
        {
            ready!(drain.as_mut().poll(cx));
            this.unread.answered(0);
            return Poll::Ready(Some(Ok(this.stop())));
        }
        let frame = match ready!(polled) {
            Some(Ok(frame)) => frame,
            end => {
                this.unread.answered(0);
                return Poll::Ready(end);
            }
        };
        let frame = match frame.into_data() {
            Ok(data) => {
                this.rest = data;
                return Poll::Ready(Some(Ok(this.piece())));
            }
            Err(frame) => frame,
        };
        this.unread.answered(0);
        if let Some(trailers) = frame.trailers_ref() {
            this.see(trailers);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.size_hint();
        let rest = self.rest.len() as u64;
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint.set_lower(inner.lower().saturating_add(rest));
        hint
    }
}

impl Drop for CallBody {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// How slowly an answer is read: it waits for the transport to ask for more of it, which the transport does when there is
/// room in the windows of the caller.
struct Unread(Mutex<Reading>);

struct Reading {
    pace: Pace,
    /// Bytes that the transport got last, and has when it asks for more.
    given: usize,
}

impl Unread {
    fn new(slowest: Rate) -> Self {
        Self(Mutex::new(Reading {
            pace: Pace::new(slowest),
            given: 0,
        }))
    }

    fn asked(&self) {
        let mut reading = self.lock();
        reading.pace.stop(Instant::now());
        let given = std::mem::take(&mut reading.given);
        reading.pace.moved(given);
    }

    fn answered(&self, bytes: usize) {
        let mut reading = self.lock();
        reading.given = bytes;
        reading.pace.wait(Instant::now());
    }

    /// How much longer the caller may read nothing.
    fn left(&self) -> Duration {
        self.lock().pace.left(Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cuts the connection of a caller that reads too slowly: what its answers hold would never come back. (The call alone
/// cannot be ended: the transport does not ask for its end either.)
async fn cut_when_stalled(unread: Arc<Unread>, call: Weak<Call>) {
    loop {
        let left = unread.left();
        if left.is_zero() {
            break;
        }
        // Not for less than a moment: what is left may be very little.
        tokio::time::sleep(left.max(Duration::from_millis(10))).await;
    }
    if let Some(call) = call.upgrade() {
        call.cut_connection();
    }
}

/// The body of a request, with a deadline for its end, a least rate for what has begun, and a limit for what it is decoded
/// into. Streams of batches have no deadline; their reader looks at the clock.
pub(super) struct RequestBody {
    inner: Incoming,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Of data services only: the requests of the others are small.
    scan: Option<Scan>,
    pace: Pace,
    /// Goes off when the caller has sent nothing of a message it has begun for too long.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new(
        inner: Incoming,
        longest: Option<Duration>,
        slowest: Rate,
        scan: Option<Scan>,
    ) -> Self {
        Self {
            inner,
            deadline: longest.map(|longest| Box::pin(tokio::time::sleep(longest))),
            scan,
            pace: Pace::new(slowest),
            stalled: None,
        }
    }

    /// Nothing comes: whether that has been so for too long, within a message.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.scan.as_ref().is_some_and(Scan::is_within_a_message) {
            return Poll::Pending;
        }
        let now = Instant::now();
        self.pace.wait(now);
        let left = self.pace.left(now);
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
        stalled.as_mut().poll(cx)
    }

    /// Bytes came.
    fn see(&mut self, bytes: &[u8]) -> Result<(), Status> {
        self.pace.stop(Instant::now());
        self.pace.moved(bytes.len());
        self.stalled = None;
        let fed = self.scan.as_mut().map_or(Ok(()), |scan| scan.feed(bytes));
        fed.map_err(|_| Status::resource_exhausted("the message would be decoded into too much"))
    }
}

fn too_late() -> Status {
    Status::deadline_exceeded("the request did not arrive in time")
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(too_late())));
        }
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            ready!(self.poll_stalled(cx));
            return Poll::Ready(Some(Err(too_late())));
        };
        let seen = match frame.as_ref().and_then(|frame| frame.as_ref().ok()) {
            Some(frame) => frame.data_ref().map_or(Ok(()), |bytes| self.see(bytes)),
            None => Ok(()),
        };
        if let Err(status) = seen {
            return Poll::Ready(Some(Err(status)));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(|e| Status::from_error(Box::new(e)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
