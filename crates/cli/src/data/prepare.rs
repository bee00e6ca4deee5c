//! Everything that can go wrong with a run is looked for before the first value is sent.

use std::path::{Path, PathBuf};

use sluis_client::local::Step;
use sluis_client::{Client, Opened};
use sluis_domain::{GrantId, Reason};

use super::args::{FileArgs, ResumeArgs};
use super::columns::ColumnPlan;
use super::input::Input;
use super::run_file::{RunFile, Task};
use super::scan::{Scanned, scan};
use super::treat::{BatchLimits, OutputShape};
use crate::error::CliError;
use crate::output;

/// The grant that a run counts under.
pub(crate) struct Under<'a> {
    /// To ask what remains when the run has failed.
    pub(crate) client: &'a Client,
    /// Which.
    pub(crate) grant: &'a GrantId,
    /// `convert` or `reidentify`.
    pub(crate) command: &'static str,
    /// Flags of the command.
    pub(crate) resume: &'a ResumeArgs,
    /// What else decides what is sent.
    pub(crate) how: &'static str,
}

/// A run that can begin.
pub(crate) struct Ready {
    /// At its beginning.
    pub(crate) input: Input,
    /// One per column.
    pub(crate) plans: Vec<ColumnPlan>,
    /// What the file holds; `None` for a pipe.
    pub(crate) scanned: Option<Scanned>,
    /// The run that is repeated.
    pub(crate) earlier: Option<RunFile>,
    /// The run file that is to be made.
    pub(crate) begin: Option<(PathBuf, Task)>,
}

/// Reads a regular file from end to end, and looks whether an earlier run is to be repeated.
pub(crate) async fn prepare(
    mut input: Input,
    plans: Vec<ColumnPlan>,
    shape: OutputShape,
    files: &FileArgs,
    under: Option<&Under<'_>>,
) -> Result<Ready, CliError> {
    let run_file = under.and_then(|under| under.resume.run_file(files));
    let resume = under.is_some_and(|under| under.resume.resume);
    let earlier = earlier(run_file.as_deref(), resume)?;
    let Some(origin) = input.origin.take() else {
        if resume {
            return Err(CliError::usage(
                "--resume needs an input file: a pipe cannot be read again",
            ));
        }
        return Ok(Ready {
            input,
            plans,
            scanned: None,
            earlier: None,
            begin: None,
        });
    };
    let size = input.size.unwrap_or_default();
    let limits = match &earlier {
        Some(run) => run.batches(),
        None => BatchLimits::before_the_stream(files.batch_rows),
    };
    let how = under.map_or("", |under| under.how);
    let columns = format!("{}; {how}; {}", described(&plans), input.source.described());
    // A thread that may block, so that the connection is kept alive meanwhile.
    let scanning = tokio::task::spawn_blocking(move || scan(input, plans, shape, limits));
    let (scanned, plans) = scanning.await.map_err(|_| CliError::stage_failed())??;
    let task = under.map(|under| Task {
        command: under.command.to_owned(),
        grant: under.grant.to_string(),
        columns,
        input_bytes: size,
        input_check: scanned.check(),
    });
    if let (Some(run), Some(task)) = (&earlier, &task) {
        run.check(task)?;
    }
    let begin = match earlier {
        None => run_file.zip(task),
        Some(_) => None,
    };
    Ok(Ready {
        input: origin.open(files)?,
        plans,
        scanned: Some(scanned),
        earlier,
        begin,
    })
}

/// The run that is to be repeated. Refuses to begin one where another did not end.
fn earlier(path: Option<&Path>, resume: bool) -> Result<Option<RunFile>, CliError> {
    let Some(path) = path else {
        return match resume {
            true => Err(CliError::usage(
                "--resume needs --run-file: without an output file it is not known where the run was written down",
            )),
            false => Ok(None),
        };
    };
    let found = RunFile::find(path)?;
    let path = path.display();
    match (found, resume) {
        (Some(_), false) => Err(CliError::usage(format!(
            "an earlier run for this output did not end. Add --resume to repeat it without counting anything twice, or \
             remove {path} to give it up; what it counted stays counted"
        ))),
        (None, true) => Err(CliError::usage(format!(
            "there is no run to resume: {path} does not exist. A run that is complete has none"
        ))),
        (found, _) => Ok(found),
    }
}

/// What becomes of each column; no header, which may be a value.
fn described(plans: &[ColumnPlan]) -> String {
    let columns = plans.iter().map(|plan| {
        let element = plan.element.as_ref().map_or("", |element| element.as_str());
        match &plan.step {
            Step::Send(_) => format!("send {element}"),
            Step::SendOnly(_) => format!("send only {element}"),
            Step::Generalise(_) => format!("generalise {element}"),
            Step::Keep => "keep".to_owned(),
            Step::Drop => "drop".to_owned(),
        }
    });
    let columns: Vec<String> = columns.collect();
    columns.join(", ")
}

/// Compares what will be sent with what the grant has left. A run that is repeated is not held up: part of it may be
/// counted already, and what is answered is never lost to it.
pub(crate) fn check_grant(ready: &Ready, opened: &Opened) -> Result<(), CliError> {
    let Some(scanned) = &ready.scanned else {
        return Ok(());
    };
    let values = scanned.values;
    let before = ready.earlier.as_ref().map(RunFile::progress);
    let to_count = values.saturating_sub(before.map_or(0, |progress| progress.values));
    let limits = [
        (
            opened.remaining,
            Reason::GrantExhausted,
            "remain under the grant",
            "ask for a grant with more values, or send fewer rows",
        ),
        (
            opened.remaining_today,
            Reason::GrantDailyLimit,
            "remain under the grant today (UTC)",
            "send fewer rows today",
        ),
    ];
    for (remaining, reason, remain, help) in limits {
        let Some(remaining) = remaining.filter(|remaining| *remaining < to_count) else {
            continue;
        };
        let code = reason.code();
        if ready.earlier.is_some() {
            output::warn(format!(
                "up to {to_count} values are not counted yet, and {remaining} {remain}; the run may end with {code}"
            ));
            continue;
        }
        return Err(CliError::Declined(format!(
            "{code}: the file has {values} values, and {remaining} {remain}. Nothing was sent; {help}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_did_not_end_is_not_begun_again_by_accident() {
        let directory = tempfile::tempdir().expect("writable");
        let path = directory.path().join("out.csv.sluis-run");
        assert!(matches!(earlier(None, true), Err(CliError::Usage(_))));
        assert!(earlier(None, false).expect("a pipe").is_none());
        assert!(matches!(
            earlier(Some(&path), true),
            Err(CliError::Usage(text)) if text.contains("no run to resume")
        ));
        assert!(earlier(Some(&path), false).expect("new").is_none());
        let task = Task {
            command: "convert".into(),
            grant: "g-1".into(),
            columns: String::new(),
            input_bytes: 0,
            input_check: 0,
        };
        let limits = BatchLimits::before_the_stream(1);
        drop(RunFile::begin(&path, task, limits).expect("writable"));
        assert!(matches!(
            earlier(Some(&path), false),
            Err(CliError::Usage(text)) if text.contains("--resume")
        ));
        assert!(earlier(Some(&path), true).expect("found").is_some());
    }
}
