//! Reading secrets from standard input.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Longest line that is read, in bytes.
const LONGEST: u64 = 1_024;

/// One line of standard input; at a terminal it is asked for and not shown.
///
/// # Errors
/// The errors of standard input; [`io::ErrorKind::UnexpectedEof`] at its end.
pub(crate) fn read_secret(prompt: &str) -> io::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return read_line();
    }
    let hidden = Hidden::new()?;
    // Asked for only now: a person who answers at once must not see it either.
    let mut screen = io::stderr();
    write!(screen, "{prompt}")?;
    screen.flush()?;
    let line = read_line();
    drop(hidden);
    writeln!(screen)?;
    line
}

fn read_line() -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(LONGEST as usize));
    if io::Read::take(&mut io::stdin().lock(), LONGEST).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line)
}

/// A terminal that does not show what is typed, until it is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> io::Result<Self> {
        let shown = tcgetattr(io::stdin())?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(shown))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // A terminal that has gone shows nothing either.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
