//! The only module that prints: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use sluis_domain::Reason;

use crate::error::CliError;

/// Prints a line of result to standard output.
///
/// # Errors
/// [`CliError::Io`], also when the reader has gone.
pub fn line(text: impl AsRef<str>) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.as_ref())
        .and_then(|()| out.flush())
        .map_err(stdout_failed)
}

/// Prints one JSON document, indented, to standard output.
///
/// # Errors
/// [`CliError::Io`].
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(serde_json::to_string_pretty(value).map_err(|e| stdout_failed(e.into()))?)
}

/// Prints one JSON document on one line (JSON lines) to standard output.
///
/// # Errors
/// [`CliError::Io`].
pub fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    line(serde_json::to_string(value).map_err(|e| stdout_failed(e.into()))?)
}

/// Shows what a question that follows is about: on standard output, or on standard error where that is for JSON.
///
/// # Errors
/// [`CliError::Io`].
pub fn show(lines: impl IntoIterator<Item = String>, for_json: bool) -> Result<(), CliError> {
    for text in lines {
        if for_json { note(text) } else { line(text)? }
    }
    Ok(())
}

/// Tells the person something on standard error. A standard error that cannot be written is ignored.
pub fn note(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr(), "{}", text.as_ref());
}

/// Warns on standard error.
pub fn warn(text: impl AsRef<str>) {
    let paint = Paint::stderr();
    note(format!("{} {}", paint.yellow("warning:"), text.as_ref()));
}

/// Reports an error on standard error, and where refusals name violations, each with its place.
pub fn error(error: &CliError) {
    if error.is_broken_pipe() {
        return;
    }
    let paint = Paint::stderr();
    note(format!(
        "{} {}",
        paint.red("error:"),
        safe(&error.to_string())
    ));
    let CliError::Client(client) = error else {
        return;
    };
    for violation in client
        .refusal()
        .iter()
        .flat_map(|refusal| &refusal.violations)
    {
        note(format!(
            "  {}: {}",
            paint.bold(&safe(&violation.field)),
            safe(&violation.description)
        ));
    }
    if let Some(hint) = client.reason().and_then(hint) {
        note(format!("  {hint}"));
    }
    if let Some(id) = client.request_id() {
        note(format!("  (request {} in the custodian's log)", safe(id)));
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
pub fn confirm(question: &str, otherwise: &str) -> Result<(), CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::usage(otherwise));
    }
    let _ = write!(io::stderr(), "{question} [y/N] ");
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

/// Text of another party made safe for a terminal: control characters, and those that reorder text, are written out as
/// `\u{..}`, so that nobody can make a grant look like another one.
pub fn safe(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
    }
    out
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
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }
    /// Green: added.
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }
    /// Yellow: changed, careful.
    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }
    /// Bold: headings.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }
    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A table with left-aligned columns as wide as their widest cell.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    continued: bool,
}

impl Table {
    /// A table with these headings.
    pub fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            rows: vec![headings.into_iter().map(str::to_owned).collect()],
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
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| safe(&cell).replace('\n', " "))
                .collect(),
        );
    }

    /// The table as lines.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |i: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(i))
                .map(|c| c.chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..columns).map(|i| width(i).unwrap_or(0)).collect();
        let pad = |(cell, width): (&String, &usize)| format!("{cell:<width$}");
        let join = |row: &Vec<String>| {
            row.iter()
                .zip(&widths)
                .map(pad)
                .collect::<Vec<_>>()
                .join("  ")
        };
        let shown = self.rows.iter().skip(usize::from(self.continued));
        shown.map(|row| join(row).trim_end().to_owned()).collect()
    }

    /// Prints it, headings bold.
    ///
    /// # Errors
    /// [`CliError::Io`].
    pub fn print(&self) -> Result<(), CliError> {
        let paint = Paint::stdout();
        for (i, text) in self.lines().iter().enumerate() {
            line(if i == 0 && !self.continued {
                paint.bold(text)
            } else {
                text.clone()
            })?;
        }
        Ok(())
    }
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
        assert_eq!(
            table.lines(),
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

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        assert_eq!(safe("a\u{1b}[2Kb"), "a\\u{1b}[2Kb");
        assert_eq!(safe("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(
            safe("Onderzoek naar diabetes – München"),
            "Onderzoek naar diabetes – München"
        );
    }
}
