//! Changes: a new snapshot, and the writes that make it durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_crypto::{Secret, random};
use sluis_domain::{ChainId, Kid, NamespaceId, Timestamp};
use sluis_port::{Family, Write};

use crate::kek::record::KekRecord;
use crate::keyring::Sorted;
use crate::keyring::{stored_audit_key, stored_chain, stored_namespace};
use crate::keys::Master;
use crate::version::Version;
use crate::{
    AuditKey, ChainKeys, ChangeError, ElementVersion, Kek, KeyState, Keyring, LineVersion,
    NamespaceKeys, VersionInfo,
};

/// A changed keyring and the writes that make it durable.
///
/// What destroys something, or moves to another KEK, also makes a new keyring master: the survivors are wrapped under it,
/// over their old wraps, in the same commit. What was destroyed is then wrapped nowhere in the store, and the master that
/// could open an old copy of it is gone from the store too. Backups made before hold both still, under the KEK of their
/// day; one who opens one of them has the master of that day, which opens nothing that is wrapped later.
#[derive(Debug)]
pub struct Change {
    keyring: Keyring,
    now: Timestamp,
    /// Keyring entries by key; `None` deletes.
    entries: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    kek: Option<Write>,
    new_master: bool,
}

impl Change {
    pub(crate) fn new(keyring: Keyring, now: Timestamp) -> Self {
        Self {
            keyring,
            now,
            entries: BTreeMap::new(),
            kek: None,
            new_master: false,
        }
    }

    /// The snapshot after the change and its writes.
    pub fn finish(mut self) -> (Keyring, Vec<Write>) {
        if self.new_master {
            let generation = self.keyring.master.generation + 1;
            self.keyring.master = Arc::new(Master {
                secret: Secret::random(),
                generation,
                created_at: self.now,
            });
            self.entries.extend(self.keyring.stored());
        }
        let entries = self.entries.into_iter().map(|(key, value)| Write {
            family: Family::Keyring,
            key,
            value,
        });
        (self.keyring, self.kek.into_iter().chain(entries).collect())
    }

    /// A root for a namespace that has none yet.
    pub fn ensure_namespace(&mut self, namespace: &NamespaceId) {
        if !self.keyring.namespaces.contains_key(namespace) {
            let keys = NamespaceKeys::new(Secret::random(), self.now);
            self.put(stored_namespace(
                &self.keyring.master.secret,
                namespace,
                &keys,
            ));
            self.keyring
                .namespaces
                .insert(namespace.clone(), Arc::new(keys));
        }
    }

    /// A root for a chain that has none yet.
    pub fn ensure_chain(&mut self, chain: &ChainId) {
        if !self.keyring.chains.contains_key(chain) {
            let keys = ChainKeys::new(Secret::random(), self.now);
            self.put(stored_chain(&self.keyring.master.secret, chain, &keys));
            self.keyring.chains.insert(chain.clone(), Arc::new(keys));
        }
    }

    /// A new active version of a (chain, namespace) line; the version active until now becomes convert-only.
    ///
    /// # Panics
    /// If the namespace has no root: [`Self::ensure_namespace`] comes first.
    pub fn new_line_version(&mut self, chain: &ChainId, namespace: &NamespaceId) -> VersionInfo {
        let info = self.next_info(chain, Some(namespace));
        let linked = self
            .keyring
            .namespaces
            .get(namespace)
            .expect("ensure_namespace comes first")
            .linked
            .clone();
        let version = LineVersion::new(
            info.clone(),
            Secret::random(),
            Some(Secret::random()),
            linked,
        );
        self.put_version(Version::Line(Arc::new(version)));
        info
    }

    /// A new active version of a chain's line of encrypted elements; the one before becomes convert-only.
    pub fn new_element_version(&mut self, chain: &ChainId) -> VersionInfo {
        let info = self.next_info(chain, None);
        self.put_version(Version::Element(Arc::new(ElementVersion {
            info: info.clone(),
            root: Secret::random(),
        })));
        info
    }

    /// Disables a convert-only version: nothing can be done with it until it is destroyed.
    ///
    /// # Errors
    /// [`ChangeError::UnknownVersion`]; [`ChangeError::State`] unless it is convert-only.
    pub fn disable(&mut self, kid: Kid) -> Result<VersionInfo, ChangeError> {
        self.in_state(kid, |state| state == KeyState::ConvertOnly)?;
        Ok(self.set_state(kid, KeyState::Disabled))
    }

    /// Destroys a disabled version: its roots are gone for ever, and with them what its pseudonyms or ciphertexts mean.
    /// What is public about it is kept, so that its kid is known and never used again.
    ///
    /// # Errors
    /// [`ChangeError::UnknownVersion`]; [`ChangeError::State`] unless it is disabled.
    pub fn destroy(&mut self, kid: Kid) -> Result<VersionInfo, ChangeError> {
        self.in_state(kid, |state| state == KeyState::Disabled)?;
        Ok(self.bury(kid))
    }

    /// Cuts the escrow of a version: its pseudonyms stay the same, and nothing leads from them back or across any more.
    ///
    /// # Errors
    /// [`ChangeError::UnknownVersion`]; [`ChangeError::State`] if it is destroyed; [`ChangeError::NoEscrow`] if it was
    /// cut before or is a line of encrypted elements.
    pub fn cut_escrow(&mut self, kid: Kid) -> Result<VersionInfo, ChangeError> {
        self.in_state(kid, |state| state != KeyState::Destroyed)?;
        let line = self
            .keyring
            .line(kid)
            .filter(|line| line.escrow_root.is_some())
            .ok_or(ChangeError::NoEscrow)?;
        let version = LineVersion::new(
            line.info.clone(),
            copy(&line.root),
            None,
            line.linked.clone(),
        );
        let info = version.info.clone();
        self.put_version(Version::Line(Arc::new(version)));
        self.new_master = true;
        Ok(info)
    }

    /// Destroys every version of a chain, whatever its state, and the chain's root. The roots of its namespaces stay: other
    /// chains use them. What was destroyed just now; empty for a chain without keys.
    pub fn destroy_chain(&mut self, chain: &ChainId) -> Vec<VersionInfo> {
        if let Some(keys) = self.keyring.chains.remove(chain) {
            let (key, _) = stored_chain(&self.keyring.master.secret, chain, &keys);
            self.entries.insert(key, None);
            self.new_master = true;
        }
        let infos = self.keyring.versions().into_iter();
        let living = infos.filter(|info| info.chain == *chain && info.state != KeyState::Destroyed);
        let kids: Vec<_> = living.map(|info| info.kid).collect();
        kids.into_iter().map(|kid| self.bury(kid)).collect()
    }

    /// A new key for the heads of the audit log. The ones before are kept.
    pub fn rotate_audit_key(&mut self) -> Arc<AuditKey> {
        let generation = self.keyring.current_audit_key().generation + 1;
        let key = Arc::new(AuditKey::new(Secret::random(), generation, self.now));
        self.put(stored_audit_key(&self.keyring.master.secret, &key));
        self.keyring.audit_keys.insert(generation, key.clone());
        key
    }

    /// Puts the keyring under another KEK, from the same or another kind of place, and under a new master: the old KEK
    /// opens the old master wherever a copy of its wrap is left, and that must open nothing of later. No root changes, so
    /// no pseudonym does. What was there to come back to the old KEK (check values of shares, the KEK as wrapped by a
    /// token) is overwritten.
    pub fn rotate_kek(&mut self, kek: &Kek) {
        self.keyring.kek = kek.clone();
        self.kek = Some(KekRecord::of(kek).write());
        self.new_master = true;
    }

    fn in_state(&self, kid: Kid, fits: impl FnOnce(KeyState) -> bool) -> Result<(), ChangeError> {
        let state = self
            .keyring
            .versions
            .get(&kid)
            .ok_or(ChangeError::UnknownVersion)?
            .info()
            .state;
        if fits(state) {
            Ok(())
        } else {
            Err(ChangeError::State)
        }
    }

    /// Moves a version that is there and not destroyed to another state.
    fn set_state(&mut self, kid: Kid, state: KeyState) -> VersionInfo {
        let present = &self.keyring.versions[&kid];
        let info = VersionInfo {
            state,
            ..present.info().clone()
        };
        let version = match present {
            Version::Line(old) => Version::Line(Arc::new(LineVersion::new(
                info,
                copy(&old.root),
                old.escrow_root.as_ref().map(copy),
                old.linked.clone(),
            ))),
            Version::Element(old) => Version::Element(Arc::new(ElementVersion {
                info,
                root: copy(&old.root),
            })),
            Version::Destroyed(info) => return info.clone(),
        };
        let info = version.info().clone();
        self.put_version(version);
        info
    }

    /// Makes a tombstone of a version that is there.
    fn bury(&mut self, kid: Kid) -> VersionInfo {
        let present = self.keyring.versions[&kid].info().clone();
        let info = VersionInfo {
            state: KeyState::Destroyed,
            escrow: false,
            ..present
        };
        self.put_version(Version::Destroyed(info.clone()));
        self.new_master = true;
        info
    }

    /// What the next version of a line will be; retires the present one.
    fn next_info(&mut self, chain: &ChainId, namespace: Option<&NamespaceId>) -> VersionInfo {
        let present = self
            .keyring
            .active
            .get(&(chain.clone(), namespace.cloned()))
            .copied();
        let retired = present.map(|kid| self.set_state(kid, KeyState::ConvertOnly));
        VersionInfo {
            kid: self.new_kid(),
            chain: chain.clone(),
            namespace: namespace.cloned(),
            state: KeyState::Active,
            generation: retired.map_or_else(
                || self.last_generation(chain, namespace),
                |info| info.generation,
            ) + 1,
            created_at: self.now,
            escrow: namespace.is_some(),
        }
    }

    /// The highest generation of a line without an active version; 0 for a new line.
    fn last_generation(&self, chain: &ChainId, namespace: Option<&NamespaceId>) -> u32 {
        let infos = self.keyring.versions.values().map(Version::info);
        let of_line =
            infos.filter(|info| info.chain == *chain && info.namespace.as_ref() == namespace);
        of_line.map(|info| info.generation).max().unwrap_or(0)
    }

    fn new_kid(&self) -> Kid {
        loop {
            match Kid::from_be_bytes(random::bytes()) {
                Some(kid) if !self.keyring.versions.contains_key(&kid) => return kid,
                _ => {}
            }
        }
    }

    fn put(&mut self, (key, value): (Vec<u8>, Vec<u8>)) {
        self.entries.insert(key, Some(value));
    }

    fn put_version(&mut self, version: Version) {
        self.entries
            .extend(version.stored(&self.keyring.master.secret));
        let info = version.info();
        let (kid, line) = (info.kid, (info.chain.clone(), info.namespace.clone()));
        if info.state == KeyState::Active {
            self.keyring.active.insert(line, kid);
        } else if self.keyring.active.get(&line) == Some(&kid) {
            self.keyring.active.remove(&line);
        }
        self.keyring.versions.insert(kid, version);
        // Sorted before, if at all.
        self.keyring.sorted = Sorted::default();
    }
}

/// Secrets are not cloned: a copy is made of the exposed bytes, and wiped with its version.
fn copy(secret: &Secret) -> Secret {
    Secret::from_slice(secret.expose()).expect("a secret is 32 bytes")
}
