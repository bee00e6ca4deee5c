//! Grants travel both ways, and a custodian that describes something else than what would be signed is found out.

use sluis_ledger::grant::{End, Ended, Kind, OutputOrder, Terms};

use super::*;
use crate::v1::grant_terms::Kind as WireKind;

fn convert_terms() -> v1::GrantTerms {
    v1::GrantTerms {
        kind: Some(WireKind::Convert(v1::ConvertTerms {
            from_chain_id: "a".to_owned(),
            from_element: "x".to_owned(),
            to_chain_id: "b".to_owned(),
            to_element: "y".to_owned(),
            output_order: v1::OutputOrder::Shuffled.into(),
        })),
        purpose: "why".to_owned(),
        legal_basis: "law".to_owned(),
        max_values: 5,
        max_values_per_day: 3,
        not_before: "2026-01-01T00:00:00Z".to_owned(),
        not_after: "2027-01-01T00:00:00Z".to_owned(),
    }
}

#[test]
fn terms_survive_the_way_in_and_out() {
    let convert = convert_terms();
    let reidentify = v1::GrantTerms {
        kind: Some(WireKind::Reidentify(v1::ReidentifyTerms {
            chain_id: "a".to_owned(),
            elements: vec!["x".to_owned()],
        })),
        ..convert.clone()
    };
    for wire in [convert, reidentify] {
        let terms = Terms::try_from(wire.clone()).expect("valid");
        assert_eq!(v1::GrantTerms::from(&terms), wire);
    }
}

#[test]
fn errors_in_terms_name_the_field() {
    type Break = fn(&mut v1::GrantTerms);
    let cases: [(Break, &str); 11] = [
        (|t| t.kind = None, "kind"),
        (|t| t.not_after.clear(), "not_after"),
        (|t| t.not_after = "later".to_owned(), "not_after"),
        (|t| t.not_before = "soon".to_owned(), "not_before"),
        (
            |t| convert(t, |c| c.from_chain_id.clear()),
            "convert.from_chain_id",
        ),
        (
            |t| convert(t, |c| c.from_element.push(' ')),
            "convert.from_element",
        ),
        (
            |t| convert(t, |c| c.to_chain_id.push(' ')),
            "convert.to_chain_id",
        ),
        (
            |t| convert(t, |c| c.to_element.clear()),
            "convert.to_element",
        ),
        (
            |t| convert(t, |c| c.output_order = 99),
            "convert.output_order",
        ),
        (|t| reidentify(t, "", &["x"]), "reidentify.chain_id"),
        (
            |t| reidentify(t, "a", &["x", "Y"]),
            "reidentify.elements[1]",
        ),
    ];
    for (break_it, field) in cases {
        let mut wire = convert_terms();
        break_it(&mut wire);
        let invalid = Terms::try_from(wire).expect_err(field);
        assert_eq!(invalid.field, field);
    }
}

fn convert(terms: &mut v1::GrantTerms, change: impl FnOnce(&mut v1::ConvertTerms)) {
    if let Some(WireKind::Convert(convert)) = &mut terms.kind {
        change(convert);
    }
}

fn reidentify(terms: &mut v1::GrantTerms, chain: &str, elements: &[&str]) {
    terms.kind = Some(WireKind::Reidentify(v1::ReidentifyTerms {
        chain_id: chain.to_owned(),
        elements: field::texts(elements),
    }));
}

fn at() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").expect("a time")
}

fn record() -> Record {
    let grant = Grant {
        id: "g-1".parse().expect("an id"),
        terms: Terms {
            kind: Kind::Convert {
                from: ("a".parse().expect("an id"), "x".parse().expect("an id")),
                to: ("b".parse().expect("an id"), "y".parse().expect("an id")),
                order: OutputOrder::Shuffled,
            },
            purpose: "why".to_owned(),
            legal_basis: "law".to_owned(),
            max_values: 10,
            max_values_per_day: Some(3),
            not_before: Some(at()),
            not_after: at().plus_millis(1_000),
        },
        namespaces: vec![Some("n".parse().expect("an id"))],
        grantee: "o".parse().expect("an id"),
        requester: "o/m".parse().expect("an identity"),
        requested_at: at(),
        registry_version: 7,
        required: vec!["o".parse().expect("an id"), "p".parse().expect("an id")],
    };
    let signed = Signed {
        signature: vec![1, 2],
        certificate: vec![3, 4],
    };
    let approval = Approval {
        steward: "p/anna".parse().expect("an identity"),
        at: at(),
        registry_version: 7,
        signed: signed.clone(),
    };
    Record {
        grant,
        approvals: vec![approval],
        ended: Some(Ended {
            how: End::Revoked,
            by: "p/ben".parse().expect("an identity"),
            at: at(),
            signed: Some(signed),
        }),
    }
}

fn view() -> GrantView {
    GrantView::new(&record(), State::Revoked, 4, 1, "example.org/1")
}

#[test]
fn a_grant_survives_the_way_out_and_in_in_every_state() {
    for state in [
        State::Requested,
        State::Approved,
        State::Denied,
        State::Expired,
        State::Exhausted,
        State::Revoked,
        State::Stale,
    ] {
        let view = GrantView { state, ..view() };
        let wire = v1::Grant::from(view.clone());
        assert_eq!(wire.canonical, record().grant.encode());
        assert_eq!(GrantView::try_from(wire), Ok(view));
    }
}

#[test]
fn a_grant_is_what_its_canonical_bytes_say() {
    type Lie = fn(&mut v1::Grant);
    let lies: [(Lie, &str); 14] = [
        (|it| it.grant_id = "g-2".into(), "grant_id"),
        (|it| it.grantee = "p".into(), "grantee"),
        (|it| it.requester = "o/n".into(), "requester"),
        (
            |it| it.requested_at = "2026-01-02T00:00:00Z".into(),
            "requested_at",
        ),
        (|it| it.registry_version = 8, "registry_version"),
        (|it| it.digest = vec![0; 32].into(), "digest"),
        (|it| it.canonical = it.canonical.slice(1..), "canonical"),
        (|it| it.terms = None, "terms"),
        (|it| terms(it).purpose = "another".into(), "terms"),
        (|it| terms(it).legal_basis = "another".into(), "terms"),
        (|it| terms(it).max_values = 11, "terms"),
        (|it| terms(it).max_values_per_day = 0, "terms"),
        (|it| terms(it).not_before.clear(), "terms"),
        (|it| terms(it).kind = None, "terms"),
    ];
    for (lie, field) in lies {
        let mut wire = v1::Grant::from(view());
        lie(&mut wire);
        let invalid = GrantView::try_from(wire).expect_err(field);
        assert_eq!(invalid.field, field);
        assert!(invalid.problem.contains("do not sign it"));
    }
}

fn terms(wire: &mut v1::Grant) -> &mut v1::GrantTerms {
    wire.terms.as_mut().expect("terms")
}

#[test]
fn errors_in_how_it_stands_name_the_field() {
    type Break = fn(&mut v1::Grant);
    let cases: [(Break, &str); 7] = [
        (|it| it.state = 0, "state"),
        (|it| it.state = 99, "state"),
        (|it| it.awaiting.push("NO".into()), "awaiting[1]"),
        (|it| it.approvals[0].steward.clear(), "approvals[0].steward"),
        (
            |it| it.approvals[0].approved_at.clear(),
            "approvals[0].approved_at",
        ),
        (|it| it.ended_by = "NO".into(), "ended_by"),
        (|it| it.ended_at = "then".into(), "ended_at"),
    ];
    for (break_it, field) in cases {
        let mut wire = v1::Grant::from(view());
        break_it(&mut wire);
        assert_eq!(GrantView::try_from(wire).expect_err(field).field, field);
    }
}
