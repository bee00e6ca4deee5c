//! Instructions of custodians: made and signed on the custodian's own machine.

use sluis_domain::Timestamp;
use sluis_ledger::instruction::{Instruction, Task};
use sluis_wire::v1;

use crate::{Client, ClientError};

impl Client {
    /// The state of the custodian and its key versions.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn custody_status(&self) -> Result<v1::GetStatusResponse, ClientError> {
        let answer = self.custody().get_status(v1::GetStatusRequest {}).await?;
        Ok(answer.into_inner())
    }

    /// Signs an instruction, for the custodian whose status was asked.
    ///
    /// # Errors
    /// [`ClientError::Signing`].
    pub async fn instruct(
        &self,
        status: &v1::GetStatusResponse,
        instruction: &Instruction,
    ) -> Result<v1::SignedInstruction, ClientError> {
        let canonical = instruction.encode();
        let deed = instruction.task.deed();
        let signature = self.sign(deed, &status.origin, &canonical).await?;
        Ok(v1::SignedInstruction {
            canonical: canonical.into(),
            signature: signature.into(),
        })
    }
}

/// The instruction that fits the state of a custodian. It serves once, and soon.
///
/// # Errors
/// [`ClientError::Protocol`] if the state does not say what an instruction needs.
pub fn instruction(status: &v1::GetStatusResponse, task: Task) -> Result<Instruction, ClientError> {
    let after = status.custody_head[..].try_into();
    let after = after.map_err(|_| {
        ClientError::Protocol(
            "the custodian cannot read its audit log, so it follows no instruction; its own log says more",
        )
    })?;
    let at = Timestamp::parse(&status.now)
        .map_err(|_| ClientError::Protocol("a status without the time"))?;
    Ok(Instruction {
        task,
        registry_version: status.registry_version,
        after,
        at,
    })
}
