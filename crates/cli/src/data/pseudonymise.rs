//! `sluis pseudonymise`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Instant;

use clap::Args;
use sluis_client::local::SourceKeys;
use sluis_client::{ChainView, Client, ClientError, DateFormat, DecimalMark, Spelling};
use sluis_domain::{ChainId, NamespaceId};

use super::args::FileArgs;
use super::columns;
use super::input::Input;
use super::mapping::{Mapping, without};
use super::names::{self, ColumnNames};
use super::pipeline::{self, Job, OutputKind};
use super::source_key;
use super::summary;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::expect::ExpectArgs;
use crate::output;

/// Pseudonymise the records of a CSV file for a chain
///
/// Every column of the file must be an element of the chain. The custodian receives only the columns it must see: keep,
/// drop and generalise happen here, and so does hashing for namespaces with prehash input. The output has the headers, the
/// order, the delimiter, the encoding and the line endings of the input, without the columns that are dropped; kept
/// columns are passed through byte for byte. Every line of the input has its line in the output, except those of rejected
/// rows: in a file of one column an empty line is a row with a missing value, in others it is passed through (and refused
/// where the output has one column). The summary
/// counts the missing values of each treated element.
///
/// Rows with a value that cannot be treated are left out of the output (exit code 3); everything else stops the run, and
/// then no file is written. An input file (not a pipe) is read from end to end before the first value is sent, so that a
/// damaged last line is found first. A run that failed is repeated with the same command: the result is the same, and a
/// subject counts once a day towards a quota.
#[derive(Args, Debug)]
#[command(after_help = r#"EXAMPLES
  sluis pseudonymise --chain diabetes-study patients.csv -o pseudonymised.csv --rejects rejects.csv
  sluis pseudonymise --chain diabetes-study --columns BSN=bsn,Geboortedatum=birth-date \
      --date-format %d-%m-%Y in.csv
  sluis pseudonymise --chain diabetes-study in.csv -o out.csv \
      --source-key study.email=source.key --expect pins.toml
  sluis pseudonymise --chain diabetes-study --columns '"Name, first"=name' in.csv
  zcat huge.csv.gz | sluis pseudonymise --chain diabetes-study - | gzip > out.csv.gz"#)]
pub struct PseudonymiseArgs {
    #[command(flatten)]
    records: RecordArgs,
}

/// Records of a source, and where they go.
#[derive(Args, Debug)]
pub(crate) struct RecordArgs {
    /// The chain
    #[arg(long, value_name = "ID")]
    chain: ChainId,
    /// Which column is which element, where the header is not the element's name (repeatable). A header with a comma stands
    /// in quotes: '"Name, first"=name'
    #[arg(long, value_name = "HEADER=ELEMENT")]
    columns: Vec<ColumnNames>,
    /// How dates are written: %Y, %m and %d once each, other characters as they are. The output has YYYY-MM-DD
    #[arg(long, value_name = "FORMAT", default_value = "%Y-%m-%d")]
    date_format: DateFormat,
    /// What stands before decimals, dot or comma: 1.234 is refused where nothing says whether it is over a thousand
    #[arg(long, value_name = "MARK")]
    decimal_mark: Option<DecimalMark>,
    /// Source key of a namespace with prehash input: 64 hexadecimal characters or 32 bytes (repeatable). Columns of the
    /// namespace are hashed with it or not sent, and a key that hashes no column stops the run. Which columns those are is
    /// the custodian's word: only --expect holds it to what was agreed. Without NAMESPACE the key is for all namespaces of
    /// the file that have no key of their own
    #[arg(long, value_name = "[NAMESPACE=]FILE")]
    source_key: Vec<SourceKeyFile>,
    /// Repeat a run that failed. Repeating is harmless: it gives the same, and a subject counts once a day
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// A source-key file, for one namespace or for all.
#[derive(Clone, PartialEq, Eq, Debug)]
struct SourceKeyFile {
    namespace: Option<NamespaceId>,
    path: PathBuf,
}

impl FromStr for SourceKeyFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A path may have a = of its own: what stands before it is a namespace only if it is an id.
        let named = text
            .split_once('=')
            .and_then(|(namespace, path)| Some((namespace.parse().ok()?, path)));
        Ok(match named {
            Some((namespace, path)) => Self {
                namespace: Some(namespace),
                path: path.into(),
            },
            None => Self {
                namespace: None,
                path: text.into(),
            },
        })
    }
}

impl PseudonymiseArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// What stops the run as a whole. Rejected rows are no error.
    pub async fn run(self) -> Result<Exit, CliError> {
        self.records.run("pseudonymise", None).await
    }
}

impl RecordArgs {
    /// Takes the records through a stream of the chain, with an existing mapping if there is one to import.
    pub(crate) async fn run(
        self,
        command: &str,
        mapping: Option<&Mapping>,
    ) -> Result<Exit, CliError> {
        let started = Instant::now();
        self.files.check_targets(None)?;
        let source_keys = read_source_keys(&self.source_key)?;
        let expectation = self.expect.read(&self.connect)?;
        let spelling = Spelling {
            dates: self.date_format,
            numbers: self.decimal_mark.unwrap_or_default(),
        };
        let input = Input::open(&self.files, spelling)?;
        let headers = input.source.headers();
        let names = names::all(&self.columns);
        let elements = columns::elements(headers, &names, |_| true)?;
        let old = mapping
            .map(|mapping| mapping.place(headers, &elements))
            .transpose()?;
        let client = self.connect.connect().await?;
        let chain = expectation.agree(chain_of(&client, &self.chain).await?)?;
        let mut import = None;
        let plans = match mapping.zip(old) {
            None => columns::plan(headers, elements, &chain, &source_keys)?,
            Some((mapping, old)) => {
                let headers: Vec<_> = without(headers, old.place);
                let mut plans = columns::plan(
                    &headers,
                    without(&elements, old.place),
                    &chain,
                    &source_keys,
                )?;
                mapping.check(&plans, &old)?;
                import = Some((
                    columns::held(&plans),
                    mapping.element.clone(),
                    old.name.clone(),
                ));
                plans.insert(old.place, old.plan());
                plans
            }
        };
        let relies_on_keys = !source_keys.is_empty() && !expectation.is_pinned();
        let unhashed = columns::sent_unhashed(&plans, &self.chain).filter(|_| relies_on_keys);
        unhashed.into_iter().for_each(output::warn);
        let held = columns::held(&plans);
        let kind = OutputKind {
            // A shifted date; all others are longer.
            value_bytes: 10,
            ..OutputKind::default()
        };
        let job = Job {
            input,
            plans,
            kind,
            files: &self.files,
            under: None,
            repeats: self.resume,
        };
        let opening = async || {
            let session = match &import {
                None => client.pseudonymise(&self.chain, &held).await?,
                Some((held, element, column)) => {
                    client.import(&self.chain, held, element, column).await?
                }
            };
            // From here on the custodian refuses what comes after a change; before, a long file was read.
            expectation.check_still(&chain, chain_of(&client, &self.chain).await?)?;
            Ok(session)
        };
        let tally = pipeline::run(job, opening).await?;
        let seconds = started.elapsed().as_secs_f64();
        summary::report(command, self.chain.as_str(), &tally, &self.files, seconds)?;
        Ok(tally.exit())
    }
}

async fn chain_of(client: &Client, chain: &ChainId) -> Result<ChainView, CliError> {
    let found = client.chain(chain).await?;
    Ok(found.ok_or(ClientError::Protocol(
        "an answer without the chain that was asked for",
    ))?)
}

fn read_source_keys(files: &[SourceKeyFile]) -> Result<SourceKeys, CliError> {
    let mut keys = SourceKeys::default();
    for file in files {
        let key = source_key::read(&file.path)?;
        match &file.namespace {
            Some(namespace) => keys.insert(namespace.clone(), key),
            None => keys.set_default(key),
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_key_file_may_name_its_namespace() {
        let parsed = |text: &str| text.parse::<SourceKeyFile>().expect("never fails");
        let named = SourceKeyFile {
            namespace: Some("nl.bsn".parse().expect("an id")),
            path: "k=1.hex".into(),
        };
        assert_eq!(parsed("nl.bsn=k=1.hex"), named);
        assert_eq!(parsed("/etc/key=1").path, PathBuf::from("/etc/key=1"));
        assert_eq!(parsed("key.hex").namespace, None);
    }
}
