//! `sluis audit read`: entries as a table or JSON lines.

use std::time::Duration;

use clap::Args;
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sluis_client::{Client, ClientError, Entries, EntryView, KeyUseView};

use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::output::{self, Table};

/// Sequence numbers per request; the most the custodian takes is 10,000.
const PAGE: u32 = 2_000;
/// How often `--follow` asks for more.
const POLL: Duration = Duration::from_secs(2);

/// Read the log: who did what, when, under which grant, with what outcome
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis audit read
  sluis audit read --from 1200 --limit 50
  sluis audit read --json | jq 'select(.outcome == \"refused\")'
  sluis audit read --own
  sluis audit read --follow --json >> audit.jsonl")]
pub(crate) struct ReadArgs {
    /// Sequence number to start from
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// Stop after this many entries [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Only what concerns your organisation: acts of its members, and acts on chains it owns (stewards, too)
    #[arg(long)]
    own: bool,
    /// Wait for further entries; stop with Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Print JSON lines, one entry each, with its canonical bytes in hexadecimal
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl ReadArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let mut client = self.connect.connect().await?;
        let mut next = self.from;
        let mut left = self.limit.unwrap_or(usize::MAX);
        let mut headed = false;
        while left > 0 {
            let read = read_page(&client, next, self.own).await;
            let mut page = match read {
                Err(CliError::Client(lost)) if self.follow && lost.is_connection() => {
                    // A copy that is kept for months outlives a restart of the daemon. Reading again is harmless.
                    client = self.connect.connect().await?;
                    read_page(&client, next, self.own).await?
                }
                read => read?,
            };
            page.entries.truncate(left);
            left -= page.entries.len();
            self.print(&page.entries, &mut headed)?;
            if page.next_sequence < page.log_size {
                if page.next_sequence <= next {
                    return Err(ClientError::Protocol(
                        "an answer that does not lead on in the log",
                    )
                    .into());
                }
            } else if self.follow {
                tokio::time::sleep(POLL).await;
            } else {
                break;
            }
            next = page.next_sequence.max(next);
        }
        Ok(Exit::Done)
    }

    fn print(&self, entries: &[EntryView], headed: &mut bool) -> Result<(), CliError> {
        if self.json {
            return entries
                .iter()
                .try_for_each(|entry| output::json_line(&view(entry)));
        }
        page(entries, headed).print()
    }
}

/// A page of the log. Only the first that has entries has the headings.
fn page(entries: &[EntryView], headed: &mut bool) -> Table {
    let table = table(entries);
    if entries.is_empty() || std::mem::replace(headed, true) {
        table.continued()
    } else {
        table
    }
}

/// A page of the log, which may be shorter than asked for: the custodian bounds its answers in bytes too.
pub(crate) async fn read_page(
    client: &Client,
    from_sequence: u64,
    own: bool,
) -> Result<Entries, CliError> {
    Ok(client.read_entries(from_sequence, PAGE, own).await?)
}

fn table(entries: &[EntryView]) -> Table {
    let mut table = Table::new([
        "seq",
        "at",
        "act",
        "actor",
        "chain",
        "grant",
        "rows",
        "values",
        "used",
        "rejected",
        "signed by",
        "outcome",
    ]);
    for entry in entries {
        table.row([
            entry.sequence.to_string(),
            entry.at.clone(),
            entry.act.clone(),
            entry.actor.clone(),
            place(entry),
            dash(&entry.grant),
            count(entry.rows),
            count(entry.values),
            count(entry.counter),
            count(entry.rejected),
            dash(&entry.signers.join(", ")),
            outcome(entry),
        ]);
    }
    table
}

fn place(entry: &EntryView) -> String {
    match entry.to_chain.as_str() {
        "" => dash(&entry.chain),
        to => format!("{} -> {to}", entry.chain),
    }
}

fn outcome(entry: &EntryView) -> String {
    match entry.reason.as_str() {
        "" => entry.outcome.clone(),
        reason => format!("{}: {reason}", entry.outcome),
    }
}

fn count(number: u64) -> String {
    if number == 0 {
        "-".to_owned()
    } else {
        number.to_string()
    }
}

fn dash(text: &str) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text.to_owned()
    }
}

fn view(entry: &EntryView) -> Value {
    json!({
        "sequence": entry.sequence,
        "at": entry.at,
        "act": entry.act,
        "actor": entry.actor,
        "certificate_fingerprint": HEXLOWER.encode(&entry.certificate_fingerprint),
        "chain_id": entry.chain,
        "to_chain_id": entry.to_chain,
        "keys": entry.keys.iter().map(key_use).collect::<Vec<_>>(),
        "object_digest": HEXLOWER.encode(&entry.object_digest),
        "grant_id": entry.grant,
        "grant_digest": HEXLOWER.encode(&entry.grant_digest),
        "purpose": entry.purpose,
        "rows": entry.rows,
        "values": entry.values,
        "rejected": entry.rejected,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "registry_version": entry.registry_version,
        "counter": entry.counter,
        "signers": entry.signers,
        "canonical": HEXLOWER.encode(&entry.canonical),
    })
}

fn key_use(key: &KeyUseView) -> Value {
    json!({ "namespace_id": key.namespace, "kid": key.kid, "values": key.values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headings_are_shown_once() {
        let mut headed = false;
        let pages = [0, 2, 0, 1]
            .map(|entries| page(&vec![EntryView::default(); entries], &mut headed).lines());
        assert_eq!(pages.each_ref().map(Vec::len), [0, 3, 0, 1]);
        assert!(
            pages[1][0].as_str().starts_with("seq") && pages[3][0].as_str().starts_with('0'),
            "{pages:?}"
        );
    }

    #[test]
    fn a_refusal_and_a_conversion_read_well() {
        let entry = EntryView {
            sequence: 7,
            at: "2026-01-01T00:00:00Z".into(),
            act: "convert".into(),
            actor: "uni/etl".into(),
            chain: "a".into(),
            to_chain: "b".into(),
            outcome: "refused".into(),
            reason: "GRANT_EXPIRED".into(),
            ..Default::default()
        };
        let lines = table(&[entry]).lines();
        assert!(
            lines[1].as_str().ends_with(
                "a -> b  -      -     -       -     -         -          refused: GRANT_EXPIRED"
            ),
            "{:?}",
            lines[1]
        );
    }
}
