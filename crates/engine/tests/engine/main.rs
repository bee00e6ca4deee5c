//! The engine over stores in memory: metering, key states, and a model of what conversions give.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod bounds;
mod carried;
mod changed;
mod forged;
mod imported;
mod instructed;
mod life;
mod log;
mod model;
mod office;
mod order;
mod proposals;
mod quotas;
mod signed;
mod stale;
mod two;
mod wings;

use std::sync::Barrier;

use office::{Office, REGISTER, STUDY, batch, caller, custodian, texts};
use sluis_domain::Reason;
use sluis_engine::KeyState;
use sluis_ledger::event::Entry;
use sluis_port::store::{Family, Store, StoreError};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::identifiers::bsns;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

fn subjects(count: usize) -> Vec<String> {
    bsns().take(count).collect()
}

#[test]
fn concurrent_batches_never_use_more_than_the_maximum_and_can_use_all_of_it() {
    const MAX: u64 = 1_000;
    let office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(40));
    let grant = office.grant(STUDY, REGISTER, MAX);
    let start = Barrier::new(8);
    let answered: u64 = std::thread::scope(|scope| {
        let worker = |seed: usize| {
            let (office, tokens, grant, start) = (&office, &tokens, &grant, &start);
            scope.spawn(move || {
                start.wait();
                let (mut answered, mut size) = (0, 40);
                for round in 0.. {
                    let wanted = 1 + (seed * 7 + round * 13) % size;
                    match office.converted(grant, &tokens[..wanted]) {
                        Ok(_) => answered += wanted as u64,
                        // Smaller and smaller, until not even one is left.
                        Err(Reason::GrantExhausted) if size > 1 => size = (wanted - 1).max(1),
                        Err(reason) => {
                            assert_eq!(reason, Reason::GrantExhausted);
                            break;
                        }
                    }
                }
                answered
            })
        };
        let workers: Vec<_> = (0..8).map(worker).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    assert_eq!((answered, office.used(&grant)), (MAX, MAX));
}

#[test]
fn a_failed_commit_is_not_counted_and_the_counter_goes_on_where_it_was() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let tokens = office.pseudonymise(STUDY, &subjects(5));
    let grant = office.grant(STUDY, REGISTER, 10);
    assert!(office.converted(&grant, &tokens[..2]).is_ok());
    office.store.fail_commit(1, StoreError::Conflict);
    assert_eq!(office.converted(&grant, &tokens), Err(Reason::Conflict));
    assert_eq!(office.used(&grant), 2);
    assert!(office.converted(&grant, &tokens[..3]).is_ok());
    assert_eq!(office.used(&grant), 5);
    assert!(
        office.converted(&grant, &tokens).is_ok(),
        "exactly what remains"
    );
    assert_eq!(
        office.converted(&grant, &tokens[..1]),
        Err(Reason::GrantExhausted)
    );
}

#[test]
fn batches_queued_behind_a_failed_commit_are_refused_and_not_counted() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let tokens = office.pseudonymise(STUDY, &subjects(3));
    let grant = office.grant(STUDY, REGISTER, 100);
    let start = Barrier::new(4);
    for nth in 1..=20 {
        let before = office.used(&grant);
        office.store.fail_commit(nth % 4 + 1, StoreError::Conflict);
        let answered: u64 = std::thread::scope(|scope| {
            let convert = || {
                start.wait();
                let outcome = office.converted(&grant, &tokens[..1]);
                assert!(
                    matches!(outcome, Ok(_) | Err(Reason::Conflict)),
                    "{outcome:?}"
                );
                u64::from(outcome.is_ok())
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(convert)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .sum()
        });
        assert!(answered < 4, "one commit failed");
        assert_eq!(office.used(&grant), before + answered);
    }
}

#[test]
fn a_batch_id_counts_once_and_never_stands_for_other_content() {
    let mut office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(4));
    let (grant, other) = (
        office.grant(STUDY, REGISTER, 5),
        office.grant(STUDY, REGISTER, 5),
    );
    let once = batch(Some(b"monday"), &tokens[..3]);
    let first = texts(&office.convert(&grant, &once).unwrap());
    for _ in 0..3 {
        assert_eq!(texts(&office.convert(&grant, &once).unwrap()), first);
        assert_eq!(office.used(&grant), 3);
        office.reopen();
    }
    let reuse = office.convert(&grant, &batch(Some(b"monday"), &tokens[1..]));
    assert_eq!(reuse.unwrap_err().reason(), Reason::BatchIdReused);
    let same_bytes_cut_elsewhere = [tokens[..3].concat(), String::new(), String::new()];
    let reuse = office.convert(&grant, &batch(Some(b"monday"), &same_bytes_cut_elsewhere));
    assert_eq!(reuse.unwrap_err().reason(), Reason::BatchIdReused);
    assert_eq!(office.used(&grant), 3, "refused batches do not count");
    assert!(
        office
            .convert(&other, &batch(Some(b"monday"), &tokens[1..]))
            .is_ok(),
        "ids are those of a grant"
    );
}

#[test]
fn one_batch_id_sent_many_times_at_once_counts_once() {
    let office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(3));
    let grant = office.grant(STUDY, REGISTER, 3);
    let start = Barrier::new(6);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                start.wait();
                // A loser of the race is refused and may send it again.
                let outcome = office.convert(&grant, &batch(Some(b"once"), &tokens));
                assert!(
                    outcome.is_ok()
                        || outcome.is_err_and(|refusal| refusal.reason() == Reason::Conflict)
                );
            });
        }
    });
    assert!(
        office
            .convert(&grant, &batch(Some(b"once"), &tokens))
            .is_ok()
    );
    assert_eq!(office.used(&grant), 3);
}

#[test]
fn rotated_versions_lead_out_until_they_are_disabled() {
    let mut office = Office::open(ModelStore::new());
    let (bsns, grant) = (subjects(2), office.grant(STUDY, REGISTER, 100));
    let old = office.pseudonymise(STUDY, &bsns);
    let expected = office.converted(&grant, &old).unwrap();
    let versions = office.engine.life().status(&custodian()).unwrap().versions;
    let is_line = |info: &&sluis_engine::VersionInfo| {
        info.chain.as_str() == STUDY
            && info
                .namespace
                .as_ref()
                .is_some_and(|n| n.as_str() == "nl.bsn")
    };
    let old_kid = versions.iter().find(is_line).unwrap().kid;
    let refused = |kid| {
        people::disable(&office.engine, kid)
            .map(drop)
            .map_err(|refusal| refusal.reason())
    };
    assert_eq!(
        refused(old_kid),
        Err(Reason::VersionState),
        "an active version cannot be disabled"
    );
    people::rotate(&office.engine, &STUDY.parse().unwrap(), None).unwrap();
    let new = office.pseudonymise(STUDY, &bsns);
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    assert_eq!(office.converted(&grant, &old).unwrap(), expected);
    assert_eq!(office.converted(&grant, &new).unwrap(), expected);
    assert_eq!(
        people::disable(&office.engine, old_kid).unwrap().state,
        KeyState::Disabled
    );
    assert_eq!(
        people::disable(&office.engine, old_kid)
            .unwrap_err()
            .reason(),
        Reason::VersionState
    );
    for _ in 0..2 {
        let mixed = [old[0].clone(), new[1].clone()];
        let outcome = office.convert(&grant, &batch(None, &mixed)).unwrap();
        assert_eq!(outcome.rejections.len(), 1);
        assert_eq!(
            (outcome.rejections[0].row, outcome.rejections[0].reason),
            (0, Reason::VersionDisabled)
        );
        assert_eq!(texts(&outcome), [String::new(), expected[1].clone()]);
        office.reopen();
    }
}

#[test]
fn another_link_mode_or_reversibility_is_another_key_version() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(1);
    let apply = |text: &str| people::apply(&office.engine, text).unwrap();
    let before = office.pseudonymise(STUDY, &bsns);
    assert!(
        apply(&registry().replace("retention = \"10y\"", "retention = \"9y\""))
            .new_key_lines
            .is_empty()
    );
    assert_eq!(office.pseudonymise(STUDY, &bsns), before);
    let irreversible = registry().replacen("reversible = true", "reversible = false", 1);
    assert_eq!(
        apply(&irreversible).new_key_lines,
        ["diabetes-study/nl.bsn"]
    );
    let after = office.pseudonymise(STUDY, &bsns);
    assert_ne!(after, before);
    let unlinked = irreversible.replacen("link = \"escrow\"", "link = \"none\"", 1);
    assert_eq!(apply(&unlinked).new_key_lines, ["diabetes-study/nl.bsn"]);
    let alone = office.pseudonymise(STUDY, &bsns);
    assert!(alone != after && alone != before);
    assert_eq!(
        apply(&unlinked).new_key_lines,
        [""; 0],
        "the same registry again changes nothing"
    );
}

#[test]
fn refusals_are_on_record_and_an_act_that_cannot_be_recorded_is_refused() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let recorded = || {
        let last = office.store.entries() - 1;
        let (_, bytes) = office
            .store
            .scan(Family::Audit, &last.to_be_bytes(), 1)
            .unwrap()
            .remove(0);
        Entry::decode(&bytes).unwrap()
    };
    let ask = |who: &str| {
        let outcome = office.engine.batches().open_pseudonymise(
            &caller(who),
            &REGISTER.parse().unwrap(),
            &[],
            false,
        );
        outcome.map(drop).map_err(|refusal| refusal.reason())
    };
    assert_eq!(ask("gp-south/etl"), Err(Reason::UnknownChain));
    let entry = recorded();
    assert_eq!(entry.event.refused(), Some(Reason::UnknownChain));
    let caller = entry.header.caller.unwrap();
    assert_eq!(caller.identity.to_string(), "gp-south/etl");
    office
        .store
        .fail_commit(1, StoreError::ReadOnly("disk full".into()));
    assert_eq!(
        ask("registry-office/etl"),
        Err(Reason::ReadOnly),
        "not even told why, because that is not on record"
    );
}
