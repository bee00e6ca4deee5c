//! What the order of sealing gives away: nothing.

use data_encoding::BASE64URL_NOPAD;
use sluis_domain::{Column, RecordBatch};
use sluis_testkit::model_store::ModelStore;

use crate::office::{Office, STUDY, caller, texts, wait};

const ROWS: usize = 64;

/// The counters in the nonces of a batch of encrypted elements, in the order of the rows.
fn counters() -> Vec<u64> {
    let office = Office::open(ModelStore::new());
    let (source, chain, name) = (
        caller("hospital-north/etl"),
        STUDY.parse().unwrap(),
        "name".parse().unwrap(),
    );
    let session = office
        .engine
        .batches()
        .open_pseudonymise(&source, &chain, std::slice::from_ref(&name), false)
        .unwrap();
    let column = Column::from_values((0..ROWS).map(|row| format!("patient {row}")));
    let batch = RecordBatch::new(None, ROWS, vec![(name, column)]).unwrap();
    let outcome = wait(
        office
            .engine
            .batches()
            .pseudonymise(&session, &batch)
            .unwrap(),
    )
    .unwrap();
    let counter = |text: &String| {
        let bytes = BASE64URL_NOPAD
            .decode(text.strip_prefix("enc1").unwrap().as_bytes())
            .unwrap();
        // 0x21 || kid(4) || nonce(24), whose last eight bytes count.
        u64::from_be_bytes(bytes[21..29].try_into().unwrap())
    };
    texts(&outcome).iter().map(counter).collect()
}

#[test]
fn nonces_do_not_tell_the_order_of_the_rows() {
    let mut counters = counters();
    assert!(!counters.is_sorted(), "one in 64! fails by chance");
    counters.sort_unstable();
    assert!(counters.into_iter().eq(0..ROWS as u64));
}
