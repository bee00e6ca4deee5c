//! Grants that end by themselves: when their end has passed, once, and for good.

use sluis_domain::{Reason, Timestamp};
use sluis_ledger::audit::{Act, Outcome};
use sluis_ledger::grant::Grant;
use sluis_ledger::statement::Deed;

use super::{Case, refuse_each};
use crate::tests::forge::{Entry, Forge, base, convert, story};
use crate::tests::second;

/// The grant ends in the moment its end has passed.
fn expire<'a>(log: &'a mut Forge, id: &str) -> &'a mut Entry {
    let grant = Grant::decode(log.grant(id)).expect("made here");
    let mut entry = log.about(id, Act::ExpireGrant, "c/anna");
    (entry.actor, entry.fingerprint) = (None, [0; 32]);
    entry.at = grant.terms.not_after;
    log.push(entry);
    log.last()
}

fn request(log: &mut Forge) {
    log.request("g-4", "uni/etl", convert(), &["clinic", "uni"]);
}

#[test]
fn a_grant_ends_by_itself_when_its_end_has_passed() {
    let cases: [Case; 14] = [
        (
            "a grant expires before its end",
            |log| {
                let grant = Grant::decode(log.grant("g-1")).expect("made here");
                let early = grant.terms.not_after.millis() - 1;
                expire(log, "g-1").at = Timestamp::from_millis(early).expect("small");
            },
            "its time is not",
        ),
        (
            "a grant expires twice",
            |log| {
                expire(log, "g-1");
                expire(log, "g-1");
            },
            "its time is not",
        ),
        (
            "a grant expires that was revoked",
            |log| {
                expire(log, "g-2");
            },
            "its time is not",
        ),
        (
            "a grant expires that was denied",
            |log| {
                expire(log, "g-3");
            },
            "its time is not",
        ),
        (
            "a grant expires that a restore ended",
            |log| {
                *log = story();
                expire(log, "g-1");
            },
            "its time is not",
        ),
        (
            "a grant expires that nobody requested",
            |log| expire(log, "g-1").grant = "g-9".parse().ok(),
            "never requested",
        ),
        (
            "a grant expires that has another digest",
            |log| expire(log, "g-1").grant_digest = Some([1; 32]),
            "digest",
        ),
        (
            "a grant expires for another chain",
            |log| expire(log, "g-1").to_chain = None,
            "its chain is not",
        ),
        (
            "a grant expires for another purpose",
            |log| expire(log, "g-1").purpose = "profit".into(),
            "its purpose is not",
        ),
        (
            "a grant expires under an earlier registry",
            |log| expire(log, "g-1").registry_version = 1,
            "registry version 1",
        ),
        (
            "somebody lets a grant expire",
            |log| {
                let by = log.entry(Act::ExpireGrant, Some("c/anna"));
                let entry = expire(log, "g-1");
                (entry.actor, entry.fingerprint) = (by.actor, by.fingerprint);
            },
            "not an entry",
        ),
        (
            "somebody signs that a grant expires",
            |log| {
                let signed = log.person("uni/s1").sign(Deed::RevokeGrant, b"x");
                expire(log, "g-1").signatures = vec![signed];
            },
            "not an entry",
        ),
        (
            "somebody may not let a grant expire",
            |log| {
                let by = log.entry(Act::ExpireGrant, Some("uni/etl"));
                let entry = expire(log, "g-1");
                (entry.actor, entry.fingerprint) = (by.actor, by.fingerprint);
                entry.outcome = Outcome::Refused(Reason::GrantDecided);
            },
            "not an entry",
        ),
        (
            "a grant expires between a last signature and its effect",
            |log| {
                log.cut_at(Act::SignProposal, 3);
                expire(log, "g-1");
            },
            "must follow directly",
        ),
    ];
    refuse_each(&cases);
}

/// The clock is set back behind each of these ends.
#[test]
fn a_grant_that_expired_on_record_does_not_come_back() {
    let cases: [Case; 5] = [
        (
            "a grant is used that expired",
            |log| {
                expire(log, "g-1");
                log.charge("g-1", "uni/etl", Act::Convert, 0, 7);
            },
            "GRANT_EXPIRED",
        ),
        (
            "a grant is revoked that expired",
            |log| {
                expire(log, "g-1");
                log.step(Act::RevokeGrant, Deed::RevokeGrant, "g-1", "uni/s1");
            },
            "GRANT_EXPIRED",
        ),
        (
            "a grant is approved that expired",
            |log| {
                request(log);
                expire(log, "g-4");
                log.step(Act::ApproveGrant, Deed::ApproveGrant, "g-4", "uni/s1");
            },
            "GRANT_EXPIRED",
        ),
        (
            "a grant is denied that expired",
            |log| {
                request(log);
                expire(log, "g-4");
                log.step(Act::DenyGrant, Deed::DenyGrant, "g-4", "uni/s1");
            },
            "GRANT_DECIDED",
        ),
        (
            "a grant is requested again that expired",
            |log| {
                request(log);
                expire(log, "g-4");
                request(log);
            },
            "g-4",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn grants_that_expire_pass() {
    let mut log = base();
    request(&mut log);
    expire(&mut log, "g-4");
    // Used once more before, by a clock that goes back.
    log.charge("g-1", "uni/etl", Act::Convert, 0, 7);
    expire(&mut log, "g-1");
    second::accept("grants that expire", &log);
}
