//! Transports for services that the client does not have.

use sluis_testkit::pki::{Credentials, Pki};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// A transport to a custodian with a certificate of `pki`, for services that the client does not have.
pub async fn channel(pki: &Pki, endpoint: &str, credentials: &Credentials) -> Channel {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(pki.ca_pem()))
        .identity(Identity::from_pem(
            &credentials.cert_pem,
            &credentials.key_pem,
        ));
    let endpoint = Endpoint::from_shared(endpoint.to_owned())
        .expect("a URL")
        .tls_config(tls)
        .expect("PEM");
    endpoint.connect().await.expect("connects")
}
