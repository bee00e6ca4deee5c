//! The largest that may be asked for fits into an entry of the log; what does not is refused before it is written. An entry
//! that no one can read would end the custodian: each office here opens its store once more in the end.

use std::fmt::Write;

use sluis_domain::id::MAX_ID_LEN;
use sluis_domain::{ElementName, Reason};
use sluis_ledger::audit::MAX_ENTRY;
use sluis_ledger::grant::{Kind, MAX_ELEMENTS, MAX_TEXT, Terms};
use sluis_ledger::registry::MAX_CHAINS;
use sluis_port::{Clock, Family, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people::{self, key_table};
use sluis_testkit::registry::{CUSTODIANS, registry};

use crate::office::{Office, caller, custodian};
use crate::subjects;

/// An id as long as ids may be.
fn long(prefix: &str, number: usize) -> String {
    format!(
        "{prefix}-{number:0>width$}",
        width = MAX_ID_LEN - prefix.len() - 1
    )
}

/// An organisation with so many stewards, and their keys.
fn organisation(id: &str, stewards: usize) -> String {
    let members: Vec<_> = (0..stewards).map(|number| format!("s{number}")).collect();
    let keys: String = members
        .iter()
        .map(|member| key_table(&format!("{id}/{member}")))
        .collect();
    format!(
        "\n[[organisation]]\nid = \"{id}\"\nname = \"O\"\nmembers = {members:?}\nstewards = {members:?}\n{keys}"
    )
}

/// A chain of this owner, kept for so many years.
fn chain(id: &str, owner: &str, years: u8) -> String {
    format!(
        "\n[[chain]]\nid = \"{id}\"\nowner = \"{owner}\"\nsources = [\"gp-south\"]\nrecipients = [\"{owner}\"]\n\
         retention = \"{years}y\"\n[[chain.namespace]]\nid = \"nl.bsn\"\n\
         [[chain.element]]\nname = \"bsn\"\ntreatment = \"pseudonym\"\nnamespace = \"nl.bsn\"\n"
    )
}

/// Length of the longest entry.
fn longest(office: &Office<ModelStore>) -> usize {
    let entries = office.store.scan(Family::Audit, &[], usize::MAX).unwrap();
    entries.iter().map(|(_, entry)| entry.len()).max().unwrap()
}

#[test]
fn the_largest_grant_fits_into_the_log() {
    const APPROVALS: usize = u8::MAX as usize;
    let office = Office::open(ModelStore::new());
    let (owner, namespace, chain) = (long("o", 1), long("n", 1), long("c", 1));
    let elements: Vec<String> = (0..MAX_ELEMENTS).map(|number| long("e", number)).collect();
    let mut text = registry() + &organisation(&owner, APPROVALS);
    write!(
        text,
        "\n[[namespace]]\nid = \"{namespace}\"\nidentifier = \"nl-bsn\"\ninput = \"plain\"\n\
         \n[[chain]]\nid = \"{chain}\"\nowner = \"{owner}\"\nsources = [\"hospital-north\"]\nrecipients = [\"{owner}\"]\n\
         reidentify_to = [\"hospital-north\"]\nreidentify_approvals = {APPROVALS}\n\
         [[chain.namespace]]\nid = \"{namespace}\"\nlink = \"escrow\"\nreversible = true\n"
    )
    .unwrap();
    for name in &elements {
        write!(text, "[[chain.element]]\nname = \"{name}\"\ntreatment = \"pseudonym\"\nnamespace = \"{namespace}\"\n")
            .unwrap();
    }
    people::apply(&office.engine, &text).unwrap();
    let elements: Vec<ElementName> = elements.iter().map(|name| name.parse().unwrap()).collect();
    let terms = Terms {
        kind: Kind::Reidentify {
            chain: chain.parse().unwrap(),
            elements,
        },
        purpose: "p".repeat(MAX_TEXT),
        legal_basis: "l".repeat(MAX_TEXT),
        max_values: u64::MAX,
        max_values_per_day: Some(u64::MAX),
        not_before: None,
        not_after: office.clock.now().plus_millis(3_600_000),
    };
    let doctor = caller("hospital-north/doctor");
    let longer = Terms {
        purpose: "p".repeat(MAX_TEXT + 1),
        ..terms.clone()
    };
    assert_eq!(
        office
            .engine
            .governance()
            .request_grant(&doctor, longer)
            .unwrap_err()
            .reason(),
        Reason::InvalidRequest
    );
    let requested = office
        .engine
        .governance()
        .request_grant(&doctor, terms)
        .unwrap();
    assert_eq!(requested.record.grant.required.len(), APPROVALS);
    for number in 0..2 {
        people::approve(
            &office.engine,
            &format!("{owner}/s{number}"),
            &requested.record.grant.id,
        )
        .unwrap();
    }
    let longest = longest(&office);
    assert!((20_000..=MAX_ENTRY).contains(&longest), "{longest}");
}

#[test]
fn a_registry_that_more_people_must_sign_than_an_entry_can_name_is_refused() {
    const MOST: usize = 500;
    let office = Office::open(ModelStore::new());
    let owners: Vec<String> = (0..=MOST).map(|number| long("o", number)).collect();
    let organisations: String = owners.iter().map(|id| organisation(id, 2)).collect();
    // The chains of the first owners are kept longer.
    let with = |longer: usize| {
        let chains = owners
            .iter()
            .enumerate()
            .map(|(i, id)| chain(&format!("c{i}"), id, if i < longer { 9 } else { 8 }));
        registry() + &organisations + &chains.collect::<String>()
    };
    people::apply(&office.engine, &with(0)).unwrap();
    for dry_run in [true, false] {
        let told = office
            .engine
            .governance()
            .propose_registry(&custodian(), &with(MOST + 1), dry_run, None)
            .unwrap_err();
        assert_eq!(
            (told.reason(), told.violations()[0].field.as_str()),
            (Reason::InvalidRegistry, "chain")
        );
    }
    let proposed = office
        .engine
        .governance()
        .propose_registry(&caller(CUSTODIANS[0]), &with(MOST), false, None)
        .unwrap();
    assert_eq!(
        proposed.proposal.unwrap().record.proposal.required.len(),
        MOST
    );
    let longest = longest(&office);
    assert!((30_000..=MAX_ENTRY).contains(&longest), "{longest}");
}

#[test]
fn an_erasure_that_more_people_must_sign_than_an_entry_can_name_is_refused() {
    const OWNERS: usize = MAX_CHAINS - 3;
    let office = Office::open(ModelStore::new());
    let owners: Vec<String> = (0..OWNERS).map(|number| long("o", number)).collect();
    let mut text = registry();
    // One registry makes at most 800 key lines.
    for half in owners.chunks(OWNERS / 2 + 1) {
        for id in half {
            text += &(organisation(id, 2) + &chain(&id.replace('o', "c"), id, 8));
        }
        people::apply(&office.engine, &text).unwrap();
    }
    let (source, bsn) = (caller("hospital-north/etl"), "nl.bsn".parse().unwrap());
    let told = office
        .engine
        .life()
        .request_erasure(&source, &bsn, subjects(1)[0].as_bytes())
        .unwrap_err();
    assert_eq!(told.reason(), Reason::InvalidRequest);
}
