//! What was just proposed, and who must sign it.

use sluis_client::checked;
use sluis_client::v1::Proposal;
use sluis_views::proposal as view;

use crate::error::{CliError, Exit};
use crate::output::{self, Paint, Safe};
use crate::proposal;

/// Shows a new proposal, read from the bytes that are signed, and how it goes on.
///
/// # Errors
/// [`CliError::Client`] for an answer without a proposal or with one that does not say what it should, and those of the
/// output.
pub(crate) fn print(proposed: Option<Proposal>, as_json: bool) -> Result<Exit, CliError> {
    let wire = proposal::present(proposed)?;
    let checked = checked::proposal(&wire)?;
    if as_json {
        output::json(&view::json(&wire))?;
        return Ok(Exit::Done);
    }
    let paint = Paint::stdout();
    let lines = view::lines(&wire, &checked).into_iter();
    lines
        .map(|line| paint.line(line))
        .chain(proposal::what_is_missing(&wire).into_iter().map(Safe::from))
        .try_for_each(output::line)?;
    Ok(Exit::Done)
}
