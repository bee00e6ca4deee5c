//! Marks of subjects that opted out: in memory for every batch, sealed in the store.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use sluis_crypto::LinkValue;
use sluis_crypto::opt_out::MARK_LEN;
use sluis_domain::NamespaceId;
use sluis_keyring::{Keyring, KeyringError, NamespaceKeys, StateSeal};
use sluis_port::{Family, Store, rows};

use crate::EngineError;
use crate::core::scan;

/// A mark.
pub(crate) type Mark = [u8; MARK_LEN];
/// Key and sealed value of a mark's row.
pub(crate) type MarkRow = (Vec<u8>, Vec<u8>);

/// All marks. Namespaces that no one opted out of cost nothing.
#[derive(Clone, Default)]
pub(crate) struct OptOuts(BTreeMap<NamespaceId, Arc<HashSet<Mark>>>);

impl OptOuts {
    /// All marks of a store.
    pub(crate) fn load(store: &dyn Store, keyring: &Keyring) -> Result<Self, EngineError> {
        let mut opt_outs = Self::default();
        for (key, stored) in scan::of_kind(store, rows::MARK)? {
            let (namespace, mark) = read(keyring.state(), &key, &stored)?;
            Arc::make_mut(opt_outs.0.entry(namespace).or_default()).insert(mark);
        }
        Ok(opt_outs)
    }

    /// The marks after some were added.
    pub(crate) fn with(
        &self,
        namespace: &NamespaceId,
        marks: impl IntoIterator<Item = Mark>,
    ) -> Self {
        let mut next = self.clone();
        Arc::make_mut(next.0.entry(namespace.clone()).or_default()).extend(marks);
        next
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(|marks| marks.len()).sum()
    }

    pub(crate) fn contains(&self, namespace: &NamespaceId, mark: &Mark) -> bool {
        self.0
            .get(namespace)
            .is_some_and(|marks| marks.contains(mark))
    }

    /// What tells opted-out subjects of a namespace; `None` if there are none.
    pub(crate) fn of(&self, keyring: &Keyring, namespace: &NamespaceId) -> Option<Marks> {
        let marks = self
            .0
            .get(namespace)
            .filter(|marks| !marks.is_empty())?
            .clone();
        Some(Marks {
            marks,
            keys: keyring.namespace(namespace)?.clone(),
        })
    }
}

/// Shows numbers only.
impl std::fmt::Debug for OptOuts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(
                self.0
                    .iter()
                    .map(|(namespace, marks)| (namespace, marks.len())),
            )
            .finish()
    }
}

/// Tells the opted-out subjects of one namespace.
#[derive(Clone)]
pub(crate) struct Marks {
    marks: Arc<HashSet<Mark>>,
    keys: Arc<NamespaceKeys>,
}

impl Marks {
    /// Whether the subject with this *linked* link value opted out.
    pub(crate) fn has(&self, linked: &LinkValue) -> bool {
        self.marks.contains(&self.keys.opt_out.mark(linked))
    }

    /// Whether the subject with this input of the method opted out; for lines without the linked link value.
    pub(crate) fn has_input(&self, x: &[u8]) -> bool {
        self.has(&self.keys.linked.link_value(x))
    }
}

/// The row of a mark.
pub(crate) fn row(seal: &StateSeal, namespace: &NamespaceId, mark: &Mark) -> MarkRow {
    let key = rows::mark_key(namespace, &digest(seal, namespace, mark));
    let sealed = seal.seal(Family::Optout, &key, 1, mark);
    (key, sealed)
}

/// Namespace and mark of a row.
pub(crate) fn read(
    seal: &StateSeal,
    key: &[u8],
    stored: &[u8],
) -> Result<(NamespaceId, Mark), KeyringError> {
    let corrupt = KeyringError::Corrupt("optout");
    let (namespace, named) = rows::read_mark_key(key).map_err(|_| corrupt.clone())?;
    let (_, value) = seal.open(Family::Optout, key, stored)?;
    let mark = value.try_into().map_err(|_| corrupt.clone())?;
    if digest(seal, &namespace, &mark) == named {
        Ok((namespace, mark))
    } else {
        Err(corrupt)
    }
}

fn digest(seal: &StateSeal, namespace: &NamespaceId, mark: &Mark) -> [u8; 32] {
    seal.fingerprint(&[b"opt-out", namespace.as_str().as_bytes(), mark])
}
