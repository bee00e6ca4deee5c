//! A custodian that shows one thing and has another signed: `sluis` does not sign it.

use std::collections::HashMap;
use std::process::Output;

use sluis_testkit::registry::registry;
use sluis_testkit_daemon::process::Sluis;
use sluis_testkit_daemon::scene::Scene;
use sluis_wire::v1::{self, ProposalState};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::{BEN, CUSTODIAN, STEWARDS};
use crate::liar::{self, Lies};
use sluis_testkit_daemon::raw::Services;

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
    let liar = liar::before(scene, member, lies).await;
    let Output {
        status,
        stdout,
        stderr,
    } = Sluis::of(&scene.pki, &liar.endpoint, member).run(arguments);
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
        (without_texts(ProposalState::Unspecified), "proposal.state"),
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

/// Text that would erase a line, turn text round, hide and begin a line of its own.
const STEERING: &str = "x\u{1b}[2K\u{202e}\u{2066}\u{200b}\u{9b}2K\u{7}\r\nsigned; all is well";

/// Puts [`STEERING`] wherever an answer has text of any kind.
struct Steers;

impl Lies for Steers {
    fn applied(&self, mut honest: v1::ApplyRegistryResponse) -> v1::ApplyRegistryResponse {
        honest.new_key_lines = vec![STEERING.to_owned()];
        honest.changes.push(v1::RegistryChange {
            kind: v1::ChangeKind::Changed.into(),
            path: STEERING.to_owned(),
            before: STEERING.to_owned(),
            after: STEERING.to_owned(),
        });
        honest
    }

    fn chains(&self, mut honest: v1::ListChainsResponse) -> v1::ListChainsResponse {
        for chain in &mut honest.chains {
            chain.namespaces[0].missing_words = vec![STEERING.to_owned()];
        }
        honest
    }

    fn identity(&self, honest: v1::WhoAmIResponse) -> Result<v1::WhoAmIResponse, tonic::Status> {
        if honest.member == "etl" {
            let mut honest = honest;
            honest.roles = vec![STEERING.to_owned()];
            return Ok(honest);
        }
        let mut details = ErrorDetails::with_error_info(STEERING, "sluis", HashMap::new());
        details.set_bad_request(vec![FieldViolation::new(STEERING, STEERING)]);
        details.set_request_info(STEERING, "");
        let code = tonic::Code::FailedPrecondition;
        Err(tonic::Status::with_error_details(code, STEERING, details))
    }
}

/// Puts [`STEERING`] where an answer has ids and words of the contract.
struct Breaks;

impl Lies for Breaks {
    fn signed(&self, mut proposal: v1::Proposal) -> v1::Proposal {
        for need in &mut proposal.missing {
            need.stewards_of = STEERING.to_owned();
        }
        for signature in &mut proposal.signatures {
            signature.signer = STEERING.to_owned();
        }
        proposal
    }

    fn chains(&self, mut honest: v1::ListChainsResponse) -> v1::ListChainsResponse {
        for chain in &mut honest.chains {
            chain.elements[0].treatment = STEERING.to_owned();
            chain.elements[1].name = STEERING.to_owned();
        }
        honest
    }

    fn identity(
        &self,
        mut honest: v1::WhoAmIResponse,
    ) -> Result<v1::WhoAmIResponse, tonic::Status> {
        honest.member = STEERING.to_owned();
        Ok(honest)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_of_a_custodian_steers_no_terminal_before_or_after_signing_or_in_errors() {
    let scene = Scene::start("");
    let file = scene.write("next.toml", next(9));
    let etl = "hospital-north/etl";
    let study = "diabetes-study";
    let pins = scene.file("pins.toml");
    let pin = ["chain", "pin", study, "-o", &pins];
    scene.sluis(etl).ok(&pin);
    let cases: [(&str, &[&str]); 5] = [
        (CUSTODIAN, &["registry", "apply", &file, "--dry-run"]),
        (etl, &["whoami"]),
        (etl, &["whoami", "--json"]),
        (BEN, &["whoami"]),
        (etl, &["chain", "pin", "--check", &pins]),
    ];
    for (member, arguments) in cases {
        let (_, said) = told(&scene, member, Steers, arguments).await;
        let seen = said.contains("all is well");
        assert!(seen, "{arguments:?} shows what it was told: {said}");
        assert_steers_nothing(&said);
    }
    // What people are to read and agree to is not written at all.
    let (code, said) = told(&scene, etl, Steers, &["chain", "pin", study]).await;
    assert!(
        code == Some(1) && said.contains("cannot be shown"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_id_or_word_of_the_contract_is_named_and_not_shown() {
    let scene = Scene::start("");
    let file = scene.write("next.toml", next(9));
    let apply = ["registry", "apply", &file, "--yes", "--no-sign", "--json"];
    let proposed = scene.sluis(CUSTODIAN).ok(&apply);
    let id = crate::story::json(&proposed)["proposal"]["proposal_id"].clone();
    let id = id.as_str().expect("text");
    let etl = "hospital-north/etl";
    let study = "diabetes-study";
    let pins = scene.file("pins.toml");
    let pin = ["chain", "pin", study, "-o", &pins];
    scene.sluis(etl).ok(&pin);
    let records = scene.write("in.csv", "bsn,unlisted\n950000012,x\n");
    let sent = ["pseudonymise", &records, "--chain", study];
    let treatment = "chains[0].elements[0].treatment";
    let cases: [(&str, &[&str], &str); 7] = [
        (STEWARDS[0], &["proposal", "sign", id, "--yes"], "proposal."),
        (
            STEWARDS[1],
            &["registry", "sign", id, "--yes", "--json"],
            "proposal.",
        ),
        (etl, &["whoami"], "member"),
        (etl, &["chain", "list"], treatment),
        (etl, &["chain", "list", study], treatment),
        (etl, &["chain", "pin", "--check", &pins], treatment),
        (etl, &sent, treatment),
    ];
    for (member, arguments, field) in cases {
        let (code, said) = told(&scene, member, Breaks, arguments).await;
        assert!(code != Some(0), "{arguments:?}: {said}");
        assert!(said.contains(field), "{arguments:?} names {field}: {said}");
        assert!(!said.contains("all is well"), "{arguments:?}: {said}");
        assert_steers_nothing(&said);
    }
}

fn assert_steers_nothing(said: &str) {
    let steers = said
        .chars()
        .any(|c| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{2066}' | '\u{200b}'));
    assert!(!steers, "{said:?}");
    let mut lines = said.lines();
    let own = lines.any(|line| line.starts_with("signed; all is well"));
    assert!(!own, "{said}");
}
