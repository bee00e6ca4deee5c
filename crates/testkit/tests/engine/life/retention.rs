//! Chains past their retention.

use sluis_domain::Reason;
use sluis_domain::audit::Act;
use sluis_domain::port::Family;
use sluis_engine::KeyState;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

use super::{DAY, entries, line, reason, rows};
use crate::office::{Office, REGISTER, STUDY, custodian};
use crate::subjects;

fn registry_with(retention: &str) -> String {
    registry().replace("retention = \"10y\"", &format!("retention = \"{retention}\""))
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
    let kids: Vec<_> = line(&office.engine, STUDY, "nl.bsn").iter().map(|v| v.kid).collect();
    office.clock.advance_hours(90 * DAY - 1);
    assert_eq!(office.engine.housekeep().unwrap().warned, []);
    office.clock.advance_hours(1);
    assert_eq!(names(&office.engine.housekeep().unwrap().warned), [STUDY]);
    assert_eq!(office.engine.status(&custodian()).unwrap().expiring[0].chain.as_str(), STUDY);
    office.reopen();
    office.clock.advance_hours(30 * DAY - 1);
    let done = office.engine.housekeep().unwrap();
    assert!(done.warned.is_empty() && done.destroyed.is_empty(), "one warning: {done:?}");
    assert!(office.submit("hospital-north/etl", STUDY, &bsns).is_ok());
    office.clock.advance_hours(1);
    assert_eq!(names(&office.engine.housekeep().unwrap().destroyed), [STUDY]);
    for _ in 0..2 {
        assert_eq!(reason(office.submit("hospital-north/etl", STUDY, &bsns)), Some(Reason::ChainDestroyed));
        assert_eq!(office.pseudonymise(REGISTER, &bsns), elsewhere, "other chains go on");
        let all = office.engine.status(&custodian()).unwrap();
        let mut of_chain = all.versions.iter().filter(|v| v.chain.as_str() == STUDY);
        assert!(of_chain.all(|v| v.state == KeyState::Destroyed) && all.expiring.is_empty());
        assert!(kids.iter().all(|kid| rows(&*office.store, Family::Link, *kid) == 0));
        assert_eq!(office.engine.housekeep().unwrap().destroyed, []);
        office.reopen();
    }
    let entry = entries(&*office.store, Act::ExpireChain).remove(0);
    assert!(entry.actor.is_none() && kids.iter().all(|kid| entry.keys.iter().any(|key| key.kid == *kid)));
    assert_eq!(entries(&*office.store, Act::WarnRetention).len(), 1);
}

#[test]
fn a_destroyed_chain_stays_destroyed() {
    let mut office = Office::open(ModelStore::new());
    people::apply(&office.engine, &registry_with("1d")).unwrap();
    for _ in 0..2 {
        office.clock.advance_hours(31 * DAY);
        office.engine.housekeep().unwrap();
    }
    assert_eq!(reason(office.engine.rotate(&custodian(), &STUDY.parse().unwrap(), None)), Some(Reason::ChainDestroyed));
    // Neither another link mode nor a longer retention gives it new keys.
    let other = registry_with("10y").replacen("reversible = true", "reversible = false", 1);
    assert_eq!(people::apply(&office.engine, &other).unwrap().new_key_lines, [""; 0]);
    assert_eq!(reason(office.submit("hospital-north/etl", STUDY, &subjects(1))), Some(Reason::ChainDestroyed));
    let without = other.replacen("id = \"diabetes-study\"", "id = \"another-study\"", 1);
    people::apply(&office.engine, &without).unwrap();
    let again = people::apply(&office.engine, &other);
    assert_eq!(reason(again), Some(Reason::InvalidRegistry), "its id is not used again");
    office.reopen();
    assert!(office.engine.registry_text(&custodian(), None).unwrap().1 == without, "the log is in order");
}

#[test]
fn a_longer_retention_takes_the_warning_back() {
    let office = Office::open(ModelStore::new());
    people::apply(&office.engine, &registry_with("90d")).unwrap();
    office.clock.advance_hours(90 * DAY);
    assert_eq!(names(&office.engine.housekeep().unwrap().warned), [STUDY]);
    people::apply(&office.engine, &registry_with("125d")).unwrap();
    office.clock.advance_hours(34 * DAY);
    assert_eq!(office.engine.housekeep().unwrap().destroyed, [], "the old warning does not count any more");
    office.clock.advance_hours(DAY);
    let done = office.engine.housekeep().unwrap();
    assert_eq!((names(&done.warned), names(&done.destroyed)), (vec![STUDY], vec![]), "warned anew");
}
