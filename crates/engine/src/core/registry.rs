//! Registry versions as they are stored.

use sluis_keyring::Keyring;
use sluis_ledger::registry::Registry;
use sluis_port::{Family, Store, rows};

use crate::EngineError;

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

/// Text of a registry version; `None` if there is no such version.
pub(crate) fn registry_text(
    store: &dyn Store,
    keyring: &Keyring,
    version: u64,
) -> Result<Option<String>, EngineError> {
    let key = rows::registry_key(version);
    let Some(stored) = store.get(Family::Registry, &key)? else {
        return Ok(None);
    };
    let (generation, toml) = keyring.state().open(Family::Registry, &key, &stored)?;
    let text = String::from_utf8(toml)
        .ok()
        .filter(|_| generation == version);
    text.map(Some).ok_or(EngineError::Corrupt("registry"))
}
