//! What a command did, for people and for scripts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::FileArgs;
use super::parse::Reject;
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
    /// Rejections by element and reason: how many, and the line of the first.
    kinds: BTreeMap<(String, String), (u64, u64)>,
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
    }
    if kinds.len() > MAX_LISTED {
        output::note(format!("  and {} further kinds", kinds.len() - MAX_LISTED));
    }
}
