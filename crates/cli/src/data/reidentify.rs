//! `sluis reidentify`.

use std::time::Instant;

use clap::Args;
use sluis_client::Spelling;
use sluis_domain::{ElementName, GrantId};
use sluis_ledger::grant::Kind;

use super::args::{FileArgs, ResumeArgs};
use super::columns::{self, ColumnPlan};
use super::input::Input;
use super::names::{self, ColumnName, ColumnNames};
use super::pipeline::{self, Job, OutputKind};
use super::prepare::Under;
use super::summary;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use sluis_views::words::listed;

/// Turn pseudonyms and encrypted values back, under a grant
///
/// Columns that are elements of the grant are replaced by the normalised identifier or the original value; all others are
/// passed through byte for byte. The output file can be read by your own account only: it holds personal data.
///
/// Every value that is sent counts under the grant. An input file (not a pipe) is read from end to end before the first value
/// is sent: what is wrong with it, a grant with fewer values left than the file has, and a disk without room for the output
/// are found while nothing is counted. A run that fails says what was answered and what was counted; --resume repeats it
/// with the same input and flags, and what was counted is not counted again. For that the id of the run, and nothing
/// personal, is kept in OUTPUT.sluis-run until the output is complete. Input from a pipe is sent as it comes, and a run with
/// a pipe as its input cannot be resumed.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES
  sluis reidentify --grant g-90c1 --columns patient=bsn findings.csv -o identities.csv
  sluis reidentify --grant g-90c1 --columns patient=bsn findings.csv -o identities.csv --resume")]
pub struct ReidentifyArgs {
    /// The grant
    #[arg(long, value_name = "ID")]
    grant: GrantId,
    /// Which column is which element of the grant, where the header is not the element's name (repeatable). A
    /// header with a comma stands in quotes: '"Number, old"=bsn'
    #[arg(long, value_name = "HEADER=ELEMENT")]
    columns: Vec<ColumnNames>,
    #[command(flatten)]
    resume: ResumeArgs,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl ReidentifyArgs {
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
        let granted = permitted(&view.grant.terms.kind)?;
        let plans = plans(input.source.headers(), &names::all(&self.columns), granted)?;
        let kind = OutputKind {
            shuffled: false,
            private: true,
            value_bytes: 1,
        };
        let under = Under {
            client: &client,
            grant: &self.grant,
            command: "reidentify",
            resume: &self.resume,
            how: "values",
        };
        let job = Job {
            input,
            plans,
            kind,
            files: &self.files,
            under: Some(under),
            repeats: self.resume.resume,
        };
        let opening = async || Ok(client.reidentify(&self.grant).await?);
        let tally = pipeline::run(job, opening).await?;
        summary::report(
            "reidentify",
            self.grant.as_str(),
            &tally,
            &self.files,
            started.elapsed().as_secs_f64(),
        )?;
        Ok(tally.exit())
    }
}

/// The elements that may be turned back.
fn permitted(kind: &Kind) -> Result<&[ElementName], CliError> {
    match kind {
        Kind::Reidentify { elements, .. } => Ok(elements),
        Kind::Convert { .. } => Err(CliError::usage(
            "GRANT_KIND: this is a grant to convert; use `sluis convert`",
        )),
    }
}

fn plans(
    headers: &[String],
    names: &[ColumnName],
    granted: &[ElementName],
) -> Result<Vec<ColumnPlan>, CliError> {
    if let Some(name) = names.iter().find(|name| !granted.contains(&name.element)) {
        return Err(CliError::usage(format!(
            "WRONG_ELEMENT: {} is not an element of the grant; its elements are {}",
            name.element,
            listed(granted)
        )));
    }
    let elements = columns::elements(headers, names, |element| granted.contains(element))?;
    let plans: Vec<_> = elements
        .into_iter()
        .map(|element| element.map_or_else(ColumnPlan::keep, ColumnPlan::send))
        .collect();
    if plans.iter().all(|plan| plan.element.is_none()) {
        return Err(CliError::usage(format!(
            "no column of the file is an element of the grant ({}); name one with --columns header=element",
            listed(granted)
        )));
    }
    Ok(plans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(names: &str) -> Result<Vec<bool>, CliError> {
        let headers = ["patient", "note", "sex"].map(str::to_owned);
        let granted = ["bsn", "note"].map(|name| name.parse().expect("an id"));
        let plans = plans(&headers, &names::parsed(names), &granted)?;
        Ok(plans.iter().map(|plan| plan.element.is_some()).collect())
    }

    #[test]
    fn only_elements_of_the_grant_are_sent() {
        assert_eq!(sent("").expect("fits"), [false, true, false]);
        assert_eq!(sent("patient=bsn").expect("fits"), [true, true, false]);
    }

    #[test]
    fn what_the_grant_does_not_name_is_refused() {
        assert!(
            matches!(sent("sex=sex"), Err(CliError::Usage(text)) if text.contains("WRONG_ELEMENT"))
        );
        let headers = ["sex".to_owned()];
        assert!(matches!(
            plans(&headers, &[], &["bsn".parse().expect("an id")]),
            Err(CliError::Usage(_))
        ));
    }
}
