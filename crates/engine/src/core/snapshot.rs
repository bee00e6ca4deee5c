//! What is in force, replaced together.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::{Identity, PublicKey};
use sluis_keyring::Keyring;
use sluis_ledger::State;
use sluis_ledger::registry::Registry;
use sluis_port::Store;

use crate::core::log::compare;
use crate::core::opt_outs::OptOuts;
use crate::core::registry::{RegistryState, registry_text};
use crate::{Caller, EngineError};

/// What is in force at one moment: the sum of the log, and what the log only names.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// The number of governed acts before it.
    pub(crate) epoch: u64,
    /// What the log says: grants, proposals, key versions. Its counters lag behind.
    pub(crate) state: Arc<State>,
    pub(crate) registry: Arc<RegistryState>,
    pub(crate) keyring: Arc<Keyring>,
    /// Who they are, with their pinned keys.
    pub(crate) custodians: Arc<BTreeMap<Identity, PublicKey>>,
    /// Who opted out.
    pub(crate) opt_outs: Arc<OptOuts>,
}

impl Snapshot {
    /// What is in force in a store, from what its log says. Registry text, keys and opt-outs are rows that the log only names,
    /// so they are compared with it.
    ///
    /// # Errors
    /// [`EngineError::Differs`], [`EngineError::Registry`], [`EngineError::SharedKey`], and the errors of reading the rows.
    pub(crate) fn read(
        store: &dyn Store,
        keyring: Keyring,
        custodians: Arc<BTreeMap<Identity, PublicKey>>,
        state: State,
        epoch: u64,
    ) -> Result<Self, EngineError> {
        let registry = registry(store, &keyring, &custodians, &state)?;
        let opt_outs = OptOuts::load(store, &keyring)?;
        compare::rows(&state, &keyring, &opt_outs)?;
        Ok(Self {
            epoch,
            state: Arc::new(state),
            registry: Arc::new(registry),
            keyring: Arc::new(keyring),
            custodians,
            opt_outs: Arc::new(opt_outs),
        })
    }

    /// Whether the caller is one of the custodians, by name and by the key of their certificate.
    pub(crate) fn has_custodian_key(&self, caller: &Caller) -> bool {
        let pinned = self.custodians.get(&caller.identity);
        pinned.is_some() && pinned == caller.key.as_ref()
    }
}

fn registry(
    store: &dyn Store,
    keyring: &Keyring,
    custodians: &BTreeMap<Identity, PublicKey>,
    state: &State,
) -> Result<RegistryState, EngineError> {
    let version = state.registry_version();
    if version == 0 {
        return Ok(RegistryState {
            version,
            registry: Registry::empty(),
            toml: String::new(),
        });
    }
    let text = registry_text(store, keyring, version)?;
    let toml = text.ok_or(EngineError::Corrupt("registry"))?;
    if sha256(toml.as_bytes()) != *state.registry_digest() {
        return Err(EngineError::Differs("the text of the registry".to_owned()));
    }
    let names: Vec<_> = custodians.keys().cloned().collect();
    let registry = Registry::parse(&toml, &names).map_err(EngineError::Registry)?;
    let is_custodians = |key: &PublicKey| custodians.values().any(|own| own == key);
    if registry.keys().any(|(_, key)| is_custodians(key)) {
        return Err(EngineError::SharedKey);
    }
    Ok(RegistryState {
        version,
        registry,
        toml,
    })
}
