//! RFC 4648 base32, lower case, of 25 bytes: 40 characters and no padding. Written out for one fixed length, because each
//! pseudonym passes here twice.

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
    for (group, characters) in bytes
        .as_chunks::<5>()
        .0
        .iter()
        .zip(text.as_chunks_mut::<8>().0)
    {
        let bits = group
            .iter()
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for (i, character) in characters.iter_mut().enumerate() {
            *character = ALPHABET[(bits >> (35 - 5 * i)) as usize & 31];
        }
    }
    text
}

/// 40 characters of either case to 25 bytes; `None` if any is outside the alphabet.
#[inline]
pub(crate) fn decode(text: &[u8; 40]) -> Option<[u8; 25]> {
    let mut bytes = [0; 25];
    let mut seen = 0;
    for (characters, group) in text
        .as_chunks::<8>()
        .0
        .iter()
        .zip(bytes.as_chunks_mut::<5>().0)
    {
        let mut bits = 0u64;
        for character in characters {
            let value = VALUES[*character as usize];
            seen |= value;
            bits = bits << 5 | u64::from(value & 31);
        }
        group.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    (seen < 32).then_some(bytes)
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
                    ALPHABET.contains(&byte.to_ascii_lowercase())
                );
            }
        }
    }
}
