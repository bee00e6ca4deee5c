//! What a command did, for people and for scripts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::FileArgs;
use super::treat::Reject;
use crate::error::{CliError, Exit};
use crate::output;

/// How many kinds of rejections are listed for people.
const MAX_LISTED: usize = 10;

/// Counts of rows.
#[derive(Default, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Rows of the input.
    pub(crate) rows: u64,
    /// Rows of the output.
    pub(crate) written: u64,
    /// Rows that were left out.
    pub(crate) rejected: u64,
    /// Values that were counted under a grant; `None` without one.
    pub(crate) counted: Option<u64>,
    /// Empty lines of the input that hold no row.
    pub(crate) blank_lines: u64,
    /// Rejections by element and reason: how many, and the line of the first.
    kinds: BTreeMap<(String, String), (u64, u64)>,
    /// Missing values in the rows of the output, by element: how many, and the line of the first.
    pub(crate) missing: BTreeMap<String, (u64, u64)>,
}

impl Tally {
    /// Adds a batch.
    pub(crate) fn add(&mut self, rows: usize, written: usize, rejects: Vec<Reject>) {
        self.rows += rows as u64;
        self.written += written as u64;
        self.rejected += rejects.len() as u64;
        for reject in rejects {
            let kind = self
                .kinds
                .entry((reject.element, reject.reason.into_owned()));
            kind.or_insert((0, reject.at.line)).0 += 1;
        }
    }

    /// Adds missing values of one element, the first of them in this line.
    pub(crate) fn add_missing(&mut self, element: &str, values: u64, first_line: u64) {
        match self.missing.get_mut(element) {
            Some((all, _)) => *all += values,
            None => {
                self.missing
                    .insert(element.to_owned(), (values, first_line));
            }
        }
    }

    fn missing_lines(&self) -> impl Iterator<Item = Missing<'_>> {
        self.missing
            .iter()
            .map(|(element, (values, first_line))| Missing {
                element,
                rows: *values,
                first_line: *first_line,
            })
    }

    fn kinds(&self) -> impl Iterator<Item = Kind<'_>> {
        self.kinds
            .iter()
            .map(|((element, reason), (rows, first_line))| Kind {
                element,
                reason,
                rows: *rows,
                first_line: *first_line,
            })
    }

    /// 0 or 3.
    pub(crate) fn exit(&self) -> Exit {
        if self.rejected == 0 {
            Exit::Done
        } else {
            Exit::SomeRejected
        }
    }
}

/// The summary of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    command: &'a str,
    /// Chain or grant.
    subject: &'a str,
    rows: u64,
    written: u64,
    rejected: u64,
    /// Values that this run counted under the grant; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    counted_values: Option<u64>,
    rejections: Vec<Kind<'a>>,
    missing: Vec<Missing<'a>>,
    empty_lines: u64,
    /// `-` for standard output.
    output: String,
    rejects: Option<String>,
    seconds: f64,
}

#[derive(Serialize)]
struct Kind<'a> {
    element: &'a str,
    reason: &'a str,
    rows: u64,
    first_line: u64,
}

/// Missing values of one element, in the rows that were written.
#[derive(Serialize)]
struct Missing<'a> {
    element: &'a str,
    rows: u64,
    first_line: u64,
}

/// Tells what was done, as the flags ask for it.
pub(crate) fn report(
    command: &str,
    subject: &str,
    tally: &Tally,
    args: &FileArgs,
    seconds: f64,
) -> Result<(), CliError> {
    match (args.json, args.quiet) {
        (true, _) => report_json(command, subject, tally, args, seconds),
        (false, false) => {
            report_text(tally, args, seconds);
            Ok(())
        }
        (false, true) => Ok(()),
    }
}

fn report_json(
    command: &str,
    subject: &str,
    tally: &Tally,
    args: &FileArgs,
    seconds: f64,
) -> Result<(), CliError> {
    let document = Document {
        command,
        subject,
        rows: tally.rows,
        written: tally.written,
        rejected: tally.rejected,
        counted_values: tally.counted,
        rejections: tally.kinds().collect(),
        missing: tally.missing_lines().collect(),
        empty_lines: tally.blank_lines,
        output: args
            .output_path()
            .map_or_else(|| "-".to_owned(), |path| path.display().to_string()),
        rejects: args.rejects_path().map(|path| path.display().to_string()),
        seconds: (seconds * 1000.0).round() / 1000.0,
    };
    if args.output_path().is_some() {
        return output::json_line(&document);
    }
    output::note(output::json_text(&document)?);
    Ok(())
}

fn report_text(tally: &Tally, args: &FileArgs, seconds: f64) {
    let to = args
        .output_path()
        .map_or_else(String::new, |path| format!(" to {}", path.display()));
    output::note(format!(
        "{} rows read, {} written{to} in {seconds:.1} s",
        tally.rows, tally.written
    ));
    if let Some(counted) = tally.counted {
        output::note(format!("{counted} values were counted under the grant"));
    }
    for missing in tally.missing_lines() {
        output::note(format!(
            "  {} missing values of {} (first in line {})",
            missing.rows, missing.element, missing.first_line
        ));
    }
    if tally.blank_lines > 0 {
        let lines = tally.blank_lines;
        output::note(format!("  {lines} empty lines, which hold no row"));
    }
    if tally.rejected > 0 {
        let listed = match args.rejects_path() {
            Some(path) => format!("see {}", path.display()),
            None => "list them with --rejects FILE".to_owned(),
        };
        output::warn(format!(
            "{} rows rejected and left out; {listed}",
            tally.rejected
        ));
        list(tally.kinds());
    }
}

/// The most frequent kinds.
fn list<'a>(kinds: impl Iterator<Item = Kind<'a>>) {
    let mut kinds: Vec<_> = kinds.collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.rows));
    for kind in kinds.iter().take(MAX_LISTED) {
        output::note(format!(
            "  {} x {} {} (first in line {})",
            kind.rows, kind.element, kind.reason, kind.first_line
        ));
        if let Some(hint) = hint(kind.reason) {
            output::note(format!("      {hint}"));
        }
    }
    if kinds.len() > MAX_LISTED {
        output::note(format!("  and {} further kinds", kinds.len() - MAX_LISTED));
    }
}

/// What helps against rejections for this reason.
fn hint(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "INVALID_DATE" => {
            "--date-format says how dates are written: %d-%m-%Y, or '%Y-%m-%d 00:00:00' where a time follows"
        }
        "DAY_AND_MONTH_SWAPPED" => {
            "is --date-format right? If the file has the month where the format has the day, other rows were read wrongly: \
             do not use this output"
        }
        "INVALID_UTF8" => "--encoding windows-1252 is for files that are not UTF-8",
        "WRONG_ENCODING" => "the file is not windows-1252: leave --encoding out if it is UTF-8",
        "UNENCODABLE" => "use a file in UTF-8",
        "AMBIGUOUS_NUMBER" | "INVALID_NUMBER" => {
            "--decimal-mark says how numbers are written: comma for 1.234,56 and dot for 1,234.56"
        }
        "NUMBER_AS_DECIMAL" | "NUMBER_IN_SCIENTIFIC_NOTATION" => {
            "a spreadsheet wrote identifiers as numbers: format the column as text there, and take the identifiers from where \
             they came from"
        }
        "NO_CENTURY" => {
            "write the year of birth with four digits (19811228-9841): with two, the number is of another person in another \
             century"
        }
        "MALFORMED_PSEUDONYM" | "MALFORMED_CIPHERTEXT" => {
            "is it the right column, and are the values whole?"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::treat::Position;

    #[test]
    fn hints_are_for_reasons_that_there_are() {
        let hinted = sluis_domain::Reason::ALL
            .iter()
            .filter(|reason| hint(reason.code()).is_some());
        assert!(hinted.count() >= 9);
    }

    #[test]
    fn missing_values_are_counted_by_element_with_the_first_line() {
        let mut tally = Tally::default();
        tally.add_missing("bsn", 2, 3);
        tally.add_missing("born", 1, 9);
        tally.add_missing("bsn", 5, 70);
        let at = Position { row: 1, line: 2 };
        let element = "bsn".to_owned();
        let reason = "ALL_ZERO".into();
        tally.add(
            9,
            8,
            vec![Reject {
                at,
                element,
                reason,
            }],
        );
        let counted: Vec<_> = tally
            .missing_lines()
            .map(|missing| (missing.element, missing.rows, missing.first_line))
            .collect();
        assert_eq!(counted, [("born", 1, 9), ("bsn", 7, 3)]);
    }
}
