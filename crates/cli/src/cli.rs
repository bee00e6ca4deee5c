//! The command line as a whole.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::data::{ConvertArgs, ImportArgs, PseudonymiseArgs, ReidentifyArgs};
use crate::error::{CliError, Exit};
use crate::{
    audit, chain, custody, dev, grant, key, output, proposal, registry, report, restore, seal,
    subject, whoami,
};

/// Talk to a Sluis custodian: pseudonymise, convert and re-identify records, and govern who may
#[derive(Parser, Debug)]
#[command(name = "sluis", version, after_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
EXIT CODES
  0  everything was done
  1  the custodian refused or failed, you did not confirm, or what was verified is wrong
  2  wrong flags, environment or configuration file
  3  done, but some rows were rejected
  4  an input file is not what it should be
  5  the custodian cannot be reached, or the TLS handshake failed
  6  a local file could not be read or written
  7  the audit log is not what the witness saw before
  8  the connection broke before the answer came: what was asked for may be done or not
  9  the custodian describes a chain otherwise than you agreed to; nothing was sent
  130  interrupted by Ctrl-C, SIGTERM, SIGHUP or SIGQUIT

EXAMPLES
  sluis dev pki pki --member uni-research/etl --server https://localhost:7443
  sluis whoami --config pki/config.toml --profile uni-research-etl
  sluis pseudonymise --help";

#[derive(Subcommand, Debug)]
enum Command {
    #[command(visible_alias = "pseudonymize")]
    Pseudonymise(PseudonymiseArgs),
    Import(ImportArgs),
    Convert(ConvertArgs),
    Reidentify(ReidentifyArgs),
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    #[command(subcommand)]
    Proposal(proposal::ProposalCommand),
    #[command(subcommand)]
    Key(key::KeyCommand),
    #[command(subcommand)]
    Chain(chain::ChainCommand),
    #[command(subcommand)]
    Subject(subject::SubjectCommand),
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    Report(report::ReportArgs),
    #[command(subcommand)]
    Custody(custody::CustodyCommand),
    Backup(custody::BackupArgs),
    Status(custody::StatusArgs),
    #[command(subcommand)]
    Restore(restore::RestoreCommand),
    Unseal(seal::UnsealArgs),
    Seal(seal::SealArgs),
    SealStatus(seal::SealStatusArgs),
    Whoami(whoami::WhoamiArgs),
    #[command(subcommand)]
    Dev(dev::DevCommand),
}

impl Cli {
    /// Runs the command, reports an error on standard error, and gives the exit code.
    pub async fn run(self) -> ExitCode {
        let exit = self.command.run().await.unwrap_or_else(|error| {
            output::error(&error);
            error.exit()
        });
        exit.into()
    }
}

impl Command {
    async fn run(self) -> Result<Exit, CliError> {
        match self {
            Self::Pseudonymise(args) => args.run().await,
            Self::Import(args) => args.run().await,
            Self::Convert(args) => args.run().await,
            Self::Reidentify(args) => args.run().await,
            Self::Grant(command) => command.run().await,
            Self::Registry(command) => command.run().await,
            Self::Proposal(command) => command.run().await,
            Self::Key(command) => command.run(),
            Self::Chain(command) => command.run().await,
            Self::Subject(command) => command.run().await,
            Self::Audit(command) => command.run().await,
            Self::Report(args) => args.run().await,
            Self::Custody(command) => command.run().await,
            Self::Backup(args) => args.run().await,
            Self::Status(args) => args.run().await,
            Self::Restore(command) => command.run(),
            Self::Unseal(args) => args.run().await,
            Self::Seal(args) => args.run().await,
            Self::SealStatus(args) => args.run().await,
            Self::Whoami(args) => args.run().await,
            Self::Dev(command) => command.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// All commands that do something, with the words that lead to them.
    fn leaves(words: &str, command: &mut clap::Command, found: &mut Vec<(String, String)>) {
        if !command.has_subcommands() {
            found.push((words.to_owned(), command.render_long_help().to_string()));
        }
        for sub in command.get_subcommands_mut() {
            let words = format!("{words} {}", sub.get_name());
            leaves(&words, sub, found);
        }
    }

    fn all() -> Vec<(String, String)> {
        let mut found = Vec::new();
        leaves("sluis", &mut Cli::command(), &mut found);
        found
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples_that_name_it() {
        let commands = all();
        assert!(commands.len() >= 19, "{commands:?}");
        for (words, help) in commands {
            let examples = help
                .split_once("\nEXAMPLE")
                .unwrap_or_else(|| panic!("{words} shows no examples"))
                .1;
            assert!(examples.contains(&words), "{words}");
        }
    }

    #[test]
    fn every_command_says_what_it_does_and_prints_json() {
        for (words, help) in all() {
            let about = help.lines().next().unwrap_or_default();
            assert!(
                !about.is_empty() && !about.starts_with("The connection flags"),
                "{words}: {about}"
            );
            assert!(help.contains("--json"), "{words}");
        }
    }

    #[test]
    fn the_examples_parse() {
        for (words, help) in all() {
            let examples = help
                .split_once("\nEXAMPLE")
                .expect("checked above")
                .1
                .replace("\\\n", " ");
            for line in examples
                .lines()
                .map(str::trim)
                .filter(|line| line.starts_with("sluis"))
            {
                if let Some(words) = plain_words(line) {
                    let parsed = Cli::try_parse_from(&words);
                    let hint = "an example over 98 columns is wrapped, and then cannot be copied; break it with a backslash";
                    assert!(
                        parsed.is_ok(),
                        "{words:?}: {:?} ({hint})",
                        parsed.err().map(|e| e.to_string())
                    );
                }
            }
            assert!(!words.is_empty());
        }
    }

    /// The words of a simple command up to a pipe, redirection or comment; `None` with shell features beyond quotes.
    fn plain_words(line: &str) -> Option<Vec<String>> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                '$' | '"' | '`' if !quoted => return None,
                '|' | '>' | '<' | '#' if !quoted => break,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut()?.push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        (!words.iter().any(|word| word == "...")).then_some(words)
    }

    #[test]
    fn the_exit_codes_in_the_help_are_those_of_the_code() {
        let listed: Vec<&str> = AFTER_HELP
            .lines()
            .filter_map(|line| line.trim().split_once("  "))
            .map(|l| l.0)
            .collect();
        let codes = [
            Exit::Done,
            Exit::Refused,
            Exit::Usage,
            Exit::SomeRejected,
            Exit::BadInput,
            Exit::CannotConnect,
            Exit::LocalIo,
            Exit::Alarm,
            Exit::Unsure,
            Exit::Differs,
            Exit::Interrupted,
        ];
        assert_eq!(listed, codes.map(|exit| (exit as u8).to_string()));
    }
}
