//! RFC 4648 base32, lower case and without padding, of the two lengths that tokens have: 25 bytes in 40 characters, and 41
//! bytes in 66. Written out for them, because each pseudonym passes here twice. Eight characters are worked on at once, as the
//! bytes of one `u64`.

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// 25 bytes to 40 characters.
#[inline]
pub(crate) fn encode(bytes: &[u8; 25]) -> [u8; 40] {
    let mut text = [0; 40];
    encode_groups(bytes.as_chunks().0, text.as_chunks_mut().0);
    text
}

/// 40 characters of either case to 25 bytes; `None` if any is outside the alphabet.
#[inline]
pub(crate) fn decode(text: &[u8; 40]) -> Option<[u8; 25]> {
    let mut bytes = [0; 25];
    let wrong = decode_groups(text.as_chunks().0, bytes.as_chunks_mut().0);
    (wrong == 0).then_some(bytes)
}

/// 41 bytes to 66 characters; the two unused bits of the last one are zero.
#[inline]
pub(crate) fn encode_carried(bytes: &[u8; 41]) -> [u8; 66] {
    let mut text = [0; 66];
    encode_groups(bytes.as_chunks().0, text.as_chunks_mut().0);
    let mut last = [0; 8];
    encode_groups(&[[bytes[40], 0, 0, 0, 0]], std::slice::from_mut(&mut last));
    text[64..].copy_from_slice(&last[..2]);
    text
}

/// 66 characters of either case to 41 bytes; `None` if any is outside the alphabet or an unused bit is not zero.
#[inline]
pub(crate) fn decode_carried(text: &[u8; 66]) -> Option<[u8; 41]> {
    let mut bytes = [0; 41];
    let mut wrong = decode_groups(text.as_chunks().0, bytes.as_chunks_mut().0);
    let mut characters = [b'a'; 8];
    characters[..2].copy_from_slice(&text[64..]);
    let mut last = [0; 5];
    wrong |= decode_groups(&[characters], std::slice::from_mut(&mut last));
    let [byte, unused, ..] = last;
    bytes[40] = byte;
    (wrong == 0 && unused == 0).then_some(bytes)
}

#[inline]
fn encode_groups(groups: &[[u8; 5]], text: &mut [[u8; 8]]) {
    for (group, characters) in groups.iter().zip(text) {
        let [a, b, c, d, e] = *group;
        let bits = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
        *characters = to_characters(bits).to_be_bytes();
    }
}

/// Not zero if a character is outside the alphabet.
#[inline]
fn decode_groups(text: &[[u8; 8]], groups: &mut [[u8; 5]]) -> u64 {
    let mut wrong = 0;
    for (characters, group) in text.iter().zip(groups) {
        let characters = u64::from_be_bytes(*characters);
        let bits = from_characters(characters);
        wrong |= differing(characters, to_characters(bits));
        group.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    wrong
}

/// 40 bits to eight characters.
#[inline]
fn to_characters(bits: u64) -> u64 {
    let halves = (bits >> 20) << 32 | bits & 0xf_ffff;
    let quarters = (halves & 0x000f_fc00_000f_fc00) << 6 | halves & 0x0000_03ff_0000_03ff;
    let values = (quarters & 0x03e0_03e0_03e0_03e0) << 3 | quarters & 0x001f_001f_001f_001f;
    // 26 and up are digits: adding 6 carries into the sixth bit.
    let digits = ((values + 6 * ONES) >> 5) & ONES;
    let letters = values + u64::from(b'a') * ONES;
    letters - u64::from(b'a' + 26 - b'2') * digits
}

/// Eight characters of the alphabet, in either case, to 40 bits; anything for others.
#[inline]
fn from_characters(characters: u64) -> u64 {
    // The low five bits are 1 to 26 for letters, and 18 to 23 for digits, which stand for 26 to 31.
    let letters = (characters >> 6) & ONES;
    let low_bits = characters & (0x1f * ONES);
    let values = (low_bits + 8 * ONES).wrapping_sub(9 * letters) & (0x1f * ONES);
    let quarters = (values >> 3) & 0x03e0_03e0_03e0_03e0 | values & 0x001f_001f_001f_001f;
    let halves = (quarters >> 6) & 0x000f_fc00_000f_fc00 | quarters & 0x0000_03ff_0000_03ff;
    (halves >> 12) & 0xff_fff0_0000 | halves & 0xf_ffff
}

/// Which bits of `characters` differ from those of the alphabet, apart from the case of letters.
#[inline]
fn differing(characters: u64, lower_case: u64) -> u64 {
    let case_of_letters = (lower_case & (0x40 * ONES)) >> 1;
    (characters ^ lower_case) & !case_of_letters
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE32_NOPAD;
    use proptest::prelude::*;

    use super::*;

    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

    proptest! {
        #[test]
        fn agrees_with_data_encoding(bytes: [u8; 25]) {
            let text = encode(&bytes);
            prop_assert_eq!(BASE32_NOPAD.encode(&bytes).to_lowercase().into_bytes(), text);
            prop_assert_eq!(decode(&text), Some(bytes));
            prop_assert_eq!(decode(&text.to_ascii_uppercase().try_into().expect("40 characters")), Some(bytes));
        }
    }

    proptest! {
        #[test]
        fn the_longer_form_agrees_with_data_encoding(bytes in any::<[[u8; 41]; 1]>()) {
            let text = encode_carried(&bytes[0]);
            prop_assert_eq!(BASE32_NOPAD.encode(&bytes[0]).to_lowercase().into_bytes(), text);
            prop_assert_eq!(decode_carried(&text), Some(bytes[0]));
            prop_assert_eq!(decode_carried(&text.to_ascii_uppercase().try_into().expect("66 characters")), Some(bytes[0]));
        }

        /// `data_encoding` refuses unused bits too.
        #[test]
        fn the_longer_form_has_one_spelling(last in "[a-z2-7]{2}") {
            let mut text = [b'a'; 66];
            text[64..].copy_from_slice(last.as_bytes());
            let expected = BASE32_NOPAD.decode(&text.to_ascii_uppercase()).ok();
            prop_assert_eq!(decode_carried(&text).map(Vec::from), expected);
        }
    }

    #[test]
    fn every_other_byte_is_refused_everywhere() {
        for byte in 0..=u8::MAX {
            for place in 0..40 {
                let mut text = [b'a'; 40];
                text[place] = byte;
                assert_eq!(
                    decode(&text).is_some(),
                    ALPHABET.contains(&byte.to_ascii_lowercase())
                );
            }
            for place in 0..65 {
                let mut text = [b'a'; 66];
                text[place] = byte;
                assert_eq!(
                    decode_carried(&text).is_some(),
                    ALPHABET.contains(&byte.to_ascii_lowercase())
                );
            }
        }
    }
}
