//! `sluis audit watch`: a witness, honest growth, roll-backs, forks and restores.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;
use sluis_testkit::registry::CUSTODIANS;
use sluis_testkit_daemon::process::{Sluis, Sluisd};
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::wait::DEADLINE;
use sluis_tlog::VerifierKey;
use sluis_wire::v1;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;
use tonic::Status;

use super::{AUDITOR, BSNS, HEADS, SOURCE};
use super::{act, copy_custodian, entries, export, head, rotate_key, settled, verify};
use crate::liar::{self, Lies};
use crate::story::{exits, json};
use sluis_testkit_daemon::raw::Services;

/// One look by a member without any office.
fn look(scene: &Scene, state: &str, more: &[&str]) -> Output {
    scene.sluis(SOURCE).run(
        &[
            &["audit", "watch", "--state", state, "--once", "--json"],
            more,
        ]
        .concat(),
    )
}

#[track_caller]
fn seen(output: &Output) -> Value {
    exits(output, 0);
    json(&String::from_utf8_lossy(&output.stdout))
}

/// The look must end in an alarm, and the witness remembers what it remembered.
#[track_caller]
fn alarms(output: &Output, state: &str, before: &[u8], words: &str) {
    let said = exits(output, 7);
    assert!(
        said.contains("ALARM: ") && said.contains(words),
        "{words:?} in {said}"
    );
    assert!(output.stdout.is_empty());
    assert_eq!(fs::read(state).expect("readable"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_pins_the_key_and_follows_a_log_that_grows() {
    let scene = Scene::start(HEADS);
    let size = settled(&scene).await;
    let (state, key) = (
        scene.file("witness.json"),
        head(&scene).await.1.verifier_key,
    );
    let first = look(&scene, &state, &[]);
    let said = seen(&first);
    assert_eq!(
        (&said["entries"], &said["before"], &said["key_rotated"]),
        (&size.into(), &Value::Null, &false.into())
    );
    assert!(
        String::from_utf8_lossy(&first.stderr)
            .contains(&format!("first look: trusting the key {key}"))
    );
    let same = look(&scene, &state, &[]);
    assert_eq!(seen(&same)["before"], size);
    assert!(same.stderr.is_empty(), "it is trusted by now");
    act(&scene, BSNS[0]).await;
    let grown = settled(&scene).await;
    let said = seen(&look(&scene, &state, &["--log-key", &key]));
    assert_eq!(
        (&said["entries"], &said["before"]),
        (&grown.into(), &size.into())
    );
    let human = scene
        .sluis(SOURCE)
        .ok(&["audit", "watch", "--state", &state, "--once"]);
    assert!(
        human.contains(&format!("{grown} entries, root "))
            && human.contains("continues what was seen"),
        "{human}"
    );

    // A key that is given is not learnt, and a wrong one not believed.
    let (other, file) = (
        scene.file("other.json"),
        scene.write("key", format!("{key}\n")),
    );
    let pinned = look(&scene, &other, &["--log-key", &file]);
    seen(&pinned);
    assert!(pinned.stderr.is_empty());
    let parsed: VerifierKey = key.parse().expect("a key");
    let false_key = VerifierKey::new(parsed.name(), &[7; 32])
        .expect("a key")
        .to_string();
    let none = scene.file("none.json");
    assert!(
        exits(&look(&scene, &none, &["--log-key", &false_key]), 7)
            .contains("no handover is signed by both")
    );
    assert!(!Path::new(&none).exists());
    exits(&look(&scene, &none, &["--log-key", "nonsense"]), 2);

    rotate_key(&scene).await;
    assert_eq!(seen(&look(&scene, &state, &[]))["key_rotated"], true);
    assert_eq!(seen(&look(&scene, &state, &[]))["key_rotated"], false);
    let given = look(&scene, &state, &["--log-key", &key]);
    assert_eq!(
        seen(&given)["key_rotated"],
        true,
        "the key that was given is the old one"
    );
    rotate_key(&scene).await;
    let before = fs::read(&other).expect("readable");
    alarms(
        &look(&scene, &other, &[]),
        &other,
        &before,
        "rotated more than once",
    );
    let newest = head(&scene).await.1.verifier_key;
    assert_eq!(
        seen(&look(&scene, &other, &["--log-key", &newest]))["before"],
        grown
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_keeps_looking_tells_every_time() {
    let scene = Scene::start(HEADS);
    let size = settled(&scene).await;
    let state = scene.file("witness.json");
    let watch = [
        "audit", "watch", "--state", &state, "--every", "1s", "--json",
    ];
    let mut command = Command::from(scene.sluis(SOURCE).command(&watch));
    let mut child = command
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = async || json(&lines.next_line().await.expect("text").expect("a look"));
    assert_eq!(
        timeout(DEADLINE, next()).await.expect("it looks")["entries"],
        size
    );
    act(&scene, BSNS[0]).await;
    let grown = async {
        loop {
            let look = next().await;
            if look["before"] != look["entries"] {
                return look;
            }
        }
    };
    let grown = timeout(DEADLINE, grown)
        .await
        .expect("it looks again and again");
    assert_eq!(
        (&grown["before"], &grown["entries"]),
        (&size.into(), &(size + 1).into())
    );
    child.kill().await.expect("still running");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_state_or_that_of_another_custodian_is_not_overwritten() {
    let (scene, other) = (Scene::start(HEADS), Scene::start(HEADS));
    settled(&scene).await;
    settled(&other).await;
    let state = scene.file("witness.json");
    seen(&look(&scene, &state, &[]));
    let good = fs::read(&state).expect("readable");
    alarms(
        &look(&other, &state, &[]),
        &state,
        &good,
        "and the trusted one is",
    );
    // Not even when someone says that something was restored.
    alarms(
        &look(&other, &state, &["--accept-restore"]),
        &state,
        &good,
        "and the trusted one is",
    );
    let key = head(&other).await.1.verifier_key;
    alarms(
        &look(&other, &state, &["--log-key", &key]),
        &state,
        &good,
        "another log than the one that was seen",
    );

    let text = String::from_utf8(good.clone()).expect("text");
    let no_key = text.replacen("+", "-", 1);
    let no_head = text.replacen("\\n", " ", 1);
    for damaged in [
        "",
        "{}",
        &text[..text.len() / 2],
        &no_key,
        &no_head,
        "\u{0}",
    ] {
        fs::write(&state, damaged).expect("written");
        for more in [&[][..], &["--accept-restore"]] {
            let said = exits(&look(&scene, &state, more), 4);
            assert!(said.contains("is not a witness's state"), "{said}");
        }
        assert_eq!(fs::read_to_string(&state).expect("readable"), damaged);
    }
    fs::write(&state, &good).expect("written");
    seen(&look(&scene, &state, &[]));
    let nobody = Sluis::of(&scene.pki, "https://localhost:1", SOURCE);
    exits(
        &nobody.run(&["audit", "watch", "--state", &state, "--once"]),
        5,
    );
    let parts = scene
        .files()
        .into_iter()
        .filter(|name| name.starts_with('.'));
    assert_eq!(parts.count(), 0, "nothing half written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custodian_that_puts_back_store_and_head_is_found_out() {
    let mut scene = Scene::start(HEADS);
    let (state, copy) = (scene.file("witness.json"), scene.file("copy"));
    act(&scene, BSNS[0]).await;
    assert_eq!(scene.stop().0, Some(0));
    let yesterday = tempfile::tempdir().expect("scratch directory");
    copy_custodian(&scene.path(""), yesterday.path());
    scene.start_again();
    for bsn in [BSNS[1], BSNS[2], BSNS[3]] {
        act(&scene, bsn).await;
    }
    let size = settled(&scene).await;
    seen(&look(&scene, &state, &[]));
    let (before, key) = (
        fs::read(&state).expect("readable"),
        head(&scene).await.1.verifier_key,
    );
    export(&scene, &copy);
    let refused = |scene: &Scene, words: &str| {
        let said = exits(&scene.sluis(AUDITOR).run(&["audit", "export", &copy]), 1);
        assert!(said.contains(words), "{words:?} in {said}");
        verify(&copy, &key, 0);
    };

    assert_eq!(scene.stop().0, Some(0));
    copy_custodian(yesterday.path(), &scene.path(""));
    scene.start_again();
    let back = settled(&scene).await;
    assert!(back < size);
    let words = format!("the log was rolled back: it had {size} entries, and now it has {back}");
    alarms(&look(&scene, &state, &[]), &state, &before, &words);
    // It does not go on as if nothing had happened when it was told to look again and again.
    alarms(
        &scene
            .sluis(SOURCE)
            .run(&["audit", "watch", "--state", &state]),
        &state,
        &before,
        &words,
    );
    refused(&scene, "it was rolled back");

    while entries(&scene).await < size {
        act(&scene, BSNS[0]).await;
    }
    assert_eq!(settled(&scene).await, size);
    let words = format!("the log was forked: two heads of {size} entries are different");
    alarms(&look(&scene, &state, &[]), &state, &before, &words);
    act(&scene, BSNS[0]).await;
    settled(&scene).await;
    alarms(
        &look(&scene, &state, &[]),
        &state,
        &before,
        "the log was forked: ",
    );
    refused(&scene, "does not continue");
}

/// Answers with this where a proof is asked for; with nothing, honestly.
struct Proves(Option<Result<Vec<Vec<u8>>, Status>>);

impl Lies for Proves {
    fn proof(
        &self,
        honest: v1::ProveConsistencyResponse,
    ) -> Result<v1::ProveConsistencyResponse, Status> {
        let Some(answer) = self.0.clone() else {
            return Ok(honest);
        };
        let hashes = answer?.into_iter().map(Into::into).collect();
        Ok(v1::ProveConsistencyResponse { hashes, ..honest })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custodian_that_withholds_the_proof_is_alarming_and_one_that_is_away_is_not() {
    let scene = Scene::start(HEADS);
    let old = settled(&scene).await;
    let state = scene.file("witness.json");
    seen(&look(&scene, &state, &[]));
    let before = fs::read(&state).expect("readable");
    act(&scene, BSNS[0]).await;
    let new = settled(&scene).await;
    let request = v1::ProveConsistencyRequest {
        old_size: old,
        new_size: new,
    };
    let honest = scene
        .client(SOURCE)
        .await
        .audit()
        .prove_consistency(request)
        .await
        .expect("a member")
        .into_inner();
    let hashes: Vec<Vec<u8>> = honest.hashes.iter().map(|hash| hash.to_vec()).collect();
    assert!(!hashes.is_empty());
    let changed = |change: fn(&mut Vec<Vec<u8>>)| {
        let mut hashes = hashes.clone();
        change(&mut hashes);
        Some(Ok(hashes))
    };
    let refused = |reason| Some(Err(liar::refusal(reason)));
    let unproven = "does not prove that it continues the one that was seen";
    let forked = "the log was forked: ";
    let with = async |answer| {
        let liar = liar::before(&scene, SOURCE, Proves(answer)).await;
        let watch = ["audit", "watch", "--state", &state, "--once", "--json"];
        Sluis::of(&scene.pki, &liar.endpoint, SOURCE).run(&watch)
    };
    for (answer, words) in [
        (refused("UNKNOWN_LOG_SIZE"), unproven),
        (refused("CORRUPT_STORE"), unproven),
        (refused("INVALID_REQUEST"), unproven),
        (changed(|hashes| hashes[0].truncate(31)), unproven),
        (changed(Vec::clear), forked),
        (changed(|hashes| drop(hashes.pop())), forked),
        (changed(|hashes| hashes[0][7] ^= 1), forked),
    ] {
        alarms(&with(answer).await, &state, &before, words);
    }
    // It may be sealed, or stop in that moment. Nothing is believed from it then.
    for (reason, code) in [("SEALED", 1), ("INTERNAL", 1)] {
        let said = exits(&with(refused(reason)).await, code);
        assert!(said.contains(reason) && !said.contains("ALARM"), "{said}");
        assert_eq!(fs::read(&state).expect("readable"), before);
    }
    let said = seen(&with(None).await);
    assert_eq!(
        (&said["entries"], &said["before"]),
        (&new.into(), &old.into()),
        "{said}"
    );
}

/// The backup comes back, and two custodians sign.
fn restore(scene: &mut Scene, backup: &str) {
    let run = |scene: &Scene, command: &str, arguments: &[&str]| {
        let output = Sluisd::command(&scene.path(""), command)
            .args(arguments)
            .output()
            .expect("sluisd runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    assert_eq!(scene.stop().0, Some(0));
    fs::remove_dir_all(scene.path("data")).expect("the store is lost");
    run(scene, "restore", &["--from", backup]);
    let request = scene.path("head/restore-request").display().to_string();
    let signatures = CUSTODIANS.map(|member| {
        let out = scene.file(&format!("{}.signature", member.replace('/', "-")));
        let hands = Sluis::of(&scene.pki, "https://localhost:1", member);
        hands.ok(&[
            "restore", "sign", &request, "--out", &out, "--yes", "--force",
        ]);
        out
    });
    run(
        scene,
        "accept-restore",
        &["--signature", &signatures[0], "--signature", &signatures[1]],
    );
    scene.start_again();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_alarms_until_it_is_accepted_and_can_be_verified_then() {
    let mut scene = Scene::start(HEADS);
    let (state, copy) = (scene.file("witness.json"), scene.file("copy"));
    let terms = [
        "convert",
        "--from",
        "diabetes-study/bsn",
        "--to",
        "national-registry/bsn",
        "--max-values",
        "10",
    ];
    let grant = scene.grant(
        "registry-office/etl",
        &terms,
        &["uni-research/steward-1", "registry-office/steward-a"],
    );
    let custodian = scene.client(CUSTODIANS[0]).await;
    let backup = custodian
        .custody()
        .create_backup(v1::CreateBackupRequest {})
        .await
        .expect("a backup")
        .into_inner();
    for bsn in BSNS {
        act(&scene, bsn).await;
    }
    let lost = settled(&scene).await;
    seen(&look(&scene, &state, &[]));
    let before = fs::read(&state).expect("readable");
    export(&scene, &copy);

    restore(&mut scene, &backup.directory);
    let size = settled(&scene).await;
    assert!(size < lost, "the acts after the backup are given up");
    alarms(&look(&scene, &state, &[]), &state, &before, "rolled back");
    // What the alarm asks for: an auditor's copy, verified with the key of before. The old one stays as it was.
    let said = exits(&scene.sluis(AUDITOR).run(&["audit", "export", &copy]), 1);
    assert!(said.contains("it was rolled back"), "{said}");
    let after = scene.file("after");
    let key = export(&scene, &after)["verifier_key"]
        .as_str()
        .expect("text")
        .to_owned();
    verify(&copy, &key, 0);
    let (_, warned) = verify(&after, &key, 0);
    assert!(warned.contains("look at the entries `restore`"), "{warned}");
    let table = scene.sluis(AUDITOR).ok(&["audit", "read"]);
    let line = table
        .lines()
        .find(|line| line.contains("  restore  "))
        .expect("on record");
    assert!(
        CUSTODIANS.iter().all(|member| line.contains(member)),
        "{line}"
    );

    let accepted = look(&scene, &state, &["--accept-restore"]);
    assert_eq!(seen(&accepted)["entries"], size);
    let said = String::from_utf8_lossy(&accepted.stderr);
    assert!(
        said.contains(&format!(
            "restore accepted: from a head of {lost} entries to one of {size}"
        )),
        "{said}"
    );
    act(&scene, BSNS[0]).await;
    settled(&scene).await;
    assert_eq!(seen(&look(&scene, &state, &[]))["before"], size);

    let day = super::report::days();
    let report = [
        "report", "--export", &after, "--from", &day.0, "--to", &day.1, "--json",
    ];
    for about in [&[][..], &["--organisation", "registry-office"]] {
        let report = json(&scene.sluis(AUDITOR).ok(&[&report[..], about].concat()));
        let listed = &report["grants"][0];
        let expected = (
            &Value::from(grant.as_str()),
            &Value::from(false),
            &Value::from(CUSTODIANS[0]),
        );
        assert_eq!(
            (&listed["grant"], &listed["open"], &listed["ended_by"]),
            expected,
            "{listed}"
        );
    }
    let report = json(&scene.sluis(AUDITOR).ok(&report));
    let restored = report["custody"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|act| act["act"] == "restore");
    assert_eq!(
        restored.expect("an act of custody")["signed_by"],
        serde_json::json!(CUSTODIANS)
    );
}
