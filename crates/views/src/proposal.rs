//! A proposal for people and as JSON.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sluis_client::checked::{CheckedProposal, RegistryChange};
use sluis_client::v1::{Proposal, ProposalKind, ProposalSignature, ProposalState, SignersNeeded};
use sluis_ledger::proposal::Matter;
use sluis_ledger::registry::{Change, ChangeKind, Requirement, Signers};

use crate::Safe;

/// A line, and how it stands out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Why it stands out.
    pub tone: Tone,
    /// What it says.
    pub text: Safe,
}

/// Why a line stands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// It does not.
    Plain,
    /// Something is new.
    Added,
    /// Something is gone.
    Removed,
    /// Something is different.
    Changed,
}

impl Line {
    fn plain(text: String) -> Self {
        Self {
            tone: Tone::Plain,
            text: text.into(),
        }
    }
}

/// The whole proposal: one aligned line per fact, then what a registry changes and because of what who must sign.
pub fn lines(wire: &Proposal, checked: &CheckedProposal) -> Vec<Line> {
    let facts = facts(wire, checked).into_iter();
    let mut lines: Vec<_> = facts
        .map(|(name, fact)| Line::plain(format!("{name:<13}{fact}")))
        .collect();
    if let Some(registry) = &checked.registry {
        lines.push(Line::plain(String::new()));
        lines.extend(registry.changes.iter().map(change_line));
        lines.push(Line::plain(String::new()));
        lines.extend(need_lines(registry).into_iter().map(Line::plain));
    }
    lines
}

fn facts(wire: &Proposal, checked: &CheckedProposal) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("proposal", wire.proposal_id.clone()),
        ("state", state_word(wire).to_owned()),
        ("does", what(&checked.proposal.matter)),
        (
            "proposed",
            format!("by {} at {}", wire.proposer, wire.proposed_at),
        ),
        ("valid", format!("until {}", wire.not_after)),
        ("needs", listed(&wire.needs)),
    ];
    facts.extend(
        wire.signatures
            .iter()
            .map(|s| ("signed", format!("by {} at {}", s.signer, s.signed_at))),
    );
    if !wire.missing.is_empty() {
        facts.push(("waits for", waits_for(wire)));
    }
    facts
}

/// What it does, from the bytes that are signed.
fn what(matter: &Matter) -> String {
    match matter {
        Matter::Registry {
            base_version,
            digest,
            ..
        } => {
            format!(
                "replaces registry version {base_version} by the text with SHA-256 {}",
                HEXLOWER.encode(digest)
            )
        }
        Matter::DestroyVersion {
            kid,
            chain,
            namespace: Some(namespace),
        } => {
            format!(
                "destroys key version {kid} of {chain}/{namespace}: its pseudonyms lead nowhere any more, for ever"
            )
        }
        Matter::DestroyVersion {
            kid,
            chain,
            namespace: None,
        } => {
            format!(
                "destroys key version {kid} of the encrypted elements of {chain}: nobody reads them again, ever"
            )
        }
        Matter::CutEscrow {
            kid,
            chain,
            namespace,
        } => {
            format!(
                "cuts the escrow of key version {kid} of {chain}/{namespace}: its pseudonyms stay, and \
                 nothing leads from them back or across any more, for ever"
            )
        }
        Matter::Erase { namespace } => {
            format!("erases a subject of {namespace} everywhere, and refuses them from then on")
        }
    }
}

/// A difference between two registries.
pub fn change_line(change: &Change) -> Line {
    let path = &change.path;
    let before = change.before.as_deref().unwrap_or_default();
    let after = change.after.as_deref().unwrap_or_default();
    let with = |text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!(" = {text}")
        }
    };
    let (tone, text) = match change.kind {
        ChangeKind::Added => (Tone::Added, format!("+ {path}{}", with(after))),
        ChangeKind::Removed => (Tone::Removed, format!("- {path}{}", with(before))),
        ChangeKind::Changed => (Tone::Changed, format!("~ {path}: {before} -> {after}")),
    };
    Line {
        tone,
        text: text.into(),
    }
}

fn need_lines(registry: &RegistryChange) -> Vec<String> {
    let line = |need: &Requirement| {
        let of = match &need.signers {
            Signers::Custodians => "",
            Signers::StewardsOf(organisation) => organisation.as_str(),
        };
        need_line(need.count.into(), of, &need.because)
    };
    registry.needs.iter().map(line).collect()
}

/// Who must sign, and because of what.
pub fn need_line(count: u32, stewards_of: &str, because: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut paths: Vec<_> = because.iter().take(SHOWN).cloned().collect();
    if because.len() > SHOWN {
        paths.push(format!("and {} more", because.len() - SHOWN));
    }
    format!(
        "must be signed by {}, because of {}",
        who(count, stewards_of),
        paths.join(", ")
    )
}

fn who(count: u32, stewards_of: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    if stewards_of.is_empty() {
        format!("{count} custodian{s}")
    } else {
        format!("{count} steward{s} of {stewards_of}")
    }
}

fn listed(needs: &[SignersNeeded]) -> String {
    needs
        .iter()
        .map(|need| who(need.count, &need.stewards_of))
        .collect::<Vec<_>>()
        .join(" and ")
}

/// Whose signatures are missing, in a few words; empty for a proposal that is not open.
pub fn waits_for(wire: &Proposal) -> String {
    if wire.state() == ProposalState::Open {
        listed(&wire.missing)
    } else {
        String::new()
    }
}

/// The kind in a few words.
pub fn kind_word(wire: &Proposal) -> &'static str {
    match wire.kind() {
        ProposalKind::Unspecified => "unknown",
        ProposalKind::Registry => "registry",
        ProposalKind::DestroyVersion => "destroy-version",
        ProposalKind::CutEscrow => "cut-escrow",
        ProposalKind::Erase => "erase",
    }
}

/// The state in one word.
pub fn state_word(wire: &Proposal) -> &'static str {
    match wire.state() {
        ProposalState::Unspecified => "unknown",
        ProposalState::Open => "open",
        ProposalState::Effective => "effective",
        ProposalState::Rejected => "rejected",
        ProposalState::Stale => "stale",
        ProposalState::Expired => "expired",
    }
}

/// The proposal with the field names of the wire, without the texts of registries.
pub fn json(wire: &Proposal) -> Value {
    let signature = |s: &ProposalSignature| json!({ "signer": s.signer, "signed_at": s.signed_at });
    json!({
        "proposal_id": wire.proposal_id,
        "kind": kind_word(wire),
        "state": state_word(wire),
        "proposer": wire.proposer,
        "proposed_at": wire.proposed_at,
        "not_after": wire.not_after,
        "needs": needs(&wire.needs),
        "missing": needs(&wire.missing),
        "signatures": wire.signatures.iter().map(signature).collect::<Vec<_>>(),
        "canonical": HEXLOWER.encode(&wire.canonical),
        "origin": wire.origin,
    })
}

/// Signatures that are needed.
pub fn needs(needs: &[SignersNeeded]) -> Vec<Value> {
    let need = |n: &SignersNeeded| json!({ "stewards_of": n.stewards_of, "count": n.count, "because": n.because });
    needs.iter().map(need).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_what_where_before_and_after() {
        let change = |kind, before: Option<&str>, after: Option<&str>| Change {
            kind,
            path: "chain[a].retention".into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let lines = [
            change(ChangeKind::Added, None, Some("10y")),
            change(ChangeKind::Removed, Some("10y"), None),
            change(ChangeKind::Changed, Some("10y"), Some("5y\u{1b}[2K")),
        ]
        .map(|change| change_line(&change).text);
        let expected = [
            "+ chain[a].retention = 10y",
            "- chain[a].retention = 10y",
            "~ chain[a].retention: 10y -> 5y\\u{1b}[2K",
        ];
        assert_eq!(lines.each_ref().map(Safe::as_str), expected);
    }

    #[test]
    fn it_says_who_must_sign_and_because_of_what() {
        let paths: Vec<String> = (0..6).map(|i| format!("chain[{i}].owner")).collect();
        let expected = "must be signed by 2 stewards of uni, because of chain[0].owner";
        assert_eq!(need_line(2, "uni", &paths[..1]), expected);
        let long = need_line(1, "", &paths);
        assert!(
            long.starts_with("must be signed by 1 custodian, because of ")
                && long.ends_with(", and 2 more"),
            "{long}"
        );
    }

    #[test]
    fn what_an_ended_proposal_never_got_is_not_waited_for() {
        let missing = vec![SignersNeeded {
            count: 1,
            ..SignersNeeded::default()
        }];
        let mut wire = Proposal {
            state: ProposalState::Open.into(),
            missing,
            ..Proposal::default()
        };
        assert_eq!(waits_for(&wire), "1 custodian");
        wire.state = ProposalState::Stale.into();
        assert_eq!(waits_for(&wire), "");
    }
}
