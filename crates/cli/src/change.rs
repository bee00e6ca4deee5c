//! What commands have in common that ask before they do something.

use clap::Args;

use crate::connect::ConnectArgs;
use crate::error::CliError;
use crate::output;

/// The flags of a command that asks.
#[derive(Args, Debug)]
pub(crate) struct ChangeArgs {
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

impl ChangeArgs {
    /// Asks, unless told not to.
    ///
    /// # Errors
    /// Those of [`output::confirm`].
    pub(crate) fn confirm(&self, question: &str) -> Result<(), CliError> {
        if self.yes {
            return Ok(());
        }
        output::confirm(question, "there is no terminal to ask on: give --yes")
    }
}
