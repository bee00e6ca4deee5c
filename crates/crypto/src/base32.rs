//! RFC 4648 base32, lower case and without padding, of the two lengths that tokens have: 25 bytes in 40 characters, and 41
//! bytes in 66. Written out for them, because each pseudonym passes here twice.

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const INVALID: u8 = 0xff;

/// Value of each character, either case; [`INVALID`] for all others.
const VALUES: [u8; 256] = {
    let mut values = [INVALID; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        values[ALPHABET[value].to_ascii_uppercase() as usize] = value as u8;
        value += 1;
    }
    values
};

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
    let seen = decode_groups(text.as_chunks().0, bytes.as_chunks_mut().0);
    (seen < 32).then_some(bytes)
}

/// 41 bytes to 66 characters; the two unused bits of the last one are zero.
#[inline]
pub(crate) fn encode_carried(bytes: &[u8; 41]) -> [u8; 66] {
    let mut text = [0; 66];
    encode_groups(bytes.as_chunks().0, text.as_chunks_mut().0);
    text[64] = ALPHABET[usize::from(bytes[40] >> 3)];
    text[65] = ALPHABET[usize::from(bytes[40] << 2 & 31)];
    text
}

/// 66 characters of either case to 41 bytes; `None` if any is outside the alphabet or an unused bit is not zero.
#[inline]
pub(crate) fn decode_carried(text: &[u8; 66]) -> Option<[u8; 41]> {
    let mut bytes = [0; 41];
    let seen = decode_groups(text.as_chunks().0, bytes.as_chunks_mut().0);
    let high = VALUES[usize::from(text[64])];
    let low = VALUES[usize::from(text[65])];
    bytes[40] = high << 3 | low >> 2 & 7;
    (seen | high | low < 32 && low & 3 == 0).then_some(bytes)
}

#[inline]
fn encode_groups(groups: &[[u8; 5]], text: &mut [[u8; 8]]) {
    for (group, characters) in groups.iter().zip(text) {
        let bits = group
            .iter()
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for (i, character) in characters.iter_mut().enumerate() {
            *character = ALPHABET[(bits >> (35 - 5 * i)) as usize & 31];
        }
    }
}

/// All values that were seen, in one: below 32 if each character is of the alphabet.
#[inline]
fn decode_groups(text: &[[u8; 8]], groups: &mut [[u8; 5]]) -> u8 {
    let mut seen = 0;
    for (characters, group) in text.iter().zip(groups) {
        let mut bits = 0u64;
        for character in characters {
            let value = VALUES[*character as usize];
            seen |= value;
            bits = bits << 5 | u64::from(value & 31);
        }
        group.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    seen
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
