//! A share that is typed at a terminal: no one can read it over a shoulder or in a recording of the session.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use sluis_daemon::commands::Split;
use sluis_testkit_daemon::process::{Sluis, binary};
use sluis_testkit_daemon::wait::DEADLINE;

use super::{HOLDERS, House};

/// What is typed after the share, to see that the terminal shows it.
const SHOWN: &str = "typed for everybody to see";

/// What the terminal shows, as it comes.
struct Screen {
    coming: mpsc::Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Screen {
    fn of(mut terminal: impl Read + Send + 'static) -> Self {
        let (shown, coming) = mpsc::channel();
        std::thread::spawn(move || {
            let mut some = [0; 256];
            while let Ok(length @ 1..) = terminal.read(&mut some) {
                drop(shown.send(some[..length].to_vec()));
            }
        });
        Self {
            coming,
            seen: Vec::new(),
        }
    }

    /// Waits until this text has been seen.
    fn until(&mut self, text: &str) {
        while !self
            .seen
            .windows(text.len())
            .any(|window| window == text.as_bytes())
        {
            let more = self.coming.recv_timeout(DEADLINE);
            let more = more.unwrap_or_else(|_| {
                panic!("no {text:?} in {}", String::from_utf8_lossy(&self.seen))
            });
            self.seen.extend(more);
        }
    }

    /// All of it, when the terminal has closed.
    fn whole(mut self) -> String {
        self.seen.extend(self.coming.iter().flatten());
        String::from_utf8(self.seen).expect("text")
    }
}

/// A shell line at a terminal of its own, which shows what is typed unless it is told not to.
fn at_a_terminal(sluis: &Sluis, line: &str) -> Command {
    let mut terminal = Command::new("script");
    terminal.args([
        "--quiet",
        "--return",
        "--echo",
        "always",
        "--command",
        line,
        "/dev/null",
    ]);
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
    let house = House::new(Split {
        shares: 3,
        threshold: 2,
    });
    let open = house.start().await;
    assert_eq!(open.unseal(HOLDERS[0], &house.shares[0]).await, "1 of 2");
    let sluis = Sluis::of(&house.pki, &open.endpoint(), HOLDERS[1]);
    let nothing = sluis.run(&["unseal"]);
    assert!(
        String::from_utf8_lossy(&nothing.stderr).contains("no share was given"),
        "{nothing:?}"
    );
    let line = format!(
        "{} unseal && read -r line && echo \"then: $line\"",
        binary("sluis").display()
    );
    let mut terminal = at_a_terminal(&sluis, &line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("util-linux is there");
    let mut keyboard = terminal.stdin.take().expect("piped");
    let mut screen = Screen::of(terminal.stdout.take().expect("piped"));

    let share = &house.shares[1];
    screen.until("share (not shown): ");
    writeln!(keyboard, "{share}").expect("read");
    screen.until("open (key: shares)");
    writeln!(keyboard, "{SHOWN}").expect("read");
    screen.until(&format!("then: {SHOWN}"));
    drop(keyboard);
    assert!(terminal.wait().expect("waits").success());

    let seen = screen.whole();
    assert_eq!(
        seen.matches(SHOWN).count(),
        2,
        "typed, and said by the shell: the terminal shows what is typed again"
    );
    let (first, second) = share.split_at(share.len() / 2);
    assert!(
        !seen.contains(first) && !seen.contains(second),
        "the share is on the screen"
    );
    assert!(!open.status().await.sealed);
    open.stop().await;
}
