//! The life of keys: made, retired, disabled, destroyed; escrow cut; audit keys.

use sluis_domain::Kid;
use sluis_port::Family;

use super::*;
use crate::{ChangeError, KeyState, KeyringError};

const KEYRING: u8 = Family::Keyring as u8;

fn state(keyring: &Keyring, kid: Kid) -> KeyState {
    keyring
        .versions()
        .into_iter()
        .find(|info| info.kid == kid)
        .expect("there")
        .state
}

#[test]
fn times_are_kept_through_every_change() {
    let mut desk = Desk::furnished();
    let old = desk.kid("a", 1);
    desk.change(4000, |change| {
        change.ensure_chain(&chain("a"));
        change.disable(old).expect("convert-only");
        change.rotate_audit_key();
    });
    desk.change(5000, |change| change.destroy(old).expect("disabled"));
    for keyring in [&desk.keyring, &desk.reload()] {
        let times: Vec<_> = keyring
            .versions()
            .iter()
            .map(|info| info.created_at.millis())
            .collect();
        assert_eq!(
            times,
            [2000, 2000, 3000, 2000],
            "a's elements, a's line twice, b's line"
        );
        assert_eq!(keyring.chain_created(&chain("a")), Some(time(2000)));
        assert_eq!(keyring.chain_created(&chain("c")), None);
        assert_eq!(
            keyring
                .audit_keys()
                .values()
                .map(|key| key.created_at.millis())
                .collect::<Vec<_>>(),
            [1000, 4000]
        );
    }
}

#[test]
fn only_a_disabled_version_is_destroyed_and_it_takes_every_step() {
    let mut desk = Desk::furnished();
    let (old, active) = (desk.kid("a", 1), desk.kid("a", 2));
    let nobody = Kid::new(old.get() ^ active.get() ^ 0x5555).expect("not zero, or one in 2^32");
    let elements = desk
        .keyring
        .active_elements(&chain("a"))
        .expect("there")
        .info()
        .kid;
    let mut change = desk.keyring.change(time(9));
    assert_eq!(change.destroy(nobody), Err(ChangeError::UnknownVersion));
    assert_eq!(change.disable(nobody), Err(ChangeError::UnknownVersion));
    assert_eq!(change.cut_escrow(nobody), Err(ChangeError::UnknownVersion));
    assert_eq!(change.cut_escrow(elements), Err(ChangeError::NoEscrow));
    for kid in [old, active, elements] {
        assert_eq!(change.destroy(kid), Err(ChangeError::State));
    }
    assert_eq!(
        change.disable(active),
        Err(ChangeError::State),
        "the active one is rotated first"
    );
    assert!(
        change.finish().1.is_empty(),
        "what is refused writes nothing"
    );
    desk.change(4000, |change| change.disable(old).expect("convert-only"));
    desk.change(5000, |change| {
        assert_eq!(change.disable(old), Err(ChangeError::State));
        change.destroy(old).expect("disabled");
        assert_eq!(change.destroy(old), Err(ChangeError::State), "once");
        assert_eq!(change.cut_escrow(old), Err(ChangeError::State));
    });
    for keyring in [&desk.keyring, &desk.reload()] {
        assert_eq!(state(keyring, old), KeyState::Destroyed);
        assert!(keyring.line(old).is_none() && keyring.line(active).is_some());
        assert!(
            keyring
                .versions()
                .iter()
                .all(|info| info.escrow == (info.kid == active || info.chain == chain("b")))
        );
    }
    // Its generation is never given again.
    let next = desk.change(6000, |change| {
        change.new_line_version(&chain("a"), &namespace())
    });
    assert_eq!(next.generation, 3);
}

#[test]
fn destroying_wraps_every_survivor_anew_and_changes_no_pseudonym() {
    let mut desk = Desk::furnished();
    let (old, active) = (desk.kid("a", 1), desk.kid("a", 2));
    desk.change(4000, |change| change.disable(old).expect("convert-only"));
    let before = desk.store.rows();
    let survivor = pseudonym(desk.keyring.line(active).expect("there"));
    let others = |keyring: &Keyring| {
        let kept = traces(keyring);
        kept.into_iter()
            .filter(|trace| !trace.starts_with(b"VersionInfo"))
            .collect::<Vec<_>>()
    };
    let gone = pseudonym(desk.keyring.line(old).expect("there"));
    let kept: Vec<_> = others(&desk.keyring);
    desk.change(5000, |change| change.destroy(old).expect("disabled"));
    assert_eq!(
        pseudonym(desk.keyring.line(active).expect("there")),
        survivor
    );
    let after: Vec<_> = others(&desk.keyring);
    assert!(
        after.iter().all(|trace| kept.contains(trace)),
        "no other key changed"
    );
    assert_eq!(
        after.len(),
        kept.len() - 3,
        "pseudonym, unlinked value and escrow of the destroyed one"
    );
    assert!(!after.iter().any(|trace| trace[..] == gone));
    assert_eq!(traces(&desk.reload()), traces(&desk.keyring));

    let rows = desk.store.rows();
    for ((family, key), value) in &before {
        let now = rows.get(&(*family, key.clone()));
        if *family == KEYRING {
            assert_ne!(now, Some(value), "no wrap of before is left under {key:?}");
        } else {
            assert_eq!(now, Some(value), "the KEK did not change");
        }
    }
    assert_eq!(
        rows.len(),
        before.len() - 1,
        "the escrow entry is gone, the line's is a tombstone"
    );
}

#[test]
fn an_entry_of_before_does_not_come_back() {
    let mut desk = Desk::furnished();
    let old = desk.kid("a", 1);
    desk.change(4000, |change| change.disable(old).expect("convert-only"));
    let before = desk.store.rows();
    desk.change(5000, |change| change.destroy(old).expect("disabled"));
    let after = desk.store.rows();
    let corrupt = |rows| {
        let opened = Keyring::load(&MapStore::of(rows), &desk.kek);
        matches!(opened.map(drop), Err(KeyringError::Corrupt(_)))
    };
    for (at, value) in before.iter().filter(|((family, _), _)| *family == KEYRING) {
        let mut rows = after.clone();
        rows.insert(at.clone(), value.clone());
        assert!(corrupt(rows), "{at:?} as it was");
    }
    // Nor does a tombstone come from nowhere, or become one of another version or state.
    let line = |kid: Kid| (KEYRING, [&[5][..], &kid.to_be_bytes()].concat());
    for changed in 0..after[&line(old)].len() {
        let mut rows = after.clone();
        rows.get_mut(&line(old)).expect("there")[changed] ^= 1;
        assert!(corrupt(rows), "byte {changed} of a tombstone");
    }
    let mut rows = after.clone();
    rows.insert(line(desk.kid("b", 1)), after[&line(old)].clone());
    assert!(corrupt(rows), "a tombstone under another kid");
}

#[test]
fn a_cut_escrow_leaves_the_pseudonyms_and_nothing_else() {
    let mut desk = Desk::furnished();
    let active = desk.kid("a", 2);
    let before = desk.store.rows();
    let kept = pseudonym(desk.keyring.line(active).expect("there"));
    let info = desk.change(4000, |change| {
        let info = change.cut_escrow(active).expect("has one");
        assert_eq!(
            change.cut_escrow(active),
            Err(ChangeError::NoEscrow),
            "once"
        );
        info
    });
    assert!(!info.escrow && info.state == KeyState::Active);
    for keyring in [&desk.keyring, &desk.reload()] {
        let line = keyring
            .active_line(&chain("a"), &namespace())
            .expect("still active");
        assert!(line.escrow.is_none() && !line.info().escrow);
        assert_eq!(pseudonym(line), kept);
        assert!(
            keyring
                .line(desk.kid("a", 1))
                .expect("there")
                .escrow
                .is_some(),
            "the older version keeps its own"
        );
    }
    let rows = desk.store.rows();
    assert!(
        before
            .iter()
            .all(|(at, value)| at.0 != KEYRING || rows.get(at) != Some(value)),
        "all wrapped anew"
    );
    // It stays cut through every further step.
    desk.change(5000, |change| {
        drop(change.new_line_version(&chain("a"), &namespace()))
    });
    assert!(
        desk.reload()
            .line(active)
            .expect("convert-only")
            .escrow
            .is_none()
    );
    desk.change(6000, |change| change.disable(active).expect("convert-only"));
    assert!(
        desk.reload()
            .line(active)
            .expect("disabled")
            .escrow
            .is_none()
    );
    desk.change(7000, |change| change.destroy(active).expect("disabled"));
    assert!(desk.reload().line(active).is_none());
}

#[test]
fn a_line_without_the_tombstone_of_its_escrow_is_refused() {
    let mut desk = Desk::furnished();
    let active = desk.kid("a", 2);
    desk.change(4000, |change| change.cut_escrow(active).expect("has one"));
    let mut rows = desk.store.rows();
    rows.remove(&(KEYRING, [&[6][..], &active.to_be_bytes()].concat()))
        .expect("there");
    let opened = Keyring::load(&MapStore::of(rows), &desk.kek).map(drop);
    assert_eq!(
        opened,
        Err(KeyringError::Corrupt(
            "a line without its escrow or namespace root"
        ))
    );
}

#[test]
fn a_destroyed_chain_takes_all_its_versions_with_it() {
    let mut desk = Desk::furnished();
    let b = pseudonym(
        desk.keyring
            .active_line(&chain("b"), &namespace())
            .expect("there"),
    );
    assert!(
        desk.change(4000, |change| change.destroy_chain(&chain("nobody")))
            .is_empty()
    );
    let destroyed = desk.change(5000, |change| change.destroy_chain(&chain("a")));
    assert_eq!(destroyed.len(), 3);
    assert!(
        destroyed
            .iter()
            .all(|info| info.state == KeyState::Destroyed && info.chain == chain("a"))
    );
    for keyring in [&desk.keyring, &desk.reload()] {
        assert!(keyring.active_line(&chain("a"), &namespace()).is_none());
        assert!(
            keyring.active_elements(&chain("a")).is_none()
                && keyring.date_shift(&chain("a")).is_none()
        );
        assert_eq!(keyring.chain_created(&chain("a")), None);
        assert_eq!(
            pseudonym(
                keyring
                    .active_line(&chain("b"), &namespace())
                    .expect("untouched")
            ),
            b
        );
        assert_eq!(keyring.versions().len(), 4);
    }
    assert!(
        desk.change(6000, |change| change.destroy_chain(&chain("a")))
            .is_empty(),
        "nothing is destroyed twice"
    );
    // A chain of that name can begin again, with keys of its own and further generations.
    let again = desk.change(7000, |change| {
        change.ensure_chain(&chain("a"));
        change.new_line_version(&chain("a"), &namespace())
    });
    assert_eq!(
        (again.generation, desk.reload().chain_created(&chain("a"))),
        (3, Some(time(7000)))
    );
}

#[test]
fn the_audit_key_is_rotated_and_older_ones_stay() {
    let mut desk = Desk::new(kek());
    let first = *desk.keyring.current_audit_key().key.public();
    let second = *desk
        .change(2000, |change| change.rotate_audit_key())
        .key
        .public();
    assert_ne!(first, second);
    for keyring in [&desk.keyring, &desk.reload()] {
        assert_eq!(
            (
                keyring.current_audit_key().generation,
                keyring.current_audit_key().key.public()
            ),
            (2, &second)
        );
        assert_eq!(keyring.audit_keys()[&1].key.public(), &first);
    }
    for gone in [1u32, 2] {
        let mut rows = desk.store.rows();
        rows.remove(&(KEYRING, [&[8][..], &gone.to_be_bytes()].concat()))
            .expect("there");
        let opened = Keyring::load(&MapStore::of(rows), &desk.kek).map(drop);
        // The last one cannot be missed by the keyring alone: the head of the audit log says who signed it.
        assert_eq!(opened.is_err(), gone == 1);
    }
    let mut rows = Desk::new(kek()).store.rows();
    rows.retain(|(_, key), _| key[0] != 8);
    assert!(Keyring::load(&MapStore::of(rows), &desk.kek).is_err());
}
