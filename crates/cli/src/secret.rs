//! Reading a secret from standard input.

use std::io::{self, BufRead, IsTerminal, Read};

use sluis_client::Zeroizing;

use crate::error::CliError;

/// Longest line that is read, in bytes.
const LONGEST: u64 = 1_024;

/// One line of standard input, empty at its end; at a terminal it is asked for and not shown. `what` it is: `share`.
///
/// # Errors
/// [`CliError::Io`]; [`CliError::Input`] for a line that is too long.
pub(crate) fn read_line(what: &str) -> Result<Zeroizing<String>, CliError> {
    let _hidden = io::stdin()
        .is_terminal()
        .then(|| Hidden::new(what))
        .transpose()
        .map_err(failed)?;
    // One buffer that never grows, so that no copy of the secret stays behind.
    let mut line = Zeroizing::new(String::with_capacity(LONGEST as usize));
    io::stdin()
        .lock()
        .take(LONGEST)
        .read_line(&mut line)
        .map_err(failed)?;
    if line.len() as u64 == LONGEST && !line.ends_with('\n') {
        return Err(CliError::input(format!(
            "the {what} is longer than {LONGEST} bytes"
        )));
    }
    Ok(line)
}

fn failed(source: io::Error) -> CliError {
    CliError::Io {
        what: "cannot read standard input".to_owned(),
        source,
    }
}

/// A terminal that does not show what is typed, until it is dropped.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    fn new(what: &str) -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        use std::io::Write;
        let shown = tcgetattr(io::stdin())?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        let terminal = Self(shown);
        // Asked for only now: whoever answers at once must not see it either.
        let mut screen = io::stderr();
        write!(screen, "{what} (not shown): ")?;
        screen.flush()?;
        Ok(terminal)
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
