//! `sluis dev`: certificates and data to try things out with. Never for production.

mod bsn;
mod patient;
mod pki;
mod random;
mod sample_data;

use clap::Subcommand;

use crate::error::{CliError, Exit};

/// For development only: certificates and synthetic patients to try things out with
#[derive(Subcommand, Debug)]
pub(crate) enum DevCommand {
    Pki(pki::PkiArgs),
    SampleData(sample_data::SampleDataArgs),
}

impl DevCommand {
    pub(crate) fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Pki(args) => args.run(),
            Self::SampleData(args) => args.run(),
        }
    }
}
