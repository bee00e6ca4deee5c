//! Audit entries.

use bytes::Bytes;
use sluis_ledger::audit::{Entry, KeyUse, Outcome};
use sluis_proto::v1;

/// An entry with its sequence and canonical bytes.
pub(crate) fn entry(sequence: u64, canonical: Vec<u8>, entry: Entry) -> v1::AuditEntry {
    let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
    let (outcome, reason) = match entry.outcome {
        Outcome::Done => ("done", ""),
        Outcome::Refused(reason) => ("refused", reason.code()),
    };
    v1::AuditEntry {
        sequence,
        canonical: canonical.into(),
        at: entry.at.to_string(),
        act: entry.act.as_str().to_owned(),
        actor: entry
            .actor
            .map(|identity| identity.to_string())
            .unwrap_or_default(),
        certificate_fingerprint: entry.fingerprint.to_vec().into(),
        chain_id: text(entry.chain.as_ref().map(AsRef::as_ref)),
        to_chain_id: text(entry.to_chain.as_ref().map(AsRef::as_ref)),
        keys: entry.keys.iter().map(key_use).collect(),
        object_digest: entry
            .object_digest
            .map(|d| d.to_vec())
            .unwrap_or_default()
            .into(),
        grant_id: text(entry.grant.as_ref().map(AsRef::as_ref)),
        grant_digest: entry
            .grant_digest
            .map(|d| d.to_vec())
            .unwrap_or_default()
            .into(),
        purpose: entry.purpose,
        rows: entry.rows,
        values: entry.values,
        rejected: entry.rejected,
        outcome: outcome.to_owned(),
        reason: reason.to_owned(),
        registry_version: entry.registry_version,
        counter: entry.counter,
        signers: entry
            .signatures
            .iter()
            .map(|(signer, _)| signer.to_string())
            .collect(),
    }
}

/// Hashes of a proof.
pub(crate) fn hashes<'a>(hashes: impl IntoIterator<Item = &'a [u8; 32]>) -> Vec<Bytes> {
    hashes
        .into_iter()
        .map(|hash| Bytes::copy_from_slice(hash))
        .collect()
}

fn key_use(key: &KeyUse) -> v1::KeyUse {
    v1::KeyUse {
        namespace_id: key
            .namespace
            .as_ref()
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default(),
        kid: key.kid.to_string(),
        values: key.values,
    }
}
