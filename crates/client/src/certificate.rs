//! Who a certificate is about, and with which key.

use sluis_domain::{Identity, PublicKey};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::credentials::own_chain;
use crate::{ClientError, SigningError};

/// The holder of a client certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    /// Organisation and member.
    pub identity: Identity,
    /// The key of the certificate.
    pub key: PublicKey,
    /// The certificate (DER).
    pub certificate: Vec<u8>,
    /// Those that come after it in the file (DER): of the authorities between it and one that the custodian knows.
    pub issuers: Vec<Vec<u8>>,
}

impl Holder {
    /// Reads a PEM file with the certificate, and the certificates of authorities behind it.
    ///
    /// # Errors
    /// [`ClientError::Material`] if anything else is in the file, or it is damaged,
    /// [`ClientError::Config`] if it is no certificate with exactly one SPIFFE id `spiffe://.../organisation/member`,
    /// [`ClientError::Signing`] if its key is of a kind that signs no statements.
    pub fn from_pem(pem: &[u8]) -> Result<Self, ClientError> {
        let unusable = ClientError::Config(
            "the file holds no client certificate of a member (PEM, with a SPIFFE id)",
        );
        let chain = own_chain(pem)?;
        let own = chain.split_first();
        let parsed = own.and_then(|(own, _)| X509Certificate::from_der(&own.der).ok());
        let Some(((own, issuers), (_, certificate))) = own.zip(parsed) else {
            return Err(unusable);
        };
        let Some(identity) = identity(&certificate) else {
            return Err(unusable);
        };
        let key =
            PublicKey::from_spki(certificate.public_key().raw).ok_or(SigningError::KeyKind)?;
        let issuers = issuers.iter().map(|issuer| issuer.der.clone()).collect();
        Ok(Self {
            identity,
            key,
            certificate: own.der.clone(),
            issuers,
        })
    }
}

fn identity(certificate: &X509Certificate<'_>) -> Option<Identity> {
    let names = certificate.subject_alternative_name().ok().flatten()?;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
    let (uri, None) = (uris.next()?, uris.next()) else {
        return None;
    };
    let (trust_domain, _) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    Identity::from_spiffe(uri, trust_domain).ok()
}
