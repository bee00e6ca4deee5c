//! A proposal for people and as JSON.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sluis_client::checked::{CheckedProposal, RegistryChange};
use sluis_client::{ProposalSignature, ProposalView};
use sluis_ledger::proposal::{Matter, State};
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
pub fn lines(checked: &CheckedProposal) -> Vec<Line> {
    let facts = facts(&checked.view).into_iter();
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

fn facts(view: &ProposalView) -> Vec<(&'static str, String)> {
    let proposal = &view.proposal;
    let mut facts = vec![
        ("proposal", proposal.id.to_string()),
        ("state", state_word(view.state).to_owned()),
        ("does", what(&proposal.matter)),
        (
            "proposed",
            format!("by {} at {}", proposal.proposer, proposal.at),
        ),
        ("valid", format!("until {}", proposal.not_after)),
        ("needs", listed(&proposal.required)),
    ];
    let signatures = view.signatures.iter();
    facts.extend(signatures.map(|s| ("signed", format!("by {} at {}", s.signer, s.at))));
    if !view.missing.is_empty() {
        facts.push(("waits for", waits_for(view)));
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
    let (tone, text) = match change.kind {
        ChangeKind::Added => (Tone::Added, format!("+ {path}{}", assigned(after))),
        ChangeKind::Removed => (Tone::Removed, format!("- {path}{}", assigned(before))),
        ChangeKind::Changed => (Tone::Changed, format!("~ {path}: {before} -> {after}")),
    };
    Line {
        tone,
        text: text.into(),
    }
}

fn assigned(value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        format!(" = {value}")
    }
}

fn need_lines(registry: &RegistryChange) -> Vec<String> {
    registry.needs.iter().map(need_line).collect()
}

/// Who must sign, and because of what.
pub fn need_line(need: &Requirement) -> String {
    const SHOWN: usize = 4;
    let because = &need.because;
    let mut paths: Vec<_> = because.iter().take(SHOWN).cloned().collect();
    if because.len() > SHOWN {
        paths.push(format!("and {} more", because.len() - SHOWN));
    }
    format!(
        "must be signed by {}, because of {}",
        who(&need.signers, need.count),
        paths.join(", ")
    )
}

fn who(signers: &Signers, count: u8) -> String {
    let s = if count == 1 { "" } else { "s" };
    match signers {
        Signers::Custodians => format!("{count} custodian{s}"),
        Signers::StewardsOf(organisation) => format!("{count} steward{s} of {organisation}"),
    }
}

fn listed(needs: &[(Signers, u8)]) -> String {
    let needs = needs.iter().map(|(signers, count)| who(signers, *count));
    needs.collect::<Vec<_>>().join(" and ")
}

/// Whose signatures are missing, in a few words; empty for a proposal that is not open.
pub fn waits_for(view: &ProposalView) -> String {
    if view.state == State::Open {
        listed(&view.missing)
    } else {
        String::new()
    }
}

/// The kind in a few words.
pub fn kind_word(matter: &Matter) -> &'static str {
    match matter {
        Matter::Registry { .. } => "registry",
        Matter::DestroyVersion { .. } => "destroy-version",
        Matter::CutEscrow { .. } => "cut-escrow",
        Matter::Erase { .. } => "erase",
    }
}

/// The state in one word.
pub fn state_word(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Effective => "effective",
        State::Rejected => "rejected",
        State::Stale => "stale",
        State::Expired => "expired",
    }
}

/// The proposal with the field names of the wire, without the texts of registries.
pub fn json(view: &ProposalView) -> Value {
    let proposal = &view.proposal;
    json!({
        "proposal_id": proposal.id,
        "kind": kind_word(&proposal.matter),
        "state": state_word(view.state),
        "proposer": proposal.proposer.to_string(),
        "proposed_at": proposal.at.to_string(),
        "not_after": proposal.not_after.to_string(),
        "needs": groups(&proposal.required),
        "missing": groups(&view.missing),
        "signatures": view.signatures.iter().map(signature).collect::<Vec<_>>(),
        "canonical": HEXLOWER.encode(proposal.bytes()),
        "origin": view.origin,
    })
}

fn signature(signature: &ProposalSignature) -> Value {
    json!({
        "signer": signature.signer.to_string(),
        "signed_at": signature.at.to_string(),
    })
}

fn groups(needs: &[(Signers, u8)]) -> Vec<Value> {
    let needs = needs.iter();
    needs
        .map(|(signers, count)| need(signers, *count, &[]))
        .collect()
}

/// Signatures that are needed.
pub fn needs(needs: &[Requirement]) -> Vec<Value> {
    let needs = needs.iter();
    needs
        .map(|it| need(&it.signers, it.count, &it.because))
        .collect()
}

/// Custodians are an empty text.
fn need(signers: &Signers, count: u8, because: &[String]) -> Value {
    let stewards_of = match signers {
        Signers::Custodians => "",
        Signers::StewardsOf(organisation) => organisation.as_str(),
    };
    json!({ "stewards_of": stewards_of, "count": count, "because": because })
}

#[cfg(test)]
mod tests {
    use sluis_domain::Timestamp;
    use sluis_ledger::proposal::{Proposal, Record};

    use super::*;

    fn open() -> ProposalView {
        let at = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
        let proposal = Proposal {
            id: "p-1".parse().expect("an id"),
            matter: Matter::Erase {
                namespace: "n".parse().expect("an id"),
            },
            proposer: "o/m".parse().expect("an identity"),
            at,
            not_after: at.plus_millis(1_000),
            registry_version: 1,
            required: vec![(Signers::Custodians, 1)],
        };
        ProposalView::new(&Record::new(proposal), State::Open, "example.org/1")
    }

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
        let need = |signers, count, because: &[String]| {
            need_line(&Requirement {
                signers,
                count,
                because: because.to_vec(),
            })
        };
        let stewards = Signers::StewardsOf("uni".parse().expect("an id"));
        let expected = "must be signed by 2 stewards of uni, because of chain[0].owner";
        assert_eq!(need(stewards, 2, &paths[..1]), expected);
        let long = need(Signers::Custodians, 1, &paths);
        assert!(
            long.starts_with("must be signed by 1 custodian, because of ")
                && long.ends_with(", and 2 more"),
            "{long}"
        );
    }

    #[test]
    fn what_an_ended_proposal_never_got_is_not_waited_for() {
        let mut view = open();
        assert_eq!(waits_for(&view), "1 custodian");
        view.state = State::Stale;
        assert_eq!(waits_for(&view), "");
    }
}
