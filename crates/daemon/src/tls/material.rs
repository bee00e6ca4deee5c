//! From PEM files to a rustls configuration.

use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use sluis_files::pem::{self, Label};
use sluis_files::{Certificate, MAX_PEM_BYTES};
use sluis_port::Clock;

use super::clients::Clients;
use super::expiry::{Ending, Subject};
use crate::config::TlsSettings;

/// Why a file of TLS cannot be used. Never shows the content of a file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It cannot be read, or not all of it is what it should be.
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
    /// The revocation list of the authority of a certificate that was presented without a connection is not valid.
    #[error(
        "there is no valid revocation list of the authority that issued it (it has expired or is missing); put a new list \
         at tls.crl"
    )]
    RevocationList,
}

impl TlsError {
    pub(super) fn file(path: &Path, reason: impl Display) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
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
        let stamps = files.into_iter().flatten().map(|path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino()))
        });
        Self(stamps.collect())
    }
}

/// The parsed files.
pub(super) struct Material {
    chain: Vec<Certificate>,
    key: PrivateKeyDer<'static>,
    pub(super) clients: Arc<Clients>,
}

impl Material {
    pub(super) fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let chain = read(&settings.cert, sluis_files::chain)?;
        let block = read(&settings.key, pem::private_key)?;
        let der = block.der.to_vec();
        let key = match block.label {
            Label::EcPrivateKey => PrivateKeyDer::Sec1(der.into()),
            Label::RsaPrivateKey => PrivateKeyDer::Pkcs1(der.into()),
            _ => PrivateKeyDer::Pkcs8(der.into()),
        };
        Ok(Self {
            chain,
            key,
            clients: Arc::new(Clients::read(settings)?),
        })
    }

    /// When what is in the files ends.
    pub(super) fn endings(&self) -> Vec<Ending> {
        let own = self.chain.iter().map(|certificate| Ending {
            subject: Subject::ServerCertificate,
            name: certificate.subject.clone(),
            ends: certificate.not_after,
        });
        own.chain(self.clients.endings()).collect()
    }

    pub(super) fn server_config(
        self,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = self.chain.into_iter();
        let chain = chain.map(|certificate| CertificateDer::from(certificate.der));
        let mut config = ServerConfig::builder_with_details(provider, Arc::new(PortTime(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(self.clients)
            .with_single_cert(chain.collect(), self.key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // A resumed session would skip the look at the client's certificate.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

/// Reads a PEM file and makes something of all of it.
fn read<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, pem::PemError>,
) -> Result<T, TlsError> {
    let content = sluis_files::read(path, MAX_PEM_BYTES).map_err(|e| TlsError::file(path, e))?;
    parse(&content).map_err(|e| TlsError::file(path, e))
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
