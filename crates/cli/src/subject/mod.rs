//! `sluis subject`: rights of subjects.

mod erase;

use clap::Subcommand;

use crate::error::{CliError, Exit};

/// Rights of subjects
#[derive(Subcommand, Debug)]
pub(crate) enum SubjectCommand {
    Erase(erase::EraseArgs),
}

impl SubjectCommand {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Erase(args) => args.run().await,
        }
    }
}
