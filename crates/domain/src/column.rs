//! A column of a batch: all values in one contiguous buffer. An empty value is a missing value.

use bytes::Bytes;

/// Values of one element, packed one after another.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Column {
    data: Bytes,
    /// End offset of each value in `data`.
    ends: Vec<u32>,
}

/// The lengths of a packed column do not add up to its data, or it is over 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lengths of a packed column do not add up to the size of its data")]
pub struct LengthMismatch;

impl Column {
    /// A column from one buffer and the byte length of each value.
    ///
    /// # Errors
    /// [`LengthMismatch`] unless the lengths add up to exactly `data`.
    pub fn from_packed(data: Bytes, lengths: &[u32]) -> Result<Self, LengthMismatch> {
        let mut end = 0u32;
        let mut ends = Vec::with_capacity(lengths.len());
        for length in lengths {
            end = end.checked_add(*length).ok_or(LengthMismatch)?;
            ends.push(end);
        }
        if end as usize == data.len() {
            Ok(Self { data, ends })
        } else {
            Err(LengthMismatch)
        }
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
        self.ends.len()
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
        (0..self.rows()).map(|row| self.get(row))
    }

    /// The buffer that holds all values.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Byte length of each value, in order.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = u32> {
        (0..self.rows()).map(|row| self.range(row).len() as u32)
    }

    /// Number of values that are not missing.
    pub fn present(&self) -> usize {
        self.iter().filter(|value| !value.is_empty()).count()
    }

    fn range(&self, row: usize) -> std::ops::Range<usize> {
        let start = if row == 0 {
            0
        } else {
            self.ends[row - 1] as usize
        };
        start..self.ends[row] as usize
    }
}

/// Shows the shape only: the values are somebody's data.
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

/// Writes a column value by value into one growing buffer.
#[derive(Default)]
pub struct ColumnBuilder {
    data: Vec<u8>,
    ends: Vec<u32>,
}

impl ColumnBuilder {
    /// Room for `rows` values of together `bytes` bytes.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self {
            data: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(rows),
        }
    }

    /// Appends a value.
    pub fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.end_value();
    }

    /// Appends a missing value.
    pub fn push_missing(&mut self) {
        self.end_value();
    }

    /// Appends what `write` adds to the buffer as one value.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.data);
        self.end_value();
    }

    /// Like [`Self::push_with`]; on an error whatever was added is taken back and the value is missing.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn try_push_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.data.len();
        let outcome = write(&mut self.data);
        if outcome.is_err() {
            self.data.truncate(start);
        }
        self.end_value();
        outcome
    }

    /// Takes back all values after the first `rows`.
    pub fn truncate(&mut self, rows: usize) {
        self.ends.truncate(rows);
        let end = self.ends.last().map_or(0, |end| *end as usize);
        self.data.truncate(end);
    }

    /// Number of values so far.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// Number of bytes so far.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The finished column.
    pub fn finish(self) -> Column {
        Column {
            data: self.data.into(),
            ends: self.ends,
        }
    }

    fn end_value(&mut self) {
        // A batch is bounded by the message size (megabytes), far below 4 GiB.
        let end = u32::try_from(self.data.len()).expect("a column stays below 4 GiB");
        self.ends.push(end);
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

    #[test]
    fn a_failed_value_leaves_nothing_behind() {
        let mut builder = ColumnBuilder::default();
        let failed: Result<(), ()> = builder.try_push_with(|out| {
            out.extend_from_slice(b"half");
            Err(())
        });
        assert!(failed.is_err());
        builder.push(b"x");
        assert_eq!(builder.finish(), Column::from_values(["", "x"]));
    }

    #[test]
    fn values_that_are_taken_back_leave_nothing_behind() {
        let mut builder = ColumnBuilder::default();
        for value in ["ab", "", "cd"] {
            builder.push(value.as_bytes());
        }
        builder.truncate(9);
        assert_eq!((builder.rows(), builder.bytes()), (3, 4));
        builder.truncate(1);
        builder.push(b"e");
        assert_eq!(builder.finish(), Column::from_values(["ab", "e"]));
    }
}
