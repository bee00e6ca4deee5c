//! A yes or a no to a proposal.

use sluis_client::{Client, ClientError, ProposalView};
use sluis_domain::Reason;
use sluis_ledger::proposal::{Matter, State};
use sluis_ledger::registry::Signers;
use sluis_views::proposal as view;

use super::{Named, what_is_missing};
use crate::error::{CliError, Exit};
use crate::output::{self, Paint};
use crate::unsure::unless_answered;

/// Which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    Sign,
    Reject,
}

/// Shows the proposal, asks, signs on this machine, and sends. `only_registry`: refuses any other proposal.
pub(crate) async fn decide(
    named: &Named,
    yes: bool,
    decision: Decision,
    only_registry: bool,
) -> Result<Exit, CliError> {
    let client = named.connect.connect().await?;
    let checked = client.proposal(&named.proposal).await?;
    let shown = &checked.view;
    let is_registry = matches!(shown.proposal.matter, Matter::Registry { .. });
    if only_registry && !is_registry {
        let kind = view::kind_word(&shown.proposal.matter);
        return Err(CliError::usage(format!(
            "that is no registry change but: {kind}; see `sluis proposal show`"
        )));
    }
    // Texts come with open proposals only, and nobody signs a registry that they were not shown.
    if let Some(reason) = over(shown.state).filter(|_| decision == Decision::Sign) {
        return Err(CliError::NotConfirmed(format!(
            "{}: {}",
            reason.code(),
            reason.message()
        )));
    }
    if is_registry && shown.state == State::Open && checked.registry.is_none() {
        return Err(ClientError::Protocol("a proposed registry without its text").into());
    }
    let paint = if named.json {
        Paint::stderr()
    } else {
        Paint::stdout()
    };
    let lines = view::lines(&checked).into_iter();
    output::show(lines.map(|line| paint.line(line)), named.json)?;
    if !yes {
        output::confirm(
            question(&shown.missing, decision),
            "there is no terminal to ask on: look at it with `sluis proposal show`, then give --yes",
        )?;
    }
    let after = match decision {
        Decision::Sign => sign(&client, shown).await?,
        Decision::Reject => reject(&client, shown).await?,
    };
    report(&after, named.json, decision)
}

fn question(missing: &[(Signers, u8)], decision: Decision) -> &'static str {
    let counts = missing.iter().map(|(_, count)| u64::from(*count));
    let missing: u64 = counts.sum();
    match decision {
        Decision::Sign if missing == 1 => {
            "Sign this proposal? One signature is missing: with yours it takes effect at once."
        }
        Decision::Sign => "Sign this proposal?",
        Decision::Reject => "Reject this proposal, for good?",
    }
}

/// Why a proposal takes no signature; `None` for an open one.
fn over(state: State) -> Option<Reason> {
    match state {
        State::Open => None,
        State::Stale => Some(Reason::ProposalStale),
        State::Expired => Some(Reason::ProposalExpired),
        State::Effective | State::Rejected => Some(Reason::ProposalDecided),
    }
}

/// Signs a proposal that was shown and checked.
pub(crate) async fn sign(client: &Client, shown: &ProposalView) -> Result<ProposalView, CliError> {
    let signed = client.sign_proposal(shown).await;
    signed.map_err(unless_answered(|| look(shown)))
}

async fn reject(client: &Client, shown: &ProposalView) -> Result<ProposalView, CliError> {
    let rejected = client.reject_proposal(shown).await;
    rejected.map_err(unless_answered(|| look(shown)))
}

/// The command that tells whether it was done.
fn look(shown: &ProposalView) -> String {
    format!("sluis proposal show {}", shown.proposal.id)
}

fn report(after: &ProposalView, json: bool, decision: Decision) -> Result<Exit, CliError> {
    if json {
        output::json(&view::json(after))?;
        return Ok(Exit::Done);
    }
    output::line("")?;
    let done = match decision {
        Decision::Sign => "signed",
        Decision::Reject => "said no",
    };
    output::line(format!(
        "{done}; {} is {}",
        after.proposal.id,
        view::state_word(after.state)
    ))?;
    for text in what_is_missing(after)
        .iter()
        .filter(|_| decision == Decision::Sign)
    {
        output::line(text)?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_signer_is_told_that_it_takes_effect() {
        let one = [(Signers::Custodians, 1)];
        assert!(question(&one, Decision::Sign).contains("at once"));
        let two_of_one = [(Signers::Custodians, 2)];
        let stewards = Signers::StewardsOf("uni".parse().expect("an id"));
        let one_of_two = [(Signers::Custodians, 1), (stewards, 1)];
        for more in [&two_of_one[..], &one_of_two] {
            assert!(!question(more, Decision::Sign).contains("at once"));
        }
        assert!(!question(&one, Decision::Reject).contains("at once"));
    }
}
