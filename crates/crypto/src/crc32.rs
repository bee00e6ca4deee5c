//! CRC-32/ISO-HDLC of the bytes that a token's check sum covers. Written out for two fixed lengths, because each pseudonym
//! passes here twice, and `crc32fast` is made for long inputs.
//!
//! The check sum is linear: it is the sum of what each byte adds at its place. So one table per place gives it with
//! independent look-ups. The bytes are no secrets of the custodian: whoever has the token has them.

/// How many bytes are covered at most.
const MOST: usize = 37;

/// The reversed polynomial.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// What each byte adds that has so many bytes behind it.
static ADDED: [[u32; 256]; MOST] = added();

/// The check sum of at most [`MOST`] bytes.
#[inline]
pub(crate) fn crc32<const N: usize>(bytes: &[u8; N]) -> u32 {
    const { assert!(N <= MOST) };
    let of_zeros = const { !zeros_behind(u32::MAX, N) };
    let places = bytes.iter().zip(ADDED[..N].iter().rev());
    places.fold(of_zeros, |sum, (byte, added)| sum ^ added[*byte as usize])
}

const fn added() -> [[u32; 256]; MOST] {
    let mut tables = [[0; 256]; MOST];
    let mut behind = 0;
    while behind < MOST {
        let mut byte = 0;
        while byte < 256 {
            tables[behind][byte] = match behind {
                0 => zeros_behind(byte as u32, 1),
                _ => zeros_behind(tables[behind - 1][byte], 1),
            };
            byte += 1;
        }
        behind += 1;
    }
    tables
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
        fn agrees_with_crc32fast(short: [u8; 21], long in prop::array::uniform32(any::<u8>()), end: [u8; 5]) {
            prop_assert_eq!(crc32(&short), crc32fast::hash(&short));
            let mut bytes = [0; MOST];
            bytes[..32].copy_from_slice(&long);
            bytes[32..].copy_from_slice(&end);
            prop_assert_eq!(crc32(&bytes), crc32fast::hash(&bytes));
        }
    }

    #[test]
    fn one_byte_at_each_place_agrees_with_crc32fast() {
        for place in 0..MOST {
            for byte in 0..=u8::MAX {
                let mut bytes = [0; MOST];
                bytes[place] = byte;
                assert_eq!(crc32(&bytes), crc32fast::hash(&bytes));
            }
        }
    }
}
