//! What client certificates are judged by, in the handshake and, as long as a connection lives, at each call and batch.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{
    WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme,
};
use sluis_domain::{Reason, Timestamp};
use sluis_files::Certificate;
use webpki::{Cert, EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};
use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::prelude::X509Certificate;

use super::TlsError;
use super::expiry::{Ending, Subject};
use super::moment::moment;
use super::revocation::{IssuerKey, Lists};
use crate::config::{CrlExpiry, TlsSettings};

/// Authorities and revocation lists.
pub(super) struct Clients {
    anchors: Vec<TrustAnchor<'static>>,
    /// Of the anchors, in the same order.
    certificates: Vec<Certificate>,
    hints: Vec<DistinguishedName>,
    /// `None`: no lists are configured.
    lists: Option<Lists>,
    expiry: CrlExpiry,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Until when a certificate stays acceptable, if nothing is read again. Its own dates are looked at elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// The last moment of the certificates above it.
    issuers_end: Timestamp,
    /// The moment from which on a revocation list is not valid any more.
    lists_end: Timestamp,
}

impl Standing {
    /// Whether the certificate is acceptable at `now`.
    pub(super) fn at(self, now: Timestamp) -> Result<(), Reason> {
        if now >= self.lists_end {
            Err(Reason::RevocationListExpired)
        } else if now > self.issuers_end {
            Err(Reason::CertificateNotTrusted)
        } else {
            Ok(())
        }
    }
}

impl Clients {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let path = &settings.client_ca;
        let content = sluis_files::read(path, sluis_files::MAX_PEM_BYTES);
        let content = content.map_err(|e| TlsError::file(path, e))?;
        let certificates =
            sluis_files::authorities(&content).map_err(|e| TlsError::file(path, e))?;
        let anchors = certificates.iter().map(|certificate| {
            let der = CertificateDer::from(certificate.der.as_slice());
            let anchor = anchor_from_trusted_cert(&der).map(|anchor| anchor.to_owned());
            anchor
                .map_err(|e| TlsError::file(path, format_args!("line {}: {e:?}", certificate.line)))
        });
        let anchors = anchors.collect::<Result<Vec<_>, _>>()?;
        let hints = anchors
            .iter()
            .map(|anchor| DistinguishedName::in_sequence(anchor.subject.as_ref()))
            .collect();
        let keys: Vec<_> = anchors
            .iter()
            .zip(&certificates)
            .map(|(anchor, certificate)| (IssuerKey::of(anchor), certificate.subject.clone()))
            .collect();
        let crl = settings.crl.as_deref();
        let lists = crl.map(|path| Lists::read(path, &keys)).transpose()?;
        Ok(Self {
            anchors,
            certificates,
            hints,
            lists,
            expiry: settings.crl_expired,
            algorithms: aws_lc_rs::default_provider().signature_verification_algorithms,
        })
    }

    /// What an operator should know about the files.
    pub(super) fn notices(&self) -> &[String] {
        self.lists.as_ref().map_or(&[], |lists| &lists.notices)
    }

    /// When authorities and lists end.
    pub(super) fn endings(&self) -> Vec<Ending> {
        let authorities = self.certificates.iter().map(|certificate| Ending {
            subject: Subject::ClientAuthority,
            name: certificate.subject.clone(),
            ends: certificate.not_after,
        });
        let lists = self.lists.iter().flat_map(Lists::endings);
        authorities.chain(lists).collect()
    }

    /// Looks for a path from the certificate to an authority, on which nothing has expired or is revoked at `at`.
    pub(super) fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        at: Timestamp,
    ) -> Result<Standing, webpki::Error> {
        let standing = Cell::new(None);
        EndEntityCert::try_from(end_entity)?.verify_for_usage(
            self.algorithms.all,
            &self.anchors,
            intermediates,
            unix(at),
            KeyUsage::client_auth(),
            None,
            Some(&|path| {
                standing.set(Some(self.judge_path(path, at)?));
                Ok(())
            }),
        )?;
        standing.get().ok_or(webpki::Error::UnknownIssuer)
    }

    /// Of a path with good signatures and dates: the dates of the authority, and revocation.
    fn judge_path(
        &self,
        path: &VerifiedPath<'_>,
        at: Timestamp,
    ) -> Result<Standing, webpki::Error> {
        let anchor = self
            .anchors
            .iter()
            .position(|anchor| std::ptr::eq(anchor, path.anchor()));
        let anchor = anchor.ok_or(webpki::Error::UnknownIssuer)?;
        let authority = &self.certificates[anchor];
        if at < authority.not_before {
            let not_before = unix(authority.not_before);
            let time = unix(at);
            return Err(webpki::Error::CertNotValidYet { time, not_before });
        }
        if at > authority.not_after {
            let not_after = unix(authority.not_after);
            let time = unix(at);
            return Err(webpki::Error::CertExpired { time, not_after });
        }
        let mut issuers_end = authority.not_after;
        let mut issued: Vec<&Cert<'_>> = vec![path.end_entity()];
        for intermediate in path.intermediate_certificates() {
            issuers_end = issuers_end.min(Details::of(intermediate)?.not_after);
            issued.push(intermediate);
        }
        let lists_end = match &self.lists {
            None => Timestamp::MAX,
            Some(lists) => self.judge_revocation(lists, &issued, path.anchor(), at)?,
        };
        Ok(Standing {
            issuers_end,
            lists_end,
        })
    }

    /// `issued`: the client's certificate first, each issued by the next, the last by the anchor. Gives the moment from
    /// which on a list is not valid any more; never, where expired lists are accepted.
    fn judge_revocation(
        &self,
        lists: &Lists,
        issued: &[&Cert<'_>],
        anchor: &TrustAnchor<'_>,
        at: Timestamp,
    ) -> Result<Timestamp, webpki::Error> {
        let mut end = Timestamp::MAX;
        for (index, certificate) in issued.iter().enumerate() {
            let status = match issued.get(index + 1) {
                None => lists.status(&IssuerKey::of(anchor), true),
                Some(issuer) => {
                    let details = Details::of(issuer)?;
                    lists.status(&details.key, details.may_sign_lists)
                }
            };
            let status = status.ok_or(webpki::Error::UnknownRevocationStatus)?;
            if status.revokes(certificate.serial()) {
                return Err(webpki::Error::CertRevoked);
            }
            end = end.min(status.next_update());
        }
        match self.expiry {
            CrlExpiry::Accept => Ok(Timestamp::MAX),
            CrlExpiry::Refuse if at < end => Ok(end),
            CrlExpiry::Refuse => Err(webpki::Error::CrlExpired {
                time: unix(at),
                next_update: unix(end),
            }),
        }
    }
}

/// What webpki does not tell of the certificate of an authority between.
struct Details {
    key: IssuerKey,
    not_after: Timestamp,
    may_sign_lists: bool,
}

impl Details {
    fn of(certificate: &Cert<'_>) -> Result<Self, webpki::Error> {
        let der = certificate.der();
        let parsed = X509Certificate::from_der(&der).map_err(|_| webpki::Error::BadDer)?;
        let usage = parsed.1.key_usage().map_err(|_| webpki::Error::BadDer)?;
        let spki = certificate.subject_public_key_info();
        let (_, spki) = Any::from_der(&spki).map_err(|_| webpki::Error::BadDer)?;
        Ok(Self {
            key: IssuerKey {
                name: certificate.subject().to_vec(),
                spki: spki.data.to_vec(),
            },
            not_after: moment(parsed.1.validity().not_after.timestamp()),
            // Without the extension, any use counts as allowed.
            may_sign_lists: usage.is_none_or(|usage| usage.value.crl_sign()),
        })
    }
}

/// Why a certificate that was good in its handshake is not any more.
pub(super) fn reason(error: &webpki::Error) -> Reason {
    match error {
        webpki::Error::CertRevoked => Reason::CertificateRevoked,
        webpki::Error::UnknownRevocationStatus | webpki::Error::CrlExpired { .. } => {
            Reason::RevocationListExpired
        }
        _ => Reason::CertificateNotTrusted,
    }
}

/// Why a handshake is refused. It decides the alert, and so what the client learns: `access_denied` says that the
/// certificate is good as far as can be told, but that the custodian has no valid revocation list for it (rustls would
/// say `unknown_ca`, as for the certificate of a stranger).
pub(super) fn handshake_error(error: webpki::Error) -> rustls::Error {
    use webpki::Error as Seen;
    let told = match error {
        Seen::BadDer | Seen::BadDerTime | Seen::TrailingData(_) => CertificateError::BadEncoding,
        Seen::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }
        }
        Seen::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }
        }
        Seen::InvalidCertValidity => CertificateError::Expired,
        Seen::UnknownIssuer => CertificateError::UnknownIssuer,
        Seen::CertRevoked => CertificateError::Revoked,
        Seen::UnknownRevocationStatus | Seen::CrlExpired { .. } => {
            CertificateError::ApplicationVerificationFailure
        }
        Seen::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        Seen::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    rustls::Error::InvalidCertificate(told)
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.judge(end_entity, intermediates, moment(seconds))
            .map(|_| ClientCertVerified::assertion())
            .map_err(handshake_error)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clients({} authorities)", self.anchors.len())
    }
}

fn unix(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(at.millis()))
}
