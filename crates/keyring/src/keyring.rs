//! The keyring: an immutable snapshot of all keys.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use sluis_crypto::Secret;
use sluis_crypto::date_shift::DateShiftKey;
use sluis_domain::{ChainId, Kid, NamespaceId, Timestamp};
use sluis_port::{Family, Write};

use crate::entry::{Header, Role, Stored};
use crate::kek::record::KekRecord;
use crate::keys::Master;
use crate::version::Version;
use crate::{
    AuditKey, ChainKeys, Change, ElementVersion, Kek, LineVersion, NamespaceKeys, StateSeal,
    VersionInfo,
};

/// An immutable snapshot of all keys, ready for use. Cloning shares the keys; the last clone wipes them.
#[derive(Clone, Debug)]
pub struct Keyring {
    pub(crate) kek: Kek,
    pub(crate) master: Arc<Master>,
    pub(crate) state: Arc<StateSeal>,
    pub(crate) namespaces: BTreeMap<NamespaceId, Arc<NamespaceKeys>>,
    pub(crate) chains: BTreeMap<ChainId, Arc<ChainKeys>>,
    pub(crate) audit_keys: BTreeMap<u32, Arc<AuditKey>>,
    pub(crate) versions: BTreeMap<Kid, Version>,
    /// The active version of each line.
    pub(crate) active: BTreeMap<LineId, Kid>,
    pub(crate) sorted: Sorted,
}

/// What is public about every version, in order: sorted once per keyring, when it is asked for first.
pub(crate) type Sorted = Arc<OnceLock<Vec<VersionInfo>>>;

/// A key line: chain, and namespace or `None` for encrypted elements.
pub(crate) type LineId = (ChainId, Option<NamespaceId>);

impl Keyring {
    /// A new keyring with its first audit key, and the writes that make it durable.
    pub fn create(kek: &Kek, now: Timestamp) -> (Self, Vec<Write>) {
        let keyring = Self {
            kek: kek.clone(),
            master: Arc::new(Master {
                secret: Secret::random(),
                generation: 1,
                created_at: now,
            }),
            state: Arc::new(StateSeal::new(Secret::random(), now)),
            namespaces: BTreeMap::new(),
            chains: BTreeMap::new(),
            audit_keys: BTreeMap::from([(1, Arc::new(AuditKey::new(Secret::random(), 1, now)))]),
            versions: BTreeMap::new(),
            active: BTreeMap::new(),
            sorted: Sorted::default(),
        };
        let mut writes = vec![KekRecord::of(kek).write()];
        writes.extend(keyring.stored().into_iter().map(|(key, value)| Write {
            family: Family::Keyring,
            key,
            value,
        }));
        (keyring, writes)
    }

    /// Seals governance values.
    pub fn state(&self) -> &Arc<StateSeal> {
        &self.state
    }

    /// The active version of a (chain, namespace) line.
    pub fn active_line(
        &self,
        chain: &ChainId,
        namespace: &NamespaceId,
    ) -> Option<&Arc<LineVersion>> {
        self.line(*self.active.get(&(chain.clone(), Some(namespace.clone())))?)
    }

    /// The active version of a chain's line of encrypted elements.
    pub fn active_elements(&self, chain: &ChainId) -> Option<&Arc<ElementVersion>> {
        self.elements(*self.active.get(&(chain.clone(), None))?)
    }

    /// The version of a (chain, namespace) line with this kid, in any state but destroyed.
    pub fn line(&self, kid: Kid) -> Option<&Arc<LineVersion>> {
        match self.versions.get(&kid) {
            Some(Version::Line(line)) => Some(line),
            _ => None,
        }
    }

    /// The version of a line of encrypted elements with this kid, in any state but destroyed.
    pub fn elements(&self, kid: Kid) -> Option<&Arc<ElementVersion>> {
        match self.versions.get(&kid) {
            Some(Version::Element(elements)) => Some(elements),
            _ => None,
        }
    }

    /// The keys of a namespace.
    pub fn namespace(&self, namespace: &NamespaceId) -> Option<&Arc<NamespaceKeys>> {
        self.namespaces.get(namespace)
    }

    /// The date-shift key of a chain.
    pub fn date_shift(&self, chain: &ChainId) -> Option<&Arc<DateShiftKey>> {
        self.chains.get(chain).map(|keys| &keys.date_shift)
    }

    /// When a chain got its first key; `None` if it has none, or they were destroyed.
    pub fn chain_created(&self, chain: &ChainId) -> Option<Timestamp> {
        self.chains.get(chain).map(|keys| keys.created_at)
    }

    /// Whether a chain has a version that is not destroyed: of each line that has any, one is active.
    pub fn is_keyed(&self, chain: &ChainId) -> bool {
        let mut lines = self.active.range((chain.clone(), None)..);
        lines.next().is_some_and(|((of, _), _)| of == chain)
    }

    /// The keys that have signed heads of the audit log, by generation; never empty.
    pub fn audit_keys(&self) -> &BTreeMap<u32, Arc<AuditKey>> {
        &self.audit_keys
    }

    /// The key that signs heads of the audit log now.
    pub fn current_audit_key(&self) -> &Arc<AuditKey> {
        self.audit_keys
            .last_key_value()
            .expect("a keyring is made with an audit key and loaded with one")
            .1
    }

    /// What is public about every version, ordered by chain, namespace, generation; destroyed ones too.
    pub fn versions(&self) -> Vec<VersionInfo> {
        self.sorted().to_vec()
    }

    /// Whether a chain has or had a version, destroyed ones too. Costs as little as [`Self::versions_of`].
    pub fn had_versions(&self, chain: &ChainId) -> bool {
        let all = self.sorted();
        let begin = all.partition_point(|info| info.chain < *chain);
        all.get(begin).is_some_and(|info| info.chain == *chain)
    }

    /// What is public about the versions of one line, from old to new; destroyed ones too. Costs nothing to speak of, so it
    /// serves each batch.
    pub fn versions_of(&self, chain: &ChainId, namespace: Option<&NamespaceId>) -> &[VersionInfo] {
        let all = self.sorted();
        let line = (chain, namespace);
        let begin = all.partition_point(|info| (&info.chain, info.namespace.as_ref()) < line);
        let rest = &all[begin..];
        let end = rest.partition_point(|info| (&info.chain, info.namespace.as_ref()) == line);
        &rest[..end]
    }

    fn sorted(&self) -> &[VersionInfo] {
        self.sorted.get_or_init(|| {
            let infos = self.versions.values().map(Version::info);
            let mut all: Vec<_> = infos.cloned().collect();
            all.sort_by(|a, b| {
                (&a.chain, &a.namespace, a.generation).cmp(&(&b.chain, &b.namespace, b.generation))
            });
            all
        })
    }

    /// Starts a change. `now` is when the keys that it makes were made.
    pub fn change(&self, now: Timestamp) -> Change {
        Change::new(self.clone(), now)
    }

    /// All entries, under the present master; `None` where there must be none.
    pub(crate) fn stored(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let master = &self.master.secret;
        let mut roots = vec![self.stored_master()];
        roots.push(Header::new(Role::State, self.state.created_at).wrap(master, &self.state.key));
        roots.extend(
            self.namespaces
                .iter()
                .map(|(id, keys)| stored_namespace(master, id, keys)),
        );
        roots.extend(
            self.chains
                .iter()
                .map(|(id, keys)| stored_chain(master, id, keys)),
        );
        roots.extend(
            self.audit_keys
                .values()
                .map(|key| stored_audit_key(master, key)),
        );
        let mut all: Vec<_> = roots
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        all.extend(
            self.versions
                .values()
                .flat_map(|version| version.stored(master)),
        );
        all
    }

    /// The entry of the master, under the KEK.
    pub(crate) fn stored_master(&self) -> Stored {
        let generation = self.master.generation;
        let header = Header {
            generation,
            ..Header::new(Role::Master, self.master.created_at)
        };
        header.wrap(self.kek.secret(), &self.master.secret)
    }
}

pub(crate) fn stored_namespace(master: &Secret, id: &NamespaceId, keys: &NamespaceKeys) -> Stored {
    let header = Header {
        namespace: Some(id.clone()),
        ..Header::new(Role::Namespace, keys.created_at)
    };
    header.wrap(master, &keys.root)
}

pub(crate) fn stored_chain(master: &Secret, id: &ChainId, keys: &ChainKeys) -> Stored {
    Header {
        chain: Some(id.clone()),
        ..Header::new(Role::Chain, keys.created_at)
    }
    .wrap(master, &keys.root)
}

pub(crate) fn stored_audit_key(master: &Secret, key: &AuditKey) -> Stored {
    let header = Header {
        generation: key.generation,
        ..Header::new(Role::AuditKey, key.created_at)
    };
    header.wrap(master, &key.seed)
}
