//! The bytes of an entry bundle: each entry after its length in two big-endian bytes (C2SP tlog-tiles).

use crate::tile::TILE_WIDTH;

/// The longest entry that a bundle can hold.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Why entries do not make a bundle, or bytes are not one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BundleError {
    /// No entries, or more than 256.
    #[error("a bundle holds 1 to 256 entries, not {0}")]
    Count(usize),
    /// An entry to be written is too long.
    #[error("entry {position} of the bundle has {bytes} bytes; the most is 65535")]
    TooLong {
        /// Which entry of the bundle, from 0.
        position: usize,
        /// How long it is.
        bytes: usize,
    },
    /// The bytes end within an entry or before the last one.
    #[error("the bundle ends in entry {position} of {expected}")]
    Truncated {
        /// Which entry is not whole, from 0.
        position: usize,
        /// How many entries there should be.
        expected: u16,
    },
    /// There are bytes after the last entry.
    #[error("{bytes} bytes follow the last of the bundle's {expected} entries")]
    TrailingBytes {
        /// How many.
        bytes: usize,
        /// How many entries there should be.
        expected: u16,
    },
}

/// The bundle of up to 256 entries in their order.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    check_count(entries.len())?;
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| 2 + entry.as_ref().len()).sum());
    for (position, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong {
            position,
            bytes: entry.len(),
        })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle, which must hold exactly `width` of them and nothing else.
pub fn decode_bundle(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    check_count(width.into())?;
    let mut rest = bundle;
    let mut entries = Vec::with_capacity(width.into());
    for position in 0..usize::from(width) {
        let (entry, after) = split_entry(rest).ok_or(BundleError::Truncated {
            position,
            expected: width,
        })?;
        entries.push(entry);
        rest = after;
    }
    match rest.len() {
        0 => Ok(entries),
        bytes => Err(BundleError::TrailingBytes {
            bytes,
            expected: width,
        }),
    }
}

fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

fn check_count(entries: usize) -> Result<(), BundleError> {
    if (1..=usize::from(TILE_WIDTH)).contains(&entries) {
        Ok(())
    } else {
        Err(BundleError::Count(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bundle_is_lengths_and_entries() {
        let bundle = encode_bundle(&[&b"one"[..], b"", b"three"]).expect("a bundle");
        assert_eq!(bundle, b"\0\x03one\0\0\0\x05three");
        assert_eq!(
            decode_bundle(&bundle, 3),
            Ok(vec![&b"one"[..], b"", b"three"])
        );
    }

    #[test]
    fn the_number_of_entries_must_be_right() {
        let bundle = encode_bundle(&[b"one", b"two"]).expect("a bundle");
        assert_eq!(
            decode_bundle(&bundle, 1),
            Err(BundleError::TrailingBytes {
                bytes: 5,
                expected: 1
            })
        );
        assert_eq!(
            decode_bundle(&bundle, 3),
            Err(BundleError::Truncated {
                position: 2,
                expected: 3
            })
        );
        assert_eq!(decode_bundle(&bundle, 0), Err(BundleError::Count(0)));
        assert_eq!(decode_bundle(&bundle, 257), Err(BundleError::Count(257)));
        assert_eq!(encode_bundle::<&[u8]>(&[]), Err(BundleError::Count(0)));
        assert_eq!(encode_bundle(&[b""; 257]), Err(BundleError::Count(257)));
        assert!(encode_bundle(&[b""; 256]).is_ok());
    }

    #[test]
    fn an_entry_of_65535_bytes_fits_and_one_more_byte_does_not() {
        let longest = vec![7; MAX_ENTRY_BYTES];
        let bundle = encode_bundle(&[&longest]).expect("fits");
        assert_eq!(decode_bundle(&bundle, 1), Ok(vec![&longest[..]]));
        let refused = encode_bundle(&[&[][..], &[7; MAX_ENTRY_BYTES + 1]]);
        assert_eq!(
            refused,
            Err(BundleError::TooLong {
                position: 1,
                bytes: 65536
            })
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let bundle = encode_bundle(&[&b"one"[..], b"", b"three"]).expect("a bundle");
        for length in 0..bundle.len() {
            assert!(
                matches!(
                    decode_bundle(&bundle[..length], 3),
                    Err(BundleError::Truncated { .. })
                ),
                "{length}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256)) {
            let bundle = encode_bundle(&entries).expect("a bundle");
            let decoded = decode_bundle(&bundle, u16::try_from(entries.len()).expect("at most 256"));
            prop_assert_eq!(decoded.expect("a bundle"), entries);
        }

        #[test]
        fn what_is_decoded_encodes_to_the_same_bytes(bytes in prop::collection::vec(0_u8..4, 0..40), width in 0_u16..20) {
            if let Ok(entries) = decode_bundle(&bytes, width) {
                prop_assert_eq!(encode_bundle(&entries).expect("a bundle"), bytes);
            }
        }
    }
}
