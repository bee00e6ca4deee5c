use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::Parser;
use x509_parser::prelude::{CertificateRevocationList, FromDer, GeneralName, Pem, X509Certificate};

use super::PkiArgs;
use crate::error::CliError;
use crate::profile::ConfigFile;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: PkiArgs,
}

fn try_run(directory: &Path, more: &[&str]) -> Result<Vec<String>, CliError> {
    let line = ["pki", directory.to_str().expect("UTF-8")]
        .into_iter()
        .chain(more.iter().copied());
    Line::try_parse_from(line).expect("valid flags").args.make()
}

fn run(directory: &Path, more: &[&str]) -> Vec<String> {
    try_run(directory, more).expect("made")
}

fn pem(path: &Path) -> Vec<u8> {
    Pem::iter_from_buffer(&fs::read(path).expect("there"))
        .next()
        .expect("one")
        .expect("PEM")
        .contents
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let sans = certificate
        .subject_alternative_name()
        .expect("at most one")
        .expect("one")
        .value;
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => format!("URI {uri}"),
        GeneralName::DNSName(name) => format!("DNS {name}"),
        GeneralName::IPAddress(ip) => format!("IP {ip:?}"),
        other => panic!("unexpected {other}"),
    };
    sans.general_names.iter().map(name).collect()
}

fn revoked(directory: &Path) -> Vec<Vec<u8>> {
    let der = pem(&directory.join("crl.pem"));
    let (_, crl) = CertificateRevocationList::from_der(&der).expect("a CRL");
    crl.iter_revoked_certificates()
        .map(|entry| entry.raw_serial().to_vec())
        .collect()
}

#[test]
fn a_member_has_one_spiffe_id_and_may_only_be_a_client() {
    let scratch = tempfile::tempdir().expect("scratch");
    run(
        scratch.path(),
        &[
            "--member",
            "hospital-north/etl",
            "--trust-domain",
            "example.test",
        ],
    );
    let der = pem(&scratch.path().join("hospital-north/etl.pem"));
    let (_, certificate) = X509Certificate::from_der(&der).expect("a certificate");
    assert_eq!(
        names(&certificate),
        ["URI spiffe://example.test/hospital-north/etl"]
    );
    let usage = certificate
        .extended_key_usage()
        .expect("valid")
        .expect("there")
        .value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert!(!certificate.is_ca());
    let issuer = pem(&scratch.path().join("ca.pem"));
    let (_, issuer) = X509Certificate::from_der(&issuer).expect("a certificate");
    assert!(issuer.is_ca());
    assert_eq!(certificate.issuer(), issuer.subject());
}

#[test]
fn the_server_is_localhost() {
    let scratch = tempfile::tempdir().expect("scratch");
    assert_eq!(run(scratch.path(), &[]), ["ca", "server"]);
    let der = pem(&scratch.path().join("server.pem"));
    let (_, certificate) = X509Certificate::from_der(&der).expect("a certificate");
    assert_eq!(names(&certificate), ["DNS localhost", "IP [127, 0, 0, 1]"]);
    let usage = certificate
        .extended_key_usage()
        .expect("valid")
        .expect("there")
        .value;
    assert!(usage.server_auth && !usage.client_auth);
    let days = certificate.validity().not_after.timestamp()
        - certificate.validity().not_before.timestamp();
    assert_eq!(days, 365 * 86_400 + 3_600);
}

#[test]
fn running_again_adds_members_and_keeps_the_rest() {
    let scratch = tempfile::tempdir().expect("scratch");
    let read = |name: &str| fs::read(scratch.path().join(name)).expect(name);
    run(scratch.path(), &["--member", "a/x"]);
    let before = ["ca.pem", "ca.key", "server.pem", "a/x.pem", "a/x.key"].map(read);
    assert_eq!(
        run(scratch.path(), &["--member", "a/x", "--member", "b/y"]),
        ["b/y"]
    );
    assert_eq!(
        ["ca.pem", "ca.key", "server.pem", "a/x.pem", "a/x.key"].map(read),
        before
    );
    let (issuer, member) = (
        pem(&scratch.path().join("ca.pem")),
        pem(&scratch.path().join("b/y.pem")),
    );
    let (_, issuer) = X509Certificate::from_der(&issuer).expect("a certificate");
    let (_, member) = X509Certificate::from_der(&member).expect("a certificate");
    assert_eq!(member.issuer(), issuer.subject());
}

#[test]
fn the_revocation_list_is_empty_until_somebody_is_revoked() {
    let scratch = tempfile::tempdir().expect("scratch");
    run(scratch.path(), &["--member", "a/x", "--member", "a/y"]);
    assert!(revoked(scratch.path()).is_empty());
    let der = pem(&scratch.path().join("a/x.pem"));
    let (_, certificate) = X509Certificate::from_der(&der).expect("a certificate");
    run(scratch.path(), &["--revoke", "a/x"]);
    assert_eq!(revoked(scratch.path()), [certificate.raw_serial().to_vec()]);
    run(scratch.path(), &["--revoke", "a/x", "--revoke", "a/y"]);
    assert_eq!(revoked(scratch.path()).len(), 2, "each once");
}

#[test]
fn nobody_else_may_read_keys() {
    let scratch = tempfile::tempdir().expect("scratch");
    let directory = scratch.path().join("pki");
    run(&directory, &["--member", "a/x"]);
    let mode = |name: &str| {
        fs::metadata(directory.join(name))
            .expect(name)
            .permissions()
            .mode()
            & 0o777
    };
    for key in ["ca.key", "server.key", "a/x.key"] {
        assert_eq!(mode(key), 0o600, "{key}");
    }
    assert_eq!((mode(""), mode("a")), (0o700, 0o700));
}

#[test]
fn every_member_ever_issued_gets_a_profile() {
    let scratch = tempfile::tempdir().expect("scratch");
    run(scratch.path(), &["--member", "a/x"]);
    assert!(!scratch.path().join("config.toml").exists());
    run(scratch.path(), &["--server", "https://localhost:1"]);
    run(scratch.path(), &["--member", "b/y"]);
    for (name, cert) in [("a-x", "a/x.pem"), ("b-y", "b/y.pem")] {
        let file = ConfigFile::read(&scratch.path().join("config.toml")).expect("valid");
        let profile = file.profile(Some(name)).expect("there");
        assert_eq!(profile.server.as_deref(), Some("https://localhost:1"));
        assert_eq!(profile.cert, Some(scratch.path().join(cert)));
    }
}

#[test]
fn what_others_wrote_into_the_directory_is_not_replaced() {
    let scratch = tempfile::tempdir().expect("scratch");
    let config = scratch.path().join("config.toml");
    run(
        scratch.path(),
        &["--member", "a/x", "--server", "https://localhost:1"],
    );
    let text = fs::read_to_string(&config).expect("ours");
    let with_pins = text.replacen(
        "[profiles.a-x]",
        "[profiles.a-x]\nexpect = \"pins.toml\"",
        1,
    );
    assert_ne!(with_pins, text);
    fs::write(&config, with_pins).expect("writable");
    run(scratch.path(), &["--member", "b/y"]);
    let profile = ConfigFile::read(&config).and_then(|file| file.profile(Some("a-x")));
    assert_eq!(
        profile.expect("there").expect,
        Some(scratch.path().join("pins.toml"))
    );
    let own = "[profiles.mine]\nserver = \"https://localhost:2\"\n";
    fs::write(&config, own).expect("writable");
    assert!(try_run(scratch.path(), &["--member", "c/z"]).is_err());
    assert_eq!(fs::read_to_string(&config).expect("there"), own);
    // A key without its certificate may be all that is left of someone.
    fs::remove_file(&config).expect("removed");
    let key = scratch.path().join("d/k.key");
    fs::create_dir_all(scratch.path().join("d")).expect("made");
    fs::write(&key, "precious").expect("writable");
    assert!(try_run(scratch.path(), &["--member", "d/k"]).is_err());
    assert_eq!(fs::read_to_string(&key).expect("there"), "precious");
}
