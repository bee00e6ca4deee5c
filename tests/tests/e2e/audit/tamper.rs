//! A copy that was tampered with: every file and every field of an entry, by verifiers that share no code.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use sluis_testkit_daemon::scene::Scene;
use sluis_tlog::Tile;

use super::copy::{Copy, fields};
use super::{AUDITOR, BSNS, HEADS, act, export, settled, story, verify};
use crate::story::json;

/// All fields of an entry; the story has every one of them somewhere.
const FIELDS: [&str; 8] = [
    "act",
    "at",
    "body",
    "format",
    "outcome",
    "reason",
    "registry version",
    "salt",
];

/// A story in more entries than one bundle holds, the key that is trusted from its beginning, and the present one.
async fn long() -> (Scene, Copy, String, String) {
    let story = story().await;
    let scene = story.scene;
    for number in 0..256 {
        act(&scene, BSNS[number % BSNS.len()]).await;
    }
    let size = settled(&scene).await;
    assert!((257..512).contains(&size), "a full bundle and another one");
    let said = export(&scene, &scene.file("copy"));
    let copy = Copy::read(&scene.file("copy"));
    assert_eq!(
        copy.verify(&story.first_key)
            .expect("as it was exported")
            .bundles,
        2
    );
    (
        scene,
        copy,
        story.first_key,
        said["verifier_key"].as_str().expect("text").to_owned(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_changed_byte_is_found_wherever_it_is() {
    let (scene, copy, first, present) = long().await;
    fields_of_entries(&copy, &first);
    other_files(&copy, &first, &present);
    missing_files(&copy, &first);
    moved_entries(&copy, &first);
    outsiders_agree(&scene, &copy, &first);
}

/// One bit of each field of one entry of each kind.
fn fields_of_entries(copy: &Copy, key: &str) {
    let entries = copy.entries();
    let (mut kinds, mut filled) = (BTreeSet::new(), BTreeSet::new());
    for (sequence, entry) in entries.iter().enumerate() {
        // Act and outcome.
        if !kinds.insert((entry[25], entry[26])) {
            continue;
        }
        for (name, range) in fields(entry) {
            filled.insert(name);
            // The first byte, which may be of a length, and the last.
            for at in BTreeSet::from([range.start, range.end - 1]) {
                let mut changed = entries.clone();
                changed[sequence][at] ^= 1;
                let mut tampered = copy.clone();
                tampered.set_entries(&changed);
                let said = &tampered.problems(key)[0];
                assert!(
                    said.starts_with(&format!("entry {sequence} was changed")),
                    "{name}: {said}"
                );
            }
        }
    }
    assert!(kinds.len() >= 18, "{kinds:?}");
    assert_eq!(filled.into_iter().collect::<Vec<_>>(), FIELDS);
}

/// Tiles, checkpoint, handover, keys and registries.
fn other_files(copy: &Copy, first: &str, present: &str) {
    let places = |content: &[u8]| {
        BTreeSet::from([0, content.len() / 2, content.len() - 2, content.len() - 1])
    };
    for (path, content) in copy.0.iter().filter(|(path, _)| *path != "README.txt") {
        let expected = match path.as_str() {
            "verifier-key" => "verifier-key is not the key".to_owned(),
            "checkpoint" => "checkpoint".to_owned(),
            "registry/1.toml" | "registry/2.toml" => {
                format!("registry version {} is not the one", &path[9..10])
            }
            path if path.starts_with("tile/entries") => "entry ".to_owned(),
            path if path.starts_with("tile/") => format!("{path} was changed"),
            path => path.to_owned(),
        };
        for at in places(content) {
            for key in [first, present] {
                let mut tampered = copy.clone();
                tampered.flip(path, at);
                let said = tampered.problems(key);
                assert!(said[0].contains(&expected), "{path}, byte {at}: {said:?}");
            }
        }
        let mut shorter = copy.clone();
        shorter.0.get_mut(path).expect("it is there").pop();
        shorter.problems(first);
        let mut longer = copy.clone();
        longer.0.get_mut(path).expect("it is there").push(b'\n');
        longer.problems(first);
    }
    // Every byte of the head: origin, size, root, key id and signature.
    for at in 0..copy.0["checkpoint"].len() {
        for key in [first, present] {
            let mut tampered = copy.clone();
            tampered.flip("checkpoint", at);
            tampered.problems(key);
        }
    }
}

fn missing_files(copy: &Copy, key: &str) {
    for path in copy.0.keys().filter(|path| *path != "README.txt") {
        let mut tampered = copy.clone();
        tampered.0.remove(path);
        let said = tampered.problems(key)[0].clone();
        let expected = match path.as_str() {
            "handovers/000" => {
                "1 rotations of its signing key, and there are 0 handovers".to_owned()
            }
            path if path.starts_with("registry/") => {
                format!("registry version {} is missing", &path[9..10])
            }
            path if path.starts_with("tile/1") => format!("{path} was changed"),
            path => format!("{path} is missing"),
        };
        assert!(said.contains(&expected), "{path}: {said}");
    }
    let mut more = copy.clone();
    more.0
        .insert("handovers/001".to_owned(), copy.0["handovers/000"].clone());
    assert!(more.problems(key)[0].contains("there are 2 handovers"));
    for length in [0, 1, 2, 500] {
        let mut tampered = copy.clone();
        tampered
            .0
            .get_mut("tile/entries/000")
            .expect("a full bundle")
            .truncate(length);
        let said = &tampered.problems(key)[0];
        assert!(
            said.contains("cannot be read from tile/entries/000"),
            "{length}: {said}"
        );
    }
}

/// Entries in another order, twice, or not at all; with tiles that fit them, as someone with a hand on the files makes them.
fn moved_entries(copy: &Copy, key: &str) {
    let entries = copy.entries();
    let changes: [fn(&mut Vec<Vec<u8>>); 4] = [
        |all| all.swap(5, 6),
        |all| all.swap(255, 256),
        |all| all[7] = all[6].clone(),
        |all| all[1..].rotate_left(1),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = entries.clone();
        change(&mut changed);
        let first = entries
            .iter()
            .zip(&changed)
            .position(|(a, b)| a != b)
            .expect("changed");
        let mut tampered = copy.clone();
        tampered.set_entries(&changed);
        let said = &tampered.problems(key)[0];
        assert!(
            said.starts_with(&format!("entry {first} was changed")),
            "{number}: {said}"
        );
        let root = tampered.set_tiles();
        let said = tampered.problems(key);
        assert!(
            said.iter()
                .any(|said| said.contains("not those that the checkpoint signs")),
            "{number}: {said:?}"
        );
        // The head cannot be made to fit: no one else has the key.
        let old = String::from_utf8(copy.0["checkpoint"].clone()).expect("text");
        let line = data_encoding::BASE64.encode(&root);
        let head = old.replacen(old.lines().nth(2).expect("a root"), &line, 1);
        tampered
            .0
            .insert("checkpoint".to_owned(), head.into_bytes());
        let said = tampered.problems(key);
        assert!(
            said.iter().any(|said| said.starts_with("checkpoint: ")),
            "{number}: {said:?}"
        );
    }
    // Fewer entries under a head that says so.
    let mut shorter = copy.clone();
    let size = copy.size();
    let head = String::from_utf8(copy.0["checkpoint"].clone()).expect("text");
    let head = head.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size - 1), 1);
    shorter.0.insert("checkpoint".to_owned(), head.into_bytes());
    shorter.problems(key);
}

/// Something that is done to a copy.
type Change<'a> = &'a dyn Fn(&mut Copy);

/// The same with `sluis audit verify`, and with the program that follows the documentation alone, where `SLUIS_PYTHON`
/// names something that runs it (`make test` does).
fn outsiders_agree(scene: &Scene, copy: &Copy, key: &str) {
    let key_file = scene.write("trusted", format!("{key}\n"));
    let place = scene.file("tampered");
    let tile = Tile::in_tree(0, 1, copy.size())
        .expect("the second tile")
        .to_string();
    second_implementation(&scene.file("copy"), &key_file, true);
    let changes: [(&str, Change, &str); 10] = [
        (
            "an entry",
            &|copy| copy.flip("tile/entries/000", 700),
            "was changed",
        ),
        (
            "the last entry",
            &|copy| copy.flip(&tile.replace("tile/0", "tile/entries"), 300),
            "was changed",
        ),
        ("a tile", &|copy| copy.flip(&tile, 33), &tile),
        (
            "the tile above",
            &|copy| copy.flip("tile/1/000.p/1", 1),
            "tile/1/000.p/1",
        ),
        (
            "the head",
            &|copy| copy.flip("checkpoint", 60),
            "checkpoint",
        ),
        (
            "a handover",
            &|copy| copy.flip("handovers/000", 60),
            "handovers/000",
        ),
        (
            "a registry",
            &|copy| copy.flip("registry/1.toml", 100),
            "registry version 1",
        ),
        (
            "no bundle",
            &|copy| drop(copy.0.remove("tile/entries/000")),
            "tile/entries/000 is missing",
        ),
        (
            "no registry",
            &|copy| drop(copy.0.remove("registry/2.toml")),
            "registry version 2 is missing",
        ),
        (
            "swapped",
            &|copy| swap_first(copy),
            "not those that the checkpoint signs",
        ),
    ];
    for (what, change, expected) in changes {
        let mut tampered = copy.clone();
        change(&mut tampered);
        tampered.write(&place);
        let (_, said) = verify(&place, &key_file, 1);
        assert!(
            said.contains(&format!("{place} is wrong: ")) && said.contains(expected),
            "{what}: {said}"
        );
        let output = scene
            .sluis(AUDITOR)
            .run(&["audit", "verify", &place, "--key", &key_file, "--json"]);
        let verdict = json(&String::from_utf8_lossy(&output.stdout));
        assert_eq!(
            (output.status.code(), &verdict["valid"]),
            (Some(1), &false.into()),
            "{what}: {verdict}"
        );
        let problems = verdict["problems"].as_array().expect("a list");
        assert!(
            problems.iter().any(|it| it["problem"]
                .as_str()
                .is_some_and(|it| it.contains(expected))),
            "{verdict}"
        );
        second_implementation(&place, &key_file, false);
        fs::remove_dir_all(&place).expect("removed");
    }
}

fn swap_first(copy: &mut Copy) {
    let mut entries = copy.entries();
    entries.swap(10, 11);
    copy.set_entries(&entries);
    copy.set_tiles();
}

fn second_implementation(directory: &str, key: &str, accepts: bool) {
    let Some(python) = std::env::var_os("SLUIS_PYTHON") else {
        return;
    };
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/second_implementation/verify_log.py"
    );
    let output = Command::new(python)
        .args([script, directory, key])
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("Traceback"), "{said}");
    assert_eq!(
        output.status.code(),
        Some(if accepts { 0 } else { 1 }),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_custodian_passes() {
    let (ours, theirs) = (Scene::start(HEADS), Scene::start(HEADS));
    act(&theirs, BSNS[0]).await;
    let copies = [&ours, &theirs].map(|scene| scene.file("copy"));
    let mut keys = Vec::new();
    for (scene, copy) in [&ours, &theirs].into_iter().zip(&copies) {
        settled(scene).await;
        keys.push(
            export(scene, copy)["verifier_key"]
                .as_str()
                .expect("text")
                .to_owned(),
        );
    }
    let [our_copy, their_copy] = copies.each_ref().map(|copy| Copy::read(copy));
    their_copy.verify(&keys[1]).expect("it is theirs");
    let (_, said) = verify(&copies[1], &keys[0], 1);
    assert!(said.contains("the checkpoint is of the log"), "{said}");
    let mut tampered = our_copy.clone();
    tampered
        .0
        .insert("checkpoint".to_owned(), their_copy.0["checkpoint"].clone());
    assert!(tampered.problems(&keys[0])[0].contains("the checkpoint is of the log"));
    let (our_entries, their_entries) = (our_copy.entries(), their_copy.entries());
    for sequence in 0..our_entries.len() {
        let mut changed = our_entries.clone();
        changed[sequence] = their_entries[sequence].clone();
        let mut tampered = our_copy.clone();
        tampered.set_entries(&changed);
        let said = &tampered.problems(&keys[0])[0];
        assert!(
            said.starts_with(&format!("entry {sequence} was changed")),
            "{said}"
        );
    }
}
