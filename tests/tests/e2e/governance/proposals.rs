//! A registry is in force with the last signature it needs, and not before; whatever changes meanwhile ends it.

use sluis_ledger::statement::Deed;
use sluis_testkit::people::{self, key_table};
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::world::{self, World};
use sluis_wire::v1;

use super::{BEN, CUSTODIAN, OTHER_STEWARD, STEWARDS, now, outcome, propose, sign, version};
use crate::refusals::{AUDITOR, OWNER, audit};
use sluis_testkit_daemon::raw::Services;

fn other_name() -> String {
    registry().replace("name = \"University Research\"", "name = \"University\"")
}

fn other_retention(years: u8) -> String {
    registry().replace("retention = \"10y\"", &format!("retention = \"{years}y\""))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_the_first_registry_needs_two_custodians() {
    let world = World::start_empty("").await;
    let proposal = propose(&world, &registry()).await;
    assert_eq!(
        proposal
            .needs
            .iter()
            .map(|n| (n.stewards_of.as_str(), n.count))
            .collect::<Vec<_>>(),
        [("", 2)]
    );
    assert_eq!(sign(&world, CUSTODIAN, &proposal).await, "allowed");
    assert_eq!(sign(&world, CUSTODIAN, &proposal).await, "ALREADY_SIGNED");
    assert_eq!(
        (version(&world).await, now(&world, &proposal).await.state()),
        (0, v1::ProposalState::Open)
    );
    assert_eq!(
        sign(&world, STEWARDS[0], &proposal).await,
        "UNKNOWN_ORGANISATION",
        "nobody else is known yet"
    );
    assert_eq!(sign(&world, BEN, &proposal).await, "allowed");
    assert_eq!(
        (version(&world).await, now(&world, &proposal).await.state()),
        (1, v1::ProposalState::Effective)
    );
    assert_eq!(sign(&world, BEN, &proposal).await, "PROPOSAL_DECIDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_a_registry_change_signed_by_one_is_not_in_force() {
    let world = World::start().await;
    for (toml, [one, two]) in [
        (other_name(), [CUSTODIAN, BEN]),
        (other_retention(9), STEWARDS),
    ] {
        let before = version(&world).await;
        let proposal = propose(&world, &toml).await;
        assert_eq!(sign(&world, one, &proposal).await, "allowed");
        assert_eq!(sign(&world, one, &proposal).await, "ALREADY_SIGNED");
        let stands = now(&world, &proposal).await;
        assert_eq!(
            (
                version(&world).await,
                stands.state(),
                stands.missing[0].count
            ),
            (before, v1::ProposalState::Open, 1)
        );
        assert_eq!(sign(&world, two, &proposal).await, "allowed");
        assert_eq!(version(&world).await, before + 1);
        world.apply(&registry()).await.expect("as before");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_custodians_cannot_sign_for_stewards_nor_stewards_for_others() {
    let world = World::start().await;
    let proposal = propose(&world, &other_retention(9)).await;
    for (member, expected) in [
        (CUSTODIAN, "NOT_A_SIGNER"),
        (BEN, "NOT_A_SIGNER"),
        (OTHER_STEWARD, "UNKNOWN_PROPOSAL"),
        (OWNER, "UNKNOWN_PROPOSAL"),
        (AUDITOR, "UNKNOWN_PROPOSAL"),
        ("outsider/steward-x", "UNKNOWN_PROPOSAL"),
    ] {
        assert_eq!(sign(&world, member, &proposal).await, expected, "{member}");
    }
    let both = registry()
        .replace("name = \"University Research\"", "name = \"U\"")
        .replace("= \"10y\"", "= \"9y\"");
    let proposal = propose(&world, &both).await;
    assert_eq!(sign(&world, CUSTODIAN, &proposal).await, "allowed");
    assert_eq!(sign(&world, STEWARDS[0], &proposal).await, "allowed");
    assert_eq!(sign(&world, BEN, &proposal).await, "allowed");
    assert_eq!(version(&world).await, 1, "one steward is missing");
    assert_eq!(sign(&world, STEWARDS[1], &proposal).await, "allowed");
    assert_eq!(version(&world).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_signature_of_one_kind_does_not_stand_for_another_kind() {
    let world = World::start().await;
    let stewards = "stewards = [\"steward-1\", \"steward-2\"]";
    let three = registry().replace(
        stewards,
        "stewards = [\"steward-1\", \"steward-2\", \"etl\"]",
    ) + &key_table(OWNER);
    world.apply(&three).await.expect("valid");
    let both = three
        .replace("name = \"University Research\"", "name = \"U\"")
        .replace("= \"10y\"", "= \"9y\"");
    let proposal = propose(&world, &both).await;
    for steward in STEWARDS {
        assert_eq!(sign(&world, steward, &proposal).await, "allowed");
    }
    assert_eq!(
        sign(&world, OWNER, &proposal).await,
        "NOT_A_SIGNER",
        "theirs are all there"
    );
    assert_eq!(version(&world).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_only_a_fitting_signature_with_the_pinned_key_counts() {
    let world = World::start().await;
    let (proposal, other) = (
        propose(&world, &other_name()).await,
        propose(&world, &other_name()).await,
    );
    let anna = world.client(CUSTODIAN).await;
    let send = |signature: Vec<u8>| {
        let (anna, proposal_id) = (anna.clone(), proposal.proposal_id.clone());
        async move {
            let request = v1::SignProposalRequest {
                proposal_id,
                signature: signature.into(),
            };
            outcome(anna.proposals().sign_proposal(request).await)
        }
    };
    let signed = |key: &str, deed, object: &[u8]| {
        people::signer(key)
            .sign(deed, &proposal.origin, object)
            .expect("signs")
    };
    for (what, signature) in [
        (
            "of another proposal",
            signed(CUSTODIAN, Deed::SignProposal, &other.canonical),
        ),
        (
            "of a rejection",
            signed(CUSTODIAN, Deed::RejectProposal, &proposal.canonical),
        ),
        (
            "of another custodian",
            signed(BEN, Deed::SignProposal, &proposal.canonical),
        ),
        ("of nothing", Vec::new()),
    ] {
        assert_eq!(send(signature).await, "BAD_SIGNATURE", "{what}");
    }
    let other_key = world
        .connect(&world.pki.other_key_of(CUSTODIAN))
        .await
        .expect("the authority is ours");
    assert_eq!(
        outcome(world::sign(&other_key, &proposal).await),
        "KEY_NOT_PINNED"
    );
    assert_eq!(
        send(signed(CUSTODIAN, Deed::SignProposal, &proposal.canonical)).await,
        "allowed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_against_a_registry_that_was_replaced_is_stale() {
    let world = World::start().await;
    let (first, second) = (
        propose(&world, &other_retention(9)).await,
        propose(&world, &other_retention(8)).await,
    );
    assert_eq!(sign(&world, STEWARDS[0], &second).await, "allowed");
    world.sign_all(&first.proposal_id).await.expect("signed");
    assert_eq!(sign(&world, STEWARDS[1], &second).await, "PROPOSAL_STALE");
    assert_eq!(now(&world, &second).await.state(), v1::ProposalState::Stale);
    assert_eq!(
        sign(&world, STEWARDS[1], &second).await,
        "PROPOSAL_STALE",
        "for good"
    );
    assert_eq!(version(&world).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_the_signature_of_somebody_who_has_lost_their_standing_does_not_count() {
    let world = World::start().await;
    // Blocking is the custodians' and makes another registry version; the key versions' proposals have no base, so a
    // cut shows that the signers themselves are looked at.
    let version_of_study = {
        let status = world
            .client(CUSTODIAN)
            .await
            .custody()
            .get_status(v1::GetStatusRequest {})
            .await;
        let versions = status.expect("a custodian").into_inner().key_versions;
        versions
            .into_iter()
            .find(|v| v.chain_id == "diabetes-study" && v.namespace_id == "nl.bsn")
            .expect("a version")
    };
    let request = v1::CutEscrowRequest {
        kid: version_of_study.kid,
    };
    let answer = world
        .client(CUSTODIAN)
        .await
        .custody()
        .cut_escrow(request)
        .await
        .expect("a custodian");
    let proposal = answer.into_inner().proposal.expect("always set");
    assert_eq!(sign(&world, STEWARDS[0], &proposal).await, "allowed");
    let stewards = "stewards = [\"steward-1\", \"steward-2\"]";
    let blocked = registry().replace(stewards, &format!("{stewards}\nblocked = [\"steward-1\"]"));
    world.apply(&blocked).await.expect("valid");
    assert_eq!(sign(&world, STEWARDS[0], &proposal).await, "BLOCKED");
    assert_eq!(sign(&world, STEWARDS[1], &proposal).await, "PROPOSAL_STALE");
    assert_eq!(
        now(&world, &proposal).await.state(),
        v1::ProposalState::Stale
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_rejected_withdrawn_or_expired_never_comes_into_force() {
    let world = World::start().await;
    let reject = |member: &'static str, proposal: v1::Proposal| {
        let world = &world;
        async move { outcome(world::reject(&world.client(member).await, &proposal).await) }
    };
    let [rejected, withdrawn, late] = [
        propose(&world, &other_retention(9)).await,
        propose(&world, &other_retention(8)).await,
        propose(&world, &other_retention(7)).await,
    ];
    for proposal in [&rejected, &withdrawn, &late] {
        assert_eq!(sign(&world, STEWARDS[0], proposal).await, "allowed");
    }
    assert_eq!(reject(BEN, rejected.clone()).await, "NOT_A_SIGNER");
    assert_eq!(
        reject(OTHER_STEWARD, rejected.clone()).await,
        "UNKNOWN_PROPOSAL"
    );
    assert_eq!(
        reject(STEWARDS[0], rejected.clone()).await,
        "allowed",
        "one may change one's mind"
    );
    assert_eq!(
        reject(CUSTODIAN, withdrawn.clone()).await,
        "allowed",
        "the proposer withdraws"
    );
    for proposal in [&rejected, &withdrawn] {
        assert_eq!(
            sign(&world, STEWARDS[1], proposal).await,
            "PROPOSAL_DECIDED"
        );
        assert_eq!(
            reject(STEWARDS[1], proposal.clone()).await,
            "PROPOSAL_DECIDED"
        );
        assert_eq!(
            now(&world, proposal).await.state(),
            v1::ProposalState::Rejected
        );
    }
    world.clock.advance_hours(30 * 24);
    assert_eq!(sign(&world, STEWARDS[1], &late).await, "PROPOSAL_EXPIRED");
    assert_eq!(now(&world, &late).await.state(), v1::ProposalState::Expired);
    assert_eq!(version(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_and_their_signatures_survive_a_restart() {
    let world = World::start().await;
    let proposal = propose(&world, &other_retention(9)).await;
    assert_eq!(sign(&world, STEWARDS[0], &proposal).await, "allowed");
    let before = now(&world, &proposal).await;
    let world = world.restart().await;
    assert_eq!(now(&world, &proposal).await, before);
    assert_eq!(sign(&world, STEWARDS[0], &proposal).await, "ALREADY_SIGNED");
    assert_eq!(sign(&world, STEWARDS[1], &proposal).await, "allowed");
    let world = world.restart().await;
    assert_eq!(version(&world).await, 2);
    let text = world
        .client(CUSTODIAN)
        .await
        .registry()
        .get_registry(v1::GetRegistryRequest::default())
        .await;
    assert_eq!(
        text.expect("a custodian").into_inner().toml,
        other_retention(9)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn earlier_registry_versions_can_be_read_by_custodians_and_auditors() {
    let world = World::start().await;
    world.apply(&other_name()).await.expect("valid");
    for member in [CUSTODIAN, AUDITOR] {
        let client = world.client(member).await;
        let read = |version| {
            let client = client.clone();
            async move {
                client
                    .registry()
                    .get_registry(v1::GetRegistryRequest { version })
                    .await
                    .map(|r| r.into_inner())
            }
        };
        for (asked, version, toml) in [
            (0, 2, other_name()),
            (1, 1, registry()),
            (2, 2, other_name()),
        ] {
            let text = read(asked).await.expect("a reader");
            assert_eq!((text.version, text.toml), (version, toml));
        }
        assert_eq!(outcome(read(3).await), "INVALID_REQUEST");
    }
    let member = world
        .client(OWNER)
        .await
        .registry()
        .get_registry(v1::GetRegistryRequest { version: 1 })
        .await;
    assert_eq!(outcome(member), "NOT_A_CUSTODIAN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_who_proposed_and_who_signed_what_is_on_record_with_their_signatures() {
    let world = World::start().await;
    let proposal = propose(&world, &other_retention(9)).await;
    world.sign_all(&proposal.proposal_id).await.expect("signed");
    let entries = audit(&world).await;
    let after: Vec<_> = entries
        .iter()
        .skip_while(|e| e.act != "registry-apply")
        .skip(1)
        .collect();
    let acts: Vec<_> = after
        .iter()
        .map(|e| (e.act.as_str(), e.actor.as_str()))
        .collect();
    let expected = [
        ("proposal", CUSTODIAN),
        ("proposal-sign", STEWARDS[0]),
        ("proposal-sign", STEWARDS[1]),
        ("registry-apply", STEWARDS[1]),
    ];
    assert_eq!(acts[..4], expected);
    assert_eq!(after[2].signers, [STEWARDS[1]]);
}
