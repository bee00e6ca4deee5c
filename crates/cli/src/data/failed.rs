//! What a run that failed says: what was answered, what is counted, what is kept, and how to go on.

use std::path::Path;
use std::time::Duration;

use super::answered::Answered;
use super::args::FileArgs;
use super::prepare::Under;
use super::scan::Scanned;
use super::summary::Tally;
use crate::error::CliError;
use crate::output;

/// How long asking for what remains may take.
const ASKING: Duration = Duration::from_secs(5);

/// What became of the output.
pub(crate) enum Left {
    /// Nothing of it.
    Nothing,
    /// What goes to a pipe or device has gone there.
    Gone(Tally),
    /// The batches that were answered are in a file.
    Kept(std::path::PathBuf, Tally),
}

/// Tells it, and removes the run file where nothing was sent.
pub(crate) async fn tell(
    answered: &Answered,
    left: &Left,
    scanned: Option<&Scanned>,
    under: Option<&Under<'_>>,
    files: &FileArgs,
) {
    let counts = answered.counts();
    let is_resumed = under.is_some_and(|under| under.resume.resume);
    if counts.sent_batches == 0 {
        if let Some(run) = answered.run().filter(|_| !is_resumed) {
            run.remove();
        }
        if under.is_some() {
            output::note("Nothing was sent, and nothing was counted.");
        }
        return;
    }
    answered.texts().iter().for_each(output::note);
    if let Some(scanned) = scanned {
        output::note(format!(
            "{} of {} rows are not answered.",
            scanned.rows.saturating_sub(counts.answered.rows),
            scanned.rows
        ));
    }
    output::note(output::safe(&what_is_left(left)));
    match under {
        Some(under) => {
            output::note(remaining(under).await);
            output::note(how_to_go_on(answered.run().is_some(), under, files));
        }
        None => output::note(
            "Repeat the command to go on: what was done is done again and gives the same, and a subject counts once a day.",
        ),
    }
}

fn what_is_left(left: &Left) -> String {
    match left {
        Left::Nothing => "No file was written.".to_owned(),
        Left::Gone(tally) => format!(
            "{} rows were written, {} rejected; the output is not complete.",
            tally.written, tally.rejected
        ),
        Left::Kept(path, tally) => format!(
            "{} holds {} rows; {} were rejected.",
            path.display(),
            tally.written,
            tally.rejected
        ),
    }
}

async fn remaining(under: &Under<'_>) -> String {
    let grant = under.grant;
    let asked = tokio::time::timeout(ASKING, under.client.grant(grant)).await;
    let Ok(Ok(found)) = asked else {
        return format!("`sluis grant show {grant}` says what remains under the grant.");
    };
    let most = found.grant.terms.max_values;
    format!(
        "The grant now has {} of {most} values left.",
        most.saturating_sub(found.used)
    )
}

fn how_to_go_on(is_kept: bool, under: &Under<'_>, files: &FileArgs) -> String {
    if !is_kept {
        return format!(
            "This run cannot be resumed, because its input or output is no file: `sluis {} --help` says more.",
            under.command
        );
    }
    let arguments: Vec<String> = std::env::args_os()
        .map(|argument| quoted(&argument.to_string_lossy()))
        .collect();
    let flag = if under.resume.resume { "" } else { " --resume" };
    let input = input_again(files.input_path());
    format!(
        "To go on without counting anything twice{input}: {}{flag}",
        output::safe(&arguments.join(" ")).as_str()
    )
}

/// What a command that is repeated needs besides its arguments.
fn input_again(input: Option<&Path>) -> &'static str {
    match input {
        Some(_) => "",
        None => ", with the same file as standard input",
    }
}

/// As a shell takes it for one word.
fn quoted(argument: &str) -> String {
    let plain = argument
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c));
    if plain && !argument.is_empty() {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// A connection that broke while batches were on their way.
pub(crate) fn unsure(error: CliError, answered: &Answered, under: Option<&Under<'_>>) -> CliError {
    let unanswered = answered.counts().unanswered() > 0;
    match error {
        CliError::Client(source) if source.is_unsure() && unanswered => {
            let look = match under {
                Some(under) => format!(
                    "Some batches may have been counted; `sluis grant show {}` says how many values are used",
                    under.grant
                ),
                None => "Some batches may have been done".to_owned(),
            };
            CliError::Unsure { source, look }
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_standard_input_is_asked_for_again() {
        assert_eq!(input_again(Some(Path::new("in.csv"))), "");
        assert!(input_again(None).contains("same file as standard input"));
    }

    #[test]
    fn words_are_quoted_as_a_shell_takes_them() {
        assert_eq!(quoted("--columns=patient=bsn,x"), "--columns=patient=bsn,x");
        assert_eq!(quoted("a file's.csv"), r"'a file'\''s.csv'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("$(x)"), "'$(x)'");
    }
}
