//! Batches as they travel: columns in packed form.

use bytes::Bytes;
use sluis_domain::{Column, ElementName, RecordBatch};
use sluis_wire::v1;

use crate::ClientError;

/// Columns of equal length to send. The values are not shown by `Debug`.
#[derive(Default)]
pub struct Batch {
    batch_id: Bytes,
    rows: u32,
    columns: Vec<v1::Column>,
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
        let packed = v1::Packed {
            data: values.data().clone(),
            lengths: values.lengths().collect(),
        };
        self.columns.push(column(element, packed));
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
        let present = |column: &v1::Column| match &column.form {
            Some(v1::column::Form::Packed(packed)) => {
                packed.lengths.iter().filter(|length| **length > 0).count()
            }
            Some(v1::column::Form::Values(values)) => {
                let present = values.values.iter().filter(|value| !value.is_empty());
                present.count()
            }
            None => 0,
        };
        self.columns
            .iter()
            .map(|column| present(column) as u64)
            .sum()
    }

    /// The values of an element, as they will be sent.
    pub fn column(&self, element: &str) -> Option<Column> {
        let column = self
            .columns
            .iter()
            .find(|column| column.element == element)?;
        column_from_wire(column.clone())
            .ok()
            .map(|(_, values)| values)
    }

    pub(crate) fn into_wire(self, sequence: u64) -> v1::RecordBatch {
        v1::RecordBatch {
            sequence,
            batch_id: self.batch_id,
            rows: self.rows,
            columns: self.columns,
        }
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
        let packed = |values: &Column| v1::Packed {
            data: values.data().clone(),
            lengths: values.lengths().collect(),
        };
        let columns = batch
            .columns()
            .iter()
            .map(|(name, values)| column(name, packed(values)))
            .collect();
        Self {
            batch_id,
            rows,
            columns,
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

fn column(element: &ElementName, packed: v1::Packed) -> v1::Column {
    v1::Column {
        element: element.to_string(),
        form: Some(v1::column::Form::Packed(packed)),
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchResult {
    /// Sequence of the batch in its stream, from 0.
    pub sequence: u64,
    /// Output columns in the order of the request, as many values each as the batch has rows.
    pub columns: Vec<(String, Column)>,
    /// The refused rows, ascending, at most one per row. Their output values are missing.
    pub rejections: Vec<Rejection>,
    /// Values that were counted under the grant now; 0 for a batch whose id was counted before.
    pub counted: u64,
}

/// One refused row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Index of the row in its batch, from 0.
    pub row: u32,
    /// The element whose value was refused.
    pub element: String,
    /// Reason code.
    pub reason: String,
}

impl BatchResult {
    /// Checks a result against the shape of the batch it answers.
    pub(crate) fn from_wire(
        result: v1::BatchResult,
        rows: u32,
        columns: usize,
    ) -> Result<Self, ClientError> {
        let plain = match result.output {
            Some(v1::batch_result::Output::Plain(plain)) => plain.columns,
            None if columns == 0 => Vec::new(),
            _ => return Err(ClientError::Protocol("a result without plain columns")),
        };
        let columns_of_result = plain
            .into_iter()
            .map(column_from_wire)
            .collect::<Result<Vec<_>, _>>()?;
        if columns_of_result.len() != columns
            || columns_of_result
                .iter()
                .any(|(_, c)| c.rows() != rows as usize)
        {
            return Err(ClientError::Protocol(
                "a result of another shape than its batch",
            ));
        }
        let rejections: Vec<_> = result.rejections.into_iter().map(Rejection::from).collect();
        let ascending = rejections.windows(2).all(|pair| pair[0].row < pair[1].row);
        if !ascending || rejections.last().is_some_and(|last| last.row >= rows) {
            return Err(ClientError::Protocol(
                "rejections out of order or of rows that do not exist",
            ));
        }
        if !rejections.iter().all(Rejection::is_well_formed) {
            return Err(ClientError::Protocol(
                "a rejection without a reason code or for no element",
            ));
        }
        Ok(Self {
            sequence: result.sequence,
            columns: columns_of_result,
            rejections,
            counted: result.counted_values,
        })
    }
}

fn column_from_wire(column: v1::Column) -> Result<(String, Column), ClientError> {
    let values = match column.form {
        Some(v1::column::Form::Packed(packed)) => Column::from_packed(packed.data, &packed.lengths)
            .map_err(|_| ClientError::Protocol("lengths of a column that do not add up"))?,
        Some(v1::column::Form::Values(values)) => Column::from_values(values.values),
        None => return Err(ClientError::Protocol("a column without values")),
    };
    Ok((column.element, values))
}

impl Rejection {
    /// Longest reason code in bytes.
    const LONGEST_CODE: usize = 64;

    /// Element and reason go into files and summaries: they are an id and a code, never text.
    fn is_well_formed(&self) -> bool {
        let of_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let is_code = (1..=Self::LONGEST_CODE).contains(&self.reason.len())
            && self.reason.bytes().all(of_code);
        is_code && (self.element.is_empty() || self.element.parse::<ElementName>().is_ok())
    }
}

impl From<v1::Rejection> for Rejection {
    fn from(rejection: v1::Rejection) -> Self {
        Self {
            row: rejection.row,
            element: rejection.element,
            reason: rejection.reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(lengths: &[u32], rejected: &[u32]) -> v1::BatchResult {
        let element: ElementName = "bsn".parse().expect("id");
        let packed = v1::Packed {
            data: Bytes::from_static(b"abc"),
            lengths: lengths.to_vec(),
        };
        let rejection = |row: &u32| v1::Rejection {
            row: *row,
            element: "bsn".into(),
            reason: "TOO_LONG".into(),
        };
        v1::BatchResult {
            sequence: 0,
            output: Some(v1::batch_result::Output::Plain(v1::PlainOutput {
                columns: vec![column(&element, packed)],
            })),
            rejections: rejected.iter().map(rejection).collect(),
            counted_values: 0,
        }
    }

    #[test]
    fn a_result_must_have_the_shape_of_its_batch() {
        assert!(BatchResult::from_wire(result(&[1, 0, 2], &[1]), 3, 1).is_ok());
        for (lengths, rejected, rows, columns) in [
            (&[1, 2][..], &[][..], 3, 1),
            (&[1, 0, 1], &[], 3, 1),
            (&[1, 0, 2], &[], 3, 2),
            (&[1, 0, 2], &[3], 3, 1),
            (&[1, 0, 2], &[1, 1], 3, 1),
            (&[1, 0, 2], &[2, 1], 3, 1),
        ] {
            let outcome = BatchResult::from_wire(result(lengths, rejected), rows, columns);
            assert!(
                matches!(outcome, Err(ClientError::Protocol(_))),
                "{lengths:?} {rejected:?}"
            );
        }
    }

    #[test]
    fn a_rejection_names_an_element_and_a_code_and_carries_no_text() {
        for (element, reason) in [
            ("bsn", "it was 950000012"),
            ("bsn", "\u{1b}[2K"),
            ("bsn", ""),
            ("950000012 or\n", "TOO_LONG"),
        ] {
            let mut hostile = result(&[1, 0, 2], &[1]);
            hostile.rejections[0].element = element.into();
            hostile.rejections[0].reason = reason.into();
            let outcome = BatchResult::from_wire(hostile, 3, 1);
            assert!(matches!(outcome, Err(ClientError::Protocol(_))));
        }
    }

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
