//! A fixed vector beside each label: KDF(00 01 .. 1f, label), computed with Python's `hmac`.

use data_encoding::HEXLOWER;

use super::*;
use crate::{Secret, kdf};

const VECTORS: [(&[u8], &str); 17] = [
    (
        LINK,
        "7f873669a6632d52ecec40aa1d2374adc7980a6ef2112a37624b014401381d87",
    ),
    (
        UNLINKED,
        "fa3668344e4b51a3687210ce3736345f482cbfc10c5f6f0436398b5926fab855",
    ),
    (
        PSEUDONYM,
        "08896747f5569dee83e2b9ee7e0177126c2b6ca87e78b7a7620d445b74424c09",
    ),
    (
        INDEX,
        "bd4be914fed16dab1bc119c26d2cc7d132238adf19e91ee44378afe12d4de132",
    ),
    (
        LINK_SEAL,
        "3ae8285a22fef7dbdd62bf28bc8a5b62e3bd9af796029628912cb57024d21893",
    ),
    (
        IDENTITY_SEAL,
        "4cd54f9e0f3e615b446a93401245967eab25142eddb0ef6106b9e154121aee93",
    ),
    (
        IMPORT,
        "46e6fb73a5548203fae37cca4c9f450903c5ed9f8d6bcda793a3e528c1384882",
    ),
    (
        IMPORT_SEAL,
        "762b2a76de845089841730b816c5e2ad54bd2ef097c4ede57d4879e6041773ef",
    ),
    (
        IMPORT_INDEX,
        "f3fc5c6b6a6fe808b4e88f2a21b48e4b4825d3ac9d2f76014f94a6332644367a",
    ),
    (
        ELEMENT,
        "f21aeed26c1ea913c34ad3f80bf3f567d88c4bfa07405310547b9831fbf97ad1",
    ),
    (
        DATE_SHIFT,
        "c734fcbf282e998999c1c94440e36eb3e4e0fa5b037dce598cddf64d0ac6409b",
    ),
    (
        OPT_OUT,
        "8a14bf24ae30622c37c497c8163da338156ee784b7a78a2d4a1a4700b0646739",
    ),
    (
        PREHASH,
        "f3e3f19caba71bb9ce1b27b83cae5051f807071b93da27dacfb183b6b6b881ce",
    ),
    (
        KEY_CHECK,
        "93336de10c931e8648c31fd81e189649a246e4b0d8b34e7b05cf55a0eedb8d73",
    ),
    (
        SHARE_CHECK,
        "106b5d6eedbc099eb4a6a36708def1a3fb135647ec77c05e4431de3ce0dfaed4",
    ),
    (
        STATE_FINGERPRINT,
        "17bfc2926404485a5ad690131e201e0541264049a6c0723ac0a9f23e3b70dc2a",
    ),
    (
        LOG_END,
        "c7a2eded16f262542406b74507e5101833d84b3c8805583b8f9df7c44c0bd5ad",
    ),
];

#[test]
fn labels_are_frozen() {
    let root: Vec<u8> = (0..32).collect();
    let root = Secret::from_slice(&root).expect("32 bytes");
    for (label, expected) in VECTORS {
        assert_eq!(
            HEXLOWER.encode(kdf(&root, label).expose()),
            expected,
            "{}",
            String::from_utf8_lossy(label)
        );
    }
}

#[test]
fn no_label_occurs_twice() {
    for (i, (label, _)) in VECTORS.iter().enumerate() {
        assert!(VECTORS[..i].iter().all(|(other, _)| other != label));
        assert!(label.starts_with(b"sluis/1 ") && label.is_ascii());
    }
}
