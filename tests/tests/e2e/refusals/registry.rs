//! Registries and custody acts that are refused; nothing of a refused registry is taken.

use sluis_client::ClientError;
use sluis_crypto::token;
use sluis_testkit::people::key_table;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::custody;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::World;
use sluis_wire::v1;

use super::{BSNS, CUSTODIAN, STUDY, outcome, tokens};

/// (field, description) of each violation of a refused registry.
async fn problems(world: &World, text: &str) -> Vec<(String, String)> {
    let error = world.apply(text).await.expect_err("not a valid registry");
    assert_eq!(error.reason(), Some("INVALID_REGISTRY"));
    let refusal = error.refusal().expect("an answer");
    refusal
        .violations
        .iter()
        .map(|v| (v.field.clone(), v.description.clone()))
        .collect()
}

async fn version(world: &World) -> (u64, String) {
    let request = v1::GetRegistryRequest::default();
    let now = world
        .client(CUSTODIAN)
        .await
        .registry()
        .get_registry(request)
        .await
        .expect("a custodian")
        .into_inner();
    (now.version, now.toml)
}

fn line_of(text: &str, what: &str) -> usize {
    text.lines()
        .position(|line| line.contains(what))
        .expect("it is there")
        + 1
}

fn edited(from: &str, to: &str) -> String {
    let text = registry();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_a_registry_that_makes_a_custodian_a_steward_is_refused() {
    let world = World::start().await;
    let organisation = "\n[[organisation]]\nid = \"custodian\"\n\
        name = \"C\"\nmembers = [\"anna\", \"eva\"]\nstewards = [\"anna\", \"eva\"] # here\n";
    let text =
        registry() + organisation + &key_table("custodian/anna") + &key_table("custodian/eva");
    let found = problems(&world, &text).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].0.starts_with("organisation[custodian].stewards"),
        "{found:?}"
    );
    assert!(
        found[0]
            .1
            .starts_with(&format!("line {}: ", line_of(&text, "# here"))),
        "{found:?}"
    );
    assert_eq!(version(&world).await, (1, registry()));
    let eva = text
        .replace("[\"anna\", \"eva\"] # here", "[\"eva\"]")
        .replace(&key_table("custodian/anna"), "");
    world.apply(&eva).await.expect("eva is no custodian");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_4_a_registry_that_lowers_approvals_below_two_is_refused() {
    let world = World::start().await;
    for number in ["1", "0", "-1"] {
        let text = edited(
            "reidentify_approvals = 2",
            &format!("reidentify_approvals = {number}"),
        );
        let found = problems(&world, &text).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "chain[diabetes-study].reidentify_approvals");
    }
    let lonely = edited(
        "stewards = [\"steward-1\", \"steward-2\"]",
        "stewards = [\"steward-1\"]",
    );
    let found = problems(&world, &lonely).await;
    assert!(
        found
            .iter()
            .any(|(field, _)| field == "chain[diabetes-study].owner"),
        "{found:?}"
    );
    assert_eq!(version(&world).await, (1, registry()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_no_toml_is_refused_with_its_place() {
    let world = World::start().await;
    let text = registry() + "\n[[organisation\n";
    let found = problems(&world, &text).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let line = line_of(&text, "[[organisation\n".trim_end()).max(text.lines().count());
    assert!(
        found[0]
            .1
            .starts_with(&format!("line {line}: this is not valid TOML")),
        "{found:?} {line}"
    );
    assert_eq!(
        outcome(world.apply(&"#".repeat((4 << 20) + 1)).await),
        "INVALID_REQUEST"
    );
    assert_eq!(version(&world).await, (1, registry()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_error_of_a_registry_is_told_at_once_with_its_place() {
    let world = World::start().await;
    let edits = [
        (
            "retention = \"10y\"",
            "retentoin = \"10y\"",
            "chain[diabetes-study].retentoin",
        ),
        (
            "identifier = \"nl-bsn\"",
            "identifier = \"nl-ssn\"",
            "namespace[nl.bsn].identifier",
        ),
        (
            "sources = [\"hospital-north\", \"gp-south\"]",
            "sources = [\"hospital-nroth\"]",
            "chain[diabetes-study].sources",
        ),
        (
            "max_days = 30",
            "max_days = 0",
            "chain[diabetes-study].element[visit_date].max_days",
        ),
        (
            "link = \"none\"",
            "link = \"maybe\"",
            "chain[diabetes-study].namespace[study.email].link",
        ),
    ];
    let text = edits.iter().fold(registry(), |text, (from, to, _)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let found = problems(&world, &text).await;
    for (_, wrong, field) in edits {
        let place = format!("line {}: ", line_of(&text, wrong));
        let told = found
            .iter()
            .any(|(f, d)| f.starts_with(field) && d.starts_with(&place));
        assert!(told, "{place}{field} is not among {found:#?}");
    }
    assert_eq!(version(&world).await, (1, registry()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_cannot_be_removed() {
    let world = World::start().await;
    let text = registry();
    let start = text
        .find("# A release for others")
        .expect("the last chain of the demo");
    let end = text[start..]
        .find("\n[[organisation]]")
        .expect("the outsider follows")
        + start;
    let without = format!("{}{}", &text[..start], &text[end..]);
    let found = problems(&world, &without).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0.contains("open-release"), "{found:?}");
    assert_eq!(version(&world).await, (1, registry()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_changes_made_at_the_same_time_one_comes_into_force_and_the_other_is_stale() {
    let world = World::start().await;
    let client = world.client(CUSTODIAN).await;
    let change = |retention: &str| {
        let toml = edited(
            "retention = \"10y\"",
            &format!("retention = \"{retention}\""),
        );
        let request = v1::ApplyRegistryRequest {
            toml,
            dry_run: false,
            expected_version: Some(1),
        };
        let client = client.clone();
        async move {
            let proposed = client
                .registry()
                .apply_registry(request)
                .await
                .expect("valid")
                .into_inner();
            proposed.proposal.expect("it differs").proposal_id
        }
    };
    let (one, other) = tokio::join!(change("5y"), change("6y"));
    let (one, other) = tokio::join!(world.sign_all(&one), world.sign_all(&other));
    let mut said = [outcome(one), outcome(other)];
    said.sort();
    assert_eq!(said, ["PROPOSAL_STALE", "allowed"]);
    assert_eq!(version(&world).await.0, 2);
    let dry = v1::ApplyRegistryRequest {
        toml: registry(),
        dry_run: true,
        expected_version: Some(1),
    };
    assert_eq!(
        outcome(client.registry().apply_registry(dry).await),
        "REGISTRY_CHANGED"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_changes_nothing_and_refuses_the_same() {
    let world = World::start().await;
    let client = world.client(CUSTODIAN).await;
    let dry = |toml| v1::ApplyRegistryRequest {
        toml,
        dry_run: true,
        expected_version: None,
    };
    let shown = client
        .registry()
        .apply_registry(dry(edited("retention = \"10y\"", "retention = \"5y\"")))
        .await;
    let shown = shown.expect("valid").into_inner();
    assert_eq!((shown.version, shown.changes.len()), (1, 1));
    let wrong = dry(edited(
        "reidentify_approvals = 2",
        "reidentify_approvals = 1",
    ));
    assert_eq!(
        outcome(client.registry().apply_registry(wrong).await),
        "INVALID_REGISTRY"
    );
    assert_eq!(version(&world).await, (1, registry()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_versions_that_are_active_or_unknown_cannot_be_disabled() {
    let world = World::start().await;
    let client = world.client(CUSTODIAN).await;
    let token = tokens(&world, STUDY, &BSNS[..1]).await.remove(0);
    let kid = token::parse_text(token.as_bytes())
        .expect("a token")
        .0
        .to_string();
    let disable = |kid: &str| {
        let (client, kid) = (client.clone(), kid.to_owned());
        async move { outcome(custody::disable_version(&client, &kid).await) }
    };
    assert_eq!(disable(&kid).await, "KEY_VERSION_STATE");
    assert_eq!(disable("00000001").await, "UNKNOWN_KEY_VERSION");
    let rotate = |chain: &str, namespace: &str| {
        let (client, chain) = (client.clone(), chain.to_owned());
        let namespace = namespace.to_owned();
        async move { outcome(custody::rotate_chain(&client, &chain, &namespace).await) }
    };
    let nothing = v1::RotateChainRequest { instruction: None };
    assert_eq!(
        outcome(client.custody().rotate_chain(nothing).await),
        "INVALID_REQUEST"
    );
    assert_eq!(rotate("no-such", "").await, "UNKNOWN_CHAIN");
    assert_eq!(
        rotate("national-registry", "study.email").await,
        "INVALID_REQUEST"
    );
    assert_eq!(
        tokens(&world, STUDY, &BSNS[..1]).await,
        [token.as_str()],
        "nothing has changed"
    );
    assert_eq!(rotate(STUDY, "nl.bsn").await, "allowed");
    assert_eq!(disable(&kid).await, "allowed");
    assert_eq!(disable(&kid).await, "KEY_VERSION_STATE", "disabled already");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_registry_is_answered_with_the_fixed_message() {
    let world = World::start().await;
    let error: ClientError = world
        .apply("x = \"950000012\"")
        .await
        .expect_err("an unknown key");
    assert!(
        error
            .to_string()
            .ends_with(sluis_domain::Reason::InvalidRegistry.message()),
        "{error}"
    );
}
