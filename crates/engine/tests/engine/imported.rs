//! Old pseudonyms that moved in: what they stand for, what is refused, and that they convert like tokens.

use sluis_domain::{BatchOutcome, Column, Reason, RecordBatch};
use sluis_engine::{Import, PseudonymiseSession, Refusal, Turns};
use sluis_ledger::event::{Entry, Event};
use sluis_port::Commit;
use sluis_port::store::{Family, Row, Store, StoreError};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;

use crate::office::{Office, REGISTER, STUDY, batch, caller, texts, wait};
use crate::quotas::limited;
use crate::subjects;

fn import(element: &str, column: &str) -> Import {
    Import {
        element: element.parse().unwrap(),
        column: column.parse().unwrap(),
    }
}

fn open<S: Store + 'static>(
    office: &Office<S>,
    chain: &str,
    import: Import,
) -> Result<PseudonymiseSession, Refusal> {
    let (source, elements) = (caller("hospital-north/etl"), ["bsn".parse().unwrap()]);
    office
        .engine
        .batches()
        .open_import(&source, &chain.parse().unwrap(), &elements, false, import)
}

/// Old pseudonyms first, so that columns of the outcome are not those of the batch.
fn pairs(bsns: &[String], old: &[&str]) -> RecordBatch {
    let columns = vec![
        ("study-no".parse().unwrap(), Column::from_values(old)),
        ("bsn".parse().unwrap(), Column::from_values(bsns)),
    ];
    RecordBatch::new(None, bsns.len(), columns).unwrap()
}

pub(crate) fn imported<S: Store + 'static>(
    office: &Office<S>,
    bsns: &[String],
    old: &[&str],
) -> BatchOutcome {
    let session = open(office, STUDY, import("bsn", "study-no")).unwrap();
    wait(
        office
            .engine
            .batches()
            .pseudonymise(&session, &pairs(bsns, old))
            .unwrap(),
    )
    .unwrap()
}

/// Row, column and reason of each rejection.
pub(crate) fn rejected(outcome: &BatchOutcome) -> Vec<(u32, String, Reason)> {
    outcome
        .rejections
        .iter()
        .map(|r| (r.row, r.element.to_string(), r.reason))
        .collect()
}

fn conflict(row: u32) -> (u32, String, Reason) {
    (row, "study-no".to_owned(), Reason::ImportConflict)
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// Converts old pseudonyms from the study to the register.
pub(crate) fn converted<S: Store + 'static>(office: &Office<S>, old: &[&str]) -> BatchOutcome {
    let grant = office.grant(STUDY, REGISTER, 1_000);
    let session = office
        .engine
        .batches()
        .open_convert(&caller("registry-office/etl"), &grant, true)
        .unwrap();
    let outcome = wait(
        office
            .engine
            .batches()
            .convert(
                &session,
                Turns::default().give(),
                &batch(None, &strings(old)),
            )
            .unwrap(),
    )
    .unwrap();
    let present = old.iter().filter(|old| !old.is_empty()).count();
    assert_eq!(office.used(&grant), present as u64, "every value counts");
    outcome
}

#[test]
fn old_pseudonyms_convert_to_what_their_identifiers_give() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(3);
    let outcome = imported(&office, &bsns, &["P-1", "P-2", "P-3"]);
    assert_eq!(outcome.columns.len(), 1, "old pseudonyms do not come back");
    assert_eq!(texts(&outcome), office.pseudonymise(STUDY, &bsns));
    let there = office.pseudonymise(REGISTER, &bsns);
    let found = converted(
        &office,
        &["P-3", "", "P-1", "P-2", "p-1", "P-1 ", &"x".repeat(300)],
    );
    let expected = [&*there[2], "", &*there[0], &*there[1], "", "", ""];
    assert_eq!(texts(&found), expected);
    let unknown = |row| (row, "bsn".to_owned(), Reason::UnknownPseudonym);
    assert_eq!(rejected(&found), [unknown(4), unknown(5), unknown(6)]);
    // What it became is an ordinary pseudonym of the target, with a way on.
    let grant = office.grant(STUDY, REGISTER, 10);
    assert_eq!(office.converted(&grant, &texts(&outcome)).unwrap(), there);
    assert_eq!(
        office.converted(&grant, &strings(&["P-1"])).unwrap(),
        [""],
        "not without from_imported"
    );
}

#[test]
fn one_old_pseudonym_stands_for_one_subject() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(3);
    let mixed = [
        bsns[0].clone(),
        bsns[1].clone(),
        bsns[0].clone(),
        bsns[2].clone(),
    ];
    let outcome = imported(&office, &mixed, &["P-1", "P-1", "P-1", "P-2"]);
    assert_eq!(
        rejected(&outcome),
        [conflict(1)],
        "within a batch the first one stands, and the same again is harmless"
    );
    assert!(texts(&outcome)[1].is_empty());
    let outcome = imported(&office, &bsns, &["P-1", "P-2", "P-3"]);
    assert_eq!(
        rejected(&outcome),
        [conflict(1)],
        "P-1 is the same again, P-3 is new"
    );
    assert_eq!(
        rejected(&imported(&office, &bsns[..1], &["P-1b"])),
        [],
        "a subject may have had several"
    );
    let there = office.pseudonymise(REGISTER, &bsns);
    assert_eq!(
        texts(&converted(&office, &["P-1", "P-2", "P-3", "P-1b"])),
        [0, 2, 2, 0].map(|i: usize| there[i].clone())
    );
}

#[test]
fn a_refused_row_is_not_imported() {
    let office = Office::open(ModelStore::new());
    let bsns = [subjects(1), strings(&["no bsn", "", "", "", "not one"])].concat();
    let long = "x".repeat(256);
    let outcome = imported(&office, &bsns, &["", "P-1", "P-2", "", &long, ""]);
    let because = |row, element: &str, reason| (row, element.to_owned(), reason);
    let expected = [
        because(0, "study-no", Reason::MissingImport),
        because(1, "bsn", Reason::InvalidIdentifier),
        because(2, "study-no", Reason::NoSubject),
        because(3, "study-no", Reason::MissingImport),
        because(4, "study-no", Reason::TooLong),
        because(5, "bsn", Reason::InvalidIdentifier),
    ];
    assert_eq!(rejected(&outcome), expected);
    assert_eq!(office.store.scan(Family::Import, &[], 10).unwrap(), []);
    assert_eq!(office.store.scan(Family::Link, &[], 10).unwrap(), []);
}

#[test]
fn what_is_not_durable_yet_conflicts_too_and_what_failed_does_not() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let bsns = subjects(2);
    let session = open(&office, STUDY, import("bsn", "study-no")).unwrap();
    let send = |subject: usize| {
        office
            .engine
            .batches()
            .pseudonymise(&session, &pairs(&bsns[subject..=subject], &["P-1"]))
            .unwrap()
    };
    office.store.hold_completions();
    office.store.fail_commit(1, StoreError::Conflict);
    let (first, second, third) = (send(0), send(1), send(0));
    office.store.release_completions();
    assert_eq!(wait(first).unwrap_err().reason(), Reason::Conflict);
    assert_eq!(rejected(&wait(second).unwrap()), [conflict(0)]);
    assert_eq!(rejected(&wait(third).unwrap()), []);
    office.store.fail_commit(1, StoreError::Conflict);
    let old = |subject: usize, old: &str| {
        office
            .engine
            .batches()
            .pseudonymise(&session, &pairs(&bsns[subject..=subject], &[old]))
            .unwrap()
    };
    assert!(wait(old(0, "P-2")).is_err());
    assert_eq!(
        rejected(&wait(old(1, "P-2")).unwrap()),
        [],
        "the first one came to nothing"
    );
}

#[test]
fn versions_of_a_line_agree_and_older_ones_still_lead_out() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(2);
    imported(&office, &bsns[..1], &["P-1"]);
    people::rotate(&office.engine, &STUDY.parse().unwrap(), None).unwrap();
    assert_eq!(
        rejected(&imported(&office, &bsns[1..], &["P-1"])),
        [conflict(0)]
    );
    imported(&office, &bsns[1..], &["P-2"]);
    let there = office.pseudonymise(REGISTER, &bsns);
    assert_eq!(texts(&converted(&office, &["P-1", "P-2"])), there);
}

#[test]
fn only_a_linked_pseudonym_element_takes_a_mapping() {
    let office = Office::open(ModelStore::new());
    let refused = |chain: &str, import| {
        open(&office, chain, import)
            .map(drop)
            .map_err(|refusal| refusal.reason())
    };
    assert_eq!(refused(STUDY, import("bsn", "study-no")), Ok(()));
    assert_eq!(
        refused(STUDY, import("email", "study-no")),
        Err(Reason::NotLinked)
    );
    assert_eq!(
        refused(STUDY, import("bsn", "email")),
        Err(Reason::InvalidRequest)
    );
    assert_eq!(
        refused(STUDY, import("bsn", "bsn")),
        Err(Reason::InvalidRequest)
    );
    assert_eq!(
        refused(STUDY, import("diagnosis", "study-no")),
        Err(Reason::InvalidRequest)
    );
    assert_eq!(
        refused(STUDY, import("nothing", "study-no")),
        Err(Reason::UnknownElement)
    );
    let session = open(&office, STUDY, import("bsn", "study-no")).unwrap();
    let alone = office
        .engine
        .batches()
        .pseudonymise(&session, &batch(None, &subjects(1)))
        .map(drop);
    assert_eq!(alone.unwrap_err().reason(), Reason::InvalidRequest);
    let (source, elements) = (caller("hospital-north/etl"), ["bsn".parse().unwrap()]);
    let plain = office
        .engine
        .batches()
        .open_pseudonymise(&source, &STUDY.parse().unwrap(), &elements, false)
        .unwrap();
    let beside = office
        .engine
        .batches()
        .pseudonymise(&plain, &pairs(&subjects(1), &["P-1"]))
        .map(drop);
    assert_eq!(beside.unwrap_err().reason(), Reason::UnknownElement);
}

#[test]
fn a_damaged_row_is_refused_when_it_is_read_and_when_it_is_met() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(2);
    imported(&office, &bsns, &["P-1", "P-2"]);
    let mut commit = Commit::default();
    for (key, mut value) in office.store.scan(Family::Import, &[], 2).unwrap() {
        *value.last_mut().unwrap() ^= 1;
        commit.put(Family::Import, key, value);
    }
    office.store.commit(commit).unwrap();
    let corrupt = |row, element: &str| (row, element.to_owned(), Reason::CorruptLinkRow);
    assert_eq!(
        rejected(&converted(&office, &["P-2", "P-1"])),
        [corrupt(0, "bsn"), corrupt(1, "bsn")]
    );
    assert_eq!(
        rejected(&imported(&office, &bsns[..1], &["P-1"])),
        [corrupt(0, "study-no")]
    );
}

/// Writes import rows past the engine.
fn put(office: &Office<ModelStore>, rows: impl IntoIterator<Item = Row>) {
    let mut commit = Commit::default();
    for (key, value) in rows {
        commit.put(Family::Import, key, value);
    }
    office.store.commit(commit).unwrap();
}

#[test]
fn promise_7_every_flipped_byte_of_an_import_row_is_noticed() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(1);
    imported(&office, &bsns, &["P-1"]);
    let rows = office.store.scan(Family::Import, &[], 2).unwrap();
    let [(key, value)] = rows.as_slice() else {
        panic!("one row")
    };
    // The first byte is the format, which the store knows as well.
    for at in 1..value.len() {
        let mut flipped = value.clone();
        flipped[at] ^= 0x10;
        put(&office, [(key.clone(), flipped)]);
        let outcome = converted(&office, &["P-1"]);
        assert_eq!(
            rejected(&outcome),
            [(0, "bsn".to_owned(), Reason::CorruptLinkRow)],
            "byte {at}"
        );
        assert_eq!(texts(&outcome), [""], "byte {at}");
    }
    put(&office, rows.clone());
    assert_eq!(
        texts(&converted(&office, &["P-1"])),
        office.pseudonymise(REGISTER, &bsns)
    );
}

#[test]
fn promise_7_swapped_import_rows_never_lead_to_another_subject() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(3);
    imported(&office, &bsns, &["P-1", "P-2", "P-3"]);
    let rows = office.store.scan(Family::Import, &[], 10).unwrap();
    let neighbours = rows
        .iter()
        .skip(1)
        .chain(rows.first())
        .map(|(_, value)| value.clone());
    put(
        &office,
        rows.iter().map(|(key, _)| key.clone()).zip(neighbours),
    );
    let corrupt =
        |element: &str| [0, 1, 2].map(|row| (row, element.to_owned(), Reason::CorruptLinkRow));
    let outcome = converted(&office, &["P-1", "P-2", "P-3"]);
    assert_eq!(
        (rejected(&outcome), texts(&outcome)),
        (corrupt("bsn").to_vec(), vec![String::new(); 3])
    );
    assert_eq!(
        rejected(&imported(&office, &bsns, &["P-1", "P-2", "P-3"])),
        corrupt("study-no")
    );
    put(&office, rows);
    assert_eq!(
        texts(&converted(&office, &["P-1", "P-2", "P-3"])),
        office.pseudonymise(REGISTER, &bsns)
    );
}

#[test]
fn import_rows_that_cannot_be_read_refuse_the_batch_and_nothing_counts() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let bsns = subjects(2);
    imported(&office, &bsns[..1], &["P-1"]);
    let grant = office.grant(STUDY, REGISTER, 10);
    let old = office
        .engine
        .batches()
        .open_convert(&caller("registry-office/etl"), &grant, true)
        .unwrap();
    let session = open(&office, STUDY, import("bsn", "study-no")).unwrap();
    office
        .store
        .fail_reads(Family::Import, StoreError::Corrupt("checksum".into()));
    let converting = office
        .engine
        .batches()
        .convert(
            &old,
            Turns::default().give(),
            &batch(None, &strings(&["P-1"])),
        )
        .map(drop);
    assert_eq!(converting.unwrap_err().reason(), Reason::CorruptStore);
    let importing = office
        .engine
        .batches()
        .pseudonymise(&session, &pairs(&bsns[1..], &["P-1"]))
        .map(drop);
    assert_eq!(
        importing.unwrap_err().reason(),
        Reason::CorruptStore,
        "it may be another subject's"
    );
    office.store.mend_reads(Family::Import);
    assert_eq!(
        (
            office.used(&grant),
            office.store.scan(Family::Import, &[], 10).unwrap().len()
        ),
        (0, 1)
    );
}

#[test]
fn trying_out_who_has_an_old_pseudonym_counts_as_trying_out_identifiers() {
    let office = Office::open(ModelStore::new());
    people::apply(&office.engine, &limited("rejected_percent = 20")).unwrap();
    let bsns = subjects(800);
    let own: Vec<String> = (0..800).map(|i| format!("P-{i}")).collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    assert_eq!(rejected(&imported(&office, &bsns, &own)), []);
    let tried = imported(&office, &bsns[..200], &[&own[1..200], &own[..1]].concat());
    assert_eq!(
        tried.rejections.len(),
        200,
        "none of them is whose it is said to be"
    );
    let session = open(&office, STUDY, import("bsn", "study-no")).unwrap();
    let refused = office
        .engine
        .batches()
        .pseudonymise(&session, &pairs(&bsns[..1], &["P-1"]))
        .map(drop)
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::QuotaRejected);
}

#[test]
fn a_refused_import_does_not_say_which_guess_was_right_and_whom_it_tried_counts() {
    let mut office = Office::open(ModelStore::new());
    people::apply(
        &office.engine,
        &limited("rejected_percent = 20\nsubjects_per_day = 500"),
    )
    .unwrap();
    let bsns = subjects(501);
    let own: Vec<String> = (0..400).map(|i| format!("P-{i}")).collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    imported(&office, &bsns[..400], &own[..400]);
    for _ in 0..2 {
        office.pseudonymise(STUDY, &bsns[..400]);
    }
    let try_out = |office: &Office<ModelStore>, bsns: &[String], old: &[&str]| {
        let session = open(office, STUDY, import("bsn", "study-no")).unwrap();
        let refused = office
            .engine
            .batches()
            .pseudonymise(&session, &pairs(bsns, old))
            .map(drop)
            .unwrap_err();
        assert_eq!(refused.reason(), Reason::QuotaRejected);
        format!("{:?}", refused.violations())
    };
    let all_wrong = try_out(&office, &bsns[..399], &own[1..400]);
    let one_right = try_out(&office, &bsns[..399], &[&own[..1], &own[2..400]].concat());
    assert_eq!(all_wrong, one_right);
    // A hundred more than before are tried, and no more can be.
    try_out(&office, &bsns[100..500], &own[..400]);
    office.reopen();
    office.pseudonymise(STUDY, &bsns[..500]);
    let one_more = office
        .submit("hospital-north/etl", STUDY, &bsns[500..])
        .unwrap_err();
    assert_eq!(one_more.reason(), Reason::QuotaSubjects);
}

#[test]
fn an_import_is_on_record_as_one_without_a_trace_of_what_it_held() {
    let office = Office::open(ModelStore::new());
    imported(&office, &subjects(2), &["P-1", ""]);
    let last = office.store.entries() - 1;
    let (_, bytes) = office
        .store
        .scan(Family::Audit, &last.to_be_bytes(), 1)
        .unwrap()
        .remove(0);
    let entry = Entry::decode(&bytes).unwrap();
    let Event::Import(batch) = entry.event else {
        panic!("{entry:?}");
    };
    assert_eq!((batch.rows, batch.rejected, batch.values), (2, 1, 1));
    assert!(!bytes.windows(3).any(|window| window == b"P-1"));
    let rows = office.store.scan(Family::Import, &[], 10).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].1.windows(3).any(|window| window == b"P-1"));
}
