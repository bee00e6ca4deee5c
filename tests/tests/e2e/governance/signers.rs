//! Every class of a chain's settings needs the stewards of its owner.

use sluis_testkit::people::key_table;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::World;
use sluis_wire::v1;

use super::{BEN, CUSTODIAN, STEWARDS, propose, sign, version};

const SOURCES: &str = "sources = [\"hospital-north\", \"gp-south\"]";

/// Edits of the study in the registry of the tests, one of each class.
const EDITS: [(&str, &str, &str); 10] = [
    (
        "owner",
        "owner = \"uni-research\"\nsources = [\"h",
        "owner = \"registry-office\"\nsources = [\"h",
    ),
    (
        "sources",
        SOURCES,
        "sources = [\"hospital-north\", \"gp-south\", \"uni-research\"]",
    ),
    (
        "recipients",
        "recipients = [\"uni-research\", \"registry-office\"]",
        "recipients = [\"uni-research\"]",
    ),
    (
        "reidentify_to",
        "reidentify_to = [\"hospital-north\", \"gp-south\"]",
        "reidentify_to = []",
    ),
    ("retention", "retention = \"10y\"", "retention = \"11y\""),
    (
        "link",
        "link = \"escrow\"\nreversible = true",
        "link = \"none\"",
    ),
    (
        "reversible",
        "link = \"escrow\"\nreversible = true",
        "link = \"escrow\"",
    ),
    (
        "quota",
        "retention = \"10y\"",
        "retention = \"10y\"\n[[chain.quota]]\nsubjects_per_day = 9\n",
    ),
    (
        "element",
        "name = \"email\"\ntreatment = \"pseudonym\"\nnamespace = \"study.email\"",
        "name = \"email\"\ntreatment = \"keep\"",
    ),
    (
        "new element",
        "[[chain.element]]\nname = \"city\"",
        "[[chain.element]]\nname = \"x\"\ntreatment = \"keep\"\n[[chain.element]]\nname = \"city\"",
    ),
];

fn needs(needs: &[v1::SignersNeeded]) -> Vec<(&str, u32)> {
    needs
        .iter()
        .map(|need| (need.stewards_of.as_str(), need.count))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_every_class_of_a_chains_settings_needs_two_stewards_of_its_owner() {
    let world = World::start().await;
    for (what, from, to) in EDITS {
        let text = registry();
        assert!(text.contains(from), "{what}");
        let proposal = propose(&world, &text.replacen(from, to, 1)).await;
        let expected: &[(&str, u32)] = match what {
            "owner" => &[("registry-office", 2), ("uni-research", 2)],
            _ => &[("uni-research", 2)],
        };
        assert_eq!(needs(&proposal.needs), expected, "{what}");
        for custodian in [CUSTODIAN, BEN] {
            assert_eq!(
                sign(&world, custodian, &proposal).await,
                "NOT_A_SIGNER",
                "{what}"
            );
        }
        assert_eq!(
            sign(&world, STEWARDS[0], &proposal).await,
            "allowed",
            "{what}"
        );
        assert_eq!(version(&world).await, 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_stewards_and_their_keys_are_changed_by_the_stewards_themselves() {
    let world = World::start().await;
    let stewards = "stewards = [\"steward-1\", \"steward-2\"]";
    let mine = registry().replace(stewards, "stewards = [\"etl\", \"steward-2\"]");
    let mine = mine.replace(&key_table(STEWARDS[0]), &key_table("uni-research/etl"));
    let key = registry().replace(
        &key_table(STEWARDS[0]),
        &key_table("uni-research/etl").replace("/etl", "/steward-1"),
    );
    for text in [mine, key] {
        let proposal = propose(&world, &text).await;
        assert_eq!(needs(&proposal.needs), [("uni-research", 2)]);
        assert_eq!(sign(&world, CUSTODIAN, &proposal).await, "NOT_A_SIGNER");
        // Who would be steward after it signs nothing before it.
        assert_eq!(
            sign(&world, "uni-research/etl", &proposal).await,
            "UNKNOWN_PROPOSAL"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_who_must_sign_because_of_what_and_proposes_nothing() {
    let world = World::start().await;
    let custodian = world.client(CUSTODIAN).await;
    let toml = registry()
        .replace("= \"10y\"", "= \"9y\"")
        .replace("name = \"University Research\"", "name = \"U\"");
    let request = v1::ApplyRegistryRequest {
        toml,
        dry_run: true,
        expected_version: None,
    };
    let answer = custodian
        .registry()
        .apply_registry(request)
        .await
        .expect("valid")
        .into_inner();
    assert_eq!(needs(&answer.needs), [("", 2), ("uni-research", 2)]);
    let because: Vec<_> = answer
        .needs
        .iter()
        .flat_map(|need| need.because.iter().map(String::as_str))
        .collect();
    assert_eq!(
        because,
        [
            "organisation[uni-research].name",
            "chain[diabetes-study].retention"
        ]
    );
    assert!(answer.proposal.is_none());
    let list = v1::ListProposalsRequest { all: true };
    let listed = custodian
        .proposals()
        .list_proposals(list)
        .await
        .expect("known")
        .into_inner()
        .proposals;
    assert_eq!(listed.len(), 1, "the first registration alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custodians_key_cannot_be_a_stewards() {
    let world = World::start().await;
    let anna = key_table(CUSTODIAN).replace(CUSTODIAN, STEWARDS[0]);
    let error = world
        .propose(&registry().replace(&key_table(STEWARDS[0]), &anna))
        .await
        .expect_err("refused");
    assert_eq!(error.reason(), Some("INVALID_REGISTRY"));
    assert_eq!(
        error.refusal().expect("an answer").violations[0].field,
        "key[uni-research/steward-1]"
    );
}
