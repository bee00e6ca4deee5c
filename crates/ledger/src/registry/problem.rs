//! What is wrong with a registry, and where.

use std::fmt;

/// Most problems told at once; what is beyond is counted in one last problem.
const MAX_PROBLEMS: usize = 1_000;
/// Longest quotation of the operator's text in a message, in characters.
const MAX_QUOTE_CHARS: usize = 80;

/// One thing that is wrong with a registry. The registry is the operator's configuration and no personal data, so
/// messages quote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Line in the text, from 1; 0 where there is no text (a forbidden change).
    pub line: u32,
    /// Column in the line, in characters from 1; 0 where there is no text.
    pub column: u32,
    /// What it is about: `chain[diabetes-study].element[bsn].namespace`. An entry without a usable id is named by
    /// its position: `chain[#2]`. Empty for the text as a whole.
    pub path: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Collects the problems of one text.
pub(super) struct Problems<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    found: Vec<(usize, Problem)>,
    untold: usize,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            text,
            line_starts,
            found: Vec::new(),
            untold: 0,
        }
    }

    /// Adds a problem found `at` a byte of the text.
    pub(super) fn report(
        &mut self,
        at: usize,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        if self.found.len() >= MAX_PROBLEMS {
            self.untold += 1;
            return;
        }
        let (line, column) = self.place(at);
        self.found.push((
            at,
            Problem {
                line,
                column,
                path: path.into(),
                message: message.into(),
            },
        ));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many were reported; used to see whether a step was clean.
    pub(super) fn count(&self) -> usize {
        self.found.len() + self.untold
    }

    /// The line of a byte of the text, from 1.
    pub(super) fn line(&self, at: usize) -> u32 {
        self.place(at).0
    }

    /// All problems in the order of the text.
    pub(super) fn into_sorted(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|(at, _)| *at);
        let mut problems: Vec<Problem> =
            self.found.into_iter().map(|(_, problem)| problem).collect();
        if self.untold > 0 {
            let message = format!(
                "{} further problems are not shown; repair these first",
                self.untold
            );
            problems.push(Problem {
                line: 0,
                column: 0,
                path: String::new(),
                message,
            });
        }
        problems
    }

    fn place(&self, at: usize) -> (u32, u32) {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts[line - 1];
        let before = self.text.get(start..at).unwrap_or_default();
        (
            saturating_u32(line),
            saturating_u32(before.chars().count() + 1),
        )
    }
}

/// `text` in quotes for a message: escaped, and cut when long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTE_CHARS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn saturating_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
