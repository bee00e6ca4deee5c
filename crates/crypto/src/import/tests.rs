use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

fn keys(seed: u8) -> ImportKeys {
    let root = Secret::from_slice(&[seed; 32]).expect("32 bytes");
    ImportKeys::new(&root, Kid::new(u32::from(seed)).expect("not zero"))
}

fn link_value(byte: u8) -> LinkValue {
    LinkValue::from_bytes([byte; 16])
}

fn namespace() -> NamespaceId {
    "nl.bsn".parse().expect("an id")
}

fn row(keys: &ImportKeys, old: &[u8], subject: u8) -> ([u8; ROW_KEY_LEN], Vec<u8>) {
    let key = keys.row_key(old).expect("1 to 255 bytes");
    let mut value = Vec::new();
    keys.sealer()
        .seal(&namespace(), &key, &link_value(subject), &mut value)
        .expect("not exhausted");
    (key, value)
}

/// Computed with Python's `hmac`: escrow root 00 01 .. 1f, kid 7, old pseudonym "P-0001".
#[test]
fn row_keys_are_frozen() {
    let root: Vec<u8> = (0..32).collect();
    let root = Secret::from_slice(&root).expect("32 bytes");
    let keys = ImportKeys::new(&root, Kid::new(7).expect("not zero"));
    let key = keys.row_key(b"P-0001").expect("6 bytes");
    assert_eq!(
        HEXLOWER.encode(&key),
        "00000007b872bb11312e1d77112ccba952125367"
    );
}

#[test]
fn a_row_gives_its_link_value_back_and_shows_nothing_twice() {
    let keys = keys(1);
    let (key, value) = row(&keys, b"old", 9);
    assert_eq!(
        (key[..4].to_vec(), value.len()),
        (vec![0, 0, 0, 1], IMPORT_VALUE_LEN)
    );
    assert_eq!(
        keys.opener().open(&namespace(), &key, &value),
        Ok(link_value(9))
    );
    let (again, other) = row(&keys, b"old", 9);
    assert_eq!(key, again);
    assert_ne!(value, other, "the nonce is random");
}

/// Computed with Python's `hmac`: escrow root 00 01 .. 1f, kid 7, old pseudonym "P-0001", mark 00 01 .. 0f.
#[test]
fn index_keys_are_frozen() {
    let root: Vec<u8> = (0..32).collect();
    let root = Secret::from_slice(&root).expect("32 bytes");
    let keys = ImportKeys::new(&root, Kid::new(7).expect("not zero"));
    let mark: [u8; 16] = std::array::from_fn(|i| i as u8);
    let key = keys.index_key(&mark, &keys.row_key(b"P-0001").expect("6 bytes"));
    assert_eq!(
        HEXLOWER.encode(&key),
        "00000007bf085f24bd7e86cc2d9a78096612ab3fe61e"
    );
    assert!(key.starts_with(&keys.bucket(&mark)));
}

#[test]
fn an_index_entry_leads_to_its_row_and_shows_nothing_of_it() {
    let (keys, mark) = (keys(1), [5; 16]);
    let (row_key, _) = row(&keys, b"old", 9);
    let index_key = keys.index_key(&mark, &row_key);
    let mut value = Vec::new();
    keys.sealer()
        .seal_index(&namespace(), &index_key, &row_key, &mut value)
        .expect("not exhausted");
    assert_eq!(value.len(), IMPORT_VALUE_LEN);
    let open = |key, value: &[u8]| keys.opener().open_index(&namespace(), key, value);
    assert_eq!(open(&index_key, &value), Ok(row_key));
    assert!(!value.windows(8).any(|part| row_key[4..].starts_with(part)));
    let mut moved = index_key;
    moved[21] ^= 1;
    assert_eq!(open(&moved, &value), Err(SealError::NotAuthentic));
    // Neither is one kind of row taken for the other.
    let other = keys.opener().open(&namespace(), &row_key, &value);
    assert_eq!(other, Err(SealError::NotAuthentic));
}

#[test]
fn old_pseudonyms_have_1_to_255_bytes_and_are_taken_as_they_are() {
    let keys = keys(1);
    assert_eq!(keys.row_key(b""), None);
    assert!(keys.row_key(&[b'x'; 255]).is_some());
    assert_eq!(keys.row_key(&[b'x'; 256]), None);
    assert_ne!(keys.row_key(b"p-1"), keys.row_key(b"P-1"));
    assert_ne!(keys.row_key(b"p-1"), keys.row_key(b"p-1 "));
}

#[test]
fn every_flipped_bit_is_refused() {
    let keys = keys(1);
    let (key, value) = row(&keys, b"old", 9);
    let mut opener = keys.opener();
    for bit in 0..8 * value.len() {
        let mut changed = value.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < 8 {
            SealError::UnknownFormat
        } else {
            SealError::NotAuthentic
        };
        assert_eq!(opener.open(&namespace(), &key, &changed), Err(expected));
    }
}

#[test]
fn a_row_opens_only_at_its_key_namespace_and_version() {
    let (keys, other) = (keys(1), keys(2));
    let (key, value) = row(&keys, b"old", 9);
    let elsewhere = keys.row_key(b"another").expect("7 bytes");
    let refused = Err(SealError::NotAuthentic);
    assert_eq!(
        keys.opener().open(&namespace(), &elsewhere, &value),
        refused
    );
    assert_eq!(
        keys.opener()
            .open(&"nl.bsx".parse().expect("an id"), &key, &value),
        refused
    );
    assert_eq!(other.opener().open(&namespace(), &key, &value), refused);
}

proptest! {
    #[test]
    fn arbitrary_values_are_refused(value in proptest::collection::vec(any::<u8>(), 0..80)) {
        let keys = keys(1);
        let key = keys.row_key(b"old").expect("3 bytes");
        prop_assert!(keys.opener().open(&namespace(), &key, &value).is_err());
    }
}
