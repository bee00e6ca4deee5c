use data_encoding::BASE32_NOPAD;
use proptest::prelude::*;

use super::*;

fn kid(number: u32) -> Kid {
    Kid::new(number).expect("not zero")
}

fn token(number: u32, pseudonym: [u8; 16], link: [u8; 16]) -> Token {
    Token {
        kid: kid(number),
        pseudonym: Pseudonym::from_bytes(pseudonym),
        link: Some(SealedLink::from_bytes(link)),
    }
}

fn binary(token: &Token) -> [u8; CARRIED_BINARY_LEN] {
    to_carried_binary(
        token.kid,
        &token.pseudonym,
        &token.link.expect("carries one"),
    )
}

fn text(token: &Token) -> Vec<u8> {
    let mut out = Vec::new();
    let link = token.link.expect("carries one");
    write_carried_text(token.kid, &token.pseudonym, &link, &mut out);
    out
}

/// With the check sum made right again.
fn checked(mut token: [u8; CARRIED_BINARY_LEN]) -> [u8; CARRIED_BINARY_LEN] {
    let check_sum = crc32fast::hash(&token[..CARRIED_CHECKED_LEN]).to_be_bytes();
    token[CARRIED_CHECKED_LEN..].copy_from_slice(&check_sum);
    token
}

/// Computed with Python's `zlib.crc32` and `base64.b32encode`.
#[test]
fn the_form_is_frozen() {
    let pseudonym = *b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
    let mut link = pseudonym;
    link.reverse();
    let text = text(&token(0x0102_0304, pseudonym, link));
    assert_eq!(
        String::from_utf8_lossy(&text),
        "psn1ciaqeayeaaisem2ekvthpcezvk54zxpo77765xomxovjtcdxmzkuimzcceagltesxq"
    );
    assert_eq!(text.len(), CARRIED_TEXT_LEN);
}

#[test]
fn every_flipped_bit_is_malformed() {
    let token = binary(&token(7, [0x5a; 16], [0xa5; 16]));
    for bit in 0..8 * token.len() {
        let mut changed = token;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(parse_carried_binary(&changed), Err(TokenError), "bit {bit}");
    }
}

#[test]
fn every_changed_character_is_malformed() {
    let token = text(&token(7, [0x5a; 16], [0xa5; 16]));
    for place in 0..token.len() {
        for byte in 0..=u8::MAX {
            let mut changed = token.clone();
            changed[place] = byte;
            assert_eq!(
                Token::parse(&changed).is_ok(),
                byte.eq_ignore_ascii_case(&token[place])
            );
        }
    }
}

/// The formats are of one length each: neither is read as the other.
#[test]
fn every_other_format_and_length_is_malformed() {
    let token = token(7, [0x5a; 16], [0xa5; 16]);
    for format in 0..=u8::MAX {
        let mut other = binary(&token);
        other[0] = format;
        assert_eq!(
            parse_carried_binary(&checked(other)).is_ok(),
            format == CARRIED_FORMAT
        );
    }
    let (text, bytes) = (text(&token), binary(&token));
    for length in 0..text.len() {
        assert_eq!(Token::parse(&text[..length]), Err(TokenError), "{length}");
    }
    assert_eq!(Token::parse(&[&text[..], b"a"].concat()), Err(TokenError));
    for length in 0..bytes.len() {
        assert_eq!(parse_carried_binary(&bytes[..length]), Err(TokenError));
        assert_eq!(parse_binary(&bytes[..length]), Err(TokenError));
    }
    let mut plain = to_binary(token.kid, &token.pseudonym);
    plain[0] = CARRIED_FORMAT;
    let check_sum = crc32fast::hash(&plain[..CHECKED_LEN]).to_be_bytes();
    plain[CHECKED_LEN..].copy_from_slice(&check_sum);
    assert_eq!(parse_binary(&plain), Err(TokenError));
}

#[test]
fn kid_zero_is_malformed() {
    let mut token = binary(&token(7, [0x5a; 16], [0xa5; 16]));
    token[1..5].fill(0);
    assert_eq!(parse_carried_binary(&checked(token)), Err(TokenError));
}

proptest! {
    #[test]
    fn both_forms_come_back(number in 1..=u32::MAX, pseudonym: [u8; 16], link: [u8; 16]) {
        let token = token(number, pseudonym, link);
        let text = text(&token);
        prop_assert_eq!(Token::parse(&text), Ok(token));
        prop_assert_eq!(Token::parse(&text.to_ascii_uppercase()), Ok(token));
        prop_assert_eq!(parse_carried_binary(&binary(&token)), Ok(token));
        prop_assert_eq!(BASE32_NOPAD.decode(&text[4..].to_ascii_uppercase()).expect("base32"), binary(&token));
    }

    #[test]
    fn tokens_without_a_link_are_read_as_before(number in 1..=u32::MAX, pseudonym: [u8; 16]) {
        let (kid, pseudonym) = (kid(number), Pseudonym::from_bytes(pseudonym));
        let mut text = Vec::new();
        write_text(kid, &pseudonym, &mut text);
        prop_assert_eq!(Token::parse(&text), Ok(Token { kid, pseudonym, link: None }));
        prop_assert_eq!(parse_carried_text(&text), Err(TokenError));
    }

    #[test]
    fn only_what_would_be_written_is_parsed(input in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..90),
        "[pP][sS][nN]1[a-z2-7A-Z]{64,68}".prop_map(String::into_bytes),
    ]) {
        if let Ok(token) = parse_carried_text(&input) {
            prop_assert_eq!(text(&token), input.to_ascii_lowercase());
        }
    }
}
