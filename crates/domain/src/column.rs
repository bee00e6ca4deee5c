//! A column of a batch: all values in one contiguous buffer. An empty value is a missing value.

mod builder;

use bytes::Bytes;

pub use builder::ColumnBuilder;

/// Bytes of one offset.
const OFFSET: usize = size_of::<u32>();

/// Values of one element, packed one after another.
///
/// It is laid out as a binary array of Arrow: a buffer with all values, and a buffer of one more offsets than there are
/// values, little-endian and 32 bits wide. Value `i` is between the offsets `i` and `i + 1`. Both buffers are shared, so an
/// array that lives elsewhere can lend them ([`Self::lent`]).
#[derive(Clone, Default)]
pub struct Column {
    /// The values and nothing else.
    data: Bytes,
    /// None at all, or one more than values.
    offsets: Bytes,
    /// The first offset: where `data` begins in the buffer that the offsets are about.
    base: u32,
}

/// The lengths of a packed column do not add up to its data, or it is over 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lengths of a packed column do not add up to the size of its data")]
pub struct LengthMismatch;

/// Offsets do not lie in their data one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the offsets of a column do not lie in its data one after the other")]
pub struct BadOffsets;

impl Column {
    /// A column from one buffer and the byte length of each value.
    ///
    /// # Errors
    /// [`LengthMismatch`] unless the lengths add up to exactly `data`.
    pub fn from_packed(data: Bytes, lengths: &[u32]) -> Result<Self, LengthMismatch> {
        let mut end = 0u32;
        let mut offsets = Vec::with_capacity((lengths.len() + 1) * OFFSET);
        offsets.extend_from_slice(&end.to_le_bytes());
        for length in lengths {
            end = end.checked_add(*length).ok_or(LengthMismatch)?;
            offsets.extend_from_slice(&end.to_le_bytes());
        }
        if end as usize != data.len() {
            return Err(LengthMismatch);
        }
        Ok(Self {
            data,
            offsets: offsets.into(),
            base: 0,
        })
    }

    /// A column over buffers that are another's, such as those of an Arrow array, without a copy. The offsets may
    /// begin and end inside of the data. A missing value must be empty: a validity bitmap is the lender's to apply.
    ///
    /// # Errors
    /// [`BadOffsets`] for offsets that are no whole numbers of 32 bits, go back, or lie outside of the data.
    pub fn lent(data: Bytes, offsets: Bytes) -> Result<Self, BadOffsets> {
        let (each, rest) = offsets.as_chunks::<OFFSET>();
        let ascend = each.is_sorted_by_key(|offset| u32::from_le_bytes(*offset));
        let (Some(first), Some(last)) = (each.first(), each.last()) else {
            return Err(BadOffsets);
        };
        let base = u32::from_le_bytes(*first);
        let end = u32::from_le_bytes(*last);
        if !rest.is_empty() || !ascend || end as usize > data.len() {
            return Err(BadOffsets);
        }
        Ok(Self {
            data: data.slice(base as usize..end as usize),
            offsets,
            base,
        })
    }

    /// A column copied from separate values.
    pub fn from_values<V: AsRef<[u8]>>(values: impl IntoIterator<Item = V>) -> Self {
        let mut builder = ColumnBuilder::default();
        for value in values {
            builder.push(value.as_ref());
        }
        builder.finish()
    }

    /// Number of values.
    pub fn rows(&self) -> usize {
        (self.offsets.len() / OFFSET).saturating_sub(1)
    }

    /// The value of a row; empty if missing. Panics when `row` is out of range, like a slice.
    pub fn get(&self, row: usize) -> &[u8] {
        &self.data[self.range(row)]
    }

    /// The value of a row as a slice of the shared buffer (no copy).
    pub fn slice(&self, row: usize) -> Bytes {
        self.data.slice(self.range(row))
    }

    /// All values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        values(&self.data, &self.offsets, self.base)
    }

    /// The buffer that holds all values and nothing else.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Byte length of each value, in order.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = u32> {
        (0..self.rows()).map(|row| self.range(row).len() as u32)
    }

    /// Number of values that are not missing.
    pub fn present(&self) -> usize {
        self.lengths().filter(|length| *length > 0).count()
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        range(&self.offsets, row, self.base)
    }
}

/// Where a value is in data that begins at offset `base`.
fn range(offsets: &[u8], row: usize, base: u32) -> std::ops::Range<usize> {
    let (offsets, _) = offsets.as_chunks::<OFFSET>();
    let start = u32::from_le_bytes(offsets[row]) - base;
    let end = u32::from_le_bytes(offsets[row + 1]) - base;
    start as usize..end as usize
}

/// All values in data that begins at offset `base`.
fn values<'a>(
    data: &'a [u8],
    offsets: &'a [u8],
    base: u32,
) -> impl ExactSizeIterator<Item = &'a [u8]> {
    let (offsets, _) = offsets.as_chunks::<OFFSET>();
    offsets.windows(2).map(move |pair| {
        let start = u32::from_le_bytes(pair[0]) - base;
        let end = u32::from_le_bytes(pair[1]) - base;
        &data[start as usize..end as usize]
    })
}

/// Whether the values are the same, wherever their buffers are.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data && self.lengths().eq(other.lengths())
    }
}

impl Eq for Column {}

/// Shows the shape only: the values are someone's data.
impl std::fmt::Debug for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Column({} values, {} bytes)",
            self.rows(),
            self.data.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_and_separate_values_are_the_same_column() {
        let packed = Column::from_packed(Bytes::from_static(b"abc"), &[1, 0, 2]).expect("adds up");
        assert_eq!(packed, Column::from_values(["a", "", "bc"]));
        assert_eq!(packed.lengths().collect::<Vec<_>>(), [1, 0, 2]);
        assert_eq!(packed.slice(2).as_ref(), b"bc");
        assert_eq!(packed.present(), 2);
        let none: [&str; 0] = [];
        assert_eq!(Column::default(), Column::from_values(none));
    }

    #[test]
    fn lengths_that_do_not_add_up_are_refused() {
        for lengths in [&[1u32, 1][..], &[4], &[u32::MAX, 4], &[]] {
            assert_eq!(
                Column::from_packed(Bytes::from_static(b"abc"), lengths),
                Err(LengthMismatch)
            );
        }
    }

    fn offsets(offsets: &[u32]) -> Bytes {
        let bytes = offsets.iter().flat_map(|offset| offset.to_le_bytes());
        bytes.collect::<Vec<u8>>().into()
    }

    /// A buffer that belongs to something else.
    struct Array(Vec<u8>);

    impl AsRef<[u8]> for Array {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    #[test]
    fn an_array_lends_its_buffers_and_a_part_of_it_too() {
        let array = Array(b"xxabbcyy".to_vec());
        let at = array.0.as_ptr();
        let data = Bytes::from_owner(array);
        let lent = Column::lent(data, offsets(&[2, 3, 3, 5, 6])).expect("in order");
        assert_eq!(lent, Column::from_values(["a", "", "bb", "c"]));
        assert_eq!(lent.data().as_ptr(), at.wrapping_add(2), "no copy");
        let values: Vec<_> = lent.iter().collect();
        assert_eq!(values, [&b"a"[..], b"", b"bb", b"c"]);
        assert_eq!(lent.slice(2).as_ref(), b"bb");
    }

    #[test]
    fn offsets_that_are_none_are_refused() {
        let data = Bytes::from_static(b"abc");
        for bad in [&[][..], &[0, 4], &[0, 2, 1], &[3, 0], &[u32::MAX]] {
            let refused = Column::lent(data.clone(), offsets(bad));
            assert_eq!(refused, Err(BadOffsets), "{bad:?}");
        }
        let cut = offsets(&[0, 3]).slice(..7);
        assert_eq!(Column::lent(data, cut), Err(BadOffsets));
    }
}
