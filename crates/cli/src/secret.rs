//! Reading a secret from standard input.

use std::io::{self, BufRead, IsTerminal, Read};

use sluis_client::Zeroizing;

use crate::error::CliError;

/// Longest line that is read, in bytes.
const LONGEST: u64 = 1_024;

/// One line of standard input; at a terminal it is asked for and not shown.
///
/// # Errors
/// [`CliError::Io`]; [`CliError::Input`] at the end of the input.
pub(crate) fn read_line(prompt: &str) -> Result<Zeroizing<String>, CliError> {
    let failed = |source| CliError::Io { what: "cannot read standard input".to_owned(), source };
    let _hidden = io::stdin().is_terminal().then(|| Hidden::new(prompt)).transpose().map_err(failed)?;
    // One buffer that never grows, so that no copy of the secret stays behind.
    let mut line = Zeroizing::new(String::with_capacity(LONGEST as usize));
    match io::stdin().lock().take(LONGEST).read_line(&mut line).map_err(failed)? {
        0 => Err(CliError::input("standard input ended before the share")),
        _ => Ok(line),
    }
}

/// A terminal that does not show what is typed, until it is dropped.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    fn new(prompt: &str) -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        use std::io::Write;
        let mut screen = io::stderr();
        write!(screen, "{prompt}")?;
        screen.flush()?;
        let shown = tcgetattr(io::stdin())?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(shown))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        use std::io::Write;
        // A terminal that has gone shows nothing either.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
        drop(writeln!(io::stderr()));
    }
}
