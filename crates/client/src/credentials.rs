//! The files of a caller, read strictly: nothing in them is skipped.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sluis_files::Certificate;
use sluis_files::pem::{self, Block, Label};

use crate::ClientError;

/// Which file of the caller something is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Material {
    /// The authorities of the custodian's certificate.
    Authorities,
    /// The caller's certificate.
    Certificate,
    /// Its private key.
    Key,
}

impl std::fmt::Display for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Authorities => "the file of the custodian's authorities (CA)",
            Self::Certificate => "the file of the client certificate",
            Self::Key => "the file of the private key",
        })
    }
}

impl Material {
    /// [`ClientError::Material`].
    pub(crate) fn unusable(self, reason: impl ToString) -> ClientError {
        ClientError::Material {
            material: self,
            reason: reason.to_string(),
        }
    }
}

/// The certificates of a PEM file of authorities.
///
/// # Errors
/// [`ClientError::Material`].
pub fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, ClientError> {
    sluis_files::certificates(pem).map_err(|e| Material::Authorities.unusable(e))
}

/// The caller's certificate, and behind it the certificates of the authorities above it.
///
/// # Errors
/// [`ClientError::Material`].
pub fn own_chain(pem: &[u8]) -> Result<Vec<Certificate>, ClientError> {
    sluis_files::chain(pem).map_err(|e| Material::Certificate.unusable(e))
}

/// The one private key of a PEM file.
pub(crate) fn key(pem: &[u8]) -> Result<Block, ClientError> {
    pem::private_key(pem).map_err(|e| Material::Key.unusable(e))
}

/// The same in rustls' form. It borrows, so that no further copy of the key is made here.
pub(crate) fn key_der(block: &Block) -> PrivateKeyDer<'_> {
    let der = block.der.as_slice();
    match block.label {
        Label::EcPrivateKey => PrivateKeyDer::Sec1(der.into()),
        Label::RsaPrivateKey => PrivateKeyDer::Pkcs1(der.into()),
        _ => PrivateKeyDer::Pkcs8(der.into()),
    }
}

/// A certificate in rustls' form.
pub(crate) fn certificate_der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.der.clone())
}
