//! The keyring as stored: it opens with its own key and unchanged only.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;

use sluis_domain::{ChainId, Column, Kid, NamespaceId, Timestamp};
use sluis_keyring::{Change, Kek, KeyState, Keyring, KeyringError, LineVersion};
use sluis_port::store::{Commit, Completion, Family, Range, Row, Store, StoreError, Write};
use sluis_testkit::model_store::ModelStore;

fn kek() -> Kek {
    let directory = tempfile::tempdir().unwrap();
    Kek::generate_file(&directory.path().join("kek")).unwrap()
}

fn chain(id: &str) -> ChainId {
    id.parse().unwrap()
}

fn namespace() -> NamespaceId {
    "nl.bsn".parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000).unwrap()
}

fn put(store: &ModelStore, writes: Vec<Write>) {
    store
        .commit(Commit {
            writes,
            ..Commit::default()
        })
        .unwrap();
}

/// Makes a change durable and gives the keyring after it.
fn change(store: &ModelStore, keyring: &Keyring, make: impl FnOnce(&mut Change)) -> Keyring {
    let mut change = keyring.change(now());
    make(&mut change);
    let (keyring, writes) = change.finish();
    put(store, writes);
    keyring
}

/// Two chains with a line each, one of them with encrypted elements, and one line with an older version.
fn furnished(kek: &Kek) -> (ModelStore, Keyring) {
    let store = ModelStore::new();
    let (keyring, writes) = Keyring::create(kek, now());
    put(&store, writes);
    let keyring = change(&store, &keyring, |change| {
        change.ensure_namespace(&namespace());
        for id in ["a", "b"] {
            change.ensure_chain(&chain(id));
            change.new_line_version(&chain(id), &namespace());
        }
        change.new_element_version(&chain("a"));
    });
    let keyring = change(&store, &keyring, |change| {
        drop(change.new_line_version(&chain("a"), &namespace()))
    });
    (store, keyring)
}

/// What a version makes of a subject; different keys make different ones.
fn pseudonym(version: &LineVersion, x: &[u8]) -> [u8; 16] {
    *version
        .pseudonym
        .pseudonym(&version.linked.link_value(x))
        .as_bytes()
}

fn same_keys(one: &Keyring, other: &Keyring) {
    assert_eq!(one.versions(), other.versions());
    for kid in one.versions().iter().map(|info| info.kid) {
        let (Some(a), Some(b)) = (one.line(kid), other.line(kid)) else {
            assert!(one.elements(kid).is_some() && other.elements(kid).is_some());
            continue;
        };
        assert_eq!(pseudonym(a, b"x"), pseudonym(b, b"x"));
        assert_eq!(a.unlinked.link_value(b"x"), b.unlinked.link_value(b"x"));
        let p = a.pseudonym.pseudonym(&a.linked.link_value(b"x"));
        let sealed = a
            .escrow
            .as_ref()
            .unwrap()
            .seal_link(&p, &a.linked.link_value(b"x"));
        let opened = b
            .escrow
            .as_ref()
            .unwrap()
            .open_link(&b.pseudonym, &p, &sealed);
        assert!(opened.is_ok(), "the escrow keys are the same");
    }
    for id in ["a", "b"] {
        let shift = |keyring: &Keyring| {
            let link = one
                .active_line(&chain("a"), &namespace())
                .unwrap()
                .linked
                .link_value(b"x");
            let most = std::num::NonZeroU32::new(10_000).unwrap();
            keyring.date_shift(&chain(id)).unwrap().days(&link, most)
        };
        assert_eq!(shift(one), shift(other));
    }
}

#[test]
fn a_stored_keyring_opens_with_the_same_keys() {
    let kek = kek();
    let (store, made) = furnished(&kek);
    let loaded = Keyring::load(&store, &kek).unwrap();
    same_keys(&made, &loaded);
    let sealed = made.state().seal(Family::Grants, b"g", 1, b"value");
    assert_eq!(
        loaded
            .state()
            .open(Family::Grants, b"g", &sealed)
            .unwrap()
            .1,
        b"value"
    );
    let (a, b) = (chain("a"), chain("b"));
    let line = |id| loaded.active_line(id, &namespace()).unwrap();
    assert_ne!(
        pseudonym(line(&a), b"x"),
        pseudonym(line(&b), b"x"),
        "chains do not share pseudonyms"
    );
    assert_eq!(
        line(&a).linked.link_value(b"x"),
        line(&b).linked.link_value(b"x"),
        "but they share the link value"
    );
}

#[test]
fn a_wrong_key_is_told_apart_from_damage_and_from_an_empty_store() {
    let right = kek();
    let (store, _) = furnished(&right);
    assert_eq!(
        Keyring::load(&store, &kek()).unwrap_err(),
        KeyringError::WrongKek
    );
    assert_eq!(
        Keyring::load(&ModelStore::new(), &right).unwrap_err(),
        KeyringError::Absent
    );
    let mut rows = Rows::of(&store);
    rows.0
        .iter_mut()
        .filter(|(family, _)| *family == Family::Keyring)
        .for_each(|(_, (_, value))| value[100] ^= 1);
    assert!(matches!(
        Keyring::load(&rows, &right),
        Err(KeyringError::Corrupt(_))
    ));
}

#[test]
fn every_changed_byte_of_every_entry_is_refused() {
    let kek = kek();
    let rows = Rows::of(&furnished(&kek).0);
    assert!(Keyring::load(&rows, &kek).is_ok());
    assert_eq!(
        rows.0.len(),
        1 + 2 + 1 + 2 + 3 * 2 + 1 + 1,
        "KEK record, master, state, roots, audit key"
    );
    for row in 0..rows.0.len() {
        let length = rows.0[row].1.1.len();
        for at in 0..length {
            for flip in [1, 0x80] {
                let mut changed = rows.clone();
                changed.0[row].1.1[at] ^= flip;
                let outcome = Keyring::load(&changed, &kek).map(drop);
                let is_record = rows.0[row].0 == Family::Meta;
                // Another check value is another key, as far as anybody can tell.
                let refused = matches!(outcome, Err(KeyringError::Corrupt(_)))
                    || is_record && outcome == Err(KeyringError::WrongKek);
                assert!(refused, "row {row}, byte {at}: {outcome:?}");
            }
        }
        for length in 1..length {
            let mut cut = rows.clone();
            cut.0[row].1.1.truncate(length);
            assert!(
                matches!(Keyring::load(&cut, &kek), Err(KeyringError::Corrupt(_))),
                "row {row} cut to {length}"
            );
        }
    }
}

#[test]
fn an_entry_under_the_key_of_another_is_refused() {
    let kek = kek();
    let rows = Rows::of(&furnished(&kek).0);
    let entries: Vec<_> = (0..rows.0.len())
        .filter(|row| rows.0[*row].0 == Family::Keyring)
        .collect();
    for &from in &entries {
        for &to in entries.iter().filter(|to| **to != from) {
            let mut moved = rows.clone();
            moved.0[to].1.1 = rows.0[from].1.1.clone();
            assert!(
                matches!(Keyring::load(&moved, &kek), Err(KeyringError::Corrupt(_))),
                "{from} moved to {to}"
            );
        }
    }
}

#[test]
fn an_entry_of_another_keyring_is_refused() {
    let kek = kek();
    let (mine, other) = (Rows::of(&furnished(&kek).0), Rows::of(&furnished(&kek).0));
    for (row, (family, (key, value))) in mine
        .0
        .iter()
        .enumerate()
        .filter(|(_, (f, _))| *f == Family::Keyring)
    {
        let Some((_, (_, foreign))) = other.0.iter().find(|(f, (k, _))| f == family && k == key)
        else {
            continue;
        };
        let mut changed = mine.clone();
        changed.0[row].1.1.clone_from(foreign);
        assert_ne!(value, foreign);
        assert!(
            matches!(Keyring::load(&changed, &kek), Err(KeyringError::Corrupt(_))),
            "row {row}"
        );
    }
}

#[test]
fn a_line_without_its_escrow_or_namespace_is_refused() {
    let kek = kek();
    let rows = Rows::of(&furnished(&kek).0);
    // The first byte of an entry's key is its role.
    let (namespace, escrow) = (3, 6);
    for gone in [namespace, escrow] {
        let mut changed = rows.clone();
        let of_role =
            |(family, (key, _)): &(Family, Row)| *family == Family::Keyring && key[0] == gone;
        let at = changed.0.iter().position(of_role).unwrap();
        changed.0.remove(at);
        assert!(
            matches!(Keyring::load(&changed, &kek), Err(KeyringError::Corrupt(_))),
            "role {gone}"
        );
    }
}

#[test]
fn rotation_and_states_survive_a_reload() {
    let kek = kek();
    let (store, keyring) = furnished(&kek);
    let states = |keyring: &Keyring| -> Vec<(u32, KeyState)> {
        let of_a = keyring
            .versions()
            .into_iter()
            .filter(|info| info.chain == chain("a") && info.namespace.is_some());
        of_a.map(|info| (info.generation, info.state)).collect()
    };
    assert_eq!(
        states(&keyring),
        [(1, KeyState::ConvertOnly), (2, KeyState::Active)]
    );
    let old: Kid = keyring
        .versions()
        .iter()
        .find(|info| info.state == KeyState::ConvertOnly)
        .unwrap()
        .kid;
    let before = pseudonym(keyring.line(old).unwrap(), b"x");
    let keyring = change(&store, &keyring, |change| {
        change.disable(old).unwrap();
        change.new_line_version(&chain("a"), &namespace());
    });
    let loaded = Keyring::load(&store, &kek).unwrap();
    assert_eq!(
        states(&loaded),
        [
            (1, KeyState::Disabled),
            (2, KeyState::ConvertOnly),
            (3, KeyState::Active)
        ]
    );
    same_keys(&keyring, &loaded);
    assert_eq!(
        pseudonym(loaded.line(old).unwrap(), b"x"),
        before,
        "a state is no other key"
    );
    assert_eq!(
        loaded
            .active_line(&chain("a"), &namespace())
            .unwrap()
            .info()
            .generation,
        3
    );
}

#[test]
fn a_change_that_is_not_committed_changes_nothing() {
    let kek = kek();
    let (store, keyring) = furnished(&kek);
    let mut change = keyring.change(now());
    change.new_line_version(&chain("b"), &namespace());
    drop(change.finish());
    same_keys(&keyring, &Keyring::load(&store, &kek).unwrap());
}

/// Rows of a store that can be edited at will.
#[derive(Clone)]
struct Rows(Vec<(Family, Row)>);

impl Rows {
    fn of(store: &ModelStore) -> Self {
        let family = |family| {
            store
                .scan(family, &[], usize::MAX)
                .unwrap()
                .into_iter()
                .map(move |row| (family, row))
        };
        Self(
            family(Family::Meta)
                .chain(family(Family::Keyring))
                .collect(),
        )
    }
}

impl Store for Rows {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.0.iter().find(|(f, (k, _))| *f == family && k == key);
        Ok(row.map(|(_, (_, value))| value.clone()))
    }

    fn get_many(&self, _: Family, _: usize, _: &[u8]) -> Result<Column, StoreError> {
        panic!("a keyring is not read by bulk")
    }

    fn scan(&self, family: Family, start: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        let rows = self
            .0
            .iter()
            .filter(|(f, (key, _))| *f == family && **key >= *start);
        Ok(rows.take(limit).map(|(_, row)| row.clone()).collect())
    }

    fn protect_end(&self, end: std::sync::Weak<dyn sluis_port::LogEnd>) {
        drop(end);
    }

    fn submit(&self, _: Commit, _: Completion) {
        panic!("only read")
    }

    fn entries(&self) -> u64 {
        0
    }

    fn writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn compact(&self, _: &Range) -> Result<(), StoreError> {
        panic!("only read")
    }

    fn backup(&self, _: &Path) -> Result<u64, StoreError> {
        panic!("only read")
    }
}
