//! Proposals travel both ways, and a custodian that describes something else than what would be signed is found out.

use super::*;

fn at() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").expect("a time")
}

fn record(matter: Matter) -> Record {
    let stewards = Signers::StewardsOf("o".parse().expect("an id"));
    let proposal = Proposal {
        id: "p-1".parse().expect("an id"),
        matter,
        proposer: "c/anna".parse().expect("an identity"),
        at: at(),
        not_after: at().plus_millis(1_000),
        registry_version: 1,
        required: vec![(Signers::Custodians, 2), (stewards.clone(), 2)],
    };
    let signature = Signature {
        signer: "o/ben".parse().expect("an identity"),
        among: stewards,
        at: at(),
        signed: Signed {
            signature: vec![1, 2],
            certificate: vec![3, 4],
        },
    };
    Record {
        proposal,
        signatures: vec![signature],
        ended: None,
    }
}

fn view() -> ProposalView {
    let matter = Matter::Registry {
        base_version: 1,
        base_digest: [1; 32],
        digest: [2; 32],
    };
    let texts = RegistryTexts {
        proposed: "next".to_owned(),
        base: "base".to_owned(),
    };
    ProposalView::new(&record(matter), State::Open, "example.org/1").with_texts(Some(texts))
}

#[test]
fn a_proposal_survives_the_way_out_and_in_in_every_state() {
    for state in [
        State::Open,
        State::Effective,
        State::Rejected,
        State::Stale,
        State::Expired,
    ] {
        let view = ProposalView { state, ..view() };
        let wire = v1::Proposal::from(view.clone());
        assert_eq!(wire.missing[1].count, 1);
        assert_eq!(ProposalView::try_from(wire), Ok(view));
    }
    let kid = sluis_domain::Kid::new(1).expect("not zero");
    let namespace: sluis_domain::NamespaceId = "n".parse().expect("an id");
    let chain: sluis_domain::ChainId = "a".parse().expect("an id");
    for matter in [
        Matter::DestroyVersion {
            kid,
            chain: chain.clone(),
            namespace: None,
        },
        Matter::CutEscrow {
            kid,
            chain,
            namespace: namespace.clone(),
        },
        Matter::Erase { namespace },
    ] {
        let view = ProposalView::new(&record(matter), State::Open, "example.org/1");
        let wire = v1::Proposal::from(view.clone());
        assert_eq!(ProposalView::try_from(wire), Ok(view));
    }
}

#[test]
fn a_proposal_is_what_its_canonical_bytes_say() {
    type Lie = fn(&mut v1::Proposal);
    let lies: [(Lie, &str); 8] = [
        (|it| it.proposal_id = "p-2".into(), "proposal_id"),
        (|it| it.kind = v1::ProposalKind::Erase.into(), "kind"),
        (|it| it.proposer = "c/ben".into(), "proposer"),
        (|it| it.not_after = it.proposed_at.clone(), "not_after"),
        (|it| it.proposed_at = it.not_after.clone(), "proposed_at"),
        (|it| it.needs[0].count = 1, "needs"),
        (|it| it.needs[0].stewards_of = "o".into(), "needs"),
        (|it| it.canonical = it.canonical.slice(1..), "canonical"),
    ];
    for (lie, field) in lies {
        let mut wire = v1::Proposal::from(view());
        lie(&mut wire);
        let invalid = ProposalView::try_from(wire).expect_err(field);
        assert_eq!(invalid.field, field);
        assert!(invalid.problem.contains("do not sign it"));
    }
}

#[test]
fn errors_in_how_it_stands_name_the_field() {
    type Break = fn(&mut v1::Proposal);
    let cases: [(Break, &str); 6] = [
        (|it| it.state = 0, "state"),
        (|it| it.state = 99, "state"),
        (
            |it| it.missing[1].stewards_of = "NO".into(),
            "missing[1].stewards_of",
        ),
        (|it| it.missing[0].count = 256, "missing[0].count"),
        (|it| it.signatures[0].signer.clear(), "signatures[0].signer"),
        (
            |it| it.signatures[0].signed_at = "then".into(),
            "signatures[0].signed_at",
        ),
    ];
    for (break_it, field) in cases {
        let mut wire = v1::Proposal::from(view());
        break_it(&mut wire);
        assert_eq!(ProposalView::try_from(wire).expect_err(field).field, field);
    }
}
