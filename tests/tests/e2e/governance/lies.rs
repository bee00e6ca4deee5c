//! A custodian that shows one thing and has another signed: `sluis` does not sign it.

use std::process::Output;

use sluis_client::v1::{self, ProposalState};
use sluis_testkit::process::Sluis;
use sluis_testkit::registry::registry;
use sluis_testkit::scene::Scene;

use super::{BEN, CUSTODIAN, STEWARDS};
use crate::liar::{self, Lies};

/// What is shown instead of an honest proposal.
struct Shows(Box<dyn Fn(v1::Proposal) -> v1::Proposal + Send + Sync>);

impl Lies for Shows {
    fn proposal(&self, honest: v1::Proposal) -> v1::Proposal {
        (self.0)(honest)
    }
}

/// Proposes another text than the one that it was given.
struct Proposes(String);

impl Lies for Proposes {
    fn asked(&self, asked: v1::ApplyRegistryRequest) -> v1::ApplyRegistryRequest {
        if asked.dry_run {
            asked
        } else {
            v1::ApplyRegistryRequest {
                toml: self.0.clone(),
                ..asked
            }
        }
    }
}

/// Keeps a change to itself.
struct Hides;

impl Lies for Hides {
    fn applied(&self, mut honest: v1::ApplyRegistryResponse) -> v1::ApplyRegistryResponse {
        honest.changes.pop();
        honest
    }
}

struct Honest;

impl Lies for Honest {}

/// Another name, which the custodians sign, and another retention, which stewards do.
fn next(years: u8) -> String {
    let named = registry().replace("name = \"University Research\"", "name = \"U\"");
    named.replace("= \"10y\"", &format!("= \"{years}y\""))
}

/// What a member is told by a command that talks to a liar, and its exit code.
async fn told(
    scene: &Scene,
    member: &str,
    lies: impl Lies,
    arguments: &[&str],
) -> (Option<i32>, String) {
    let endpoint = liar::before(scene, member, lies).await;
    let Output {
        status,
        stdout,
        stderr,
    } = Sluis::of(&scene.pki, &endpoint, member).run(arguments);
    (
        status.code(),
        format!(
            "{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        ),
    )
}

/// The signatures under all proposals but that of the first registry.
async fn signatures(scene: &Scene) -> usize {
    let client = scene.client(BEN).await;
    let listed = client
        .proposals()
        .list_proposals(v1::ListProposalsRequest { all: false })
        .await;
    listed
        .expect("a custodian")
        .into_inner()
        .proposals
        .iter()
        .map(|proposal| proposal.signatures.len())
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_a_registry_that_is_not_the_file_that_was_shown_is_not_signed() {
    let scene = Scene::start("");
    let file = scene.write("next.toml", next(9));
    let apply = ["registry", "apply", &file, "--yes"];
    let refused = "the proposal is not what was shown, so you did not sign it";
    let (code, said) = told(&scene, CUSTODIAN, Proposes(next(1)), &apply).await;
    assert!(code == Some(1) && said.contains(refused), "{said}");
    let (code, said) = told(&scene, CUSTODIAN, Hides, &apply).await;
    assert!(code == Some(1) && said.contains(refused), "{said}");
    assert_eq!(signatures(&scene).await, 0);
    let (code, said) = told(&scene, CUSTODIAN, Honest, &apply).await;
    assert!(code == Some(0) && said.contains("waits until"), "{said}");
    assert_eq!(signatures(&scene).await, 1, "the same way, without a lie");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_nobody_signs_a_registry_that_they_were_not_shown() {
    let scene = Scene::start("");
    let [id, other] = [9, 8].map(|years| {
        let file = scene.write("next.toml", next(years));
        let said = scene.sluis(CUSTODIAN).ok(&[
            "registry",
            "apply",
            &file,
            "--yes",
            "--no-sign",
            "--json",
        ]);
        crate::story::json(&said)["proposal"]["proposal_id"]
            .as_str()
            .expect("text")
            .to_owned()
    });
    let custodian = scene.client(CUSTODIAN).await;
    let request = v1::GetProposalRequest { proposal_id: other };
    let other = custodian
        .proposals()
        .get_proposal(request)
        .await
        .expect("proposed")
        .into_inner()
        .proposal;
    let other = other.expect("always set");
    let without_texts = |state: ProposalState| {
        let hide = move |honest: v1::Proposal| v1::Proposal {
            state: state.into(),
            registry_toml: String::new(),
            base_toml: String::new(),
            ..honest
        };
        Shows(Box::new(hide))
    };
    let another_text = |honest: v1::Proposal| v1::Proposal {
        registry_toml: next(11),
        ..honest
    };
    let another_base = |honest: v1::Proposal| v1::Proposal {
        base_toml: next(9),
        ..honest
    };
    for (lie, words) in [
        (
            without_texts(ProposalState::Open),
            "a proposed registry without its text",
        ),
        (without_texts(ProposalState::Stale), "PROPOSAL_STALE"),
        (without_texts(ProposalState::Expired), "PROPOSAL_EXPIRED"),
        (without_texts(ProposalState::Effective), "PROPOSAL_DECIDED"),
        (without_texts(ProposalState::Rejected), "PROPOSAL_DECIDED"),
        (
            without_texts(ProposalState::Unspecified),
            "PROPOSAL_DECIDED",
        ),
        (
            Shows(Box::new(another_text)),
            "is not the proposal that would be signed",
        ),
        (
            Shows(Box::new(another_base)),
            "is not the proposal that would be signed",
        ),
        (
            Shows(Box::new(move |_| other.clone())),
            "an answer with another proposal",
        ),
    ] {
        let (code, said) = told(
            &scene,
            STEWARDS[0],
            lie,
            &["registry", "sign", &id, "--yes"],
        )
        .await;
        assert!(code == Some(1) && said.contains(words), "{words}: {said}");
        assert_eq!(signatures(&scene).await, 0, "{words}");
    }
    let (code, said) = told(
        &scene,
        STEWARDS[0],
        Honest,
        &["proposal", "sign", &id, "--yes"],
    )
    .await;
    assert_eq!((code, signatures(&scene).await), (Some(0), 1), "{said}");
}
