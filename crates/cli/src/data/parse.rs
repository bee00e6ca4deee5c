//! Cuts a file into batches: what is sent, and what stays here until the answer comes.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluis_client::local::Step;
use sluis_client::{Batch, Packer, v1};
use sluis_domain::{ElementName, Reason};

use super::columns::ColumnPlan;
use super::csv::{CsvError, CsvReader, Record, write_value};
use super::dialect::Encoding;

/// Most bytes of one batch that stay here.
const MAX_KEPT: usize = 2 << 20;
/// Most bytes of one batch that are sent, where the custodian would accept more.
const MAX_SENT: usize = 2 << 20;
/// Bytes a value takes on the wire besides its own, at most, in the answer too (a token is 44 bytes).
const VALUE_OVERHEAD: usize = 64;

/// How the rows of the output look.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Between values.
    pub(crate) delimiter: u8,
    /// At the end of a line.
    pub(crate) terminator: &'static [u8],
    /// Of all text.
    pub(crate) encoding: Encoding,
    /// Number of columns of the output.
    pub(crate) columns: usize,
    /// An empty line that holds no row would be one in the output, which has one column where the input has several.
    pub(crate) refuses_blank_lines: bool,
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
    pub(crate) fn new(batch_rows: u32, limits: &v1::StreamLimits) -> Self {
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

/// What of a batch stays here: the text of its output rows with gaps for what the custodian answers.
#[derive(Default)]
pub(crate) struct Block {
    text: Vec<u8>,
    /// Ends of the pieces of text; each row has one more piece than gaps.
    ends: Vec<u32>,
    /// Gaps per row.
    pub(crate) gaps: usize,
    /// The rows that were sent.
    pub(crate) positions: Vec<Position>,
    /// The rows that were refused here.
    pub(crate) rejects: Vec<Reject>,
    /// Empty lines of the input that hold no row.
    pub(crate) blank_lines: Vec<BlankLines>,
    /// Values that were treated here and are missing.
    pub(crate) missing: Vec<MissingHere>,
    /// The elements of all columns of the input, by column; empty for a column without one.
    pub(crate) elements: Arc<[String]>,
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

/// A missing value that was treated here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MissingHere {
    /// The place of the row among those that were sent.
    pub(crate) row: usize,
    /// Column of the input.
    pub(crate) column: usize,
}

impl Block {
    fn add_blank_line(&mut self) {
        let before = self.positions.len();
        match self.blank_lines.last_mut() {
            Some(last) if last.before == before => last.lines += 1,
            _ => self.blank_lines.push(BlankLines { before, lines: 1 }),
        }
    }

    /// The pieces of text of a row, in order.
    pub(crate) fn pieces(&self, row: usize) -> impl Iterator<Item = &[u8]> {
        let first = row * (self.gaps + 1);
        (first..=first + self.gaps).map(|piece| &self.text[self.range(piece)])
    }

    /// Whether an answer of the custodian belongs to it.
    pub(crate) fn is_sent(&self) -> bool {
        self.gaps > 0 && !self.positions.is_empty()
    }

    /// Bytes of the text that stays here.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.text.len() as u64
    }

    fn range(&self, piece: usize) -> Range<usize> {
        let start = if piece == 0 {
            0
        } else {
            self.ends[piece - 1] as usize
        };
        start..self.ends[piece] as usize
    }

    fn end_piece(&mut self) {
        self.ends
            .push(u32::try_from(self.text.len()).expect("a block stays below 4 GiB"));
    }
}

/// Reads rows and makes batches of them.
pub(crate) struct Parser<R> {
    reader: CsvReader<R>,
    plans: Vec<ColumnPlan>,
    layout: Layout,
    limits: BatchLimits,
    row: u64,
    elements: Arc<[String]>,
    scratch: Scratch,
}

/// Buffers that are used again for every value.
#[derive(Default)]
struct Scratch {
    unquoted: Vec<u8>,
    coarse: Vec<u8>,
}

impl<R: Read> Parser<R> {
    /// One plan per column of the reader.
    pub(crate) fn new(
        reader: CsvReader<R>,
        plans: Vec<ColumnPlan>,
        layout: Layout,
        limits: BatchLimits,
    ) -> Self {
        let name = |plan: &ColumnPlan| {
            let element = plan.element.as_ref();
            element.map(ElementName::to_string).unwrap_or_default()
        };
        Self {
            elements: plans.iter().map(name).collect(),
            reader,
            plans,
            layout,
            limits,
            row: 0,
            scratch: Scratch::default(),
        }
    }

    /// The plans, to be used again.
    pub(crate) fn into_plans(self) -> Vec<ColumnPlan> {
        self.plans
    }

    /// The next batch and what stays here of it; `None` at the end of the input. A batch may be without rows, when all of
    /// them were refused here or all lines were empty.
    pub(crate) fn next(&mut self) -> Result<Option<(Batch, Block)>, CsvError> {
        let gaps = self
            .plans
            .iter()
            .filter(|plan| matches!(plan.step, Step::Send(_)))
            .count();
        let sent = self.plans.iter().filter(|plan| plan.step.is_sent()).count();
        let mut packers: Vec<Packer> = (0..sent)
            .map(|_| Packer::with_capacity(self.limits.rows, 0))
            .collect();
        let mut block = Block {
            gaps,
            elements: self.elements.clone(),
            ..Block::default()
        };
        let mut lines = 0;
        while lines < self.limits.rows && !self.is_full(&block, &packers) {
            let Some(record) = self.reader.next()? else {
                break;
            };
            lines += 1;
            if record.is_blank() {
                if self.layout.refuses_blank_lines {
                    return Err(CsvError::EmptyLine { line: record.line });
                }
                block.add_blank_line();
                continue;
            }
            self.row += 1;
            let at = Position {
                row: self.row,
                line: record.line,
            };
            let before = (block.text.len(), block.ends.len(), block.missing.len());
            let step = RowStep {
                layout: &self.layout,
                limits: self.limits,
                scratch: &mut self.scratch,
            };
            match step.run(&record, &mut self.plans, &mut block, &mut packers) {
                Ok(()) => block.positions.push(at),
                Err((column, reason)) => {
                    block.text.truncate(before.0);
                    block.ends.truncate(before.1);
                    block.missing.truncate(before.2);
                    packers
                        .iter_mut()
                        .for_each(|packer| packer.truncate(block.positions.len()));
                    block.rejects.push(Reject {
                        at,
                        element: self.elements[column].clone(),
                        reason: reason.code().into(),
                    });
                }
            }
        }
        block.consumed = self.reader.consumed();
        if lines == 0 {
            return Ok(None);
        }
        Ok(Some((self.batch(&block, packers), block)))
    }

    fn is_full(&self, block: &Block, packers: &[Packer]) -> bool {
        let sent: usize = packers
            .iter()
            .map(|packer| packer.bytes() + packer.rows() * VALUE_OVERHEAD)
            .sum();
        // The next row may add `value_bytes`; half a message and a quarter of one fit.
        block.text.len() >= self.limits.kept_bytes || sent >= self.limits.sent_bytes
    }

    fn batch(&self, block: &Block, packers: Vec<Packer>) -> Batch {
        let rows = u32::try_from(block.positions.len()).expect("a batch has at most 2^20 rows");
        let mut batch = Batch::new(rows);
        let sent = self.plans.iter().filter(|plan| plan.step.is_sent());
        for (element, packer) in sent.filter_map(|plan| plan.element.as_ref()).zip(packers) {
            batch.push(element, packer);
        }
        batch
    }
}

/// What is needed to treat one row.
struct RowStep<'a> {
    layout: &'a Layout,
    limits: BatchLimits,
    scratch: &'a mut Scratch,
}

impl RowStep<'_> {
    /// Adds a row to the block and the packers, one per column that is sent. An error names the column; then the caller
    /// takes back what was added.
    fn run(
        self,
        record: &Record<'_>,
        plans: &mut [ColumnPlan],
        block: &mut Block,
        packers: &mut [Packer],
    ) -> Result<(), (usize, Reason)> {
        let (encoding, delimiter) = (self.layout.encoding, self.layout.delimiter);
        let Scratch { unquoted, coarse } = self.scratch;
        let start = block.text.len();
        let (mut written, mut gaps, mut sent_bytes) = (0, 0, 0);
        let mut packers = packers.iter_mut();
        for (column, plan) in plans.iter_mut().enumerate() {
            if written > 0 && plan.step.is_written() {
                block.text.push(delimiter);
            }
            if column == 0 && record.has_mark() && needs_exact_bytes(&plan.step) {
                return Err((column, Reason::InvisibleCharacter));
            }
            match &mut plan.step {
                Step::Drop => continue,
                Step::Keep => block.text.extend_from_slice(record.raw(column)),
                Step::Generalise(step) => {
                    coarse.clear();
                    let value = encoding.decode(record.value(column, unquoted));
                    let outcome = value
                        .and_then(|value| step.apply(&value, coarse))
                        .and_then(|()| encoding.encode(coarse));
                    let value = outcome.map_err(|reason| (column, reason))?;
                    if value.is_empty() {
                        let row = block.positions.len();
                        block.missing.push(MissingHere { row, column });
                    }
                    write_value(&value, delimiter, &mut block.text);
                }
                Step::Send(_) => {
                    block.end_piece();
                    gaps += 1;
                }
                Step::SendOnly(_) => {}
            }
            if let Step::Send(step) | Step::SendOnly(step) = &mut plan.step {
                let value = encoding
                    .decode(record.value(column, unquoted))
                    .map_err(|reason| (column, reason))?;
                sent_bytes += value.len();
                if sent_bytes > self.limits.value_bytes {
                    return Err((column, Reason::RowTooLong));
                }
                let packer = packers
                    .next()
                    .expect("there is a packer per column that is sent");
                packer
                    .push_with(|out| step.apply(&value, out))
                    .map_err(|reason| (column, reason))?;
            }
            written += usize::from(plan.step.is_written());
        }
        // Many readers skip a line without any byte.
        if self.layout.columns == 1 && gaps == 0 && block.text.len() == start {
            block.text.extend_from_slice(b"\"\"");
        }
        block.text.extend_from_slice(self.layout.terminator);
        block.end_piece();
        Ok(())
    }
}

/// Whether a byte order mark before a value would make another value of it.
fn needs_exact_bytes(step: &Step) -> bool {
    match step {
        Step::Send(step) | Step::SendOnly(step) => step.is_exact(),
        Step::Generalise(_) => true,
        Step::Keep | Step::Drop => false,
    }
}

#[cfg(test)]
pub(crate) mod tests;
