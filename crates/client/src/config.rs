//! How to reach a custodian and who the caller is.

use std::time::Duration;

use tonic::transport::{Endpoint, Uri};
use zeroize::Zeroizing;

use crate::ClientError;

/// Window of one HTTP/2 stream in bytes: several batches, so that a round trip does not stop the flow.
const STREAM_WINDOW: u32 = 4 << 20;
/// Window of the connection in bytes.
const CONNECTION_WINDOW: u32 = 8 << 20;
/// How often a quiet connection is asked whether it still lives.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long it may take to answer.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How to reach a custodian and who the caller is.
#[derive(Clone)]
pub struct Config {
    /// `https://host:port`.
    pub endpoint: String,
    /// The name the custodian's certificate must carry; default: the host of the endpoint.
    pub server_name: Option<String>,
    /// PEM certificates of the authorities that may have signed the custodian's certificate.
    pub ca_pem: Vec<u8>,
    /// PEM chain of the caller's certificate, leaf first.
    pub cert_pem: Vec<u8>,
    /// PEM private key of the caller's certificate. Zeroised on drop. (The TLS library keeps copies of its own.)
    pub key_pem: Zeroizing<Vec<u8>>,
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
}

impl Config {
    /// Ten seconds.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

    /// With the usual timeout, and the host of the endpoint as the name the custodian's certificate must carry.
    pub fn new(
        endpoint: impl Into<String>,
        ca_pem: Vec<u8>,
        cert_pem: Vec<u8>,
        key_pem: Zeroizing<Vec<u8>>,
    ) -> Self {
        let connect_timeout = Self::DEFAULT_CONNECT_TIMEOUT;
        Self {
            endpoint: endpoint.into(),
            server_name: None,
            ca_pem,
            cert_pem,
            key_pem,
            connect_timeout,
        }
    }

    /// The address and the settings of HTTP/2.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, ClientError> {
        if !self.endpoint.starts_with("https://") {
            return Err(ClientError::Config(
                "the address of the custodian must have the form https://host:port",
            ));
        }
        let invalid = "the address of the custodian is not a valid URL";
        let origin: Uri = self
            .endpoint
            .parse()
            .map_err(|_| ClientError::Config(invalid))?;
        // tonic refuses an https address without TLS of its own; the TLS here is ours.
        let plain = format!("http{}", &self.endpoint["https".len()..]);
        Ok(Endpoint::from_shared(plain)
            .map_err(|_| ClientError::Config(invalid))?
            .origin(origin)
            .connect_timeout(self.connect_timeout)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true))
    }
}

/// Shows no key.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("endpoint", &self.endpoint)
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(endpoint: &str) -> Config {
        Config::new(
            endpoint,
            Vec::new(),
            Vec::new(),
            Zeroizing::new(b"-----BEGIN PRIVATE KEY-----".to_vec()),
        )
    }

    #[test]
    fn plain_text_endpoints_are_refused() {
        for endpoint in ["http://localhost:1", "localhost:1", "", "HTTPS//x"] {
            assert!(
                matches!(config(endpoint).endpoint(), Err(ClientError::Config(_))),
                "{endpoint}"
            );
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", config("https://localhost:1")).contains("PRIVATE"));
    }
}
