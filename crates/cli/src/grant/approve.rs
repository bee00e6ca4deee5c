//! `sluis grant approve`: show the whole grant, ask, and sign exactly what was shown.

use clap::Args;
use data_encoding::HEXLOWER_PERMISSIVE;
use sluis_client::GrantView;
use sluis_views::grant as view;

use crate::error::{CliError, Exit};
use crate::output;
use crate::unsure::unless_answered;

/// Approve a requested grant (stewards of an owner of the grant's chains)
///
/// Shows the full terms, read from the bytes that are signed, then asks. The signature is made on this machine with the
/// key of your client certificate, which the registry must pin for you; it fits no other grant. Where there is no
/// terminal to ask on, give --digest with the digest you looked at (or --yes to approve whatever is stored).
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis grant approve g-7f3a --profile steward-1
  sluis grant approve g-7f3a --digest \"$(sluis grant show g-7f3a --json | jq -r .digest)\"")]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    named: super::Named,
    /// Approve only the grant with this digest, without asking (64 hexadecimal digits)
    #[arg(long, value_name = "HEX", value_parser = parse_digest)]
    digest: Option<Digest>,
    /// Approve without asking
    #[arg(long, conflicts_with = "digest")]
    yes: bool,
}

/// SHA-256 of a grant.
type Digest = [u8; 32];

fn parse_digest(text: &str) -> Result<Digest, String> {
    let bytes = HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| Digest::try_from(bytes).ok());
    bytes.ok_or_else(|| "a digest is 64 hexadecimal digits".to_owned())
}

impl ApproveArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let client = self.named.connect.connect().await?;
        let shown = client.grant(&self.named.grant).await?;
        output::show(view::lines(&shown), self.named.json)?;
        self.agree(&shown)?;
        let approved = client.approve_grant(&shown).await;
        let after = approved.map_err(unless_answered(|| self.named.look()))?;
        if self.named.json {
            return super::print(&after, true);
        }
        output::line("")?;
        output::line(format!("you approved it; it is {}", view::state(&after)))?;
        Ok(Exit::Done)
    }

    fn agree(&self, shown: &GrantView) -> Result<(), CliError> {
        match self.digest {
            Some(wanted) if *shown.grant.digest() == wanted => Ok(()),
            Some(_) => Err(CliError::NotConfirmed(
                "the grant's digest is not the one given; nothing was approved".into(),
            )),
            None if self.yes => Ok(()),
            None => output::confirm(
                "Approve this grant?",
                "there is no terminal to ask on: give --digest with the digest of the grant you looked at, or --yes",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        assert_eq!(parse_digest(&"0a".repeat(32)), Ok([10; 32]));
        assert_eq!(parse_digest(&"0A".repeat(32)), Ok([10; 32]));
        for bad in ["", "0a", &"0a".repeat(33), &"0g".repeat(32)] {
            assert!(parse_digest(bad).is_err(), "{bad}");
        }
    }
}
