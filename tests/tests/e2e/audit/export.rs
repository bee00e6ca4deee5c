//! `sluis audit export`, `verify` and `read`.

use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sluis_testkit_daemon::process::Sluis;
use sluis_testkit_daemon::scene::Scene;
use sluis_testkit_daemon::world::{World, batch, pseudonymise};
use sluis_tlog::VerifierKey;

use super::copy::Copy;
use super::{AUDITOR, BSNS, CUSTODIAN, HEADS, NATIONAL, OTHER_STEWARD, SOURCE, STEWARDS};
use super::{act, export, settled, story, verify};
use crate::story::{exits, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_everything_that_happened_verifies_and_is_brought_up_to_date() {
    let story = story().await;
    let (scene, size) = (&story.scene, settled(&story.scene).await);
    let copy = scene.file("copy");
    let said = export(scene, &copy);
    assert_eq!(
        (&said["entries"], &said["new_entries"]),
        (&size.into(), &size.into()),
        "{said}"
    );
    let key_file = format!("{copy}/verifier-key");
    let key = fs::read_to_string(&key_file).expect("text");
    assert_eq!(said["verifier_key"], key.trim_end());
    assert_ne!(key.trim_end(), story.first_key, "it was rotated");

    for key in [key_file.as_str(), key.trim_end(), &story.first_key] {
        let (said, _) = verify(&copy, key, 0);
        assert!(
            said.contains(&format!("is whole: {size} entries")),
            "{said}"
        );
        assert!(
            said.contains("signed; 1 handovers to a new key")
                && said.contains("version 2, every change"),
            "{said}"
        );
    }
    let verified = json(
        &scene
            .sluis(AUDITOR)
            .ok(&["audit", "verify", &copy, "--key", &key_file, "--json"]),
    );
    for (name, expected) in [
        ("grants", 5),
        ("proposals", 3),
        ("registry_version", 2),
        ("handovers", 1),
        ("restores", 0),
    ] {
        assert_eq!(verified[name], expected, "{name} in {verified}");
    }
    assert!(verified["clock_set_back"].is_null(), "{verified}");
    // Approvals 2 + 2 + 2, denial, revocation; of proposals 2 + 2, rejection; instructions of custodians 2.
    assert_eq!(
        (&verified["signatures"], &verified["valid"]),
        (&15.into(), &true.into()),
        "{verified}"
    );

    let again = export(scene, &copy);
    assert_eq!(again["new_entries"], 0);
    act(scene, BSNS[3]).await;
    let grown = settled(scene).await;
    let said = export(scene, &copy);
    assert_eq!(
        (&said["entries"], &said["new_entries"]),
        (&grown.into(), &(grown - size).into())
    );
    verify(&copy, &story.first_key, 0);
    let fresh = scene.file("fresh");
    export(scene, &fresh);
    assert_eq!(
        Copy::read(&copy),
        Copy::read(&fresh),
        "continued or not, the copy is the same"
    );

    let bundle = format!(
        "{copy}/{}",
        Copy::read(&copy)
            .0
            .keys()
            .find(|name| name.contains("entries"))
            .expect("one")
    );
    let mut bytes = fs::read(&bundle).expect("readable");
    bytes[100] ^= 1;
    fs::write(&bundle, &bytes).expect("written");
    let refused = exits(&scene.sluis(AUDITOR).run(&["audit", "export", &copy]), 1);
    assert!(
        refused.contains("was changed after it was exported"),
        "{refused}"
    );
    assert_eq!(
        fs::read(&bundle).expect("readable"),
        bytes,
        "what was found is kept"
    );
    scene
        .sluis(AUDITOR)
        .ok(&["audit", "export", &copy, "--from-scratch"]);
    assert_eq!(Copy::read(&copy), Copy::read(&fresh));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_auditors_get_a_copy_and_nothing_is_lost_or_left_behind() {
    let scene = Scene::start(HEADS);
    settled(&scene).await;
    let (copy, other) = (scene.file("copy"), scene.file("other"));
    export(&scene, &copy);
    let before = Copy::read(&copy);
    for member in [
        SOURCE,
        CUSTODIAN,
        STEWARDS[0],
        OTHER_STEWARD,
        "outsider/etl",
    ] {
        let sluis = scene.sluis(member);
        let said = exits(&sluis.run(&["audit", "export", &other]), 1);
        assert!(said.contains("NOT_AN_AUDITOR"), "{member}: {said}");
        assert!(!Path::new(&other).exists(), "{member}");
        for again in [
            &["audit", "export", &copy][..],
            &["audit", "export", &copy, "--from-scratch"],
        ] {
            let output = sluis.run(again);
            // Without anything new there is nothing to ask for.
            let allowed = output.status.success() && again.len() == 3;
            assert!(
                allowed || exits(&output, 1).contains("NOT_AN_AUDITOR"),
                "{member}"
            );
            assert_eq!(Copy::read(&copy), before, "{member}: {again:?}");
        }
    }
    let nobody = Sluis::of(&scene.pki, "https://localhost:1", AUDITOR);
    exits(
        &nobody.run(&["audit", "export", &copy, "--from-scratch"]),
        5,
    );
    assert_eq!(Copy::read(&copy), before);
    let strange = scene.write("thesis.txt", "mine");
    let said = exits(
        &scene
            .sluis(AUDITOR)
            .run(&["audit", "export", &scene.file("")]),
        2,
    );
    assert!(said.contains("is not empty and holds no export"), "{said}");
    assert_eq!(fs::read_to_string(strange).expect("still there"), "mine");
    assert_eq!(
        scene.files(),
        ["copy", "registry.toml", "thesis.txt"],
        "no file half written"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_verified_with_the_key_that_is_given_and_no_other() {
    let scene = Scene::start(HEADS);
    settled(&scene).await;
    let copy = scene.file("copy");
    let key: VerifierKey = export(&scene, &copy)["verifier_key"]
        .as_str()
        .expect("text")
        .parse()
        .expect("a key");
    verify(&copy, &scene.write("key", format!("{key}\n\n")), 0);
    let own = VerifierKey::new(key.name(), &[7; 32]).expect("a key");
    let (_, said) = verify(&copy, &own.to_string(), 1);
    assert!(
        said.contains("not one of this log's signing keys"),
        "{said}"
    );
    let other =
        VerifierKey::new("sluis.test/0123456789abcdef0123456789abcdef", key.key()).expect("a key");
    let (_, said) = verify(&copy, &other.to_string(), 1);
    assert!(said.contains("the checkpoint is of the log"), "{said}");
    let text = key.to_string();
    for nonsense in [
        "",
        "key",
        &text[1..],
        &text[..text.len() - 1],
        &scene.write("empty", ""),
        &scene.file("none"),
    ] {
        let (_, said) = verify(&copy, nonsense, 2);
        assert!(said.contains("neither a verifier key nor a file"), "{said}");
    }
    // A false key beside the entries convinces no one who has the right one.
    fs::write(format!("{copy}/verifier-key"), format!("{own}\n")).expect("written");
    let (_, said) = verify(&copy, &text, 1);
    assert!(said.contains("verifier-key is not the key"), "{said}");
    verify(&scene.file("nowhere"), &text, 4);
    fs::create_dir(scene.file("nothing")).expect("made");
    let (_, said) = verify(&scene.file("nothing"), &text, 1);
    assert!(said.contains("checkpoint is missing"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_is_what_is_exported() {
    let story = story().await;
    let scene = &story.scene;
    settled(scene).await;
    export(scene, &scene.file("copy"));
    let exported: Vec<String> = Copy::read(&scene.file("copy"))
        .entries()
        .iter()
        .map(|bytes| HEXLOWER.encode(bytes))
        .collect();
    let read = |member: &str, arguments: &[&str]| -> Vec<Value> {
        let said = scene
            .sluis(member)
            .ok(&[&["audit", "read", "--json"], arguments].concat());
        said.lines().map(json).collect()
    };
    let canonical = |entry: &Value| entry["canonical"].as_str().expect("text").to_owned();
    assert_eq!(
        read(AUDITOR, &[]).iter().map(canonical).collect::<Vec<_>>(),
        exported
    );
    let table = scene.sluis(AUDITOR).ok(&["audit", "read"]);
    assert_eq!(table.lines().count(), exported.len() + 1);
    for part in [
        "refused: QUOTA_SUBJECTS",
        "grant-deny",
        &story.denied,
        "registry-office/steward-a",
    ] {
        assert!(table.contains(part), "{part} in {table}");
    }
    let part = read(AUDITOR, &["--from", "3", "--limit", "4"]);
    assert_eq!(
        part.iter().map(canonical).collect::<Vec<_>>(),
        exported[3..7]
    );
    let own = read(OTHER_STEWARD, &["--own"]);
    assert!(own.len() > 5 && own.len() < exported.len());
    for entry in &own {
        let about = [&entry["chain_id"], &entry["to_chain_id"]]
            .iter()
            .any(|chain| **chain == super::NATIONAL);
        assert!(
            about
                || entry["actor"]
                    .as_str()
                    .expect("text")
                    .starts_with("registry-office/"),
            "{entry}"
        );
    }
    for (member, own) in [
        (OTHER_STEWARD, &[][..]),
        (SOURCE, &[]),
        (SOURCE, &["--own"]),
        (CUSTODIAN, &[]),
    ] {
        let said = exits(
            &scene.sluis(member).run(&[&["audit", "read"], own].concat()),
            1,
        );
        assert!(said.contains("NOT_AN_AUDITOR"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_back_is_told_with_a_log_that_is_whole() {
    let world = World::start().await;
    let submit = async |world: &World| {
        pseudonymise(
            &world.client(SOURCE).await,
            NATIONAL,
            batch(&[("bsn", &BSNS[..1])]),
        )
        .await
        .expect("a source");
    };
    submit(&world).await;
    world.clock.set_back_millis(3 * 3_600_000);
    submit(&world).await;
    // A daemon that stops signs the head of all entries.
    let world = world.restart().await;
    let sluis = Sluis::of(&world.pki, &world.endpoint(), AUDITOR);
    let copy = world.path("copy").display().to_string();
    sluis.ok(&["audit", "export", &copy]);
    let key = format!("{copy}/verifier-key");
    let (said, warned) = verify(&copy, &key, 0);
    assert!(
        said.contains("is whole") && warned.contains("the custodian's clock went back by"),
        "{said}{warned}"
    );
    let verified = json(&sluis.ok(&["audit", "verify", &copy, "--key", &key, "--json"]));
    let seconds = verified["clock_set_back"]["seconds"]
        .as_u64()
        .expect("told");
    // The first entries have the machine's time, the others that of a clock which stands still.
    assert!((2 * 3_600..4 * 3_600).contains(&seconds), "{verified}");
}
