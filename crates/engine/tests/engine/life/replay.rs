//! Opt-outs that an older backup does not know.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use sluis_domain::{Column, Reason, RecordBatch};
use sluis_engine::{
    Engine, Journal, LifeSettings, Replayed, RestoreError, RestoreSignature, Settings,
};
use sluis_ledger::restore::{LostKind, LostRow, Request};
use sluis_ledger::statement::Deed;
use sluis_port::{Commit, Family, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people::{caller, settings, signer};

use super::{OWNERS, line, rows, sign_all};
use crate::office::{Office, REGISTER, STUDY, wait};
use crate::subjects;

#[derive(Default)]
struct InMemory(Mutex<Vec<Vec<u8>>>);

impl Journal for InMemory {
    fn append(&self, record: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().push(record.to_vec());
        Ok(())
    }
    fn records(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// A journal on a disk that is full.
struct Full;

impl Journal for Full {
    fn append(&self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn records(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}

fn engine(
    office: &Office<ModelStore>,
    store: Arc<ModelStore>,
    journal: Arc<dyn Journal>,
) -> Engine {
    let life = LifeSettings {
        journal: Some(journal),
        ..LifeSettings::default()
    };
    Engine::open(
        store,
        &office.kek,
        office.clock.clone(),
        Settings { life, ..settings() },
    )
    .unwrap()
}

fn accepted(engine: Engine) -> Arc<Engine> {
    engine
        .log()
        .check_head(engine.log().sign_head().unwrap().note.as_bytes())
        .unwrap();
    Arc::new(engine)
}

fn copy(store: &ModelStore) -> Arc<ModelStore> {
    let (copy, mut commit) = (ModelStore::new(), Commit::default());
    for family in Family::ALL {
        for (key, value) in store.scan(family, &[], 100_000).unwrap() {
            match family {
                Family::Audit => commit.entry(value),
                _ => commit.put(family, key, value),
            };
        }
    }
    copy.commit(commit).unwrap();
    Arc::new(copy)
}

fn opted_out(engine: &Engine, identifiers: &[String]) -> Vec<usize> {
    let column = "bsn".parse().unwrap();
    let session = engine
        .batches()
        .open_pseudonymise(
            &caller("hospital-north/etl"),
            &STUDY.parse().unwrap(),
            &[column],
            false,
        )
        .unwrap();
    let columns = vec![("bsn".parse().unwrap(), Column::from_values(identifiers))];
    let batch = RecordBatch::new(None, identifiers.len(), columns).unwrap();
    let outcome = wait(engine.batches().pseudonymise(&session, &batch).unwrap()).unwrap();
    assert!(
        outcome
            .rejections
            .iter()
            .all(|rejection| rejection.reason == Reason::OptedOut)
    );
    outcome
        .rejections
        .iter()
        .map(|rejection| rejection.row as usize)
        .collect()
}

fn erase(engine: &Engine, identifier: &str) {
    let namespace = "nl.bsn".parse().unwrap();
    let proposed = engine
        .life()
        .request_erasure(&caller("gp-south/etl"), &namespace, identifier.as_bytes())
        .unwrap();
    sign_all(engine, &OWNERS, &proposed);
}

#[test]
fn opt_outs_since_a_backup_come_into_force_again_with_its_restore() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(4);
    office.pseudonymise(STUDY, &bsns);
    office.pseudonymise(REGISTER, &bsns);
    let journal = Arc::new(InMemory::default());
    let running = accepted(engine(&office, office.store.clone(), journal.clone()));
    erase(&running, &bsns[0]);
    office.clock.advance_hours(24);
    running.life().housekeep().unwrap();
    let backup = copy(&office.store);
    erase(&running, &bsns[2]);
    assert_eq!(opted_out(&running, &bsns), [0, 2]);
    drop(running);

    let restored = engine(&office, backup.clone(), journal.clone());
    let request = restored.log().restore_request(None).unwrap();
    let restore = &request.restore;
    let signatures = ["custodian/anna", "custodian/ben"].map(|member| RestoreSignature {
        signer: caller(member),
        signature: signer(member)
            .sign(Deed::AcceptRestore, restored.origin(), &restore.encode())
            .unwrap(),
    });
    // Damage is found before anything is on record.
    let flip = || *journal.0.lock().unwrap()[1].last_mut().unwrap() ^= 1;
    flip();
    let entries = backup.entries();
    let refused = restored
        .log()
        .accept_restore(None, &request, &signatures)
        .unwrap_err();
    assert!(
        matches!(&refused, RestoreError::OtherRows(rows) if kinds(rows) == [LostKind::Journal]),
        "{refused}"
    );
    assert_eq!(backup.entries(), entries);
    flip();
    let (_, replayed) = restored
        .log()
        .accept_restore(None, &request, &signatures)
        .unwrap();
    assert_eq!(
        replayed,
        Replayed {
            opt_outs: 1,
            rows: 2
        }
    );
    let mut restored = accepted(restored);
    for _ in 0..2 {
        assert_eq!(opted_out(&restored, &bsns), [0, 2]);
        for chain in [STUDY, REGISTER] {
            assert_eq!(
                rows(
                    &*backup,
                    Family::Link,
                    line(&restored, chain, "nl.bsn")[0].kid
                ),
                2,
                "{chain}"
            );
        }
        assert_eq!(
            rows(
                &*backup,
                Family::Identity,
                line(&restored, STUDY, "nl.bsn")[0].kid
            ),
            2
        );
        restored = accepted(engine(&office, backup.clone(), journal.clone()));
    }
    assert_eq!(journal.0.lock().unwrap().len(), 2, "no record comes twice");
}

fn kinds(rows: &BTreeSet<LostRow>) -> Vec<LostKind> {
    rows.iter().map(|row| row.kind).collect()
}

#[test]
fn one_row_that_cannot_be_read_is_named_and_given_up_by_two_and_blocks_nothing_else() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(3);
    office.pseudonymise(STUDY, &bsns);
    let journal = Arc::new(InMemory::default());
    let running = accepted(engine(&office, office.store.clone(), journal.clone()));
    let backup = copy(&office.store);
    erase(&running, &bsns[2]);
    drop(running);

    let kid = line(&office.engine, STUDY, "nl.bsn")[0].kid;
    let damage = |kept: u8| {
        let (key, mut value) = backup
            .scan(Family::Link, &kid.to_be_bytes(), 1)
            .unwrap()
            .remove(0);
        value[5] ^= kept;
        let mut commit = Commit::default();
        commit.put(Family::Link, key.clone(), value);
        backup.commit(commit).unwrap();
        key
    };
    let restored = engine(&office, backup.clone(), journal.clone());
    let whole = restored.log().restore_request(None).unwrap();
    assert_eq!(kinds(&whole.restore.lost_rows), []);
    let key = damage(1);
    let signed = |request: &Request| {
        ["custodian/anna", "custodian/ben"].map(|member| RestoreSignature {
            signer: caller(member),
            signature: signer(member)
                .sign(
                    Deed::AcceptRestore,
                    restored.origin(),
                    &request.restore.encode(),
                )
                .unwrap(),
        })
    };
    let before = backup.entries();
    let refused = restored
        .log()
        .accept_restore(None, &whole, &signed(&whole))
        .unwrap_err();
    assert!(
        matches!(&refused, RestoreError::OtherRows(rows) if kinds(rows) == [LostKind::Link]),
        "nobody signed that: {refused}"
    );
    assert_eq!(backup.entries(), before, "and nothing is on record");
    let request = restored.log().restore_request(None).unwrap();
    let lost = LostRow {
        kind: LostKind::Link,
        name: key.clone(),
    };
    assert_eq!(request.restore.lost_rows, [lost].into());
    let (_, replayed) = restored
        .log()
        .accept_restore(None, &request, &signed(&request))
        .unwrap();
    assert_eq!(replayed.opt_outs, 1);
    for family in [Family::Link, Family::Identity] {
        assert_eq!(backup.get(family, &key).unwrap(), None, "{family:?}");
    }
    let restored = accepted(restored);
    assert!(opted_out(&restored, &bsns).contains(&2));
}

#[test]
fn a_new_journal_gets_the_opt_outs_that_there_are() {
    let office = Office::open(ModelStore::new());
    erase(&office.engine, &subjects(1)[0]);
    let journal = Arc::new(InMemory::default());
    for _ in 0..2 {
        accepted(engine(&office, office.store.clone(), journal.clone()));
        assert_eq!(journal.0.lock().unwrap().len(), 1);
    }
}

#[test]
fn an_opt_out_that_does_not_reach_the_journal_is_not_made() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(1);
    let running = accepted(engine(&office, office.store.clone(), Arc::new(Full)));
    let proposed = running
        .life()
        .request_erasure(
            &caller("gp-south/etl"),
            &"nl.bsn".parse().unwrap(),
            bsns[0].as_bytes(),
        )
        .unwrap();
    assert!(super::sign(&running, OWNERS[0], &proposed).is_ok());
    assert_eq!(
        super::sign(&running, OWNERS[1], &proposed),
        Err(Reason::HeadUnavailable)
    );
    assert_eq!(opted_out(&running, &bsns), [0; 0]);
}
