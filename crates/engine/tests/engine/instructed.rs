//! What a custodian does alone with keys: with their pinned key, signed for this moment, once.

use sluis_domain::Reason;
use sluis_engine::{Caller, Instructed, Refusal};
use sluis_ledger::event::{About, Entry, Event};
use sluis_ledger::instruction::{Instruction, LIFE_MILLIS, Task};
use sluis_port::{Family, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people::{self, instruct, signer};
use sluis_testkit::registry::{CUSTODIANS, registry};

use crate::office::{Office, STUDY, caller, custodian};

fn rotation() -> Task {
    Task::RotateChain {
        chain: STUDY.parse().unwrap(),
        namespace: "nl.bsn".parse().ok(),
    }
}

/// A certificate in a custodian's name that another authority gave for another key.
fn impostor() -> Caller {
    let other = caller("uni-research/privacy-officer");
    Caller {
        identity: custodian().identity,
        ..other
    }
}

fn reason<T>(result: Result<T, Refusal>) -> Option<Reason> {
    result.err().map(|refusal| refusal.reason())
}

fn versions(office: &Office<ModelStore>) -> usize {
    office
        .engine
        .life()
        .status(&custodian())
        .unwrap()
        .versions
        .len()
}

#[test]
fn a_certificate_in_a_custodians_name_does_nothing_without_the_pinned_key() {
    let office = Office::open(ModelStore::new());
    let (engine, impostor) = (&office.engine, impostor());
    let signed = instruct(engine, CUSTODIANS[0], rotation());
    let kid = engine.life().status(&custodian()).unwrap().versions[0].kid;
    let directory = tempfile::tempdir().unwrap();
    let told = [
        reason(engine.life().rotate(&impostor, &signed)),
        reason(engine.life().disable(&impostor, &signed)),
        reason(engine.log().rotate_audit_key(&impostor, &signed)),
        reason(engine.life().status(&impostor)),
        reason(engine.life().backup(&impostor, directory.path())),
        reason(
            engine
                .governance()
                .propose_registry(&impostor, "", true, None),
        ),
        reason(engine.life().propose_destroy(&impostor, kid)),
        reason(engine.life().propose_cut(&impostor, kid)),
        reason(engine.governance().registry_text(&impostor, None)),
    ];
    assert_eq!(told, [Some(Reason::KeyNotPinned); 9]);
    assert_eq!(
        engine
            .governance()
            .list_proposals(&impostor, true)
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        engine.governance().list_chains(&impostor, None).unwrap().2,
        []
    );
    assert!(engine.life().rotate(&custodian(), &signed).is_ok());
}

/// What no one checks any more must not stand in the log for ever.
#[test]
fn a_refused_instruction_leaves_no_detail_and_no_signature() {
    let office = Office::open(ModelStore::new());
    let task = Task::RotateChain {
        chain: STUDY.parse().unwrap(),
        namespace: "no.such".parse().ok(),
    };
    let signed = instruct(&office.engine, CUSTODIANS[0], task);
    let told = reason(office.engine.life().rotate(&custodian(), &signed));
    assert_eq!(told, Some(Reason::InvalidRequest));
    let rows = office.store.scan(Family::Audit, &[], 100_000).unwrap();
    let last = Entry::decode(&rows.last().unwrap().1).unwrap();
    let Event::Refused(refusal) = last.event else {
        panic!("{last:?}");
    };
    assert_eq!(refusal.reason, Reason::InvalidRequest);
    assert_eq!(refusal.about, About::Chain(STUDY.parse().unwrap()));
}

#[test]
fn an_instruction_serves_once_and_not_after_another() {
    let office = Office::open(ModelStore::new());
    let (engine, before) = (&office.engine, versions(&office));
    let signed = instruct(engine, CUSTODIANS[0], rotation());
    let of_ben = instruct(engine, CUSTODIANS[1], Task::RotateAuditKey);
    assert!(engine.life().rotate(&custodian(), &signed).is_ok());
    for (what, told) in [
        ("again", reason(engine.life().rotate(&custodian(), &signed))),
        (
            "by another",
            reason(engine.life().rotate(&caller(CUSTODIANS[1]), &signed)),
        ),
        (
            "signed before it",
            reason(
                engine
                    .log()
                    .rotate_audit_key(&caller(CUSTODIANS[1]), &of_ben),
            ),
        ),
    ] {
        let expected = match what {
            "by another" => Reason::BadSignature,
            _ => Reason::InstructionStale,
        };
        assert_eq!(told, Some(expected), "{what}");
    }
    assert_eq!(versions(&office), before + 1, "it rotated once");
}

#[test]
fn an_instruction_is_for_its_act_its_registry_and_ten_minutes() {
    let office = Office::open(ModelStore::new());
    let engine = &office.engine;
    let signed = instruct(engine, CUSTODIANS[0], rotation());
    assert_eq!(
        reason(engine.log().rotate_audit_key(&custodian(), &signed)),
        Some(Reason::InvalidRequest),
        "another act"
    );
    let changed = Instructed {
        object: Instruction {
            task: Task::RotateChain {
                chain: STUDY.parse().unwrap(),
                namespace: None,
            },
            ..Instruction::decode(&signed.object).unwrap()
        }
        .encode(),
        ..signed.clone()
    };
    assert_eq!(
        reason(engine.life().rotate(&custodian(), &changed)),
        Some(Reason::BadSignature),
        "more lines than were signed"
    );
    let elsewhere = Instructed {
        signature: signer(CUSTODIANS[0])
            .sign(rotation().deed(), "example.org/other", &signed.object)
            .unwrap(),
        ..signed.clone()
    };
    assert_eq!(
        reason(engine.life().rotate(&custodian(), &elsewhere)),
        Some(Reason::BadSignature),
        "another custodian"
    );
    office.clock.advance_millis(LIFE_MILLIS + 1);
    assert_eq!(
        reason(engine.life().rotate(&custodian(), &signed)),
        Some(Reason::InstructionStale),
        "too old"
    );
    let signed = instruct(engine, CUSTODIANS[0], rotation());
    let text = registry().replace("= \"10y\"", "= \"11y\"");
    people::apply(engine, &text).unwrap();
    assert_eq!(
        reason(engine.life().rotate(&custodian(), &signed)),
        Some(Reason::InstructionStale),
        "another registry"
    );
}

#[test]
fn the_instruction_and_its_signature_are_on_record() {
    let office = Office::open(ModelStore::new());
    let signed = instruct(&office.engine, CUSTODIANS[0], rotation());
    office.engine.life().rotate(&custodian(), &signed).unwrap();
    let last = office.store.entries() - 1;
    let rows = office
        .store
        .scan(Family::Audit, &last.to_be_bytes(), 1)
        .unwrap();
    let entry = Entry::decode(&rows[0].1).unwrap();
    let Event::RotateChain(rotated) = entry.event else {
        panic!("{entry:?}");
    };
    assert_eq!(rotated.instruction.encode(), signed.object);
    let by = rotated.signature;
    assert_eq!(
        (&by.signer, &by.signed.signature),
        (&custodian().identity, &signed.signature)
    );
}

#[test]
fn a_chain_without_key_lines_has_nothing_to_rotate() {
    let office = Office::open(ModelStore::new());
    let chain = "\n[[chain]]\nid = \"lists\"\nowner = \"uni-research\"\n\
                 sources = [\"hospital-north\"]\n[[chain.element]]\nname = \"city\"\ntreatment = \"keep\"\n";
    people::apply(&office.engine, &(registry() + chain)).unwrap();
    let task = Task::RotateChain {
        chain: "lists".parse().unwrap(),
        namespace: None,
    };
    let signed = instruct(&office.engine, CUSTODIANS[0], task);
    let told = reason(office.engine.life().rotate(&custodian(), &signed));
    assert_eq!(told, Some(Reason::InvalidRequest));
}
