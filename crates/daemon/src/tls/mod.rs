//! TLS: 1.3 only, client certificate required, files reloaded without a restart.
//!
//! Connections in progress keep their keys when the certificate changes. Whether their client certificates are still
//! acceptable is judged again at each call and each batch ([`Tls::check`]), because TLS looks at them in the handshake
//! only: they may have been revoked, their authority may have been removed, or its revocation list may have expired.

mod clients;
mod expiry;
mod material;
mod moment;
mod peer;
mod revocation;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use sluis_domain::{Reason, Timestamp};
use sluis_port::Clock;

use clients::Clients;
pub(crate) use expiry::Ending;
pub use expiry::Warnings;
use expiry::{Nearness, Subject};
use material::Material;
pub(crate) use material::Stamp;
pub use material::TlsError;
pub(crate) use peer::{Peer, holder};

use crate::config::{CrlExpiry, TlsSettings};

/// What TLS needs, as it is in the files now.
pub(crate) struct Tls {
    settings: TlsSettings,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Current>,
    told: expiry::Told,
}

struct Current {
    config: Arc<ServerConfig>,
    clients: Arc<Clients>,
    endings: Vec<Ending>,
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
                told: expiry::Told::default(),
            },
            stamp,
        ))
    }

    /// For new handshakes.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.current.load().config.clone()
    }

    /// Whether a peer that came in may still act.
    ///
    /// # Errors
    /// [`Reason::CertificateExpired`], [`Reason::CertificateRevoked`], [`Reason::CertificateNotTrusted`] and
    /// [`Reason::RevocationListExpired`].
    pub(crate) fn check(&self, peer: &Peer) -> Result<(), Reason> {
        let now = self.clock.now();
        if peer.caller().is_some_and(|caller| now > caller.not_after) {
            return Err(Reason::CertificateExpired);
        }
        peer.standing(&self.current.load().clients, now)?.at(now)
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

    /// Logs what an operator should know about the files in force; after each reading of them.
    pub(crate) fn log_notices(&self) {
        for notice in self.current.load().clients.notices() {
            tracing::warn!(notice, "tls files leave something open");
        }
    }

    /// Logs the certificates and lists that came nearer to their end since it was looked at last.
    pub(crate) fn log_endings(&self) {
        let now = self.clock.now();
        let endings = self.current.load().endings.clone();
        let news = self.told.news(endings, self.settings.warnings, now);
        expiry::log(&news, now);
    }

    /// Certificates and lists with the days until they end.
    pub(crate) fn days_left(&self) -> Vec<(Ending, f64)> {
        let now = self.clock.now();
        let endings = self.current.load().endings.clone();
        endings
            .into_iter()
            .map(|ending| {
                let days = ending.days_left(now);
                (ending, days)
            })
            .collect()
    }

    fn effect_of_end(&self, subject: Subject) -> &'static str {
        match (subject, self.settings.crl_expired) {
            (Subject::ServerCertificate, _) => "clients refuse the daemon",
            (Subject::ClientAuthority, _) | (Subject::RevocationList, CrlExpiry::Refuse) => {
                "every client with a certificate of this authority is refused"
            }
            (Subject::RevocationList, CrlExpiry::Accept) => {
                "what was revoked since is not known (tls.crl_expired = \"accept\")"
            }
        }
    }

    /// What an operator should know, for `sluisd check-config`: a line each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let now = self.clock.now();
        let current = self.current.load();
        let mut lines = current.clients.notices().to_vec();
        for ending in &current.endings {
            let what = ending.subject.as_str().replace('-', " ");
            let name = &ending.name;
            let ends = ending.ends;
            match self.settings.warnings.nearness(ending, now) {
                Nearness::Far => {}
                Nearness::Soon | Nearness::VerySoon => {
                    let days = ending.days_left(now).ceil();
                    lines.push(format!("{what} {name}: ends in {days} days, at {ends}"));
                }
                Nearness::Over => {
                    let effect = self.effect_of_end(ending.subject);
                    lines.push(format!("{what} {name}: has ended, at {ends}: {effect}"));
                }
            }
        }
        lines
    }
}

/// Verifies a certificate as a handshake would at time `at`, for a signer without a connection. `issuers` are
/// the certificates of the authorities between (all DER).
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
    let judged = Clients::read(settings)?.judge(&certificate.into(), &issuers, at);
    judged.map(drop).map_err(|error| match error {
        webpki::Error::UnknownRevocationStatus | webpki::Error::CrlExpired { .. } => {
            TlsError::RevocationList
        }
        other => TlsError::Client(clients::handshake_error(other)),
    })
}

impl Current {
    fn load(settings: &TlsSettings, clock: &Arc<dyn Clock>) -> Result<Self, TlsError> {
        let material = Material::read(settings)?;
        let endings = material.endings();
        let clients = material.clients.clone();
        Ok(Self {
            config: material.server_config(clock.clone())?,
            clients,
            endings,
        })
    }
}
