//! Shares by the table in `crates/keyring/src/kek/share.rs`: read, put together, and forged.

/// A share of the same set and number with another content and a right check sum.
pub(super) fn wrong(share: &str) -> String {
    let (prefix, text) = share.split_at(share.len() - 76);
    let mut bytes = decode(text);
    bytes[20] ^= 1;
    let sum = crc32(&bytes[..43]);
    bytes[43..47].copy_from_slice(&sum.to_be_bytes());
    format!("{prefix}{}", encode(&bytes))
}

/// Number and bytes of a share.
pub(super) fn point(share: &str) -> (u8, [u8; 32]) {
    let bytes = decode(&share[share.len() - 76..]);
    (bytes[10], bytes[11..43].try_into().expect("32 bytes"))
}

/// What two shares of threshold two make: the line through both points, at 0 (Shamir 1979, over GF(256)).
pub(super) fn combine((x1, y1): &(u8, [u8; 32]), (x2, y2): &(u8, [u8; 32])) -> [u8; 32] {
    let over = inverse(x1 ^ x2);
    std::array::from_fn(|i| multiply(over, multiply(y1[i], *x2) ^ multiply(y2[i], *x1)))
}

/// In GF(256) with the polynomial of AES.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b > 0 {
        product ^= if b & 1 == 1 { a } else { 0 };
        a = a << 1 ^ if a & 0x80 > 0 { 0x1b } else { 0 };
        b >>= 1;
    }
    product
}

fn inverse(a: u8) -> u8 {
    (1..=255).find(|b| multiply(a, *b) == 1).expect("not zero")
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// RFC 4648 base32: the bits of all characters, in order.
fn decode(text: &str) -> Vec<u8> {
    let value = |c: u8| {
        ALPHABET
            .iter()
            .position(|letter| *letter == c)
            .expect("base32")
    };
    let bits: Vec<bool> = text
        .bytes()
        .flat_map(|c| (0..5).rev().map(move |bit| value(c) >> bit & 1 == 1))
        .collect();
    bits.chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit)))
        .collect()
}

fn encode(bytes: &[u8]) -> String {
    let bits: Vec<bool> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
        .collect();
    let letter = |five: &[bool]| {
        let value = (0..5).fold(0, |sum, i| {
            sum << 1 | usize::from(five.get(i).copied().unwrap_or(false))
        });
        char::from(ALPHABET[value])
    };
    bits.chunks(5).map(letter).collect()
}

/// CRC-32/ISO-HDLC.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
        crc
    })
}

#[test]
fn what_is_encoded_is_what_was_decoded() {
    let bytes: Vec<u8> = (0..47).map(|i| i * 5).collect();
    assert_eq!(decode(&encode(&bytes)), bytes);
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}
