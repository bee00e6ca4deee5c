//! Where the key-encryption key comes from, as configured.

use std::sync::Arc;

use sluis_domain::Reason;
use sluis_keyring::{Kek, KekError, KekRecord, KeyringError, Protection, Token, TokenError};
use sluis_port::Store;

use crate::config::KekSource;

/// Why there is no key-encryption key.
#[derive(Debug, thiserror::Error)]
pub enum KekFault {
    /// A file with a secret.
    #[error(transparent)]
    File(#[from] KekError),
    /// The hardware security module.
    #[error("hardware security module: {0}")]
    Token(#[from] TokenError),
    /// What the store says about it.
    #[error(transparent)]
    Store(#[from] KeyringError),
    /// It is in shares.
    #[error("the key-encryption key is in shares: custodians must present them")]
    InShares,
}

/// A key-encryption key, and the token it came from, which must stay.
pub(crate) struct Fetched {
    pub(crate) kek: Kek,
    pub(crate) token: Option<Arc<Token>>,
}

impl KekSource {
    /// Its name, as in the wire contract.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Credential(_) => "credential",
            Self::Shares => "shares",
            Self::Token(_) => "pkcs11",
        }
    }

    /// What the store says about its key, if that is the kind of place that is configured.
    ///
    /// # Errors
    /// [`KekFault::Store`].
    pub(crate) fn record(&self, store: &dyn Store) -> Result<KekRecord, KekFault> {
        let record = KekRecord::read(store)?;
        let given = match (self, record.protection()) {
            (Self::File(_) | Self::Credential(_), Protection::Key)
            | (Self::Shares, Protection::Shares(_))
            | (Self::Token(_), Protection::Token(_)) => return Ok(record),
            (Self::File(_) | Self::Credential(_), _) => "a file or credential",
            (Self::Shares, _) => "shares",
            (Self::Token(_), _) => "a PKCS#11 token",
        };
        let stored = record.protection().name();
        Err(KeyringError::OtherProvider { stored, given }.into())
    }

    /// Whether the key, or the token that gives it, can be reached. Nothing is asked of shares.
    ///
    /// # Errors
    /// [`KekFault`].
    pub(crate) fn check(&self) -> Result<(), KekFault> {
        match self {
            Self::File(path) => drop(Kek::from_file(path)?),
            Self::Credential(name) => drop(Kek::from_credential(name)?),
            Self::Shares => {}
            Self::Token(settings) => drop(Token::open(settings)?),
        }
        Ok(())
    }

    /// The key of a store, from where the configuration says.
    ///
    /// # Errors
    /// [`KekFault`]; [`KekFault::InShares`] for shares.
    pub(crate) fn fetch(&self, store: &dyn Store) -> Result<Fetched, KekFault> {
        let record = self.record(store)?;
        match self {
            Self::File(path) => Ok(Kek::from_file(path)?.into()),
            Self::Credential(name) => Ok(Kek::from_credential(name)?.into()),
            Self::Shares => Err(KekFault::InShares),
            Self::Token(settings) => {
                let token = Token::open(settings)?;
                let kek = token.unwrap(&record)?;
                Ok(Fetched {
                    kek,
                    token: Some(Arc::new(token)),
                })
            }
        }
    }
}

impl From<Kek> for Fetched {
    fn from(kek: Kek) -> Self {
        Self { kek, token: None }
    }
}

impl KekFault {
    /// Whether waiting may help. A PIN that was refused is never tried again by itself: tokens lock themselves.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Token(fault) => matches!(
                fault,
                TokenError::Module { .. }
                    | TokenError::TokenAbsent(_)
                    | TokenError::KeyAbsent(_)
                    | TokenError::Gone(_)
            ),
            Self::File(_) | Self::Store(_) | Self::InShares => false,
        }
    }

    /// How it is answered.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Token(_) => Reason::HsmUnavailable,
            Self::Store(KeyringError::Corrupt(_)) => Reason::CorruptStore,
            Self::File(_) | Self::Store(_) | Self::InShares => Reason::Internal,
        }
    }
}
