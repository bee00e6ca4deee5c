//! Revocation lists through the front door: which list speaks for which certificate, and until when.

use sluis_testkit::pki::{Credentials, Pki};
use sluis_testkit_daemon::metrics;
use sluis_testkit_daemon::raw::Services;
use sluis_testkit_daemon::wait::{first, until};
use sluis_testkit_daemon::world::{METRICS, World};
use sluis_wire::v1;
use tokio_rustls::rustls::AlertDescription::{AccessDenied, CertificateRevoked};
use tokio_rustls::rustls::version::TLS13;

use super::door::knock;
use super::{SOURCE, open, outcome, send};

/// Both authorities, and both lists in the order that is asked for.
fn install_both(world: &World, renewed: &Pki, renewed_first: bool) {
    let old_list = world.pki.list(-1, 24);
    let new_list = renewed.list(-1, 24);
    let lists = if renewed_first {
        new_list + &old_list
    } else {
        old_list + &new_list
    };
    world.pki.install("crl.pem", &lists);
    world.running().reload();
}

async fn opens(world: &World, credentials: &Credentials) {
    until("the door opens", async || {
        knock(world, Some(credentials), &TLS13).await.is_none()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_authority_keeps_its_name_and_neither_key_locks_the_others_clients_out() {
    let world = World::start().await;
    let renewed = Pki::create(&world.path("renewed"));
    let old = world.pki.member(SOURCE);
    let new = renewed.member_with_serial_of(SOURCE, &old);
    let both = world.pki.ca_pem() + &renewed.ca_pem();
    world.pki.install("ca.pem", &both);
    for renewed_first in [false, true] {
        install_both(&world, &renewed, renewed_first);
        opens(&world, &new).await;
        assert_eq!(knock(&world, Some(&old), &TLS13).await, None);
    }
    // The serial number is revoked under the old key, and stays good under the new one.
    let client = world.connect(&new).await.expect("let in");
    let (mut stream, revoked) = open(&world).await;
    let twin = renewed.member_with_serial_of(SOURCE, &revoked);
    world.pki.revoke(&revoked);
    install_both(&world, &renewed, true);
    let told = first("the list is read", async || {
        Some(send(&mut stream).await).filter(|said| said != "allowed")
    })
    .await;
    assert_eq!(told, "CERTIFICATE_REVOKED");
    assert_eq!(
        knock(&world, Some(&revoked), &TLS13).await,
        Some(CertificateRevoked)
    );
    opens(&world, &twin).await;
    let answer = client.identity().who_am_i(v1::WhoAmIRequest {}).await;
    assert_eq!(outcome(answer), "allowed", "on the open connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_list_has_expired_open_streams_and_new_calls_are_refused_too() {
    let world = World::start().await;
    world.pki.install("crl.pem", &world.pki.list(-1, 1));
    world.running().reload();
    let (mut stream, credentials) = open(&world).await;
    let client = world.connect(&credentials).await.expect("let in");
    // The daemon reads the list at its own time; before, the one that is valid for a year is in force.
    world.clock.advance_hours(2);
    let told = first("the list expires", async || {
        Some(send(&mut stream).await).filter(|said| said != "allowed")
    })
    .await;
    assert_eq!(told, "REVOCATION_LIST_EXPIRED");
    let answer = client.identity().who_am_i(v1::WhoAmIRequest {}).await;
    assert_eq!(outcome(answer), "REVOCATION_LIST_EXPIRED");
    assert_eq!(
        knock(&world, Some(&credentials), &TLS13).await,
        Some(AccessDenied)
    );
    // A new list, and nothing has to be started again.
    world.pki.install("crl.pem", &world.pki.list(-1, 24));
    world.running().reload();
    opens(&world, &credentials).await;
    let answer = client.identity().who_am_i(v1::WhoAmIRequest {}).await;
    assert_eq!(outcome(answer), "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_list_beside_a_fresh_one_does_not_win() {
    let mut world = World::start().await;
    let credentials = world.pki.member(SOURCE);
    let expired = world.pki.list(-48, -24);
    let revoked = world.pki.member(SOURCE);
    world.pki.revoke(&revoked);
    let fresh = world.pki.list(-1, 24);
    for lists in [format!("{expired}{fresh}"), format!("{fresh}{expired}")] {
        world.pki.install("crl.pem", &lists);
        world = world.restart().await;
        assert_eq!(knock(&world, Some(&credentials), &TLS13).await, None);
        assert_eq!(
            knock(&world, Some(&revoked), &TLS13).await,
            Some(CertificateRevoked)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_behind_a_byte_order_mark_is_not_skipped_and_the_old_one_stays_in_force() {
    let world = World::start_empty(METRICS).await;
    let other = Pki::named(&world.path("other"), "Some other CA");
    let both = world.pki.ca_pem() + &other.ca_pem();
    world.pki.install("ca.pem", &both);
    install_both(&world, &other, false);
    let stolen = world.pki.member(SOURCE);
    world.pki.revoke(&stolen);
    install_both(&world, &other, false);
    until("it is revoked", async || {
        knock(&world, Some(&stolen), &TLS13).await == Some(CertificateRevoked)
    })
    .await;
    opens(&world, &other.member(SOURCE)).await;
    let failed = async || {
        let metrics = world.metrics().await;
        metrics::value(&metrics, "sluis_tls_reloads_total{outcome=\"failed\"}").unwrap_or_default()
    };
    let so_far = failed().await;
    let marked = format!("\u{feff}{}{}", world.pki.list(-1, 24), other.list(-1, 24));
    world.pki.install("crl.pem", &marked);
    world.running().reload();
    until("the bad file is read", async || failed().await > so_far).await;
    assert_eq!(
        knock(&world, Some(&stolen), &TLS13).await,
        Some(CertificateRevoked)
    );
    assert_eq!(
        knock(&world, Some(&other.member(SOURCE)), &TLS13).await,
        None
    );
}
