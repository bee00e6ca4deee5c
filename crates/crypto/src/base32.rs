//! RFC 4648 base32, lower case, of 25 bytes: 40 characters and no padding. Written out for one fixed length, because each
//! pseudonym passes here twice. Eight characters are worked on at once, as the bytes of one `u64`.

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;

/// 25 bytes to 40 characters.
#[inline]
pub(crate) fn encode(bytes: &[u8; 25]) -> [u8; 40] {
    let mut text = [0; 40];
    let (groups, _) = bytes.as_chunks::<5>();
    for (group, characters) in groups.iter().zip(text.as_chunks_mut::<8>().0) {
        let [a, b, c, d, e] = *group;
        let bits = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
        *characters = to_characters(bits).to_be_bytes();
    }
    text
}

/// 40 characters of either case to 25 bytes; `None` if any is outside the alphabet.
#[inline]
pub(crate) fn decode(text: &[u8; 40]) -> Option<[u8; 25]> {
    let mut bytes = [0; 25];
    let mut wrong = 0;
    let (groups, _) = text.as_chunks::<8>();
    for (characters, group) in groups.iter().zip(bytes.as_chunks_mut::<5>().0) {
        let characters = u64::from_be_bytes(*characters);
        let bits = from_characters(characters);
        wrong |= differing(characters, to_characters(bits));
        group.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    (wrong == 0).then_some(bytes)
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

    proptest! {
        #[test]
        fn agrees_with_data_encoding(bytes: [u8; 25]) {
            let text = encode(&bytes);
            prop_assert_eq!(BASE32_NOPAD.encode(&bytes).to_lowercase().into_bytes(), text);
            prop_assert_eq!(decode(&text), Some(bytes));
            prop_assert_eq!(decode(&text.to_ascii_uppercase().try_into().expect("40 characters")), Some(bytes));
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
                    b"abcdefghijklmnopqrstuvwxyz234567".contains(&byte.to_ascii_lowercase())
                );
            }
        }
    }
}
