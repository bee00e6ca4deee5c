//! KEKs from all kinds of places, and from one kind to another.

use sluis_port::Family;

use super::*;
use crate::entry::{Header, Role};
use crate::{Collecting, KeyringError, Share};

/// The KEK in a store's shares.
fn collect(record: &KekRecord, shares: &[Share]) -> Kek {
    let mut collecting = Collecting::new(record).expect("in shares");
    shares
        .iter()
        .find_map(|share| {
            collecting
                .give(share.text().parse().expect("a share"))
                .expect("right")
        })
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
    assert_eq!(
        refused,
        KeyringError::OtherProvider {
            stored: "shares",
            given: "a file or credential"
        }
    );
    let in_file = Desk::new(kek());
    assert!(Collecting::new(&in_file.record()).is_none());
    assert_eq!(
        Keyring::load(&in_file.store, &kek()).unwrap_err(),
        KeyringError::WrongKek
    );
    assert_eq!(
        KekRecord::read(&MapStore::default()),
        Err(KeyringError::Absent)
    );
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
        assert_eq!(
            desk.record(),
            KekRecord::of(&desk.kek),
            "nothing of the former one is left"
        );
        assert!(Keyring::load(&desk.store, &former).is_err());
        let rows = desk.store.rows();
        assert!(
            rows.iter().all(|(at, value)| before[at] != *value),
            "every key is wrapped anew, and the record is new"
        );
        assert_eq!(rows.len(), before.len());
    }
}

#[test]
fn a_former_kek_opens_the_former_master_and_that_nothing_of_later() {
    let mut desk = Desk::furnished();
    let (former, before) = (desk.kek.clone(), desk.store.rows());
    desk.kek = kek();
    let next = desk.kek.clone();
    desk.change(5000, |change| change.rotate_kek(&next));
    desk.change(6000, |change| {
        drop(change.new_line_version(&chain("a"), &namespace()))
    });
    let opened = |(family, key): &(u8, Vec<u8>), value: &[u8], wrapping: &sluis_crypto::Secret| {
        assert_eq!(*family, Family::Keyring as u8);
        let (header, wrapped) = Header::read(key, value).expect("well formed");
        wrapped.open(&header, wrapping).ok().flatten()
    };
    let of_master = (Family::Keyring as u8, Header::single(Role::Master).to_vec());
    let master = opened(&of_master, &before[&of_master], former.secret())
        .expect("a copy of the row that nobody rewrote");
    let entries = desk
        .store
        .rows()
        .into_iter()
        .filter(|((family, _), _)| *family == Family::Keyring as u8);
    for (at, value) in entries {
        assert!(
            opened(&at, &value, &master).is_none(),
            "{:?} opens with the former master",
            at.1
        );
    }
}

#[test]
fn shares_of_before_are_of_an_earlier_set() {
    let (kek, shares) = Kek::split(2, 2).expect("splits");
    let mut desk = Desk::new(kek);
    desk.change(2000, |change| {
        change.rotate_kek(&Kek::split(2, 2).expect("splits").0)
    });
    let mut collecting = Collecting::new(&desk.record()).expect("in shares");
    for share in shares {
        assert_eq!(
            collecting.give(share).map(drop),
            Err(crate::ShareError::OtherSet)
        );
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
    assert_eq!(
        Keyring::load(&desk.store, &former).map(drop),
        Err(KeyringError::WrongKek)
    );
    desk.kek = next;
    assert_eq!(traces(&desk.reload()), traces(&desk.keyring));
    let b = desk.kid("b", 1);
    desk.change(6000, |change| change.cut_escrow(b).expect("has one"));
    assert_eq!(traces(&desk.reload()), traces(&desk.keyring));
}
