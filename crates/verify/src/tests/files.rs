//! Exports: a good one passes, and whatever is changed in one is found and named.

use std::sync::OnceLock;

use proptest::prelude::*;
use sluis_ledger::audit::Act;
use sluis_tlog::{Bundle, VerifierKey, encode_bundle};

use super::forge::{Entry, Export, Forge, KEY_B, key, rekeyed, story};
use super::second;
use crate::export::{Checked, Problem, limit, verify};

/// Making keys takes a while.
fn good() -> &'static (Export, [VerifierKey; 2], Forge) {
    static GOOD: OnceLock<(Export, [VerifierKey; 2], Forge)> = OnceLock::new();
    GOOD.get_or_init(|| {
        let log = story();
        (
            log.export(),
            [log.verifier_key(0), log.verifier_key(1)],
            log,
        )
    })
}

fn check(export: &Export, key: &VerifierKey) -> Result<Checked, Vec<Problem>> {
    verify(export, key, &mut |_, _| {}).expect("reading never fails")
}

fn first(export: &Export) -> Problem {
    check(export, &good().1[1])
        .expect_err("it is wrong")
        .remove(0)
}

fn with(change: impl FnOnce(&mut std::collections::BTreeMap<String, Vec<u8>>)) -> Problem {
    let mut export = good().0.clone();
    change(&mut export.0);
    first(&export)
}

#[test]
fn a_good_export_passes_with_the_present_key_and_with_the_one_before() {
    let (export, keys, log) = good();
    for key in keys {
        let checked = check(export, key).expect("nothing is wrong");
        assert_eq!(checked.checkpoint.size(), log.entries.len() as u64);
        assert_eq!(
            (checked.bundles, checked.tiles, checked.handovers),
            (2, 3, 1)
        );
        assert_eq!(checked.state.registry_version(), 2);
    }
}

#[test]
fn progress_reaches_the_end() {
    let (export, keys, log) = good();
    let mut heard = Vec::new();
    verify(export, &keys[0], &mut |done, of| heard.push((done, of)))
        .expect("reads")
        .expect("nothing is wrong");
    let size = log.entries.len() as u64;
    assert_eq!(heard, [(256, size), (size, size)]);
}

#[test]
fn a_strange_key_is_refused() {
    let (export, keys, _) = good();
    let name = keys[0].name();
    let strange = VerifierKey::new(name, &[7; 32]).expect("a name");
    assert_eq!(
        check(export, &strange).expect_err("unknown"),
        [Problem::Key]
    );
    let other = VerifierKey::new("example.org/other", keys[0].key()).expect("a name");
    assert!(matches!(
        check(export, &other).expect_err("another log")[0],
        Problem::OtherLog { .. }
    ));
}

#[test]
fn a_changed_entry_is_named() {
    let bundle = Bundle::in_log(0, 256).expect("a bundle").to_string();
    let problem = with(|files| {
        let log = &good().2;
        let mut entries: Vec<Vec<u8>> = log.entries[..256].iter().map(Entry::encode).collect();
        entries[200][50] ^= 1;
        files.insert(bundle.clone(), encode_bundle(&entries).expect("short"));
    });
    assert_eq!(problem, Problem::Entry(200));
    let swapped = with(|files| {
        let log = &good().2;
        let mut entries: Vec<Vec<u8>> = log.entries[..256].iter().map(Entry::encode).collect();
        entries.swap(100, 101);
        files.insert(bundle.clone(), encode_bundle(&entries).expect("short"));
    });
    assert_eq!(swapped, Problem::Entry(100));
}

#[test]
fn a_changed_tile_is_named_and_no_entry() {
    for path in ["tile/0/000", "tile/0/001.p/35", "tile/1/000.p/1"] {
        let path = good()
            .0
            .0
            .keys()
            .find(|name| name.starts_with(path.split(".p").next().unwrap_or(path)))
            .cloned();
        let path = path.expect("the export has it");
        let problem = with(|files| files.get_mut(&path).expect("there")[40 % 32] ^= 1);
        assert_eq!(problem, Problem::Tile(path));
    }
}

#[test]
fn a_truncated_log_is_found() {
    let paths: Vec<String> = good().0.0.keys().cloned().collect();
    for path in paths.iter().filter(|path| !path.starts_with("handovers")) {
        let problem = with(|files| drop(files.remove(path)));
        let registry = path.starts_with("registry/");
        let above = path.starts_with("tile/1/");
        let missing = problem == Problem::Missing(path.clone());
        assert!(
            missing
                || registry && problem.sequence().is_some()
                || above && matches!(problem, Problem::Tile(_))
        );
    }
    assert!(matches!(
        with(|files| drop(files.remove("handovers/000"))),
        Problem::Handovers { .. }
    ));
    let bundle = paths
        .iter()
        .find(|path| path.starts_with("tile/entries/001"))
        .expect("a partial bundle");
    let problem = with(|files| {
        let bundle = files.get_mut(bundle).expect("there");
        bundle.truncate(bundle.len() - 1);
    });
    assert_eq!(problem.sequence(), Some(good().2.entries.len() as u64 - 1));
}

/// The custodian rewrites an entry and the whole tree, and signs that: what the rules know is still found.
#[test]
fn a_rewritten_and_signed_log_is_found_by_its_rules() {
    let mut log = story();
    let at = log.find(Act::Convert, 1);
    log.entries[at].counter = 12;
    let problems = check(&log.export(), &log.verifier_key(1)).expect_err("a counter is wrong");
    assert_eq!(problems[0].sequence(), Some(at as u64));
    assert!(matches!(problems[0], Problem::Wrong(_)));
}

#[test]
fn a_log_without_entries_is_not_whole() {
    let mut log = story();
    log.entries.clear();
    let problems = check(&log.export(), &log.verifier_key(0)).expect_err("it has no beginning");
    assert_eq!(problems[0].sequence(), Some(0));
    if let Some(accepts) = second::implementation() {
        let said = accepts(&log.export(), &log.verifier_key(0)).expect_err("no beginning");
        assert!(said.contains("without entries"), "{said}");
    }
}

/// A rewritten log without the signing key.
#[test]
fn a_rewritten_log_under_an_old_checkpoint_is_found() {
    let mut log = story();
    let at = log.find(Act::Pseudonymise, 7);
    log.entries[at].rows += 1;
    let mut export = log.export();
    for path in ["checkpoint", "verifier-key", "handovers/000"] {
        export.0.insert(path.to_owned(), good().0.0[path].clone());
    }
    let problems = check(&export, &good().1[1]).expect_err("another tree");
    assert!(problems.contains(&Problem::Root), "{problems:?}");
}

#[test]
fn a_checkpoint_with_an_unknown_signature_or_of_the_old_key_is_refused() {
    let unknown = with(|files| {
        let text = String::from_utf8(files["checkpoint"].clone()).expect("text");
        let line = text
            .lines()
            .last()
            .expect("a signature")
            .replace("example.org", "example.net");
        files.insert("checkpoint".into(), format!("{text}{line}\n").into_bytes());
    });
    assert!(matches!(unknown, Problem::Checkpoint(_)), "{unknown}");
    let handover =
        with(|files| drop(files.insert("handovers/000".into(), files["checkpoint"].clone())));
    assert!(matches!(handover, Problem::Handover { .. }), "{handover}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_flipped_bit_is_found(file in any::<prop::sample::Index>(), byte in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut export = good().0.clone();
        let paths: Vec<String> = export.0.keys().cloned().collect();
        let path = file.get(&paths);
        let bytes = export.0.get_mut(path).expect("it is there");
        let at = byte.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(check(&export, &good().1[0]).is_err(), "{path}, byte {at}");
    }
}

/// Short files byte by byte.
#[test]
fn every_byte_of_the_signed_files_counts() {
    for path in ["checkpoint", "verifier-key", "handovers/000"] {
        for at in 0..good().0.0[path].len() {
            for bit in [0_u8, 5, 7] {
                let mut export = good().0.clone();
                export.0.get_mut(path).expect("it is there")[at] ^= 1_u8 << bit;
                assert!(check(&export, &good().1[0]).is_err(), "{path}, byte {at}");
            }
        }
    }
}

#[test]
fn the_second_implementation_agrees() {
    let Some(accepts) = second::implementation() else {
        return;
    };
    let (export, keys, _) = good();
    keys.iter()
        .for_each(|key| drop(accepts(export, key).expect("a good export")));
    for path in export.0.keys() {
        for part in [0, 1, 2] {
            let mut export = export.clone();
            let bytes = export.0.get_mut(path).expect("there");
            let at = (bytes.len() - 1) * part / 2;
            bytes[at] ^= 1;
            assert!(accepts(&export, &keys[0]).is_err(), "{path}, byte {at}");
        }
    }
    let mut log = story();
    let at = log.find(Act::Convert, 1);
    log.entries[at].counter = 12;
    let said = accepts(&log.export(), &log.verifier_key(0)).expect_err("a counter is wrong");
    assert!(said.contains(&format!("entry {at}:")), "{said}");
    let mut log = story();
    for act in [Act::WarnRetention, Act::ExpireChain] {
        let mut entry = log.entry(act, None);
        entry.chain = "b".parse().ok();
        if act == Act::ExpireChain {
            entry.keys = vec![key(KEY_B, 0)];
        }
        log.entries.push(entry);
    }
    accepts(&log.export(), &log.verifier_key(0)).expect("a retention ended");
    let warning = log.entries.len() - 2;
    log.entries.remove(warning);
    assert!(
        accepts(&log.export(), &log.verifier_key(0)).is_err(),
        "without a warning"
    );
    assert!(
        accepts(&rekeyed().export(), &log.verifier_key(0)).is_err(),
        "an approval with a key that was given up"
    );
}

#[test]
fn the_second_implementation_reads_regular_files_of_a_fitting_size() {
    let Some(accepts) = second::implementation() else {
        return;
    };
    let (export, keys, _) = good();
    for path in export.0.keys() {
        let mut long = export.clone();
        let most = usize::try_from(limit(path)).expect("small");
        // Registries may be as long as this machine makes no file for a test.
        if most < 64 << 20 {
            long.0.insert(path.clone(), vec![b'x'; most + 1]);
            let said = accepts(&long, &keys[0]).expect_err(path);
            assert!(said.contains("bytes that it may have"), "{path}: {said}");
        }
    }
    for path in ["checkpoint", "registry/1.toml"] {
        let said = second::with_a_pipe(&export.clone(), path, &keys[0]);
        assert!(said.contains("is no regular file"), "{path}: {said}");
    }
}
