use proptest::prelude::*;

use super::*;

fn key(chain: &str, element: &str, kid: u32) -> ElementKey {
    let root = Secret::from_slice(&[5; 32]).expect("32 bytes");
    let (chain, element) = (
        chain.parse().expect("an id"),
        element.parse().expect("an id"),
    );
    ElementKey::new(&root, &chain, &element, Kid::new(kid).expect("not zero"))
}

fn text(key: &ElementKey, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    key.sealer()
        .write_text(value, &mut out)
        .expect("not exhausted");
    out
}

#[test]
fn equal_values_give_different_ciphertexts_that_open() {
    let key = key("study", "diagnosis", 7);
    let (mut sealer, mut opener) = (key.sealer(), key.opener());
    let mut seen = Vec::new();
    for value in [&b"E11.9"[..], b"E11.9", b""] {
        let (mut text, mut out) = (Vec::new(), Vec::new());
        sealer.write_text(value, &mut text).expect("not exhausted");
        let ciphertext = parse_text(&text).expect("well-formed");
        assert_eq!(ciphertext.kid(), key.kid());
        assert_eq!(opener.open(&ciphertext, &mut out), Ok(()));
        assert_eq!(out, value);
        assert!(!seen.contains(&text));
        seen.push(text);
    }
}

#[test]
fn another_chain_element_or_version_is_refused() {
    let text = text(&key("study", "diagnosis", 7), b"E11.9");
    let ciphertext = parse_text(&text).expect("well-formed");
    for other in [
        key("studx", "diagnosis", 7),
        key("study", "diagnosit", 7),
        key("study", "diagnosis", 8),
    ] {
        let mut out = Vec::new();
        assert_eq!(
            other.open(&ciphertext, &mut out),
            Err(SealError::NotAuthentic)
        );
        assert!(out.is_empty());
    }
}

#[test]
fn every_changed_character_is_refused() {
    let key = key("study", "diagnosis", 7);
    let text = text(&key, b"E11.9");
    let mut opener = key.opener();
    for place in 0..text.len() {
        for byte in (0..=u8::MAX).filter(|byte| *byte != text[place]) {
            let mut changed = text.clone();
            changed[place] = byte;
            let opened = parse_text(&changed)
                .ok()
                .map(|ciphertext| opener.open(&ciphertext, &mut Vec::new()));
            assert!(
                matches!(opened, None | Some(Err(SealError::NotAuthentic))),
                "{place} {byte}"
            );
        }
    }
}

#[test]
fn what_is_not_a_ciphertext_is_malformed() {
    let binary = |format: u8, kid: u32, length: usize| {
        let mut bytes = vec![format];
        bytes.extend_from_slice(&kid.to_be_bytes());
        bytes.resize(length, 0);
        format!("enc1{}", BASE64URL_NOPAD.encode(&bytes))
    };
    assert!(parse_text(binary(FORMAT, 7, OVERHEAD).as_bytes()).is_ok());
    for bad in [
        binary(FORMAT, 7, OVERHEAD - 1),
        binary(FORMAT, 0, OVERHEAD),
        binary(FORMAT_BOUND_RESERVED, 7, OVERHEAD),
        binary(0x11, 7, OVERHEAD),
        format!("{}=", binary(FORMAT, 7, OVERHEAD)),
        format!("{} ", binary(FORMAT, 7, OVERHEAD)),
        binary(FORMAT, 7, OVERHEAD).replacen("enc1", "ENC1", 1),
        String::new(),
        "enc1".to_owned(),
    ] {
        assert_eq!(
            parse_text(bad.as_bytes()),
            Err(MalformedCiphertext),
            "{bad}"
        );
    }
}

proptest! {
    #[test]
    fn values_come_back(value in proptest::collection::vec(any::<u8>(), 0..300)) {
        let key = key("study", "diagnosis", 7);
        let mut out = b"before".to_vec();
        key.open(&parse_text(&text(&key, &value)).expect("well-formed"), &mut out).expect("authentic");
        prop_assert_eq!(out, [b"before", &value[..]].concat());
    }

    #[test]
    fn only_what_would_be_written_is_parsed(input in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..100),
        "enc1I[A-Za-z0-9_-]{55,80}".prop_map(String::into_bytes),
    ]) {
        if let Ok(ciphertext) = parse_text(&input) {
            let written = format!("enc1{}", BASE64URL_NOPAD.encode(&ciphertext.bytes));
            prop_assert_eq!(written.into_bytes(), input);
        }
    }
}
