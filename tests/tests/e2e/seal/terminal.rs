//! A share that is typed at a terminal: nobody can read it over a shoulder or in a recording of the session.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use sluis_daemon::commands::Split;
use sluis_testkit::process::{Sluis, binary};

use super::{HOLDERS, House};

/// What is typed after the share, to see that the terminal shows it.
const SHOWN: &str = "typed for everybody to see";

/// Reads on until this text has been seen.
fn until(screen: &mut impl Read, seen: &mut Vec<u8>, text: &str) {
    let mut some = [0; 256];
    while !seen.windows(text.len()).any(|window| window == text.as_bytes()) {
        let length = screen.read(&mut some).expect("readable");
        assert!(length > 0, "no {text:?} in {}", String::from_utf8_lossy(seen));
        seen.extend_from_slice(&some[..length]);
    }
}

/// A shell line at a terminal of its own, which shows what is typed unless it is told not to.
fn at_a_terminal(sluis: &Sluis, line: &str) -> Command {
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--echo", "always", "--command", line, "/dev/null"]);
    terminal.env("SHELL", "/bin/sh");
    for (name, value) in sluis.command(&[]).get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_that_is_typed_is_accepted_and_not_shown() {
    let house = House::new(Split { shares: 3, threshold: 2 });
    let open = house.start().await;
    assert_eq!(open.unseal(HOLDERS[0], &house.shares[0]).await, "1 of 2");
    let sluis = Sluis::of(&house.pki, &open.endpoint(), HOLDERS[1]);
    let nothing = sluis.run(&["unseal"]);
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("no share was given"), "{nothing:?}");
    let line = format!("{} unseal && read -r line && echo \"then: $line\"", binary("sluis").display());
    let mut terminal =
        at_a_terminal(&sluis, &line).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("util-linux is there");
    let mut keyboard = terminal.stdin.take().expect("piped");
    let mut screen = terminal.stdout.take().expect("piped");

    let share = &house.shares[1];
    let mut seen = Vec::new();
    until(&mut screen, &mut seen, "share (not shown): ");
    writeln!(keyboard, "{share}").expect("read");
    until(&mut screen, &mut seen, "open (key: shares)");
    writeln!(keyboard, "{SHOWN}").expect("read");
    until(&mut screen, &mut seen, &format!("then: {SHOWN}"));
    drop(keyboard);
    screen.read_to_end(&mut seen).expect("readable");
    assert!(terminal.wait().expect("waits").success());

    let seen = String::from_utf8(seen).expect("text");
    assert_eq!(seen.matches(SHOWN).count(), 2, "typed, and said by the shell: the terminal shows what is typed again");
    let (first, second) = share.split_at(share.len() / 2);
    assert!(!seen.contains(first) && !seen.contains(second), "the share is on the screen");
    assert!(!open.status().await.sealed);
    open.stop().await;
}
