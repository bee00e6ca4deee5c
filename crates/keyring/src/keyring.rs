//! The keyring: snapshot and changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_crypto::date_shift::DateShiftKey;
use sluis_crypto::{LinkKey, Secret, random, wrap};
use sluis_domain::port::{Family, Store, Write};
use sluis_domain::{ChainId, Kid, NamespaceId};

use crate::entry::{Header, Role};
use crate::{ElementVersion, Kek, KeyState, KeyringError, LineVersion, StateSeal, VersionInfo};

const KEK_CHECK: &[u8] = b"kek-check";

#[derive(Clone, Debug)]
enum Version {
    Line(Arc<LineVersion>),
    Element(Arc<ElementVersion>),
}

impl Version {
    fn info(&self) -> &VersionInfo {
        match self {
            Self::Line(version) => &version.info,
            Self::Element(version) => &version.info,
        }
    }
}

/// An immutable snapshot of all keys, ready for use. Cloning shares the keys.
#[derive(Clone, Debug)]
pub struct Keyring {
    master: Arc<Secret>,
    state: Arc<StateSeal>,
    namespaces: BTreeMap<NamespaceId, Arc<LinkKey>>,
    chains: BTreeMap<ChainId, Arc<DateShiftKey>>,
    versions: BTreeMap<Kid, Version>,
    /// The active version of each line.
    active: BTreeMap<LineId, Kid>,
}

/// A key line: chain, and namespace or `None` for encrypted elements.
type LineId = (ChainId, Option<NamespaceId>);

impl Keyring {
    /// A new keyring and the writes that make it durable.
    pub fn create(kek: &Kek) -> (Self, Vec<Write>) {
        let (master, state) = (Secret::random(), Secret::random());
        let check = wrap::check_value(kek.secret());
        let writes = vec![
            Write { family: Family::Meta, key: KEK_CHECK.to_vec(), value: Some([&[1][..], &check].concat()) },
            Header::new(Role::Master).write(kek.secret(), &master),
            Header::new(Role::State).write(&master, &state),
        ];
        let keyring = Self {
            master: Arc::new(master),
            state: Arc::new(StateSeal::new(state)),
            namespaces: BTreeMap::new(),
            chains: BTreeMap::new(),
            versions: BTreeMap::new(),
            active: BTreeMap::new(),
        };
        (keyring, writes)
    }

    /// Opens the keyring of a store.
    ///
    /// # Errors
    /// [`KeyringError`]; a wrong KEK is told apart from damage.
    pub fn load(store: &dyn Store, kek: &Kek) -> Result<Self, KeyringError> {
        let check = store.get(Family::Meta, KEK_CHECK)?.ok_or(KeyringError::Absent)?;
        match check.split_first() {
            Some((1, value)) if value == wrap::check_value(kek.secret()) => {}
            Some((1, value)) if value.len() == 16 => return Err(KeyringError::WrongKek),
            _ => return Err(KeyringError::Corrupt("KEK check value")),
        }
        let master = Arc::new(open_single(store, Role::Master, kek.secret())?);
        let state = open_single(store, Role::State, &master)?;
        let mut keyring = Self {
            master,
            state: Arc::new(StateSeal::new(state)),
            namespaces: BTreeMap::new(),
            chains: BTreeMap::new(),
            versions: BTreeMap::new(),
            active: BTreeMap::new(),
        };
        keyring.load_roots(store)?;
        Ok(keyring)
    }

    fn load_roots(&mut self, store: &dyn Store) -> Result<(), KeyringError> {
        let mut lines = Vec::new();
        let mut escrows = BTreeMap::new();
        let mut start = vec![Role::Namespace as u8];
        loop {
            let page = store.scan(Family::Keyring, &start, 1000)?;
            let Some((last, _)) = page.last() else { break };
            start = [last, &[0][..]].concat();
            for (key, value) in &page {
                let (header, wrapped) = Header::read(key, value)?;
                let root = wrapped.open(&header, &self.master)?;
                self.take(header, root, &mut lines, &mut escrows)?;
            }
        }
        for (info, root) in lines {
            let incomplete = KeyringError::Corrupt("a line without its escrow or namespace root");
            let (of, escrow) = escrows.remove(&info.kid).ok_or(incomplete.clone())?;
            if of != info {
                return Err(KeyringError::Corrupt("an escrow root of another line or state"));
            }
            let linked = info.namespace.as_ref().and_then(|n| self.namespaces.get(n)).ok_or(incomplete)?.clone();
            let version = Arc::new(LineVersion::new(info, root, escrow, linked));
            self.admit(Version::Line(version))?;
        }
        if escrows.is_empty() { Ok(()) } else { Err(KeyringError::Corrupt("an escrow root without its line")) }
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

    fn take(
        &mut self,
        header: Header,
        root: Secret,
        lines: &mut Vec<(VersionInfo, Secret)>,
        escrows: &mut BTreeMap<Kid, (VersionInfo, Secret)>,
    ) -> Result<(), KeyringError> {
        let Header { role, namespace, chain, kid, state, generation } = header;
        let info = |kid, chain, namespace| VersionInfo { kid, chain, namespace, state, generation };
        match (role, namespace, chain, kid) {
            (Role::Namespace, Some(namespace), None, None) => {
                self.namespaces.insert(namespace, Arc::new(LinkKey::linked(&root)));
            }
            (Role::Chain, None, Some(chain), None) => {
                self.chains.insert(chain, Arc::new(DateShiftKey::new(&root)));
            }
            (Role::Line, Some(namespace), Some(chain), Some(kid)) => {
                lines.push((info(kid, chain, Some(namespace)), root));
            }
            (Role::Escrow, Some(namespace), Some(chain), Some(kid)) => {
                escrows.insert(kid, (info(kid, chain, Some(namespace)), root));
            }
            (Role::Element, None, Some(chain), Some(kid)) => {
                let version = ElementVersion { info: info(kid, chain, None), root };
                self.admit(Version::Element(Arc::new(version)))?;
            }
            _ => return Err(KeyringError::Corrupt("an entry with the wrong fields for its role")),
        }
        Ok(())
    }

    /// Seals governance values.
    pub fn state(&self) -> &Arc<StateSeal> {
        &self.state
    }

    /// The active version of a (chain, namespace) line.
    pub fn active_line(&self, chain: &ChainId, namespace: &NamespaceId) -> Option<&Arc<LineVersion>> {
        self.line(*self.active.get(&(chain.clone(), Some(namespace.clone())))?)
    }

    /// The active version of a chain's line of encrypted elements.
    pub fn active_elements(&self, chain: &ChainId) -> Option<&Arc<ElementVersion>> {
        self.elements(*self.active.get(&(chain.clone(), None))?)
    }

    /// The version of a (chain, namespace) line with this kid, whatever its state.
    pub fn line(&self, kid: Kid) -> Option<&Arc<LineVersion>> {
        match self.versions.get(&kid) {
            Some(Version::Line(line)) => Some(line),
            _ => None,
        }
    }

    /// The version of a line of encrypted elements with this kid, whatever its state.
    pub fn elements(&self, kid: Kid) -> Option<&Arc<ElementVersion>> {
        match self.versions.get(&kid) {
            Some(Version::Element(elements)) => Some(elements),
            _ => None,
        }
    }

    /// The date-shift key of a chain.
    pub fn date_shift(&self, chain: &ChainId) -> Option<&Arc<DateShiftKey>> {
        self.chains.get(chain)
    }

    /// What is public about every version, ordered by chain, namespace, generation.
    pub fn versions(&self) -> Vec<VersionInfo> {
        let mut all: Vec<_> = self.versions.values().map(|version| version.info().clone()).collect();
        all.sort_by(|a, b| (&a.chain, &a.namespace, a.generation).cmp(&(&b.chain, &b.namespace, b.generation)));
        all
    }

    /// Starts a change.
    pub fn change(&self) -> Change {
        Change { keyring: self.clone(), writes: Vec::new() }
    }

    fn new_kid(&self) -> Kid {
        loop {
            match Kid::from_be_bytes(random::bytes()) {
                Some(kid) if !self.versions.contains_key(&kid) => return kid,
                _ => {}
            }
        }
    }
}

fn open_single(store: &dyn Store, role: Role, wrapping: &Secret) -> Result<Secret, KeyringError> {
    let key = Header::new(role).key();
    let value = store.get(Family::Keyring, &key)?.ok_or(KeyringError::Corrupt("a master entry is missing"))?;
    let (header, wrapped) = Header::read(&key, &value)?;
    wrapped.open(&header, wrapping)
}

/// A changed keyring and the writes that make it durable.
#[derive(Debug)]
pub struct Change {
    keyring: Keyring,
    writes: Vec<Write>,
}

impl Change {
    /// The snapshot after the change and its writes.
    pub fn finish(self) -> (Keyring, Vec<Write>) {
        (self.keyring, self.writes)
    }

    /// A root for a namespace that has none yet.
    pub fn ensure_namespace(&mut self, namespace: &NamespaceId) {
        if !self.keyring.namespaces.contains_key(namespace) {
            let root = Secret::random();
            let header = Header { namespace: Some(namespace.clone()), ..Header::new(Role::Namespace) };
            self.writes.push(header.write(&self.keyring.master, &root));
            self.keyring.namespaces.insert(namespace.clone(), Arc::new(LinkKey::linked(&root)));
        }
    }

    /// A root for a chain that has none yet.
    pub fn ensure_chain(&mut self, chain: &ChainId) {
        if !self.keyring.chains.contains_key(chain) {
            let root = Secret::random();
            let header = Header { chain: Some(chain.clone()), ..Header::new(Role::Chain) };
            self.writes.push(header.write(&self.keyring.master, &root));
            self.keyring.chains.insert(chain.clone(), Arc::new(DateShiftKey::new(&root)));
        }
    }

    /// A new active version of a (chain, namespace) line; the version active until now becomes convert-only.
    ///
    /// # Panics
    /// If the namespace has no root: [`Self::ensure_namespace`] comes first.
    pub fn new_line_version(&mut self, chain: &ChainId, namespace: &NamespaceId) -> VersionInfo {
        let info = self.next_info(chain, Some(namespace));
        let linked = self.keyring.namespaces.get(namespace).expect("ensure_namespace comes first").clone();
        let version = LineVersion::new(info.clone(), Secret::random(), Secret::random(), linked);
        self.put(Version::Line(Arc::new(version)));
        info
    }

    /// A new active version of a chain's line of encrypted elements; the one before becomes convert-only.
    pub fn new_element_version(&mut self, chain: &ChainId) -> VersionInfo {
        let info = self.next_info(chain, None);
        self.put(Version::Element(Arc::new(ElementVersion { info: info.clone(), root: Secret::random() })));
        info
    }

    /// Moves a version to another state; `None` for an unknown one.
    pub fn set_state(&mut self, kid: Kid, state: KeyState) -> Option<VersionInfo> {
        let changed = |info: &VersionInfo| VersionInfo { state, ..info.clone() };
        // Secrets are not cloned: the copies are made of the exposed bytes and wiped with their version.
        let copy = |secret: &Secret| Secret::from_slice(secret.expose()).expect("a secret is 32 bytes");
        let version = match self.keyring.versions.get(&kid)? {
            Version::Line(old) => Version::Line(Arc::new(LineVersion::new(
                changed(&old.info),
                copy(&old.root),
                copy(&old.escrow_root),
                old.linked.clone(),
            ))),
            Version::Element(old) => {
                Version::Element(Arc::new(ElementVersion { info: changed(&old.info), root: copy(&old.root) }))
            }
        };
        let info = version.info().clone();
        self.put(version);
        Some(info)
    }

    /// What the next version of a line will be; retires the present one.
    fn next_info(&mut self, chain: &ChainId, namespace: Option<&NamespaceId>) -> VersionInfo {
        let present = self.keyring.active.get(&(chain.clone(), namespace.cloned())).copied();
        let retired = present.and_then(|kid| self.set_state(kid, KeyState::ConvertOnly));
        VersionInfo {
            kid: self.keyring.new_kid(),
            chain: chain.clone(),
            namespace: namespace.cloned(),
            state: KeyState::Active,
            generation: retired.map_or_else(|| self.last_generation(chain, namespace), |info| info.generation) + 1,
        }
    }

    /// The highest generation of a line without an active version; 0 for a new line.
    fn last_generation(&self, chain: &ChainId, namespace: Option<&NamespaceId>) -> u32 {
        let infos = self.keyring.versions.values().map(Version::info);
        let of_line = infos.filter(|info| info.chain == *chain && info.namespace.as_ref() == namespace);
        of_line.map(|info| info.generation).max().unwrap_or(0)
    }

    fn put(&mut self, version: Version) {
        let info = version.info().clone();
        let header = |role| Header {
            role,
            namespace: info.namespace.clone(),
            chain: Some(info.chain.clone()),
            kid: Some(info.kid),
            state: info.state,
            generation: info.generation,
        };
        let master = &self.keyring.master;
        match &version {
            Version::Line(line) => {
                self.writes.push(header(Role::Line).write(master, &line.root));
                self.writes.push(header(Role::Escrow).write(master, &line.escrow_root));
            }
            Version::Element(elements) => self.writes.push(header(Role::Element).write(master, &elements.root)),
        }
        let line = (info.chain, info.namespace);
        if info.state == KeyState::Active {
            self.keyring.active.insert(line, info.kid);
        } else if self.keyring.active.get(&line) == Some(&info.kid) {
            self.keyring.active.remove(&line);
        }
        self.keyring.versions.insert(info.kid, version);
    }
}
