//! The keyring over a store in memory: what changes mean, what is left in the store and in memory.

mod life;
mod memory;
mod model;
mod providers;
mod store;

use sluis_domain::{ChainId, Kid, NamespaceId, Timestamp};

use crate::{Change, Kek, KekRecord, Keyring, LineVersion, Protection};
use store::MapStore;

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).expect("before 9999")
}

fn kek() -> Kek {
    Kek::new(sluis_crypto::Secret::random(), Protection::Key)
}

fn chain(id: &str) -> ChainId {
    id.parse().expect("an id")
}

fn namespace() -> NamespaceId {
    "nl.bsn".parse().expect("an id")
}

/// A store with the keyring that is in it.
struct Desk {
    store: MapStore,
    kek: Kek,
    keyring: Keyring,
}

impl Desk {
    fn new(kek: Kek) -> Self {
        let store = MapStore::default();
        let (keyring, writes) = Keyring::create(&kek, time(1000));
        store.apply(writes);
        Self {
            store,
            kek,
            keyring,
        }
    }

    /// Two chains with a line each and one with encrypted elements; a's line has an older version.
    fn furnished() -> Self {
        let mut desk = Self::new(kek());
        desk.change(2000, |change| {
            change.ensure_namespace(&namespace());
            for id in ["a", "b"] {
                change.ensure_chain(&chain(id));
                change.new_line_version(&chain(id), &namespace());
            }
            change.new_element_version(&chain("a"));
        });
        desk.change(3000, |change| {
            drop(change.new_line_version(&chain("a"), &namespace()))
        });
        desk
    }

    /// Makes a change durable and in force.
    fn change<T>(&mut self, now: u64, make: impl FnOnce(&mut Change) -> T) -> T {
        let mut change = self.keyring.change(time(now));
        let made = make(&mut change);
        let (keyring, writes) = change.finish();
        self.store.apply(writes);
        self.keyring = keyring;
        made
    }

    fn reload(&self) -> Keyring {
        Keyring::load(&self.store, &self.kek).expect("opens")
    }

    fn kid(&self, chain_id: &str, generation: u32) -> Kid {
        let versions = self.keyring.versions();
        let mut of_chain = versions
            .iter()
            .filter(|info| info.chain == chain(chain_id) && info.namespace.is_some());
        of_chain
            .find(|info| info.generation == generation)
            .expect("there")
            .kid
    }

    fn record(&self) -> KekRecord {
        KekRecord::read(&self.store).expect("there")
    }
}

/// What a version makes of a subject; different keys make different ones.
fn pseudonym(version: &LineVersion) -> [u8; 16] {
    *version
        .pseudonym
        .pseudonym(&version.linked.link_value(b"x"))
        .as_bytes()
}

/// Everything that keys of a keyring make: the same for the same keys only.
fn traces(keyring: &Keyring) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for info in keyring.versions() {
        all.push(format!("{info:?}").into_bytes());
        if let Some(line) = keyring.line(info.kid) {
            let p = line.pseudonym.pseudonym(&line.linked.link_value(b"x"));
            all.push(p.as_bytes().to_vec());
            all.push(line.unlinked.link_value(b"x").expose().to_vec());
            all.push(
                line.escrow
                    .as_ref()
                    .map_or_else(Vec::new, |escrow| escrow.row_key(&p).to_vec()),
            );
        }
        if let Some(elements) = keyring.elements(info.kid) {
            all.push(elements.root.expose().to_vec());
        }
    }
    for (id, keys) in &keyring.namespaces {
        all.push(format!("{id} {:?}", keys.created_at).into_bytes());
        all.push(keys.linked.link_value(b"x").expose().to_vec());
    }
    for (id, keys) in &keyring.chains {
        all.push(format!("{id} {:?}", keys.created_at).into_bytes());
        all.push(keys.root.expose().to_vec());
    }
    for (generation, key) in keyring.audit_keys() {
        all.push(format!("{generation} {} {:?}", key.generation, key.created_at).into_bytes());
        all.push(key.key.public().to_vec());
    }
    all.push(keyring.state.key.expose().to_vec());
    all
}
