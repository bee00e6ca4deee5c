//! `sluis restore sign`: a custodian's yes to a restored store.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;
use serde_json::json;
use sluis_client::{Holder, TlsKey};
use sluis_ledger::Signed;
use sluis_ledger::restore::{Request, Restore, Signature};
use sluis_ledger::statement::Deed;

use crate::change::ChangeArgs;
use crate::clock;
use crate::data::Target;
use crate::error::{CliError, Exit};
use crate::output;

/// Agree to go on from a restored store, without the custodian's daemon
#[derive(Subcommand, Debug)]
pub(crate) enum RestoreCommand {
    Sign(SignArgs),
}

/// Sign what `sluisd restore` asks for, on your own machine (custodians)
///
/// Shows what is given up, asks, and writes a file with your signature and certificate. `sluisd accept-restore` takes two of
/// them, from two custodians. No connection is made.
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis restore sign restore-request --out anna.signature\n  \
                        sluis restore sign restore-request --out anna.signature --yes --json"
)]
pub(crate) struct SignArgs {
    /// The request, as `sluisd restore` wrote it
    #[arg(value_name = "FILE")]
    request: PathBuf,
    /// Where the signature goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

impl RestoreCommand {
    pub(crate) fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Sign(args) => args.run(),
        }
    }
}

impl SignArgs {
    fn run(self) -> Result<Exit, CliError> {
        Target::check(&self.out, self.force)?;
        let request = read(&self.request)?;
        let (certificate, key) = self.change.connect.credentials()?;
        let holder = Holder::from_pem(&certificate)?;
        let signer = TlsKey::from_pem(&key).map_err(sluis_client::ClientError::from)?;
        if *signer.public() != holder.key {
            return Err(CliError::usage(
                "the private key is not the one of the certificate",
            ));
        }
        let now = clock::now();
        if !request.restore.is_timely(now) {
            let text = format!(
                "the request was made at {}, and it is {now}: it serves for seven days; ask for a new one",
                request.restore.at
            );
            return Err(CliError::NotConfirmed(text));
        }
        output::show(lines(&request), self.change.json)?;
        self.change
            .confirm(&format!("Sign as {}?", holder.identity))?;
        let object = request.restore.encode();
        let signature = signer.sign(Deed::AcceptRestore, &request.origin, &object);
        let signature = signature.map_err(sluis_client::ClientError::from)?;
        let signed = Signed {
            signature,
            certificate: holder.certificate,
        };
        let text = Signature {
            signed,
            issuers: holder.issuers,
        }
        .to_string();
        Target::write_whole(&self.out, text.as_bytes(), self.force, false)?;
        let identity = holder.identity.to_string();
        if self.change.json {
            let restore = &request.restore;
            output::json(&json!({
                "origin": request.origin, "at": restore.at.to_string(), "signer": identity,
                "restored_size": restore.restored_size, "lost_size": restore.lost_size,
                "rows_given_up": restore.lost_rows.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "signature_file": self.out.display().to_string(),
            }))?;
        } else {
            output::line(format!("signed as {identity}: {}", self.out.display()))?;
        }
        Ok(Exit::Done)
    }
}

fn read(path: &Path) -> Result<Request, CliError> {
    let text = fs::read_to_string(path).map_err(CliError::reading(path))?;
    text.parse().map_err(|_| {
        CliError::input(format!(
            "{} is not a request that sluisd restore wrote",
            path.display()
        ))
    })
}

/// What is given up, and what follows.
fn lines(request: &Request) -> Vec<String> {
    let Restore {
        at,
        restored_size,
        restored_root,
        lost_size,
        lost_root,
        nonce: _,
        lost_rows,
    } = &request.restore;
    let given_up = if request.restore.head_is_lost() {
        "No signed head was left: nobody knows what was done after the restored log ended."
            .to_owned()
    } else {
        format!(
            "They agree on {} entries at most. What the lost log says after those is given up.",
            restored_size.min(lost_size)
        )
    };
    let mut lines = vec![
        format!("custodian      {}", request.origin),
        format!("requested      {at}"),
        format!("restored log   {restored_size} entries, root {}", HEXLOWER.encode(restored_root)),
        format!("lost log       {lost_size} entries, root {}", HEXLOWER.encode(lost_root)),
        given_up,
        "Every live grant ends and every open proposal becomes stale when two custodians have signed.".to_owned(),
    ];
    if !lost_rows.is_empty() {
        lines.push(format!(
            "{} rows cannot be read and are given up for ever. A subject behind one who opted out since the backup cannot be found by it:",
            lost_rows.len()
        ));
        lines.extend(lost_rows.iter().map(|row| format!("  {row}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use sluis_domain::Timestamp;
    use sluis_ledger::restore::{LostKind, LostRow};

    use super::*;

    fn shown(lost_size: u64, lost_root: [u8; 32]) -> String {
        let at = Timestamp::from_millis(0).expect("small");
        let restore = Restore {
            at,
            restored_size: 7,
            restored_root: [1; 32],
            lost_size,
            lost_root,
            nonce: [3; 16],
            lost_rows: Default::default(),
        };
        lines(&Request {
            origin: "sluis.test/1".to_owned(),
            restore,
        })
        .join("\n")
    }

    #[test]
    fn both_logs_are_named_and_what_becomes_of_them() {
        let text = shown(9, [2; 32]);
        for part in [
            "sluis.test/1",
            "7 entries, root 0101",
            "9 entries, root 0202",
            "agree on 7 entries at most",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(
            shown(5, [2; 32]).contains("agree on 5 entries at most"),
            "of a log that was shorter"
        );
    }

    #[test]
    fn rows_that_are_given_up_are_named() {
        let restore = Restore {
            at: Timestamp::from_millis(0).expect("small"),
            restored_size: 7,
            restored_root: [1; 32],
            lost_size: 9,
            lost_root: [2; 32],
            nonce: [3; 16],
            lost_rows: [LostRow {
                kind: LostKind::Link,
                name: vec![0xab; 20],
            }]
            .into(),
        };
        let origin = "sluis.test/1".to_owned();
        let text = lines(&Request { origin, restore }).join("\n");
        assert!(text.contains("1 rows cannot be read"), "{text}");
        assert!(
            text.contains(&format!("link {}", "ab".repeat(20))),
            "{text}"
        );
    }

    #[test]
    fn where_no_head_was_left_nobody_knows_what_is_given_up() {
        assert!(shown(7, [1; 32]).contains("No signed head was left"));
    }
}
