//! The listener: TCP, TLS with a deadline, HTTP/2 with limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::call::handle::{Connection, handle};
use super::handshake::handshake;
use super::routes::Routes;
use super::shares::{Share, Shares};
use crate::config::Limits;
use crate::tls::Peer;

/// After an accept error (such as too many open files), which would otherwise come again at once.
const PAUSE: Duration = Duration::from_millis(100);
/// Flow-control windows: what a caller may send before it is read.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 2 << 20;
/// Largest HTTP/2 frame we accept; larger frames, fewer system calls.
const FRAME: u32 = 64 << 10;
/// What h2 takes of an answer at most before it is written. What it has taken counts as read, so it must be little.
const SEND_BUFFER: usize = 128 << 10;
/// A peer that does not answer a ping within the timeout has gone.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection that is closed may take to do so.
const CLOSING: Duration = Duration::from_secs(3);
/// Streams that a peer opened and reset before we looked at them (CVE-2023-44487), and those that we reset
/// (CVE-2025-8671).
const MAX_RESETS: usize = 64;

/// Accepts until the daemon drains; then gives back the connections that are still open.
pub(super) async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    routes: Arc<Routes>,
) -> JoinSet<()> {
    let handshakes = Arc::new(Semaphore::new(
        shared.settings.limits.max_pending_handshakes,
    ));
    let mut connections = JoinSet::new();
    let addresses = Shares::new(
        shared.settings.limits.max_pending_handshakes,
        shared.settings.limits.max_handshakes_per_address,
        0,
    );
    loop {
        let next = tokio::select! {
            () = shared.drain.cancelled() => return connections,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            next = next(&listener, &handshakes) => next,
        };
        // Each gives way to what is ready, or a flood of connections would keep this thread for a hundred of them at a time.
        tokio::task::yield_now().await;
        match next {
            Ok((stream, place, slot)) => {
                let Some(of_address) = addresses.take(&place) else {
                    shared.metrics.handshake("too-many-of-address");
                    continue;
                };
                let slots = HandshakeSlots {
                    _slot: slot,
                    _of_address: of_address,
                };
                connections.spawn(serve(stream, slots, shared.clone(), routes.clone()));
            }
            Err(e) => {
                tracing::warn!(error = %e, "accept failed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The next connection, once there is a slot for its handshake.
async fn next(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, Place, OwnedSemaphorePermit)> {
    let slot = handshakes
        .clone()
        .acquire_owned()
        .await
        .expect("the slots are never closed");
    let (stream, address) = listener.accept().await?;
    Ok((stream, Place::of(address.ip()), slot))
}

/// What a connection holds until its handshake is over. The share of the address goes first: the next connection gets the
/// slot at once, and must not find its address still counted.
struct HandshakeSlots {
    _of_address: Share<Place>,
    _slot: OwnedSemaphorePermit,
}

/// Where a connection comes from: an IPv4 address, or a network of 64 bits, of which one machine easily has every address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place(IpAddr);

impl Place {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                Self(IpAddr::V6(network.into()))
            }
            address => Self(address),
        }
    }
}

/// One connection from its first byte to its last.
async fn serve(
    stream: TcpStream,
    handshake_slots: HandshakeSlots,
    shared: Arc<Shared>,
    routes: Arc<Routes>,
) {
    let Some(stream) = handshake(stream, &shared).await else {
        return;
    };
    drop(handshake_slots);
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let peer = Arc::new(Peer::from_chain(chain, &shared.settings.trust_domain));
    let holder = peer.caller().map(|caller| caller.identity.clone());
    let Some(_slot) = shared.connections.take(&holder) else {
        shared.metrics.handshake("too-many-connections");
        return;
    };
    shared.metrics.handshake("ok");
    let drain = shared.drain.clone();
    let http = http2_builder(&shared.settings.limits);
    let (cut, close) = (CancellationToken::new(), CancellationToken::new());
    let connection = Arc::new(Connection {
        shared,
        routes,
        peer,
        cut: cut.clone(),
        close: close.clone(),
    });
    let service = service_fn(move |request| handle(connection.clone(), request));
    let mut served = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let serving = async {
        tokio::select! {
            ended = served.as_mut() => ended,
            () = drain.cancelled() => {
                served.as_mut().graceful_shutdown();
                served.await
            }
            () = close.cancelled() => {
                served.as_mut().graceful_shutdown();
                // Whoever has nothing to say need not be waited for.
                tokio::time::timeout(CLOSING, served).await.unwrap_or(Ok(()))
            }
        }
    };
    let ended = tokio::select! {
        ended = serving => ended,
        () = cut.cancelled() => return,
    };
    if let Err(e) = ended {
        tracing::debug!(error = %e, "connection broke");
    }
}

fn http2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams_per_connection)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_header_list_size(limits.max_header_bytes)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT);
    http
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_of_ipv6_count_as_one_and_those_of_ipv4_do_not() {
        let place = |text: &str| Place::of(text.parse().expect("an address"));
        assert_eq!(place("2001:db8:1:2:3:4:5:6"), place("2001:db8:1:2::1"));
        assert_ne!(place("2001:db8:1:3::1"), place("2001:db8:1:2::1"));
        assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
        assert_eq!(place("::ffff:192.0.2.1"), place("192.0.2.1"));
    }
}
