//! Values written one after another.

use super::{Column, OFFSET, range, values};

/// Writes values one by one into one growing buffer; can take back the last ones.
#[derive(Clone, PartialEq, Eq)]
pub struct ColumnBuilder {
    data: Vec<u8>,
    /// As in [`Column`], from 0.
    offsets: Vec<u8>,
}

impl Default for ColumnBuilder {
    fn default() -> Self {
        Self::with_capacity(0, 0)
    }
}

impl ColumnBuilder {
    /// Room for `rows` values of together `bytes` bytes.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity((rows + 1) * OFFSET);
        offsets.extend_from_slice(&0u32.to_le_bytes());
        Self {
            data: Vec::with_capacity(bytes),
            offsets,
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

    /// Appends what `write` adds to the buffer as one value; nothing added is a missing value.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.data);
        self.end_value();
    }

    /// Like [`Self::push_with`]; on an error whatever was added is taken back and the value is missing.
    ///
    /// # Errors
    /// The errors of `write`.
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
        if rows >= self.rows() {
            return;
        }
        self.data.truncate(range(&self.offsets, rows, 0).start);
        self.offsets.truncate((rows + 1) * OFFSET);
    }

    /// Number of values so far.
    pub fn rows(&self) -> usize {
        self.offsets.len() / OFFSET - 1
    }

    /// Number of bytes so far.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The values so far, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        values(&self.data, &self.offsets, 0)
    }

    /// The finished column.
    pub fn finish(self) -> Column {
        Column {
            data: self.data.into(),
            offsets: self.offsets.into(),
            base: 0,
        }
    }

    fn end_value(&mut self) {
        // A batch is bounded by the message size (megabytes), far below 4 GiB.
        let end = u32::try_from(self.data.len()).expect("a column stays below 4 GiB");
        self.offsets.extend_from_slice(&end.to_le_bytes());
    }
}

/// Shows the shape only: the values are someone's data.
impl std::fmt::Debug for ColumnBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "ColumnBuilder({} values, {} bytes)",
            self.rows(),
            self.bytes()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(builder.iter().collect::<Vec<_>>(), [&b"ab"[..], b"e"]);
        assert_eq!(builder.finish(), Column::from_values(["ab", "e"]));
    }
}
