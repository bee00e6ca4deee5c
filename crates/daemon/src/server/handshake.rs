//! TLS handshakes: how long they may take, how a refusal reaches the peer, and what the log says of those that fail.

mod failures;

use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Shared;
pub(super) use failures::FailureLog;

/// How long a peer that was refused may take to read why.
const LINGER: Duration = Duration::from_secs(1);
/// Most bytes that are read from it in the meantime.
const LINGER_BYTES: u64 = 64 << 10;

/// The encrypted stream, or `None` for a peer that does not come in; log and metrics know why.
pub(super) async fn handshake(stream: TcpStream, shared: &Shared) -> Option<TlsStream<TcpStream>> {
    // Answers are small or complete; waiting to fill a packet only delays them.
    if stream.set_nodelay(true).is_err() {
        return None;
    }
    let peer = stream.peer_addr().ok()?.ip();
    let accepting = TlsAcceptor::from(shared.tls.config())
        .accept(stream)
        .into_fallible();
    let outcome = tokio::select! {
        () = shared.drain.cancelled() => return None,
        outcome = tokio::time::timeout(shared.settings.limits.handshake_timeout, accepting) => outcome,
    };
    match outcome {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err((error, stream))) => {
            shared.metrics.handshake("failed");
            shared.failures.log(peer, reason(&error));
            let _ = tokio::time::timeout(LINGER, linger(stream)).await;
            None
        }
        Err(_) => {
            shared.metrics.handshake("timeout");
            shared.failures.log(peer, "it took too long");
            None
        }
    }
}

/// Lets the peer read the alert. Closing a socket with unread bytes in it resets the connection, and the reset may
/// overtake the alert.
async fn linger(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(LINGER_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}

/// Why a handshake failed, in fixed words: nothing of what the peer sent is in them.
fn reason(error: &io::Error) -> &'static str {
    let seen = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match seen {
        Some(Error::InvalidCertificate(seen)) => certificate_reason(seen),
        Some(Error::NoCertificatesPresented) => "no client certificate",
        Some(Error::AlertReceived(alert)) => alert_reason(*alert),
        Some(Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => "the peer does not speak TLS (plain HTTP?)",
        Some(Error::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic,
        )) => "the peer does not speak TLS 1.3",
        Some(Error::NoApplicationProtocol) => "the peer does not speak HTTP/2",
        Some(_) => "the peer broke the protocol of TLS, or shares no algorithm",
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the peer went away",
        None => "the connection broke",
    }
}

fn certificate_reason(seen: &CertificateError) -> &'static str {
    match seen {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the client certificate, or one of its authorities, has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the client certificate, or one of its authorities, is not valid yet"
        }
        CertificateError::Revoked => "the client certificate is revoked",
        CertificateError::UnknownIssuer => {
            "the client certificate is of no authority in tls.client_ca"
        }
        CertificateError::BadSignature => {
            "the client certificate is signed by another key than that of the authority of this name in tls.client_ca"
        }
        CertificateError::ApplicationVerificationFailure => {
            "the revocation list of the client's authority has expired or is missing in tls.crl"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not one of a client"
        }
        _ => "the client certificate cannot be used",
    }
}

fn alert_reason(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA => {
            "the peer does not trust the authority of the daemon's certificate"
        }
        AlertDescription::BadCertificate => {
            "the peer refuses the daemon's certificate (another host name?)"
        }
        AlertDescription::CertificateExpired => {
            "the peer says that the daemon's certificate has expired"
        }
        AlertDescription::ProtocolVersion => "the peer does not speak TLS 1.3",
        _ => "the peer refused with an alert",
    }
}
