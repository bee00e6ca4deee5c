//! The ceremony after a restore: every refusal, and what an accepted one does.

use std::sync::Arc;

use sluis_domain::{GrantId, Reason, Timestamp};
use sluis_engine::{Engine, EngineError, HeadError, RestoreError, RestoreSignature};
use sluis_ledger::event::{Entry, Event};
use sluis_ledger::grant::State;
use sluis_ledger::restore::Request;
use sluis_ledger::statement::Deed;
use sluis_port::Clock;
use sluis_port::store::{Commit, Family, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::CUSTODIANS;

use super::{all, copy, entries};
use crate::office::{Office, REGISTER, STUDY, caller};
use crate::subjects;

/// A store that lags behind the head that was kept.
struct Ceremony {
    office: Office<ModelStore>,
    store: Arc<dyn Store>,
    engine: Engine,
    head: String,
    grant: GrantId,
    request: Request,
}

impl Ceremony {
    fn begin() -> Self {
        let office = Office::open(ModelStore::new());
        let grant = office.grant(STUDY, REGISTER, 10);
        let backup = (all(&*office.store), entries(&*office.store));
        let tokens = office.pseudonymise(STUDY, &subjects(2));
        office.converted(&grant, &tokens).unwrap();
        let head = office.head().note.clone();
        let store = copy(&backup.0, backup.1);
        let engine = open(&office, &store);
        let request = engine.log().restore_request(Some(head.as_bytes())).unwrap();
        Self {
            office,
            store,
            engine,
            head,
            grant,
            request,
        }
    }

    fn signed(&self, member: &str) -> RestoreSignature {
        self.signed_as(member, self.engine.origin(), &self.request)
    }

    fn signed_as(&self, member: &str, origin: &str, request: &Request) -> RestoreSignature {
        let object = request.restore.encode();
        let signature = people::signer(member)
            .sign(Deed::AcceptRestore, origin, &object)
            .unwrap();
        RestoreSignature {
            signer: caller(member),
            signature,
        }
    }

    fn accept(&self, signatures: &[RestoreSignature]) -> Result<String, RestoreError> {
        self.accept_request(&self.request, signatures)
    }

    fn accept_request(
        &self,
        request: &Request,
        signatures: &[RestoreSignature],
    ) -> Result<String, RestoreError> {
        let before = self.store.entries();
        let accepted =
            self.engine
                .log()
                .accept_restore(Some(self.head.as_bytes()), request, signatures);
        assert_eq!(
            self.store.entries() > before,
            accepted.is_ok(),
            "a refusal changes nothing"
        );
        accepted.map(|(head, _)| head.note.clone())
    }
}

fn open(office: &Office<ModelStore>, store: &Arc<dyn Store>) -> Engine {
    Engine::open(
        store.clone(),
        office.kek(),
        office.clock.clone(),
        people::settings(),
    )
    .unwrap()
}

#[test]
fn rows_of_what_ended_in_the_log_that_is_given_up_go_with_it() {
    let office = Office::open(ModelStore::new());
    let grant = office.grant(STUDY, REGISTER, 10);
    let (mut rows, log) = (all(&*office.store), entries(&*office.store));
    super::revoke(&office, &grant);
    office.clock.advance_hours(25);
    office.grow(1);
    let head = office.head().note.clone();
    let key = sluis_port::rows::ended_grant_key(&grant);
    let ended = office.store.get(Family::Grants, &key).unwrap().unwrap();
    rows.push((Family::Grants, (key.clone(), ended.clone())));
    let store = copy(&rows, log);
    let engine = open(&office, &store);
    let request = engine.log().restore_request(Some(head.as_bytes())).unwrap();
    let again = Ceremony {
        office,
        store,
        engine,
        head,
        grant,
        request,
    };
    let signatures = CUSTODIANS.map(|member| again.signed(member));
    again.accept(&signatures).unwrap();
    // It ended with the restore.
    let kept = again.store.get(Family::Grants, &key).unwrap();
    assert!(kept.is_some_and(|kept| kept != ended));
    open(&again.office, &again.store);
}

#[test]
fn two_custodians_bring_an_older_store_into_force_and_its_grants_end() {
    let all = Ceremony::begin();
    assert!(matches!(
        all.engine.log().check_head(all.head.as_bytes()),
        Err(EngineError::Head(HeadError::Ahead { .. }))
    ));
    let signatures = CUSTODIANS.map(|member| all.signed(member));
    let head = all.accept(&signatures).unwrap();
    let last = Entry::decode(entries(&*all.store).last().unwrap()).unwrap();
    let Event::AcceptRestore(restored) = last.event else {
        panic!("{last:?}");
    };
    assert_eq!(restored.restore, all.request.restore);
    assert_eq!(
        restored.signatures.map(|one| one.signer.to_string()),
        CUSTODIANS
    );
    // As after a restart: grants agree with the log, and the lost head is of no use any more.
    let engine = open(&all.office, &all.store);
    assert!(engine.log().check_head(all.head.as_bytes()).is_err());
    engine.log().check_head(head.as_bytes()).unwrap();
    let view = engine
        .governance()
        .get_grant(&caller("registry-office/etl"), &all.grant)
        .unwrap();
    assert_eq!(view.state, State::Revoked);
}

#[test]
fn signatures_that_do_not_count_are_refused_each_with_its_reason() {
    let all = Ceremony::begin();
    let [anna, ben] = CUSTODIANS.map(|member| all.signed(member));
    let reason = |second: RestoreSignature| match all.accept(&[anna.clone(), second]) {
        Err(RestoreError::Signature { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(all.accept(&[]), Err(RestoreError::Signatures(0)));
    assert_eq!(
        all.accept(std::slice::from_ref(&anna)),
        Err(RestoreError::Signatures(1))
    );
    assert_eq!(
        all.accept(&[anna.clone(), ben.clone(), ben.clone()]),
        Err(RestoreError::Signatures(3))
    );
    let twice = all.accept(&[anna.clone(), anna.clone()]);
    assert_eq!(
        twice,
        Err(RestoreError::SamePerson(anna.signer.identity.clone()))
    );
    assert_eq!(
        reason(all.signed("uni-research/steward-1")),
        Reason::NotACustodian
    );
    assert_eq!(
        reason(all.signed_as(CUSTODIANS[1], "sluis.test/other", &all.request)),
        Reason::BadSignature
    );
    let mut other = all.request.clone();
    other.restore.lost_size += 1;
    assert_eq!(
        reason(all.signed_as(CUSTODIANS[1], all.engine.origin(), &other)),
        Reason::BadSignature
    );
    let mut expired = ben.clone();
    expired.signer.not_after = all.office.clock.now();
    assert_eq!(reason(expired), Reason::CertificateExpired);
    let mut unpinned = ben.clone();
    unpinned.signer.key = Some(people::public_key("uni-research/steward-1"));
    assert_eq!(reason(unpinned), Reason::KeyNotPinned);
    assert!(all.accept(&[anna, ben]).is_ok());
}

#[test]
fn requests_about_something_else_are_refused() {
    let all = Ceremony::begin();
    let signatures = |request: &Request| {
        CUSTODIANS.map(|member| all.signed_as(member, &request.origin, request))
    };
    let refused = |change: &dyn Fn(&mut Request)| {
        let mut request = all.request.clone();
        change(&mut request);
        all.accept_request(&request, &signatures(&request))
            .unwrap_err()
    };
    let size = all.request.restore.restored_size;
    assert!(matches!(
        refused(&|r| r.origin = "sluis.test/other".into()),
        RestoreError::OtherLog { .. }
    ));
    assert_eq!(
        refused(&|r| r.restore.restored_root[0] ^= 1),
        RestoreError::OtherStore(size)
    );
    assert_eq!(
        refused(&|r| r.restore.restored_size += 1),
        RestoreError::OtherStore(size + 1)
    );
    assert_eq!(
        refused(&|r| r.restore.lost_root[0] ^= 1),
        RestoreError::OtherHead
    );
    let later = Timestamp::from_millis(all.request.restore.at.millis() + 1).unwrap();
    let mut moved = all.request.clone();
    moved.restore.at = later;
    assert!(
        all.accept_request(&moved, &signatures(&all.request))
            .is_err(),
        "signed with another time"
    );
}

#[test]
fn a_request_from_long_ago_is_refused() {
    for (acts, accepted) in [(1024, true), (1025, false)] {
        let all = Ceremony::begin();
        let noise = std::iter::repeat_with(|| all.office.noise()).take(acts);
        all.store
            .commit(Commit {
                entries: noise.collect(),
                ..Commit::default()
            })
            .unwrap();
        let outcome = all.accept(&CUSTODIANS.map(|member| all.signed(member)));
        assert_eq!(outcome.is_ok(), accepted, "{acts}: {outcome:?}");
        // Whatever was accepted is also found in order when the log is read again.
        drop(open(&all.office, &all.store));
    }
}

#[test]
fn signatures_of_last_week_serve_for_no_other_loss() {
    for (hours, accepted) in [(7 * 24 - 1, true), (7 * 24 + 1, false)] {
        let all = Ceremony::begin();
        all.office.clock.advance_hours(hours);
        let outcome = all.accept(&CUSTODIANS.map(|member| all.signed(member)));
        assert_eq!(outcome.is_ok(), accepted, "{hours}: {outcome:?}");
        assert!(accepted || matches!(outcome, Err(RestoreError::Old(_))));
    }
}

#[test]
fn a_request_of_the_future_is_refused_so_that_a_clock_set_back_does_not_prolong_it() {
    let all = Ceremony::begin();
    all.office.clock.set_back_millis(20 * 24 * 3_600_000);
    let outcome = all.accept(&CUSTODIANS.map(|member| all.signed(member)));
    assert!(
        matches!(outcome, Err(RestoreError::Future(_))),
        "{outcome:?}"
    );
}

#[test]
fn signatures_serve_once_although_the_head_file_is_gone() {
    let all = Ceremony::begin();
    let signatures = CUSTODIANS.map(|member| all.signed(member));
    let backup = copy(&super::all(&*all.store), entries(&*all.store));
    // Whoever removed the head file before: the request gives up a head that is not there.
    let accept = |engine: &Engine, lost: Option<&[u8]>| {
        engine
            .log()
            .accept_restore(lost, &all.request, &signatures)
            .map(drop)
    };
    assert_eq!(
        accept(&all.engine, None),
        Err(RestoreError::HeadGone(all.request.restore.lost_size))
    );
    let head = all.accept(&signatures).unwrap();
    let entries = all.store.entries();
    for lost in [None, Some(head.as_bytes())] {
        assert!(
            accept(&all.engine, lost).is_err(),
            "again, on the same store"
        );
    }
    all.store
        .commit(Commit {
            entries: vec![all.office.noise()],
            ..Commit::default()
        })
        .unwrap();
    assert_eq!(
        accept(&all.engine, Some(all.head.as_bytes())),
        Err(RestoreError::OtherCopy),
        "with the head of then put back"
    );
    assert_eq!(
        all.store.entries(),
        entries + 1,
        "nothing is on record twice"
    );
    // The backup comes back once more: this copy does not hold the nonce of the request.
    backup
        .commit({
            let mut commit = Commit::default();
            commit.delete(Family::Meta, b"restore-nonce");
            commit
        })
        .unwrap();
    let again = open(&all.office, &backup);
    assert_eq!(
        accept(&again, Some(all.head.as_bytes())),
        Err(RestoreError::OtherCopy)
    );
    let other = again
        .log()
        .restore_request(Some(all.head.as_bytes()))
        .unwrap();
    assert_ne!(other.restore.nonce, all.request.restore.nonce);
    assert_eq!(
        accept(&again, Some(all.head.as_bytes())),
        Err(RestoreError::OtherCopy)
    );
}

#[test]
fn signatures_for_a_lost_head_serve_once() {
    let all = Ceremony::begin();
    let engine = open(&all.office, &all.store);
    let request = engine.log().restore_request(None).unwrap();
    let signatures = CUSTODIANS.map(|member| all.signed_as(member, engine.origin(), &request));
    engine
        .log()
        .accept_restore(None, &request, &signatures)
        .unwrap();
    // Interrupted before the head was kept: the rest is done, and nothing is on record twice.
    let entries = all.store.entries();
    engine
        .log()
        .accept_restore(None, &request, &signatures)
        .unwrap();
    assert_eq!(all.store.entries(), entries);
    all.store
        .commit(Commit {
            entries: vec![all.office.noise()],
            ..Commit::default()
        })
        .unwrap();
    let again = engine.log().accept_restore(None, &request, &signatures);
    assert_eq!(again.map(drop), Err(RestoreError::OtherCopy));
}

#[test]
fn a_store_that_lost_nothing_needs_no_ceremony() {
    let all = Ceremony::begin();
    let whole = &all.office.engine;
    assert_eq!(
        whole
            .log()
            .restore_request(Some(all.head.as_bytes()))
            .unwrap_err(),
        RestoreError::NotNeeded
    );
    let unknown = whole.log().restore_request(None).unwrap().restore;
    assert_eq!(
        (unknown.lost_size, unknown.lost_root),
        (unknown.restored_size, unknown.restored_root)
    );
    let foreign = Office::open(ModelStore::new()).head().note.clone();
    assert!(matches!(
        whole.log().restore_request(Some(foreign.as_bytes())),
        Err(RestoreError::OtherLog { .. })
    ));
}
