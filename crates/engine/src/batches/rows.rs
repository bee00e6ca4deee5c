//! Which rows of a batch are refused, and why.

use sluis_domain::{Column, ColumnBuilder, Reason, RecordBatch, Rejection};

/// The refused rows of a batch: at most one reason per row, the first one found (date shifts are looked at last).
pub(crate) struct Refused {
    rows: Vec<Option<(u16, Reason)>>,
    count: usize,
}

impl Refused {
    pub(crate) fn none(rows: usize) -> Self {
        Self {
            rows: vec![None; rows],
            count: 0,
        }
    }

    /// Refuses a row for the value of a column; the first reason stays.
    pub(crate) fn refuse(&mut self, row: usize, column: usize, reason: Reason) {
        if self.rows[row].is_none() {
            // A registry allows at most 4,096 elements per chain, and a batch holds each at most once.
            let column = u16::try_from(column).expect("a batch has at most 4,096 columns");
            self.rows[row] = Some((column, reason));
            self.count += 1;
        }
    }

    pub(crate) fn is_refused(&self, row: usize) -> bool {
        self.rows[row].is_some()
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Rows refused for a value of such a column, for such a reason.
    pub(crate) fn count_where(&self, is: impl Fn(usize, Reason) -> bool) -> usize {
        self.rows
            .iter()
            .flatten()
            .filter(|(column, reason)| is(usize::from(*column), *reason))
            .count()
    }

    /// The rejections, in row order, with the names of the batch's columns.
    pub(crate) fn rejections(&self, batch: &RecordBatch) -> Vec<Rejection> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(row, refused)| {
            let (column, reason) = (*refused)?;
            let element = batch.columns()[usize::from(column)].0.clone();
            // Rows of a batch are bounded by MAX_ROWS, 2^20.
            Some(Rejection {
                row: row as u32,
                element,
                reason,
            })
        })
        .collect()
    }

    /// The column with the values of refused rows missing.
    pub(crate) fn blank(&self, column: Column) -> Column {
        if self.count == 0 {
            return column;
        }
        let mut blanked = ColumnBuilder::with_capacity(column.rows(), column.data().len());
        for (row, value) in column.iter().enumerate() {
            if self.is_refused(row) {
                blanked.push_missing()
            } else {
                blanked.push(value)
            }
        }
        blanked.finish()
    }
}
