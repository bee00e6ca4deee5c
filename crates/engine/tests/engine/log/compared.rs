//! What the log says is verified at the start, and the sealed state compared with it: keys, opt-outs, approvals.

use std::sync::Arc;

use sluis_engine::{Engine, EngineError, ProposalView};
use sluis_ledger::audit::Act;
use sluis_ledger::event::{Entry, Event, Signature};
use sluis_ledger::proposal::State;
use sluis_ledger::statement::Deed;
use sluis_port::store::{Commit, Family, Row, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people::{self, caller, signer};

use super::{all, copy, entries};
use crate::office::{Office, REGISTER, STUDY, custodian};
use crate::subjects;

fn opened(office: &Office<ModelStore>, store: Arc<dyn Store>) -> Result<(), EngineError> {
    Engine::open(
        store,
        office.kek(),
        office.clock.clone(),
        people::settings(),
    )
    .map(drop)
}

/// Signed by those, and effective.
fn sign(engine: &Engine, members: [&str; 2], proposed: &ProposalView) {
    let object = proposed.record.proposal.encode();
    let states = members.map(|member| {
        let signature = signer(member)
            .sign(Deed::SignProposal, engine.origin(), &object)
            .unwrap();
        engine
            .governance()
            .sign_proposal(&caller(member), &proposed.record.proposal.id, &signature)
            .unwrap()
            .state
    });
    assert_eq!(states, [State::Open, State::Effective]);
}

/// Why the engine does not open when all keys are those of `before`.
fn with_keys_of(office: &Office<ModelStore>, before: &[(Family, Row)]) -> String {
    let of = |family: &Family| *family == Family::Keyring;
    let now = all(&*office.store)
        .into_iter()
        .filter(|(family, _)| !of(family));
    let rows: Vec<_> = now
        .chain(before.iter().filter(|(family, _)| of(family)).cloned())
        .collect();
    match opened(office, copy(&rows, entries(&*office.store))) {
        Err(EngineError::Differs(what)) => what,
        other => panic!("{other:?}"),
    }
}

/// Why the engine does not open when the first entry of an act is another.
fn with_changed(office: &Office<ModelStore>, act: Act, change: impl FnOnce(&mut Entry)) -> String {
    let rows: Vec<_> = all(&*office.store)
        .into_iter()
        .filter(|(family, _)| *family != Family::Tree)
        .collect();
    let mut log = entries(&*office.store);
    let at = log
        .iter()
        .position(|bytes| Entry::decode(bytes).unwrap().event.act() == act)
        .unwrap();
    let mut entry = Entry::decode(&log[at]).unwrap();
    change(&mut entry);
    log[at] = entry.encode();
    match opened(office, copy(&rows, log)) {
        Err(EngineError::Wrong(wrong)) if wrong.sequence == at as u64 => wrong.fault.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_that_were_disabled_destroyed_or_cut_do_not_come_back() {
    let office = Office::open(ModelStore::new());
    let mut versions = office
        .engine
        .life()
        .status(&custodian())
        .unwrap()
        .versions
        .into_iter();
    let kid = versions
        .find(|version| version.chain.as_str() == STUDY && version.escrow)
        .unwrap()
        .kid;
    let uni = ["uni-research/steward-1", "uni-research/steward-2"];
    let escrowed = all(&*office.store);
    sign(
        &office.engine,
        uni,
        &office.engine.life().propose_cut(&custodian(), kid).unwrap(),
    );
    assert_eq!(
        with_keys_of(&office, &escrowed),
        format!("key version {kid}: escrow")
    );
    let made = all(&*office.store);
    people::rotate(&office.engine, &STUDY.parse().unwrap(), None).unwrap();
    assert_eq!(with_keys_of(&office, &made), "the number of key versions");
    let rotated = all(&*office.store);
    people::disable(&office.engine, kid).unwrap();
    assert_eq!(
        with_keys_of(&office, &rotated),
        format!("key version {kid}: state")
    );
    let disabled = all(&*office.store);
    sign(
        &office.engine,
        uni,
        &office
            .engine
            .life()
            .propose_destroy(&custodian(), kid)
            .unwrap(),
    );
    assert_eq!(
        with_keys_of(&office, &disabled),
        format!("key version {kid}: state")
    );
    assert_eq!(opened(&office, office.store.clone()), Ok(()));
}

#[test]
fn marks_of_opt_outs_that_are_gone_are_noticed() {
    let office = Office::open(ModelStore::new());
    let (source, bsn) = (caller("hospital-north/etl"), "nl.bsn".parse().unwrap());
    let proposed = office
        .engine
        .life()
        .request_erasure(&source, &bsn, subjects(1)[0].as_bytes())
        .unwrap();
    sign(
        &office.engine,
        ["uni-research/steward-1", "registry-office/steward-a"],
        &proposed,
    );
    assert_eq!(opened(&office, office.store.clone()), Ok(()));
    let mut rows = all(&*office.store);
    rows.retain(|(family, (key, _))| *family != Family::Optout || key[0] != b'm');
    let refused = opened(&office, copy(&rows, entries(&*office.store)));
    assert_eq!(
        refused,
        Err(EngineError::Differs(
            "the marks of opt-outs are gone".into()
        ))
    );
}

fn signature(event: &mut Event) -> &mut Signature {
    match event {
        Event::ApproveGrant(signed) => &mut signed.signature,
        Event::SignProposal(signed) => &mut signed.signature,
        other => panic!("{other:?}"),
    }
}

#[test]
fn promise_4_every_signature_in_the_log_is_verified_at_the_start() {
    let office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(2));
    let grant = office.grant(STUDY, REGISTER, 10);
    office.converted(&grant, &tokens).unwrap();
    let other = signer("hospital-north/etl")
        .sign(
            Deed::ApproveGrant,
            office.engine.origin(),
            b"something else",
        )
        .unwrap();
    for act in [Act::ApproveGrant, Act::SignProposal] {
        let said = with_changed(&office, act, |entry| {
            signature(&mut entry.event)
                .signed
                .signature
                .clone_from(&other);
        });
        assert!(
            said.contains("was not made with that key over exactly this"),
            "{said}"
        );
    }
    let said = with_changed(&office, Act::Convert, |entry| match &mut entry.event {
        Event::Convert(batch) => batch.counter = 9,
        other => panic!("{other:?}"),
    });
    assert!(said.contains("its counter is 9"), "{said}");
}

#[test]
fn a_log_of_another_trust_domain_is_refused() {
    let office = Office::open(ModelStore::new());
    let settings = sluis_engine::Settings {
        trust_domain: "other.test".into(),
        ..people::settings()
    };
    let refused = Engine::open(
        office.store.clone(),
        office.kek(),
        office.clock.clone(),
        settings,
    )
    .map(drop);
    assert_eq!(
        refused,
        Err(EngineError::TrustDomain {
            origin: office.engine.origin().into()
        })
    );
}

#[test]
fn one_key_for_a_custodian_and_a_steward_stops_the_start() {
    let office = Office::open(ModelStore::new());
    let mut settings = people::settings();
    settings.custodians[1].key = people::public_key("uni-research/steward-2");
    let refused = Engine::open(
        office.store.clone(),
        office.kek(),
        office.clock.clone(),
        settings,
    )
    .map(drop);
    assert_eq!(refused, Err(EngineError::SharedKey));
}

#[test]
fn a_registry_text_that_cannot_be_read_is_said_to_be_the_cause() {
    let office = Office::open(ModelStore::new());
    people::apply(
        &office.engine,
        &sluis_testkit::registry::registry().replace("\"10y\"", "\"9y\""),
    )
    .unwrap();
    let first = 1_u64.to_be_bytes();
    let mut stored = office.store.get(Family::Registry, &first).unwrap().unwrap();
    *stored.last_mut().unwrap() ^= 1;
    let mut commit = Commit::default();
    commit.put(Family::Registry, first, stored);
    office.damage().commit(commit).unwrap();
    let refused = opened(&office, office.store.clone()).unwrap_err();
    assert!(matches!(refused, EngineError::Keyring(_)), "{refused}");
}
