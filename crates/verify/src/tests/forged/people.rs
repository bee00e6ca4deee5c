//! Who signs: custodians and stewards with keys of their own, groups that can sign, grants that can be asked for.

use sluis_crypto::digest::sha256;
use sluis_domain::Timestamp;
use sluis_ledger::audit::Act;
use sluis_ledger::custodian::{self, Custodian};
use sluis_ledger::grant::{Grant, Kind};
use sluis_ledger::proposal::{LIFE_MILLIS, Matter};
use sluis_ledger::registry::Signers;
use sluis_ledger::statement::Deed;

use super::{Case, refuse_each};
use crate::tests::forge::{Forge, KEY_A, Person, YEAR, beginning, convert, stewards};
use crate::tests::keys::{kid, may_reidentify};
use crate::tests::second;

/// A list of custodians: names, and whose keys they have.
fn named(log: &mut Forge, custodians: &[(&str, &Person)]) {
    let list = custodians.iter().map(|(name, person)| Custodian {
        identity: name.parse().expect("organisation/member"),
        key: person.key(),
    });
    let mut entry = log.entry(Act::Custodians, None);
    entry.detail = custodian::encode(&list.collect::<Vec<_>>());
    log.push(entry);
}

#[test]
fn custodians_are_two_people_with_two_keys_and_no_stewards() {
    let key = |name: &str| Person::new(name, 2035);
    let (one, two) = (key("c/one"), key("c/two2"));
    type List<'a> = &'a [(&'a str, &'a Person)];
    let cases: [(&str, List<'_>, &str); 5] = [
        ("no custodian", &[], "are fewer than two"),
        ("one custodian", &[("c/anna", &one)], "are fewer than two"),
        (
            "one key under two custodians' names",
            &[("c/anna", &one), ("c/bert2", &one)],
            "share a key",
        ),
        (
            "one custodian with two keys",
            &[("c/anna", &one), ("c/anna", &two)],
            "are one person twice",
        ),
        (
            "one key under five custodians' names",
            &[
                ("c/anna", &one),
                ("c/ben", &one),
                ("c/cor", &one),
                ("c/dirk", &one),
                ("c/eva", &one),
            ],
            "share a key",
        ),
    ];
    for (what, list, why) in cases {
        let mut log = beginning();
        log.entries.pop();
        named(&mut log, list);
        second::refuse_saying(what, &log, why);
    }
    let mut log = crate::tests::forge::base();
    named(&mut log, &[("c/anna", &one), ("uni/s1", &two)]);
    second::refuse_saying("a steward becomes a custodian", &log, "are stewards");
    log.entries.pop();
    let steward = key("uni/s1");
    let text = log.registries[2].replace(
        &log.person("uni/s1").key().to_string(),
        &steward.key().to_string(),
    );
    log.propose_registry("p-8", "c/anna", &text, &[stewards("uni")]);
    for who in ["uni/s2", "uni/s3"] {
        log.say(Act::SignProposal, Deed::SignProposal, "p-8", who);
    }
    log.apply_registry("p-8", "uni/s3", text, Vec::new());
    named(&mut log, &[("c/anna", &one), ("c/carl", &steward)]);
    second::refuse_saying("a custodian with a steward's key", &log, "a steward's key");
    log.entries.pop();
    named(&mut log, &[("c/anna", &one), ("c/carl", &two)]);
    second::accept("other custodians", &log);
}

fn a_cut(log: &mut Forge) {
    let matter = Matter::CutEscrow {
        kid: kid(KEY_A),
        chain: "a".parse().expect("an id"),
        namespace: "n".parse().expect("an id"),
    };
    log.propose("p-9", "c/anna", matter, &[stewards("uni")]);
}

fn a_registry(log: &mut Forge) {
    let text = log.registry("\"clinic\"");
    log.propose_registry("p-9", "c/anna", &text, &[stewards("uni")]);
}

#[test]
fn the_groups_that_must_sign_can_sign() {
    let cases: [Case; 9] = [
        (
            "a group stands twice",
            |log| {
                a_registry(log);
                log.repropose(|p| p.required = vec![(stewards("uni"), 2), (stewards("uni"), 2)]);
            },
            "groups that must sign",
        ),
        (
            "groups that are not in order",
            |log| {
                a_registry(log);
                log.repropose(|p| {
                    p.required = vec![(stewards("uni"), 2), (Signers::Custodians, 2)]
                });
            },
            "groups that must sign",
        ),
        (
            "a group of which nobody must sign",
            |log| {
                a_registry(log);
                log.repropose(|p| {
                    p.required = vec![(Signers::Custodians, 0), (stewards("uni"), 2)]
                });
            },
            "groups that must sign",
        ),
        (
            "more stewards than there are",
            |log| {
                a_cut(log);
                log.repropose(|p| p.required = vec![(stewards("uni"), 4)]);
            },
            "groups that must sign",
        ),
        (
            "more custodians than there are",
            |log| {
                a_cut(log);
                log.repropose(|p| p.required = vec![(Signers::Custodians, 3)]);
            },
            "groups that must sign",
        ),
        (
            "one person alone must sign",
            |log| {
                a_registry(log);
                log.repropose(|p| p.required = vec![(stewards("uni"), 1)]);
            },
            "groups that must sign",
        ),
        (
            "nobody must sign",
            |log| {
                a_registry(log);
                log.repropose(|p| p.required.clear());
            },
            "groups that must sign",
        ),
        (
            "a proposal that waits for longer than thirty days",
            |log| {
                a_cut(log);
                log.repropose(|p| p.not_after = p.at.plus_millis(LIFE_MILLIS + 1));
            },
            "its end is not",
        ),
        (
            "a proposal of another day",
            |log| {
                a_cut(log);
                log.repropose(|p| {
                    p.at = Timestamp::from_millis(p.at.millis() - 60_001).expect("small");
                });
            },
            "its time is not",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn a_registry_that_asked_for_more_signatures_than_it_needs_is_found() {
    let cases: [Case; 1] = [(
        "custodians sign what is not theirs as well",
        |log| {
            let text = log.registry("\"clinic\"");
            let groups = [Signers::Custodians, stewards("uni")];
            log.propose_registry("p-9", "c/anna", &text, &groups);
            for who in ["c/anna", "c/bert2", "uni/s1", "uni/s2"] {
                log.say(Act::SignProposal, Deed::SignProposal, "p-9", who);
            }
            log.apply_registry("p-9", "uni/s2", text, Vec::new());
        },
        "did not have the signatures",
    )];
    refuse_each(&cases);
}

#[test]
fn a_registry_that_replaces_another_takes_no_signature() {
    let cases: [Case; 2] = [
        (
            "a stale registry is signed",
            |log| {
                a_registry(log);
                let text = log.registry("");
                log.enact("p-10", text, Vec::new());
                log.say(Act::SignProposal, Deed::SignProposal, "p-9", "uni/s1");
            },
            "PROPOSAL_STALE",
        ),
        (
            "a stale registry is signed when the one before is back",
            |log| {
                a_registry(log);
                let before = log.registries[2].clone();
                let text = log.registry("");
                log.enact("p-10", text, Vec::new());
                log.enact("p-11", before, Vec::new());
                log.say(Act::SignProposal, Deed::SignProposal, "p-9", "uni/s1");
            },
            "PROPOSAL_STALE",
        ),
    ];
    refuse_each(&cases);
}

/// Someone asks for a grant to convert that says something else.
fn ask(log: &mut Forge, kind: Kind, required: &[&str], change: fn(&mut Grant)) {
    log.request("g-9", "clinic/etl", kind, required);
    let mut grant = Grant::decode(&log.last().detail).expect("a grant");
    change(&mut grant);
    let entry = log.last();
    entry.purpose.clone_from(&grant.terms.purpose);
    entry.detail = grant.encode();
    entry.grant_digest = Some(sha256(&entry.detail));
}

fn conversion(log: &mut Forge, change: fn(&mut Grant)) {
    ask(log, convert(), &["clinic", "uni"], change);
}

fn of_elements(log: &mut Forge, elements: &[&str]) {
    let kind = Kind::Reidentify {
        chain: "a".parse().expect("an id"),
        elements: elements
            .iter()
            .map(|name| name.parse().expect("an id"))
            .collect(),
    };
    ask(log, kind, &["uni", "uni"], |grant| {
        let Kind::Reidentify { elements, .. } = &grant.terms.kind else {
            return;
        };
        grant.namespaces = vec!["n".parse().ok(); elements.len()];
    });
}

#[test]
fn a_grant_can_be_asked_for() {
    let cases: [Case; 12] = [
        (
            "a grant without values",
            |log| conversion(log, |grant| grant.terms.max_values = 0),
            "`max_values`",
        ),
        (
            "a grant of more values on a day than in all",
            |log| conversion(log, |grant| grant.terms.max_values_per_day = Some(11)),
            "`max_values_per_day`",
        ),
        (
            "a grant that states a blank purpose",
            |log| conversion(log, |grant| grant.terms.purpose = "\u{2003} ".into()),
            "`purpose`",
        ),
        (
            "a grant that states no purpose",
            |log| conversion(log, |grant| grant.terms.purpose = String::new()),
            "such a field `purpose`",
        ),
        (
            "a grant without a legal basis",
            |log| conversion(log, |grant| grant.terms.legal_basis = String::new()),
            "`legal_basis`",
        ),
        (
            "a grant with a purpose of a thousand and one bytes",
            |log| conversion(log, |grant| grant.terms.purpose = "x".repeat(1001)),
            "`purpose`",
        ),
        (
            "a grant that ends before it begins",
            |log| {
                conversion(log, |grant| {
                    grant.terms.not_before = Some(grant.terms.not_after);
                })
            },
            "`not_after`",
        ),
        (
            "a grant for eleven years",
            |log| {
                conversion(log, |grant| {
                    grant.terms.not_after = grant.terms.not_after.plus_millis(10 * YEAR);
                })
            },
            "`not_after`",
        ),
        (
            "a grant for no element",
            |log| of_elements(log, &[]),
            "`elements`",
        ),
        (
            "a grant for an element twice",
            |log| of_elements(log, &["id", "id"]),
            "`elements`",
        ),
        (
            "a grant that needs nobody's approval",
            |log| conversion(log, |grant| grant.required.clear()),
            "approvals",
        ),
        (
            "a grant of another day",
            |log| {
                conversion(log, |grant| {
                    grant.requested_at = grant.requested_at.plus_millis(60_001);
                })
            },
            "its time is not",
        ),
    ];
    refuse_each(&cases);
    let mut log = crate::tests::forge::base();
    may_reidentify(&mut log);
    second::accept("a grant that can be asked for", &log);
}
