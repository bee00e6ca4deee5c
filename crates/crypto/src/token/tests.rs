use data_encoding::BASE32_NOPAD;
use proptest::prelude::*;

use super::*;

fn kid(number: u32) -> Kid {
    Kid::new(number).expect("not zero")
}

fn text(kid: Kid, pseudonym: &Pseudonym) -> Vec<u8> {
    let mut out = Vec::new();
    write_text(kid, pseudonym, &mut out);
    out
}

/// Computed with Python's `zlib.crc32` and `base64.b32encode`.
#[test]
fn the_form_is_frozen() {
    let pseudonym =
        Pseudonym::from_bytes(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
    let token = text(kid(0x0102_0304), &pseudonym);
    assert_eq!(
        String::from_utf8_lossy(&token),
        "psn1ceaqeayeaaisem2ekvthpcezvk54zxpo7525xljn"
    );
    assert_eq!(token.len(), TEXT_LEN);
}

#[test]
fn every_flipped_bit_is_malformed() {
    let token = to_binary(kid(7), &Pseudonym::from_bytes([0x5a; 16]));
    for bit in 0..8 * token.len() {
        let mut changed = token;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(parse_binary(&changed), Err(TokenError), "bit {bit}");
    }
}

/// A CRC-32 finds every burst of up to 32 bits, and so every change within 5 bits.
#[test]
fn every_changed_character_is_malformed() {
    let token = text(kid(7), &Pseudonym::from_bytes([0x5a; 16]));
    for place in 0..token.len() {
        for byte in 0..=u8::MAX {
            let mut changed = token.clone();
            changed[place] = byte;
            assert_eq!(
                parse_text(&changed).is_ok(),
                byte.eq_ignore_ascii_case(&token[place])
            );
        }
    }
}

#[test]
fn formats_other_than_ours_are_malformed_even_with_a_right_check_sum() {
    for format in 0..=u8::MAX {
        let mut token = to_binary(kid(7), &Pseudonym::from_bytes([0x5a; 16]));
        token[0] = format;
        let check_sum = crc32fast::hash(&token[..CHECKED_LEN]).to_be_bytes();
        token[CHECKED_LEN..].copy_from_slice(&check_sum);
        assert_eq!(parse_binary(&token).is_ok(), format == FORMAT);
    }
}

#[test]
fn kid_zero_is_malformed() {
    let mut token = to_binary(kid(7), &Pseudonym::from_bytes([0x5a; 16]));
    token[1..5].fill(0);
    let check_sum = crc32fast::hash(&token[..CHECKED_LEN]).to_be_bytes();
    token[CHECKED_LEN..].copy_from_slice(&check_sum);
    assert_eq!(parse_binary(&token), Err(TokenError));
}

proptest! {
    #[test]
    fn both_forms_come_back(number in 1..=u32::MAX, bytes: [u8; 16]) {
        let pseudonym = Pseudonym::from_bytes(bytes);
        let token = text(kid(number), &pseudonym);
        prop_assert_eq!(parse_text(&token), Ok((kid(number), pseudonym)));
        prop_assert_eq!(parse_text(&token.to_ascii_uppercase()), Ok((kid(number), pseudonym)));
        prop_assert_eq!(parse_binary(&to_binary(kid(number), &pseudonym)), Ok((kid(number), pseudonym)));
        prop_assert_eq!(BASE32_NOPAD.decode(&token[4..].to_ascii_uppercase()).expect("base32"), to_binary(kid(number), &pseudonym));
    }

    #[test]
    fn only_what_would_be_written_is_parsed(input in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        "[pP][sS][nN]1[a-z2-7A-Z]{38,42}".prop_map(String::into_bytes),
    ]) {
        if let Ok((kid, pseudonym)) = parse_text(&input) {
            prop_assert_eq!(text(kid, &pseudonym), input.to_ascii_lowercase());
        }
    }

    #[test]
    fn arbitrary_binary_is_parsed_only_if_canonical(input in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok((kid, pseudonym)) = parse_binary(&input) {
            prop_assert_eq!(&to_binary(kid, &pseudonym)[..], &input[..]);
        }
    }
}
