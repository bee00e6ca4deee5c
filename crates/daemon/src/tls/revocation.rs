//! Which certificates are revoked now.

use std::collections::HashSet;

use rustls::pki_types::CertificateRevocationListDer;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use super::TlsError;

/// A certificate as revocation lists name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Serial {
    /// The issuer's distinguished name, DER.
    pub(crate) issuer: Vec<u8>,
    /// Serial number, without leading zero bytes.
    pub(crate) number: Vec<u8>,
}

impl Serial {
    /// From raw DER parts.
    pub(crate) fn new(issuer: &[u8], number: &[u8]) -> Self {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        Self {
            issuer: issuer.to_vec(),
            number: number[zeros..].to_vec(),
        }
    }
}

/// All revoked certificates of all lists. rustls has verified the lists' signatures only when it used one in a
/// handshake, so a list of an unknown authority here can at most revoke, never admit.
#[derive(Debug, Default)]
pub(super) struct Revoked(HashSet<Serial>);

impl Revoked {
    pub(super) fn parse(crls: &[CertificateRevocationListDer<'_>]) -> Result<Self, TlsError> {
        let mut revoked = HashSet::new();
        for crl in crls {
            let (_, list) =
                CertificateRevocationList::from_der(crl).map_err(|_| TlsError::RevocationList)?;
            let issuer = list.issuer().as_raw().to_vec();
            revoked.extend(
                list.iter_revoked_certificates()
                    .map(|entry| Serial::new(&issuer, entry.raw_serial())),
            );
        }
        Ok(Self(revoked))
    }

    pub(super) fn contains_any(&self, serials: &[Serial]) -> bool {
        serials.iter().any(|serial| self.0.contains(serial))
    }
}
