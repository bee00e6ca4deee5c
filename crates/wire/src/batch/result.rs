//! What became of a batch.

use std::iter;

use sluis_domain::{BatchOutcome, Column, ElementName};

use super::{Shape, column};
use crate::v1::batch_result::Output;
use crate::v1::column::Form;
use crate::{Invalid, field, v1};

/// The answer in the form of the request. `counted`: values that were counted under the grant, if there is one.
pub fn answer(shape: &Shape, outcome: BatchOutcome, counted: u64) -> v1::BatchResult {
    let packed = shape.packed.iter().copied().chain(iter::repeat(true));
    let columns = outcome.columns.into_iter().zip(packed);
    let plain = v1::PlainOutput {
        columns: columns
            .map(|((name, values), packed)| column(&name, &values, packed))
            .collect(),
    };
    let rejections = outcome.rejections.into_iter();
    v1::BatchResult {
        sequence: shape.sequence,
        output: Some(Output::Plain(plain)),
        rejections: rejections.map(v1::Rejection::from).collect(),
        counted_values: counted,
    }
}

impl From<sluis_domain::Rejection> for v1::Rejection {
    fn from(rejection: sluis_domain::Rejection) -> Self {
        Self {
            row: rejection.row,
            element: rejection.element.as_str().to_owned(),
            reason: rejection.reason.code().to_owned(),
        }
    }
}

/// What became of a batch, as its caller is told.
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
    /// The element of the value that was refused.
    pub element: String,
    /// Reason code, perhaps one of a later version.
    pub reason: String,
}

impl BatchResult {
    /// Parses the result of a batch that has `rows` rows and must be answered with `columns` columns.
    ///
    /// # Errors
    /// [`Invalid`] for a result of another shape, with rejections out of order or that carry text.
    pub fn parse(result: v1::BatchResult, rows: u32, columns: usize) -> Result<Self, Invalid> {
        let plain = match result.output {
            Some(Output::Plain(plain)) => plain.columns,
            None if columns == 0 => Vec::new(),
            _ => return Err(Invalid::field("output", "is not of plain columns")),
        };
        if plain.len() != columns {
            let problem = "does not have the columns of its batch";
            return Err(Invalid::field("output", problem));
        }
        let numbered = plain.into_iter().enumerate();
        let columns = numbered
            .map(|(i, column)| {
                parse_column(column, rows)
                    .map_err(|it| it.within(&format!("output.plain.columns[{i}]")))
            })
            .collect::<Result<_, _>>()?;
        let rejections = field::messages("rejections", result.rejections)?;
        check_order(&rejections, rows)?;
        Ok(Self {
            sequence: result.sequence,
            columns,
            rejections,
            counted: result.counted_values,
        })
    }
}

fn parse_column(column: v1::Column, rows: u32) -> Result<(String, Column), Invalid> {
    let values = match field::present("form", column.form)? {
        Form::Packed(packed) => Column::from_packed(packed.data, &packed.lengths)
            .map_err(|e| Invalid::field("packed", e.to_string()))?,
        Form::Values(values) => Column::from_values(values.values),
    };
    if values.rows() == rows as usize {
        Ok((column.element, values))
    } else {
        let problem = "does not have as many values as its batch has rows";
        Err(Invalid::field("form", problem))
    }
}

fn check_order(rejections: &[Rejection], rows: u32) -> Result<(), Invalid> {
    let ascending = rejections.windows(2).all(|pair| pair[0].row < pair[1].row);
    let past_end = rejections.last().is_some_and(|last| last.row >= rows);
    if ascending && !past_end {
        Ok(())
    } else {
        let problem = "are out of order or of rows that do not exist";
        Err(Invalid::field("rejections", problem))
    }
}

/// Longest reason code in bytes.
const LONGEST_CODE: usize = 64;

/// Element and reason go into files and summaries: they are an id and a code, never text.
impl TryFrom<v1::Rejection> for Rejection {
    type Error = Invalid;

    fn try_from(wire: v1::Rejection) -> Result<Self, Invalid> {
        if !wire.element.is_empty() {
            field::required::<ElementName>("element", &wire.element)?;
        }
        let is_code = (1..=LONGEST_CODE).contains(&wire.reason.len())
            && wire
                .reason
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_code {
            return Err(Invalid::field("reason", "is not a reason code"));
        }
        Ok(Self {
            row: wire.row,
            element: wire.element,
            reason: wire.reason,
        })
    }
}
