//! Puts the custodian's answers into the gaps of the rows, and writes rows and rejected rows.

use std::path::PathBuf;

use sluis_client::{BatchResult, ClientError};
use sluis_domain::{Column, Reason};

use super::args::Targets;
use super::csv::write_value;
use super::parse::{Block, Layout, Position, Reject};
use super::summary::Tally;
use crate::error::CliError;

/// A column of an answer, with its element.
type Answer = (String, Column);

/// Writes the output and the rejected rows.
pub(crate) struct Assembler {
    targets: Targets,
    layout: Layout,
    /// Answers come in another order than the rows, missing values last.
    shuffled: bool,
    /// What is written at once; used again for every batch.
    buffer: Vec<u8>,
    tally: Tally,
}

impl Assembler {
    /// Writes the header lines.
    pub(crate) fn new(
        mut targets: Targets,
        layout: Layout,
        shuffled: bool,
        prefix: &[u8],
        headers: &[&[u8]],
    ) -> Result<Self, CliError> {
        let mut buffer = prefix.to_vec();
        buffer.extend_from_slice(&headers.join(&layout.delimiter));
        if headers.len() == 1 && headers[0].is_empty() {
            buffer.extend_from_slice(b"\"\"");
        }
        buffer.extend_from_slice(layout.terminator);
        targets.output.write(&buffer)?;
        if let Some(rejects) = &mut targets.rejects {
            rejects.write(b"line,row,element,reason\n")?;
        }
        targets.are_whole();
        Ok(Self {
            targets,
            layout,
            shuffled,
            buffer,
            tally: Tally::default(),
        })
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
        if block.is_sent() && columns.len() != block.gaps {
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
        self.buffer.clear();
        let written = if self.shuffled {
            self.add_shuffled(&block, &columns, rejects.len())?
        } else {
            self.add_rows(&block, &columns, &mut rejects)
        };
        let rows = block.positions.len() + block.rejects.len();
        let blank_lines: usize = block.blank_lines.iter().map(|blank| blank.lines).sum();
        rejects.extend(block.rejects);
        rejects.sort_by_key(|reject| reject.at.row);
        for missing in &block.missing {
            let at = block.positions[missing.row];
            if rejects
                .binary_search_by_key(&at.row, |reject| reject.at.row)
                .is_err()
            {
                let element = &block.elements[missing.column];
                self.tally.add_missing(element, 1, at.line);
            }
        }
        self.targets.output.write(&self.buffer)?;
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
        let mut missing = MissingCounts::new(columns);
        let mut blank_lines = block.blank_lines.iter().peekable();
        for (row, at) in block.positions.iter().enumerate() {
            if let Some(blank) = blank_lines.next_if(|blank| blank.before == row) {
                self.add_blank_lines(blank.lines);
            }
            if rejected.next_if_eq(at).is_some() {
                continue;
            }
            let start = self.buffer.len();
            match self.add_row(block, columns, row) {
                Ok(()) => {
                    written += 1;
                    missing.add_row(row, *at);
                }
                Err((column, reason)) => {
                    self.buffer.truncate(start);
                    let element = columns[column].0.clone();
                    rejects.push(Reject {
                        at: *at,
                        element,
                        reason: reason.code().into(),
                    });
                }
            }
        }
        for blank in blank_lines {
            self.add_blank_lines(blank.lines);
        }
        missing.tell(&mut self.tally);
        written
    }

    /// Passes empty lines through, so that each row stays on its line.
    fn add_blank_lines(&mut self, lines: usize) {
        for _ in 0..lines {
            self.buffer.extend_from_slice(self.layout.terminator);
        }
    }

    /// An error names the column of the answer that cannot be encoded.
    fn add_row(
        &mut self,
        block: &Block,
        columns: &[Answer],
        row: usize,
    ) -> Result<(), (usize, Reason)> {
        for (i, piece) in block.pieces(row).enumerate() {
            if let Some(column) = i.checked_sub(1) {
                self.add_value(columns[column].1.get(row))
                    .map_err(|reason| (column, reason))?;
            }
            self.buffer.extend_from_slice(piece);
        }
        Ok(())
    }

    fn add_value(&mut self, value: &[u8]) -> Result<(), Reason> {
        if value.is_empty() && self.layout.columns == 1 {
            // Many readers skip a line without any byte.
            self.buffer.extend_from_slice(b"\"\"");
            return Ok(());
        }
        write_value(
            &self.layout.encoding.encode(value)?,
            self.layout.delimiter,
            &mut self.buffer,
        );
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
            self.add_value(column.get(row))
                .map_err(|_| ClientError::Protocol("a pseudonym that is no text"))?;
            self.buffer.extend_from_slice(self.layout.terminator);
        }
        let mut missing = MissingCounts::new(columns);
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
        self.buffer.clear();
        for reject in rejects {
            self.buffer
                .extend_from_slice(format!("{},{},", reject.at.line, reject.at.row).as_bytes());
            write_value(reject.element.as_bytes(), b',', &mut self.buffer);
            self.buffer.push(b',');
            write_value(reject.reason.as_bytes(), b',', &mut self.buffer);
            self.buffer.push(b'\n');
        }
        target.write(&self.buffer)
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

/// Counts the answers of a batch that are missing in rows that are written.
struct MissingCounts<'a> {
    columns: &'a [Answer],
    /// By column: how many, and the line of the first.
    counts: Vec<(u64, u64)>,
}

impl<'a> MissingCounts<'a> {
    fn new(columns: &'a [Answer]) -> Self {
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
