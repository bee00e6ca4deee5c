//! Handshakes by hand, to see exactly how they end.

use std::sync::Arc;

use sluis_testkit::pki::Credentials;
use sluis_testkit_daemon::wait::DEADLINE;
use sluis_testkit_daemon::world::World;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    AlertDescription, ClientConfig, Error, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
};

/// What HTTP/2 begins with: the preface and an empty SETTINGS frame.
const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Knocks at the door of the daemon. `None`: it opened, and HTTP/2 was spoken; otherwise the alert that ended it.
pub(super) async fn knock(
    world: &World,
    credentials: Option<&Credentials>,
    version: &'static SupportedProtocolVersion,
) -> Option<AlertDescription> {
    let spoken = async {
        let mut stream = connect(world, credentials, version).await?;
        stream.write_all(HELLO).await?;
        // With TLS 1.3 a client learns that its certificate is not wanted only when it reads.
        let mut frame = [0; 9];
        stream.read_exact(&mut frame).await?;
        assert_eq!(frame[3], 4, "a SETTINGS frame");
        std::io::Result::Ok(())
    };
    let error = tokio::time::timeout(DEADLINE, spoken)
        .await
        .expect("an end")
        .err()?;
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    {
        Some(Error::AlertReceived(alert)) => Some(*alert),
        _ => panic!("neither opened nor refused with an alert: {error}"),
    }
}

/// The certificate that new connections are served, DER.
pub(super) async fn server_certificate(world: &World, credentials: &Credentials) -> Vec<u8> {
    let stream = connect(
        world,
        Some(credentials),
        &tokio_rustls::rustls::version::TLS13,
    )
    .await
    .expect("a good caller");
    stream
        .get_ref()
        .1
        .peer_certificates()
        .expect("always there")[0]
        .to_vec()
}

/// The first certificate of a PEM text.
pub(super) fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .expect("PEM")
        .to_vec()
}

async fn connect(
    world: &World,
    credentials: Option<&Credentials>,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(world.pki.ca_pem().as_bytes()).expect("PEM"))
        .expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots);
    let mut config = match credentials {
        None => config.with_no_client_auth(),
        Some(credentials) => {
            let cert =
                CertificateDer::from_pem_slice(credentials.cert_pem.as_bytes()).expect("PEM");
            let key = PrivateKeyDer::from_pem_slice(credentials.key_pem.as_bytes()).expect("PEM");
            config
                .with_client_auth_cert(vec![cert], key)
                .expect("a pair")
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(world.running().addr()).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
}
