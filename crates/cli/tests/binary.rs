//! The binary as a process: exit codes, and where connection settings come from. Nothing here needs a custodian.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn sluis(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluis"));
    for name in [
        "SERVER",
        "CA",
        "CERT",
        "KEY",
        "SERVER_NAME",
        "PROFILE",
        "CONFIG",
        "EXPECT",
    ] {
        command.env_remove(format!("SLUIS_{name}"));
    }
    command
        .env("HOME", directory)
        .env("XDG_CONFIG_HOME", directory)
        .current_dir(directory);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Which CA file is read: none of them exists, so the error names the one.
fn ca_read(command: &mut Command) -> String {
    let output = command.output().expect("runs");
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    let text = said(&output);
    text.split_once("cannot read ")
        .expect(&text)
        .1
        .split(':')
        .next()
        .expect("a path")
        .to_owned()
}

#[test]
fn flags_go_before_the_environment_and_the_environment_before_the_profile() {
    let scratch = tempfile::tempdir().expect("scratch");
    let root = scratch.path();
    let settings = "server = 'https://localhost:1'\nca = 'profile.pem'\ncert = 'c'\nkey = 'k'\n";
    fs::create_dir(root.join("sluis")).expect("made");
    fs::write(
        root.join("sluis/config.toml"),
        format!("default = 'p'\n[profiles.p]\n{settings}"),
    )
    .expect("written");
    let profile = root.join("sluis/profile.pem").display().to_string();
    assert_eq!(ca_read(sluis(root).arg("whoami")), profile);
    assert_eq!(
        ca_read(sluis(root).arg("whoami").env("SLUIS_CA", "env.pem")),
        "env.pem"
    );
    assert_eq!(
        ca_read(sluis(root).arg("whoami").env("SLUIS_CA", "")),
        profile
    );
    let both = ["whoami", "--ca", "flag.pem"];
    assert_eq!(
        ca_read(sluis(root).args(both).env("SLUIS_CA", "env.pem")),
        "flag.pem"
    );
}

#[test]
fn a_missing_setting_is_a_usage_error_that_says_what_to_do() {
    let scratch = tempfile::tempdir().expect("scratch");
    let output = sluis(scratch.path()).arg("status").output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("--server") && said(&output).contains("SLUIS_SERVER"),
        "{}",
        said(&output)
    );
}

#[test]
fn wrong_flags_are_a_usage_error() {
    let scratch = tempfile::tempdir().expect("scratch");
    for words in [
        &["no-such-command"][..],
        &["grant", "approve"],
        &["chain", "disable", "xyz"],
    ] {
        assert_eq!(
            sluis(scratch.path())
                .args(words)
                .output()
                .expect("runs")
                .status
                .code(),
            Some(2),
            "{words:?}"
        );
    }
}

#[test]
fn nobody_listening_is_exit_code_5_and_a_key_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().expect("scratch");
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let server = format!("https://localhost:{}", free.port());
    let made = sluis(scratch.path())
        .args(["dev", "pki", "p", "--member", "a/x", "--server", &server])
        .output();
    assert_eq!(made.expect("runs").status.code(), Some(0));
    let whoami = || {
        let words = ["whoami", "--config", "p/config.toml", "--profile", "a-x"];
        sluis(scratch.path()).args(words).output().expect("runs")
    };
    let output = whoami();
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(!said(&output).contains("warning"), "{}", said(&output));
    fs::set_permissions(
        scratch.path().join("p/a/x.key"),
        fs::Permissions::from_mode(0o644),
    )
    .expect("changed");
    assert!(said(&whoami()).contains("chmod 600 p/a/x.key"));
}

#[test]
fn the_development_pki_says_what_it_is() {
    let scratch = tempfile::tempdir().expect("scratch");
    let output = sluis(scratch.path())
        .args(["dev", "pki", "p"])
        .output()
        .expect("runs");
    assert!(
        said(&output).contains("for development only"),
        "{}",
        said(&output)
    );
}
