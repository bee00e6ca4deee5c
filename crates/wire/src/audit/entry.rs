//! An entry of the audit log, in words beside its canonical bytes. Only those are evidence.

use bytes::Bytes;
use sluis_ledger::event::{Entry, KeyUse};

use crate::{field, v1};

/// An entry as a custodian describes it. Digests are empty, texts empty and numbers 0 where an entry has none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct EntryView {
    pub sequence: u64,
    /// The canonical bytes.
    pub canonical: Bytes,
    pub at: String,
    pub act: String,
    pub actor: String,
    pub certificate_fingerprint: Bytes,
    pub chain: String,
    pub to_chain: String,
    pub keys: Vec<KeyUseView>,
    pub object_digest: Bytes,
    pub grant: String,
    pub grant_digest: Bytes,
    pub purpose: String,
    pub rows: u64,
    pub values: u64,
    pub rejected: u64,
    pub outcome: String,
    pub reason: String,
    pub registry_version: u64,
    pub counter: u64,
    pub signers: Vec<String>,
}

/// A key version that was used, and for how many values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct KeyUseView {
    pub namespace: String,
    pub kid: String,
    pub values: u64,
}

impl EntryView {
    /// An entry with its sequence and canonical bytes.
    pub fn new(sequence: u64, canonical: Vec<u8>, entry: Entry) -> Self {
        let Entry { header, event } = entry;
        let (outcome, reason) = match event.refused() {
            None => ("done", ""),
            Some(reason) => ("refused", reason.code()),
        };
        let counts = event.counts();
        let fingerprint = header.caller.as_ref().map(|caller| caller.fingerprint);
        let signers = event.signatures().iter().map(|one| &one.signer);
        Self {
            sequence,
            canonical: canonical.into(),
            at: header.at.to_string(),
            act: event.act().as_str().to_owned(),
            certificate_fingerprint: field::bytes(fingerprint),
            chain: field::text(event.chain()),
            to_chain: field::text(event.to_chain()),
            keys: event.keys().iter().map(KeyUseView::from).collect(),
            object_digest: field::bytes(event.object_digest()),
            grant: field::text(event.grant()),
            grant_digest: field::bytes(event.grant_digest()),
            purpose: event.purpose().to_owned(),
            rows: counts.rows,
            values: counts.values,
            rejected: counts.rejected,
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
            registry_version: header.registry_version,
            counter: counts.counter,
            signers: field::texts(signers),
            actor: field::text(header.caller.map(|caller| caller.identity)),
        }
    }
}

impl From<&KeyUse> for KeyUseView {
    fn from(key: &KeyUse) -> Self {
        Self {
            namespace: field::text(key.namespace.as_ref()),
            kid: key.kid.to_string(),
            values: key.values,
        }
    }
}

impl From<EntryView> for v1::AuditEntry {
    fn from(entry: EntryView) -> Self {
        Self {
            sequence: entry.sequence,
            canonical: entry.canonical,
            at: entry.at,
            act: entry.act,
            actor: entry.actor,
            certificate_fingerprint: entry.certificate_fingerprint,
            chain_id: entry.chain,
            to_chain_id: entry.to_chain,
            keys: entry.keys.into_iter().map(v1::KeyUse::from).collect(),
            object_digest: entry.object_digest,
            grant_id: entry.grant,
            grant_digest: entry.grant_digest,
            purpose: entry.purpose,
            rows: entry.rows,
            values: entry.values,
            rejected: entry.rejected,
            outcome: entry.outcome,
            reason: entry.reason,
            registry_version: entry.registry_version,
            counter: entry.counter,
            signers: entry.signers,
        }
    }
}

impl From<v1::AuditEntry> for EntryView {
    fn from(wire: v1::AuditEntry) -> Self {
        Self {
            sequence: wire.sequence,
            canonical: wire.canonical,
            at: wire.at,
            act: wire.act,
            actor: wire.actor,
            certificate_fingerprint: wire.certificate_fingerprint,
            chain: wire.chain_id,
            to_chain: wire.to_chain_id,
            keys: wire.keys.into_iter().map(KeyUseView::from).collect(),
            object_digest: wire.object_digest,
            grant: wire.grant_id,
            grant_digest: wire.grant_digest,
            purpose: wire.purpose,
            rows: wire.rows,
            values: wire.values,
            rejected: wire.rejected,
            outcome: wire.outcome,
            reason: wire.reason,
            registry_version: wire.registry_version,
            counter: wire.counter,
            signers: wire.signers,
        }
    }
}

impl From<KeyUseView> for v1::KeyUse {
    fn from(key: KeyUseView) -> Self {
        Self {
            namespace_id: key.namespace,
            kid: key.kid,
            values: key.values,
        }
    }
}

impl From<v1::KeyUse> for KeyUseView {
    fn from(wire: v1::KeyUse) -> Self {
        Self {
            namespace: wire.namespace_id,
            kid: wire.kid,
            values: wire.values,
        }
    }
}
