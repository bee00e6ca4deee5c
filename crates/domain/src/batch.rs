//! Record batches: the unit of work.

use crate::{Column, ElementName, Reason};

/// Most rows of one batch.
pub const MAX_ROWS: usize = 1 << 20;
/// Most columns of one batch.
pub const MAX_COLUMNS: usize = 4_096;

/// A caller's own name for a batch, so that sending it again counts once: 1 to 64 bytes, opaque.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BatchId(Box<[u8]>);

impl BatchId {
    /// Longest batch id in bytes.
    pub const MAX_LEN: usize = 64;

    /// `None` unless 1 to 64 bytes.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=Self::MAX_LEN)
            .contains(&bytes.len())
            .then(|| Self(bytes.into()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A caller might put anything into a batch id, so it is not shown.
impl std::fmt::Debug for BatchId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BatchId({} bytes)", self.0.len())
    }
}

/// Columns of equal length, each with the element it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBatch {
    batch_id: Option<BatchId>,
    rows: usize,
    columns: Vec<(ElementName, Column)>,
}

impl RecordBatch {
    /// Checks the shape of a batch.
    ///
    /// # Errors
    /// [`Reason::InvalidBatch`] if a column does not have `rows` values, an element comes twice, or there are more than
    /// [`MAX_ROWS`] rows or more columns than a chain can have elements.
    pub fn new(
        batch_id: Option<BatchId>,
        rows: usize,
        columns: Vec<(ElementName, Column)>,
    ) -> Result<Self, Reason> {
        if rows > MAX_ROWS || columns.len() > MAX_COLUMNS {
            return Err(Reason::InvalidBatch);
        }
        let lengths_agree = columns.iter().all(|(_, column)| column.rows() == rows);
        let names_differ = columns
            .iter()
            .enumerate()
            .all(|(i, (name, _))| columns[..i].iter().all(|(n, _)| n != name));
        if lengths_agree && names_differ {
            Ok(Self {
                batch_id,
                rows,
                columns,
            })
        } else {
            Err(Reason::InvalidBatch)
        }
    }

    /// The caller's name for the batch.
    pub fn batch_id(&self) -> Option<&BatchId> {
        self.batch_id.as_ref()
    }

    /// Number of rows of every column.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns in the caller's order.
    pub fn columns(&self) -> &[(ElementName, Column)] {
        &self.columns
    }

    /// The column of an element.
    pub fn column(&self, element: &ElementName) -> Option<&Column> {
        self.columns
            .iter()
            .find(|(name, _)| name == element)
            .map(|(_, column)| column)
    }
}

/// A row that was refused, and why. The row's output values are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Index of the row in its batch, from 0.
    pub row: u32,
    /// The element of the value that was refused.
    pub element: ElementName,
    /// Why.
    pub reason: Reason,
}

/// What became of a batch: one output column per input column, in the same order, and the refused rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchOutcome {
    /// Output columns, `rows` values each.
    pub columns: Vec<(ElementName, Column)>,
    /// Refused rows in ascending order, at most one per row.
    pub rejections: Vec<Rejection>,
}
