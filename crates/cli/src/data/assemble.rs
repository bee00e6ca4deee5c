//! Puts the custodian's answers into the gaps of the rows, and writes rows and rejected rows.

use std::path::PathBuf;

use sluis_client::{BatchResult, ClientError};
use sluis_domain::{Column, Reason};

use super::args::Targets;
use super::summary::Tally;
use super::treat::{Block, Part, Position, Reject};
use crate::error::CliError;
use crate::formats::RecordSink;
use crate::formats::csv::write_value;

/// A column of an answer, with its element.
type Answer = (String, Column);

/// Writes the output and the rejected rows.
pub(crate) struct Assembler {
    targets: Targets,
    sink: Box<dyn RecordSink>,
    /// Answers come in another order than the rows, missing values last.
    shuffled: bool,
    tally: Tally,
}

impl Assembler {
    /// Writes the header lines.
    pub(crate) fn new(
        mut targets: Targets,
        sink: Box<dyn RecordSink>,
        shuffled: bool,
    ) -> Result<Self, CliError> {
        if let Some(rejects) = &mut targets.rejects {
            rejects.write(b"line,row,element,reason\n")?;
        }
        let mut assembler = Self {
            targets,
            sink,
            shuffled,
            tally: Tally::default(),
        };
        assembler.write_sink()?;
        assembler.targets.are_whole();
        Ok(assembler)
    }

    fn write_sink(&mut self) -> Result<(), CliError> {
        self.targets.output.write(self.sink.written())?;
        self.sink.clear();
        Ok(())
    }

    /// Writes a batch. `result` is there exactly if the block was sent.
    pub(crate) fn write(
        &mut self,
        block: Block,
        result: Option<BatchResult>,
    ) -> Result<(), CliError> {
        let (columns, rejections) = result
            .map(|result| (result.columns, result.rejections))
            .unwrap_or_default();
        if block.is_sent() && columns.len() != block.answers() {
            return Err(ClientError::Protocol("a result of another shape than its batch").into());
        }
        let mut rejects = Vec::new();
        for rejection in rejections {
            let at = *block
                .positions
                .get(rejection.row as usize)
                .ok_or(ClientError::Protocol(
                    "a rejection of a row that does not exist",
                ))?;
            rejects.push(Reject {
                at,
                element: rejection.element,
                reason: rejection.reason.into(),
            });
        }
        let written = if self.shuffled {
            self.add_shuffled(&block, &columns, rejects.len())?
        } else {
            self.add_rows(&block, &columns, &mut rejects)
        };
        let rows = block.positions.len() + block.rejects.len();
        let blank_lines: usize = block.blank_lines.iter().map(|blank| blank.lines).sum();
        rejects.extend(block.rejects);
        rejects.sort_by_key(|reject| reject.at.row);
        self.write_sink()?;
        self.write_rejects(&rejects)?;
        self.tally.add(rows, written, rejects);
        self.tally.blank_lines += blank_lines as u64;
        self.targets.are_whole();
        Ok(())
    }

    /// Adds the rows that are not in `rejects` (ascending); those that cannot be encoded are added to it.
    fn add_rows(&mut self, block: &Block, columns: &[Answer], rejects: &mut Vec<Reject>) -> usize {
        let mut rejected = rejects
            .iter()
            .map(|reject| reject.at)
            .collect::<Vec<Position>>()
            .into_iter()
            .peekable();
        let mut written = 0;
        let mut missing = MissingCounts::new(treated(block, columns));
        let mut blank_lines = block.blank_lines.iter().peekable();
        for (row, at) in block.positions.iter().enumerate() {
            if let Some(blank) = blank_lines.next_if(|blank| blank.before == row) {
                self.sink.blank_lines(blank.lines);
            }
            if rejected.next_if_eq(at).is_some() {
                continue;
            }
            match self.add_row(block, columns, row) {
                Ok(()) => {
                    self.sink.end_row();
                    written += 1;
                    missing.add_row(row, *at);
                }
                Err((element, reason)) => {
                    self.sink.take_back_row();
                    rejects.push(Reject {
                        at: *at,
                        element: element.to_owned(),
                        reason: reason.code().into(),
                    });
                }
            }
        }
        for blank in blank_lines {
            self.sink.blank_lines(blank.lines);
        }
        missing.tell(&mut self.tally);
        written
    }

    /// An error names the element that cannot be written.
    fn add_row<'b>(
        &mut self,
        block: &'b Block,
        columns: &'b [Answer],
        row: usize,
    ) -> Result<(), (&'b str, Reason)> {
        let mut answers = columns.iter();
        for (part, cells) in block.parts() {
            let (element, column) = match part {
                Part::Kept(_) => {
                    self.sink.kept(cells.get(row));
                    continue;
                }
                Part::Made(column) => (block.element(*column), cells),
                Part::Answered => {
                    let (element, column) = answers.next().expect("an answer has all columns");
                    (&**element, column)
                }
            };
            self.sink
                .value(column.get(row))
                .map_err(|reason| (element, reason))?;
        }
        Ok(())
    }

    /// Adds as many values as rows were accepted: those of rejected rows are missing, and so among the last.
    fn add_shuffled(
        &mut self,
        block: &Block,
        columns: &[Answer],
        rejected: usize,
    ) -> Result<usize, CliError> {
        let Some((_, column)) = columns.first() else {
            return Ok(0);
        };
        let accepted = block.positions.len() - rejected;
        for row in 0..accepted {
            // Tokens are ASCII in any encoding.
            self.sink
                .value(column.get(row))
                .map_err(|_| ClientError::Protocol("a pseudonym that is no text"))?;
            self.sink.end_row();
        }
        let mut missing = MissingCounts::new(treated(block, columns));
        for (row, at) in block.positions.iter().enumerate().take(accepted) {
            missing.add_row(row, *at);
        }
        missing.tell(&mut self.tally);
        Ok(accepted)
    }

    fn write_rejects(&mut self, rejects: &[Reject]) -> Result<(), CliError> {
        let Some(target) = &mut self.targets.rejects else {
            return Ok(());
        };
        let mut text = Vec::new();
        for reject in rejects {
            text.extend_from_slice(format!("{},{},", reject.at.line, reject.at.row).as_bytes());
            write_value(reject.element.as_bytes(), b',', &mut text);
            text.push(b',');
            write_value(reject.reason.as_bytes(), b',', &mut text);
            text.push(b'\n');
        }
        target.write(&text)
    }

    /// What was written so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether the output is a file, of which nothing is there yet.
    pub(crate) fn is_file(&self) -> bool {
        self.targets.output.unfinished().is_none()
    }

    /// What was written so far.
    pub(crate) fn into_tally(self) -> Tally {
        self.tally
    }

    /// The run failed: keeps the batches that are written whole, with the path of the output if it is a file.
    pub(crate) fn keep(self) -> Result<(Option<PathBuf>, Tally), CliError> {
        Ok((self.targets.keep()?, self.tally))
    }

    /// Completes the files: they get their names.
    pub(crate) fn finish(self) -> Result<Tally, CliError> {
        if let Some(rejects) = self.targets.rejects {
            rejects.finish()?;
        }
        self.targets.output.finish()?;
        Ok(self.tally)
    }
}

/// The columns of a block that were treated, here or by the custodian, with their elements.
fn treated<'a>(block: &'a Block, answers: &'a [Answer]) -> Vec<(&'a str, &'a Column)> {
    let made = block.parts().filter_map(|(part, cells)| match part {
        Part::Made(column) => Some((block.element(*column), cells)),
        Part::Kept(_) | Part::Answered => None,
    });
    let answered = answers.iter().map(|(element, column)| (&**element, column));
    made.chain(answered).collect()
}

/// Counts the values that are missing in rows that are written.
struct MissingCounts<'a> {
    columns: Vec<(&'a str, &'a Column)>,
    /// By column: how many, and the line of the first.
    counts: Vec<(u64, u64)>,
}

impl<'a> MissingCounts<'a> {
    fn new(columns: Vec<(&'a str, &'a Column)>) -> Self {
        let counts = vec![(0, 0); columns.len()];
        Self { columns, counts }
    }

    fn add_row(&mut self, row: usize, at: Position) {
        for ((_, column), (values, first_line)) in self.columns.iter().zip(&mut self.counts) {
            if !column.get(row).is_empty() {
                continue;
            }
            if *values == 0 {
                *first_line = at.line;
            }
            *values += 1;
        }
    }

    fn tell(self, tally: &mut Tally) {
        for ((element, _), (values, first_line)) in self.columns.iter().zip(self.counts) {
            if values > 0 {
                tally.add_missing(element, values, first_line);
            }
        }
    }
}

#[cfg(test)]
mod tests;
