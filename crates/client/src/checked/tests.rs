//! A custodian that describes something else than what would be signed is found out.

use sluis_domain::Timestamp;

use super::*;

fn a_grant() -> v1::Grant {
    let at = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
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
            not_before: Some(at),
            not_after: at.plus_millis(1_000),
        },
        namespaces: vec![Some("n".parse().expect("an id"))],
        grantee: "o".parse().expect("an id"),
        requester: "o/m".parse().expect("an identity"),
        requested_at: at,
        registry_version: 7,
        required: vec!["o".parse().expect("an id"), "p".parse().expect("an id")],
    };
    v1::Grant {
        grant_id: grant.id.to_string(),
        terms: Some(terms(&grant.terms)),
        grantee: grant.grantee.to_string(),
        requester: grant.requester.to_string(),
        requested_at: grant.requested_at.to_string(),
        digest: sha256(&grant.encode()).to_vec().into(),
        registry_version: 7,
        canonical: grant.encode().into(),
        ..v1::Grant::default()
    }
}

#[test]
fn a_grant_is_what_its_canonical_bytes_say() {
    let honest = a_grant();
    assert_eq!(grant(&honest).expect("agrees").encode(), honest.canonical);
    type Lie = fn(&mut v1::Grant);
    let in_terms = |lie: fn(&mut v1::GrantTerms)| {
        let mut wire = a_grant();
        lie(wire.terms.as_mut().expect("terms"));
        wire
    };
    let lies: [Lie; 8] = [
        |it| it.grant_id = "g-2".into(),
        |it| it.grantee = "p".into(),
        |it| it.requester = "o/n".into(),
        |it| it.requested_at = "2026-01-02T00:00:00Z".into(),
        |it| it.registry_version = 8,
        |it| it.digest = vec![0; 32].into(),
        |it| it.canonical = it.canonical.slice(1..),
        |it| it.terms = None,
    ];
    let mut told = lies.map(|lie| {
        let mut wire = a_grant();
        lie(&mut wire);
        wire
    });
    for wire in told.iter_mut() {
        assert!(grant(wire).is_err(), "{wire:?}");
    }
    for wire in [
        in_terms(|it| it.purpose = "another".into()),
        in_terms(|it| it.legal_basis = "another".into()),
        in_terms(|it| it.max_values = 11),
        in_terms(|it| it.max_values_per_day = 0),
        in_terms(|it| it.not_before.clear()),
        in_terms(|it| it.not_after = "2027-01-01T00:00:00Z".into()),
        in_terms(|it| it.kind = None),
    ] {
        assert!(grant(&wire).is_err(), "{wire:?}");
    }
}

const BASE: &str = "[[organisation]]\nid = \"o\"\nname = \"O\"\nmembers = [\"m\"]\n";

fn a_proposal(next: &str) -> v1::Proposal {
    let at = Timestamp::parse("2026-01-01T00:00:00Z").expect("a time");
    let matter = Matter::Registry {
        base_version: 1,
        base_digest: sha256(BASE.as_bytes()),
        digest: sha256(next.as_bytes()),
    };
    let proposal = Proposal {
        id: "p-1".parse().expect("an id"),
        matter,
        proposer: "c/anna".parse().expect("an identity"),
        at,
        not_after: at.plus_millis(1_000),
        registry_version: 1,
        required: vec![(Signers::Custodians, 2)],
    };
    v1::Proposal {
        proposal_id: "p-1".into(),
        kind: v1::ProposalKind::Registry.into(),
        proposer: "c/anna".into(),
        proposed_at: proposal.at.to_string(),
        not_after: proposal.not_after.to_string(),
        needs: vec![v1::SignersNeeded {
            count: 2,
            ..v1::SignersNeeded::default()
        }],
        canonical: proposal.encode().into(),
        registry_toml: next.into(),
        base_toml: BASE.into(),
        ..v1::Proposal::default()
    }
}

#[test]
fn a_registry_is_the_one_whose_digest_is_signed_and_its_change_is_computed_here() {
    let next = BASE.replace("\"O\"", "\"P\"");
    let honest = a_proposal(&next);
    let change = proposal(&honest)
        .expect("agrees")
        .registry
        .expect("the texts are there");
    assert_eq!(
        change
            .changes
            .iter()
            .map(|c| c.path.as_str())
            .collect::<Vec<_>>(),
        ["organisation[o].name"]
    );
    let lies: [fn(&mut v1::Proposal); 9] = [
        |it| it.registry_toml.push(' '),
        |it| it.base_toml.push(' '),
        |it| it.proposal_id = "p-2".into(),
        |it| it.kind = v1::ProposalKind::Erase.into(),
        |it| it.proposer = "c/ben".into(),
        |it| it.not_after = it.proposed_at.clone(),
        |it| it.proposed_at = it.not_after.clone(),
        |it| it.needs[0].count = 1,
        |it| it.needs[0].stewards_of = "o".into(),
    ];
    for lie in lies {
        let mut wire = honest.clone();
        lie(&mut wire);
        assert!(proposal(&wire).is_err(), "{wire:?}");
    }
}

#[test]
fn a_custodian_cannot_ask_for_fewer_signatures_than_the_change_needs() {
    let mut wire = a_proposal(&BASE.replace("\"O\"", "\"P\""));
    let mut inside = Proposal::decode(&wire.canonical).expect("a proposal");
    inside.required = vec![(Signers::Custodians, 1)];
    wire.canonical = inside.encode().into();
    wire.needs[0].count = 1;
    assert!(proposal(&wire).is_err());
}
