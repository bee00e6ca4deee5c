//! A chain is changed while a source has a stream open.

use sluis_domain::Reason;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

use crate::office::{Office, STUDY, batch, caller, wait};
use crate::subjects;

#[test]
fn what_was_prepared_for_other_treatments_is_refused_and_more_elements_change_nothing() {
    let element = "[[chain.element]]\nname = \"city\"\ntreatment = \"drop\"\n";
    let changes = [
        (
            format!("{element}\n{}", element.replace("city", "street")),
            None,
        ),
        (element.replace("drop", "keep"), Some(Reason::ChainChanged)),
        (element.replace("city", "town"), Some(Reason::ChainChanged)),
    ];
    for (change, refused) in changes {
        let office = Office::open(ModelStore::new());
        let engine = &office.engine;
        let chain = STUDY.parse().unwrap();
        let open = || {
            let source = caller("hospital-north/etl");
            let name = "bsn".parse().unwrap();
            let session = engine
                .batches()
                .open_pseudonymise(&source, &chain, &[name], false);
            session.unwrap()
        };
        let submit = |session| {
            let pending = engine
                .batches()
                .pseudonymise(session, &batch(None, &subjects(2)))?;
            wait(pending).map(drop)
        };
        let session = open();
        assert!(submit(&session).is_ok());
        let text = registry();
        assert!(text.contains(element));
        people::apply(engine, &text.replacen(element, &change, 1)).unwrap();
        let told = submit(&session).err().map(|refusal| refusal.reason());
        assert_eq!(told, refused, "{change}");
        assert!(
            submit(&open()).is_ok(),
            "a new stream is one for the new rules"
        );
    }
}
