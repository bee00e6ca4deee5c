//! What a former key-encryption key opens leaves the disk. With files: `tests/kek.rs` of the daemon.

use sluis_keyring::Kek;
use sluis_testkit::model_store::ModelStore;

use crate::office::Office;

#[test]
fn it_leaves_after_a_crash_too() {
    let mut office = Office::open(ModelStore::new());
    let directory = tempfile::tempdir().unwrap();
    office.kek = Kek::generate_file(&directory.path().join("kek")).unwrap();
    office.engine.life().rotate_kek(&office.kek).unwrap();
    office.reopen();
    assert_eq!(
        office.engine.life().housekeep().unwrap().compacted,
        2,
        "keyring, and what is said of the key"
    );
    assert_eq!(office.engine.life().housekeep().unwrap().compacted, 0);
}
