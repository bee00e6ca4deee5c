//! Approvals of grants are signatures that fit one grant, one deed, one custodian and one pinned key.

use sluis_client::Client;
use sluis_ledger::grant::State;
use sluis_ledger::statement::Deed;
use sluis_testkit::people;
use sluis_testkit::pki::{Wanted, of_member};
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{self, World, convert_terms};
use sluis_wire::v1;

use super::{CUSTODIAN, OTHER_STEWARD, RECIPIENT, STEWARDS, STUDY, outcome, request};

/// What a client is told that approves a grant with any signature.
async fn approve_with(client: &Client, grant: &v1::Grant, signature: Vec<u8>) -> String {
    let (grant_id, digest, signature) = (
        grant.grant_id.clone(),
        grant.digest.clone(),
        signature.into(),
    );
    outcome(
        client
            .grants()
            .approve_grant(v1::ApproveGrantRequest {
                grant_id,
                digest,
                signature,
            })
            .await,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_an_approval_fits_its_grant_its_deed_and_its_custodian_only() {
    let (world, elsewhere) = (World::start().await, World::start().await);
    let (grant, other) = (request(&world).await, request(&world).await);
    let foreign = request(&elsewhere).await;
    assert_ne!(grant.origin, foreign.origin);
    let steward = world.client(STEWARDS[0]).await;
    let key = people::signer(STEWARDS[0]);
    let signed =
        |deed, origin: &str, object: &[u8]| key.sign(deed, origin, object).expect("a P-256 key");
    let good = signed(Deed::ApproveGrant, &grant.origin, &grant.canonical);
    let mut changed = good.clone();
    changed[20] ^= 1;
    for (what, signature) in [
        (
            "of another grant",
            signed(Deed::ApproveGrant, &other.origin, &other.canonical),
        ),
        (
            "of a denial",
            signed(Deed::DenyGrant, &grant.origin, &grant.canonical),
        ),
        (
            "of a proposal",
            signed(Deed::SignProposal, &grant.origin, &grant.canonical),
        ),
        (
            "of another custodian",
            signed(Deed::ApproveGrant, &foreign.origin, &grant.canonical),
        ),
        ("of nothing", Vec::new()),
        ("changed", changed),
        ("too long", vec![0x30; 129]),
        ("of another steward", {
            let key = people::signer(STEWARDS[1]);
            key.sign(Deed::ApproveGrant, &grant.origin, &grant.canonical)
                .expect("a P-256 key")
        }),
    ] {
        assert_eq!(
            approve_with(&steward, &grant, signature).await,
            "BAD_SIGNATURE",
            "{what}"
        );
    }
    assert_eq!(approve_with(&steward, &grant, good).await, "allowed");
    let after = world::approve(&world.client(OTHER_STEWARD).await, &grant)
        .await
        .expect("a steward");
    assert_eq!(after.state(), v1::GrantState::Approved);
    let certificates: Vec<_> = after
        .approvals
        .iter()
        .map(|a| (!a.signature.is_empty(), !a.certificate.is_empty()))
        .collect();
    assert_eq!(certificates, [(true, true); 2], "kept with the grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_only_the_pinned_key_approves_denies_and_revokes() {
    let world = World::start().await;
    let grant = request(&world).await;
    let stolen_name = world
        .connect(&world.pki.other_key_of(STEWARDS[0]))
        .await
        .expect("the authority is ours");
    assert_eq!(
        outcome(world::approve(&stolen_name, &grant).await),
        "KEY_NOT_PINNED"
    );
    assert_eq!(
        outcome(world::deny(&stolen_name, &grant).await),
        "KEY_NOT_PINNED"
    );
    assert_eq!(
        outcome(world::revoke(&stolen_name, &grant).await),
        "KEY_NOT_PINNED"
    );
    // The pinned key's signature does not help whoever holds another certificate of that name.
    let good = people::signer(STEWARDS[0])
        .sign(Deed::ApproveGrant, &grant.origin, &grant.canonical)
        .expect("signs");
    assert_eq!(
        approve_with(&stolen_name, &grant, good).await,
        "KEY_NOT_PINNED"
    );
    // A renewed certificate of the same key does.
    assert_eq!(
        outcome(world::approve(&world.client(STEWARDS[0]).await, &grant).await),
        "allowed"
    );
    let whoami = |client: Client| async move {
        client
            .identity()
            .who_am_i(v1::WhoAmIRequest {})
            .await
            .expect("known")
            .into_inner()
            .key_pinned
    };
    assert!(whoami(world.client(STEWARDS[0]).await).await && !whoami(stolen_name).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_or_expired_certificate_approves_nothing() {
    let world = World::start().await;
    let grant = request(&world).await;
    let credentials = world.pki.member(STEWARDS[0]);
    let steward = world.connect(&credentials).await.expect("connects");
    world.pki.revoke(&credentials);
    world.running().reload();
    let told = async {
        // The daemon reads the list at its own time. A grant that is not there tells whether it has.
        let nothing = v1::Grant {
            grant_id: "g-0".into(),
            ..grant.clone()
        };
        while outcome(world::approve(&steward, &nothing).await) == "UNKNOWN_GRANT" {
            tokio::task::yield_now().await;
        }
        outcome(world::approve(&steward, &grant).await)
    };
    let told = tokio::time::timeout(std::time::Duration::from_secs(60), told)
        .await
        .expect("it is read");
    assert_ne!(told, "allowed");
    let expired = world.pki.client(&Wanted {
        expired: true,
        ..of_member(STEWARDS[0])
    });
    if let Ok(client) = world.connect(&expired).await {
        assert_ne!(
            outcome(world::approve(&client, &grant).await),
            "allowed",
            "refused in the handshake"
        );
    }
    let lasting = world.client(STEWARDS[0]).await;
    lasting
        .identity()
        .who_am_i(v1::WhoAmIRequest {})
        .await
        .expect("the connection stands");
    world.clock.advance_hours(24 * 3651);
    assert_eq!(
        outcome(world::approve(&lasting, &grant).await),
        "CERTIFICATE_EXPIRED"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn denials_and_revocations_are_signed_too() {
    let world = World::start().await;
    let (grant, other) = (request(&world).await, request(&world).await);
    let steward = world.client(STEWARDS[0]).await;
    let yes = steward
        .sign(Deed::ApproveGrant, &grant.origin, &grant.canonical)
        .await
        .expect("signs");
    let deny = v1::DenyGrantRequest {
        grant_id: grant.grant_id.clone(),
        signature: yes.clone().into(),
    };
    assert_eq!(
        outcome(steward.grants().deny_grant(deny).await),
        "BAD_SIGNATURE"
    );
    let revoke = v1::RevokeGrantRequest {
        grant_id: grant.grant_id.clone(),
        signature: yes.into(),
    };
    assert_eq!(
        outcome(steward.grants().revoke_grant(revoke).await),
        "BAD_SIGNATURE"
    );
    assert_eq!(outcome(world::deny(&steward, &grant).await), "allowed");
    // A member of the grantee has no pinned key, and gives up their own grant with that of their certificate.
    let grantee = world.client(RECIPIENT).await;
    let wrong = steward
        .sign(Deed::RevokeGrant, &other.origin, &other.canonical)
        .await
        .expect("signs");
    let request = v1::RevokeGrantRequest {
        grant_id: other.grant_id.clone(),
        signature: wrong.into(),
    };
    assert_eq!(
        outcome(grantee.grants().revoke_grant(request).await),
        "BAD_SIGNATURE"
    );
    assert_eq!(outcome(world::revoke(&grantee, &other).await), "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_in_the_registry_is_the_one_that_counts() {
    let world = World::start().await;
    let grant = request(&world).await;
    let new = world.pki.other_key_of(STEWARDS[0]);
    let key = sluis_client::TlsKey::from_pem(new.key_pem.as_bytes())
        .expect("a P-256 key")
        .public()
        .to_string();
    let old = people::public_key(STEWARDS[0]).to_string();
    world
        .apply(&registry().replace(&old, &key))
        .await
        .expect("both stewards sign with their old keys");
    assert_eq!(
        outcome(world::approve(&world.client(STEWARDS[0]).await, &grant).await),
        "KEY_NOT_PINNED"
    );
    let steward = world.connect(&new).await.expect("connects");
    assert_eq!(outcome(world::approve(&steward, &grant).await), "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approvals_survive_a_restart_and_the_keys_of_their_time_verify_them() {
    let world = World::start().await;
    let terms = convert_terms(&world, (STUDY, "bsn"), ("national-registry", "bsn"), 10);
    let id = world
        .grant(RECIPIENT, terms, &[STEWARDS[0], OTHER_STEWARD])
        .await;
    // Steward 1 gets another key: what they signed before stays signed.
    let key = people::public_key("uni-research/steward-1-again").to_string();
    let changed = registry().replace(&people::public_key(STEWARDS[0]).to_string(), &key);
    world
        .apply(&changed)
        .await
        .expect("signed by both stewards");
    let world = world.restart().await;
    let grant = world
        .client(RECIPIENT)
        .await
        .grant(&id.parse().expect("an id"))
        .await
        .expect("its grantee");
    assert_eq!(grant.state, State::Approved);
    assert_eq!(
        grant
            .approvals
            .iter()
            .map(|a| a.registry_version)
            .collect::<Vec<_>>(),
        [1, 1]
    );
    assert_eq!(super::version(&world).await, 2);
    drop(world.client(CUSTODIAN).await);
}
