//! Opening the keyring of a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_crypto::Secret;
use sluis_domain::Kid;
use sluis_port::{Family, Store};

use crate::entry::{Header, Role};
use crate::kek::record::KekRecord;
use crate::keyring::Sorted;
use crate::keys::Master;
use crate::version::Version;
use crate::{
    AuditKey, ChainKeys, ElementVersion, Kek, KeyState, Keyring, KeyringError, LineVersion,
    NamespaceKeys, StateSeal, VersionInfo,
};

/// Rows read at a time.
const PAGE: usize = 1000;

impl Keyring {
    /// Opens the keyring of a store.
    ///
    /// # Errors
    /// [`KeyringError`]; a wrong KEK is told apart from damage.
    pub fn load(store: &dyn Store, kek: &Kek) -> Result<Self, KeyringError> {
        KekRecord::read(store)?.admit(kek)?;
        let (header, secret) = open_single(store, Role::Master, kek.secret())?;
        let master = Master {
            secret,
            generation: header.generation,
            created_at: header.created_at,
        };
        let (header, state) = open_single(store, Role::State, &master.secret)?;
        let mut keyring = Self {
            kek: kek.clone(),
            master: Arc::new(master),
            state: Arc::new(StateSeal::new(state, header.created_at)),
            namespaces: BTreeMap::new(),
            chains: BTreeMap::new(),
            audit_keys: BTreeMap::new(),
            versions: BTreeMap::new(),
            active: BTreeMap::new(),
            sorted: Sorted::default(),
        };
        keyring.load_roots(store)?;
        Ok(keyring)
    }

    /// The keyring as it is in the store now, with the master and state key of this one: another daemon may have changed it.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn reload(&self, store: &dyn Store) -> Result<Self, KeyringError> {
        let mut keyring = Self {
            kek: self.kek.clone(),
            master: self.master.clone(),
            state: self.state.clone(),
            namespaces: BTreeMap::new(),
            chains: BTreeMap::new(),
            audit_keys: BTreeMap::new(),
            versions: BTreeMap::new(),
            active: BTreeMap::new(),
            sorted: Sorted::default(),
        };
        keyring.load_roots(store)?;
        Ok(keyring)
    }

    fn load_roots(&mut self, store: &dyn Store) -> Result<(), KeyringError> {
        let mut lines = Lines::default();
        let mut start = Header::single(Role::Namespace).to_vec();
        loop {
            let page = store.scan(Family::Keyring, &start, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            start = [last, &[0][..]].concat();
            for (key, value) in &page {
                let (header, wrapped) = Header::read(key, value)?;
                let root = wrapped.open(&header, &self.master.secret)?;
                self.take(header, root, &mut lines)?;
            }
        }
        self.take_lines(lines)?;
        // Generations count from 1, so a gap means that one was taken away.
        let last = self
            .audit_keys
            .last_key_value()
            .map_or(0, |(generation, _)| *generation);
        if last == 0 || self.audit_keys.len() != last as usize {
            return Err(KeyringError::Corrupt("an audit key is missing"));
        }
        Ok(())
    }

    fn take(
        &mut self,
        header: Header,
        root: Option<Secret>,
        lines: &mut Lines,
    ) -> Result<(), KeyringError> {
        let Header {
            role,
            namespace,
            chain,
            kid,
            state,
            generation,
            created_at,
        } = header;
        let info = |kid, chain, namespace| VersionInfo {
            kid,
            chain,
            namespace,
            state,
            generation,
            created_at,
            escrow: false,
        };
        match (role, namespace, chain, kid, root) {
            (Role::Namespace, Some(namespace), None, None, Some(root)) => {
                self.namespaces
                    .insert(namespace, Arc::new(NamespaceKeys::new(root, created_at)));
            }
            (Role::Chain, None, Some(chain), None, Some(root)) => {
                self.chains
                    .insert(chain, Arc::new(ChainKeys::new(root, created_at)));
            }
            (Role::AuditKey, None, None, None, Some(seed)) if generation > 0 => {
                self.audit_keys.insert(
                    generation,
                    Arc::new(AuditKey::new(seed, generation, created_at)),
                );
            }
            (Role::Line, Some(namespace), Some(chain), Some(kid), Some(root)) => {
                lines.roots.push((info(kid, chain, Some(namespace)), root));
            }
            (Role::Escrow, Some(namespace), Some(chain), Some(kid), root) => {
                lines
                    .escrows
                    .insert(kid, (info(kid, chain, Some(namespace)), root));
            }
            (Role::Element, None, Some(chain), Some(kid), Some(root)) => {
                let version = ElementVersion {
                    info: info(kid, chain, None),
                    root,
                };
                self.admit(Version::Element(Arc::new(version)))?;
            }
            (Role::Line, Some(namespace), Some(chain), Some(kid), None) => {
                self.admit(Version::Destroyed(info(kid, chain, Some(namespace))))?;
            }
            (Role::Element, None, Some(chain), Some(kid), None) => {
                self.admit(Version::Destroyed(info(kid, chain, None)))?;
            }
            _ => {
                return Err(KeyringError::Corrupt(
                    "an entry with the wrong fields for its role",
                ));
            }
        }
        Ok(())
    }

    /// Joins each line with its escrow root, or with the tombstone of a cut one.
    fn take_lines(&mut self, mut lines: Lines) -> Result<(), KeyringError> {
        for (info, root) in lines.roots {
            let incomplete = KeyringError::Corrupt("a line without its escrow or namespace root");
            let (of, escrow) = lines.escrows.remove(&info.kid).ok_or(incomplete.clone())?;
            // A tombstone keeps its own state, whatever becomes of the line.
            let of = if of.state == KeyState::Destroyed {
                VersionInfo {
                    state: info.state,
                    ..of
                }
            } else {
                of
            };
            if of != info {
                return Err(KeyringError::Corrupt(
                    "an escrow root of another line or state",
                ));
            }
            let keys = info
                .namespace
                .as_ref()
                .and_then(|id| self.namespaces.get(id))
                .ok_or(incomplete)?;
            let version = LineVersion::new(info, root, escrow, keys.linked.clone());
            self.admit(Version::Line(Arc::new(version)))?;
        }
        if lines.escrows.is_empty() {
            Ok(())
        } else {
            Err(KeyringError::Corrupt("an escrow root without its line"))
        }
    }

    /// Takes a loaded version in. A line has one active version.
    fn admit(&mut self, version: Version) -> Result<(), KeyringError> {
        let info = version.info().clone();
        let line = (info.chain.clone(), info.namespace.clone());
        if info.state == KeyState::Active && self.active.insert(line, info.kid).is_some() {
            return Err(KeyringError::Corrupt("a line with two active versions"));
        }
        match self.versions.insert(info.kid, version) {
            None => Ok(()),
            Some(_) => Err(KeyringError::Corrupt("two versions with one kid")),
        }
    }
}

/// Roots of (chain, namespace) lines until both halves are there.
#[derive(Default)]
struct Lines {
    roots: Vec<(VersionInfo, Secret)>,
    escrows: BTreeMap<Kid, (VersionInfo, Option<Secret>)>,
}

fn open_single(
    store: &dyn Store,
    role: Role,
    wrapping: &Secret,
) -> Result<(Header, Secret), KeyringError> {
    let missing = KeyringError::Corrupt("a master entry is missing");
    let key = Header::single(role);
    let value = store.get(Family::Keyring, &key)?.ok_or(missing.clone())?;
    let (header, wrapped) = Header::read(&key, &value)?;
    let root = wrapped.open(&header, wrapping)?.ok_or(missing)?;
    Ok((header, root))
}
