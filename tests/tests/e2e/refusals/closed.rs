//! Promise 8: what is not known is refused, with an answer that says what to do.

use sluis_daemon::config::{self, Sources};
use sluis_domain::Reason;
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::world::{World, batch, pseudonymise};
use sluis_wire::v1;

use super::{BSNS, SOURCE, STUDY, outcome};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_unknown_chain_column_member_and_organisation_are_refused() {
    let world = World::start().await;
    for (member, chain, column, expected) in [
        (SOURCE, "no-such-chain", "bsn", "UNKNOWN_CHAIN"),
        (SOURCE, STUDY, "income", "UNKNOWN_ELEMENT"),
        ("hospital-north/ghost", STUDY, "bsn", "NOT_A_MEMBER"),
        ("nobody/etl", STUDY, "bsn", "UNKNOWN_ORGANISATION"),
        (SOURCE, STUDY, "bsn", "allowed"),
    ] {
        let client = world.client(member).await;
        let answer = pseudonymise(&client, chain, batch(&[(column, &BSNS)])).await;
        let message = answer
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert_eq!(outcome(answer), expected);
        if let Some(reason) = Reason::from_code(expected) {
            assert_eq!(
                message,
                format!("{expected}: {}", reason.message()),
                "the fixed message, and no more"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_before_the_first_registry_nobody_but_a_custodian_gets_in() {
    let world = World::start_empty("").await;
    let who = |member: &'static str| {
        let client = world.client(member);
        async move { outcome(client.await.identity().who_am_i(v1::WhoAmIRequest {}).await) }
    };
    assert_eq!(who(SOURCE).await, "UNKNOWN_ORGANISATION");
    assert_eq!(who(super::CUSTODIAN).await, "allowed");
    world.apply(&registry()).await.expect("valid");
    assert_eq!(who(SOURCE).await, "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_an_expired_certificate_is_refused_also_on_an_old_connection() {
    let world = World::start().await;
    let client = world.client(SOURCE).await;
    assert_eq!(
        outcome(client.identity().who_am_i(v1::WhoAmIRequest {}).await),
        "allowed"
    );
    world.clock.advance_hours(24 * 3651);
    assert_eq!(
        outcome(client.identity().who_am_i(v1::WhoAmIRequest {}).await),
        "CERTIFICATE_EXPIRED"
    );
    let answer = pseudonymise(&client, STUDY, batch(&[("bsn", &BSNS)])).await;
    assert_eq!(outcome(answer), "CERTIFICATE_EXPIRED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_every_unknown_or_wrong_configuration_key_is_told_at_once() {
    let world = World::start().await;
    let text = std::fs::read_to_string(world.path("sluisd.toml")).expect("written by the world");
    let wrong = format!("colour = 1\n{text}\n[limits]\nmax_rows = 3\nmax_batch_rows = 0\n");
    let Err(problems) = config::parse(&wrong, &Sources::default()) else {
        panic!("it has unknown keys")
    };
    for key in ["colour", "limits.max_rows", "limits.max_batch_rows"] {
        assert!(
            problems.0.iter().any(|problem| problem.contains(key)),
            "{key} is not among {problems}"
        );
    }
    assert!(config::parse(&text, &Sources::default()).is_ok());
    let environment = vec![("SLUISD_LIMITS__MAX_ROWS".to_owned(), "3".to_owned())];
    assert!(
        config::parse(
            &text,
            &Sources {
                environment,
                ..Sources::default()
            }
        )
        .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_without_its_key_encryption_key_the_keyring_stays_sealed() {
    use sluis_daemon::Daemon;
    use sluis_store::{Options, RocksStore};
    use std::sync::Arc;
    let world = World::start().await;
    let (kek, data) = (world.path("kek"), world.path("data"));
    let settings = sluis_testkit_daemon::world::settings(kek.parent().expect("a directory"));
    let (_, directory) = world.stop().await;
    let right = std::fs::read(&kek).expect("written by init");
    // The file may be text or bytes: either way another one of the same form.
    let mut wrong = right.clone();
    let middle = wrong.len() / 2;
    wrong[middle] = if wrong[middle] == b'0' { b'1' } else { b'0' };
    for (content, opens) in [(Some(wrong), false), (None, false), (Some(right), true)] {
        drop(std::fs::remove_file(&kek));
        if let Some(content) = &content {
            write_private(&kek, content);
        }
        let store = Arc::new(RocksStore::open(&data, &Options::default()).expect("opens"));
        let clock = Arc::new(sluis_testkit::clock::TestClock::now());
        let started = Daemon::start(settings.clone(), store, clock).await;
        assert_eq!(started.is_ok(), opens);
        if let Ok(running) = started {
            running.shutdown().await;
        }
    }
    drop(directory);
}

fn write_private(path: &std::path::Path, content: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, content).expect("scratch file");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("own file");
}
