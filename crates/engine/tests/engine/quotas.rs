//! Quotas of sources, and limits of a day of grants.

use std::sync::Barrier;

use sluis_domain::Reason;
use sluis_engine::{QuotaFill, Refusal};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{self, About, Entry, Event};
use sluis_port::store::{Family, Store, StoreError};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::identifiers::bsns;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

use crate::life::{OWNERS, sign};
use crate::office::{Office, REGISTER, STUDY, batch, caller};
use crate::subjects;

const NORTH: &str = "hospital-north/etl";
const SOUTH: &str = "gp-south/etl";

/// The registry of the tests with a quota for all sources of the study.
pub(crate) fn limited(limits: &str) -> String {
    registry().replacen(
        "retention = \"10y\"\n",
        &format!("retention = \"10y\"\n\n[[chain.quota]]\n{limits}\n"),
        1,
    )
}

fn office(limits: &str) -> Office<FaultyStore<ModelStore>> {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    people::apply(&office.engine, &limited(limits)).unwrap();
    office
}

fn told(refused: Result<Vec<String>, Refusal>) -> (Reason, String) {
    let refusal = refused.expect_err("refused");
    let [violation] = refusal.violations() else {
        panic!("{refusal:?}")
    };
    (
        refusal.reason(),
        format!("{}: {}", violation.field, violation.description),
    )
}

fn rows(store: &impl Store, family: Family) -> usize {
    store.scan(family, &[], 10_000).unwrap().len()
}

fn entries(store: &impl Store) -> Vec<Entry> {
    let rows = store.scan(Family::Audit, &[], 10_000).unwrap();
    rows.iter()
        .map(|(_, bytes)| Entry::decode(bytes).unwrap())
        .collect()
}

#[test]
fn a_batch_beyond_the_subjects_of_a_day_is_refused_whole_on_record_and_told_where_the_limit_stands()
{
    let office = office("subjects_per_day = 10");
    let bsns = subjects(12);
    office.submit(NORTH, STUDY, &bsns[..8]).unwrap();
    let (links, before) = (rows(&*office.store, Family::Link), office.store.entries());
    let refused = told(office.submit(NORTH, STUDY, &bsns[6..]));
    let text = "quota.subjects_per_day: at most 10 subjects a day; 8 are counted today, 12 with this batch";
    assert_eq!(refused, (Reason::QuotaSubjects, text.to_owned()));
    assert_eq!(
        (rows(&*office.store, Family::Link), office.store.entries()),
        (links, before + 1)
    );
    let entry = entries(&*office.store).pop().unwrap();
    let refused = event::Refusal {
        act: Act::Pseudonymise,
        reason: Reason::QuotaSubjects,
        about: About::Chain(STUDY.parse().unwrap()),
    };
    assert_eq!(entry.event, Event::Refused(refused));
    office
        .submit(NORTH, STUDY, &bsns[..10])
        .expect("exactly the limit");
    office
        .submit(NORTH, STUDY, &bsns[..10])
        .expect("the same subjects count once");
    assert_eq!(
        told(office.submit(NORTH, STUDY, &bsns[10..11])).0,
        Reason::QuotaSubjects
    );
}

#[test]
fn who_opted_out_counts_like_anybody_so_that_no_count_tells() {
    let office = office("subjects_per_day = 3");
    let (bsns, namespace) = (subjects(4), "nl.bsn".parse().unwrap());
    let proposed = office
        .engine
        .life()
        .request_erasure(&caller(SOUTH), &namespace, bsns[0].as_bytes())
        .unwrap();
    for owner in OWNERS {
        sign(&office.engine, owner, &proposed).unwrap();
    }
    assert_eq!(
        told(office.submit(NORTH, STUDY, &bsns)).0,
        Reason::QuotaSubjects
    );
    let tokens = office.submit(NORTH, STUDY, &bsns[..3]).unwrap();
    assert!(tokens[0].is_empty() && !tokens[1].is_empty());
    assert_eq!(
        told(office.submit(NORTH, STUDY, &bsns[3..])).0,
        Reason::QuotaSubjects
    );
}

#[test]
fn trying_out_identifiers_one_after_the_other_ends_at_the_limit_and_a_restart_does_not_help() {
    let mut office = office("subjects_per_day = 100");
    let mut answered = 0;
    for (nth, bsn) in bsns().take(150).enumerate() {
        answered += usize::from(office.submit(NORTH, STUDY, &[bsn]).is_ok());
        if nth % 40 == 39 {
            office.reopen();
        }
    }
    assert_eq!(answered, 100);
    assert_eq!(rows(&*office.store, Family::Link), 100);
    office.clock.advance_hours(24);
    office
        .submit(NORTH, STUDY, &subjects(150)[50..])
        .expect("a new day");
    assert_eq!(
        told(office.submit(NORTH, STUDY, &subjects(1))).0,
        Reason::QuotaSubjects
    );
}

#[test]
fn neither_chains_nor_sources_share_a_quota_and_without_one_nothing_is_kept() {
    let office = office("source = \"hospital-north\"\nsubjects_per_day = 5");
    let bsns = subjects(6);
    office
        .submit(NORTH, REGISTER, &bsns)
        .expect("another chain");
    assert_eq!(rows(&*office.store, Family::Quota), 0);
    assert!(office.engine.batches().quota_fill().is_empty());
    office
        .submit(SOUTH, STUDY, &bsns)
        .expect("another source, with a larger quota");
    assert_eq!(
        told(office.submit(NORTH, STUDY, &bsns)).0,
        Reason::QuotaSubjects
    );
    office.submit(NORTH, STUDY, &bsns[..5]).unwrap();
    assert_eq!(rows(&*office.store, Family::Quota), 2);
    let fills = office.engine.batches().quota_fill();
    let is_north = |fill: &&QuotaFill| {
        fill.limit == "subjects" && fill.organisation.as_str() == "hospital-north"
    };
    let fill = fills.iter().find(is_north).unwrap();
    assert_eq!((fill.chain.as_str(), fill.ratio), (STUDY, 1.0));
    office.clock.advance_hours(24);
    assert!(
        office
            .engine
            .batches()
            .quota_fill()
            .iter()
            .all(|fill| fill.ratio == 0.0)
    );
    // Without the quota in the registry there is no limit any more.
    people::apply(&office.engine, &registry()).unwrap();
    office.submit(NORTH, STUDY, &bsns).unwrap();
}

#[test]
fn too_many_rejected_identifiers_of_a_day_end_it_from_a_thousand_rows_on() {
    let office = office("rejected_percent = 20");
    let bad = vec!["nonsense".to_owned(); 500];
    assert_eq!(
        office.submit(NORTH, STUDY, &bad[..200]).unwrap().len(),
        200,
        "of few rows nothing is said"
    );
    office
        .submit(NORTH, STUDY, &subjects(800))
        .expect("20 of 100");
    let text = "quota.rejected_percent: at most 20 percent; 200 of 1000 rows before this batch were rejected";
    assert_eq!(
        told(office.submit(NORTH, STUDY, &bad[..1])),
        (Reason::QuotaRejected, text.to_owned())
    );
    let fills = office.engine.batches().quota_fill();
    assert_eq!(
        fills
            .iter()
            .find(|fill| fill.limit == "rejected")
            .unwrap()
            .ratio,
        1.0
    );
    office
        .submit(NORTH, STUDY, &subjects(5))
        .expect("good identifiers make it better");
    office.submit(NORTH, STUDY, &bad[..1]).expect("201 of 1006");
    office.clock.advance_hours(24);
    office.submit(NORTH, STUDY, &bad).expect("a new day");
}

#[test]
fn batches_of_a_minute_are_limited_before_anything_is_done() {
    let office = office("requests_per_minute = 3\nsubjects_per_day = 1");
    let bsns = subjects(2);
    for _ in 0..3 {
        office.submit(NORTH, STUDY, &bsns[..1]).unwrap();
    }
    let text = "quota.requests_per_minute: at most 3 batches a minute; 3 came in the last minute";
    assert_eq!(
        told(office.submit(NORTH, STUDY, &bsns)),
        (Reason::QuotaRequests, text.to_owned())
    );
    office.clock.advance_millis(61_000);
    assert_eq!(
        told(office.submit(NORTH, STUDY, &bsns)).0,
        Reason::QuotaSubjects
    );
}

#[test]
fn concurrent_batches_are_all_counted() {
    let office = office("subjects_per_day = 100");
    let (bsns, start) = (subjects(160), Barrier::new(8));
    let answered: usize = std::thread::scope(|scope| {
        let worker = |own: &'_ [String]| {
            let (office, start, own) = (&office, &start, own.to_vec());
            scope.spawn(move || {
                start.wait();
                own.iter()
                    .filter(|bsn| office.submit(NORTH, STUDY, &[(*bsn).clone()]).is_ok())
                    .count()
            })
        };
        let workers: Vec<_> = bsns.chunks(20).map(worker).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    assert_eq!(answered, 100);
}

#[test]
fn a_failed_commit_does_not_count() {
    let office = office("subjects_per_day = 3");
    let bsns = subjects(4);
    office.submit(NORTH, STUDY, &bsns[..1]).unwrap();
    office.store.fail_commit(1, StoreError::Conflict);
    assert_eq!(
        office
            .submit(NORTH, STUDY, &bsns[..3])
            .unwrap_err()
            .reason(),
        Reason::Conflict
    );
    let fill = || {
        office
            .engine
            .batches()
            .quota_fill()
            .iter()
            .find(|fill| fill.limit == "subjects")
            .unwrap()
            .ratio
    };
    assert!((fill() - 1.0 / 3.0).abs() < 1e-9);
    office
        .submit(NORTH, STUDY, &bsns[1..3])
        .expect("three in all");
    assert_eq!(
        told(office.submit(NORTH, STUDY, &bsns)).0,
        Reason::QuotaSubjects
    );
}

#[test]
fn an_edited_counter_is_refused_and_not_begun_anew() {
    let mut office = office("subjects_per_day = 3");
    office.submit(NORTH, STUDY, &subjects(1)).unwrap();
    let (key, mut value) = office.store.scan(Family::Quota, &[], 1).unwrap().remove(0);
    *value.last_mut().unwrap() ^= 1;
    let mut commit = sluis_port::Commit::default();
    commit.put(Family::Quota, key, value);
    office.store.commit(commit).unwrap();
    office.reopen();
    assert_eq!(
        office
            .submit(NORTH, STUDY, &subjects(1))
            .unwrap_err()
            .reason(),
        Reason::CorruptStore
    );
}

#[test]
fn a_reached_limit_is_on_record_even_after_many_other_refusals() {
    let office = office("subjects_per_day = 1");
    for _ in 0..100 {
        let refused = office
            .submit(NORTH, "no-such-chain", &subjects(1))
            .unwrap_err();
        assert_eq!(refused.reason(), Reason::UnknownChain);
    }
    for _ in 0..2 {
        assert_eq!(
            told(office.submit(NORTH, STUDY, &subjects(2))).0,
            Reason::QuotaSubjects
        );
    }
    let recorded = |reason| {
        entries(&*office.store)
            .iter()
            .filter(|entry| entry.event.refused() == Some(reason))
            .count()
    };
    assert_eq!(
        (
            recorded(Reason::UnknownChain),
            recorded(Reason::QuotaSubjects)
        ),
        (60, 1)
    );
}

#[test]
fn a_grant_has_values_of_a_day_and_what_remains_of_it_is_said() {
    let mut office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(4));
    let grant = office.daily_grant(STUDY, REGISTER, 6, Some(3));
    let convert = |office: &Office<ModelStore>, tokens: &[String]| {
        office
            .convert(&grant, &batch(None, tokens))
            .map(|_| Vec::new())
    };
    convert(&office, &tokens[..2]).unwrap();
    let text = "batch: 1 values remain today, the batch has 2";
    assert_eq!(
        told(convert(&office, &tokens[2..])),
        (Reason::GrantDailyLimit, text.to_owned())
    );
    office.reopen();
    convert(&office, &tokens[3..]).unwrap();
    assert_eq!(
        told(convert(&office, &tokens[3..])).0,
        Reason::GrantDailyLimit
    );
    office.clock.advance_hours(24);
    convert(&office, &tokens[..3]).expect("a new day");
    let text = "batch: 0 values remain, the batch has 1";
    assert_eq!(
        told(convert(&office, &tokens[..1])),
        (Reason::GrantExhausted, text.to_owned())
    );
}

#[test]
fn entries_carry_the_counter_in_the_order_of_the_log() {
    let office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(3));
    let (grant, start) = (office.grant(STUDY, REGISTER, 100), Barrier::new(4));
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (office, tokens, grant, start) = (&office, &tokens, &grant, &start);
            scope.spawn(move || {
                start.wait();
                for round in 0..5 {
                    office
                        .converted(grant, &tokens[..1 + (worker + round) % 3])
                        .unwrap();
                }
            });
        }
    });
    let named = batch(Some(b"once"), &tokens);
    for _ in 0..2 {
        office.convert(&grant, &named).unwrap();
    }
    assert!(
        office
            .converted(&grant, &vec![tokens[0].clone(); 100])
            .is_err()
    );
    let converted: Vec<_> = entries(&*office.store)
        .into_iter()
        .filter(|entry| entry.event.act() == Act::Convert)
        .collect();
    let [batches @ .., again, refused] = converted.as_slice() else {
        panic!("too few")
    };
    let mut used = 0;
    for entry in batches {
        let counts = entry.event.counts();
        used += counts.values;
        assert_eq!(counts.counter, used);
    }
    assert_eq!((batches.len(), again.event.counts().counter), (21, used));
    assert!(refused.event.refused().is_some());
    assert_eq!(
        office
            .engine
            .governance()
            .get_grant(&caller("registry-office/etl"), &grant)
            .unwrap()
            .used,
        used
    );
}
