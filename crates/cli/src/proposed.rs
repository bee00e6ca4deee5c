//! What was just proposed, and who must sign it.

use sluis_client::{ProposalView, checked};
use sluis_views::proposal as view;

use crate::error::{CliError, Exit};
use crate::output::{self, Paint, Safe};
use crate::proposal;

/// Shows a new proposal and how it goes on.
///
/// # Errors
/// [`CliError::Client`] for a proposal that does not say what it should, and those of the output.
pub(crate) fn print(proposed: ProposalView, as_json: bool) -> Result<Exit, CliError> {
    let checked = checked::proposal(proposed)?;
    if as_json {
        output::json(&view::json(&checked.view))?;
        return Ok(Exit::Done);
    }
    let paint = Paint::stdout();
    let lines = view::lines(&checked).into_iter();
    let missing = proposal::what_is_missing(&checked.view);
    lines
        .map(|line| paint.line(line))
        .chain(missing.into_iter().map(Safe::from))
        .try_for_each(output::line)?;
    Ok(Exit::Done)
}
