//! The only module that prints: results to standard output, everything else to standard error. It prints [`Safe`] text only.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use sluis_domain::Reason;
use sluis_views::proposal::{Line, Tone};

use crate::error::CliError;

pub use sluis_views::Safe;

/// Prints a line of result to standard output.
///
/// # Errors
/// [`CliError::Io`], also when the reader has gone.
pub fn line(text: impl Into<Safe>) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.into().as_str())
        .and_then(|()| out.flush())
        .map_err(stdout_failed)
}

/// Prints one JSON document, indented, to standard output.
///
/// # Errors
/// [`CliError::Io`].
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|e| stdout_failed(e.into()))?;
    line(Safe::json(&text))
}

/// Prints one JSON document on one line (JSON lines) to standard output.
///
/// # Errors
/// [`CliError::Io`].
pub fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    line(json_text(value)?)
}

/// One JSON document on one line.
///
/// # Errors
/// [`CliError::Io`].
pub fn json_text(value: &impl Serialize) -> Result<Safe, CliError> {
    let text = serde_json::to_string(value).map_err(|e| stdout_failed(e.into()))?;
    Ok(Safe::json(&text))
}

/// Shows what a question that follows is about: on standard output, or on standard error where that is for JSON.
///
/// # Errors
/// [`CliError::Io`].
pub fn show(
    lines: impl IntoIterator<Item = impl Into<Safe>>,
    for_json: bool,
) -> Result<(), CliError> {
    for text in lines {
        if for_json { note(text) } else { line(text)? }
    }
    Ok(())
}

/// Tells the person something on standard error. A standard error that cannot be written is ignored.
pub fn note(text: impl Into<Safe>) {
    let _ = writeln!(io::stderr(), "{}", text.into().as_str());
}

/// Warns on standard error.
pub fn warn(text: impl Into<Safe>) {
    let label = Paint::stderr().yellow("warning: ");
    note(Safe::concat([label, text.into()]));
}

/// Reports an error on standard error, with its details, each on a line of its own.
pub fn error(error: &CliError) {
    if error.is_broken_pipe() {
        return;
    }
    let paint = Paint::stderr();
    let text = error.to_string();
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    note(Safe::concat([paint.red("error: "), first.into()]));
    // Marked, so that no text of others in an error looks like a line of its own.
    lines.for_each(|more| note(format!("  | {more}")));
    for detail in error.details() {
        note(format!("  {detail}"));
    }
    let CliError::Client(client) = error else {
        return;
    };
    for violation in client
        .refusal()
        .iter()
        .flat_map(|refusal| &refusal.violations)
    {
        note(Safe::concat([
            "  ".into(),
            paint.bold(&violation.field),
            format!(": {}", violation.description).into(),
        ]));
    }
    if let Some(hint) = client.reason().and_then(hint) {
        note(format!("  {hint}"));
    }
    if let Some(id) = client.request_id() {
        note(format!("  (request {id} in the custodian's log)"));
    }
}

/// The command that helps after a refusal with this reason code.
fn hint(reason: &str) -> Option<&'static str> {
    Some(match Reason::from_code(reason)? {
        Reason::UnknownChain => "`sluis chain list` shows the chains you have a part in",
        Reason::UnknownElement | Reason::ClientOnlyElement => {
            "`sluis chain list CHAIN` shows the chain's elements"
        }
        Reason::UnknownGrant => {
            "`sluis grant list` shows the grants that concern your organisation"
        }
        Reason::WrongElement => "`sluis grant show GRANT` says what it permits",
        Reason::GrantNotApproved => "`sluis grant show GRANT` says who still has to approve it",
        Reason::UnknownProposal => {
            "`sluis proposal list --all` shows the proposals that concern you"
        }
        Reason::NotASigner => "`sluis proposal show PROPOSAL` says whose signature is missing",
        Reason::UnknownVersion => "`sluis status` lists the key versions",
        Reason::VersionState => {
            "a version goes from active to convert-only (`sluis chain rotate`), disabled (`sluis chain disable`) and \
             destroyed (`sluis chain destroy`); `sluis status` says where it is"
        }
        Reason::Sealed => "custodians: `sluis seal-status` says what is missing",
        Reason::NoShares => "`sluis unseal --fetch` has the key fetched from where it is",
        _ => return None,
    })
}

/// Asks a yes-or-no question on the terminal; anything but `y` or `yes` is no.
///
/// # Errors
/// [`CliError::NotConfirmed`] for no; [`CliError::Usage`] with `otherwise` when there is nobody to ask.
pub fn confirm(question: impl Into<Safe>, otherwise: &str) -> Result<(), CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::usage(otherwise));
    }
    let _ = write!(io::stderr(), "{} [y/N] ", question.into().as_str());
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|source| CliError::Io {
            what: "cannot read the answer".into(),
            source,
        })?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::NotConfirmed(
            "not confirmed; nothing was changed".into(),
        )),
    }
}

/// [`Safe`] text of one line.
pub fn safe(text: &str) -> Safe {
    text.into()
}

/// Colours, where the stream is a terminal and `NO_COLOR` is not set (<https://no-color.org>).
#[derive(Clone, Copy, Debug)]
pub struct Paint(bool);

impl Paint {
    /// No colours.
    pub fn plain() -> Self {
        Self(false)
    }
    /// For standard output.
    pub fn stdout() -> Self {
        Self(io::stdout().is_terminal() && colours_wanted())
    }
    /// For standard error.
    pub fn stderr() -> Self {
        Self(io::stderr().is_terminal() && colours_wanted())
    }
    /// Red: removed, refused.
    pub fn red(self, text: &str) -> Safe {
        self.wrap("31", text)
    }
    /// Green: added.
    pub fn green(self, text: &str) -> Safe {
        self.wrap("32", text)
    }
    /// Yellow: changed, careful.
    pub fn yellow(self, text: &str) -> Safe {
        self.wrap("33", text)
    }
    /// Bold: headings.
    pub fn bold(self, text: &str) -> Safe {
        self.wrap("1", text)
    }
    /// A line of a proposal or of a difference between registries.
    pub fn line(self, line: Line) -> Safe {
        let code = match line.tone {
            Tone::Plain => return line.text,
            Tone::Added => "32",
            Tone::Removed => "31",
            Tone::Changed => "33",
        };
        line.text.painted(code, self.0)
    }
    fn wrap(self, code: &str, text: &str) -> Safe {
        safe(text).painted(code, self.0)
    }
}

fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A table with left-aligned columns as wide as their widest cell.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<Safe>>,
    continued: bool,
}

impl Table {
    /// A table with these headings.
    pub fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            rows: vec![headings.into_iter().map(Safe::from).collect()],
            continued: false,
        }
    }

    /// The headings are not shown: they stand above an earlier table.
    pub fn continued(self) -> Self {
        Self {
            continued: true,
            ..self
        }
    }

    /// Adds a row; cells are made [`safe`].
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(Safe::from).collect());
    }

    /// The table as lines.
    pub fn lines(&self) -> Vec<Safe> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.as_str().chars().count().max(*width);
            }
        }
        let shown = self.rows.iter().skip(usize::from(self.continued));
        shown.map(|row| aligned(row, &widths)).collect()
    }

    /// Prints it, headings bold.
    ///
    /// # Errors
    /// [`CliError::Io`].
    pub fn print(&self) -> Result<(), CliError> {
        let paint = Paint::stdout();
        for (i, text) in self.lines().into_iter().enumerate() {
            line(if i == 0 && !self.continued {
                paint.bold(text.as_str())
            } else {
                text
            })?;
        }
        Ok(())
    }
}

/// A row, each cell as wide as its column.
fn aligned(row: &[Safe], widths: &[usize]) -> Safe {
    let cells = row.iter().zip(widths);
    let padded = cells.map(|(cell, width)| format!("{:<width$}", cell.as_str()));
    let text = padded.collect::<Vec<_>>().join("  ");
    text.trim_end().into()
}

fn stdout_failed(source: io::Error) -> CliError {
    CliError::Io {
        what: "cannot write to standard output".into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_blanks() {
        let mut table = Table::new(["chain", "owner"]);
        table.row(["a".into(), "uni-research".into()]);
        table.row(["longer-name".into(), String::new()]);
        let lines = table.lines();
        assert_eq!(
            lines.iter().map(Safe::as_str).collect::<Vec<_>>(),
            [
                "chain        owner",
                "a            uni-research",
                "longer-name"
            ]
        );
    }

    #[test]
    fn a_refusal_that_a_command_explains_names_it() {
        for reason in [
            Reason::UnknownChain,
            Reason::UnknownVersion,
            Reason::VersionState,
            Reason::GrantNotApproved,
        ] {
            let hint = hint(reason.code()).expect("there is one");
            assert!(hint.contains("`sluis "), "{hint}");
        }
        assert_eq!(hint(Reason::Internal.code()), None);
        assert_eq!(hint("OF_A_LATER_VERSION"), None);
    }
}
