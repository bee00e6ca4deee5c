//! One connection to a custodian: TCP, one TLS handshake, and the custodian's first word before ours.
//!
//! With TLS 1.3 a client has finished its handshake before the custodian has looked at its certificate. If it writes at
//! once, the refusal races with the write, and what the client sees is chance: the alert, or a broken connection. So the
//! client waits for the first bytes of HTTP/2, which a server sends by itself: then it has been let in, or it has been told
//! why not.

mod explain;
mod stream;

use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Uri};

use self::stream::{Opened, Single};
use crate::credentials::{self, Material};
use crate::{ClientError, Config};

/// Port of an address without one.
const HTTPS: u16 = 443;
/// Most bytes that are read before ours are written.
const FIRST_BYTES: usize = 4 << 10;

/// Connects, within the time of the configuration.
pub(crate) async fn connect(config: &Config) -> Result<Channel, ClientError> {
    let endpoint = config.endpoint()?;
    let address = Address::of(config, endpoint.uri())?;
    let tls = tls_config(config)?;
    let opened = tokio::time::timeout(config.connect_timeout, open(&address, tls))
        .await
        .map_err(|_| ClientError::Transport("it did not come about in time".into()))??;
    let connector = Single::new(TokioIo::new(opened));
    Ok(endpoint.connect_with_connector(connector).await?)
}

/// Where the custodian is, and the name its certificate must carry.
struct Address {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl Address {
    fn of(config: &Config, uri: &Uri) -> Result<Self, ClientError> {
        let host = uri.host().unwrap_or_default();
        // An IPv6 address stands in brackets.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = config.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| {
            ClientError::Config(
                "the name of the custodian is neither a host name nor an IP address",
            )
        })?;
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(HTTPS),
            name,
        })
    }
}

fn tls_config(config: &Config) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    for authority in credentials::authorities(&config.ca_pem)? {
        roots
            .add(credentials::certificate_der(&authority))
            .map_err(|e| {
                Material::Authorities.unusable(format_args!("line {}: {e}", authority.line))
            })?;
    }
    let chain = credentials::own_chain(&config.cert_pem)?;
    let chain = chain.iter().map(credentials::certificate_der).collect();
    let key = credentials::key(&config.key_pem)?;
    let key = credentials::key_der(&key).clone_key();
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ClientError::Config("TLS cannot be set up"))?
        .with_root_certificates(roots);
    let mut tls = tls
        .with_client_auth_cert(chain, key)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                Material::Key.unusable("it is not the private key of the client certificate")
            }
            other => Material::Key.unusable(other),
        })?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Ok(tls)
}

async fn open(address: &Address, tls: ClientConfig) -> Result<Opened, ClientError> {
    let tcp = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(|e| ClientError::Transport(format!("{}:{}: {e}", address.host, address.port)))?;
    tcp.set_nodelay(true)
        .map_err(|e| ClientError::Transport(e.to_string()))?;
    let mut stream = TlsConnector::from(Arc::new(tls))
        .connect(address.name.clone(), tcp)
        .await
        .map_err(|e| explain::handshake(&e))?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(explain::not_a_custodian());
    }
    let first = first_bytes(&mut stream).await?;
    Ok(Opened::new(first, stream))
}

/// Waits for the custodian's first word.
async fn first_bytes(stream: &mut TlsStream<TcpStream>) -> Result<Vec<u8>, ClientError> {
    let mut first = vec![0; FIRST_BYTES];
    match stream.read(&mut first).await {
        Ok(0) => Err(explain::closed()),
        Ok(length) => {
            first.truncate(length);
            Ok(first)
        }
        Err(error) => Err(explain::handshake(&error)),
    }
}
