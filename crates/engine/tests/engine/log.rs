//! The log as a tree: heads, proofs, and what is noticed when the store is not what it was.

mod compared;
mod ended;
mod past;
mod restore;

use std::collections::BTreeSet;
use std::sync::Arc;

use sluis_domain::{GrantId, Reason};
use sluis_engine::{Engine, EngineError, HeadError, SignedHead};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{self, About, Entry, Event, GrantRef, Header, Refusal};
use sluis_ledger::instruction::Task;
use sluis_ledger::proposal;
use sluis_port::store::{Commit, Family, Row, Store, StoreError, Write};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::{CUSTODIANS, registry};
use sluis_tlog::{Checkpoint, VerifierKey, leaf_hash, verify_consistency, verify_inclusion};

use crate::life::sign;
use crate::office::{Office, REGISTER, STUDY, caller, custodian};
use crate::subjects;

impl<S: Store + 'static> Office<S> {
    /// Opens the engine again, over `store` instead of its own, with the head that was kept.
    pub(crate) fn reopened(
        &self,
        store: Arc<dyn Store>,
        head: &str,
    ) -> Result<Engine, EngineError> {
        let engine = Engine::open(store, self.kek(), self.clock.clone(), people::settings())?;
        engine.log().check_head(head.as_bytes())?;
        Ok(engine)
    }

    pub(crate) fn head(&self) -> Arc<SignedHead> {
        let head = self.engine.log().sign_head().unwrap();
        self.engine.log().publish_head(head.clone());
        head
    }

    /// Entries, refused ones, one each.
    fn grow(&self, count: usize) {
        let one = |_| {
            self.store
                .commit(Commit {
                    entries: vec![self.noise()],
                    ..Commit::default()
                })
                .unwrap()
        };
        (0..count).map(one).for_each(drop);
    }

    fn noise(&self) -> Vec<u8> {
        self.refused(Refusal {
            act: Act::Admit,
            reason: Reason::Blocked,
            about: About::Nothing,
        })
    }

    fn refused(&self, refusal: Refusal) -> Vec<u8> {
        let header = Header {
            salt: [0; 16],
            at: sluis_port::Clock::now(&*self.clock),
            registry_version: 1,
            caller: Some(event::Caller {
                identity: custodian().identity,
                fingerprint: custodian().fingerprint,
            }),
        };
        let event = Event::Refused(refusal);
        Entry { header, event }.encode()
    }
}

fn all(store: &dyn Store) -> Vec<(Family, Row)> {
    let rows = |family| {
        store
            .scan(family, &[], usize::MAX)
            .unwrap()
            .into_iter()
            .map(move |row| (family, row))
    };
    Family::ALL.into_iter().flat_map(rows).collect()
}

/// A copy of a store, with `entries` in place of its log.
fn copy(rows: &[(Family, Row)], entries: Vec<Vec<u8>>) -> Arc<dyn Store> {
    let store = ModelStore::new();
    let mut commit = Commit {
        entries,
        ..Commit::default()
    };
    for (family, (key, value)) in rows.iter().filter(|(family, _)| *family != Family::Audit) {
        commit.writes.push(Write {
            family: *family,
            key: key.clone(),
            value: Some(value.clone()),
        });
    }
    store.commit(commit).unwrap();
    Arc::new(store)
}

fn entries(store: &dyn Store) -> Vec<Vec<u8>> {
    store
        .scan(Family::Audit, &[], usize::MAX)
        .unwrap()
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect()
}

fn tiles(rows: &[(Family, Row)]) -> Vec<(Family, Row)> {
    rows.iter()
        .filter(|(family, _)| *family == Family::Tree)
        .cloned()
        .collect()
}

#[test]
fn an_engine_that_was_just_opened_refuses_all_acts_until_its_head_was_checked() {
    let office = Office::open(ModelStore::new());
    let head = office.head();
    let engine = Engine::open(
        office.store.clone(),
        office.kek(),
        office.clock.clone(),
        people::settings(),
    )
    .unwrap();
    let before = office.store.entries();
    let refused = engine.admit(&custodian()).unwrap_err();
    assert_eq!(
        (refused.reason(), engine.accepts()),
        (Reason::HeadUnavailable, false)
    );
    assert_eq!(
        office.store.entries(),
        before,
        "nothing is added to a log that may not be the right one"
    );
    engine.log().check_head(head.note.as_bytes()).unwrap();
    assert!(engine.admit(&custodian()).is_ok() && engine.accepts());
    engine.log().stop_for_head();
    assert_eq!(
        engine.life().status(&custodian()).unwrap_err().reason(),
        Reason::HeadUnavailable
    );
    engine.log().publish_head(engine.log().sign_head().unwrap());
    assert!(engine.life().status(&custodian()).is_ok());
}

#[test]
fn equal_acts_have_different_hashes_so_that_a_guessed_entry_cannot_be_confirmed() {
    let office = Office::open(ModelStore::new());
    let before = entries(&*office.store).len();
    for _ in 0..2 {
        office
            .engine
            .refuse(&caller("hospital-north/etl"), Act::Convert, Reason::Blocked);
    }
    let written = entries(&*office.store).split_off(before);
    let [first, second] = written.as_slice() else {
        panic!("two refusals are two entries: {written:?}");
    };
    assert_ne!(leaf_hash(first), leaf_hash(second));
    let known = |bytes: &[u8]| {
        let mut entry = Entry::decode(bytes).unwrap();
        entry.header.salt = [0; 16];
        entry
    };
    assert_eq!(
        known(first),
        known(second),
        "all that a member can guess is the same"
    );
    let salts: BTreeSet<_> = entries(&*office.store)
        .iter()
        .map(|bytes| Entry::decode(bytes).unwrap().header.salt)
        .collect();
    assert_eq!(salts.len(), before + 2, "no salt comes twice");
}

#[test]
fn proofs_of_every_size_verify_against_the_signed_head() {
    let office = Office::open(ModelStore::new());
    let first = office.head();
    office.grow(700);
    let last = office.head();
    let known: VerifierKey = office
        .engine
        .log()
        .head(&custodian())
        .unwrap()
        .verifier_key
        .parse()
        .unwrap();
    let opened = Checkpoint::open(last.note.as_bytes(), office.engine.origin(), &[known])
        .unwrap()
        .checkpoint;
    assert_eq!((opened.size(), opened.root()), (last.size, &last.root));
    let member = caller("hospital-north/etl");
    let log = entries(&*office.store);
    for sequence in [0, 1, 255, 256, 511, last.size - 1] {
        let proof = office
            .engine
            .log()
            .prove_inclusion(&member, sequence, None)
            .unwrap();
        assert_eq!(proof.leaf, leaf_hash(&log[sequence as usize]));
        verify_inclusion(sequence, proof.size, &proof.leaf, &proof.hashes, &last.root).unwrap();
    }
    let proof = office
        .engine
        .log()
        .prove_consistency(&member, first.size, None)
        .unwrap();
    verify_consistency(
        first.size,
        &first.root,
        proof.size,
        &last.root,
        &proof.hashes,
    )
    .unwrap();
    assert!(
        verify_consistency(
            first.size,
            &last.root,
            proof.size,
            &last.root,
            &proof.hashes
        )
        .is_err()
    );
}

#[test]
fn proofs_of_sizes_without_a_head_are_refused() {
    let office = Office::open(ModelStore::new());
    let size = office.head().size;
    office.grow(5);
    let engine = &office.engine;
    let member = caller("hospital-north/etl");
    let inclusion = |sequence, size| {
        engine
            .log()
            .prove_inclusion(&member, sequence, size)
            .map(drop)
            .map_err(|r| r.reason())
    };
    let consistency = |old, new| {
        engine
            .log()
            .prove_consistency(&member, old, new)
            .map(drop)
            .map_err(|r| r.reason())
    };
    assert_eq!(inclusion(size - 1, Some(size)), Ok(()));
    assert_eq!(inclusion(0, Some(size + 1)), Err(Reason::UnknownHead));
    assert_eq!(
        inclusion(size, None),
        Err(Reason::UnknownHead),
        "it is in the store, but under no head yet"
    );
    assert_eq!(inclusion(1, Some(1)), Err(Reason::UnknownHead));
    assert_eq!(consistency(size, Some(size)), Ok(()));
    assert_eq!(consistency(2, Some(1)), Err(Reason::UnknownHead));
    assert_eq!(consistency(1, Some(size + 1)), Err(Reason::UnknownHead));
    assert_eq!(consistency(0, None), Err(Reason::InvalidRequest));
    let stranger = caller("nobody/etl");
    assert_eq!(
        engine
            .log()
            .head(&stranger)
            .map(drop)
            .map_err(|r| r.reason()),
        Err(Reason::UnknownOrganisation)
    );
}

#[test]
fn full_tiles_are_stored_compared_and_made_again() {
    let office = Office::open(ModelStore::new());
    office.grow(600);
    let head = office.head();
    let rows = all(&*office.store);
    assert_eq!(
        tiles(&rows).len(),
        2,
        "two full tiles, and no full tile of tiles"
    );
    let log = entries(&*office.store);
    let without: Vec<_> = rows
        .iter()
        .filter(|(family, _)| *family != Family::Tree)
        .cloned()
        .collect();
    let again = copy(&without, log.clone());
    office.reopened(again.clone(), &head.note).unwrap();
    assert_eq!(
        tiles(&all(&*again)),
        tiles(&rows),
        "missing tiles are written"
    );
    let mut changed = rows;
    let tile = changed
        .iter_mut()
        .find(|(family, _)| *family == Family::Tree)
        .unwrap();
    tile.1.1[100] ^= 1;
    let refused = office.reopened(copy(&changed, log), &head.note).err();
    assert_eq!(refused, Some(EngineError::Corrupt("tile of the audit log")));
}

#[test]
fn a_store_that_is_not_what_its_head_says_is_refused() {
    let office = Office::open(ModelStore::new());
    let early = all(&*office.store);
    let early_entries = entries(&*office.store);
    office.grow(300);
    let head = office.head();
    let rows = all(&*office.store);
    let log = entries(&*office.store);
    let size = log.len() as u64;
    let opened = |rows: &[(Family, Row)], log: Vec<Vec<u8>>| {
        office.reopened(copy(rows, log), &head.note).err()
    };
    assert_eq!(opened(&rows, log.clone()), None);
    // Rolled back as a whole.
    let ahead = |log| Some(EngineError::Head(HeadError::Ahead { head: size, log }));
    assert_eq!(
        opened(&early, early_entries.clone()),
        ahead(early_entries.len() as u64)
    );
    let said = opened(&early, early_entries.clone()).unwrap().to_string();
    assert!(
        said.contains(&format!("{} < {size} entries", early_entries.len())),
        "{said}"
    );
    // The last entry cut off.
    let bare: Vec<_> = rows
        .iter()
        .filter(|(family, _)| *family != Family::Tree)
        .cloned()
        .collect();
    let end = Some(EngineError::LogEnd(size));
    assert_eq!(opened(&bare, log[..log.len() - 1].to_vec()), end);
    // Entries edited: with their tiles they contradict those; without, the row that says how the log ends.
    let mut swapped = log.clone();
    office.clock.advance_millis(1_000);
    swapped[280] = office.noise();
    assert_eq!(opened(&bare, swapped.clone()), end);
    swapped = log.clone();
    swapped[20] = office.noise();
    assert_eq!(
        opened(&rows, swapped),
        Some(EngineError::Corrupt("tile of the audit log"))
    );
    // Another history of the same store, of the same length, and longer.
    let fork = copy(&early, early_entries);
    let forked = Some(EngineError::Head(HeadError::Forked(size)));
    let engine = people::open(fork.clone(), office.kek(), office.clock.clone());
    while fork.entries() < size + 5 {
        engine.refuse(&custodian(), Act::ReadStatus, Reason::RateLimited);
        if fork.entries() >= size {
            assert_eq!(office.reopened(fork.clone(), &head.note).err(), forked);
        }
    }
}

#[test]
fn a_head_that_nobody_here_signed_is_refused() {
    let office = Office::open(ModelStore::new());
    let other = Office::open(ModelStore::new());
    let head = office.head().note.clone();
    let open = |note: &str| office.reopened(office.store.clone(), note).map(drop);
    assert_eq!(open(&head), Ok(()));
    assert!(
        matches!(
            open(&other.head().note),
            Err(EngineError::Head(HeadError::Open(_)))
        ),
        "another custodian's"
    );
    for damaged in [
        String::new(),
        "head".into(),
        head.replacen('\n', "\n\n", 1),
        head[..head.len() - 5].into(),
    ] {
        assert!(
            matches!(open(&damaged), Err(EngineError::Head(HeadError::Open(_)))),
            "{damaged:?}"
        );
    }
    let larger = head.replacen(&format!("\n{}\n", office.store.entries()), "\n1\n", 1);
    assert!(larger != head && matches!(open(&larger), Err(EngineError::Head(HeadError::Open(_)))));
}

#[test]
fn a_sealed_value_that_was_put_back_as_it_was_is_noticed() {
    let office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(3));
    let grant = office.grant(STUDY, REGISTER, 10);
    let before = all(&*office.store);
    office.converted(&grant, &tokens).unwrap();
    revoke(&office, &grant);
    people::apply(
        &office.engine,
        &sluis_testkit::registry::registry().replace("\"10y\"", "\"9y\""),
    )
    .unwrap();
    let head = office.head();
    let (after, log) = (all(&*office.store), entries(&*office.store));
    assert!(
        office
            .reopened(copy(&after, log.clone()), &head.note)
            .is_ok()
    );
    let mut noticed = 0;
    for (family, (key, old)) in &before {
        let Some(at) = after
            .iter()
            .position(|(f, (k, v))| f == family && k == key && v != old)
        else {
            continue;
        };
        // An older epoch only makes batches decide again.
        if key == sluis_port::rows::META_EPOCH {
            continue;
        }
        let mut edited = after.clone();
        edited[at].1.1.clone_from(old);
        let refused = office
            .reopened(copy(&edited, log.clone()), &head.note)
            .err();
        assert!(
            matches!(
                refused,
                Some(EngineError::Differs(_) | EngineError::LogEnd(_))
            ),
            "{family:?} {refused:?}"
        );
        noticed += 1;
    }
    assert_eq!(
        noticed, 2,
        "the counter of the grant, and the end of the log"
    );
    for kind in *b"c" {
        for (at, (family, (key, _))) in after.iter().enumerate() {
            if *family == Family::Grants && key[0] == kind {
                let mut edited = after.clone();
                edited.remove(at);
                assert!(
                    office
                        .reopened(copy(&edited, log.clone()), &head.note)
                        .is_err(),
                    "{}",
                    kind as char
                );
            }
        }
    }
}

fn revoke<S: Store + 'static>(office: &Office<S>, grant: &GrantId) {
    let steward = caller("uni-research/steward-1");
    let object = office
        .engine
        .governance()
        .get_grant(&steward, grant)
        .unwrap()
        .record
        .grant
        .encode();
    let signer = people::signer("uni-research/steward-1");
    let signature = signer
        .sign(
            sluis_ledger::statement::Deed::RevokeGrant,
            office.engine.origin(),
            &object,
        )
        .unwrap();
    office
        .engine
        .governance()
        .revoke_grant(&steward, grant, &signature)
        .unwrap();
}

#[test]
fn another_signing_key_hands_over_and_old_heads_and_proofs_stay_valid() {
    let office = Office::open(ModelStore::new());
    let old = office.head();
    let first: VerifierKey = office
        .engine
        .log()
        .head(&custodian())
        .unwrap()
        .verifier_key
        .parse()
        .unwrap();
    let refused = office
        .engine
        .log()
        .rotate_audit_key(
            &caller("hospital-north/etl"),
            &people::instruct(&office.engine, "custodian/anna", Task::RotateAuditKey),
        )
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::NotACustodian);
    let second: VerifierKey = people::rotate_audit_key(&office.engine)
        .unwrap()
        .parse()
        .unwrap();
    assert_ne!(first, second);
    office.grow(3);
    let new = office.head();
    let open = |note: &str, key: &VerifierKey| {
        Checkpoint::open(
            note.as_bytes(),
            office.engine.origin(),
            std::slice::from_ref(key),
        )
    };
    assert!(open(&new.note, &second).is_ok() && open(&new.note, &first).is_err());
    let head = office.engine.log().head(&custodian()).unwrap();
    assert_eq!(head.verifier_key, second.to_string());
    assert_eq!(head.handovers.len(), 1);
    let handover = open(&head.handovers[0], &first).unwrap().checkpoint;
    assert_eq!(
        open(&head.handovers[0], &second).unwrap().checkpoint,
        handover
    );
    assert!(
        handover.size() > old.size,
        "it is over the entry that names the new key"
    );
    let proof = office
        .engine
        .log()
        .prove_consistency(&custodian(), old.size, Some(handover.size()))
        .unwrap();
    verify_consistency(
        old.size,
        &old.root,
        handover.size(),
        handover.root(),
        &proof.hashes,
    )
    .unwrap();
    for note in [&old.note, &new.note] {
        let engine = office.reopened(office.store.clone(), note).unwrap();
        assert_eq!(
            engine.log().head(&custodian()).unwrap().handovers,
            head.handovers,
            "kept for ever"
        );
    }
}

#[test]
fn a_handover_that_could_not_be_kept_is_made_with_the_next_head() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    office.store.fail_commit(2, StoreError::Conflict);
    people::rotate_audit_key(&office.engine).unwrap();
    assert!(
        office
            .engine
            .log()
            .head(&custodian())
            .unwrap()
            .handovers
            .is_empty()
    );
    office.head();
    assert_eq!(
        office
            .engine
            .log()
            .head(&custodian())
            .unwrap()
            .handovers
            .len(),
        1
    );
}

#[test]
fn other_custodians_are_put_on_record_once() {
    let office = Office::open(ModelStore::new());
    let head = office.head();
    let mut settings = people::settings();
    settings.custodians[1].key = people::public_key("custodian/ben-with-another-key");
    for _ in 0..2 {
        let engine = Engine::open(
            office.store.clone(),
            office.kek(),
            office.clock.clone(),
            settings.clone(),
        )
        .unwrap();
        engine.log().check_head(head.note.as_bytes()).unwrap();
    }
    let named = |bytes: &Vec<u8>| Entry::decode(bytes).unwrap().event.act() == Act::Custodians;
    assert_eq!(
        entries(&*office.store)
            .iter()
            .filter(|entry| named(entry))
            .count(),
        2
    );
}

#[test]
fn what_a_former_key_signed_counts_no_more_from_the_start_with_another() {
    let office = Office::open(ModelStore::new());
    let text = registry().replace("Party to nothing", "Party to something");
    let [anna, ben] = CUSTODIANS.map(caller);
    let governance = office.engine.governance();
    let proposed = governance.propose_registry(&anna, &text, false, None);
    let proposed = proposed.unwrap().proposal.unwrap();
    let signed = sign(&office.engine, CUSTODIANS[1], &proposed);
    assert_eq!(signed, Ok(proposal::State::Open));
    let head = office.head();
    let mut settings = people::settings();
    settings.custodians[1].key = people::public_key("custodian/ben-with-another-key");
    let (store, clock) = (office.store.clone(), office.clock.clone());
    let engine = Engine::open(store, office.kek(), clock, settings).unwrap();
    engine.log().check_head(head.note.as_bytes()).unwrap();
    let state = |engine: &Engine, who| {
        let listed = engine.governance().list_proposals(who, true).unwrap();
        let found = listed
            .iter()
            .find(|view| view.record.proposal.id == proposed.record.proposal.id);
        found.unwrap().state
    };
    assert_eq!(state(&engine, &anna), proposal::State::Stale);
    // The daemon that still runs with the former list takes it over.
    assert_eq!(state(&office.engine, &ben), proposal::State::Stale);
}

#[test]
fn an_organisation_reads_what_is_its_own_and_pages_are_bounded() {
    let office = Office::open(ModelStore::new());
    office.pseudonymise(STUDY, &subjects(1));
    office.grow(2_000);
    let read = |who: &str, own| {
        office
            .engine
            .log()
            .read_entries(&caller(who), 0, 10_000, own)
            .map_err(|r| r.reason())
    };
    assert_eq!(
        read("registry-office/steward-a", false).unwrap_err(),
        Reason::NotAnAuditor
    );
    assert_eq!(
        read("registry-office/etl", true).unwrap_err(),
        Reason::NotAnAuditor
    );
    let own = read("uni-research/steward-1", true).unwrap();
    assert_eq!(own.next_sequence, own.log_size);
    let about = |entry: &Entry| {
        let caller = entry.header.caller.as_ref();
        let chain = entry.event.chain();
        caller.is_some_and(|caller| caller.identity.organisation.as_str() == "uni-research")
            || chain.is_some_and(|chain| chain.as_str() == STUDY)
    };
    assert!(own.entries.iter().all(|(.., entry)| about(entry)));
    assert!(
        own.entries
            .iter()
            .any(|(.., entry)| entry.event.act() == Act::Pseudonymise),
        "of a source, on its chain"
    );
    let whole = read("uni-research/privacy-officer", false).unwrap();
    assert_eq!(whole.entries.len() as u64, whole.next_sequence);
    // No honest entry is as large as these, and the log does not verify with them.
    office.damage();
    let large = office.refused(Refusal {
        act: Act::ReadGrants,
        reason: Reason::UnknownGrant,
        about: About::Grant(GrantRef {
            id: "g-1".parse().unwrap(),
            digest: [0; 32],
            chain: STUDY.parse().unwrap(),
            to_chain: None,
            purpose: "a".repeat(60_000),
        }),
    });
    let from = office.store.entries();
    for _ in 0..60 {
        office
            .store
            .commit(Commit {
                entries: vec![large.clone()],
                ..Commit::default()
            })
            .unwrap();
    }
    let page = office
        .engine
        .log()
        .read_entries(&caller("uni-research/privacy-officer"), from, 10_000, false)
        .unwrap();
    assert!(page.next_sequence < page.log_size && page.entries.len() > 20);
    let bytes: usize = page.entries.iter().map(|(_, bytes, _)| bytes.len()).sum();
    assert!(bytes < 3 << 20, "{bytes}");
}
