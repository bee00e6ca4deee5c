use super::*;
use proptest::prelude::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis).expect("small")
}

fn who(text: &str) -> Identity {
    text.parse().expect("organisation/member")
}

fn signed() -> Signed {
    Signed {
        signature: vec![5; 70],
        certificate: vec![6; 300],
    }
}

fn grant(required: &[&str]) -> Grant {
    Grant {
        id: "g-1".parse().expect("id"),
        terms: Terms {
            kind: Kind::Convert {
                from: ("a".parse().expect("id"), "bsn".parse().expect("id")),
                to: ("b".parse().expect("id"), "pid".parse().expect("id")),
                order: OutputOrder::Ordered,
            },
            purpose: "linkage".into(),
            legal_basis: "consent".into(),
            max_values: 10,
            max_values_per_day: Some(4),
            not_before: Some(at(100)),
            not_after: at(200),
        },
        namespaces: vec!["nl.bsn".parse().ok()],
        grantee: "uni".parse().expect("id"),
        requester: who("uni/etl"),
        requested_at: at(50),
        registry_version: 3,
        required: required.iter().map(|r| r.parse().expect("id")).collect(),
    }
}

#[test]
fn comes_alive_only_with_every_approval() {
    let fresh = Record::new(grant(&["a-owner", "b-owner"]));
    assert_eq!(fresh.usable(at(150)), Err(Reason::GrantNotApproved));
    let half = fresh
        .approve(&who("a-owner/s1"), at(60), 3, signed())
        .expect("first");
    assert_eq!(half.usable(at(150)), Err(Reason::GrantNotApproved));
    assert_eq!(
        half.approve(&who("a-owner/s1"), at(61), 3, signed()),
        Err(Reason::AlreadyApproved)
    );
    assert_eq!(
        half.approve(&who("a-owner/s2"), at(61), 3, signed()),
        Err(Reason::GrantDecided),
        "the other owner must"
    );
    let whole = half
        .approve(&who("b-owner/s1"), at(62), 3, signed())
        .expect("second");
    assert_eq!(whole.usable(at(99)), Err(Reason::GrantNotStarted));
    assert_eq!(whole.usable(at(100)), Ok(()));
    assert_eq!(whole.usable(at(200)), Err(Reason::GrantExpired));
    assert_eq!(whole.state(at(150), 10), State::Exhausted);
}

#[test]
fn one_owner_needs_two_different_stewards_and_never_the_requester() {
    let fresh = Record::new(grant(&["uni", "uni"]));
    assert_eq!(
        fresh.approve(&who("uni/etl"), at(60), 3, signed()),
        Err(Reason::OwnRequest)
    );
    let half = fresh
        .approve(&who("uni/s1"), at(60), 3, signed())
        .expect("first");
    assert_eq!(half.awaiting().len(), 1);
    assert!(
        half.approve(&who("uni/s2"), at(60), 3, signed())
            .expect("second")
            .awaiting()
            .is_empty()
    );
}

#[test]
fn denied_and_revoked_are_final() {
    let fresh = Record::new(grant(&["a-owner"]));
    let denied = fresh
        .deny(&who("a-owner/s1"), at(60), signed())
        .expect("denies");
    assert_eq!(
        denied.approve(&who("a-owner/s2"), at(61), 3, signed()),
        Err(Reason::GrantDecided)
    );
    assert_eq!(denied.usable(at(150)), Err(Reason::GrantDenied));
    assert_eq!(
        denied.revoke(&who("uni/etl"), at(61), signed()),
        Err(Reason::GrantDecided)
    );
    let alive = fresh
        .approve(&who("a-owner/s1"), at(60), 3, signed())
        .expect("approves");
    assert_eq!(
        alive.deny(&who("a-owner/s1"), at(61), signed()),
        Err(Reason::GrantDecided)
    );
    let revoked = alive
        .revoke(&who("a-owner/s1"), at(61), signed())
        .expect("revokes");
    assert_eq!(revoked.usable(at(150)), Err(Reason::GrantRevoked));
}

#[test]
fn one_that_expired_on_record_stays_so_whatever_the_clock_says() {
    let fresh = Record::new(grant(&["a-owner"]));
    assert_eq!(fresh.expire(at(199)), None);
    let asked = fresh.expire(at(200)).expect("its end has passed");
    assert_eq!(
        asked.approve(&who("a-owner/s1"), at(60), 3, signed()),
        Err(Reason::GrantExpired)
    );
    let alive = fresh
        .approve(&who("a-owner/s1"), at(60), 3, signed())
        .expect("approves");
    let over = alive.expire(at(200)).expect("its end has passed");
    assert_eq!(over.state(at(150), 10), State::Expired);
    assert_eq!(over.usable(at(150)), Err(Reason::GrantExpired));
    assert_eq!(
        over.revoke(&who("a-owner/s1"), at(150), signed()),
        Err(Reason::GrantExpired)
    );
    assert_eq!(over.expire(at(201)), None, "once");
    assert_eq!(over.ended_by_someone(), None);
    assert_eq!(Record::decode(&over.encode()), Ok(over));
}

#[test]
fn wrong_terms_name_every_field() {
    let mut terms = grant(&[]).terms;
    assert_eq!(terms.check(at(50)), Ok(()));
    terms.purpose = "  ".into();
    terms.max_values = 0;
    terms.max_values_per_day = None;
    terms.not_after = at(10);
    let fields: Vec<_> = terms
        .check(at(50))
        .expect_err("wrong")
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(fields, ["purpose", "max_values", "not_after", "not_after"]);
}

/// The example of `docs/audit-log.md`.
#[test]
fn canonical_bytes_are_frozen() {
    let expected: Vec<u8> = [
        &b"\x02\0\x03g-1\x01\0\x01a\0\x03bsn\0\x01b\0\x03pid\x01"[..],
        b"\0\x07linkage\0\x07consent\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x04",
        b"\0\0\0\0\0\0\0\x64\0\0\0\0\0\0\0\xc8",
        b"\0\x01\0\x06nl.bsn",
        b"\0\x03uni\0\x03uni\0\x03etl\0\0\0\0\0\0\0\x32\0\0\0\0\0\0\0\x03",
        b"\0\x02\0\x07a-owner\0\x07b-owner",
    ]
    .concat();
    assert_eq!(grant(&["a-owner", "b-owner"]).encode(), expected);
}

#[test]
fn records_survive_the_store_and_cuts_do_not_panic() {
    let record = Record::new(grant(&["a-owner", "b-owner"]))
        .approve(&who("a-owner/s1"), at(60), 3, signed())
        .expect("approves");
    let record = record
        .revoke(&who("uni/etl"), at(70), signed())
        .expect("withdraws");
    let bytes = record.encode();
    assert_eq!(Record::decode(&bytes), Ok(record));
    for end in 0..bytes.len() {
        assert!(Record::decode(&bytes[..end]).is_err());
    }
}

proptest! {
    /// Whatever happens in whatever order, no grant is usable without all its approvals from different people.
    #[test]
    fn no_path_leads_round_the_two_gates(events in proptest::collection::vec((0u8..5, 0u8..4, 0u64..300), 0..12)) {
        let people = ["uni/etl", "uni/s1", "uni/s2", "b-owner/s1"];
        let mut record = Record::new(grant(&["b-owner", "uni"]));
        for (event, person, time) in events {
            let person = who(people[person as usize]);
            let next = match event {
                0 | 1 => record.approve(&person, at(time), 3, signed()),
                2 => record.deny(&person, at(time), signed()),
                3 => record.revoke(&person, at(time), signed()),
                _ => record.expire(at(time)).ok_or(Reason::GrantDecided),
            };
            record = next.unwrap_or(record);
            if record.usable(at(150)).is_ok() {
                let mut organisations: Vec<_> =
                    record.approvals.iter().map(|a| a.steward.organisation.to_string()).collect();
                organisations.sort();
                prop_assert_eq!(organisations, ["b-owner", "uni"]);
                prop_assert!(record.approvals.iter().all(|a| a.steward != record.grant.requester));
                prop_assert!(record.ended.is_none());
            }
        }
    }
}
