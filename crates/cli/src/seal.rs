//! `sluis unseal`, `sluis seal` and `sluis seal-status`.

use clap::Args;
use serde_json::{Value, json};
use sluis_client::{SealStatus, Zeroizing};
use sluis_domain::Reason;

use crate::change::ChangeArgs;
use crate::connect::ConnectArgs;
use crate::error::{CliError, Exit};
use crate::unsure::unless_answered;
use crate::{output, secret};
use sluis_views::words::text;

/// Present your share of the custodian's key, so that it can open its keyring (custodians)
///
/// The share is one line of standard input; at a terminal it is asked for and not shown. It is never an argument, because
/// others on this machine can see those. A custodian whose key is not in shares is opened again with --fetch.
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis unseal\n  sluis unseal < share.txt\n  sluis unseal --fetch --json"
)]
pub(crate) struct UnsealArgs {
    /// Have the key fetched again from its file, credential or hardware security module
    #[arg(long)]
    fetch: bool,
    /// Print the state as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Close the keyring: keys leave the custodian's memory and every call is refused until it is unsealed (custodians)
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis seal\n  sluis seal --yes --json")]
pub(crate) struct SealArgs {
    #[command(flatten)]
    change: ChangeArgs,
}

/// Show whether the keyring is sealed, and how many shares are missing (custodians)
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis seal-status\n  sluis seal-status --json | jq .sealed")]
pub(crate) struct SealStatusArgs {
    /// Print the state as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl UnsealArgs {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        let line = if self.fetch {
            Zeroizing::default()
        } else {
            secret::read_line("share")?
        };
        let share = line.trim();
        if share.is_empty() && !self.fetch {
            return Err(CliError::input(
                "no share was given; for a key that is not in shares use --fetch",
            ));
        }
        let unsealed = client.unseal(share).await;
        let status = unsealed.map_err(unless_answered(seal_status))?;
        show(&status, self.json)
    }
}

impl SealArgs {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        let client = self.change.connect.connect().await?;
        if !self.change.yes {
            let status = client.seal_status().await?;
            self.change.confirm(&question(&status))?;
        }
        let sealed = client.seal().await;
        let status = sealed.map_err(unless_answered(seal_status))?;
        show(&status, self.change.json)
    }
}

impl SealStatusArgs {
    pub(crate) async fn run(self) -> Result<Exit, CliError> {
        let client = self.connect.connect().await?;
        show(&client.seal_status().await?, self.json)
    }
}

/// The command that tells whether it was done.
fn seal_status() -> String {
    "sluis seal-status".to_owned()
}

fn show(status: &SealStatus, json: bool) -> Result<Exit, CliError> {
    if json {
        output::json(&view(status))?
    } else {
        output::line(sentence(status))?
    }
    Ok(Exit::Done)
}

/// What sealing means, and what it takes to undo it.
fn question(status: &SealStatus) -> String {
    let until = match status.threshold {
        0 => "a custodian runs `sluis unseal --fetch`".to_owned(),
        threshold => format!("{threshold} people have presented their shares"),
    };
    format!("Seal the custodian? What is running ends, and nobody can work until {until}.")
}

fn sentence(status: &SealStatus) -> String {
    let provider = &status.provider;
    match status {
        SealStatus { sealed: false, .. } => format!("open (key: {provider})"),
        SealStatus {
            threshold: threshold @ 1..,
            presented,
            shares,
            ..
        } => {
            let missing = threshold.saturating_sub(*presented);
            format!(
                "sealed: {presented} of {threshold} shares presented, {missing} more needed ({shares} shares exist)"
            )
        }
        SealStatus {
            reason: Some(reason),
            ..
        } => {
            format!("sealed: {} (key: {provider})", why(reason))
        }
        _ => format!("sealed (key: {provider}); `sluis unseal --fetch` opens it"),
    }
}

/// A reason code and what it means, for all that this version knows.
fn why(code: &str) -> String {
    match Reason::from_code(code) {
        Some(reason) => format!("{}: {}", reason.code(), reason.message()),
        None => code.to_owned(),
    }
}

fn view(status: &SealStatus) -> Value {
    json!({
        "sealed": status.sealed,
        "provider": status.provider,
        "threshold": status.threshold,
        "shares": status.shares,
        "presented": status.presented,
        "reason": text(status.reason.as_ref()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> SealStatus {
        SealStatus {
            sealed: true,
            provider: "file".to_owned(),
            threshold: 0,
            shares: 0,
            presented: 0,
            reason: None,
        }
    }

    #[test]
    fn the_sentence_says_what_is_missing() {
        let sealed = |provider: &str| SealStatus {
            provider: provider.to_owned(),
            ..away()
        };
        let shares = SealStatus {
            threshold: 3,
            shares: 5,
            presented: 1,
            ..sealed("shares")
        };
        assert_eq!(
            sentence(&shares),
            "sealed: 1 of 3 shares presented, 2 more needed (5 shares exist)"
        );
        assert_eq!(
            sentence(&sealed("file")),
            "sealed (key: file); `sluis unseal --fetch` opens it"
        );
        let away = SealStatus {
            reason: Some("HSM_UNAVAILABLE".to_owned()),
            ..sealed("pkcs11")
        };
        let said = sentence(&away);
        assert!(
            said.starts_with("sealed: HSM_UNAVAILABLE: ") && said.ends_with(" (key: pkcs11)"),
            "{said}"
        );
        assert!(said.contains(Reason::HsmUnavailable.message()), "{said}");
        let newer = SealStatus {
            reason: Some("OF_A_LATER_VERSION".to_owned()),
            ..sealed("pkcs11")
        };
        assert_eq!(sentence(&newer), "sealed: OF_A_LATER_VERSION (key: pkcs11)");
        let open = SealStatus {
            sealed: false,
            ..shares
        };
        assert_eq!(sentence(&open), "open (key: shares)");
    }
    #[test]
    fn the_question_says_what_it_takes_to_open_it_again() {
        let in_shares = SealStatus {
            threshold: 3,
            shares: 5,
            ..away()
        };
        assert!(question(&in_shares).contains("until 3 people have presented"));
        assert!(question(&away()).contains("`sluis unseal --fetch`"));
    }
}
