//! Keys that have no versions of a line: of namespaces, of chains, of the audit log.

use std::fmt;
use std::sync::Arc;

use sluis_crypto::date_shift::DateShiftKey;
use sluis_crypto::signature::LogKey;
use sluis_crypto::{LinkKey, OptOutKey, Secret};
use sluis_domain::Timestamp;

/// The keys of a namespace, shared by all linked lines of it.
#[derive(Debug)]
pub struct NamespaceKeys {
    pub(crate) root: Secret,
    pub(crate) created_at: Timestamp,
    /// Makes link values.
    pub linked: Arc<LinkKey>,
    /// Makes opt-out marks.
    pub opt_out: OptOutKey,
}

impl NamespaceKeys {
    pub(crate) fn new(root: Secret, created_at: Timestamp) -> Self {
        Self {
            linked: Arc::new(LinkKey::linked(&root)),
            opt_out: OptOutKey::new(&root),
            root,
            created_at,
        }
    }
}

/// The keys of a chain.
#[derive(Debug)]
pub struct ChainKeys {
    pub(crate) root: Secret,
    pub(crate) created_at: Timestamp,
    /// Shifts dates.
    pub date_shift: Arc<DateShiftKey>,
}

impl ChainKeys {
    pub(crate) fn new(root: Secret, created_at: Timestamp) -> Self {
        Self {
            date_shift: Arc::new(DateShiftKey::new(&root)),
            root,
            created_at,
        }
    }
}

/// A key that signs heads of the audit log: Ed25519, its seed a root of the keyring.
pub struct AuditKey {
    pub(crate) seed: Secret,
    /// Which one it is, from 1. Older ones are kept, so that they can be named; only the last one signs.
    pub generation: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Signs.
    pub key: LogKey,
}

impl AuditKey {
    pub(crate) fn new(seed: Secret, generation: u32, created_at: Timestamp) -> Self {
        Self {
            key: LogKey::new(&seed),
            seed,
            generation,
            created_at,
        }
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey(generation {})", self.generation)
    }
}

/// The keyring master: wraps every other root.
#[derive(Debug)]
pub(crate) struct Master {
    pub(crate) secret: Secret,
    /// 1, and one more each time something was destroyed.
    pub(crate) generation: u32,
    pub(crate) created_at: Timestamp,
}
