//! Destroying a version, and cutting its escrow.

use sluis_domain::{ChainId, Reason};
use sluis_engine::KeyState;
use sluis_ledger::audit::{Act, MAX_ENTRY};
use sluis_ledger::proposal::State;
use sluis_port::{Family, Store, StoreError};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

use super::{DAY, UNI, destroyed, entries, line, reason, refusals, retire, rows, sign, sign_all};
use crate::office::{Office, REGISTER, STUDY, caller, custodian};
use crate::subjects;

#[test]
fn a_destroyed_version_leads_nowhere_and_the_others_stay_as_they_are() {
    let mut office = Office::open(ModelStore::new());
    let bsns = subjects(3);
    let old = office.pseudonymise(STUDY, &bsns);
    let elsewhere = office.pseudonymise(REGISTER, &bsns);
    let grant = office.grant(STUDY, REGISTER, 1_000);
    let kid = retire(&office, STUDY);
    let new = office.pseudonymise(STUDY, &bsns);
    assert_eq!(
        (
            rows(&*office.store, Family::Link, kid),
            rows(&*office.store, Family::Identity, kid)
        ),
        (3, 3)
    );
    let proposed = office
        .engine
        .life()
        .propose_destroy(&custodian(), kid)
        .unwrap();
    sign_all(&office.engine, &UNI, &proposed);
    for _ in 0..2 {
        for family in [
            Family::Link,
            Family::Identity,
            Family::Import,
            Family::ImportIndex,
        ] {
            assert_eq!(rows(&*office.store, family, kid), 0, "{family:?}");
        }
        assert_eq!(
            refusals(&office, &grant, &old),
            [Some(Reason::UnknownPseudonym); 3]
        );
        assert_eq!(office.converted(&grant, &new).unwrap(), elsewhere);
        assert_eq!(
            (
                office.pseudonymise(STUDY, &bsns),
                office.pseudonymise(REGISTER, &bsns)
            ),
            (new.clone(), elsewhere.clone())
        );
        let tombstone = line(&office.engine, STUDY, "nl.bsn")
            .into_iter()
            .find(|v| v.kid == kid)
            .unwrap();
        assert_eq!(
            (tombstone.state, tombstone.escrow),
            (KeyState::Destroyed, false)
        );
        office.reopen();
    }
    let entry = entries(&*office.store, Act::DestroyVersion).remove(0);
    assert_eq!(
        (
            entry.event.chain().unwrap().as_str(),
            entry.event.keys()[0].kid
        ),
        (STUDY, kid)
    );
    assert!(
        office.engine.life().housekeep().unwrap().compacted >= 4,
        "three families of rows and the keyring"
    );
    assert_eq!(
        office.engine.life().housekeep().unwrap().compacted,
        0,
        "once"
    );
}

#[test]
fn only_a_disabled_version_is_destroyed_and_only_by_two_stewards_of_the_owner() {
    let office = Office::open(ModelStore::new());
    let kid = line(&office.engine, STUDY, "nl.bsn")[0].kid;
    let destroy = |who: &str| office.engine.life().propose_destroy(&caller(who), kid);
    assert_eq!(
        reason(destroy("custodian/anna")),
        Some(Reason::VersionState),
        "active"
    );
    people::rotate(&office.engine, &STUDY.parse().unwrap(), None).unwrap();
    assert_eq!(
        reason(destroy("custodian/anna")),
        Some(Reason::VersionState),
        "convert-only"
    );
    people::disable(&office.engine, kid).unwrap();
    assert_eq!(reason(destroy(UNI[0])), Some(Reason::NotACustodian));
    let (proposed, second) = (
        destroy("custodian/anna").unwrap(),
        destroy("custodian/ben").unwrap(),
    );
    assert_eq!(
        sign(&office.engine, "registry-office/steward-a", &proposed),
        Err(Reason::UnknownProposal)
    );
    assert_eq!(
        sign(&office.engine, "custodian/anna", &proposed),
        Err(Reason::NotASigner)
    );
    assert_eq!(
        sign(&office.engine, UNI[0], &proposed),
        Ok(State::Open),
        "one is not enough"
    );
    assert_eq!(
        sign(&office.engine, UNI[0], &proposed),
        Err(Reason::AlreadySigned)
    );
    assert_eq!(
        line(&office.engine, STUDY, "nl.bsn")[0].state,
        KeyState::Disabled
    );
    assert_eq!(
        sign(&office.engine, UNI[1], &proposed),
        Ok(State::Effective)
    );
    assert_eq!(
        sign(&office.engine, UNI[0], &second),
        Err(Reason::ProposalStale),
        "destroyed meanwhile"
    );
    assert_eq!(
        reason(destroy("custodian/anna")),
        Some(Reason::VersionState)
    );
}

#[test]
fn a_destruction_that_cannot_be_written_did_not_happen() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let bsns = subjects(2);
    office.pseudonymise(STUDY, &bsns);
    let kid = retire(&office, STUDY);
    let proposed = office
        .engine
        .life()
        .propose_destroy(&custodian(), kid)
        .unwrap();
    assert_eq!(sign(&office.engine, UNI[0], &proposed), Ok(State::Open));
    office.store.fail_commit(1, StoreError::Conflict);
    assert_eq!(
        sign(&office.engine, UNI[1], &proposed),
        Err(Reason::Conflict)
    );
    assert_eq!(
        line(&office.engine, STUDY, "nl.bsn")[0].state,
        KeyState::Disabled
    );
    assert_eq!(rows(&*office.store, Family::Link, kid), 2);
    assert_eq!(
        sign(&office.engine, UNI[1], &proposed),
        Ok(State::Effective)
    );
}

#[test]
fn a_cut_escrow_leaves_the_pseudonyms_and_closes_the_ways() {
    let mut office = Office::open(ModelStore::new());
    let bsns = subjects(3);
    let tokens = office.pseudonymise(STUDY, &bsns);
    let out = office.grant(STUDY, REGISTER, 1_000);
    let kid = line(&office.engine, STUDY, "nl.bsn")[0].kid;
    sign_all(
        &office.engine,
        &UNI,
        &office.engine.life().propose_cut(&custodian(), kid).unwrap(),
    );
    for _ in 0..2 {
        assert_eq!(office.pseudonymise(STUDY, &bsns), tokens);
        assert_eq!(
            refusals(&office, &out, &tokens),
            [Some(Reason::UnknownPseudonym); 3]
        );
        for family in [
            Family::Link,
            Family::Identity,
            Family::Import,
            Family::ImportIndex,
        ] {
            assert_eq!(
                rows(&*office.store, family, kid),
                0,
                "also after records came in again: {family:?}"
            );
        }
        let info = line(&office.engine, STUDY, "nl.bsn").remove(0);
        assert_eq!((info.state, info.escrow), (KeyState::Active, false));
        office.reopen();
    }
    assert_eq!(
        reason(office.engine.life().propose_cut(&custodian(), kid)),
        Some(Reason::NotLinked),
        "once"
    );
    assert_eq!(
        entries(&*office.store, Act::CutEscrow)[0].event.keys()[0].kid,
        kid
    );
}

#[test]
fn what_was_removed_is_compacted_after_a_crash_too() {
    let mut office = Office::open(ModelStore::new());
    office.pseudonymise(STUDY, &subjects(1));
    let kid = retire(&office, STUDY);
    sign_all(
        &office.engine,
        &UNI,
        &office
            .engine
            .life()
            .propose_destroy(&custodian(), kid)
            .unwrap(),
    );
    office.reopen();
    assert!(office.engine.life().housekeep().unwrap().compacted >= 4);
    assert!(
        office
            .store
            .scan(Family::Optout, b"c", 10)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_chain_has_no_more_versions_than_the_entry_of_its_end_can_name() {
    const MOST: usize = 800;
    let mut office = Office::open(ModelStore::new());
    let (namespace, chain) = ("n".repeat(63), "c".repeat(63));
    let text = format!(
        "{}\n[[namespace]]\nid = \"{namespace}\"\nidentifier = \"nl-bsn\"\ninput = \"plain\"\n[[chain]]\nid = \"{chain}\"\n\
         owner = \"uni-research\"\nsources = [\"gp-south\"]\nrecipients = [\"uni-research\"]\nretention = \"1d\"\n\
         [[chain.namespace]]\nid = \"{namespace}\"\nlink = \"escrow\"\n\
         [[chain.element]]\nname = \"e\"\ntreatment = \"pseudonym\"\nnamespace = \"{namespace}\"\n",
        registry()
    );
    people::apply(&office.engine, &text).unwrap();
    let chain: ChainId = chain.parse().unwrap();
    let rotate = |office: &Office<ModelStore>| people::rotate(&office.engine, &chain, None);
    for _ in 1..MOST {
        rotate(&office).unwrap();
    }
    assert_eq!(reason(rotate(&office)), Some(Reason::TooManyVersions));
    let one = people::rotate(&office.engine, &chain, Some(&namespace.parse().unwrap()));
    assert_eq!(reason(one), Some(Reason::TooManyVersions));
    let other = text.replace(
        &format!("id = \"{namespace}\"\nlink = \"escrow\""),
        &format!("id = \"{namespace}\"\nlink = \"none\""),
    );
    for dry_run in [true, false] {
        let told = office
            .engine
            .governance()
            .propose_registry(&custodian(), &other, dry_run, None)
            .unwrap_err();
        assert_eq!(
            (told.reason(), told.violations()[0].field.clone()),
            (Reason::InvalidRegistry, format!("chain[{chain}]"))
        );
    }
    people::apply(
        &office.engine,
        &text.replace("retention = \"10y\"", "retention = \"11y\""),
    )
    .expect("other changes are");
    let kid = line(&office.engine, chain.as_str(), &namespace)[0].kid;
    people::disable(&office.engine, kid).unwrap();
    assert_eq!(
        reason(rotate(&office)),
        Some(Reason::TooManyVersions),
        "its keys are still there"
    );
    sign_all(
        &office.engine,
        &UNI,
        &office
            .engine
            .life()
            .propose_destroy(&custodian(), kid)
            .unwrap(),
    );
    rotate(&office).unwrap();
    office.clock.advance_hours(DAY);
    office.engine.life().housekeep().unwrap();
    office.clock.advance_hours(30 * DAY);
    assert_eq!(destroyed(&office.engine), [chain]);
    let entry = entries(&*office.store, Act::ExpireChain).remove(0);
    assert_eq!(entry.event.keys().len(), MOST);
    assert!((50_000..=MAX_ENTRY).contains(&entry.encode().len()));
    office.reopen();
}
