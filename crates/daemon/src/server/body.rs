//! The body of an answer: ends the call's record and gives its slot back when the last frame has gone.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::{Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

use super::Call;

/// A body with what must live as long as it.
pub(super) struct CallBody {
    inner: Body,
    call: Option<Arc<Call>>,
    /// A slot of the daemon's concurrent calls. (A tower limit would end with the headers.)
    _permit: Option<OwnedSemaphorePermit>,
    /// Ends a stream that would otherwise never end, when the daemon drains.
    drain: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl CallBody {
    pub(super) fn new(
        inner: Body,
        call: Arc<Call>,
        permit: Option<OwnedSemaphorePermit>,
        drain: Option<CancellationToken>,
    ) -> Self {
        let drain = drain.map(|token| Box::pin(token.cancelled_owned()));
        Self { inner, call: Some(call), _permit: permit, drain }
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

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        if polled.is_pending()
            && let Some(drain) = &mut this.drain
        {
            ready!(drain.as_mut().poll(cx));
            return Poll::Ready(Some(Ok(this.stop())));
        }
        let frame = ready!(polled);
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
