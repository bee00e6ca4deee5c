//! Batches to send.

use bytes::Bytes;
use sluis_domain::{Column, ElementName, RecordBatch};
use sluis_wire::{batch, v1};

/// Columns of equal length to send. The values are not shown by `Debug`.
#[derive(Default)]
pub struct Batch {
    batch_id: Bytes,
    rows: u32,
    columns: Vec<(ElementName, Column)>,
}

impl Batch {
    /// A batch of `rows` rows without columns.
    pub fn new(rows: u32) -> Self {
        Self {
            rows,
            ..Self::default()
        }
    }

    /// Gives the batch a name of the caller's own, 1 to 64 bytes, unique within a grant, without personal data.
    #[must_use]
    pub fn with_id(mut self, batch_id: Bytes) -> Self {
        self.batch_id = batch_id;
        self
    }

    /// Adds a column with as many values as the batch has rows.
    ///
    /// # Panics
    /// If it has another number of values: that is a defect of the caller.
    pub fn push(&mut self, element: &ElementName, values: Column) {
        assert_eq!(
            values.rows(),
            self.rows as usize,
            "a column has one value per row"
        );
        self.columns.push((element.clone(), values));
    }

    /// Number of rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Number of values that are not missing: what counts under a grant.
    pub fn values(&self) -> u64 {
        let present = self.columns.iter().map(|(_, values)| values.present());
        present.sum::<usize>() as u64
    }

    /// The values of an element, as they will be sent.
    pub fn column(&self, element: &str) -> Option<Column> {
        let mut columns = self.columns.iter();
        let (_, values) = columns.find(|(name, _)| name.as_str() == element)?;
        Some(values.clone())
    }

    pub(crate) fn into_wire(self, sequence: u64) -> v1::RecordBatch {
        batch::request(sequence, self.batch_id, self.rows, &self.columns)
    }
}

impl From<RecordBatch> for Batch {
    fn from(batch: RecordBatch) -> Self {
        // A record batch has at most 2^20 rows.
        let rows = u32::try_from(batch.rows()).unwrap_or(u32::MAX);
        let batch_id = batch
            .batch_id()
            .map(|id| Bytes::copy_from_slice(id.as_bytes()))
            .unwrap_or_default();
        Self {
            batch_id,
            rows,
            columns: batch.columns().to_vec(),
        }
    }
}

/// Shows the shape only.
impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Batch({} rows, {} columns)",
            self.rows,
            self.columns.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_no_values() {
        let mut batch = Batch::new(3);
        for element in ["bsn", "name"] {
            let values = Column::from_values(["a", "", "bc"]);
            batch.push(&element.parse().expect("id"), values);
        }
        assert_eq!(batch.values(), 4);
        assert_eq!(Batch::new(7).values(), 0);
    }

    #[test]
    fn debug_shows_no_value() {
        let values = Column::from_values(["950000012"]);
        let shown = format!("{values:?}");
        let mut batch = Batch::new(1);
        batch.push(&"bsn".parse().expect("id"), values);
        assert!(!format!("{shown}{batch:?}").contains("950000012"));
    }
}
