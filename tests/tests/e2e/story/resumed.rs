//! Runs under a grant that fail: nothing is used up before a file is known to be good, and what failed is resumed without
//! counting anything twice.

use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sluis_testkit_daemon::scene::Scene;

use super::{bsns, column, exits, json, pseudonymise};

const OFFICE: &str = "registry-office/etl";
const HOSPITAL: &str = "hospital-north/etl";
/// More than a pipe holds, as tokens.
const ROWS: usize = 4_000;

/// A custodian, and `tokens.csv` with the pseudonyms of a study and a column that is kept.
fn scene() -> Scene {
    let scene = Scene::start("");
    let rows: String = bsns()
        .take(ROWS)
        .enumerate()
        .map(|(i, bsn)| format!("{bsn},E{i}\n"))
        .collect();
    scene.write("in.csv", format!("bsn,diagnosis\n{rows}"));
    pseudonymise(&scene, HOSPITAL, "diabetes-study", "in.csv", "tokens.csv");
    scene
}

fn convert_grant(scene: &Scene, values: usize, more: &[&str]) -> String {
    let values = values.to_string();
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        &values,
    ];
    let approvers = ["uni-research/steward-1", "registry-office/steward-a"];
    scene.grant(OFFICE, &[&terms, more].concat(), &approvers)
}

fn reidentify_grant(scene: &Scene, values: usize) -> String {
    let values = values.to_string();
    let terms = [
        "reidentify",
        "--chain",
        "diabetes-study",
        "--element",
        "bsn",
        "--max-values",
        &values,
    ];
    let approvers = ["uni-research/steward-1", "uni-research/steward-2"];
    scene.grant(HOSPITAL, &terms, &approvers)
}

fn used(scene: &Scene, member: &str, grant: &str) -> u64 {
    let shown = json(&scene.sluis(member).ok(&["grant", "show", grant, "--json"]));
    shown["used_values"].as_u64().expect("a number")
}

/// What a run that nothing disturbs gives, under a grant of its own.
fn undisturbed(scene: &Scene) -> String {
    let grant = convert_grant(scene, ROWS, &[]);
    let (input, output) = (scene.file("tokens.csv"), scene.file("undisturbed.csv"));
    let run = [
        "convert", &input, "--grant", &grant, "-o", &output, "--json",
    ];
    let summary = json(&scene.sluis(OFFICE).ok(&run));
    assert_eq!(summary["counted_values"], ROWS);
    scene.read("undisturbed.csv")
}

fn start(mut command: Command) -> Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs")
}

/// Reads output of a run until there are answers in it. The run is then stuck: it waits for its reader.
fn read_answers(child: &mut Child) {
    let mut text = Vec::new();
    let stdout = child.stdout.as_mut().expect("piped");
    while !text.windows(4).any(|part| part == b"psn1") {
        let mut bytes = [0; 512];
        let read = stdout.read(&mut bytes).expect("readable");
        assert!(read > 0, "it ended too early");
        text.extend_from_slice(&bytes[..read]);
    }
}

/// A run under a grant whose output goes to a pipe and is written down in `run`, stuck after some answers.
fn stuck(scene: &Scene, member: &str, arguments: &[&str]) -> Child {
    let run = scene.file("run");
    let all = [arguments, &["--run-file", &run, "--batch-rows", "50"]].concat();
    let mut child = start(scene.sluis(member).command(&all));
    read_answers(&mut child);
    child
}

/// Resumes it, with a file as its output; what it gives.
fn resume(scene: &Scene, member: &str, arguments: &[&str]) -> String {
    let (run, output) = (scene.file("run"), scene.file("resumed.csv"));
    let more = ["--run-file", &run, "-o", &output, "--resume", "--force"];
    exits(&scene.sluis(member).run(&[arguments, &more].concat()), 0);
    assert!(!scene.files().contains(&"run".to_owned()), "it is complete");
    scene.read("resumed.csv")
}

/// Half of the tokens, more rows that are rejected here than a pipe holds as rejected rows, and the other half: a run whose
/// rejected rows no one reads stops after the first half.
fn halves(scene: &Scene, name: &str) -> String {
    let nonsense: String = (0..ROWS).map(|_| "nonsense,x\n").collect();
    let text = scene.read("tokens.csv");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (first, second) = lines.split_at(1 + ROWS / 2);
    scene.write(
        name,
        format!("{}{nonsense}{}", first.concat(), second.concat()),
    )
}

#[test]
fn a_damaged_last_line_uses_nothing_of_the_grant() {
    let scene = scene();
    let expected = undisturbed(&scene);
    let (whole, files) = (scene.read("tokens.csv"), scene.files());
    let grant = convert_grant(&scene, ROWS, &[]);
    let output = scene.file("out.csv");
    for damage in ["a,b,c\n", "\"never closed", "psn1\rx,y\n"] {
        let input = scene.write("damaged.csv", format!("{whole}{damage}"));
        let run = ["convert", &input, "--grant", &grant, "-o", &output];
        for way in [
            Stdio::null(),
            std::fs::File::open(&input).expect("there").into(),
        ] {
            // By its name, and as standard input that is a file.
            let output = scene.sluis(OFFICE).command(&run).stdin(way).output();
            let said = exits(&output.expect("runs"), 4);
            assert!(
                said.contains("nothing was counted") || !said.contains("answered"),
                "{said}"
            );
        }
    }
    let redirected = ["convert", "-", "--grant", &grant, "-o", &output];
    let mut redirected = scene.sluis(OFFICE).command(&redirected);
    let damaged = std::fs::File::open(scene.file("damaged.csv")).expect("there");
    exits(&redirected.stdin(damaged).output().expect("runs"), 4);
    assert_eq!(used(&scene, OFFICE, &grant), 0);
    std::fs::remove_file(scene.file("damaged.csv")).expect("there");
    assert_eq!(scene.files(), files, "no run file either");
    let input = scene.file("tokens.csv");
    scene
        .sluis(OFFICE)
        .ok(&["convert", &input, "--grant", &grant, "-o", &output]);
    assert_eq!(scene.read("out.csv"), expected);
    assert_eq!(used(&scene, OFFICE, &grant), ROWS as u64);
}

#[test]
fn a_grant_that_is_too_small_is_told_before_anything_is_sent() {
    let scene = scene();
    let (input, output) = (scene.file("tokens.csv"), scene.file("out.csv"));
    let files = scene.files();
    let too_small = convert_grant(&scene, ROWS - 1, &[]);
    let daily = convert_grant(&scene, ROWS, &["--max-values-per-day", "3999"]);
    let identities = reidentify_grant(&scene, ROWS - 1);
    for (member, command, grant, code) in [
        (OFFICE, "convert", &too_small, "GRANT_EXHAUSTED"),
        (OFFICE, "convert", &daily, "GRANT_DAILY_LIMIT"),
        (HOSPITAL, "reidentify", &identities, "GRANT_EXHAUSTED"),
    ] {
        let run = [command, &input, "--grant", grant, "-o", &output];
        let said = exits(&scene.sluis(member).run(&run), 1);
        let told = format!("{code}: the file has {ROWS} values, and 3999 remain");
        assert!(said.contains(&told), "{said}");
        assert_eq!(used(&scene, member, grant), 0, "{code}");
    }
    assert_eq!(scene.files(), files);
    // Missing values and rows that are rejected here do not count.
    let mut text = scene.read("tokens.csv");
    let last = text.trim_end().rfind('\n').expect("lines") + 1;
    text.replace_range(last.., ",missing\n123456782,no token\n");
    let input = scene.write("fits.csv", text);
    for (member, command, grant) in [
        (OFFICE, "convert", &too_small),
        (HOSPITAL, "reidentify", &identities),
    ] {
        let run = [command, &input, "--grant", grant, "-o", &output, "--force"];
        exits(&scene.sluis(member).run(&run), 3);
        assert_eq!(used(&scene, member, grant), ROWS as u64 - 1);
    }
}

#[test]
fn a_run_that_was_killed_is_resumed_and_every_value_counts_once() {
    let scene = scene();
    let (expected, input) = (undisturbed(&scene), scene.file("tokens.csv"));
    let grant = convert_grant(&scene, ROWS, &[]);
    let run = ["convert", &input, "--grant", &grant];
    for _ in 0..3 {
        let mut child = match scene.files().contains(&"run".to_owned()) {
            false => stuck(&scene, OFFICE, &run),
            true => stuck(&scene, OFFICE, &[&run[..], &["--resume"]].concat()),
        };
        child.kill().expect("still running");
        child.wait().expect("ends");
        let counted = used(&scene, OFFICE, &grant);
        assert!(counted > 0 && counted < ROWS as u64, "{counted}");
    }
    assert_eq!(resume(&scene, OFFICE, &run), expected);
    assert_eq!(used(&scene, OFFICE, &grant), ROWS as u64);
}

#[test]
fn a_run_whose_custodian_died_is_resumed_and_every_value_counts_once() {
    let mut scene = scene();
    let (expected, input) = (undisturbed(&scene), scene.file("tokens.csv"));
    let grant = convert_grant(&scene, ROWS, &[]);
    let run = ["convert", &input, "--grant", &grant];
    let child = stuck(&scene, OFFICE, &run);
    scene.kill();
    let said = exits(&child.wait_with_output().expect("ends"), 8);
    for part in [
        "the outcome is unknown",
        "it is unknown whether they are counted",
        "`sluis grant show ",
        "To go on without counting anything twice: ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    scene.start_again();
    assert_eq!(resume(&scene, OFFICE, &run), expected);
    assert_eq!(used(&scene, OFFICE, &grant), ROWS as u64);
}

#[test]
fn a_shuffled_run_that_was_killed_is_resumed_and_gives_the_same_set() {
    let scene = scene();
    let mut expected = column(&undisturbed(&scene), ',', "bsn");
    expected.sort();
    let grant = convert_grant(&scene, ROWS, &["--order", "shuffled"]);
    let input = scene.file("tokens.csv");
    let run = ["convert", &input, "--grant", &grant];
    let mut child = stuck(&scene, OFFICE, &run);
    child.kill().expect("still running");
    child.wait().expect("ends");
    let mut given = column(&resume(&scene, OFFICE, &run), ',', "bsn");
    given.sort();
    assert_eq!(given, expected);
    assert_eq!(used(&scene, OFFICE, &grant), ROWS as u64);
}

#[test]
fn identities_of_a_run_that_was_killed_are_fetched_again_without_counting() {
    let scene = scene();
    let grant = reidentify_grant(&scene, ROWS);
    let (input, output) = (halves(&scene, "mixed.csv"), scene.file("identities.csv"));
    let arguments = ["reidentify", &input, "--grant", &grant, "-o", &output];
    let stalled = ["--rejects", "/dev/stdout", "--batch-rows", "50"];
    let mut child = start(
        scene
            .sluis(HOSPITAL)
            .command(&[&arguments[..], &stalled].concat()),
    );
    let mut some = vec![0; 40_000];
    child
        .stdout
        .as_mut()
        .expect("piped")
        .read_exact(&mut some)
        .expect("rejected rows");
    child.kill().expect("still running");
    child.wait().expect("ends");
    assert_eq!(used(&scene, HOSPITAL, &grant), ROWS as u64 / 2);
    assert!(
        scene
            .files()
            .contains(&"identities.csv.sluis-run".to_owned())
    );
    assert!(
        !scene.files().contains(&"identities.csv".to_owned()),
        "no personal data"
    );
    let said = exits(&scene.sluis(HOSPITAL).run(&arguments), 2);
    assert!(
        said.contains("--resume"),
        "not begun again by accident: {said}"
    );
    exits(
        &scene
            .sluis(HOSPITAL)
            .run(&[&arguments[..], &["--resume"]].concat()),
        3,
    );
    let given = column(&scene.read("identities.csv"), ',', "bsn");
    assert_eq!(given, bsns().take(ROWS).collect::<Vec<_>>());
    assert_eq!(used(&scene, HOSPITAL, &grant), ROWS as u64);
    assert!(
        !scene
            .files()
            .contains(&"identities.csv.sluis-run".to_owned())
    );
}

#[test]
fn an_interrupted_run_keeps_what_was_answered_and_its_own_words_resume_it() {
    let scene = scene();
    let (expected, grant) = (undisturbed(&scene), convert_grant(&scene, ROWS, &[]));
    let input = halves(&scene, "mixed file.csv");
    let output = scene.file("out.csv");
    let arguments = [
        "convert",
        &input,
        "--grant",
        &grant,
        "-o",
        &output,
        "--batch-rows",
        "50",
        "--keep-partial",
    ];
    let stalled = [&arguments[..], &["--rejects", "/dev/stdout"]].concat();
    let mut child = start(scene.sluis(OFFICE).command(&stalled));
    let mut stdout = child.stdout.take().expect("piped");
    stdout
        .read_exact(&mut vec![0; 1_000])
        .expect("rejected rows");
    kill_process(Pid::from_child(&child), Signal::INT).expect("still running");
    // From now on everything is read, so that the run can end in good order.
    let reader = std::thread::spawn(move || drop(stdout.read_to_end(&mut Vec::new())));
    let ended = child.wait_with_output().expect("ends");
    reader.join().expect("reads");
    let said = exits(&ended, 130);
    let number = |before: &str, after: &str| -> usize {
        let line = said.lines().find_map(|line| {
            let line = line.strip_suffix(after)?;
            line.split_once(before).map(|(_, number)| number)
        });
        line.and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{before} {after}: {said}"))
    };
    let counted = number("", &format!(" values were counted under grant {grant}."));
    assert!((ROWS / 2..ROWS).contains(&counted), "{said}");
    let remain = number("The grant now has ", " of 4000 values left.");
    assert_eq!(ROWS - remain, counted, "{said}");
    let held = said.contains(&format!("out.csv.partial holds {counted} rows"));
    assert!(held, "{said}");
    let partial = scene.read("out.csv.partial");
    assert!(
        expected.starts_with(&partial),
        "whole rows from the beginning"
    );
    assert_eq!(partial.lines().count(), 1 + counted);
    let words = said
        .lines()
        .find_map(|line| line.strip_prefix("To go on without counting anything twice: "));
    let words = words.unwrap_or_else(|| panic!("{said}"));
    assert!(words.ends_with(" --resume"), "{words}");
    let environment = scene.sluis(OFFICE).command(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", words]);
    shell.envs(environment.get_envs().filter_map(|(k, v)| Some((k, v?))));
    exits(&shell.output().expect("sh"), 3);
    assert_eq!(scene.read("out.csv"), expected);
    assert_eq!(used(&scene, OFFICE, &grant), ROWS as u64);
    for gone in ["out.csv.partial", "out.csv.sluis-run"] {
        assert!(!scene.files().contains(&gone.to_owned()), "{gone}");
    }
}

/// Runs a command with a limit on the size of files.
fn limited(scene: &Scene, member: &str, kib: usize, arguments: &[&str]) -> Output {
    let sluis = scene.sluis(member).command(arguments);
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg(format!("ulimit -f {kib}; exec \"$0\" \"$@\""))
        .arg(sluis.get_program())
        .args(sluis.get_args());
    command.envs(sluis.get_envs().filter_map(|(k, v)| Some((k, v?))));
    command.output().expect("bash")
}

#[test]
fn a_place_without_room_is_told_before_anything_is_sent_or_else_the_run_is_resumed() {
    let scene = scene();
    let (input, output) = (scene.file("tokens.csv"), scene.file("out.csv"));
    let files = scene.files();
    let grant = convert_grant(&scene, ROWS, &[]);
    let run = ["convert", &input, "--grant", &grant, "-o", &output];
    let said = exits(&limited(&scene, OFFICE, 100, &run), 6);
    assert!(
        said.contains("there is room for 102400") && said.contains("nothing was counted"),
        "{said}"
    );
    assert_eq!(used(&scene, OFFICE, &grant), 0);
    assert_eq!(scene.files(), files);
    // How long identifiers are is not known before: 4,000 rows of about 15 bytes. The run file is small.
    let grant = reidentify_grant(&scene, ROWS);
    let run = ["reidentify", &input, "--grant", &grant, "-o", &output];
    let small = [&run[..], &["--batch-rows", "500"]].concat();
    let said = exits(&limited(&scene, HOSPITAL, 40, &small), 6);
    assert!(
        said.contains("rows in") && said.contains("To go on without counting anything twice: "),
        "{said}"
    );
    let counted = used(&scene, HOSPITAL, &grant);
    assert!(counted > 0, "{said}");
    exits(
        &scene
            .sluis(HOSPITAL)
            .run(&[&run[..], &["--resume"]].concat()),
        0,
    );
    let given = column(&scene.read("out.csv"), ',', "bsn");
    assert_eq!(given, bsns().take(ROWS).collect::<Vec<_>>());
    assert_eq!(used(&scene, HOSPITAL, &grant), ROWS as u64);
}

#[test]
fn a_run_is_resumed_only_as_it_was_begun() {
    let scene = scene();
    let (expected, input) = (undisturbed(&scene), scene.file("tokens.csv"));
    let grant = convert_grant(&scene, ROWS, &[]);
    let other = convert_grant(&scene, ROWS, &[]);
    let run = ["convert", &input, "--grant", &grant];
    let nothing = scene.file("out.csv");
    let none = [&run[..], &["--resume", "-o", &nothing]].concat();
    let said = exits(&scene.sluis(OFFICE).run(&none), 2);
    assert!(said.contains("there is no run to resume"), "{said}");
    let mut child = stuck(&scene, OFFICE, &run);
    let (written_down, output) = (scene.file("run"), scene.file("out.csv"));
    let more = ["--run-file", &written_down, "-o", &output];
    let busy = [&run[..], &more, &["--resume"]].concat();
    let said = exits(&scene.sluis(OFFICE).run(&busy), 6);
    assert!(said.contains("another sluis is at work"), "{said}");
    child.kill().expect("still running");
    child.wait().expect("ends");
    let counted = used(&scene, OFFICE, &grant);
    let whole = scene.read("tokens.csv");
    let (head, tail) = whole.split_at(whole.find("\npsn1").expect("a row") + 1);
    let mut lines: Vec<&str> = tail.lines().collect();
    lines.swap(0, 1);
    let swapped = scene.write("swapped.csv", format!("{head}{}\n", lines.join("\n")));
    let shorter = scene.write("shorter.csv", whole.trim_end());
    let kept = scene.write("kept.csv", whole.replace("E7\n", "E8\n"));
    let refused: [&[&str]; 6] = [
        &["convert", &input, "--grant", &grant],
        &["convert", &input, "--grant", &other, "--resume"],
        &["convert", &swapped, "--grant", &grant, "--resume"],
        &["convert", &shorter, "--grant", &grant, "--resume"],
        &["convert", &kept, "--grant", &grant, "--resume"],
        &[
            "convert",
            &input,
            "--grant",
            &grant,
            "--from-imported",
            "--resume",
        ],
    ];
    for arguments in refused {
        let said = exits(&scene.sluis(OFFICE).run(&[arguments, &more].concat()), 2);
        assert!(
            said.contains("--resume") || said.contains("Nothing was sent"),
            "{said}"
        );
        assert_eq!(used(&scene, OFFICE, &grant), counted, "{arguments:?}");
    }
    let pipe = ["convert", "-", "--grant", &grant, "--resume"];
    let mut piped = scene.sluis(OFFICE).command(&[&pipe[..], &more].concat());
    let mut piped = piped
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    // It may end before it has read all of it.
    drop(
        piped
            .stdin
            .take()
            .expect("piped")
            .write_all(whole.as_bytes()),
    );
    let said = exits(&piped.wait_with_output().expect("ends"), 2);
    assert!(said.contains("a pipe cannot be read again"), "{said}");
    assert_eq!(used(&scene, OFFICE, &other), 0);
    assert_eq!(resume(&scene, OFFICE, &run), expected);
    assert_eq!(used(&scene, OFFICE, &grant), ROWS as u64);
}

#[test]
fn a_repeated_import_changes_nothing_and_its_subjects_count_once_a_day() {
    let scene = Scene::start("");
    let quota = "subjects_per_day = 1000000";
    let few = sluis_testkit::registry::registry().replace(quota, "subjects_per_day = 40");
    let signers = ["uni-research/steward-1", "uni-research/steward-2"];
    scene.apply(few, &signers);
    let rows = |count: usize| -> String {
        let rows = bsns().take(count).enumerate();
        rows.map(|(i, bsn)| format!("{bsn},No-{i}\n")).collect()
    };
    let good = scene.write("good.csv", format!("bsn,study-no\n{}", rows(40)));
    let damaged = scene.write("damaged.csv", format!("bsn,study-no\n{}a,b,c\n", rows(40)));
    let output = scene.file("tokens.csv");
    let import = |input: &str, more: &[&str]| {
        let arguments = [
            "import",
            input,
            "--chain",
            "diabetes-study",
            "--element",
            "bsn",
            "--old",
            "study-no",
            "-o",
            &output,
            "--force",
        ];
        scene
            .sluis("gp-south/etl")
            .run(&[&arguments[..], more].concat())
    };
    let others = scene.write(
        "others.csv",
        bsns()
            .skip(100)
            .take(40)
            .fold("bsn,study-no\n".to_owned(), |text, bsn| {
                text + &bsn + ",x" + &bsn + "\n"
            })
            + "a,b,c\n",
    );
    for input in [&damaged, &others] {
        exits(&import(input, &[]), 4);
    }
    exits(&import(&good, &[]), 0);
    let first = scene.read("tokens.csv");
    for more in [&[][..], &["--resume"]] {
        exits(&import(&good, more), 0);
        assert_eq!(scene.read("tokens.csv"), first);
    }
    let more = scene.write("more.csv", format!("bsn,study-no\n{}", rows(41)));
    let said = exits(&import(&more, &[]), 1);
    assert!(said.contains("QUOTA_SUBJECTS"), "{said}");
}
