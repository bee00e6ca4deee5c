//! `sluis convert`.

use std::time::Instant;

use clap::Args;
use sluis_client::local::{SendStep, Step};
use sluis_client::{Client, Spelling};
use sluis_domain::{ElementName, GrantId};
use sluis_ledger::grant::{Kind, OutputOrder};

use super::args::{FileArgs, ResumeArgs};
use super::columns::{self, ColumnPlan, NotOne};
use super::input::Input;
use super::pipeline::{self, Job, OutputKind, TOKEN_BYTES};
use super::prepare::Under;
use super::summary;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output;

/// Convert the pseudonyms of a column into those of another chain, under a grant
///
/// All other columns are passed through byte for byte. Under a grant with output order `shuffled` only the converted column
/// is written: the custodian answers in random order, so that the other columns no longer belong to it.
///
/// Every value that is sent counts under the grant. An input file (not a pipe) is read from end to end before the first value
/// is sent: what is wrong with it, a grant with fewer values left than the file has, and a disk without room for the output
/// are found while nothing is counted. A run that fails says what was answered and what was counted; --resume repeats it
/// with the same input and flags, and what was counted is not counted again. For that the id of the run, and nothing
/// personal, is kept in OUTPUT.sluis-run until the output is complete. Input from a pipe is sent as it comes, and a run with
/// a pipe as its input cannot be resumed.
///
/// With --from-imported the column holds old pseudonyms that a source brought in with `sluis import`. Check the column's name
/// before: any text is sent.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES
  sluis convert --grant g-7f3a --column patient pseudonymised.csv -o converted.csv
  sluis convert --grant g-7f3a --column patient pseudonymised.csv -o converted.csv --resume
  sluis convert old.csv --grant g-7f3a --from-imported --column study-no -o new.csv")]
pub struct ConvertArgs {
    /// The grant
    #[arg(long, value_name = "ID")]
    grant: GrantId,
    /// Header of the column to convert [default: the grant's from-element]
    #[arg(long, value_name = "HEADER")]
    column: Option<String>,
    /// The values are imported old pseudonyms, no tokens
    #[arg(long)]
    from_imported: bool,
    #[command(flatten)]
    resume: ResumeArgs,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl ConvertArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// What stops the run as a whole. Rejected rows are no error.
    pub async fn run(self) -> Result<Exit, CliError> {
        let started = Instant::now();
        let run_file = self.resume.run_file(&self.files);
        self.files.check_targets(run_file.as_deref())?;
        let input = Input::open(&self.files, Spelling::default())?;
        let client = self.connect.connect().await?;
        let view = client.grant(&self.grant).await?;
        let (from, shuffled) = permitted(&view.grant.terms.kind)?;
        let sent = if self.from_imported {
            SendStep::Opaque
        } else {
            SendStep::Issued
        };
        let plan = ColumnPlan {
            element: Some(from),
            step: Step::Send(sent),
        };
        let plans = plans(
            input.source.headers(),
            self.column.as_deref(),
            plan,
            shuffled,
        )?;
        if shuffled && !self.files.quiet {
            output::note(
                "The grant asks for shuffled output: only the converted column is written, in random order.",
            );
        }
        let kind = OutputKind {
            shuffled,
            private: false,
            value_bytes: TOKEN_BYTES,
        };
        let job = Job {
            input,
            plans,
            kind,
            files: &self.files,
            under: Some(self.under(&client, shuffled)),
            repeats: self.resume.resume,
        };
        let opening = async || {
            Ok(match self.from_imported {
                true => client.convert_imported(&self.grant).await?,
                false => client.convert(&self.grant).await?,
            })
        };
        let tally = pipeline::run(job, opening).await?;
        summary::report(
            "convert",
            self.grant.as_str(),
            &tally,
            &self.files,
            started.elapsed().as_secs_f64(),
        )?;
        Ok(tally.exit())
    }
}

impl ConvertArgs {
    fn under<'a>(&'a self, client: &'a Client, shuffled: bool) -> Under<'a> {
        Under {
            client,
            grant: &self.grant,
            command: "convert",
            resume: &self.resume,
            how: match (self.from_imported, shuffled) {
                (false, false) => "tokens",
                (false, true) => "tokens, shuffled",
                (true, false) => "imported",
                (true, true) => "imported, shuffled",
            },
        }
    }
}

/// The element that may be converted, and whether the order of the output is random.
fn permitted(kind: &Kind) -> Result<(ElementName, bool), CliError> {
    match kind {
        Kind::Convert { from, order, .. } => Ok((from.1.clone(), *order == OutputOrder::Shuffled)),
        Kind::Reidentify { .. } => Err(CliError::usage(
            "GRANT_KIND: this is a grant to re-identify; use `sluis reidentify`",
        )),
    }
}

fn plans(
    headers: &[String],
    column: Option<&str>,
    sent: ColumnPlan,
    shuffled: bool,
) -> Result<Vec<ColumnPlan>, CliError> {
    let element = sent
        .element
        .as_ref()
        .map(ElementName::to_string)
        .unwrap_or_default();
    let wanted = column.unwrap_or(&element).to_owned();
    let place = columns::only(headers, &wanted).map_err(|problem| match problem {
        // The headers are not listed: without a header line they are pseudonyms.
        NotOne::Absent(nearly) => CliError::usage(format!(
            "the file has no column {wanted:?}; name the one to convert with --column, or is the header line missing?{nearly}"
        )),
        NotOne::Ambiguous(error) => error,
    })?;
    let other = if shuffled {
        ColumnPlan::drop
    } else {
        ColumnPlan::keep
    };
    let mut plans: Vec<_> = headers.iter().map(|_| other()).collect();
    plans[place] = sent;
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(column: Option<&str>, shuffled: bool) -> Result<String, CliError> {
        let headers = ["patient", "sex", "twin", "twin"].map(str::to_owned);
        let from = ColumnPlan::send("bsn".parse().expect("an id"));
        let letter = |plan: ColumnPlan| match plan.step {
            Step::Send(_) => 's',
            Step::SendOnly(_) => 'o',
            Step::Keep => 'k',
            Step::Drop => 'd',
            Step::Generalise(_) => 'g',
        };
        plans(&headers, column, from, shuffled).map(|plans| plans.into_iter().map(letter).collect())
    }

    #[test]
    fn one_column_is_sent_and_the_others_stay_unless_the_order_is_lost() {
        assert_eq!(steps(Some("patient"), false).expect("fits"), "skkk");
        assert_eq!(steps(Some("patient"), true).expect("fits"), "sddd");
    }

    #[test]
    fn the_column_must_be_there_once() {
        assert!(matches!(steps(None, false), Err(CliError::Usage(_))));
        assert!(matches!(
            steps(Some("twin"), false),
            Err(CliError::Input(_))
        ));
    }
}
