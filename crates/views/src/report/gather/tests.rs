use sluis_domain::Kid;
use sluis_ledger::event::{
    About, Caller, GrantRef, GrantSigned, Granted, KeyUse, ProposalRef, ProposalSigned, Refusal,
    Restored, Signature, Submitted,
};
use sluis_ledger::grant::{OutputOrder, Terms};
use sluis_ledger::restore::Restore;

use super::*;
use crate::report::{html, sections};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("RFC 3339")
}

fn entry(time: &str, caller: &str, event: Event) -> Entry {
    let caller = Caller {
        identity: caller.parse().expect("an identity"),
        fingerprint: [1; 32],
    };
    let header = Header {
        salt: [0; 16],
        at: at(time),
        registry_version: 1,
        caller: Some(caller),
    };
    Entry { header, event }
}

fn signature(who: &str) -> Signature {
    Signature {
        signer: who.parse().expect("an identity"),
        signed: Signed {
            signature: Vec::new(),
            certificate: Vec::new(),
        },
    }
}

fn used(kid: u32, values: u64) -> KeyUse {
    KeyUse {
        chain: "a".parse().expect("an id"),
        namespace: "n".parse().ok(),
        kid: Kid::new(kid).expect("not zero"),
        values,
    }
}

fn submitted(values: u64) -> Event {
    Event::Pseudonymise(Submitted {
        chain: "a".parse().expect("an id"),
        rows: values + 1,
        values,
        rejected: 1,
        keys: vec![used(7, values)],
    })
}

fn approval(who: &str) -> Entry {
    let event = Event::ApproveGrant(GrantSigned {
        grant: GrantRef::of(&grant()),
        signature: signature(who),
    });
    entry("2025-12-02T00:00:00Z", who, event)
}

fn grant() -> Grant {
    let id = || "bsn".parse().expect("an id");
    let chain = |name: &str| name.parse().expect("an id");
    Grant {
        id: "g-1".parse().expect("an id"),
        terms: Terms {
            kind: Kind::Convert {
                from: (chain("a"), id()),
                to: (chain("b"), id()),
                order: OutputOrder::Ordered,
            },
            purpose: "<script>alert(1)</script>".into(),
            legal_basis: "consent".into(),
            max_values: 100,
            max_values_per_day: None,
            not_before: Some(at("2025-12-01T00:00:00Z")),
            not_after: at("2027-01-01T00:00:00Z"),
        },
        namespaces: vec![None],
        grantee: "uni".parse().expect("an id"),
        requester: "uni/etl".parse().expect("an identity"),
        requested_at: at("2025-12-01T00:00:00Z"),
        registry_version: 1,
        required: vec!["uni".parse().expect("an id")],
    }
}

fn log() -> Vec<Entry> {
    let request = Event::RequestGrant(grant());
    let convert = Event::Convert(Granted {
        grant: GrantRef::of(&grant()),
        rows: 31,
        values: 30,
        rejected: 1,
        counter: 30,
        keys: vec![used(7, 30)],
    });
    let refused = Event::Refused(Refusal {
        act: Act::Pseudonymise,
        reason: Reason::QuotaSubjects,
        about: About::Chain("a".parse().expect("an id")),
    });
    let source = |time, values| entry(time, "clinic/etl", submitted(values));
    vec![
        entry("2025-12-01T00:00:00Z", "uni/etl", request),
        approval("uni/s1"),
        source("2025-12-31T23:59:59.999Z", 1000),
        source("2026-01-01T00:00:00Z", 10),
        source("2026-02-28T23:59:59.999Z", 20),
        entry("2026-02-01T00:00:00Z", "uni/etl", convert),
        source("2026-03-01T00:00:00Z", 5000),
        entry("2026-02-02T00:00:00Z", "clinic/etl", refused.clone()),
        entry("2026-02-02T00:00:00Z", "clinic/etl", refused),
        entry("2026-02-03T00:00:00Z", "c/anna", Event::CreateBackup),
    ]
}

fn report(organisation: Option<&str>, owned: &[&str]) -> Report {
    report_of(&log(), organisation, owned)
}

fn report_of(log: &[Entry], organisation: Option<&str>, owned: &[&str]) -> Report {
    let day = |text: &str| text.parse::<Day>().expect("a day");
    let owned = owned.iter().map(|id| id.parse().expect("an id")).collect();
    let organisation = organisation.and_then(|id| id.parse().ok());
    let mut gather = Gather::new(
        day("2026-01-01"),
        day("2026-02-28"),
        organisation,
        owned,
        at("2026-06-01T00:00:00Z"),
    );
    log.iter().for_each(|entry| gather.take(entry));
    gather.finish(Standing::NotVerified("a test"))
}

#[test]
fn the_period_has_its_first_and_last_day_and_no_more() {
    let report = report(None, &[]);
    assert_eq!(report.entries, 6);
    let months: Vec<_> = report
        .months
        .iter()
        .map(|m| (m.month.as_str(), m.act.as_str(), m.amount.values))
        .collect();
    assert_eq!(
        months,
        [
            ("2026-01", "pseudonymise", 10),
            ("2026-02", "convert", 30),
            ("2026-02", "pseudonymise", 20)
        ]
    );
    let chains: Vec<_> = report
        .chains
        .iter()
        .map(|c| (c.chain.as_str(), c.act.as_str(), c.amount.values))
        .collect();
    assert_eq!(
        chains,
        [
            ("a", "convert", 30),
            ("a", "pseudonymise", 30),
            ("b", "convert", 30)
        ]
    );
    assert_eq!(
        report.work[0].amount,
        Amount {
            batches: 2,
            rows: 32,
            values: 30,
            rejected: 2
        }
    );
    assert_eq!(report.custody.len(), 1);
}

#[test]
fn grants_keys_and_alarms_are_known_from_before_the_period() {
    let report = report(None, &[]);
    let grant = &report.grants[0];
    assert!(grant.open);
    assert_eq!(
        (
            grant.state.as_str(),
            grant.used,
            grant.remaining,
            grant.in_period.batches
        ),
        ("approved", 30, 70, 1)
    );
    assert_eq!(grant.approved_by, ["uni/s1"]);
    let key = &report.keys[0];
    assert_eq!(
        (key.kid.as_str(), key.first_seen.as_str(), key.age_days),
        ("00000007", "2025-12-31T23:59:59.999Z", 59)
    );
    assert_eq!(
        (report.refusals[0].reason.as_str(), report.refusals[0].times),
        ("QUOTA_SUBJECTS", 2)
    );
    assert_eq!(
        (
            report.quota_alarms[0].place.as_str(),
            report.quota_alarms[0].times
        ),
        ("a", 2)
    );
}

#[test]
fn a_grant_that_expired_on_record_was_ended_by_nobody() {
    let mut expired = grant();
    expired.terms.not_after = at("2026-02-01T00:00:00Z");
    let request = Event::RequestGrant(expired.clone());
    let mut end = entry(
        "2026-02-01T01:00:00Z",
        "uni/etl",
        Event::ExpireGrant(GrantRef::of(&expired)),
    );
    end.header.caller = None;
    let log = [entry("2025-12-01T00:00:00Z", "uni/etl", request), end];
    let report = report_of(&log, None, &[]);
    let grant = &report.grants[0];
    assert_eq!(
        (grant.state.as_str(), grant.open, grant.ended_by.as_str()),
        ("expired", false, "")
    );
}

#[test]
fn an_organisation_sees_its_members_and_its_chains() {
    assert_eq!(report(Some("clinic"), &[]).entries, 4);
    assert_eq!(report(Some("uni"), &[]).entries, 1);
    assert_eq!(report(Some("uni"), &["a"]).entries, 5);
    let other = report(Some("other"), &[]);
    assert_eq!(
        (other.entries, other.grants.len(), other.keys.len()),
        (0, 0, 0)
    );
    // Of its own grant it hears what others did.
    let own = report(Some("uni"), &[]);
    assert_eq!(
        (own.grants[0].state.as_str(), own.work.len()),
        ("approved", 1)
    );
    let mut log = log();
    log[1] = approval("clinic/s1");
    let of_others = report_of(&log, Some("uni"), &[]);
    assert_eq!(
        (
            of_others.entries,
            of_others.grants[0].approved_by.as_slice()
        ),
        (1, &["clinic/s1".to_owned()][..])
    );
}

#[test]
fn the_page_is_self_contained_and_escaped() {
    let page = html::page(&report(None, &[]));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.contains("<script"));
    for outside in ["http://", "https://", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<svg").count(), 3);
    for section in sections::all(&report(None, &[])) {
        assert!(
            page.contains(section.title)
                && section
                    .rows
                    .iter()
                    .all(|row| row.len() == section.headings.len())
        );
    }
}

#[test]
fn the_report_as_json_keeps_its_names() {
    let json = serde_json::to_value(report(None, &[])).expect("plain data");
    assert_eq!(json["months"][0]["values"], 10);
    assert_eq!(json["grants"][0]["remaining"], 70);
    assert_eq!(json["quota_alarms"][0]["reason"], "QUOTA_SUBJECTS");
}

#[test]
fn proposals_stand_in_the_order_in_which_they_were_made_with_what_became_of_them() {
    let proposal = |id: &str, hour: u32, days: u64| {
        let time = format!("2026-01-02T{hour:02}:00:00Z");
        let proposal = Proposal {
            id: id.parse().expect("an id"),
            matter: Matter::Erase {
                namespace: "n".parse().expect("an id"),
            },
            proposer: "uni/etl".parse().expect("an identity"),
            at: at(&time),
            not_after: at(&time).plus_millis(days * 24 * 3_600_000),
            registry_version: 1,
            required: Vec::new(),
        };
        entry(&time, "uni/etl", Event::Propose(proposal))
    };
    let outcomes = |log: &[Entry]| {
        let day = |text: &str| text.parse::<Day>().expect("a day");
        let (from, to) = (day("2026-01-01"), day("2026-01-31"));
        let mut gather = Gather::new(from, to, None, BTreeSet::new(), at("2026-06-01T00:00:00Z"));
        log.iter().for_each(|entry| gather.take(entry));
        let rows = gather.finish(Standing::NotVerified("a test")).proposals;
        rows.into_iter()
            .map(|row| format!("{} {}", row.proposal, row.outcome))
            .collect::<Vec<_>>()
    };
    let mut log = vec![
        proposal("p-2", 1, 7),
        proposal("p-1", 3, 100),
        proposal("p-3", 2, 100),
    ];
    let Event::Propose(third) = &log[2].event else {
        panic!("made here");
    };
    let reject = Event::RejectProposal(ProposalSigned {
        proposal: ProposalRef::of(third),
        signature: signature("uni/s1"),
    });
    log.push(entry("2026-01-03T00:00:00Z", "uni/s1", reject));
    assert_eq!(
        outcomes(&log),
        ["p-2 expired", "p-3 rejected by uni/s1", "p-1 open"]
    );
    let restore = Event::AcceptRestore(Restored {
        restore: Restore {
            at: at("2026-01-04T00:00:00Z"),
            restored_size: 1,
            restored_root: [0; 32],
            lost_size: 1,
            lost_root: [0; 32],
            nonce: [0; 16],
            lost_rows: BTreeSet::new(),
        },
        signatures: [signature("custodian/anna"), signature("custodian/bert")],
    });
    let mut restored = entry("2026-01-04T00:00:00Z", "custodian/anna", restore);
    restored.header.caller = None;
    log.push(restored);
    assert_eq!(
        outcomes(&log),
        [
            "p-2 ended by a restore",
            "p-3 rejected by uni/s1",
            "p-1 ended by a restore"
        ]
    );
}

#[test]
fn amounts_of_a_hostile_log_stop_at_the_largest_number() {
    let hostile = |kids: &[u32]| {
        let keys: Vec<_> = kids.iter().map(|kid| used(*kid, u64::MAX)).collect();
        let submitted = Event::Pseudonymise(Submitted {
            chain: "a".parse().expect("an id"),
            rows: u64::MAX,
            values: u64::MAX,
            rejected: u64::MAX,
            keys: keys.clone(),
        });
        let converted = Event::Convert(Granted {
            grant: GrantRef::of(&grant()),
            rows: u64::MAX,
            values: u64::MAX,
            rejected: u64::MAX,
            counter: u64::MAX,
            keys,
        });
        [submitted, converted].map(|event| entry("2026-01-31T00:00:00Z", "uni/etl", event))
    };
    let mut log = vec![log().remove(0)];
    for kids in [&[1][..], &[2], &[1, 2, 3]] {
        log.extend(hostile(kids));
    }
    let report = report_of(&log, None, &[]);
    let all = [u64::MAX; 3];
    let amounts = |amount: &Amount| [amount.rows, amount.values, amount.rejected];
    assert!(
        report
            .chains
            .iter()
            .all(|used| amounts(&used.amount) == all)
    );
    assert!(
        report
            .months
            .iter()
            .all(|used| amounts(&used.amount) == all)
    );
    assert_eq!(amounts(&report.grants[0].in_period), all);
    assert!(html::page(&report).contains(&u64::MAX.to_string()));
}
