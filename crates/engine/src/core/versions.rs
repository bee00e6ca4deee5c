//! Key versions: how many there may be, how entries name them, and which chains have none any more.

use std::collections::BTreeMap;

use sluis_domain::id::MAX_ID_LEN;
use sluis_domain::{ChainId, Kid};
use sluis_keyring::{KeyState, Keyring, VersionInfo};
use sluis_ledger::audit::MAX_ENTRY;
use sluis_ledger::event::{KeyVersion, LineVersion};
use sluis_ledger::statement::MAX_CERTIFICATE;

/// Most key versions that a chain has at a time: when it ends, its entry names all that are not destroyed, and a batch may use
/// all of them.
pub(crate) const MAX_VERSIONS: usize = 800;
/// Most bytes of an entry beside the key versions that it names, unless it bears a signature.
pub(crate) const BESIDE_VERSIONS: usize = 2_000;

/// Of a key use in an entry, at most: LP(namespace), kid, values.
const KEY_USE_BYTES: usize = 2 + MAX_ID_LEN + 4 + 8;
/// Of a new version in an entry, at most: LP(namespace), kid.
const MADE_BYTES: usize = 2 + MAX_ID_LEN + 4;

const _: () = assert!(MAX_VERSIONS * KEY_USE_BYTES + BESIDE_VERSIONS <= MAX_ENTRY);
const _: () = assert!(MAX_VERSIONS * MADE_BYTES + MAX_CERTIFICATE + 1_000 <= MAX_ENTRY);

/// Whether a chain had keys once and they were destroyed with it: it never gets new ones.
pub(crate) fn is_destroyed(keyring: &Keyring, chain: &ChainId) -> bool {
    keyring.chain_created(chain).is_none() && keyring.had_versions(chain)
}

/// A key version.
pub(crate) fn version(keyring: &Keyring, kid: Kid) -> Option<VersionInfo> {
    keyring.versions().into_iter().find(|info| info.kid == kid)
}

/// How many versions of each chain are not destroyed.
pub(crate) fn living(keyring: &Keyring) -> BTreeMap<ChainId, usize> {
    let mut living = BTreeMap::new();
    for info in keyring
        .versions()
        .into_iter()
        .filter(|info| info.state != KeyState::Destroyed)
    {
        *living.entry(info.chain).or_default() += 1;
    }
    living
}

/// A version as an audit entry names it.
pub(crate) fn key_version(info: &VersionInfo) -> KeyVersion {
    line_version(info).of(&info.chain)
}

/// A version as an audit entry about its chain names it.
pub(crate) fn line_version(info: &VersionInfo) -> LineVersion {
    LineVersion {
        namespace: info.namespace.clone(),
        kid: info.kid,
    }
}
