//! How many values a batch processed with which key versions.

use sluis_domain::Kid;
use sluis_keyring::VersionInfo;
use sluis_ledger::event::KeyUse;

/// Values by key version, in the order in which the versions were first used.
#[derive(Default)]
pub(crate) struct Uses(Vec<KeyUse>);

impl Uses {
    /// Counts values that were processed with a version.
    pub(crate) fn count(&mut self, version: &VersionInfo, values: u64) {
        match self.of(version.kid) {
            Some(used) => used.values += values,
            None => self.0.push(KeyUse {
                chain: version.chain.clone(),
                namespace: version.namespace.clone(),
                kid: version.kid,
                values,
            }),
        }
    }

    /// Adds what another part of the batch used.
    pub(crate) fn add(&mut self, other: Self) {
        for more in other.0 {
            match self.of(more.kid) {
                Some(used) => used.values += more.values,
                None => self.0.push(more),
            }
        }
    }

    /// As an entry names them.
    pub(crate) fn finish(self) -> Vec<KeyUse> {
        self.0
    }

    fn of(&mut self, kid: Kid) -> Option<&mut KeyUse> {
        self.0.iter_mut().find(|used| used.kid == kid)
    }
}
