//! `sluis audit verify`: checks an export offline.

use std::path::{Path, PathBuf};

use clap::Args;
use data_encoding::HEXLOWER;
use serde_json::json;
use sluis_ledger::State;
use sluis_ledger::told::SetBack;
use sluis_ledger::told::StoodStill;
use sluis_tlog::VerifierKey;
use sluis_verify::{Checked, Problem};

use super::directory::Directory;
use super::progress::Progress;
use super::read_key;
use crate::error::{CliError, Exit};
use crate::output;

/// Check an export offline: signatures, tree, every approval and counter; names the first wrong entry
///
/// Needs no custodian and no network. The key is what you trust: have it from the custodian in person, or from the first
/// export that you verified. A key that was rotated since is followed through the handovers. Exit code 1: something is
/// wrong.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  sluis audit verify audit-2026 --key custodian.vkey
  sluis audit verify audit-2026 --key custodian.vkey --json | jq .problems")]
pub(crate) struct VerifyArgs {
    /// Directory that `sluis audit export` wrote
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The log's verifier key, as text (`name+hash+base64`) or a file that holds it
    #[arg(long, value_name = "KEY", visible_alias = "log-key")]
    key: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl VerifyArgs {
    pub(super) fn run(self) -> Result<Exit, CliError> {
        let key = read_key(&self.key)?;
        if !self.directory.is_dir() {
            return Err(CliError::input(format!(
                "{} is not a directory",
                self.directory.display()
            )));
        }
        match verdict(&Directory::new(&self.directory), &key)? {
            Ok(checked) => self.right(&checked),
            Err(problems) => self.wrong(&problems),
        }
    }

    fn right(&self, checked: &Checked) -> Result<Exit, CliError> {
        let (state, checkpoint) = (&checked.state, &checked.checkpoint);
        let custodians: Vec<_> = state
            .custodians()
            .iter()
            .map(|custodian| custodian.identity.to_string())
            .collect();
        if self.json {
            output::json(&json!({
                "valid": true, "problems": [], "origin": checkpoint.origin(), "entries": checkpoint.size(),
                "root": HEXLOWER.encode(checkpoint.root()), "tiles": checked.tiles, "bundles": checked.bundles,
                "handovers": checked.handovers, "signatures": state.signatures(), "grants": state.grants().len(),
                "proposals": state.proposals().len(), "registry_version": state.registry_version(),
                "custodians": custodians, "custodian_lists": state.custodian_lists(), "erasures": state.opt_outs(),
                "restores": state.restores(),
                "clock_set_back": state.set_back().map(|back| json!({
                    "entry": back.entry, "seconds": back.millis / 1_000,
                })),
                "clock_stood_still": state.stood_still().map(|still| json!({
                    "entry": still.entry, "entries": still.entries,
                })),
                "act_while_sealed": state.while_sealed(),
            }))?;
            return Ok(Exit::Done);
        }
        output::line(format!(
            "the log {} is whole: {} entries",
            checkpoint.origin(),
            checkpoint.size()
        ))?;
        let facts = [
            (
                "head",
                format!("signed; {} handovers to a new key", checked.handovers),
            ),
            ("root", HEXLOWER.encode(checkpoint.root())),
            (
                "tree",
                format!(
                    "{} tiles and {} bundles fit it",
                    checked.tiles, checked.bundles
                ),
            ),
            (
                "signatures",
                format!(
                    "{} of stewards, custodians and grantees are genuine",
                    state.signatures()
                ),
            ),
            (
                "grants",
                format!("{}, used as approved", state.grants().len()),
            ),
            (
                "registry",
                format!("version {}, every change signed", state.registry_version()),
            ),
            ("proposals", state.proposals().len().to_string()),
            ("custodians", custodians.join(", ")),
        ];
        for (name, fact) in facts {
            output::line(format!("{name:<12}{fact}"))?;
        }
        warn(state);
        Ok(Exit::Done)
    }

    fn wrong(&self, problems: &[Problem]) -> Result<Exit, CliError> {
        if self.json {
            let problems: Vec<_> = problems
                .iter()
                .map(|problem| json!({ "entry": problem.sequence(), "problem": problem.to_string() }))
                .collect();
            output::json(&json!({ "valid": false, "problems": problems }))?;
            return Ok(Exit::Refused);
        }
        Err(wrong(&self.directory, problems))
    }
}

/// What is no fault, and worth a look.
fn warn(state: &State) {
    if state.custodian_lists() > 1 {
        output::warn(format!(
            "the log names its custodians more than once ({} times): look at the entries `custodians`",
            state.custodian_lists()
        ));
    }
    if state.restores() > 0 {
        output::warn(format!(
            "older stores were restored ({} in all): look at the entries `restore`",
            state.restores()
        ));
    }
    if let Some(SetBack { entry, millis }) = state.set_back() {
        let minutes = millis / 60_000;
        output::warn(format!(
            "the custodian's clock went back by {minutes} minutes at entry {entry}: what had expired was good once more"
        ));
    }
    if let Some(StoodStill { entry, entries }) = state.stood_still() {
        output::warn(format!(
            "the custodian's clock stood still: {entries} entries from entry {entry} on have one and the same time"
        ));
    }
    if let Some(entry) = state.while_sealed() {
        output::warn(format!(
            "entry {entry} is of an act that somebody began more than ten minutes after the custodian was sealed"
        ));
    }
}

/// Checks an export against a key.
///
/// # Errors
/// Reading it failed. What is wrong with it is no error.
fn verdict(
    directory: &Directory,
    key: &VerifierKey,
) -> Result<Result<Checked, Vec<Problem>>, CliError> {
    let progress = Progress::new(0);
    sluis_verify::verify(directory, key, &mut |done, of| progress.set(done, of))
}

/// An export that is right, for whatever reads on in it.
///
/// # Errors
/// Reading it failed; [`CliError::WrongInDetail`] says what is wrong with it.
pub(crate) fn check(directory: &Directory, key: &VerifierKey) -> Result<Checked, CliError> {
    verdict(directory, key)?.map_err(|problems| wrong(directory.path(), &problems))
}

fn wrong(directory: &Path, problems: &[Problem]) -> CliError {
    let mut texts = problems.iter().map(ToString::to_string);
    let first = texts.next().unwrap_or_default();
    CliError::WrongInDetail {
        what: format!("{} is wrong: {first}", directory.display()),
        details: texts.map(|text| format!("also: {text}")).collect(),
    }
}
