//! The end of the write-ahead log is cut off before the next head is signed.

use std::fs;
use std::path::{Path, PathBuf};

use sluis_testkit_daemon::process::Sluisd;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::{batch, pseudonymise};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_ahead_log_cut_by_a_byte_is_refused_and_opened_only_when_the_loss_is_accepted() {
    // No head is written meanwhile, so only the mark can tell.
    let mut scene = Scene::start("head_seconds = 3600\nmax_lag_seconds = 3600");
    let source = scene.client("hospital-north/etl").await;
    for bsn in ["950000012", "900095222"] {
        pseudonymise(&source, "national-registry", batch(&[("bsn", &[bsn])]))
            .await
            .expect("acknowledged");
    }
    scene.kill();
    cut(&newest_log(&scene.path("data")));
    let said = run(&scene, "run");
    assert!(
        said.contains("the end of the write-ahead log was cut off"),
        "{said}"
    );
    assert!(said.contains("1 audit entries"), "{said}");
    let said = run(&scene, "run");
    assert!(
        said.contains("was cut off"),
        "a second try changes nothing: {said}"
    );

    let restored = Sluisd::command(&scene.path(""), "restore")
        .output()
        .expect("sluisd runs");
    let said = String::from_utf8_lossy(&restored.stdout).into_owned();
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    assert!(said.contains("1 ACKNOWLEDGED AUDIT ENTRIES"), "{said}");
    assert!(!said.contains("nothing was lost"), "{said}");
    assert!(said.contains("start the daemon"), "{said}");
    scene.start_again();
    assert_eq!(scene.stop().0, Some(0));
}

/// Standard error of a daemon that does not start.
fn run(scene: &Scene, command: &str) -> String {
    let output = Sluisd::command(&scene.path(""), command)
        .output()
        .expect("sluisd runs");
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn newest_log(data: &Path) -> PathBuf {
    let entries = fs::read_dir(data).expect("readable");
    let files = entries.map(|entry| entry.expect("readable").path());
    let logs = files.filter(|path| path.extension().is_some_and(|ext| ext == "log"));
    logs.max().expect("there is one")
}

/// Takes the last byte that was written away.
fn cut(log: &Path) {
    let bytes = fs::read(log).expect("readable");
    let last = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("not empty");
    fs::write(log, &bytes[..last]).expect("written");
}
