//! Runs that are stopped from outside: what they leave behind, and what they say.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::wait::until;

use super::{bsns, exits, pseudonymise};

const REGISTRY: &str = "national-registry";

/// Fewer bytes than a pipe holds; half of them as pseudonyms are more.
const ROWS: usize = 4_000;

/// Starts a command whose input does not end.
fn start(mut command: Command, input: &str) -> (Child, ChildStdin) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    (child, stdin)
}

/// Waits until something stands on standard output: by then files are open and signals are heard.
fn read_some(child: &mut Child) -> String {
    let mut bytes = [0; 4096];
    let read = child
        .stdout
        .as_mut()
        .expect("piped")
        .read(&mut bytes)
        .expect("readable");
    assert!(read > 0, "it ended too early");
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("not waited for");
}

fn records() -> String {
    format!(
        "bsn\n{}\n",
        bsns().take(ROWS).collect::<Vec<_>>().join("\n")
    )
}

#[test]
fn whatever_stops_a_run_no_part_of_a_file_is_left() {
    let scene = Scene::start("");
    let sluis = scene.sluis("hospital-north/etl");
    let output = scene.file("out.csv");
    // The rejected rows go to a pipe: their header line says that the run is on its way.
    let arguments = [
        "pseudonymise",
        "-",
        "--chain",
        REGISTRY,
        "-o",
        &output,
        "--rejects",
        "/dev/stdout",
    ];
    let files = scene.files();
    for asked in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        let (mut child, stdin) = start(sluis.command(&arguments), &records());
        assert!(read_some(&mut child).starts_with("line,row,"));
        signal(&child, asked);
        let said = exits(&child.wait_with_output().expect("ends"), 130);
        assert!(
            said.contains("interrupted; no file was written"),
            "{asked:?}: {said}"
        );
        assert_eq!(scene.files(), files, "{asked:?}");
        drop(stdin);
    }
    let (mut child, stdin) = start(sluis.command(&arguments), &records());
    read_some(&mut child);
    child.kill().expect("still running");
    child.wait().expect("ends");
    assert_eq!(scene.files(), files, "killed without any warning");
    drop(stdin);
}

#[test]
fn an_interrupted_run_says_what_counts_under_the_grant() {
    let scene = Scene::start("");
    // No more than pipes hold, so that this test never waits for a run that waits for it.
    let few: String = records()
        .lines()
        .take(1_001)
        .map(|line| format!("{line}\n"))
        .collect();
    scene.write("in.csv", few);
    pseudonymise(
        &scene,
        "hospital-north/etl",
        "diabetes-study",
        "in.csv",
        "tokens.csv",
    );
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "9999",
    ];
    let grant = scene.grant(
        "registry-office/etl",
        &terms,
        &["uni-research/steward-1", "registry-office/steward-a"],
    );
    let office = scene.sluis("registry-office/etl");
    let arguments = ["convert", "-", "--grant", &grant, "--batch-rows", "10"];
    let (mut child, stdin) = start(office.command(&arguments), &scene.read("tokens.csv"));
    while !read_some(&mut child).contains("psn1") {}
    signal(&child, Signal::INT);
    let said = exits(&child.wait_with_output().expect("ends"), 130);
    assert!(
        said.contains("what was written to standard output is not complete"),
        "{said}"
    );
    let counted = said
        .lines()
        .find_map(|line| line.strip_suffix(&format!(" values were counted under grant {grant}.")));
    let counted: u64 = counted.and_then(|n| n.parse().ok()).expect("told");
    assert!(counted > 0, "{said}");
    assert!(said.contains("This run cannot be resumed"), "{said}");
    drop(stdin);
    // Not only interruptions: here the output cannot be written.
    let full = scene.file("tokens.csv");
    let said = exits(
        &office.run(&[
            "convert",
            &full,
            "--grant",
            &grant,
            "-o",
            "/dev/full",
            "--batch-rows",
            "10",
        ]),
        6,
    );
    assert!(
        said.contains("nothing was counted"),
        "the header line could not be written, and nothing was sent: {said}"
    );
    let ragged = scene.write("ragged.csv", format!("{}a,b\n", scene.read("tokens.csv")));
    let said = exits(
        &office.run(&[
            "convert",
            &ragged,
            "--grant",
            &grant,
            "-o",
            &scene.file("out.csv"),
            "--batch-rows",
            "10",
        ]),
        4,
    );
    assert!(
        !said.contains("answered"),
        "it is found before anything is sent: {said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_request_ends_a_run_that_cannot_end_in_good_order() {
    let scene = Scene::start("");
    let sluis = scene.sluis("hospital-north/etl");
    let rejects = scene.file("rejects.csv");
    let arguments = [
        "pseudonymise",
        "-",
        "--chain",
        REGISTRY,
        "--rejects",
        &rejects,
        "--batch-rows",
        "2000",
    ];
    let files = scene.files();
    let (mut child, stdin) = start(sluis.command(&arguments), &records());
    // No one reads: once the 64 KiB of a pipe are full, the run is stuck in writing.
    let waiting =
        || rustix::io::ioctl_fionread(child.stdout.as_ref().expect("piped")).expect("a pipe");
    until("the pipe is full", async || waiting() > 60_000).await;
    until("it ends", async || {
        signal(&child, Signal::INT);
        child.try_wait().expect("a child").is_some()
    })
    .await;
    let status = child.wait().expect("ends");
    assert_eq!(status.code(), Some(130));
    assert_eq!(scene.files(), files);
    drop(stdin);
}

#[test]
fn a_hangup_that_was_ignored_stays_ignored() {
    let scene = Scene::start("");
    let output = scene.file("out.csv");
    let arguments = [
        "pseudonymise",
        "-",
        "--chain",
        REGISTRY,
        "-o",
        &output,
        "--rejects",
        "/dev/stdout",
    ];
    let sluis = scene.sluis("hospital-north/etl").command(&arguments);
    // As nohup does.
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(sluis.get_program())
        .args(sluis.get_args());
    command.envs(
        sluis
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let (mut child, stdin) = start(command, &records());
    read_some(&mut child);
    signal(&child, Signal::HUP);
    drop(stdin);
    exits(&child.wait_with_output().expect("ends"), 0);
    assert_eq!(scene.read("out.csv").lines().count(), ROWS + 1);
}
