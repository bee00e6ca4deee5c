//! `sluis import`.

use clap::Args;

use super::mapping::Mapping;
use super::pseudonymise::RecordArgs;
use crate::error::{CliError, Exit};

/// Bring the pseudonyms of a running study into a chain, with the identifiers they stand for
///
/// The file is one that `sluis pseudonymise` would take, with one more column: the pseudonym that the study has used for the
/// subject so far. The custodian keeps, sealed, which subject each old pseudonym stands for; `sluis convert --from-imported`
/// then turns old pseudonyms into tokens under a grant. The output is that of `sluis pseudonymise`: it has the new tokens,
/// and not the old pseudonyms.
///
/// Old pseudonyms have 1 to 255 bytes and are taken as they are. Rows without one (MISSING_IMPORT), or with one that stands for
/// another subject already (IMPORT_CONFLICT), are left out of the output (exit code 3). A file may be imported again: what is
/// there already stays as it is, and a subject counts once a day towards a quota. An input file (not a pipe) is read from end
/// to end before the first value is sent.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES
  sluis import study.csv --chain diabetes-study --element bsn --old study-no -o tokens.csv
  sluis import study.csv --chain diabetes-study --element bsn --old 'Study number' \\
      --columns BSN=bsn -o tokens.csv --rejects rejects.csv
  sluis import study.csv --chain diabetes-study --element bsn --old study-no --expect pins.toml")]
pub struct ImportArgs {
    #[command(flatten)]
    mapping: Mapping,
    #[command(flatten)]
    records: RecordArgs,
}

impl ImportArgs {
    /// Runs the command.
    ///
    /// # Errors
    /// What stops the run as a whole. Rejected rows are no error.
    pub async fn run(self) -> Result<Exit, CliError> {
        self.records.run("import", Some(&self.mapping)).await
    }
}
