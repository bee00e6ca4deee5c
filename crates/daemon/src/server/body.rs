//! The bodies of a request and of its answer. The answer's ends the call's record and gives its slots back when the last
//! frame has gone, and cuts the connection of a caller that does not read; the request's ends a request that does not
//! come.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::task::JoinHandle;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

use super::Call;
use super::slots::Slot;

/// A body with what must live as long as it.
pub(super) struct CallBody {
    inner: Body,
    call: Option<Arc<Call>>,
    /// A slot of the daemon's concurrent calls. (A tower limit would end with the headers.)
    _slot: Option<Slot>,
    unread: Arc<Unread>,
    watch: JoinHandle<()>,
    /// Ends a stream that would otherwise never end, when the daemon drains.
    drain: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl CallBody {
    pub(super) fn new(
        inner: Body,
        call: Arc<Call>,
        slot: Option<Slot>,
        longest_unread: Duration,
        drain: Option<CancellationToken>,
    ) -> Self {
        let drain = drain.map(|token| Box::pin(token.cancelled_owned()));
        let unread = Arc::new(Unread::default());
        unread.answered();
        let watch = tokio::spawn(cut_when_stalled(
            longest_unread,
            unread.clone(),
            call.clone(),
        ));
        Self {
            inner,
            call: Some(call),
            _slot: slot,
            unread,
            watch,
            drain,
        }
    }

    fn see(&mut self, trailers: &HeaderMap<HeaderValue>) {
        if let (Some(call), Some(status)) = (self.call.take(), Status::from_header_map(trailers)) {
            call.end(status.code());
        }
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
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        if polled.is_pending()
            && let Some(drain) = &mut this.drain
        {
            ready!(drain.as_mut().poll(cx));
            this.unread.answered();
            return Poll::Ready(Some(Ok(this.stop())));
        }
        let frame = ready!(polled);
        this.unread.answered();
        if let Some(Ok(frame)) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            this.see(trailers);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for CallBody {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// Since when an answer has waited for the transport to ask for more of it, which it does when there is room in the
/// windows of the caller.
#[derive(Default)]
struct Unread(Mutex<Option<Instant>>);

impl Unread {
    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn asked(&self) {
        self.set(None);
    }

    fn answered(&self) {
        self.set(Some(Instant::now()));
    }

    fn is_longer_than(&self, longest: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() > longest)
    }
}

/// Cuts the connection of a caller that does not read: what its answers hold would never come back. (The call alone
/// cannot be ended: the transport does not ask for its end either.)
async fn cut_when_stalled(longest: Duration, unread: Arc<Unread>, call: Arc<Call>) {
    while !unread.is_longer_than(longest) {
        tokio::time::sleep(longest / 4).await;
    }
    call.cut_connection();
}

/// The body of a request, with a deadline for its end. Streams of batches have none; their reader looks at the clock.
pub(super) struct RequestBody {
    inner: Incoming,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(super) fn new(inner: Incoming, longest: Option<Duration>) -> Self {
        Self {
            inner,
            deadline: longest.map(|longest| Box::pin(tokio::time::sleep(longest))),
        }
    }
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
            return Poll::Ready(Some(Err(Status::deadline_exceeded(
                "the request did not arrive in time",
            ))));
        }
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(|e| Status::from_error(Box::new(e)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
