//! Two gates: who may bring a grant to life.

use sluis_testkit::people::key_table;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{self, World, convert_terms, reidentify_terms};
use sluis_wire::v1;

use super::{BSNS, CUSTODIAN, NATIONAL, OTHER_STEWARD, OWNER, RECIPIENT, SOURCE, STEWARDS, STUDY};
use super::{convert_as, outcome, texts, tokens};

async fn request(world: &World, member: &str, terms: v1::GrantTerms) -> v1::Grant {
    let request = v1::RequestGrantRequest { terms: Some(terms) };
    let response = world
        .client(member)
        .await
        .grants()
        .request_grant(request)
        .await;
    response
        .expect("eligible")
        .into_inner()
        .grant
        .expect("always set")
}

async fn approve(world: &World, member: &str, grant: &v1::Grant) -> String {
    outcome(world::approve(&world.client(member).await, grant).await)
}

async fn deny(world: &World, member: &str, grant: &v1::Grant) -> String {
    outcome(world::deny(&world.client(member).await, grant).await)
}

async fn revoke(world: &World, member: &str, grant: &v1::Grant) -> String {
    outcome(world::revoke(&world.client(member).await, grant).await)
}

fn terms(world: &World) -> v1::GrantTerms {
    convert_terms(world, (STUDY, "bsn"), (NATIONAL, "bsn"), 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_no_custodian_can_request_approve_deny_or_revoke() {
    let world = World::start().await;
    let grant = request(&world, RECIPIENT, terms(&world)).await;
    let asked = v1::RequestGrantRequest {
        terms: Some(terms(&world)),
    };
    let custodian = world.client(CUSTODIAN).await;
    assert_eq!(
        outcome(custodian.grants().request_grant(asked).await),
        "CUSTODIAN_MAY_NOT"
    );
    for custodian in sluis_testkit::registry::CUSTODIANS {
        assert_eq!(
            approve(&world, custodian, &grant).await,
            "CUSTODIAN_MAY_NOT"
        );
        assert_eq!(deny(&world, custodian, &grant).await, "CUSTODIAN_MAY_NOT");
        assert_eq!(revoke(&world, custodian, &grant).await, "CUSTODIAN_MAY_NOT");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_no_grant_comes_alive_on_one_persons_word() {
    let world = World::start().await;
    let tokens = tokens(&world, STUDY, &BSNS[..1]).await;
    // Two owners: one steward of each.
    let grant = request(&world, RECIPIENT, terms(&world)).await;
    assert_eq!(grant.awaiting, ["registry-office", "uni-research"]);
    assert_eq!(approve(&world, STEWARDS[0], &grant).await, "allowed");
    assert_eq!(
        approve(&world, STEWARDS[0], &grant).await,
        "ALREADY_APPROVED"
    );
    assert_eq!(
        approve(&world, STEWARDS[1], &grant).await,
        "GRANT_DECIDED",
        "its owner has approved"
    );
    assert_eq!(
        outcome(convert_as(&world, RECIPIENT, &grant.grant_id, &texts(&tokens)).await),
        "GRANT_NOT_APPROVED"
    );
    assert_eq!(approve(&world, OTHER_STEWARD, &grant).await, "allowed");
    assert_eq!(
        outcome(convert_as(&world, RECIPIENT, &grant.grant_id, &texts(&tokens)).await),
        "allowed"
    );
    assert_eq!(
        approve(&world, "registry-office/steward-b", &grant).await,
        "GRANT_DECIDED"
    );
    assert_eq!(deny(&world, STEWARDS[1], &grant).await, "GRANT_DECIDED");

    // One owner of both: two different stewards.
    let grant = request(
        &world,
        OWNER,
        convert_terms(&world, (STUDY, "bsn"), ("open-release", "person"), 10),
    )
    .await;
    assert_eq!(grant.awaiting, ["uni-research", "uni-research"]);
    assert_eq!(approve(&world, STEWARDS[0], &grant).await, "allowed");
    assert_eq!(
        approve(&world, STEWARDS[0], &grant).await,
        "ALREADY_APPROVED"
    );
    assert_eq!(
        outcome(convert_as(&world, OWNER, &grant.grant_id, &texts(&tokens)).await),
        "GRANT_NOT_APPROVED"
    );
    assert_eq!(approve(&world, STEWARDS[1], &grant).await, "allowed");
    assert_eq!(
        outcome(convert_as(&world, OWNER, &grant.grant_id, &texts(&tokens)).await),
        "allowed"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_the_requester_never_approves_their_own_request() {
    let world = World::start().await;
    let grant = request(
        &world,
        STEWARDS[0],
        convert_terms(&world, (STUDY, "bsn"), ("open-release", "person"), 10),
    )
    .await;
    assert_eq!(approve(&world, STEWARDS[0], &grant).await, "OWN_REQUEST");
    assert_eq!(approve(&world, STEWARDS[1], &grant).await, "allowed");
    assert_eq!(
        approve(&world, STEWARDS[0], &grant).await,
        "OWN_REQUEST",
        "also not as the second"
    );
    let stands = super::grant(&world, OWNER, &grant.grant_id).await;
    assert_eq!(
        (stands.state(), stands.approvals.len()),
        (v1::GrantState::Requested, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_only_stewards_of_the_chains_owners_decide() {
    let world = World::start().await;
    let grant = request(
        &world,
        SOURCE,
        reidentify_terms(&world, STUDY, &["bsn"], 10),
    )
    .await;
    for (member, expected) in [
        (OWNER, "NOT_A_STEWARD"),
        (super::AUDITOR, "NOT_A_STEWARD"),
        (SOURCE, "NOT_A_STEWARD"),
        (OTHER_STEWARD, "UNKNOWN_GRANT"),
        ("outsider/steward-x", "UNKNOWN_GRANT"),
        ("uni-research/steward-3", "NOT_A_MEMBER"),
    ] {
        assert_eq!(approve(&world, member, &grant).await, expected, "{member}");
        assert_eq!(deny(&world, member, &grant).await, expected, "{member}");
    }
    assert_eq!(approve(&world, STEWARDS[0], &grant).await, "allowed");
    assert_eq!(approve(&world, STEWARDS[1], &grant).await, "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_the_word_of_a_steward_who_has_lost_their_standing_does_not_count() {
    use sluis_testkit::registry::registry;
    let world = World::start().await;
    let grant = request(
        &world,
        SOURCE,
        reidentify_terms(&world, STUDY, &["bsn"], 10),
    )
    .await;
    assert_eq!(approve(&world, STEWARDS[0], &grant).await, "allowed");
    let stewards = "stewards = [\"steward-1\", \"steward-2\"]";
    let replaced = registry().replacen(stewards, "stewards = [\"steward-2\", \"etl\"]", 1);
    let replaced = replaced.replace(&key_table(STEWARDS[0]), &key_table(OWNER));
    let blocked = registry().replacen(
        stewards,
        &format!("{stewards}\nblocked = [\"steward-1\"]"),
        1,
    );
    for without in [replaced, blocked] {
        world.apply(&without).await.expect("valid");
        assert_eq!(approve(&world, STEWARDS[1], &grant).await, "GRANT_STALE");
    }
    world.apply(&registry()).await.expect("valid");
    assert_eq!(
        approve(&world, STEWARDS[1], &grant).await,
        "GRANT_STALE",
        "what was stale once stays so"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_must_name_the_exact_grant() {
    let world = World::start().await;
    let grant = request(&world, RECIPIENT, terms(&world)).await;
    let other = request(&world, RECIPIENT, terms(&world)).await;
    assert_ne!(
        grant.digest, other.digest,
        "equal terms are still two grants"
    );
    for digest in [
        vec![],
        vec![0; 32],
        other.digest.to_vec(),
        grant.digest[..31].to_vec(),
    ] {
        let wrong = v1::Grant {
            digest: digest.into(),
            ..grant.clone()
        };
        assert_eq!(
            approve(&world, STEWARDS[0], &wrong).await,
            "DIGEST_MISMATCH"
        );
    }
    assert_eq!(approve(&world, STEWARDS[0], &grant).await, "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_denied_revoked_or_expired_can_never_be_approved() {
    let world = World::start().await;
    let [denied, revoked, expired] = [
        request(&world, RECIPIENT, terms(&world)).await,
        request(&world, RECIPIENT, terms(&world)).await,
        request(&world, RECIPIENT, terms(&world)).await,
    ];
    assert_eq!(approve(&world, STEWARDS[0], &denied).await, "allowed");
    assert_eq!(deny(&world, STEWARDS[0], &denied).await, "allowed");
    assert_eq!(revoke(&world, RECIPIENT, &revoked).await, "allowed");
    for grant in [&denied, &revoked] {
        for steward in [STEWARDS[1], OTHER_STEWARD] {
            assert_eq!(approve(&world, steward, grant).await, "GRANT_DECIDED");
            assert_eq!(deny(&world, steward, grant).await, "GRANT_DECIDED");
            assert_eq!(revoke(&world, steward, grant).await, "GRANT_DECIDED");
        }
    }
    world.clock.advance_hours(24);
    assert_eq!(
        approve(&world, STEWARDS[0], &expired).await,
        "GRANT_EXPIRED"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_grants_and_page_tokens_are_refused() {
    let world = World::start().await;
    let nothing = v1::Grant {
        grant_id: "g-0".into(),
        ..v1::Grant::default()
    };
    assert_eq!(
        approve(&world, STEWARDS[0], &nothing).await,
        "UNKNOWN_GRANT"
    );
    assert_eq!(deny(&world, STEWARDS[0], &nothing).await, "UNKNOWN_GRANT");
    assert_eq!(revoke(&world, STEWARDS[0], &nothing).await, "UNKNOWN_GRANT");
    let nameless = v1::Grant::default();
    assert_eq!(
        approve(&world, STEWARDS[0], &nameless).await,
        "INVALID_REQUEST"
    );
    let client = world.client(OWNER).await;
    let list = |request| {
        let client = client.clone();
        async move { outcome(client.grants().list_grants(request).await) }
    };
    let page = v1::ListGrantsRequest::default();
    assert_eq!(
        list(v1::ListGrantsRequest {
            page_token: "No Token".into(),
            ..page.clone()
        })
        .await,
        "INVALID_PAGE_TOKEN"
    );
    assert_eq!(
        list(v1::ListGrantsRequest {
            page_size: 1001,
            ..page.clone()
        })
        .await,
        "INVALID_REQUEST"
    );
    assert_eq!(
        list(v1::ListGrantsRequest { state: 99, ..page }).await,
        "INVALID_REQUEST"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organisation_cannot_flood_the_stewards_with_requests() {
    let world = World::start().await;
    let client = world.client(RECIPIENT).await;
    let ask = || {
        let request = v1::RequestGrantRequest {
            terms: Some(terms(&world)),
        };
        let client = client.clone();
        async move { client.grants().request_grant(request).await }
    };
    let first = ask()
        .await
        .expect("eligible")
        .into_inner()
        .grant
        .expect("always set");
    for _ in 1..100 {
        ask().await.expect("eligible");
    }
    assert_eq!(outcome(ask().await), "TOO_MANY_REQUESTED_GRANTS");
    request(&world, OWNER, terms(&world)).await;
    assert_eq!(deny(&world, STEWARDS[0], &first).await, "allowed");
    assert_eq!(outcome(ask().await), "allowed", "one was decided");
    assert_eq!(outcome(ask().await), "TOO_MANY_REQUESTED_GRANTS");
}
