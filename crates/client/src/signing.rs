//! Statements, signed on the signer's own machine: today with the key of their client certificate.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use rustls::SignatureScheme::{ECDSA_NISTP256_SHA256, ED25519};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::SigningKey;
use sluis_domain::PublicKey;
use sluis_ledger::statement::{Deed, statement};

use crate::credentials;

/// Why nothing can be signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SigningError {
    /// No private key in the PEM.
    #[error("the key file holds no private key that can be used: PEM is needed, PKCS#8 or SEC1")]
    NoKey,
    /// A key of another kind, such as RSA or P-384.
    #[error(
        "statements are signed with P-256 or Ed25519 keys, and the client key is of another kind"
    )]
    KeyKind,
    /// The library did not sign.
    #[error("the key did not sign")]
    Failed,
}

/// A signature on its way: a signer may have to ask a person, or a device.
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, SigningError>> + Send + 'a>>;

/// Signs statements: the TLS key of a caller, or anything else that holds a key which the registry pins.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public half: what the registry or the custodian's configuration pins.
    fn public(&self) -> &PublicKey;

    /// Signs the bytes of a statement ([`statement`]): ASN.1 DER for P-256, 64 bytes for Ed25519. Fails with
    /// [`SigningError::Failed`].
    fn sign_statement<'a>(&'a self, statement: &'a [u8]) -> Signing<'a>;
}

/// The private key of a client certificate.
#[derive(Clone)]
pub struct TlsKey {
    key: Arc<dyn SigningKey>,
    public: PublicKey,
}

impl TlsKey {
    /// From the PEM of a private key (PKCS#8 or SEC1): ECDSA P-256 or Ed25519.
    ///
    /// # Errors
    /// [`SigningError::NoKey`], [`SigningError::KeyKind`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, SigningError> {
        let block = credentials::key(pem).map_err(|_| SigningError::NoKey)?;
        let der = credentials::key_der(&block);
        let key = any_supported_type(&der).map_err(|_| SigningError::NoKey)?;
        let public = key
            .public_key()
            .and_then(|spki| PublicKey::from_spki(&spki))
            .ok_or(SigningError::KeyKind)?;
        Ok(Self { key, public })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs the statement of a deed about an object (its canonical bytes) at the custodian whose audit log has this
    /// origin, at once. See [`Signer::sign_statement`].
    ///
    /// # Errors
    /// [`SigningError::Failed`].
    pub fn sign(&self, deed: Deed, origin: &str, object: &[u8]) -> Result<Vec<u8>, SigningError> {
        self.sign_bytes(&statement(deed, origin, object))
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, SigningError> {
        let signer = self
            .key
            .choose_scheme(&[ECDSA_NISTP256_SHA256, ED25519])
            .ok_or(SigningError::KeyKind)?;
        signer.sign(bytes).map_err(|_| SigningError::Failed)
    }
}

impl Signer for TlsKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign_statement<'a>(&'a self, statement: &'a [u8]) -> Signing<'a> {
        Box::pin(async { self.sign_bytes(statement) })
    }
}

/// Shows the public half.
impl fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsKey({})", self.public)
    }
}

#[cfg(test)]
mod tests;
