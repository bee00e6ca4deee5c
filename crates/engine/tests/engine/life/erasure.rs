//! Opt-out and erasure.

use sluis_domain::{Column, NamespaceId, Reason, RecordBatch};
use sluis_engine::{OVERDUE_ROUNDS, ProposalView};
use sluis_ledger::audit::Act;
use sluis_ledger::proposal::State;
use sluis_port::{Commit, Family, Row, Store};
use sluis_testkit::model_store::ModelStore;

use super::{DAY, OWNERS, UNI, entries, line, reason, refusals, rows, sign, sign_all};
use crate::imported::{converted, imported, rejected};
use crate::office::{Office, REGISTER, STUDY, caller, texts, wait};
use crate::subjects;

fn bsn() -> NamespaceId {
    "nl.bsn".parse().unwrap()
}

fn request(office: &Office<ModelStore>, identifier: &str) -> ProposalView {
    office
        .engine
        .life()
        .request_erasure(&caller("hospital-north/etl"), &bsn(), identifier.as_bytes())
        .unwrap()
}

/// Reasons for which rows of a submission are refused.
pub(crate) fn submitted(
    office: &Office<ModelStore>,
    chain: &str,
    column: &str,
    values: &[impl AsRef<[u8]>],
) -> Vec<Option<Reason>> {
    let (source, name) = (caller("hospital-north/etl"), column.parse().unwrap());
    let session = office
        .engine
        .batches()
        .open_pseudonymise(&source, &chain.parse().unwrap(), &[name], false)
        .unwrap();
    let batch = RecordBatch::new(
        None,
        values.len(),
        vec![(column.parse().unwrap(), Column::from_values(values))],
    )
    .unwrap();
    let outcome = wait(
        office
            .engine
            .batches()
            .pseudonymise(&session, &batch)
            .unwrap(),
    )
    .unwrap();
    let mut refused = vec![None; values.len()];
    outcome
        .rejections
        .iter()
        .for_each(|r| refused[r.row as usize] = Some(r.reason));
    assert!(
        texts(&outcome)
            .iter()
            .zip(&refused)
            .all(|(token, refused)| token.is_empty() == refused.is_some())
    );
    refused
}

fn bytes(texts: &[String]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.clone().into_bytes()).collect()
}

#[test]
fn a_subject_is_refused_at_once_and_vanishes_from_each_chain_in_time() {
    let mut office = Office::open(ModelStore::new());
    let bsns = subjects(3);
    let (study, register) = (
        office.pseudonymise(STUDY, &bsns),
        office.pseudonymise(REGISTER, &bsns),
    );
    let grant = office.grant(STUDY, REGISTER, 10_000);
    let (in_study, in_register) = (
        line(&office.engine, STUDY, "nl.bsn")[0].kid,
        line(&office.engine, REGISTER, "nl.bsn")[0].kid,
    );
    // Written another way, the same subject.
    let proposed = request(&office, &format!(" {} {} ", &bsns[1][..4], &bsns[1][4..]));
    assert_eq!(
        sign(&office.engine, OWNERS[0], &proposed),
        Ok(State::Open),
        "one owner is not enough"
    );
    assert_eq!(
        submitted(&office, STUDY, "bsn", &bytes(&bsns)),
        [None; 3],
        "not before it is signed"
    );
    office.reopen();
    assert_eq!(
        sign(&office.engine, OWNERS[1], &proposed),
        Ok(State::Effective)
    );
    let refused = [None, Some(Reason::OptedOut), None];
    for chain in [STUDY, REGISTER] {
        assert_eq!(submitted(&office, chain, "bsn", &bytes(&bsns)), refused);
    }
    office.reopen();
    assert_eq!(
        submitted(&office, STUDY, "bsn", &bytes(&bsns)),
        refused,
        "after a restart too"
    );
    office.clock.advance_hours(DAY);
    assert_eq!(
        office.engine.life().housekeep().unwrap().erased,
        3,
        "once in each of three chains"
    );
    for _ in 0..2 {
        let unknown = [None, Some(Reason::UnknownPseudonym), None];
        assert_eq!(
            refusals(&office, &grant, &study),
            unknown,
            "as any unknown token"
        );
        assert_eq!(rows(&*office.store, Family::Link, in_study), 2);
        assert_eq!(rows(&*office.store, Family::Identity, in_study), 2);
        assert_eq!(
            rows(&*office.store, Family::Link, in_register),
            2,
            "conversions wrote no row for it either"
        );
        assert_eq!(
            office.pseudonymise(REGISTER, &bsns[..1]),
            register[..1],
            "others are untouched"
        );
        assert_eq!(submitted(&office, STUDY, "bsn", &bytes(&bsns)), refused);
        office.reopen();
    }
    let kept = office.store.scan(Family::Optout, &[], 100).unwrap();
    let kinds: Vec<u8> = kept
        .iter()
        .map(|(key, _)| key[0])
        .filter(|kind| *kind != b'c')
        .collect();
    assert_eq!(kinds, [b'm'], "what is kept of the subject is its mark");
    let erased = entries(&*office.store, Act::EraseSubjects);
    assert_eq!(
        (
            erased.len(),
            erased
                .iter()
                .map(|entry| entry.event.counts().values)
                .sum::<u64>()
        ),
        (3, 3)
    );
    assert_eq!(entries(&*office.store, Act::OptOut).len(), 1);
}

#[test]
fn subjects_do_not_vanish_from_two_chains_at_one_moment() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(8);
    office.pseudonymise(STUDY, &bsns);
    office.pseudonymise(REGISTER, &bsns);
    let kids = [STUDY, REGISTER].map(|chain| line(&office.engine, chain, "nl.bsn")[0].kid);
    bsns.iter()
        .for_each(|bsn| sign_all(&office.engine, &OWNERS, &request(&office, bsn)));
    let mut moments = [Vec::new(), Vec::new()];
    for step in 0..=144 {
        office.engine.life().housekeep().unwrap();
        for (kid, moments) in kids.iter().zip(&mut moments) {
            let gone = bsns.len() - rows(&*office.store, Family::Link, *kid);
            moments.resize(gone, step);
        }
        office.clock.advance_millis(600_000);
    }
    assert!(
        moments.iter().all(|moments| moments.len() == bsns.len()),
        "all within the window: {moments:?}"
    );
    // All alike by chance: once in 144^8.
    assert_ne!(moments[0], moments[1]);
    assert!(
        moments
            .iter()
            .all(|moments| moments.first() != moments.last()),
        "nor all at one: {moments:?}"
    );
}

#[test]
fn a_conversion_before_the_job_still_works_and_writes_no_row() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(1);
    let tokens = office.pseudonymise(STUDY, &bsns);
    let grant = office.grant(STUDY, REGISTER, 100);
    let kid = line(&office.engine, REGISTER, "nl.bsn")[0].kid;
    sign_all(&office.engine, &OWNERS, &request(&office, &bsns[0]));
    assert_eq!(refusals(&office, &grant, &tokens), [None]);
    assert_eq!(rows(&*office.store, Family::Link, kid), 0);
}

#[test]
fn an_imported_mapping_of_an_erased_subject_goes_too() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(2);
    imported(&office, &bsns, &["P-1", "P-2"]);
    let kid = line(&office.engine, STUDY, "nl.bsn")[0].kid;
    sign_all(&office.engine, &OWNERS, &request(&office, &bsns[0]));
    let again = imported(&office, &bsns, &["P-3", "P-2"]);
    assert_eq!(
        rejected(&again),
        [(0, "bsn".to_owned(), Reason::OptedOut)],
        "nor does it come in like this"
    );
    assert_eq!(rows(&*office.store, Family::Import, kid), 2);
    office.clock.advance_hours(DAY);
    office.engine.life().housekeep().unwrap();
    assert_eq!(rows(&*office.store, Family::Import, kid), 1);
    let found = converted(&office, &["P-1", "P-2"]);
    assert_eq!(
        rejected(&found),
        [(0, "bsn".to_owned(), Reason::UnknownPseudonym)]
    );
}

#[test]
fn promise_11_an_erasure_opens_the_imported_mappings_of_its_subject_and_no_others() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(5);
    imported(&office, &bsns, &["P-0", "P-1", "P-2", "P-3", "P-4"]);
    // A second one of the same subject.
    imported(&office, &bsns[..1], &["Q-0"]);
    let own = ["P-0", "Q-0"].map(|old| import_row(&office, &bsns[0], old).0);
    let kid = line(&office.engine, STUDY, "nl.bsn")[0].kid;
    let left = || [Family::Import, Family::ImportIndex].map(|of| rows(&*office.store, of, kid));
    assert_eq!(left(), [6, 6]);
    sign_all(&office.engine, &OWNERS, &request(&office, &bsns[0]));
    // An erasure that opens a row of another subject meets damage.
    let mut commit = Commit::default();
    for (key, mut value) in office.store.scan(Family::Import, &[], 100).unwrap() {
        if !own.contains(&key) {
            *value.last_mut().unwrap() ^= 1;
            commit.put(Family::Import, key, value);
        }
    }
    office.store.commit(commit).unwrap();
    office.clock.advance_hours(DAY);
    office.engine.life().housekeep().unwrap();
    assert_eq!(left(), [4, 4]);
}

/// The import row of an old pseudonym: imported once more, it keeps its key and is sealed again.
fn import_row(office: &Office<ModelStore>, bsn: &str, old: &str) -> Row {
    let all = || office.store.scan(Family::Import, &[], 100).unwrap();
    let before = all();
    imported(office, &[bsn.to_owned()], &[old]);
    let mut after = all();
    after.retain(|row| !before.contains(row));
    after.pop().expect("sealed anew")
}

#[test]
fn a_damaged_import_row_holds_up_its_own_chain_and_nothing_else() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(3);
    imported(&office, &bsns, &["P-1", "P-2", "P-3"]);
    office.pseudonymise(REGISTER, &bsns);
    let kids = [STUDY, REGISTER].map(|chain| line(&office.engine, chain, "nl.bsn")[0].kid);
    let left = || kids.map(|kid| rows(&*office.store, Family::Link, kid));
    let (key, good) = import_row(&office, &bsns[0], "P-1");
    sign_all(&office.engine, &OWNERS, &request(&office, &bsns[0]));
    request(&office, &bsns[1]);
    let put = |value: &[u8]| {
        let mut commit = Commit::default();
        commit.put(Family::Import, key.clone(), value);
        office.store.commit(commit).unwrap();
    };
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    put(&damaged);
    office.clock.advance_hours(30 * DAY);
    let refusal = office.engine.life().housekeep().unwrap_err().refusal;
    assert_eq!(
        refusal.reason(),
        Reason::CorruptStore,
        "it is not known whose row it is"
    );
    assert_eq!(left(), [3, 2], "the other chain comes after it");
    for _ in 1..OVERDUE_ROUNDS {
        office.engine.life().housekeep().unwrap_err();
    }
    let requests = office.store.scan(Family::Optout, b"r", 10).unwrap();
    assert!(
        requests.iter().all(|(key, _)| key[0] != b'r'),
        "what nobody signed is forgotten all the same"
    );
    put(&good);
    office.engine.life().housekeep().unwrap();
    assert_eq!(
        (left(), rows(&*office.store, Family::Import, kids[0])),
        ([2, 2], 2)
    );
}

#[test]
fn a_request_is_for_sources_and_nobody_signs_their_own() {
    let office = Office::open(ModelStore::new());
    let one = subjects(1).remove(0);
    let ask = |who: &str, namespace: &str, identifier: &[u8]| {
        office
            .engine
            .life()
            .request_erasure(&caller(who), &namespace.parse().unwrap(), identifier)
    };
    assert_eq!(
        reason(ask("custodian/anna", "nl.bsn", one.as_bytes())),
        Some(Reason::CustodianMayNot)
    );
    assert_eq!(
        reason(ask("outsider/etl", "nl.bsn", one.as_bytes())),
        Some(Reason::NotASource)
    );
    assert_eq!(
        reason(ask("hospital-north/etl", "no.such", one.as_bytes())),
        Some(Reason::NotASource)
    );
    for bad in [&b"123456789"[..], b"", b"12345678a", b"\xff"] {
        let refusal = ask("hospital-north/etl", "nl.bsn", bad).unwrap_err();
        assert_eq!(refusal.reason(), Reason::InvalidRequest);
        assert_eq!(refusal.violations()[0].field, "identifier");
        assert!(
            !format!("{refusal:?}").contains("1234"),
            "the value is nowhere: {refusal:?}"
        );
    }
    // University Research is a source of its own release, and owns a chain.
    let own = ask(UNI[0], "nl.bsn", one.as_bytes()).unwrap();
    assert_eq!(sign(&office.engine, UNI[0], &own), Err(Reason::OwnRequest));
    assert_eq!(sign(&office.engine, UNI[1], &own), Ok(State::Open));
    assert_eq!(sign(&office.engine, OWNERS[1], &own), Ok(State::Effective));
}

#[test]
fn a_prehash_namespace_of_one_owner_needs_two_of_its_stewards_and_works_without_links() {
    let office = Office::open(ModelStore::new());
    let (subject, other) = (vec![7; 32], vec![8; 32]);
    let email: NamespaceId = "study.email".parse().unwrap();
    let short =
        office
            .engine
            .life()
            .request_erasure(&caller("gp-south/etl"), &email, &subject[1..]);
    assert_eq!(reason(short), Some(Reason::InvalidRequest));
    let proposed = office
        .engine
        .life()
        .request_erasure(&caller("gp-south/etl"), &email, &subject)
        .unwrap();
    assert_eq!(sign(&office.engine, UNI[0], &proposed), Ok(State::Open));
    assert_eq!(
        sign(&office.engine, UNI[1], &proposed),
        Ok(State::Effective)
    );
    let refused = submitted(&office, STUDY, "email", &[other, subject]);
    assert_eq!(
        refused,
        [None, Some(Reason::OptedOut)],
        "a line with link = none too"
    );
}

#[test]
fn nothing_is_kept_of_a_request_that_was_rejected_or_forgotten() {
    let office = Office::open(ModelStore::new());
    let kept = || {
        office
            .store
            .scan(Family::Optout, b"r", 10)
            .unwrap()
            .iter()
            .filter(|(key, _)| key[0] == b'r')
            .count()
    };
    let bsns = subjects(2);
    let first = request(&office, &bsns[0]);
    request(&office, &bsns[1]);
    assert_eq!(kept(), 2);
    let object = first.record.proposal.encode();
    let deed = sluis_ledger::statement::Deed::RejectProposal;
    let signature = sluis_testkit::people::signer(OWNERS[0])
        .sign(deed, office.engine.origin(), &object)
        .unwrap();
    office
        .engine
        .governance()
        .reject_proposal(&caller(OWNERS[0]), &first.record.proposal.id, &signature)
        .unwrap();
    assert_eq!(kept(), 1);
    office.clock.advance_hours(30 * DAY);
    for _ in 0..OVERDUE_ROUNDS {
        office.engine.life().housekeep().unwrap();
    }
    assert_eq!(kept(), 0);
    assert_eq!(submitted(&office, STUDY, "bsn", &bytes(&bsns)), [None; 2]);
}
