//! Memory that cannot be locked: the limit is nought, and the capability to lock beyond it is gone.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use sluis_testkit_daemon::process::Sluisd;

/// `sluisd COMMAND` where no memory may be locked.
fn unlockable(directory: &Path, command: &str) -> Command {
    let sluisd = Sluisd::command(directory, command);
    let mut limited = Command::new("prlimit");
    limited.args([
        "--memlock=0",
        "setpriv",
        "--bounding-set",
        "-ipc_lock",
        "--inh-caps",
        "-ipc_lock",
    ]);
    limited.arg(sluisd.get_program()).args(sluisd.get_args());
    limited
}

/// Runs it to its end, which must be a refusal; what it said.
#[track_caller]
fn refused(mut command: Command) -> String {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("util-linux is there");
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().expect("piped")).lines() {
        said += &line.expect("text");
        if said.contains("serving") {
            child.kill().expect("still running");
            panic!("it serves: {said}");
        }
    }
    assert_eq!(child.wait().expect("waits").code(), Some(1), "{said}");
    said
}

#[test]
fn where_locked_memory_is_required_and_not_allowed_nothing_starts_and_no_key_is_made() {
    let directory = tempfile::tempdir().expect("scratch directory");
    let path = directory.path();
    drop(Sluisd::prepare(path, ""));
    super::edit(path, "lock = \"if-allowed\"", "lock = \"require\"");
    let new_file = path.join("kek.2");
    let mut rotate = unlockable(path, "rotate-kek");
    rotate.arg("--new-file").arg(&new_file);
    for command in [unlockable(path, "run"), rotate] {
        let said = refused(command);
        assert!(
            said.contains("sluisd: memory cannot be locked, so keys may reach the swap"),
            "{said}"
        );
        for way in [
            "LimitMEMLOCK=infinity",
            "CAP_IPC_LOCK",
            "memory.lock = \"if-allowed\"",
        ] {
            assert!(said.contains(way), "what to do: {way} in {said}");
        }
    }
    assert!(!new_file.exists());

    let (kek, data) = (path.join("kek"), path.join("data"));
    std::fs::remove_file(&kek).expect("made before");
    std::fs::remove_dir_all(&data).expect("made before");
    assert!(refused(unlockable(path, "init")).contains("memory cannot be locked"));
    assert!(!kek.exists() && !data.exists());
}

#[test]
fn where_locked_memory_is_not_required_its_absence_is_in_the_log() {
    let directory = tempfile::tempdir().expect("scratch directory");
    drop(Sluisd::prepare(directory.path(), ""));
    let daemon = Sluisd::start_command(unlockable(directory.path(), "run"));
    assert!(
        daemon.log().contains("memory is not locked"),
        "{}",
        daemon.log()
    );
    assert_eq!(daemon.terminate().0, Some(0));
}
