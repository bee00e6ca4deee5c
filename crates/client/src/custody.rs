//! Instructions of custodians, as they fit the state of a custodian.

use sluis_ledger::instruction::{Instruction, Task};
use sluis_wire::custody::CustodyStatus;

use crate::ClientError;

/// The instruction that fits the state of a custodian. It serves once, and soon.
///
/// # Errors
/// [`ClientError::Protocol`] if the state does not say what an instruction needs.
pub fn instruction(status: &CustodyStatus, task: Task) -> Result<Instruction, ClientError> {
    let after = status.custody_head.ok_or(ClientError::Protocol(
        "the custodian cannot read its audit log, so it follows no instruction; its own log says more",
    ))?;
    Ok(Instruction {
        task,
        registry_version: status.registry_version,
        after,
        at: status.now,
    })
}
