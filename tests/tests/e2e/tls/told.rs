//! What the two sides say about handshakes that fail, and about files that cannot be used.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};
use sluis_testkit::pki::{Credentials, Pki, Wanted};
use sluis_testkit_daemon::metrics;
use sluis_testkit_daemon::process::{Sluis, Sluisd};
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::wait::{DEADLINE, until};
use sluis_testkit_daemon::world::{METRICS, World};

use super::{SOURCE, uri, wanted};

/// How often each handshake is tried: before, what a client learned was chance.
const TRIES: usize = 8;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Tries again and again; each time the command must end with exit code 5 and say this.
fn told(world: &World, credentials: &Credentials, name: &str, expected: &[&str]) {
    let sluis = Sluis::with(&world.pki, &world.endpoint(), name, credentials);
    for _ in 0..TRIES {
        let output = sluis.run(&["whoami"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(5), "{name}: {said}");
        for part in expected {
            assert!(said.contains(part), "{name}: {part} in {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_says_each_time_why_the_custodian_does_not_let_it_in() {
    let world = World::start().await;
    let revoked = world.pki.member(SOURCE);
    world.pki.revoke(&revoked);
    let world = world.restart().await;
    told(&world, &revoked, "revoked", &["is revoked", "revoked.pem"]);
    let elsewhere = Pki::named(&world.path("elsewhere"), "Some other CA");
    let foreign = elsewhere.member(SOURCE);
    told(&world, &foreign, "foreign", &["unknown_ca", "foreign.pem"]);
    let impostor = Pki::create(&world.path("impostor")).member(SOURCE);
    told(
        &world,
        &impostor,
        "impostor",
        &["by another key", "impostor.pem"],
    );
    let server = world.pki.server();
    told(&world, &server, "server-like", &["clientAuth"]);
    world.pki.install("crl.pem", &world.pki.list(-48, -24));
    let world = world.restart().await;
    let good = world.pki.member(SOURCE);
    told(&world, &good, "good", &["no valid revocation list"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_told_every_time_also_when_only_the_custodians_clock_says_so() {
    let world = World::start().await;
    let expired = world.pki.client(&Wanted {
        expired: true,
        ..wanted(&[uri(SOURCE)])
    });
    told(&world, &expired, "expired", &["expired at", "expired.pem"]);
    let early = world.pki.early_member(SOURCE);
    told(&world, &early, "early", &["not valid before", "early.pem"]);
    let good = world.pki.member(SOURCE);
    world.clock.advance_hours(24 * 3651);
    told(&world, &good, "good", &["certificate_expired", "clock"]);
    for _ in 0..TRIES {
        let refused = world.connect(&good).await.map(drop).expect_err("expired");
        assert!(refused.to_string().contains("certificate_expired"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_ends_soon_is_told_and_works() {
    let world = World::start().await;
    let soon = world.pki.member_for_days(SOURCE, 5);
    let sluis = Sluis::with(&world.pki, &world.endpoint(), "soon", &soon);
    let output = sluis.run(&["whoami"]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("ends in 5 days") && said.contains("soon.pem"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_names_what_is_wrong_with_the_other_side() {
    let world = World::start().await;
    let sluis = Sluis::of(&world.pki, &world.endpoint(), SOURCE);
    let says = |extra: &[&str], expected: &str| {
        let output = sluis.run(&[&["whoami"], extra].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains(expected), "{expected} in {said}");
    };
    let elsewhere = Pki::named(&world.path("elsewhere"), "Some other CA");
    let ca = elsewhere.path("ca.pem").display().to_string();
    says(&["--ca", &ca], "none of the authorities in the CA file");
    says(&["--ca", &ca], &ca);
    says(&["--server-name", "elsewhere.test"], "--server-name");
    // An address where something else answers.
    let plain = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("https://{}", plain.local_addr().expect("bound"));
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().expect("the command line");
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        // Until the other side has read it and goes away.
        drop(std::io::copy(&mut stream, &mut std::io::sink()));
    });
    says(&["--server", &address], "does not speak TLS");
    answering.join().expect("no panic");
}

#[test]
fn the_daemon_logs_who_failed_and_why() {
    let mut scene = Scene::start("");
    let endpoint = scene.daemon().endpoint();
    let elsewhere = Pki::named(&scene.path("elsewhere"), "Some other CA");
    let foreign = Sluis::with(&scene.pki, &endpoint, "foreign", &elsewhere.member(SOURCE));
    assert_eq!(foreign.run(&["whoami"]).status.code(), Some(5));
    let ca = elsewhere.path("ca.pem").display().to_string();
    let mistrusting = scene.sluis(SOURCE).run(&["whoami", "--ca", &ca]);
    assert_eq!(mistrusting.status.code(), Some(5));
    let address = endpoint.replace("https://localhost", "127.0.0.1");
    let mut plain = std::net::TcpStream::connect(address).expect("accepted");
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .expect("sent");
    drop(std::io::copy(&mut plain, &mut std::io::sink()));
    let (_, log) = scene.stop();
    for reason in [
        "of no authority in tls.client_ca",
        "does not trust the authority of the daemon's certificate",
        "does not speak TLS (plain HTTP?)",
    ] {
        let line = log.lines().find(|line| line.contains(reason));
        let line = line.unwrap_or_else(|| panic!("{reason} in {log}"));
        for part in ["\"INFO\"", "handshake failed", "\"peer\":\"127.0.0.1\""] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}

/// `sluisd COMMAND`, which must end by itself.
fn ends(directory: &Path, command: &str) -> Output {
    let child = Sluisd::command(directory, command)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sluisd runs");
    let pid = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(DEADLINE) else {
        let _ = kill_process(pid, Signal::KILL);
        panic!("sluisd {command} hangs");
    };
    output.expect("waits")
}

#[test]
fn an_expired_list_is_told_at_the_start_and_by_check_config() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let pki = Sluisd::prepare(directory.path(), "");
    let fresh = stderr(&ends(directory.path(), "check-config"));
    assert!(!fresh.contains("warning"), "{fresh}");
    pki.install("crl.pem", &pki.list(-48, -24));
    let checked = ends(directory.path(), "check-config");
    let said = stderr(&checked);
    assert!(checked.status.success(), "{said}");
    assert!(
        said.contains("warning: revocation list CN=Sluis test CA: has ended"),
        "{said}"
    );
    let (_, log) = Sluisd::start(directory.path()).terminate();
    let line = log
        .lines()
        .find(|line| line.contains("a certificate or revocation list has ended"));
    assert!(line.is_some_and(|line| line.contains("ERROR")), "{log}");
}

#[test]
fn files_with_anything_left_over_are_refused_by_check_config_and_at_the_start() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let pki = Sluisd::prepare(directory.path(), "");
    let marked = |name: &str| {
        let good = std::fs::read_to_string(pki.path(name)).expect("readable");
        format!("\u{feff}{good}")
    };
    let member = pki.member(SOURCE).cert_pem;
    let key = std::fs::read_to_string(pki.path("server.key")).expect("readable");
    let server = std::fs::read_to_string(pki.path("server.pem")).expect("readable");
    for (name, content, seen) in [
        ("crl.pem", marked("crl.pem"), "byte order mark"),
        ("ca.pem", marked("ca.pem"), "byte order mark"),
        ("server.pem", marked("server.pem"), "byte order mark"),
        ("server.key", marked("server.key"), "byte order mark"),
        ("ca.pem", pki.ca_pem() + &member, "CA:TRUE"),
        ("server.key", key.clone() + &key, "a second private key"),
        ("server.pem", server.clone() + &key, "a private key"),
        ("server.pem", pki.ca_pem() + &server, "comes first"),
    ] {
        let good = std::fs::read_to_string(pki.path(name)).expect("readable");
        pki.install(name, &content);
        for command in ["check-config", "run"] {
            let output = ends(directory.path(), command);
            let said = stderr(&output);
            assert!(!output.status.success(), "{name}: {said}");
            assert!(said.contains(seen) && said.contains(name), "{seen}: {said}");
        }
        pki.install(name, &good);
    }
}

#[test]
fn files_with_anything_left_over_are_refused_by_the_command_line_before_it_connects() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let pki = Pki::create(directory.path());
    let nowhere = "https://localhost:1";
    let mine = pki.member(SOURCE);
    let twice = format!("{0}{0}", mine.cert_pem);
    let both = format!("{}{}", mine.cert_pem, mine.key_pem);
    let marked = |pem: &str| format!("\u{feff}{pem}");
    let ca = pki.ca_pem();
    for (variable, content, seen) in [
        ("SLUIS_CA", marked(&ca), "byte order mark"),
        ("SLUIS_CA", format!(" {ca}"), "spaces before"),
        ("SLUIS_CA", format!("{ca}{ca}"), "the same certificate"),
        ("SLUIS_CA", mine.key_pem.clone(), "a private key"),
        ("SLUIS_CERT", marked(&mine.cert_pem), "byte order mark"),
        ("SLUIS_CERT", twice, "the same certificate"),
        ("SLUIS_CERT", both.clone(), "a private key"),
        (
            "SLUIS_CERT",
            format!("{ca}{}", mine.cert_pem),
            "comes first",
        ),
        ("SLUIS_KEY", marked(&mine.key_pem), "byte order mark"),
        ("SLUIS_KEY", both, "a certificate"),
        (
            "SLUIS_KEY",
            format!("{0}{0}", mine.key_pem),
            "second private key",
        ),
        ("SLUIS_KEY", String::new(), "empty"),
    ] {
        pki.install("damaged.pem", &content);
        let path = pki.path("damaged.pem").display().to_string();
        let sluis = Sluis::with(&pki, nowhere, "mine", &mine);
        let output = sluis
            .command(&["whoami"])
            .env(variable, &path)
            .output()
            .expect("sluis runs");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{variable} {seen}: {said}");
        assert!(
            said.contains(seen) && said.contains(&path),
            "{seen} in {said}"
        );
    }
    // What is read without a connection, too.
    pki.install("damaged.pem", &marked(&mine.cert_pem));
    let path = pki.path("damaged.pem").display().to_string();
    let sluis = Sluis::with(&pki, nowhere, "mine", &mine);
    let shown = sluis.run(&["key", "show", "--cert", &path]);
    assert_eq!(shown.status.code(), Some(2), "{}", stderr(&shown));
    assert!(stderr(&shown).contains(&path));
}

#[test]
fn the_command_line_refuses_a_pipe_without_hanging() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let pki = Pki::create(directory.path());
    let sluis = Sluis::of(&pki, "https://localhost:1", SOURCE);
    let fifo = directory.path().join("fifo").display().to_string();
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo").success());
    for flag in ["--ca", "--cert", "--key"] {
        let output = sluis.run(&["whoami", flag, &fifo]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{flag}: {said}");
        assert!(
            said.contains("pipe (FIFO)") && said.contains(&fifo),
            "{said}"
        );
    }
}

#[test]
fn development_certificates_are_not_added_to_an_authority_with_anything_left_over() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let root = directory.path().display().to_string();
    let pki = Pki::create(&directory.path().join("unused"));
    let sluis = Sluis::of(&pki, "https://localhost:1", SOURCE);
    sluis.ok(&["dev", "pki", &root, "--member", "one/etl"]);
    for name in ["ca.pem", "ca.key"] {
        let path = directory.path().join(name);
        let good = std::fs::read_to_string(&path).expect("made");
        std::fs::write(&path, format!("\u{feff}{good}")).expect("own file");
        let output = sluis.run(&["dev", "pki", &root, "--member", "two/etl"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("byte order mark"));
        std::fs::write(&path, good).expect("own file");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_in_place_later_is_told_in_the_log_as_at_the_start() {
    let mut scene = Scene::start(METRICS);
    let metrics_addr = scene.daemon().metrics_addr();
    let reloads = async |outcome: &str| {
        let page = metrics::page(metrics_addr).await;
        let name = format!("sluis_tls_reloads_total{{outcome=\"{outcome}\"}}");
        metrics::value(&page, &name).unwrap_or_default()
    };
    let days = async |what: &str| {
        let page = metrics::page(metrics_addr).await;
        let start = format!("sluis_tls_days_left{{what=\"{what}\"");
        let line = page.lines().find(|line| line.starts_with(&start));
        let value = line.and_then(|line| line.rsplit(' ').next());
        value.and_then(|value| value.parse::<f64>().ok())
    };
    for what in ["server-certificate", "client-authority", "revocation-list"] {
        assert!(days(what).await.is_some_and(|days| days > 300.0), "{what}");
    }
    let ending = scene.pki.list(-1, 24);
    scene.pki.install("crl.pem", &ending);
    until("the new list is read", async || {
        reloads("changed").await > 0
    })
    .await;
    assert!(days("revocation-list").await.is_some_and(|days| days < 2.0));
    let so_far = reloads("changed").await;
    scene.pki.install("crl.pem", &scene.pki.list(-48, -24));
    until("the expired list is read", async || {
        reloads("changed").await > so_far
    })
    .await;
    // A pipe in the place of a file: refused, and what was in force stays.
    let key = scene.pki.path("server.key");
    std::fs::remove_file(&key).expect("there");
    let made = Command::new("mkfifo").arg(&key).status();
    assert!(made.expect("mkfifo").success());
    until("the pipe is refused", async || reloads("failed").await > 0).await;
    let (_, log) = scene.stop();
    for (message, level) in [
        ("a certificate or revocation list ends within days", "ERROR"),
        ("a certificate or revocation list has ended", "ERROR"),
        ("is a pipe (FIFO)", "ERROR"),
    ] {
        let line = log.lines().find(|line| line.contains(message));
        let line = line.unwrap_or_else(|| panic!("{message} in {log}"));
        assert!(line.contains(level), "{line}");
    }
}

#[test]
fn a_file_that_is_a_pipe_or_a_directory_is_refused_without_hanging_and_named() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let pki = Sluisd::prepare(directory.path(), "");
    let kek = directory.path().join("kek");
    let head = directory.path().join("head/head");
    let tls = ["server.key", "server.pem", "ca.pem", "crl.pem"].map(|name| pki.path(name));
    for path in tls.iter().chain([&kek, &head]) {
        let aside = path.with_extension("aside");
        std::fs::rename(path, &aside).expect("there");
        let made = Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo").success());
        let said = stderr(&ends(directory.path(), "run"));
        let name = path.display().to_string();
        assert!(
            said.contains("pipe (FIFO)") && said.contains(&name),
            "{said}"
        );
        std::fs::remove_file(path).expect("a pipe");
        std::fs::create_dir(path).expect("free");
        let said = stderr(&ends(directory.path(), "run"));
        assert!(
            said.contains("is a directory") && said.contains(&name),
            "{said}"
        );
        std::fs::remove_dir(path).expect("a directory");
        std::fs::rename(&aside, path).expect("back");
    }
    Sluisd::start(directory.path()).terminate();
}
