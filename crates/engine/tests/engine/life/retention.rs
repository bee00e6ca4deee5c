//! Chains past their retention.

use sluis_domain::{Column, Reason, RecordBatch};
use sluis_engine::{KeyState, OVERDUE_ROUNDS};
use sluis_keyring::Keyring;
use sluis_ledger::audit::Act;
use sluis_ledger::event::{ChainExpired, Entry, Event, Header};
use sluis_port::{Clock, Commit, Family, Row, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

use super::{DAY, OWNERS, destroyed, entries, line, reason, rows, sign_all};
use crate::office::{Office, REGISTER, STUDY, caller, convert_terms, custodian};
use crate::subjects;

fn registry_with(retention: &str) -> String {
    registry().replace(
        "retention = \"10y\"",
        &format!("retention = \"{retention}\""),
    )
}

/// A chain that nothing in has a key, unless `lines` say otherwise.
fn with_counts(registry: &str, lines: &str) -> String {
    format!(
        "{registry}\n[[chain]]\nid = \"counts\"\nowner = \"uni-research\"\nsources = [\"hospital-north\"]\n\
         recipients = [\"uni-research\"]\nretention = \"1d\"\n[[chain.element]]\nname = \"remark\"\ntreatment = \"keep\"\n\
         {lines}"
    )
}

/// The stored warning of a chain.
fn warning(store: &ModelStore) -> Row {
    store.scan(Family::Grants, b"l", 1).unwrap().remove(0)
}

fn put(store: &ModelStore, (key, value): Row) {
    let mut commit = Commit::default();
    commit.put(Family::Grants, key, value);
    store.commit(commit).unwrap();
}

fn names(chains: &[sluis_domain::ChainId]) -> Vec<&str> {
    chains.iter().map(|chain| chain.as_str()).collect()
}

#[test]
fn a_chain_is_warned_of_and_destroyed_30_days_later() {
    let mut office = Office::open(ModelStore::new());
    people::apply(&office.engine, &registry_with("90d")).unwrap();
    let bsns = subjects(2);
    office.pseudonymise(STUDY, &bsns);
    let elsewhere = office.pseudonymise(REGISTER, &bsns);
    let kids: Vec<_> = line(&office.engine, STUDY, "nl.bsn")
        .iter()
        .map(|v| v.kid)
        .collect();
    office.clock.advance_hours(90 * DAY - 1);
    assert_eq!(office.engine.life().housekeep().unwrap().warned, []);
    office.clock.advance_hours(1);
    assert_eq!(
        names(&office.engine.life().housekeep().unwrap().warned),
        [STUDY]
    );
    assert_eq!(
        office.engine.life().status(&custodian()).unwrap().expiring[0]
            .chain
            .as_str(),
        STUDY
    );
    office.reopen();
    office.clock.advance_hours(30 * DAY - 1);
    let done = office.engine.life().housekeep().unwrap();
    assert!(
        done.warned.is_empty() && done.destroyed.is_empty(),
        "one warning: {done:?}"
    );
    assert!(office.submit("hospital-north/etl", STUDY, &bsns).is_ok());
    office.clock.advance_hours(1);
    assert_eq!(names(&destroyed(&office.engine)), [STUDY]);
    for _ in 0..2 {
        assert_eq!(
            reason(office.submit("hospital-north/etl", STUDY, &bsns)),
            Some(Reason::ChainDestroyed)
        );
        assert_eq!(
            office.pseudonymise(REGISTER, &bsns),
            elsewhere,
            "other chains go on"
        );
        let all = office.engine.life().status(&custodian()).unwrap();
        let mut of_chain = all.versions.iter().filter(|v| v.chain.as_str() == STUDY);
        assert!(of_chain.all(|v| v.state == KeyState::Destroyed) && all.expiring.is_empty());
        assert!(
            kids.iter()
                .all(|kid| rows(&*office.store, Family::Link, *kid) == 0)
        );
        assert_eq!(office.engine.life().housekeep().unwrap().destroyed, []);
        office.reopen();
    }
    let entry = entries(&*office.store, Act::ExpireChain).remove(0);
    assert!(
        entry.header.caller.is_none()
            && kids
                .iter()
                .all(|kid| entry.event.keys().iter().any(|key| key.kid == *kid))
    );
    assert_eq!(entries(&*office.store, Act::WarnRetention).len(), 1);
}

#[test]
fn a_clock_that_jumps_ahead_and_comes_back_destroys_no_chain() {
    let office = Office::open(ModelStore::new());
    people::apply(&office.engine, &registry_with("90d")).unwrap();
    let bsns = subjects(2);
    let tokens = office.pseudonymise(STUDY, &bsns);
    office.clock.advance_hours(90 * DAY);
    assert_eq!(
        names(&office.engine.life().housekeep().unwrap().warned),
        [STUDY]
    );
    let jump = 40 * DAY * 3_600_000;
    // However often it jumps: what counts is rounds on end.
    for rounds in [1, OVERDUE_ROUNDS - 1, 1, 1] {
        office.clock.advance_millis(jump);
        for _ in 0..rounds {
            assert_eq!(office.engine.life().housekeep().unwrap().destroyed, []);
        }
        office.clock.set_back_millis(jump);
        assert_eq!(office.engine.life().housekeep().unwrap().destroyed, []);
    }
    assert_eq!(office.pseudonymise(STUDY, &bsns), tokens);
    office.clock.advance_hours(30 * DAY);
    assert_eq!(
        names(&destroyed(&office.engine)),
        [STUDY],
        "at its time it is"
    );
}

#[test]
fn a_destroyed_chain_stays_destroyed() {
    let mut office = Office::open(ModelStore::new());
    people::apply(&office.engine, &registry_with("1d")).unwrap();
    office.clock.advance_hours(31 * DAY);
    office.engine.life().housekeep().unwrap();
    office.clock.advance_hours(31 * DAY);
    assert_eq!(names(&destroyed(&office.engine)), [STUDY]);
    assert_eq!(
        reason(people::rotate(
            &office.engine,
            &STUDY.parse().unwrap(),
            None
        )),
        Some(Reason::ChainDestroyed)
    );
    // Neither another link mode nor a longer retention gives it new keys.
    let other = registry_with("10y").replacen("reversible = true", "reversible = false", 1);
    assert_eq!(
        people::apply(&office.engine, &other).unwrap().new_key_lines,
        [""; 0]
    );
    assert_eq!(
        reason(office.submit("hospital-north/etl", STUDY, &subjects(1))),
        Some(Reason::ChainDestroyed)
    );
    nothing_begins_in_a_destroyed_chain(&office);
    let without = other.replacen("id = \"diabetes-study\"", "id = \"another-study\"", 1);
    people::apply(&office.engine, &without).unwrap();
    let again = people::apply(&office.engine, &other);
    assert_eq!(
        reason(again),
        Some(Reason::InvalidRegistry),
        "its id is not used again"
    );
    office.reopen();
    assert!(
        office
            .engine
            .governance()
            .registry_text(&custodian(), None)
            .unwrap()
            .1
            == without,
        "the log is in order"
    );
}

fn nothing_begins_in_a_destroyed_chain(office: &Office<ModelStore>) {
    let until = office.clock.now().plus_millis(3_600_000);
    for (from, to) in [(STUDY, REGISTER), (REGISTER, STUDY)] {
        let terms = convert_terms(from, to, 1, until);
        let asked = office
            .engine
            .governance()
            .request_grant(&caller("registry-office/etl"), terms);
        assert_eq!(reason(asked), Some(Reason::ChainDestroyed), "{from}, {to}");
    }
    // Not even what takes no key.
    let source = caller("hospital-north/etl");
    let (chain, element) = (STUDY.parse().unwrap(), "birth_date".parse().unwrap());
    let session = office
        .engine
        .batches()
        .open_pseudonymise(&source, &chain, std::slice::from_ref(&element), false)
        .unwrap();
    let column = Column::from_values(["1984-03-07"]);
    let batch = RecordBatch::new(None, 1, vec![(element, column)]).unwrap();
    let sent = office.engine.batches().pseudonymise(&session, &batch);
    assert_eq!(reason(sent), Some(Reason::ChainDestroyed));
}

#[test]
fn a_longer_retention_takes_the_warning_back() {
    let office = Office::open(ModelStore::new());
    people::apply(&office.engine, &registry_with("90d")).unwrap();
    office.clock.advance_hours(90 * DAY);
    assert_eq!(
        names(&office.engine.life().housekeep().unwrap().warned),
        [STUDY]
    );
    people::apply(&office.engine, &registry_with("125d")).unwrap();
    office.clock.advance_hours(34 * DAY);
    assert_eq!(
        office.engine.life().housekeep().unwrap().destroyed,
        [],
        "the old warning does not count any more"
    );
    office.clock.advance_hours(DAY);
    let done = office.engine.life().housekeep().unwrap();
    assert_eq!(
        (names(&done.warned), names(&done.destroyed)),
        (vec![STUDY], vec![]),
        "warned anew"
    );
}

#[test]
fn a_withdrawn_warning_that_is_put_back_says_nothing_about_the_later_end() {
    let office = Office::open(ModelStore::new());
    people::apply(&office.engine, &registry_with("90d")).unwrap();
    office.clock.advance_hours(90 * DAY);
    assert_eq!(
        names(&office.engine.life().housekeep().unwrap().warned),
        [STUDY]
    );
    let withdrawn = warning(&office.store);
    people::apply(&office.engine, &registry_with("125d")).unwrap();
    office.engine.life().housekeep().unwrap();
    office.clock.advance_hours(35 * DAY);
    put(&office.store, withdrawn);
    assert!(
        office
            .engine
            .life()
            .status(&custodian())
            .unwrap()
            .expiring
            .is_empty()
    );
    let done = office.engine.life().housekeep().unwrap();
    assert_eq!(
        (names(&done.warned), names(&done.destroyed)),
        (vec![STUDY], vec![]),
        "warned anew"
    );
    let expiring = office
        .engine
        .life()
        .status(&custodian())
        .unwrap()
        .expiring
        .remove(0);
    assert_eq!(
        expiring.destroyed_at,
        office.clock.now().plus_millis(30 * DAY * 3_600_000)
    );
    office.clock.advance_hours(30 * DAY);
    assert_eq!(names(&destroyed(&office.engine)), [STUDY]);
}

#[test]
fn a_warning_of_an_earlier_version_is_given_once_more() {
    let office = Office::open(ModelStore::new());
    people::apply(&office.engine, &registry_with("90d")).unwrap();
    office.clock.advance_hours(90 * DAY);
    office.engine.life().housekeep().unwrap();
    let (key, _) = warning(&office.store);
    let keyring = Keyring::load(&*office.store, office.kek()).unwrap();
    let value = keyring.state().seal(
        Family::Grants,
        &key,
        1,
        &office.clock.now().millis().to_be_bytes(),
    );
    put(&office.store, (key, value));
    office.clock.advance_hours(30 * DAY);
    let done = office.engine.life().housekeep().unwrap();
    assert_eq!(
        (names(&done.warned), names(&done.destroyed)),
        (vec![STUDY], vec![])
    );
    office.clock.advance_hours(30 * DAY);
    assert_eq!(names(&destroyed(&office.engine)), [STUDY]);
}

#[test]
fn a_damaged_warning_holds_up_its_own_chain_and_nothing_else() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(1);
    office.pseudonymise(STUDY, &bsns);
    office.pseudonymise(REGISTER, &bsns);
    let keyed = "[[chain.namespace]]\nid = \"nl.bsn\"\n";
    people::apply(&office.engine, &registry_with("90d")).unwrap();
    office.clock.advance_hours(90 * DAY);
    assert_eq!(
        names(&office.engine.life().housekeep().unwrap().warned),
        [STUDY]
    );
    let (key, mut value) = warning(&office.store);
    *value.last_mut().unwrap() ^= 1;
    put(office.damage(), (key, value));
    people::apply(&office.engine, &with_counts(&registry_with("90d"), keyed)).unwrap();
    let (source, bsn) = (caller("hospital-north/etl"), "nl.bsn".parse().unwrap());
    let erasure = office
        .engine
        .life()
        .request_erasure(&source, &bsn, bsns[0].as_bytes())
        .unwrap();
    sign_all(&office.engine, &OWNERS, &erasure);
    office.clock.advance_hours(30 * DAY);
    let round = office.engine.life().housekeep().unwrap_err();
    assert_eq!(round.refusal.reason(), Reason::CorruptStore);
    assert_eq!(
        (names(&round.done.warned), names(&round.done.destroyed)),
        (vec!["counts"], vec![])
    );
    assert_eq!(
        round.done.erased, 4,
        "in every chain, the one past its retention included"
    );
    let expiring = office.engine.life().status(&custodian()).unwrap().expiring;
    assert_eq!(
        expiring
            .iter()
            .map(|of| of.chain.as_str())
            .collect::<Vec<_>>(),
        ["counts"]
    );
    office.clock.advance_hours(30 * DAY);
    for _ in 1..OVERDUE_ROUNDS {
        let round = office.engine.life().housekeep().unwrap_err();
        assert_eq!(names(&round.done.destroyed), [""; 0]);
    }
    let round = office.engine.life().housekeep().unwrap_err();
    assert_eq!(names(&round.done.destroyed), ["counts"]);
}

#[test]
fn a_chain_without_keys_has_no_end() {
    let mut office = Office::open(ModelStore::new());
    let text = with_counts(&registry(), "");
    people::apply(&office.engine, &text).unwrap();
    for longer in ["11y", "12y"] {
        for _ in 0..2 {
            office.clock.advance_hours(31 * DAY);
            assert_eq!(office.engine.life().housekeep().unwrap().warned, []);
        }
        people::apply(&office.engine, &text.replace("10y", longer)).unwrap();
        office.reopen();
    }
    assert!(entries(&*office.store, Act::WarnRetention).is_empty());
}

#[test]
fn a_chain_without_keys_that_an_earlier_version_ended_may_get_keys() {
    let mut office = Office::open(ModelStore::new());
    let text = with_counts(&registry(), "");
    people::apply(&office.engine, &text).unwrap();
    let chain: sluis_domain::ChainId = "counts".parse().unwrap();
    let root = |office: &Office<ModelStore>| {
        let mut change = Keyring::load(&*office.store, office.kek())
            .unwrap()
            .change(office.clock.now());
        change.ensure_chain(&chain);
        Commit {
            writes: change.finish().1,
            ..Commit::default()
        }
    };
    // It gave such a chain a root, and ended that again and again: the next registry made another.
    for _ in 0..2 {
        let mut ended = root(&office);
        let expired = ChainExpired {
            chain: chain.clone(),
            ended: Vec::new(),
        };
        for event in [
            Event::WarnRetention(chain.clone()),
            Event::ExpireChain(expired),
        ] {
            let header = Header {
                salt: [0; 16],
                at: office.clock.now(),
                registry_version: office
                    .engine
                    .governance()
                    .registry_text(&custodian(), None)
                    .unwrap()
                    .0,
                caller: None,
            };
            ended.entry(Entry { header, event }.encode());
        }
        ended.delete(Family::Keyring, [&[4][..], b"counts"].concat());
        office.store.commit(ended).unwrap();
        office.reopen();
    }
    office.store.commit(root(&office)).unwrap();
    office.reopen();
    office.clock.advance_hours(31 * DAY);
    assert_eq!(
        office.engine.life().housekeep().unwrap().warned,
        [],
        "there is nothing to destroy"
    );
    people::apply(
        &office.engine,
        &with_counts(&registry(), "[[chain.namespace]]\nid = \"nl.bsn\"\n"),
    )
    .unwrap();
    assert_eq!(
        names(&office.engine.life().housekeep().unwrap().warned),
        ["counts"]
    );
    office.clock.advance_hours(30 * DAY);
    assert_eq!(names(&destroyed(&office.engine)), ["counts"]);
    let rotated = people::rotate(&office.engine, &chain, None);
    assert_eq!(reason(rotated), Some(Reason::ChainDestroyed));
    office.reopen();
}
