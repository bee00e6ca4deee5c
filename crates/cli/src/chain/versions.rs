//! `sluis chain rotate | disable | destroy | cut-escrow`: from one key version to the next, and the end of one.

use clap::Args;
use serde_json::json;
use sluis_client::{Client, CustodyStatus, KeyState, KeyVersion};
use sluis_domain::{ChainId, Kid, NamespaceId, Reason};
use sluis_ledger::instruction::Task;

use crate::change::ChangeArgs;
use crate::custody::{key_table, key_version};
use crate::error::{CliError, Exit};
use crate::instructed::instruct;
use crate::unsure::unless_answered;
use crate::{output, proposed};

/// Give a chain's key lines a new version (custodians)
///
/// From then on the same identifier gets a different pseudonym; the version in use until then only leads out, by
/// conversion and re-identification. Shows the versions that are replaced and the instruction that you sign with the key of
/// your certificate, and asks.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis chain rotate diabetes-study --namespace nl.bsn
  sluis chain rotate diabetes-study --yes --json")]
pub(crate) struct RotateArgs {
    /// The chain
    chain: ChainId,
    /// Only the line of this namespace [default: all lines, also that of encrypted elements]
    #[arg(long)]
    namespace: Option<NamespaceId>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Disable a convert-only key version: its pseudonyms can no longer be converted or re-identified (custodians)
///
/// Shows the version and the instruction that you sign with the key of your certificate, and asks. It happens at once, and
/// there is no way back.
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis status        # lists key versions\n  sluis chain disable 0a1b2c3d"
)]
pub(crate) struct DisableArgs {
    #[command(flatten)]
    version: VersionArgs,
}

/// Propose to destroy a disabled key version, for ever (custodians)
///
/// Shows the version, and asks. When two stewards of the chain's owner have signed, its keys and all rows of it are gone: what
/// its pseudonyms or ciphertexts meant, nobody can find out any more. Backups made before hold both still.
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES\n  sluis chain disable 0a1b2c3d\n  sluis chain destroy 0a1b2c3d")]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    version: VersionArgs,
}

/// Propose to cut the escrow of a key version, for ever (custodians)
///
/// Shows the version, and asks. When two stewards of the chain's owner have signed, its pseudonyms go on being made as they
/// are, and nothing leads from them back or across any more: no conversion, no re-identification.
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES\n  sluis chain cut-escrow 0a1b2c3d\n  sluis chain cut-escrow 0a1b2c3d --yes --json"
)]
pub(crate) struct CutEscrowArgs {
    #[command(flatten)]
    version: VersionArgs,
}

#[derive(Args, Debug)]
struct VersionArgs {
    /// Key id, eight hexadecimal digits
    #[arg(value_parser = parse_kid)]
    kid: Kid,
    #[command(flatten)]
    change: ChangeArgs,
}

fn parse_kid(text: &str) -> Result<Kid, &'static str> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = digits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
    number
        .and_then(Kid::new)
        .ok_or("a key id is eight hexadecimal digits, not all zero")
}

impl RotateArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let client = self.change.connect.connect().await?;
        let status = client.custody_status().await?;
        let shown = show(&self.change, &status, |version| self.replaces(version))?;
        let task = Task::RotateChain {
            chain: self.chain.clone(),
            namespace: self.namespace.clone(),
        };
        let question = "Give these lines new keys? New pseudonyms will differ from those so far.";
        // Of a chain or namespace that is none, the custodian says so.
        let question = Some(question).filter(|_| shown);
        let instruction = instruct(&self.change, &client, &status, task, question).await?;
        let rotated = client.rotate_chain(instruction).await;
        let versions = rotated.map_err(unless_answered(|| "sluis status".to_owned()))?;
        print(&versions, self.change.json)
    }

    fn replaces(&self, version: &KeyVersion) -> bool {
        let named = self.namespace.is_none() || version.namespace == self.namespace;
        named && version.chain == self.chain && version.state == KeyState::Active
    }
}

impl DisableArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let change = &self.version.change;
        let client = change.connect.connect().await?;
        let status = client.custody_status().await?;
        let version = self.version.shown(&status)?;
        let question = disable_question(version);
        let task = Task::DisableVersion {
            kid: version.kid,
            chain: version.chain.clone(),
            namespace: version.namespace.clone(),
        };
        let instruction = instruct(change, &client, &status, task, Some(question)).await?;
        let disabled = client.disable_version(instruction).await;
        let version = disabled.map_err(unless_answered(|| "sluis status".to_owned()))?;
        print(&[version], change.json)
    }
}

impl DestroyArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let client = self.version.confirmed(destroy_question).await?;
        let proposal = client.propose_destruction(self.version.kid).await;
        let proposal = proposal.map_err(unless_answered(|| "sluis proposal list".to_owned()))?;
        proposed::print(proposal, self.version.change.json)
    }
}

impl CutEscrowArgs {
    pub(super) async fn run(self) -> Result<Exit, CliError> {
        let client = self.version.confirmed(cut_question).await?;
        let proposal = client.propose_cut(self.version.kid).await;
        let proposal = proposal.map_err(unless_answered(|| "sluis proposal list".to_owned()))?;
        proposed::print(proposal, self.version.change.json)
    }
}

impl VersionArgs {
    /// Connects, shows the version, and asks; a proposal is signed by others, later.
    async fn confirmed(
        &self,
        question: fn(&KeyVersion) -> &'static str,
    ) -> Result<Client, CliError> {
        let client = self.change.connect.connect().await?;
        if !self.change.yes {
            let status = client.custody_status().await?;
            let version = self.shown(&status)?;
            self.change.confirm(question(version))?;
        }
        Ok(client)
    }

    /// Shows the version.
    fn shown<'a>(&self, status: &'a CustodyStatus) -> Result<&'a KeyVersion, CliError> {
        let version = status
            .key_versions
            .iter()
            .find(|version| version.kid == self.kid);
        let Some(version) = version else {
            let unknown = Reason::UnknownVersion;
            let text = format!(
                "{}: {}; `sluis status` lists those there are",
                unknown.code(),
                unknown.message()
            );
            return Err(CliError::NotConfirmed(text));
        };
        show(&self.change, status, |version| version.kid == self.kid)?;
        Ok(version)
    }
}

fn disable_question(version: &KeyVersion) -> &'static str {
    if of_pseudonyms(version) {
        "Disable it, at once and with no way back? After that, its pseudonyms cannot be converted or re-identified."
    } else {
        "Disable it, at once and with no way back? After that, nobody can read what was encrypted with it."
    }
}

fn destroy_question(version: &KeyVersion) -> &'static str {
    if of_pseudonyms(version) {
        "Propose to destroy it, for ever? After that, nobody can find out what its pseudonyms stand for."
    } else {
        "Propose to destroy it, for ever? After that, nobody can read what was encrypted with it."
    }
}

fn cut_question(_: &KeyVersion) -> &'static str {
    "Propose to cut its escrow, for ever? After that, nothing leads from its pseudonyms back or across."
}

fn of_pseudonyms(version: &KeyVersion) -> bool {
    version.namespace.is_some()
}

/// Shows what the custodian says of the versions that a command is about. `false` if there are none.
fn show(
    change: &ChangeArgs,
    status: &CustodyStatus,
    about: impl Fn(&KeyVersion) -> bool,
) -> Result<bool, CliError> {
    let mut versions = status.key_versions.clone();
    versions.retain(about);
    if versions.is_empty() {
        return Ok(false);
    }
    output::show(key_table(&versions).lines(), change.json)?;
    Ok(true)
}

fn print(versions: &[KeyVersion], json: bool) -> Result<Exit, CliError> {
    if json {
        output::json(
            &json!({ "key_versions": versions.iter().map(key_version).collect::<Vec<_>>() }),
        )?;
    } else {
        key_table(versions).print()?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use sluis_domain::Timestamp;

    use super::*;

    #[test]
    fn a_kid_is_eight_hexadecimal_digits() {
        assert_eq!(parse_kid("0A1b2c3D").map(Kid::get), Ok(0x0a1b_2c3d));
        for bad in ["", "0a1b2c3", "0a1b2c3d4", "0a1b2c3g", "00000000"] {
            assert!(parse_kid(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn encrypted_elements_are_not_called_pseudonyms() {
        let elements = KeyVersion {
            kid: Kid::new(1).expect("not zero"),
            chain: "study".parse().expect("an id"),
            namespace: None,
            state: KeyState::Active,
            generation: 1,
            created_at: Timestamp::default(),
            escrow: false,
        };
        let pseudonyms = KeyVersion {
            namespace: Some("nl.bsn".parse().expect("an id")),
            ..elements.clone()
        };
        for question in [disable_question, destroy_question] {
            assert!(question(&pseudonyms).contains("pseudonyms"));
            assert!(!question(&elements).contains("pseudonyms"));
        }
    }
}
