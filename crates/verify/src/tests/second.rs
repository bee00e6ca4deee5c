//! Both verifiers on one log: this crate, and `tests/second_implementation/verify_log.py`.
//!
//! The second needs Python with `cryptography`, so it is run only where `SLUIS_PYTHON` names a program that has it, such as
//! `deploy/python.sh`. With `SLUIS_FORGED` each forged log is left in that directory, with the key that verifies it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sluis_tlog::VerifierKey;

use super::entries::replay;
use super::forge::{Export, Forge};
use sluis_ledger::Fault;
use sluis_ledger::Wrong;

/// Says what the second implementation makes of an export; `None` where it cannot be run.
pub(super) fn implementation() -> Option<impl Fn(&Export, &VerifierKey) -> Result<String, String>> {
    let python = std::env::var_os("SLUIS_PYTHON")?;
    Some(move |export: &Export, key: &VerifierKey| {
        let place = a_place();
        write(export, &place);
        run(&python, &place, key)
    })
}

/// What the second says of a directory, which is removed.
fn run(python: &OsStr, place: &Path, key: &VerifierKey) -> Result<String, String> {
    let output = std::process::Command::new(python)
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/second_implementation/verify_log.py"
        ))
        .arg(place)
        .arg(key.to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let output = output.expect("runs");
    std::fs::remove_dir_all(place).expect("removed");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!said.contains("Traceback"), "{said}");
    if output.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

/// What the second says of an export in which one file is a pipe that no one writes to.
pub(super) fn with_a_pipe(export: &Export, path: &str, key: &VerifierKey) -> String {
    let python = std::env::var_os("SLUIS_PYTHON").expect("asked before");
    let place = a_place();
    write(export, &place);
    let pipe = place.join(path);
    std::fs::remove_file(&pipe).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    run(&python, &place, key).expect_err(path)
}

/// A directory that no one else has.
fn a_place() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("sluis-verify-{}-{number}", std::process::id()))
}

fn write(export: &Export, place: &Path) {
    for (path, content) in &export.0 {
        let path = place.join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(path, content).expect("written");
    }
}

/// Both find that the last entry of a log is wrong; the first says why.
pub(super) fn refuse(what: &str, log: &Forge, fault: Fault) {
    let sequence = log.entries.len() as u64 - 1;
    let wrong = replay(log).map(drop).expect_err(what);
    let unread = fault == Fault::NotAnEntry;
    assert_eq!(wrong, Wrong { sequence, fault }, "{what}");
    let said = also_refuses(what, log, sequence);
    assert!(unread || !said.contains("cannot be read"), "{what}: {said}");
}

/// As [`refuse`]; the first says that much of why.
pub(super) fn refuse_saying(what: &str, log: &Forge, why: &str) {
    let sequence = log.entries.len() as u64 - 1;
    let wrong = replay(log).map(drop).expect_err(what);
    assert_eq!(wrong.sequence, sequence, "{what}: {wrong}");
    assert!(wrong.to_string().contains(why), "{what}: {wrong}");
    let unread = wrong.fault == Fault::NotAnEntry;
    let said = also_refuses(what, log, sequence);
    assert!(unread || !said.contains("cannot be read"), "{what}: {said}");
}

/// The second finds the same entry wrong; what it says.
pub(super) fn also_refuses(what: &str, log: &Forge, sequence: u64) -> String {
    let key = log.verifier_key(0);
    if let Some(directory) = std::env::var_os("SLUIS_FORGED") {
        let place = Path::new(&directory).join(what.replace(|c: char| !c.is_alphanumeric(), "-"));
        write(&log.export(), &place);
        std::fs::write(place.join("KEY"), format!("{key}\n")).expect("written");
    }
    let Some(judge) = implementation() else {
        return String::new();
    };
    let said = judge(&log.export(), &key).expect_err(what);
    let place = format!("WRONG: entry {sequence}: ");
    assert!(said.starts_with(&place), "{what}, entry {sequence}: {said}");
    said
}

/// Both find nothing wrong; what the second says.
pub(super) fn accept(what: &str, log: &Forge) -> String {
    replay(log).map(drop).expect(what);
    implementation().map_or_else(String::new, |judge| {
        judge(&log.export(), &log.verifier_key(0)).expect(what)
    })
}
