//! The front door: who does not come in, and who is put out again.

mod door;
mod lists;
mod told;

use sluis_client::Session;
use sluis_testkit::pki::{Pki, TRUST_DOMAIN, Wanted};
use sluis_testkit::registry::registry;
use sluis_testkit_daemon::metrics;
use sluis_testkit_daemon::wait::{DEADLINE, first, until};
use sluis_testkit_daemon::world::{METRICS, World, batch, pseudonymise};
use sluis_wire::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::AlertDescription::{
    self, CertificateExpired, CertificateRequired, CertificateRevoked, DecryptError,
    ProtocolVersion, UnknownCA,
};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::refusals::{BSNS, SOURCE, STUDY, outcome, packed};
use door::{knock, server_certificate};
use sluis_testkit_daemon::raw::Services;

fn uri(member: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/{member}")
}

fn wanted(uris: &[String]) -> Wanted {
    Wanted {
        uris: uris.to_vec(),
        dns: Vec::new(),
        expired: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_without_a_good_certificate_there_is_no_connection() {
    let world = World::start().await;
    let revoked = world.pki.member(SOURCE);
    world.pki.revoke(&revoked);
    let world = world.restart().await;
    let elsewhere = Pki::named(&world.path("elsewhere"), "Some other CA");
    let impostor = Pki::create(&world.path("impostor"));
    let expired = world.pki.client(&Wanted {
        expired: true,
        ..wanted(&[uri(SOURCE)])
    });
    let cases: [(&str, _, Option<AlertDescription>); 8] = [
        ("good", Some(world.pki.member(SOURCE)), None),
        ("none", None, Some(CertificateRequired)),
        (
            "of another authority",
            Some(elsewhere.member(SOURCE)),
            Some(UnknownCA),
        ),
        // Its name is that of ours; its signatures are not.
        (
            "of an impostor",
            Some(impostor.member(SOURCE)),
            Some(DecryptError),
        ),
        ("expired", Some(expired), Some(CertificateExpired)),
        // TLS has one alert for both.
        (
            "not valid yet",
            Some(world.pki.early_member(SOURCE)),
            Some(CertificateExpired),
        ),
        ("revoked", Some(revoked), Some(CertificateRevoked)),
        ("still good", Some(world.pki.member(SOURCE)), None),
    ];
    for (what, credentials, expected) in cases {
        assert_eq!(
            knock(&world, credentials.as_ref(), &TLS13).await,
            expected,
            "{what}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_certificate_does_not_open_the_door_as_a_client() {
    let world = World::start().await;
    let server = world.pki.server();
    assert!(knock(&world, Some(&server), &TLS13).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_1_2_and_plain_text_are_refused() {
    let world = World::start().await;
    let good = world.pki.member(SOURCE);
    assert_eq!(knock(&world, Some(&good), &TLS13).await, None);
    assert_eq!(
        knock(&world, Some(&good), &TLS12).await,
        Some(ProtocolVersion)
    );
    let mut plain = TcpStream::connect(world.running().addr())
        .await
        .expect("accepted");
    plain
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .expect("sent");
    let mut answer = Vec::new();
    // A reset is as good as an end.
    let ended = tokio::time::timeout(DEADLINE, plain.read_to_end(&mut answer)).await;
    drop(ended.expect("the daemon ends it"));
    let alert = answer.first().is_none_or(|kind| *kind == 0x15);
    assert!(
        alert,
        "an alert of TLS or nothing, not a frame of HTTP/2: {answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_only_exactly_one_spiffe_id_of_our_trust_domain_is_somebody() {
    let world = World::start().await;
    let dns = vec!["etl.hospital-north.test".to_owned()];
    let elsewhere = format!("spiffe://elsewhere.test/{SOURCE}");
    for (what, wanted, expected) in [
        ("one", wanted(&[uri(SOURCE)]), "allowed"),
        (
            "none, only a DNS name",
            Wanted {
                dns: dns.clone(),
                ..wanted(&[])
            },
            "NO_SPIFFE_ID",
        ),
        (
            "two",
            wanted(&[uri(SOURCE), uri("gp-south/etl")]),
            "NO_SPIFFE_ID",
        ),
        (
            "the same twice",
            wanted(&[uri(SOURCE), uri(SOURCE)]),
            "NO_SPIFFE_ID",
        ),
        (
            "another URI beside it",
            wanted(&[uri(SOURCE), "https://hospital-north.test/".to_owned()]),
            "NO_SPIFFE_ID",
        ),
        (
            "of another trust domain",
            wanted(&[elsewhere]),
            "NO_SPIFFE_ID",
        ),
        (
            "no SPIFFE id",
            wanted(&[format!("https://{TRUST_DOMAIN}/{SOURCE}")]),
            "NO_SPIFFE_ID",
        ),
        (
            "without a member",
            wanted(&[uri("hospital-north")]),
            "NO_SPIFFE_ID",
        ),
        (
            "with too many segments",
            wanted(&[uri("hospital-north/etl/x")]),
            "NO_SPIFFE_ID",
        ),
        (
            "in capitals",
            wanted(&[uri("Hospital-North/etl")]),
            "NO_SPIFFE_ID",
        ),
        // DNS names say nothing about who calls: SPIFFE allows them beside the id.
        (
            "a DNS name in addition",
            Wanted {
                dns,
                ..wanted(&[uri(SOURCE)])
            },
            "allowed",
        ),
        (
            "of an unknown organisation",
            wanted(&[uri("nobody/etl")]),
            "UNKNOWN_ORGANISATION",
        ),
        (
            "not of a member",
            wanted(&[uri("hospital-north/ghost")]),
            "NOT_A_MEMBER",
        ),
    ] {
        let credentials = world.pki.client(&wanted);
        let client = world
            .connect(&credentials)
            .await
            .expect("the authority is ours");
        assert_eq!(
            outcome(client.identity().who_am_i(v1::WhoAmIRequest {}).await),
            expected,
            "{what}"
        );
        // A connection that gives no identity is closed after its first answer.
        let client = world
            .connect(&credentials)
            .await
            .expect("the authority is ours");
        let answer = pseudonymise(&client, STUDY, batch(&[("bsn", &BSNS)])).await;
        assert_eq!(outcome(answer), expected, "{what}");
    }
}

/// A stream of `SOURCE` that has had one answer, and its certificate.
async fn open(world: &World) -> (Session, sluis_testkit::pki::Credentials) {
    let credentials = world.pki.member(SOURCE);
    let client = world.connect(&credentials).await.expect("connects");
    let elements = ["bsn".parse().expect("an id")];
    let mut stream = client
        .pseudonymise(&STUDY.parse().expect("an id"), &elements)
        .await
        .expect("a source");
    assert_eq!(send(&mut stream).await, "allowed");
    (stream, credentials)
}

async fn send(stream: &mut Session) -> String {
    stream
        .send(packed("bsn", &BSNS))
        .await
        .expect("open so far");
    outcome(stream.next().await)
}

/// The stream is over for the caller too.
async fn ended(stream: &mut Session) {
    assert!(stream.send(packed("bsn", &BSNS)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_or_removed_in_mid_stream_gets_no_further_batch() {
    let world = World::start().await;
    let members = "members = [\"etl\", \"doctor\"]";
    let sources = "sources = [\"hospital-north\", \"gp-south\"]";
    for (from, to, expected) in [
        (
            members,
            "members = [\"etl\", \"doctor\"]\nblocked = [\"etl\"]",
            "BLOCKED",
        ),
        (members, "members = [\"doctor\"]", "NOT_A_MEMBER"),
        (sources, "sources = [\"gp-south\"]", "NOT_A_SOURCE"),
    ] {
        let (mut stream, _) = open(&world).await;
        world
            .apply(&registry().replacen(from, to, 1))
            .await
            .expect("valid");
        assert_eq!(send(&mut stream).await, expected);
        ended(&mut stream).await;
        world.apply(&registry()).await.expect("valid");
    }
    open(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_revoked_in_mid_stream_gets_no_further_batch() {
    let world = World::start().await;
    let (mut stream, credentials) = open(&world).await;
    let (mut other, _) = open(&world).await;
    world.pki.revoke(&credentials);
    world.running().reload();
    // The daemon reads the list at its own time, and then every batch is judged by it.
    let told = first("the list is read", async || {
        Some(send(&mut stream).await).filter(|said| said != "allowed")
    })
    .await;
    assert_eq!(told, "CERTIFICATE_REVOKED");
    ended(&mut stream).await;
    assert_eq!(
        send(&mut other).await,
        "allowed",
        "another certificate of the same member stays good"
    );
    assert_eq!(
        knock(&world, Some(&credentials), &TLS13).await,
        Some(CertificateRevoked)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_8_a_certificate_that_expires_in_mid_stream_gets_no_further_batch() {
    let world = World::start().await;
    let (mut stream, credentials) = open(&world).await;
    world.clock.advance_hours(24 * 3651);
    assert_eq!(send(&mut stream).await, "CERTIFICATE_EXPIRED");
    ended(&mut stream).await;
    assert!(knock(&world, Some(&credentials), &TLS13).await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_server_certificate_is_served_without_a_restart_and_old_connections_stay() {
    let world = World::start().await;
    let (mut stream, credentials) = open(&world).await;
    let before = server_certificate(&world, &credentials).await;
    assert_eq!(
        before,
        std::fs::read_to_string(world.pki.path("server.pem"))
            .map(|pem| door::der(&pem))
            .expect("PEM")
    );
    let renewed = door::der(&world.pki.renew_server());
    assert_ne!(renewed, before);
    // Without being told: the daemon looks every second.
    until("the new one is served", async || {
        server_certificate(&world, &credentials).await == renewed
    })
    .await;
    assert_eq!(send(&mut stream).await, "allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_cannot_be_used_leave_the_old_ones_in_force() {
    let world = World::start_empty(METRICS).await;
    let credentials = world.pki.member(SOURCE);
    let before = server_certificate(&world, &credentials).await;
    let failed = async || {
        let failed = metrics::value(
            &world.metrics().await,
            "sluis_tls_reloads_total{outcome=\"failed\"}",
        );
        failed.unwrap_or_default()
    };
    for name in ["crl.pem", "server.pem"] {
        let good = std::fs::read(world.pki.path(name)).expect("readable");
        std::fs::write(
            world.pki.path(name),
            "neither a certificate nor a revocation list",
        )
        .expect("scratch file");
        let so_far = failed().await;
        world.running().reload();
        until("the bad file is read", async || failed().await > so_far).await;
        assert_eq!(
            server_certificate(&world, &credentials).await,
            before,
            "{name}"
        );
        assert_eq!(
            knock(&world, Some(&credentials), &TLS13).await,
            None,
            "{name}"
        );
        std::fs::write(world.pki.path(name), good).expect("scratch file");
    }
    // Repaired, the next look finds them.
    world.pki.revoke(&credentials);
    world.pki.renew_server();
    until("the repaired files are read", async || {
        knock(&world, Some(&credentials), &TLS13).await == Some(CertificateRevoked)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_do_not_lock_honest_callers_out() {
    let world = World::start().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(
            TcpStream::connect(world.running().addr())
                .await
                .expect("accepted"),
        );
    }
    open(&world).await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_silent_connections_than_handshakes_allowed_are_put_out_after_their_time() {
    let limits = "[limits]\nmax_pending_handshakes = 4\nhandshake_timeout_seconds = 1";
    let world = World::start_empty(limits).await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(
            TcpStream::connect(world.running().addr())
                .await
                .expect("in the queue of the kernel"),
        );
    }
    world
        .apply(&registry())
        .await
        .expect("a custodian gets in all the same");
    // Those before have been closed by the daemon.
    let mut byte = [0; 1];
    let read = tokio::time::timeout(DEADLINE, silent[0].read(&mut byte))
        .await
        .expect("closed");
    assert!(matches!(read, Ok(0) | Err(_)));
    drop(silent);
}
