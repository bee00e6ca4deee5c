//! `sluis audit watch`: a witness, who notices when the log is forked, rolled back or signed with another key.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sluis_client::{Client, ClientError};
use sluis_tlog::{Checkpoint, Note, VerifierKey};
use sluis_verify::{Head, Seen};

use super::read_key;
use crate::clock;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output;

/// Be a witness: remember the log's last signed head and check that every later one continues it (any member)
///
/// The first head pins the signing key, unless --log-key gives it. On a fork, a roll-back or a strange key it ends with exit
/// code 7 and keeps the head it had. While the custodian cannot be reached it warns and tries again.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis audit watch --state witness.json --log-key custodian.vkey
  sluis audit watch --state witness.json --once --json
  sluis audit watch --state witness.json --every 10m")]
pub(crate) struct WatchArgs {
    /// File that keeps the last head; made at the first look
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// The log's verifier key, as text or a file that holds it [default: the one of the first look]
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
    /// How often to look: a number and s, m or h
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = every)]
    every: Duration,
    /// Look once and end
    #[arg(long)]
    once: bool,
    /// Take the present head as the new beginning, after you made sure that a restore was legitimate
    #[arg(long)]
    accept_restore: bool,
    /// Print a line of JSON for every look
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// What the witness keeps.
#[derive(Serialize, Deserialize, Clone)]
struct Memory {
    /// Verifier key as text.
    verifier_key: String,
    /// The last head as a signed note.
    checkpoint: String,
    /// When it was seen, RFC 3339.
    seen_at: String,
}

impl Memory {
    fn head(&self) -> Option<(VerifierKey, Checkpoint)> {
        let note = Note::from_bytes(self.checkpoint.as_bytes()).ok()?;
        Some((self.verifier_key.parse().ok()?, note.text().parse().ok()?))
    }
}

fn every(text: &str) -> Result<Duration, String> {
    let wrong = "write a number and s, m or h, at least 1s: 60s, 10m, 1h";
    let unit = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        _ => return Err(wrong.to_owned()),
    };
    let seconds = text[..text.len() - 1]
        .parse::<u32>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    seconds
        .filter(|seconds| *seconds > 0)
        .map(|seconds| Duration::from_secs(seconds.into()))
        .ok_or_else(|| wrong.to_owned())
}

impl WatchArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let mut accept_restore = self.accept_restore;
        loop {
            match self.look(accept_restore).await {
                Ok(()) => accept_restore = false,
                // A custodian that cannot be reached is not a false one.
                Err(error @ CliError::Client(_)) if !self.once => output::warn(error.to_string()),
                Err(error) => return Err(error),
            }
            if self.once {
                return Ok(Exit::Done);
            }
            tokio::time::sleep(self.every).await;
        }
    }

    async fn look(&self, accept_restore: bool) -> Result<(), CliError> {
        let memory = self.read()?;
        let known = memory
            .as_ref()
            .map(|memory| memory.head().ok_or_else(|| self.unreadable()))
            .transpose()?;
        let given = self.log_key.as_deref().map(read_key).transpose()?;
        let trusted = given.as_ref().or(known.as_ref().map(|(key, _)| key));
        let client = self.connect.connect().await?;
        let answer = client.checkpoint().await?;
        let head = Head::read(
            &answer.checkpoint,
            &answer.verifier_key,
            &answer.handovers,
            trusted,
        )
        .map_err(alarm)?;
        match &known {
            None if trusted.is_none() => {
                output::warn(format!(
                    "first look: trusting the key {} from now on",
                    head.key
                ));
            }
            None => {}
            Some((_, before)) if accept_restore => {
                let (old, new) = (before.size(), head.checkpoint.size());
                output::warn(format!(
                    "restore accepted: from a head of {old} entries to one of {new}"
                ));
            }
            Some((_, before)) => compare(&client, before, &head).await?,
        }
        self.keep(&head, &answer.checkpoint)?;
        self.say(&head, known.as_ref().map(|(_, before)| before.size()))
    }

    fn say(&self, head: &Head, before: Option<u64>) -> Result<(), CliError> {
        let (size, root) = (
            head.checkpoint.size(),
            HEXLOWER.encode(head.checkpoint.root()),
        );
        let at = clock::now().to_string();
        if self.json {
            let origin = head.checkpoint.origin();
            return output::json_line(&json!({
                "at": at, "origin": origin, "entries": size, "before": before, "root": root, "key_rotated": head.rotated,
            }));
        }
        if head.rotated {
            output::note(format!(
                "the signing key was rotated, signed by both keys: {}",
                head.key
            ));
        }
        output::line(format!(
            "{at}  {size} entries, root {root}, continues what was seen"
        ))
    }

    fn read(&self) -> Result<Option<Memory>, CliError> {
        let text = match fs::read_to_string(&self.state) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(CliError::reading(&self.state))?,
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|_| self.unreadable())
    }

    fn unreadable(&self) -> CliError {
        let path = self.state.display();
        CliError::input(format!(
            "{path} is not a witness's state; restore it from a copy, or name another file"
        ))
    }

    fn keep(&self, head: &Head, note: &str) -> Result<(), CliError> {
        let memory = Memory {
            verifier_key: head.key.to_string(),
            checkpoint: note.to_owned(),
            seen_at: clock::now().to_string(),
        };
        let directory = match self.state.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        write(&memory, directory, &self.state).map_err(CliError::writing(&self.state))
    }
}

fn write(memory: &Memory, directory: &Path, path: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".sluis-")
        .suffix(".part")
        .tempfile_in(directory)?;
    writeln!(file, "{}", serde_json::to_string_pretty(memory)?)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

async fn compare(client: &Client, before: &Checkpoint, head: &Head) -> Result<(), CliError> {
    if before.origin() != head.checkpoint.origin() {
        return Err(CliError::Alarm(
            "the custodian shows another log than the one that was seen".into(),
        ));
    }
    let Seen::Grown { old, new } = head.after(before).map_err(alarm)? else {
        return Ok(());
    };
    let hashes = client.prove_consistency(old, new).await.map_err(unproven)?;
    head.continues(before, &hashes).map_err(alarm)
}

/// Whoever signed a head knows the sizes before it: not to prove that it continues an earlier one is to show a fork. Anything
/// else may pass.
fn unproven(error: ClientError) -> CliError {
    let known = matches!(
        error.reason(),
        Some("UNKNOWN_LOG_SIZE" | "CORRUPT_STORE" | "INVALID_REQUEST")
    );
    if known || matches!(error, ClientError::Protocol(_) | ClientError::Invalid(_)) {
        let text = "the custodian signed a larger head and does not prove that it continues the one that was seen";
        return CliError::Alarm(format!("{text}: {error}"));
    }
    error.into()
}

fn alarm(alarm: sluis_verify::Alarm) -> CliError {
    CliError::Alarm(format!(
        "{alarm}. If the custodian says that an older store was restored, have its `restore` entry and the two signatures in \
         it verified, then look again with --accept-restore"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_that_is_not_given_is_an_alarm_and_a_custodian_away_is_none() {
        assert!(matches!(
            unproven(ClientError::Protocol("none")),
            CliError::Alarm(_)
        ));
        assert!(matches!(
            unproven(ClientError::Transport("away".into())),
            CliError::Client(_)
        ));
    }

    #[test]
    fn durations() {
        assert_eq!(every("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(every("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(every("1h"), Ok(Duration::from_secs(3600)));
        for bad in [
            "",
            "60",
            "0s",
            "-1s",
            "1d",
            "xm",
            "9999999999s",
            "4294967295h",
            "é",
        ] {
            assert!(every(bad).is_err(), "{bad}");
        }
    }
}
