//! A custodian that shows another registry than the one that would be signed is found out.

use sluis_domain::Timestamp;
use sluis_ledger::proposal::{Record, State};
use sluis_ledger::registry::Signers;
use sluis_wire::proposal::RegistryTexts;

use super::*;

const BASE: &str = "[[organisation]]\nid = \"o\"\nname = \"O\"\nmembers = [\"m\"]\n";

fn a_proposal(next: &str, required: u8) -> ProposalView {
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
        required: vec![(Signers::Custodians, required)],
    };
    let texts = RegistryTexts {
        proposed: next.to_owned(),
        base: BASE.to_owned(),
    };
    let view = ProposalView::new(&Record::new(proposal), State::Open, "example.org/1");
    view.with_texts(Some(texts))
}

#[test]
fn a_registry_is_the_one_whose_digest_is_signed_and_its_change_is_computed_here() {
    let next = BASE.replace("\"O\"", "\"P\"");
    let honest = a_proposal(&next, 2);
    let checked = proposal(honest.clone()).expect("agrees");
    let change = checked.registry.expect("the texts are there");
    let paths: Vec<_> = change.changes.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["organisation[o].name"]);
    type Lie = fn(&mut RegistryTexts);
    let lies: [(Lie, &str); 2] = [
        (|it| it.proposed.push(' '), "proposal.registry_toml"),
        (|it| it.base.push(' '), "proposal.base_toml"),
    ];
    for (lie, field) in lies {
        let mut told = honest.clone();
        lie(told.texts.as_mut().expect("texts"));
        let Err(ClientError::Invalid(invalid)) = proposal(told) else {
            panic!("{field}")
        };
        assert_eq!(invalid.field, field);
    }
}

#[test]
fn a_custodian_cannot_ask_for_fewer_signatures_than_the_change_needs() {
    let next = BASE.replace("\"O\"", "\"P\"");
    let Err(ClientError::Invalid(invalid)) = proposal(a_proposal(&next, 1)) else {
        panic!("too few")
    };
    assert_eq!(invalid.field, "proposal.needs");
}
