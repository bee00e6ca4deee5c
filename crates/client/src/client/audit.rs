//! The audit log.

use sluis_wire::audit::{Entries, LogHead, parse_hashes};
use sluis_wire::v1;

use crate::{Client, ClientError};

impl Client {
    /// The last signed head of the log.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn checkpoint(&self) -> Result<LogHead, ClientError> {
        let request = v1::GetCheckpointRequest {};
        let answer = self.audit_service().get_checkpoint(request).await?;
        Ok(answer.into_inner().into())
    }

    /// Entries from a sequence number on, at most `limit`, perhaps fewer: the custodian bounds its answers in bytes too.
    /// `own`: only what concerns the caller's organisation.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn read_entries(
        &self,
        from_sequence: u64,
        limit: u32,
        own: bool,
    ) -> Result<Entries, ClientError> {
        let request = v1::ReadEntriesRequest {
            from_sequence,
            limit,
            own,
        };
        let answer = self.audit_service().read_entries(request).await?;
        Ok(answer.into_inner().into())
    }

    /// The hashes that prove that the log of `new_size` entries continues the log of `old_size`.
    ///
    /// # Errors
    /// The errors of the call.
    pub async fn prove_consistency(
        &self,
        old_size: u64,
        new_size: u64,
    ) -> Result<Vec<[u8; 32]>, ClientError> {
        let request = v1::ProveConsistencyRequest { old_size, new_size };
        let answer = self.audit_service().prove_consistency(request).await?;
        Ok(parse_hashes(&answer.into_inner().hashes)?)
    }
}
