//! Fields that an act does not have, acts that are never done or never refused, effects in the name of another.

use sluis_domain::{Reason, Timestamp};
use sluis_ledger::audit::{Act, Outcome, SALT_BYTES};
use sluis_ledger::statement::Deed;

use super::{Case, refuse_each};
use crate::tests::forge::{Entry, Forge, KEY_A, base, beginning, key};
use crate::tests::keys::{act, keys};
use crate::tests::second;

fn batch(log: &mut Forge) -> &mut Entry {
    log.cut_at(Act::Pseudonymise, 0)
}

/// An entry with nothing but a caller.
fn push(log: &mut Forge, act: Act, who: Option<&str>) {
    let entry = log.entry(act, who);
    log.push(entry);
}

/// A refusal, and what it holds.
fn refused(log: &mut Forge, act: Act, change: fn(&mut Entry)) {
    let mut entry = log.entry(act, Some("uni/etl"));
    entry.outcome = Outcome::Refused(Reason::NotEligible);
    change(&mut entry);
    log.push(entry);
}

#[test]
fn a_batch_has_no_other_fields() {
    let cases: [Case; 10] = [
        (
            "a batch with a name in its detail",
            |log| batch(log).detail = b"Jan Jansen".to_vec(),
            "not an entry",
        ),
        (
            "a batch with a purpose",
            |log| batch(log).purpose = "Jan Jansen".into(),
            "not an entry",
        ),
        (
            "a batch with a grant",
            |log| batch(log).grant = "g-1".parse().ok(),
            "not an entry",
        ),
        (
            "a batch with an object digest",
            |log| batch(log).object_digest = Some([7; 32]),
            "not an entry",
        ),
        (
            "a batch with a counter",
            |log| batch(log).counter = 5,
            "not an entry",
        ),
        (
            "a batch with a chain converted to",
            |log| batch(log).to_chain = "b".parse().ok(),
            "not an entry",
        ),
        (
            "a batch that somebody signed",
            |log| {
                let signed = log.person("uni/s1").sign(Deed::ApproveGrant, b"x");
                batch(log).signatures = vec![signed];
            },
            "not an entry",
        ),
        (
            "a batch of nobody",
            |log| (batch(log).actor, log.last().fingerprint) = (None, [0; 32]),
            "not an entry",
        ),
        (
            "a batch without a certificate",
            |log| batch(log).fingerprint = [0; 32],
            "not an entry",
        ),
        (
            "a batch that names a version twice",
            |log| batch(log).keys = vec![key(KEY_A, 2), key(KEY_A, 3)],
            "it is named twice",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn no_other_act_has_other_fields() {
    let cases: [Case; 17] = [
        (
            "a request with a counter",
            |log| log.cut_at(Act::RequestGrant, 0).counter = 1,
            "not an entry",
        ),
        (
            "an approval with key uses",
            |log| log.cut_at(Act::ApproveGrant, 0).keys = keys(&[KEY_A]),
            "not an entry",
        ),
        (
            "an approval with values",
            |log| log.cut_at(Act::ApproveGrant, 0).values = 1,
            "not an entry",
        ),
        (
            "a registry with rows",
            |log| log.cut_at(Act::ApplyRegistry, 1).rows = 1,
            "not an entry",
        ),
        (
            "a registry with a chain",
            |log| log.cut_at(Act::ApplyRegistry, 1).chain = "a".parse().ok(),
            "not an entry",
        ),
        (
            "a registry whose new versions were used",
            |log| log.cut_at(Act::ApplyRegistry, 0).keys[0].values = 5,
            "not an entry",
        ),
        (
            "a registry is proposed for a chain",
            |log| log.cut_at(Act::Propose, 1).chain = "a".parse().ok(),
            "not an entry",
        ),
        (
            "the end of a version is rejected for another chain",
            |log| log.cut_at(Act::RejectProposal, 0).chain = "b".parse().ok(),
            "its chain is not",
        ),
        (
            "a backup with a detail",
            |log| {
                push(log, Act::CreateBackup, Some("c/anna"));
                log.last().detail = vec![1];
            },
            "not an entry",
        ),
        (
            "a backup of a member",
            |log| push(log, Act::CreateBackup, Some("uni/etl")),
            "NOT_A_CUSTODIAN",
        ),
        (
            "a member seals",
            |log| push(log, Act::Seal, Some("uni/etl")),
            "NOT_A_CUSTODIAN",
        ),
        (
            "a seal with values",
            |log| {
                push(log, Act::Seal, Some("c/anna"));
                log.last().values = 1;
            },
            "not an entry",
        ),
        (
            "a member replaces the key-encryption key",
            |log| push(log, Act::RotateKek, Some("uni/etl")),
            "not an entry",
        ),
        (
            "an opening of a chain",
            |log| {
                push(log, Act::Unseal, None);
                (log.last().detail, log.last().chain) = (vec![2, 0, 0], "a".parse().ok());
            },
            "not an entry",
        ),
        (
            "a list of custodians in the name of one",
            |log| {
                let named = log.entries[1].detail.clone();
                push(log, Act::Custodians, Some("c/anna"));
                log.last().detail = named;
            },
            "not an entry",
        ),
        (
            "a certificate of nobody",
            |log| {
                act(log, Act::WarnRetention, None, "b", Vec::new());
                log.last().fingerprint = [7; 32];
            },
            "not an entry",
        ),
        (
            "a warning with an object digest",
            |log| {
                act(log, Act::WarnRetention, None, "b", Vec::new());
                log.last().object_digest = Some([7; 32]);
            },
            "not an entry",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn who_only_looks_is_on_record_when_refused() {
    for act in [
        Act::ReadGrants,
        Act::ReadRegistry,
        Act::ReadStatus,
        Act::ReadAudit,
        Act::Admit,
        Act::ReadProposals,
        Act::ReadHead,
    ] {
        let mut log = base();
        push(&mut log, act, Some("uni/etl"));
        let what = format!("{} is done", act.as_str());
        second::refuse_saying(&what, &log, "not an entry");
    }
}

#[test]
fn a_refusal_holds_who_was_refused_what_and_why() {
    let cases: [Case; 13] = [
        (
            "a refusal with a name in its detail",
            |log| refused(log, Act::RequestGrant, |e| e.detail = b"Jan".to_vec()),
            "not an entry",
        ),
        (
            "a refusal with a counter",
            |log| refused(log, Act::Convert, |e| e.counter = 19_840_307),
            "not an entry",
        ),
        (
            "a refusal with values",
            |log| refused(log, Act::Convert, |e| e.values = 19_840_307),
            "not an entry",
        ),
        (
            "a refusal with a key use",
            |log| refused(log, Act::Convert, |e| e.keys = keys(&[KEY_A])),
            "not an entry",
        ),
        (
            "a refusal with a purpose",
            |log| refused(log, Act::Convert, |e| e.purpose = "Jan Jansen".into()),
            "not an entry",
        ),
        (
            "a refusal of a chain that there never was",
            |log| {
                refused(log, Act::Pseudonymise, |e| {
                    e.chain = "jan-jansen".parse().ok()
                })
            },
            "its chain is not",
        ),
        (
            "a refusal of a grant that nobody requested",
            |log| {
                refused(log, Act::Convert, |e| {
                    e.grant = "jan-jansen".parse().ok();
                    e.grant_digest = Some([7; 32]);
                    e.chain = "a".parse().ok();
                    e.purpose = "why".into();
                })
            },
            "a grant that was never requested",
        ),
        (
            "a refusal under a grant with another purpose",
            |log| {
                let mut entry = log.about("g-1", Act::Convert, "uni/etl");
                entry.outcome = Outcome::Refused(Reason::GrantExhausted);
                entry.purpose = "Jan Jansen".into();
                log.push(entry);
            },
            "its purpose is not",
        ),
        (
            "a refused batch with an object digest",
            |log| refused(log, Act::Pseudonymise, |e| e.object_digest = Some([7; 32])),
            "not an entry",
        ),
        (
            "a refused signature under what nobody proposed",
            |log| refused(log, Act::SignProposal, |e| e.object_digest = Some([7; 32])),
            "a proposal that was never made",
        ),
        (
            "a registry is refused to come into force",
            |log| refused(log, Act::ApplyRegistry, |_| {}),
            "not an entry",
        ),
        (
            "not an entry",
            |log| {
                refused(log, Act::Seal, |e| {
                    (e.actor, e.fingerprint) = (None, [0; 32])
                })
            },
            "not an entry",
        ),
        (
            "a refusal of a registry that is not in force yet",
            |log| refused(log, Act::Seal, |e| e.registry_version = 9),
            "registry version 9",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn a_refusal_that_somebody_signed_is_found() {
    let mut log = base();
    refused(&mut log, Act::ApproveGrant, |_| {});
    let signed = log.person("uni/s1").sign(Deed::ApproveGrant, b"x");
    log.last().signatures = vec![signed];
    second::refuse_saying("a refusal that somebody signed", &log, "not an entry");
}

#[test]
fn honest_refusals_pass() {
    let mut log = base();
    let mut under_grant = log.about("g-1", Act::Convert, "uni/etl");
    under_grant.outcome = Outcome::Refused(Reason::GrantExhausted);
    let mut of_proposal = log.on_proposal(Act::RejectProposal, "p-4", "uni/s1");
    of_proposal.outcome = Outcome::Refused(Reason::ProposalDecided);
    of_proposal.detail.clear();
    log.push(under_grant).push(of_proposal);
    refused(&mut log, Act::Pseudonymise, |e| {
        e.chain = "a".parse().ok();
    });
    refused(&mut log, Act::Propose, |e| {
        e.object_digest = Some([7; 32]);
    });
    second::accept("honest refusals", &log);
}

#[test]
fn reasons_are_closed() {
    let mut log = base();
    refused(&mut log, Act::Convert, |_| {});
    let honest = log.last().encode();
    let known = b"NOT_ELIGIBLE";
    let at = honest
        .windows(known.len())
        .position(|window| window == known);
    let at = at.expect("the reason is there");
    let mut bytes = honest;
    bytes[at..at + known.len()].copy_from_slice(b"JAN_JANSEN_X");
    log.last_bytes = Some(bytes);
    second::refuse_saying("an unknown reason", &log, "not an entry");
}

#[test]
fn what_signatures_bring_about_is_in_the_name_of_the_last_signer() {
    let cases: [Case; 4] = [
        (
            "a registry comes into force in the name of nobody",
            |log| {
                let entry = log.cut_at(Act::ApplyRegistry, 1);
                entry.actor = "ghost/nobody".parse().ok();
                entry.fingerprint = [9; 32];
            },
            "whoever signed last",
        ),
        (
            "a registry comes into force in the name of its first signer",
            |log| {
                let first = log.entries[log.find(Act::SignProposal, 2)].clone();
                let entry = log.cut_at(Act::ApplyRegistry, 1);
                (entry.actor, entry.fingerprint) = (first.actor, first.fingerprint);
            },
            "whoever signed last",
        ),
        (
            "an opt-out with another certificate",
            |log| log.cut_at(Act::OptOut, 0).fingerprint = [9; 32],
            "whoever signed last",
        ),
        (
            "an opt-out of nobody",
            |log| {
                let entry = log.cut_at(Act::OptOut, 0);
                (entry.actor, entry.fingerprint) = (None, [0; 32]);
            },
            "not an entry",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn a_log_begins_with_its_setting_up_and_is_set_up_once() {
    let mut log = beginning();
    log.entries.truncate(1);
    log.last().outcome = Outcome::Refused(Reason::NotACustodian);
    second::refuse_saying("the setting up was refused", &log, "not an entry");
    let mut log = beginning();
    let mut again = log.entry(Act::Initialise, Some("c/anna"));
    again.outcome = Outcome::Refused(Reason::NotACustodian);
    log.push(again);
    second::refuse_saying("a second setting up is refused", &log, "not an entry");
    let mut log = beginning();
    let at = Timestamp::default();
    log.entries[0] = Entry::new([0; SALT_BYTES], at, Act::RotateKek, 0);
    log.entries.truncate(1);
    second::refuse_saying("a log without its setting up", &log, "`initialise` must be");
}
