//! From PEM files to a rustls configuration.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use sluis_domain::port::Clock;

use crate::config::{CrlExpiry, TlsSettings};

/// Why a file of TLS cannot be used. Never shows the content of a file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be read or is not PEM of the right kind.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The files do not fit together.
    #[error("certificate and key cannot be used: {0}")]
    Certificate(#[from] rustls::Error),
    /// A certificate that was presented without a connection does not count.
    #[error("{0}")]
    Client(#[source] rustls::Error),
    /// The authorities or lists cannot be used.
    #[error("client authorities or revocation lists cannot be used: {0}")]
    Verifier(#[from] VerifierBuilderError),
    /// A revocation list cannot be read.
    #[error("a revocation list cannot be read")]
    RevocationList,
}

/// When, how large and which the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Option<(i64, i64, u64, u64)>>);

impl Stamp {
    /// Of the files now; a file that is not there counts too.
    pub(super) fn of(settings: &TlsSettings) -> Self {
        let files = [
            Some(&settings.cert),
            Some(&settings.key),
            Some(&settings.client_ca),
            settings.crl.as_ref(),
        ];
        let stamp = |path: &PathBuf| {
            std::fs::metadata(path)
                .ok()
                .map(|meta| (meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino()))
        };
        Self(files.into_iter().flatten().map(stamp).collect())
    }
}

/// The parsed files.
pub(super) struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    pub(super) clients: Clients,
}

/// What client certificates are verified with.
pub(super) struct Clients {
    authorities: RootCertStore,
    pub(super) crls: Vec<CertificateRevocationListDer<'static>>,
    expiry: CrlExpiry,
}

impl Clients {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let mut authorities = RootCertStore::empty();
        for certificate in many::<CertificateDer<'_>>(&settings.client_ca, "certificate")? {
            authorities
                .add(certificate)
                .map_err(|e| unusable(&settings.client_ca, e.to_string()))?;
        }
        let crls = match &settings.crl {
            Some(path) => many(path, "X509 CRL")?,
            None => Vec::new(),
        };
        Ok(Self {
            authorities,
            crls,
            expiry: settings.crl_expired,
        })
    }

    pub(super) fn verifier(self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.authorities), provider);
        if !self.crls.is_empty() {
            // Unknown status is refused: an authority without a list in the file issues nobody in.
            verifier = verifier.with_crls(self.crls);
            if self.expiry == CrlExpiry::Refuse {
                verifier = verifier.enforce_revocation_expiration();
            }
        }
        Ok(verifier.build()?)
    }
}

impl Material {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let chain = many::<CertificateDer<'_>>(&settings.cert, "certificate")?;
        let key = PrivateKeyDer::from_pem_file(&settings.key)
            .map_err(|e| unusable(&settings.key, describe(&e)))?;
        Ok(Self {
            chain,
            key,
            clients: Clients::read(settings)?,
        })
    }

    pub(super) fn server_config(
        self,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_details(provider, Arc::new(PortTime(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(self.clients.verifier()?)
            .with_single_cert(self.chain, self.key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would skip the look at the client's certificate.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

/// rustls' time is the port's time.
struct PortTime(Arc<dyn Clock>);

impl std::fmt::Debug for PortTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PortTime")
    }
}

impl TimeProvider for PortTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(
            self.0.now().millis(),
        )))
    }
}

/// All objects of one kind in a PEM file; at least one.
fn many<T: PemObject>(path: &Path, kind: &str) -> Result<Vec<T>, TlsError> {
    let objects = T::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| unusable(path, describe(&e)))?;
    if objects.is_empty() {
        Err(unusable(path, format!("no PEM block {kind} in it")))
    } else {
        Ok(objects)
    }
}

fn unusable(path: &Path, reason: String) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        reason,
    }
}

/// What went wrong, without the bytes that some of rustls' messages quote.
fn describe(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(e) => e.to_string(),
        pem::Error::NoItemsFound => "no PEM block of the right kind in it".to_owned(),
        _ => "not valid PEM".to_owned(),
    }
}
