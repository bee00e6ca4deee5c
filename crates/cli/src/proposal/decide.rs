//! A yes or a no to a proposal.

use sluis_client::v1::{
    Proposal, ProposalKind, ProposalState, RejectProposalRequest, SignProposalRequest,
};
use sluis_client::{Client, ClientError};
use sluis_domain::Reason;
use sluis_ledger::statement::Deed;
use sluis_views::proposal as view;

use super::{Named, fetch, present, what_is_missing};
use crate::error::{CliError, Exit};
use crate::output::{self, Paint};
use crate::unsure::unless_answered;

/// Which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decision {
    Sign,
    Reject,
}

/// Shows the proposal, asks, signs on this machine, and sends. `only`: a proposal of this kind.
pub(crate) async fn decide(
    named: &Named,
    yes: bool,
    decision: Decision,
    only: Option<ProposalKind>,
) -> Result<Exit, CliError> {
    let client = named.connect.connect().await?;
    let (wire, checked) = fetch(&client, &named.proposal).await?;
    if only.is_some_and(|kind| kind != wire.kind()) {
        let kind = view::kind_word(&wire);
        return Err(CliError::usage(format!(
            "that is no registry change but: {kind}; see `sluis proposal show`"
        )));
    }
    // Texts come with open proposals only, and nobody signs a registry that they were not shown.
    if let Some(reason) = over(wire.state()).filter(|_| decision == Decision::Sign) {
        return Err(CliError::NotConfirmed(format!(
            "{}: {}",
            reason.code(),
            reason.message()
        )));
    }
    if wire.kind() == ProposalKind::Registry
        && wire.state() == ProposalState::Open
        && checked.registry.is_none()
    {
        return Err(ClientError::Protocol("a proposed registry without its text").into());
    }
    let paint = if named.json {
        Paint::stderr()
    } else {
        Paint::stdout()
    };
    let lines = view::lines(&wire, &checked).into_iter();
    output::show(lines.map(|line| paint.line(line)), named.json)?;
    if !yes {
        output::confirm(
            question(&wire, decision),
            "there is no terminal to ask on: look at it with `sluis proposal show`, then give --yes",
        )?;
    }
    let after = match decision {
        Decision::Sign => sign(&client, &wire).await?,
        Decision::Reject => reject(&client, &wire).await?,
    };
    report(&after, named.json, decision)
}

fn question(wire: &Proposal, decision: Decision) -> &'static str {
    let counts = wire.missing.iter().map(|need| u64::from(need.count));
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
fn over(state: ProposalState) -> Option<Reason> {
    match state {
        ProposalState::Open => None,
        ProposalState::Stale => Some(Reason::ProposalStale),
        ProposalState::Expired => Some(Reason::ProposalExpired),
        ProposalState::Effective | ProposalState::Rejected | ProposalState::Unspecified => {
            Some(Reason::ProposalDecided)
        }
    }
}

/// Signs a proposal that was shown and checked.
pub(crate) async fn sign(client: &Client, wire: &Proposal) -> Result<Proposal, CliError> {
    let signature = client
        .sign(Deed::SignProposal, &wire.origin, &wire.canonical)
        .await?
        .into();
    let request = SignProposalRequest {
        proposal_id: wire.proposal_id.clone(),
        signature,
    };
    let answer = client
        .proposals()
        .sign_proposal(request)
        .await
        .map_err(unless_answered(|| {
            format!("sluis proposal show {}", wire.proposal_id)
        }))?
        .into_inner();
    Ok(present(answer.proposal)?)
}

async fn reject(client: &Client, wire: &Proposal) -> Result<Proposal, CliError> {
    let signature = client
        .sign(Deed::RejectProposal, &wire.origin, &wire.canonical)
        .await?
        .into();
    let request = RejectProposalRequest {
        proposal_id: wire.proposal_id.clone(),
        signature,
    };
    let answer = client
        .proposals()
        .reject_proposal(request)
        .await
        .map_err(unless_answered(|| {
            format!("sluis proposal show {}", wire.proposal_id)
        }))?
        .into_inner();
    Ok(present(answer.proposal)?)
}

fn report(after: &Proposal, json: bool, decision: Decision) -> Result<Exit, CliError> {
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
        after.proposal_id,
        view::state_word(after)
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
    use sluis_client::v1::SignersNeeded;

    use super::*;

    #[test]
    fn the_last_signer_is_told_that_it_takes_effect() {
        let waits_for = |counts: &[u32]| Proposal {
            missing: counts
                .iter()
                .map(|count| SignersNeeded {
                    count: *count,
                    ..SignersNeeded::default()
                })
                .collect(),
            ..Proposal::default()
        };
        assert!(question(&waits_for(&[1]), Decision::Sign).contains("at once"));
        for more in [&[2][..], &[1, 1]] {
            assert!(!question(&waits_for(more), Decision::Sign).contains("at once"));
        }
        assert!(!question(&waits_for(&[1]), Decision::Reject).contains("at once"));
    }
}
