//! Who calls, and how a call is refused.

use std::fmt;
use std::sync::Arc;

use sluis_domain::{Identity, PublicKey, Reason, Timestamp};
use sluis_keyring::KeyringError;
use sluis_port::StoreError;

use crate::EngineError;

/// An authenticated caller: what its certificate says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Organisation and member.
    pub identity: Identity,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// When the certificate becomes valid.
    pub not_before: Timestamp,
    /// When the certificate expires.
    pub not_after: Timestamp,
    /// The certificate (DER).
    pub certificate: Arc<[u8]>,
    /// Its public key, if it is of a kind that signs statements.
    pub key: Option<PublicKey>,
}

/// What is wrong with one field of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The field, as in the wire contract or the registry.
    pub field: String,
    /// What is wrong and what to do. No personal data.
    pub description: String,
}

/// A refused request: the reason with its fixed outward message, violations for the caller, a detail for the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    reason: Reason,
    detail: String,
    violations: Vec<Violation>,
}

impl Refusal {
    /// With a detail for the log, which must not hold personal data.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            violations: Vec::new(),
        }
    }

    /// A malformed field.
    pub fn field(reason: Reason, field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::from(reason).with(field, description)
    }

    /// Adds a violation.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.violations.push(Violation {
            field: field.into(),
            description: description.into(),
        });
        self
    }

    /// The reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// For the log.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// For the caller.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason, "")
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let reason = match &error {
            StoreError::Conflict => Reason::Conflict,
            StoreError::Corrupt(_) => Reason::CorruptStore,
            StoreError::ReadOnly(_) => Reason::ReadOnly,
            StoreError::Full(_) => Reason::DiskFull,
            StoreError::Stalled(_) => Reason::StoreStalled,
            StoreError::Unknown(_) => Reason::OutcomeUnknown,
            StoreError::Locked(_) | StoreError::Io(_) => Reason::Internal,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(store) => store.into(),
            _ => Self::new(Reason::CorruptStore, error.to_string()),
        }
    }
}

impl From<KeyringError> for Refusal {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Store(store) => store.into(),
            KeyringError::Corrupt(_) => Self::new(Reason::CorruptStore, error.to_string()),
            _ => Self::new(Reason::Internal, error.to_string()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.code(), self.reason.message())
    }
}

impl std::error::Error for Refusal {}
