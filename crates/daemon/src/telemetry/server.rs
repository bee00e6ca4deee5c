//! The Prometheus listener: plain HTTP/1.1, `GET /metrics`, answers nothing else.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Scrapers at the same time, at most.
const MAX_CONNECTIONS: usize = 16;
/// A scrape that takes longer is cut off.
const LONGEST_CONNECTION: Duration = Duration::from_secs(30);

/// Makes the text of all metrics as they are now.
pub(crate) type Render = Arc<dyn Fn() -> String + Send + Sync>;

/// A bound listener.
pub(crate) struct MetricsServer {
    listener: TcpListener,
    render: Render,
}

impl MetricsServer {
    pub(crate) fn new(listener: TcpListener, render: Render) -> Self {
        Self { listener, render }
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(self) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(slot) = slots.clone().acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let render = self.render.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(request, render.clone()));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // A broken scrape is the scraper's business.
                drop(tokio::time::timeout(LONGEST_CONNECTION, connection).await);
                drop(slot);
            });
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    render: Render,
) -> Result<Response<OneFrame>, Infallible> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, render()),
        _ => (StatusCode::NOT_FOUND, String::from("GET /metrics\n")),
    };
    let mut response = Response::new(OneFrame(Some(text.into())));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// A body of one frame.
struct OneFrame(Option<Bytes>);

impl Body for OneFrame {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }
}
