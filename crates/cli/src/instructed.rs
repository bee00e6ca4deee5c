//! Instructions of custodians: shown, confirmed, signed.

use sluis_client::{Client, CustodyStatus, SignedInstruction, instruction};
use sluis_ledger::instruction::{Instruction, Task};

use crate::change::ChangeArgs;
use crate::error::CliError;
use crate::output;

/// Shows what is signed, asks `question` unless told not to, and signs with the key of the client certificate. Without a
/// question there is nothing to do, which the custodian says.
///
/// # Errors
/// [`CliError`]: not confirmed, or nothing that can be signed.
pub(crate) async fn instruct(
    change: &ChangeArgs,
    client: &Client,
    status: &CustodyStatus,
    task: Task,
    question: Option<&str>,
) -> Result<SignedInstruction, CliError> {
    let instruction = instruction(status, task)?;
    output::show(lines(&instruction, &status.origin), change.json)?;
    question.map_or(Ok(()), |question| change.confirm(question))?;
    Ok(client.instruct(status, &instruction).await?)
}

fn lines(instruction: &Instruction, origin: &str) -> Vec<String> {
    let Instruction {
        task,
        registry_version,
        after,
        at,
    } = instruction;
    let after = data_encoding::HEXLOWER.encode(after);
    vec![
        "You sign this instruction with the key of your certificate; it is kept in the audit log:"
            .to_owned(),
        format!("  do        {}", text(task)),
        format!("  at        {}", origin),
        format!(
            "  after     {after} (the last act of custody), registry version {registry_version}"
        ),
        format!("  signed    {at}; it serves once, within ten minutes"),
    ]
}

fn text(task: &Task) -> String {
    let act = task.act().as_str();
    match task {
        Task::RotateChain { chain, namespace } => match namespace {
            Some(namespace) => format!("{act}: the line of {namespace} in {chain}"),
            None => format!("{act}: every line of {chain}"),
        },
        Task::DisableVersion {
            kid,
            chain,
            namespace,
        } => match namespace {
            Some(namespace) => format!("{act}: {kid}, of {namespace} in {chain}"),
            None => format!("{act}: {kid}, of the encrypted elements of {chain}"),
        },
        Task::RotateAuditKey => act.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use sluis_domain::{Kid, Timestamp};

    use super::*;

    #[test]
    fn what_is_signed_is_shown_in_full() {
        let instruction = Instruction {
            task: Task::DisableVersion {
                kid: Kid::new(0x0a1b_2c3d).expect("not zero"),
                chain: "study".parse().expect("an id"),
                namespace: None,
            },
            registry_version: 7,
            after: [0xab; 32],
            at: Timestamp::from_millis(0).expect("small"),
        };
        let shown = lines(&instruction, "example.org/1").join("\n");
        let after = "ab".repeat(32);
        for part in [
            "version-disable: 0a1b2c3d, of the encrypted elements of study",
            after.as_str(),
            "registry version 7",
            "1970-01-01T00:00:00",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
