//! Key uses of batches and erasures: of what they are about, and of as many values as they have.

use sluis_ledger::audit::Act;

use super::{Case, refuse_each};
use crate::tests::forge::{
    Forge, KEY_A, KEY_B, KEY_NOTE, KeyUse, base, encrypted, key, made, story,
};
use crate::tests::keys::{act, converted, keys, may_reidentify, reidentified};
use crate::tests::second;

/// A batch: rows, values, rejected rows, and key uses.
fn counted(log: &mut Forge, counts: (u64, u64, u64), uses: Vec<KeyUse>) {
    let entry = log.last();
    (entry.rows, entry.values, entry.rejected) = counts;
    entry.keys = uses;
}

fn submitted(log: &mut Forge, counts: (u64, u64, u64), uses: Vec<KeyUse>) {
    act(log, Act::Pseudonymise, Some("clinic/etl"), "a", Vec::new());
    counted(log, counts, uses);
}

fn conversion(log: &mut Forge, counts: (u64, u64, u64), uses: Vec<KeyUse>) {
    converted(log, &[]);
    counted(log, counts, uses);
}

fn reidentification(log: &mut Forge, counts: (u64, u64, u64), uses: Vec<KeyUse>) {
    may_reidentify(log);
    reidentified(log, &[]);
    counted(log, counts, uses);
}

/// Chain `a` has the namespace `m` too, and no element of it.
fn another_namespace(log: &mut Forge, version: u32) {
    let text = format!(
        "{}[[namespace]]\nid = \"m\"\nidentifier = \"opaque\"\ninput = \"plain\"\n",
        log.registries[log.registries.len() - 1]
    );
    let line = "sources = [\"clinic\"]\nrecipients = [\"uni\", \"clinic\"]\n";
    let more = format!("{line}[[chain.namespace]]\nid = \"m\"\n");
    let made = KeyUse {
        namespace: "m".parse().ok(),
        ..key(version, 0)
    };
    log.enact("p-12", text.replacen(line, &more, 1), vec![made]);
}

#[test]
fn a_batch_names_versions_of_what_it_is_about() {
    let cases: [Case; 5] = [
        (
            "a conversion names a version of encrypted elements",
            |log| {
                let uses = vec![encrypted(KEY_NOTE, 0), key(KEY_A, 1), key(KEY_B, 1)];
                conversion(log, (1, 1, 0), uses);
            },
            "the grant is not about its namespace",
        ),
        (
            "a re-identification names a version of elements that were not granted",
            |log| reidentification(log, (1, 1, 0), vec![encrypted(KEY_NOTE, 1)]),
            "the grant is not about its namespace",
        ),
        (
            "a re-identification names a version of another chain",
            |log| reidentification(log, (1, 1, 0), vec![key(KEY_B, 1)]),
            "of another chain or namespace",
        ),
        (
            "a batch names a version of a namespace without elements",
            |log| {
                another_namespace(log, 7);
                let uses = vec![KeyUse {
                    namespace: "m".parse().ok(),
                    ..key(7, 1)
                }];
                submitted(log, (1, 1, 0), uses);
            },
            "no element of the chain is of its namespace",
        ),
        (
            "a conversion makes no pseudonyms",
            |log| conversion(log, (1, 1, 1), vec![key(KEY_A, 1)]),
            "`key use of the chain converted to` is empty",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn the_key_uses_of_a_batch_fit_its_values() {
    let cases: [Case; 15] = [
        (
            "a batch that names its version as one of another chain",
            |log| submitted(log, (5, 5, 0), vec![made("b", key(KEY_A, 5))]),
            "another chain or namespace",
        ),
        (
            "a batch without key uses",
            |log| submitted(log, (5, 5, 0), Vec::new()),
            "values and key uses",
        ),
        (
            "a batch with fewer key uses than values",
            |log| submitted(log, (5, 5, 0), vec![key(KEY_A, 4)]),
            "values and key uses",
        ),
        (
            "a batch with more key uses than values",
            |log| submitted(log, (5, 5, 0), vec![key(KEY_A, 5), encrypted(KEY_NOTE, 1)]),
            "values and key uses",
        ),
        (
            "a batch with more values than its rows have",
            |log| submitted(log, (1, 3, 0), vec![key(KEY_A, 3)]),
            "rows and values",
        ),
        (
            "a batch that rejects more than it has",
            |log| submitted(log, (1, 0, 2), Vec::new()),
            "rows and rejected rows",
        ),
        (
            "an import without pseudonyms",
            |log| {
                submitted(log, (1, 1, 0), vec![encrypted(KEY_NOTE, 1)]);
                log.last().act = Act::Import;
            },
            "`key use` is empty",
        ),
        (
            "a conversion that reads less than it makes",
            |log| conversion(log, (2, 2, 0), vec![key(KEY_A, 1), key(KEY_B, 2)]),
            "values and key uses",
        ),
        (
            "a conversion that reads more than it was sent",
            |log| conversion(log, (2, 2, 0), vec![key(KEY_A, 3), key(KEY_B, 2)]),
            "values and key uses",
        ),
        (
            "a conversion that makes less than it was sent, and rejects nothing",
            |log| conversion(log, (2, 2, 0), vec![key(KEY_A, 2), key(KEY_B, 1)]),
            "values and key uses",
        ),
        (
            "a conversion that rejects more than it was sent",
            |log| conversion(log, (2, 1, 2), vec![key(KEY_B, 0)]),
            "values and rejected rows",
        ),
        (
            "a conversion of more values than rows",
            |log| conversion(log, (1, 2, 0), vec![key(KEY_A, 2), key(KEY_B, 2)]),
            "rows and values",
        ),
        (
            "a re-identification without key uses",
            |log| reidentification(log, (2, 2, 0), Vec::new()),
            "values and key uses",
        ),
        (
            "a re-identification with fewer key uses than values, and nothing rejected",
            |log| reidentification(log, (2, 2, 0), vec![key(KEY_A, 1)]),
            "values and key uses",
        ),
        (
            "a re-identification with more key uses than values",
            |log| reidentification(log, (2, 1, 0), vec![key(KEY_A, 2)]),
            "values and key uses",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn honest_counts_pass() {
    let mut log = base();
    // One row was rejected, and a value of the other is missing.
    submitted(
        &mut log,
        (3, 3, 1),
        vec![key(KEY_A, 2), encrypted(KEY_NOTE, 1)],
    );
    // Of four tokens one was malformed, and one had no row.
    conversion(&mut log, (5, 4, 2), vec![key(KEY_A, 3), key(KEY_B, 2)]);
    conversion(&mut log, (1, 1, 1), vec![key(KEY_B, 0)]);
    reidentification(&mut log, (3, 3, 1), vec![key(KEY_A, 2)]);
    second::accept("honest counts", &log);
}

fn erased(log: &mut Forge, chain: &str, kids: &[u32]) {
    act(log, Act::EraseSubjects, None, chain, keys(kids));
}

#[test]
fn subjects_are_erased_after_an_opt_out_and_by_nobody() {
    let cases: [Case; 9] = [
        (
            "subjects are erased who did not opt out",
            |log| {
                log.cut_at(Act::RevokeGrant, 0);
                erased(log, "a", &[KEY_A]);
            },
            "no opt-out came before",
        ),
        (
            "subjects without escrow are erased who did not opt out",
            |log| {
                log.cut_at(Act::RevokeGrant, 0);
                erased(log, "a", &[]);
            },
            "no opt-out came before",
        ),
        (
            "somebody erases subjects",
            |log| {
                erased(log, "a", &[KEY_A]);
                let by = log.entry(Act::EraseSubjects, Some("c/anna"));
                (log.last().actor, log.last().fingerprint) = (by.actor, by.fingerprint);
            },
            "not an entry",
        ),
        (
            "no subject is erased",
            |log| {
                erased(log, "a", &[KEY_A]);
                log.last().values = 0;
            },
            "not an entry",
        ),
        (
            "subjects are erased in no chain",
            |log| {
                erased(log, "a", &[KEY_A]);
                log.last().chain = None;
            },
            "not an entry",
        ),
        (
            "subjects are erased in several namespaces",
            |log| {
                another_namespace(log, 7);
                erased(log, "a", &[KEY_A]);
                let other = KeyUse {
                    namespace: "m".parse().ok(),
                    ..key(7, 0)
                };
                log.last().keys.push(other);
            },
            "not an entry",
        ),
        (
            "subjects are erased among encrypted elements",
            |log| {
                erased(log, "a", &[]);
                log.last().keys = vec![encrypted(KEY_NOTE, 0)];
            },
            "not an entry",
        ),
        (
            "subjects are erased, and not in all versions",
            |log| {
                crate::tests::keys::custody(log, Act::RotateChain, "a", &[3]);
                erased(log, "a", &[3]);
            },
            "it is not named",
        ),
        (
            "subjects are erased nowhere, and there are versions",
            |log| erased(log, "a", &[]),
            "no opt-out came before",
        ),
    ];
    refuse_each(&cases);
}

/// The journal knows opt-outs of the log that was given up.
#[test]
fn a_restore_brings_opt_outs_back_that_the_log_does_not_know() {
    let mut log = story();
    let restore = log.last().clone();
    log.cut_at(Act::RevokeGrant, 0);
    let size = log.entries.len();
    log.push(restore);
    let root = log.tree(size).root();
    crate::tests::entries::restored(&mut log, |restore| {
        (restore.restored_size, restore.restored_root) = (size as u64, root);
    });
    log.last().registry_version = 1;
    erased(&mut log, "a", &[KEY_A]);
    erased(&mut log, "b", &[KEY_B]);
    second::accept("opt-outs that a restore brings back", &log);
    let between = log.entry(Act::RotateKek, None);
    log.push(between);
    erased(&mut log, "b", &[KEY_B]);
    let what = "subjects are erased some time after a restore";
    second::refuse_saying(what, &log, "no opt-out came before");
}
