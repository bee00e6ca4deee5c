//! A batch of a caller.

use bytes::Bytes;
use sluis_domain::{BatchId, Column, ElementName, Reason, RecordBatch};

use super::column;
use crate::v1::column::Form;
use crate::{Invalid, field, v1};

/// What must be remembered of a batch to answer it in the caller's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    pub(super) sequence: u64,
    /// Whether each column came packed.
    pub(super) packed: Vec<bool>,
    values: u64,
}

impl Shape {
    /// Values that are not missing.
    pub fn values(&self) -> u64 {
        self.values
    }
}

/// Parses a batch of which the size was checked: this takes memory for as many values as there are.
///
/// # Errors
/// [`Invalid`] with [`Reason::InvalidBatch`] for a shape that is not one, else with [`Reason::InvalidRequest`].
pub fn parse(batch: v1::RecordBatch) -> Result<(Shape, RecordBatch), Invalid> {
    let rows = batch.rows as usize;
    let batch_id = batch_id(&batch.batch_id)?;
    let mut packed = Vec::with_capacity(batch.columns.len());
    let mut columns = Vec::with_capacity(batch.columns.len());
    let mut values = 0;
    for (i, wire) in batch.columns.into_iter().enumerate() {
        packed.push(matches!(wire.form, Some(Form::Packed(_))));
        let (name, column) =
            parse_column(wire).map_err(|it| it.within(&format!("batch.columns[{i}]")))?;
        if column.rows() != rows {
            return Err(Invalid::because(
                Reason::InvalidBatch,
                format!("batch.columns[{i}]"),
                "does not have as many values as batch.rows",
            ));
        }
        values += column.present() as u64;
        columns.push((name, column));
    }
    let shape = Shape {
        sequence: batch.sequence,
        packed,
        values,
    };
    let batch = RecordBatch::new(batch_id, rows, columns).map_err(|reason| {
        Invalid::because(
            reason,
            "batch.columns",
            "has an element twice, or too many rows or columns",
        )
    })?;
    Ok((shape, batch))
}

fn batch_id(bytes: &[u8]) -> Result<Option<BatchId>, Invalid> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let id = BatchId::new(bytes).ok_or_else(|| {
        let problem = format!("at most {} bytes", BatchId::MAX_LEN);
        Invalid::field("batch.batch_id", problem)
    })?;
    Ok(Some(id))
}

fn parse_column(wire: v1::Column) -> Result<(ElementName, Column), Invalid> {
    let name = field::required("element", &wire.element)?;
    let column = match field::present("form", wire.form)? {
        Form::Values(values) => Column::from_values(&values.values),
        Form::Packed(packed) => Column::from_packed(packed.data, &packed.lengths)
            .map_err(|e| Invalid::because(Reason::InvalidBatch, "packed", e.to_string()))?,
    };
    Ok((name, column))
}

/// A batch to send, in packed form. `batch_id`: 1 to 64 bytes; empty for none.
pub fn request(
    sequence: u64,
    batch_id: Bytes,
    rows: u32,
    columns: &[(ElementName, Column)],
) -> v1::RecordBatch {
    let columns = columns.iter();
    v1::RecordBatch {
        sequence,
        batch_id,
        rows,
        columns: columns
            .map(|(name, values)| column(name, values, true))
            .collect(),
    }
}
