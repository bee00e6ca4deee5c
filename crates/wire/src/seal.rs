//! Whether a keyring is closed.

use crate::v1;

/// Whether a custodian's keyring is closed, and what opens it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealStatus {
    /// Whether it is closed.
    pub sealed: bool,
    /// Where the key comes from.
    pub provider: String,
    /// Shares that are needed; 0 for a key that is not in shares.
    pub threshold: u32,
    /// Shares that exist.
    pub shares: u32,
    /// Shares presented so far.
    pub presented: u32,
    /// The code of the reason why the key could not be fetched, perhaps one of a later version.
    pub reason: Option<String>,
}

impl From<SealStatus> for v1::GetSealStatusResponse {
    fn from(status: SealStatus) -> Self {
        Self {
            sealed: status.sealed,
            provider: status.provider,
            threshold: status.threshold,
            shares: status.shares,
            presented: status.presented,
            reason: status.reason.unwrap_or_default(),
        }
    }
}

impl From<v1::GetSealStatusResponse> for SealStatus {
    fn from(wire: v1::GetSealStatusResponse) -> Self {
        Self {
            sealed: wire.sealed,
            provider: wire.provider,
            threshold: wire.threshold,
            shares: wire.shares,
            presented: wire.presented,
            reason: Some(wire.reason).filter(|reason| !reason.is_empty()),
        }
    }
}
