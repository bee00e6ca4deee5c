//! TLS: 1.3 only, client certificate required, files reloaded without a restart.
//!
//! Connections in progress keep their keys when the certificate changes; a revocation list applies to them from the
//! next call and the next batch on ([`Tls::is_revoked`]), because rustls looks at it in the handshake only.

mod material;
mod peer;
mod revocation;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use sluis_domain::Timestamp;
use sluis_domain::port::Clock;

pub(crate) use material::Stamp;
pub use material::TlsError;
use material::{Clients, Material};
pub(crate) use peer::{Peer, holder};
use revocation::Revoked;

use crate::config::TlsSettings;

/// What TLS needs, as it is in the files now.
pub(crate) struct Tls {
    settings: TlsSettings,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    revoked: Revoked,
}

/// Whether anything was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reloaded {
    /// The files are as they were.
    Unchanged,
    /// New files are in force.
    Changed,
}

impl Tls {
    /// Reads all files.
    pub(crate) fn load(
        settings: TlsSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Stamp), TlsError> {
        let stamp = Stamp::of(&settings);
        let current = Current::load(&settings, &clock)?;
        Ok((
            Self {
                settings,
                clock,
                current: ArcSwap::from_pointee(current),
            },
            stamp,
        ))
    }

    /// For new handshakes.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.current.load().config.clone()
    }

    /// Whether a certificate of the peer's chain is on a revocation list now.
    pub(crate) fn is_revoked(&self, peer: &Peer) -> bool {
        self.current.load().revoked.contains_any(peer.serials())
    }

    /// Reads the files again if they are not those of `stamp` any more, or if `force`. When they cannot be used the
    /// old ones stay in force; `stamp` moves on all the same, so that one bad file is reported once.
    pub(crate) fn reload(&self, stamp: &mut Stamp, force: bool) -> Result<Reloaded, TlsError> {
        let now = Stamp::of(&self.settings);
        if !force && now == *stamp {
            return Ok(Reloaded::Unchanged);
        }
        *stamp = now;
        self.current
            .store(Arc::new(Current::load(&self.settings, &self.clock)?));
        Ok(Reloaded::Changed)
    }
}

/// Verifies a certificate as a handshake would at time `at`, for somebody who signed without a connection. `issuers` are
/// those of the authorities between (all DER).
pub(crate) fn verify_client(
    settings: &TlsSettings,
    certificate: &[u8],
    issuers: &[Vec<u8>],
    at: Timestamp,
) -> Result<(), TlsError> {
    let issuers: Vec<_> = issuers
        .iter()
        .map(|der| CertificateDer::from(der.as_slice()))
        .collect();
    let at = UnixTime::since_unix_epoch(Duration::from_millis(at.millis()));
    let verified =
        Clients::read(settings)?
            .verifier()?
            .verify_client_cert(&certificate.into(), &issuers, at);
    verified.map(drop).map_err(TlsError::Client)
}

impl Current {
    fn load(settings: &TlsSettings, clock: &Arc<dyn Clock>) -> Result<Self, TlsError> {
        let material = Material::read(settings)?;
        let revoked = Revoked::parse(&material.clients.crls)?;
        Ok(Self {
            config: material.server_config(clock.clone())?,
            revoked,
        })
    }
}
