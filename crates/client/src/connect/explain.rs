//! What a failed handshake means, in the words of the person who must do something about it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use crate::ClientError;
use crate::credentials::Material;

fn fault(about: Option<Material>, text: impl Into<String>) -> ClientError {
    ClientError::Handshake {
        about,
        text: text.into(),
    }
}

/// The other side is something else.
pub(super) fn not_a_custodian() -> ClientError {
    fault(
        None,
        "the server does not speak HTTP/2 over TLS: the address is not one of sluisd",
    )
}

/// The custodian closed the connection without a word.
pub(super) fn closed() -> ClientError {
    fault(
        None,
        "the custodian closed the connection at once: it has too many connections, of all, of this member or of this \
         address, or it is stopping; try again later",
    )
}

/// Why a handshake ended, in the handshake itself or with the first read after it.
pub(super) fn handshake(error: &io::Error) -> ClientError {
    let seen = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>());
    match seen {
        Some(Error::AlertReceived(alert)) => told(*alert),
        Some(Error::InvalidCertificate(seen)) => server_certificate(seen),
        Some(Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => fault(
            None,
            "the server does not speak TLS: the address is not one of sluisd's gRPC listener",
        ),
        Some(Error::NoApplicationProtocol) => not_a_custodian(),
        Some(other) => fault(None, other.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => closed(),
        None => ClientError::Transport(error.to_string()),
    }
}

/// What the custodian told with an alert (RFC 8446, section 6.2).
fn told(alert: AlertDescription) -> ClientError {
    let own = Some(Material::Certificate);
    match alert {
        AlertDescription::CertificateExpired => fault(
            own,
            "by the custodian's clock the client certificate, or one of its authorities, has expired or is not valid yet \
             (alert certificate_expired); renew it, or compare the two clocks",
        ),
        AlertDescription::CertificateRevoked => fault(
            own,
            "the client certificate is revoked (alert certificate_revoked); have a new one issued",
        ),
        AlertDescription::UnknownCA => fault(
            own,
            "the custodian does not accept the authority that issued the client certificate (alert unknown_ca); use a \
             certificate of an authority that it accepts, with the certificates of authorities between behind it",
        ),
        AlertDescription::DecryptError => fault(
            own,
            "the custodian knows the authority of the client certificate by another key (alert decrypt_error): the \
             authority was renewed, or is another one of the same name; ask the custodian which it accepts",
        ),
        AlertDescription::AccessDenied => fault(
            None,
            "the custodian has no valid revocation list of the authority that issued the client certificate (alert \
             access_denied), so it lets nobody with such a certificate in; ask the custodian to put a new list in place",
        ),
        AlertDescription::UnsupportedCertificate => fault(
            own,
            "the certificate is not one of a client (alert unsupported_certificate): it needs the extended key usage \
             clientAuth",
        ),
        AlertDescription::CertificateRequired => fault(
            own,
            "the custodian got no client certificate (alert certificate_required)",
        ),
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => fault(
            own,
            format!("the custodian cannot use the client certificate (alert {alert:?})"),
        ),
        AlertDescription::ProtocolVersion => fault(
            None,
            "the server speaks no version of TLS that this client accepts (alert protocol_version)",
        ),
        other => fault(None, format!("the custodian refused (alert {other:?})")),
    }
}

/// What is wrong with the custodian's certificate.
fn server_certificate(seen: &CertificateError) -> ClientError {
    let authorities = Some(Material::Authorities);
    match seen {
        CertificateError::UnknownIssuer => fault(
            authorities,
            "the custodian's certificate is of none of the authorities in the CA file",
        ),
        CertificateError::BadSignature => fault(
            authorities,
            "the custodian's certificate is signed by another key than that of the authority of this name in the CA file: \
             the authority was renewed, or this is not the custodian",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            fault(
                None,
                "the custodian's certificate is for another name than the host of the address; name it with --server-name if \
             you know that this is the custodian",
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => fault(
            None,
            "the custodian's certificate has expired by this machine's clock; tell the custodian, or set the clock",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => fault(
            None,
            "the custodian's certificate is not valid yet by this machine's clock; set the clock, or tell the custodian",
        ),
        other => fault(
            authorities,
            format!("the custodian's certificate cannot be used: {other}"),
        ),
    }
}
