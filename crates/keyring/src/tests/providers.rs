//! KEKs from all kinds of places, and from one kind to another.

use super::*;
use crate::{Collecting, KeyringError, Share};

/// The KEK in a store's shares.
fn collect(record: &KekRecord, shares: &[Share]) -> Kek {
    let mut collecting = Collecting::new(record).expect("in shares");
    shares
        .iter()
        .find_map(|share| collecting.give(share.text().parse().expect("a share")).expect("right"))
        .expect("enough")
}

#[test]
fn a_keyring_in_shares_opens_with_any_enough_of_them() {
    let (kek, shares) = Kek::split(2, 3).expect("splits");
    let desk = Desk::new(kek);
    let record = desk.record();
    for pair in [[0, 1], [2, 0], [1, 2]] {
        let texts = pair.map(|at| shares[at].text().parse().expect("a share"));
        let keyring = Keyring::load(&desk.store, &collect(&record, &texts)).expect("opens");
        assert_eq!(traces(&keyring), traces(&desk.keyring));
    }
}

#[test]
fn a_kek_of_another_kind_of_place_is_named() {
    let in_shares = Desk::new(Kek::split(2, 2).expect("splits").0);
    let refused = Keyring::load(&in_shares.store, &kek()).unwrap_err();
    assert_eq!(refused, KeyringError::OtherProvider { stored: "shares", given: "a file or credential" });
    let in_file = Desk::new(kek());
    assert!(Collecting::new(&in_file.record()).is_none());
    assert_eq!(Keyring::load(&in_file.store, &kek()).unwrap_err(), KeyringError::WrongKek);
    assert_eq!(KekRecord::read(&MapStore::default()), Err(KeyringError::Absent));
}

#[test]
fn a_kek_moves_from_any_kind_of_place_to_any_and_changes_no_other_key() {
    let mut desk = Desk::furnished();
    let all = traces(&desk.keyring);
    let split = || Kek::split(2, 2).expect("splits").0;
    for next in [split(), split(), kek(), kek()] {
        let (before, former) = (desk.store.rows(), desk.kek.clone());
        desk.change(9000, |change| change.rotate_kek(&next));
        desk.kek = next;
        assert_eq!(traces(&desk.reload()), all);
        assert_eq!(desk.record(), KekRecord::of(&desk.kek), "nothing of the former one is left");
        assert!(Keyring::load(&desk.store, &former).is_err());
        let changed = desk.store.rows().iter().filter(|(at, value)| before.get(*at) != Some(*value)).count();
        assert_eq!(changed, 2, "the master's entry and the record of the KEK");
        assert_eq!(desk.store.rows().len(), before.len());
    }
}

#[test]
fn shares_of_before_are_of_an_earlier_set() {
    let (kek, shares) = Kek::split(2, 2).expect("splits");
    let mut desk = Desk::new(kek);
    desk.change(2000, |change| change.rotate_kek(&Kek::split(2, 2).expect("splits").0));
    let mut collecting = Collecting::new(&desk.record()).expect("in shares");
    for share in shares {
        assert_eq!(collecting.give(share).map(drop), Err(crate::ShareError::OtherSet));
    }
}

#[test]
fn what_is_destroyed_after_a_move_is_wrapped_under_the_new_kek() {
    let mut desk = Desk::furnished();
    let old = desk.kid("a", 1);
    desk.change(4000, |change| change.disable(old).expect("convert-only"));
    let (former, next) = (desk.kek.clone(), kek());
    desk.change(5000, |change| {
        change.destroy(old).expect("disabled");
        change.rotate_kek(&next);
    });
    assert_eq!(Keyring::load(&desk.store, &former).map(drop), Err(KeyringError::WrongKek));
    desk.kek = next;
    assert_eq!(traces(&desk.reload()), traces(&desk.keyring));
    let b = desk.kid("b", 1);
    desk.change(6000, |change| change.cut_escrow(b).expect("has one"));
    assert_eq!(traces(&desk.reload()), traces(&desk.keyring));
}
