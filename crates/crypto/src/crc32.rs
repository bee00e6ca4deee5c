//! CRC-32/ISO-HDLC of the bytes that a token's check sum covers. Written out for one fixed length, because each pseudonym
//! passes here twice, and `crc32fast` is made for long inputs.
//!
//! The check sum is linear: it is the sum of what each byte adds at its place. So one table per place gives it with
//! independent look-ups. The bytes are no secrets of the custodian: whoever has the token has them.

/// How many bytes are covered.
pub(crate) const COVERED: usize = 21;

/// The reversed polynomial.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// What each byte adds at each place, from the first.
static ADDED: [[u32; 256]; COVERED] = added();

/// What a message of zeros gives.
const OF_ZEROS: u32 = !zeros_behind(u32::MAX, COVERED);

/// The check sum.
#[inline]
pub(crate) fn crc32(bytes: &[u8; COVERED]) -> u32 {
    let places = bytes.iter().zip(&ADDED);
    places.fold(OF_ZEROS, |sum, (byte, added)| sum ^ added[*byte as usize])
}

const fn added() -> [[u32; 256]; COVERED] {
    let mut tables = [[0; 256]; COVERED];
    let mut place = 0;
    while place < COVERED {
        let mut byte = 0;
        while byte < 256 {
            tables[place][byte] = match place {
                0 => zeros_behind(byte as u32, 1),
                _ => zeros_behind(tables[place - 1][byte], 1),
            };
            byte += 1;
        }
        place += 1;
    }
    let mut last_first = [[0; 256]; COVERED];
    let mut at = 0;
    while at < COVERED {
        last_first[at] = tables[COVERED - 1 - at];
        at += 1;
    }
    last_first
}

/// The register after this many bytes of zeros.
const fn zeros_behind(mut register: u32, bytes: usize) -> u32 {
    let mut bit = 0;
    while bit < 8 * bytes {
        let out = register & 1;
        register >>= 1;
        if out == 1 {
            register ^= POLYNOMIAL;
        }
        bit += 1;
    }
    register
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_crc32fast(bytes: [u8; COVERED]) {
            prop_assert_eq!(crc32(&bytes), crc32fast::hash(&bytes));
        }
    }

    #[test]
    fn one_byte_at_each_place_agrees_with_crc32fast() {
        for place in 0..COVERED {
            for byte in 0..=u8::MAX {
                let mut bytes = [0; COVERED];
                bytes[place] = byte;
                assert_eq!(crc32(&bytes), crc32fast::hash(&bytes));
            }
        }
    }
}
