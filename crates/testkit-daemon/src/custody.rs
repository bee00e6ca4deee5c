//! What custodians do over the wire: acts that they sign.

use crate::raw::Services;
use sluis_client::{Client, ClientError, instruction};
use sluis_domain::{Kid, Timestamp};
use sluis_ledger::instruction::{Instruction, Task};
use sluis_wire::v1;

/// An instruction of this moment with the client's key. Of a client who may not ask for the state it is about nothing that
/// there is, and of one whose key cannot sign it has no signature.
pub async fn instruct(client: &Client, task: Task) -> v1::SignedInstruction {
    let status = client.custody_status().await.ok();
    let fits = status
        .as_ref()
        .and_then(|it| instruction(it, task.clone()).ok());
    let instruction = fits.unwrap_or(Instruction {
        task,
        registry_version: 0,
        after: [0; 32],
        at: Timestamp::default(),
    });
    let origin = status.map(|it| it.origin).unwrap_or_default();
    let canonical = instruction.encode();
    let signature = client
        .sign(instruction.task.deed(), &origin, &canonical)
        .await;
    v1::SignedInstruction {
        canonical: canonical.into(),
        signature: signature.unwrap_or_default().into(),
    }
}

/// New versions for one line of a chain; with an empty namespace, for all.
///
/// # Errors
/// The errors of the call.
///
/// # Panics
/// If the names are not ids.
pub async fn rotate_chain(
    client: &Client,
    chain: &str,
    namespace: &str,
) -> Result<v1::RotateChainResponse, ClientError> {
    let task = Task::RotateChain {
        chain: chain.parse().expect("an id"),
        namespace: Some(namespace)
            .filter(|id| !id.is_empty())
            .map(|id| id.parse().expect("an id")),
    };
    let request = v1::RotateChainRequest {
        instruction: Some(instruct(client, task).await),
    };
    Ok(client.custody().rotate_chain(request).await?.into_inner())
}

/// Disables a version. Of one that the client is not shown, it says so of chain `none`.
///
/// # Errors
/// The errors of the call.
///
/// # Panics
/// If the kid is none.
pub async fn disable_version(
    client: &Client,
    kid: &str,
) -> Result<v1::DisableVersionResponse, ClientError> {
    let number = u32::from_str_radix(kid, 16).ok().and_then(Kid::new);
    let kid = number.expect("eight hexadecimal digits");
    let status = client.custody_status().await.ok();
    let versions = status.iter().flat_map(|status| &status.key_versions);
    let known = versions.into_iter().find(|version| version.kid == kid);
    let task = Task::DisableVersion {
        kid,
        chain: known.map_or_else(|| "none".parse().expect("an id"), |it| it.chain.clone()),
        namespace: known.and_then(|it| it.namespace.clone()),
    };
    let request = v1::DisableVersionRequest {
        instruction: Some(instruct(client, task).await),
    };
    Ok(client
        .custody()
        .disable_version(request)
        .await?
        .into_inner())
}

/// Another signing key for the log.
///
/// # Errors
/// The errors of the call.
pub async fn rotate_audit_key(client: &Client) -> Result<v1::RotateAuditKeyResponse, ClientError> {
    let request = v1::RotateAuditKeyRequest {
        instruction: Some(instruct(client, Task::RotateAuditKey).await),
    };
    Ok(client
        .custody()
        .rotate_audit_key(request)
        .await?
        .into_inner())
}
