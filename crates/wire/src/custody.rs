//! Care of keys and store.

use sluis_domain::{ChainId, Kid, NamespaceId, Timestamp};

use crate::{Invalid, field, v1};

/// The state of a custodian.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustodyStatus {
    /// Version of the daemon.
    pub version: String,
    /// Version of the method.
    pub method: String,
    /// When the daemon started.
    pub started_at: Timestamp,
    /// Whether acts are accepted.
    pub serving: bool,
    /// Registry version in force.
    pub registry_version: u64,
    /// Number of audit entries.
    pub audit_entries: u64,
    /// All key versions.
    pub key_versions: Vec<KeyVersion>,
    /// Chains past their retention, which will be destroyed.
    pub expiring_chains: Vec<ExpiringChain>,
    /// Origin of the log.
    pub origin: String,
    /// Hash of the last act of custody, which the next instruction must name; `None` if the log cannot be read.
    pub custody_head: Option<[u8; 32]>,
    /// The time there.
    pub now: Timestamp,
}

/// What is public about a key version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyVersion {
    /// Its key id.
    pub kid: Kid,
    /// Its chain.
    pub chain: ChainId,
    /// Its namespace; `None` for the chain's encrypted elements.
    pub namespace: Option<NamespaceId>,
    /// What it may still do.
    pub state: KeyState,
    /// Version of the line, from 1.
    pub generation: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether something leads from its pseudonyms back and across.
    pub escrow: bool,
}

/// What a key version may still do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// Makes new pseudonyms or ciphertexts.
    Active,
    /// Only leads out: conversion and re-identification.
    ConvertOnly,
    /// Nothing.
    Disabled,
    /// Nothing, ever: its roots are gone.
    Destroyed,
}

/// A chain past its retention.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpiringChain {
    /// Its id.
    pub chain: ChainId,
    /// When its retention ended.
    pub retained_until: Timestamp,
    /// When its keys and rows will be gone.
    pub destroyed_at: Timestamp,
}

impl From<CustodyStatus> for v1::GetStatusResponse {
    fn from(status: CustodyStatus) -> Self {
        let versions = status.key_versions.iter();
        let expiring = status.expiring_chains.iter();
        Self {
            version: status.version,
            method: status.method,
            started_at: status.started_at.to_string(),
            serving: status.serving,
            registry_version: status.registry_version,
            audit_entries: status.audit_entries,
            key_versions: versions.map(v1::KeyVersion::from).collect(),
            expiring_chains: expiring.map(v1::ExpiringChain::from).collect(),
            origin: status.origin,
            custody_head: field::bytes(status.custody_head),
            now: status.now.to_string(),
        }
    }
}

impl TryFrom<v1::GetStatusResponse> for CustodyStatus {
    type Error = Invalid;

    fn try_from(wire: v1::GetStatusResponse) -> Result<Self, Invalid> {
        let head = Some(wire.custody_head).filter(|head| !head.is_empty());
        let head = head.map(|head| field::digest("custody_head", &head));
        Ok(Self {
            version: wire.version,
            method: wire.method,
            started_at: field::time("started_at", &wire.started_at)?,
            serving: wire.serving,
            registry_version: wire.registry_version,
            audit_entries: wire.audit_entries,
            key_versions: field::messages("key_versions", wire.key_versions)?,
            expiring_chains: field::messages("expiring_chains", wire.expiring_chains)?,
            origin: wire.origin,
            custody_head: head.transpose()?,
            now: field::time("now", &wire.now)?,
        })
    }
}

impl From<&KeyVersion> for v1::KeyVersion {
    fn from(version: &KeyVersion) -> Self {
        Self {
            kid: version.kid.to_string(),
            chain_id: version.chain.to_string(),
            namespace_id: field::text(version.namespace.as_ref()),
            state: v1::KeyState::from(version.state).into(),
            generation: version.generation,
            created_at: version.created_at.to_string(),
            escrow: version.escrow,
        }
    }
}

impl TryFrom<v1::KeyVersion> for KeyVersion {
    type Error = Invalid;

    fn try_from(wire: v1::KeyVersion) -> Result<Self, Invalid> {
        Ok(Self {
            kid: field::kid("kid", &wire.kid)?,
            chain: field::required("chain_id", &wire.chain_id)?,
            namespace: field::optional("namespace_id", &wire.namespace_id)?,
            state: parse_state(wire.state)?,
            generation: wire.generation,
            created_at: field::time("created_at", &wire.created_at)?,
            escrow: wire.escrow,
        })
    }
}

impl From<KeyState> for v1::KeyState {
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Active => Self::Active,
            KeyState::ConvertOnly => Self::ConvertOnly,
            KeyState::Disabled => Self::Disabled,
            KeyState::Destroyed => Self::Destroyed,
        }
    }
}

fn parse_state(wire: i32) -> Result<KeyState, Invalid> {
    match v1::KeyState::try_from(wire) {
        Ok(v1::KeyState::Active) => Ok(KeyState::Active),
        Ok(v1::KeyState::ConvertOnly) => Ok(KeyState::ConvertOnly),
        Ok(v1::KeyState::Disabled) => Ok(KeyState::Disabled),
        Ok(v1::KeyState::Destroyed) => Ok(KeyState::Destroyed),
        Ok(v1::KeyState::Unspecified) => Err(Invalid::missing("state")),
        Err(_) => Err(field::unknown("state", "a state")),
    }
}

impl From<&ExpiringChain> for v1::ExpiringChain {
    fn from(expiring: &ExpiringChain) -> Self {
        Self {
            chain_id: expiring.chain.to_string(),
            retained_until: expiring.retained_until.to_string(),
            destroyed_at: expiring.destroyed_at.to_string(),
        }
    }
}

impl TryFrom<v1::ExpiringChain> for ExpiringChain {
    type Error = Invalid;

    fn try_from(wire: v1::ExpiringChain) -> Result<Self, Invalid> {
        Ok(Self {
            chain: field::required("chain_id", &wire.chain_id)?,
            retained_until: field::time("retained_until", &wire.retained_until)?,
            destroyed_at: field::time("destroyed_at", &wire.destroyed_at)?,
        })
    }
}

/// What a custodian signed: the canonical bytes of an instruction, and the signature over its deed and them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedInstruction {
    /// The canonical bytes.
    pub canonical: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl From<SignedInstruction> for v1::SignedInstruction {
    fn from(signed: SignedInstruction) -> Self {
        Self {
            canonical: signed.canonical.into(),
            signature: signed.signature.into(),
        }
    }
}

/// What the bytes say is for the rules of instructions to judge.
impl TryFrom<v1::SignedInstruction> for SignedInstruction {
    type Error = Invalid;

    fn try_from(wire: v1::SignedInstruction) -> Result<Self, Invalid> {
        Ok(Self {
            canonical: wire.canonical.into(),
            signature: wire.signature.into(),
        })
    }
}

/// A backup that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backup {
    /// Directory on the custodian's machine.
    pub directory: String,
    /// Size of all backups in it.
    pub bytes: u64,
    /// Number of audit entries that it holds, at least.
    pub audit_entries: u64,
}

impl From<Backup> for v1::CreateBackupResponse {
    fn from(backup: Backup) -> Self {
        Self {
            directory: backup.directory,
            bytes: backup.bytes,
            audit_entries: backup.audit_entries,
        }
    }
}

impl From<v1::CreateBackupResponse> for Backup {
    fn from(wire: v1::CreateBackupResponse) -> Self {
        Self {
            directory: wire.directory,
            bytes: wire.bytes,
            audit_entries: wire.audit_entries,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> CustodyStatus {
        let at = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
        let states = [
            KeyState::Active,
            KeyState::ConvertOnly,
            KeyState::Disabled,
            KeyState::Destroyed,
        ];
        let version = |state| KeyVersion {
            kid: Kid::new(0x0a1b).expect("not zero"),
            chain: "c".parse().expect("an id"),
            namespace: "n".parse().ok().filter(|_| state == KeyState::Active),
            state,
            generation: 1,
            created_at: at,
            escrow: true,
        };
        CustodyStatus {
            version: "0.1.0".to_owned(),
            method: "sluis/1".to_owned(),
            started_at: at,
            serving: true,
            registry_version: 3,
            audit_entries: 7,
            key_versions: states.map(version).to_vec(),
            expiring_chains: vec![ExpiringChain {
                chain: "c".parse().expect("an id"),
                retained_until: at,
                destroyed_at: at.plus_millis(1),
            }],
            origin: "example.org/1".to_owned(),
            custody_head: Some([7; 32]),
            now: at,
        }
    }

    #[test]
    fn a_status_survives_the_way_out_and_in() {
        for custody_head in [Some([7; 32]), None] {
            let status = CustodyStatus {
                custody_head,
                ..status()
            };
            let wire = v1::GetStatusResponse::from(status.clone());
            assert_eq!(CustodyStatus::try_from(wire), Ok(status));
        }
    }

    #[test]
    fn errors_name_the_field() {
        type Break = fn(&mut v1::GetStatusResponse);
        let cases: [(Break, &str); 12] = [
            (|s| s.started_at.clear(), "started_at"),
            (|s| s.now = "now".into(), "now"),
            (|s| s.custody_head = vec![7; 31].into(), "custody_head"),
            (|s| s.key_versions[0].kid.clear(), "key_versions[0].kid"),
            (
                |s| s.key_versions[1].chain_id.clear(),
                "key_versions[1].chain_id",
            ),
            (
                |s| s.key_versions[0].namespace_id.push(' '),
                "key_versions[0].namespace_id",
            ),
            (|s| s.key_versions[2].state = 0, "key_versions[2].state"),
            (|s| s.key_versions[3].state = 99, "key_versions[3].state"),
            (
                |s| s.key_versions[0].created_at.clear(),
                "key_versions[0].created_at",
            ),
            (
                |s| s.expiring_chains[0].chain_id.clear(),
                "expiring_chains[0].chain_id",
            ),
            (
                |s| s.expiring_chains[0].retained_until.clear(),
                "expiring_chains[0].retained_until",
            ),
            (
                |s| s.expiring_chains[0].destroyed_at.clear(),
                "expiring_chains[0].destroyed_at",
            ),
        ];
        for (break_it, field) in cases {
            let mut wire = v1::GetStatusResponse::from(status());
            break_it(&mut wire);
            assert_eq!(CustodyStatus::try_from(wire).expect_err(field).field, field);
        }
    }
}
