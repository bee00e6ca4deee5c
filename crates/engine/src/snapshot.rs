//! What is in force: registry and keys together, replaced together.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_domain::{Identity, PublicKey};
use sluis_keyring::Keyring;
use sluis_ledger::registry::Registry;

use crate::Caller;
use crate::erasure::OptOuts;

/// A registry version.
#[derive(Debug)]
pub struct RegistryState {
    /// Its number; 0 = none applied yet.
    pub version: u64,
    /// Its meaning.
    pub registry: Registry,
    /// Its text as applied.
    pub toml: String,
}

/// Registry, keys, custodians and opt-outs at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) registry: Arc<RegistryState>,
    pub(crate) keyring: Arc<Keyring>,
    /// Who they are, with their pinned keys.
    pub(crate) custodians: Arc<BTreeMap<Identity, PublicKey>>,
    /// Who opted out.
    pub(crate) opt_outs: Arc<OptOuts>,
}

impl Snapshot {
    /// Whether the caller is one of the custodians, by name and by the key of their certificate.
    pub(crate) fn has_custodian_key(&self, caller: &Caller) -> bool {
        let pinned = self.custodians.get(&caller.identity);
        pinned.is_some() && pinned == caller.key.as_ref()
    }
}
