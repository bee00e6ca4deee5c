//! Treats records and cuts them into batches: what is sent, and what stays here until the answer comes.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluis_client::local::Step;
use sluis_client::{Batch, StreamLimits};
use sluis_domain::{Column, ColumnBuilder, ElementName, Reason};

use super::columns::ColumnPlan;
use crate::error::CliError;
use crate::formats::{FormatError, Next, RecordSource};

/// Most bytes of one batch that stay here.
const MAX_KEPT: usize = 2 << 20;
/// Most bytes of one batch that are sent, where the custodian would accept more.
const MAX_SENT: usize = 2 << 20;
/// Bytes a value takes on the wire besides its own, at most, in the answer too (a token is 44 or 70 bytes).
const VALUE_OVERHEAD: usize = 80;

/// What the rows of the output consist of, in order.
#[derive(Clone, Debug)]
pub(crate) struct OutputShape {
    parts: Arc<[Part]>,
    /// By column of the input: the number of the part that begins with it, or its number among those that are sent.
    places: Arc<[Option<usize>]>,
    refuses_blank_lines: bool,
}

/// Columns of the output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Columns of the input that are passed through and stand side by side.
    Kept(Range<usize>),
    /// A column of the input that is treated here.
    Made(usize),
    /// A column of the answer.
    Answered,
}

impl OutputShape {
    /// `shuffled`: the rows of the output have no place in the input.
    ///
    /// # Errors
    /// [`CliError::Input`] if no column is left.
    pub(crate) fn of(plans: &[ColumnPlan], shuffled: bool) -> Result<Self, CliError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut sent = 0;
        let mut places = Vec::with_capacity(plans.len());
        for (column, plan) in plans.iter().enumerate() {
            let part = match (&plan.step, parts.last_mut()) {
                (Step::Drop | Step::SendOnly(_), _) => None,
                (Step::Keep, Some(Part::Kept(run))) if run.end == column => {
                    run.end += 1;
                    None
                }
                (Step::Keep, _) => Some(Part::Kept(column..column + 1)),
                (Step::Generalise(_), _) => Some(Part::Made(column)),
                (Step::Send(_), _) => Some(Part::Answered),
            };
            let is_sent = plan.step.is_sent();
            places.push(match is_sent {
                true => Some(sent),
                false => part.as_ref().map(|_| parts.len()),
            });
            sent += usize::from(is_sent);
            parts.extend(part);
        }
        let columns = plans.iter().filter(|plan| plan.step.is_written()).count();
        if columns == 0 {
            return Err(CliError::input(
                "no column is left: all of them are dropped",
            ));
        }
        Ok(Self {
            parts: parts.into(),
            places: places.into(),
            // It would be a row of the output, which has one column where the input has several.
            refuses_blank_lines: columns == 1 && plans.len() > 1 && !shuffled,
        })
    }
}

/// The columns of the input that are in the output.
pub(crate) fn written(plans: &[ColumnPlan]) -> Vec<usize> {
    let columns = plans.iter().enumerate();
    columns
        .filter(|(_, plan)| plan.step.is_written())
        .map(|(column, _)| column)
        .collect()
}

/// When a batch is full. The same limits cut the same input into the same batches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchLimits {
    rows: usize,
    sent_bytes: usize,
    value_bytes: usize,
    kept_bytes: usize,
}

impl BatchLimits {
    /// Within what the custodian accepts.
    pub(crate) fn new(batch_rows: u32, limits: &StreamLimits) -> Self {
        let message = limits.max_message_bytes as usize;
        Self {
            rows: batch_rows.min(limits.max_batch_rows).max(1) as usize,
            sent_bytes: (message / 2).min(MAX_SENT),
            value_bytes: message / 4,
            kept_bytes: MAX_KEPT,
        }
    }

    /// While it is not known what the custodian accepts.
    pub(crate) fn before_the_stream(batch_rows: u32) -> Self {
        Self {
            rows: batch_rows.max(1) as usize,
            sent_bytes: MAX_SENT,
            value_bytes: usize::MAX,
            kept_bytes: MAX_KEPT,
        }
    }
}

/// Where a row stands in the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    /// Number of the row, from 1; the header line is not a row.
    pub(crate) row: u64,
    /// Line at which it begins, from 1; the header line is line 1.
    pub(crate) line: u64,
}

/// A row that is left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reject {
    /// Which.
    pub(crate) at: Position,
    /// Because of which element.
    pub(crate) element: String,
    /// Reason code.
    pub(crate) reason: Cow<'static, str>,
}

/// What of a batch stays here: the cells of its output rows, but for what the custodian answers.
pub(crate) struct Block {
    parts: Arc<[Part]>,
    /// By part; empty for what is answered.
    cells: Vec<Column>,
    /// The rows that were sent.
    pub(crate) positions: Vec<Position>,
    /// The rows that were refused here.
    pub(crate) rejects: Vec<Reject>,
    /// Empty lines of the input that hold no row.
    pub(crate) blank_lines: Vec<BlankLines>,
    /// The elements of all columns of the input, by column; empty for a column without one.
    elements: Arc<[String]>,
    /// Bytes of the input up to and with this batch.
    pub(crate) consumed: u64,
}

/// Empty lines one below the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlankLines {
    /// The place of the row below them among the rows that were sent; their number if none follows in this batch.
    pub(crate) before: usize,
    /// How many.
    pub(crate) lines: usize,
}

impl Block {
    /// What rows consist of, with the cells that are here.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Part, &Column)> {
        self.parts.iter().zip(&self.cells)
    }

    /// The element of a column of the input.
    pub(crate) fn element(&self, column: usize) -> &str {
        &self.elements[column]
    }

    /// Columns that the custodian answers.
    pub(crate) fn answers(&self) -> usize {
        let answered = self.parts.iter().filter(|part| **part == Part::Answered);
        answered.count()
    }

    /// Whether an answer of the custodian belongs to it.
    pub(crate) fn is_sent(&self) -> bool {
        self.answers() > 0 && !self.positions.is_empty()
    }

    /// Least bytes in the output of what stays here.
    pub(crate) fn kept_bytes(&self) -> u64 {
        let cells: usize = self.cells.iter().map(|cells| cells.data().len()).sum();
        (cells + self.positions.len() * self.parts.len()) as u64
    }
}

/// Reads records, treats them, and makes batches of them.
pub(crate) struct Batcher {
    source: Box<dyn RecordSource>,
    plans: Vec<ColumnPlan>,
    shape: OutputShape,
    limits: BatchLimits,
    row: u64,
    elements: Arc<[String]>,
}

impl Batcher {
    /// One plan per column of the source.
    pub(crate) fn new(
        mut source: Box<dyn RecordSource>,
        plans: Vec<ColumnPlan>,
        shape: OutputShape,
        limits: BatchLimits,
    ) -> Self {
        if shape.refuses_blank_lines {
            source.refuse_blank_lines();
        }
        let elements = plans.iter().map(|plan| plan.element.as_ref());
        let elements = elements.map(|element| element.map(ElementName::to_string));
        Self {
            elements: elements.map(Option::unwrap_or_default).collect(),
            source,
            plans,
            shape,
            limits,
            row: 0,
        }
    }

    /// The plans, to be used again.
    pub(crate) fn into_plans(self) -> Vec<ColumnPlan> {
        self.plans
    }

    /// The next batch and what stays here of it; `None` at the end of the input. A batch may be without rows, when all of
    /// them were refused here or all lines were empty.
    pub(crate) fn next(&mut self) -> Result<Option<(Batch, Block)>, FormatError> {
        let mut rows = Rows::new(&self.shape, &self.plans, self.limits);
        let mut lines = 0;
        while lines < self.limits.rows && !rows.are_full() {
            match self.source.advance()? {
                None => break,
                Some(Next::Blank) => rows.add_blank_line(),
                Some(Next::Record { line }) => {
                    self.row += 1;
                    let row = self.row;
                    rows.add(&mut *self.source, &mut self.plans, Position { row, line });
                }
            }
            lines += 1;
        }
        if lines == 0 {
            return Ok(None);
        }
        let consumed = self.source.consumed();
        Ok(Some(rows.finish(
            &self.plans,
            self.elements.clone(),
            consumed,
        )))
    }
}

/// The rows of a batch, while they are added.
struct Rows<'a> {
    shape: &'a OutputShape,
    limits: BatchLimits,
    /// By part.
    cells: Vec<ColumnBuilder>,
    /// By column that is sent.
    sent: Vec<ColumnBuilder>,
    positions: Vec<Position>,
    /// With the column of the input.
    rejects: Vec<(Position, usize, Reason)>,
    blank_lines: Vec<BlankLines>,
    /// Bytes of the present record that are sent.
    row_bytes: usize,
}

impl<'a> Rows<'a> {
    fn new(shape: &'a OutputShape, plans: &[ColumnPlan], limits: BatchLimits) -> Self {
        let sent = plans.iter().filter(|plan| plan.step.is_sent());
        Self {
            shape,
            limits,
            cells: shape.parts.iter().map(|_| Default::default()).collect(),
            sent: sent
                .map(|_| ColumnBuilder::with_capacity(limits.rows, 0))
                .collect(),
            positions: Vec::new(),
            rejects: Vec::new(),
            blank_lines: Vec::new(),
            row_bytes: 0,
        }
    }

    fn are_full(&self) -> bool {
        let sent = self.sent.iter();
        let sent: usize = sent
            .map(|values| values.bytes() + values.rows() * VALUE_OVERHEAD)
            .sum();
        let kept: usize = self.cells.iter().map(ColumnBuilder::bytes).sum();
        let kept = kept + self.positions.len() * self.cells.len();
        // The next row may add `value_bytes`; half a message and a quarter of one fit.
        kept >= self.limits.kept_bytes || sent >= self.limits.sent_bytes
    }

    fn add_blank_line(&mut self) {
        let before = self.positions.len();
        match self.blank_lines.last_mut() {
            Some(last) if last.before == before => last.lines += 1,
            _ => self.blank_lines.push(BlankLines { before, lines: 1 }),
        }
    }

    /// Adds the present record of the source, or why it is refused.
    fn add(&mut self, source: &mut dyn RecordSource, plans: &mut [ColumnPlan], at: Position) {
        self.row_bytes = 0;
        for (column, plan) in plans.iter_mut().enumerate() {
            if let Err(reason) = self.treat(source, column, &mut plan.step) {
                self.take_back();
                self.rejects.push((at, column, reason));
                return;
            }
        }
        self.positions.push(at);
    }

    /// Adds one value of the present record; after an error the row has to be taken back.
    fn treat(
        &mut self,
        source: &mut dyn RecordSource,
        column: usize,
        step: &mut Step,
    ) -> Result<(), Reason> {
        let Some(place) = self.shape.places[column] else {
            return Ok(());
        };
        match step {
            Step::Drop => {}
            Step::Keep => {
                if let Part::Kept(run) = &self.shape.parts[place] {
                    self.cells[place].push(source.kept(run.clone()));
                }
            }
            Step::Generalise(step) => {
                let value = source.value(column, step.wanted())?;
                self.cells[place].try_push_with(|out| step.apply(value, out))?;
            }
            Step::Send(step) | Step::SendOnly(step) => {
                let value = source.value(column, step.wanted())?;
                self.row_bytes += value.len();
                if self.row_bytes > self.limits.value_bytes {
                    return Err(Reason::RowTooLong);
                }
                self.sent[place].try_push_with(|out| step.apply(value, out))?;
            }
        }
        Ok(())
    }

    fn take_back(&mut self) {
        let rows = self.positions.len();
        for cells in &mut self.cells {
            cells.truncate(rows);
        }
        for sent in &mut self.sent {
            sent.truncate(rows);
        }
    }

    fn finish(
        self,
        plans: &[ColumnPlan],
        elements: Arc<[String]>,
        consumed: u64,
    ) -> (Batch, Block) {
        let rows = u32::try_from(self.positions.len()).expect("a batch has at most 2^20 rows");
        let mut batch = Batch::new(rows);
        let sent = plans.iter().filter(|plan| plan.step.is_sent());
        let sent = sent.filter_map(|plan| plan.element.as_ref());
        for (element, values) in sent.zip(self.sent) {
            batch.push(element, values.finish());
        }
        let rejects = self.rejects.into_iter();
        let rejects = rejects.map(|(at, column, reason)| Reject {
            at,
            element: elements[column].clone(),
            reason: reason.code().into(),
        });
        let block = Block {
            parts: self.shape.parts.clone(),
            cells: self.cells.into_iter().map(ColumnBuilder::finish).collect(),
            positions: self.positions,
            rejects: rejects.collect(),
            blank_lines: self.blank_lines,
            elements,
            consumed,
        };
        (batch, block)
    }
}

#[cfg(test)]
pub(crate) mod tests;
