//! Grants and proposals that have ended leave memory, and nothing else changes.

use std::sync::Arc;

use sluis_domain::{GrantId, Reason};
use sluis_engine::{Engine, EngineError};
use sluis_ledger::event::{About, Entry, Event};
use sluis_ledger::grant::State;
use sluis_ledger::proposal;
use sluis_ledger::statement::Deed;
use sluis_port::rows;
use sluis_port::store::{Family, Row, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::{CUSTODIANS, registry};

use super::ended::{resumed, verified};
use super::{all, copy, entries, revoke};
use crate::office::{Office, REGISTER, STUDY, caller};
use crate::subjects;

/// More than a day passes, and the log is read again.
fn day_passes(office: &Office<ModelStore>) {
    office.clock.advance_hours(25);
    office.grow(1);
    office.head();
}

fn is_row(office: &Office<ModelStore>, key: &[u8]) -> bool {
    office.store.get(Family::Grants, key).unwrap().is_some()
}

fn listed(engine: &Engine, after: Option<&GrantId>, state: Option<State>) -> Vec<GrantId> {
    let steward = caller("uni-research/steward-1");
    let listed = engine
        .governance()
        .list_grants(&steward, after, 2, state)
        .unwrap();
    let ids = listed.iter().map(|view| view.record.grant.id.clone());
    ids.collect()
}

#[test]
fn a_grant_that_has_ended_leaves_memory_and_is_still_listed_shown_and_refused() {
    let office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(3));
    let mut ids: Vec<_> = (0..4).map(|_| office.grant(STUDY, REGISTER, 10)).collect();
    ids.sort();
    office.converted(&ids[1], &tokens).unwrap();
    for ended in [&ids[1], &ids[2]] {
        revoke(&office, ended);
        office.head();
        assert!(!is_row(&office, &rows::ended_grant_key(ended)), "too early");
    }
    day_passes(&office);
    for ended in [&ids[1], &ids[2]] {
        assert!(is_row(&office, &rows::ended_grant_key(ended)));
    }
    assert!(!is_row(&office, &rows::ended_grant_key(&ids[0])));
    let saved = office.engine.log().save().unwrap().unwrap();
    let again = resumed(&office, office.store.clone(), &saved).unwrap();
    again
        .log()
        .check_head(office.head().note.as_bytes())
        .unwrap();
    for engine in [&*office.engine, &again] {
        let steward = caller("uni-research/steward-1");
        let view = engine.governance().get_grant(&steward, &ids[1]).unwrap();
        assert_eq!((view.state, view.used), (State::Revoked, 3));
        assert_eq!(listed(engine, None, None), ids[..2]);
        assert_eq!(listed(engine, Some(&ids[1]), None), ids[2..]);
        assert_eq!(listed(engine, None, Some(State::Revoked)), ids[1..3]);
        let approved = [ids[0].clone(), ids[3].clone()];
        assert_eq!(listed(engine, None, Some(State::Approved)), approved);
        let grantee = caller("registry-office/etl");
        let refused = engine.batches().open_convert(&grantee, &ids[1], false);
        assert_eq!(refused.err().unwrap().reason(), Reason::GrantRevoked);
        let last = entries(&*office.store).pop().unwrap();
        let Event::Refused(refusal) = Entry::decode(&last).unwrap().event else {
            panic!("the refusal is on record");
        };
        assert!(matches!(refusal.about, About::Grant(grant) if grant.id == ids[1]));
        let steward = caller("registry-office/steward-a");
        let own = engine.log().read_entries(&steward, 0, 10_000, true);
        let own = own.unwrap().entries;
        let named = own
            .iter()
            .filter(|(.., e)| e.event.grant() == Some(&ids[1]));
        assert!(
            named.count() >= 5,
            "request, approvals, batch, end, refusal"
        );
    }
    assert_eq!(verified(&again).map(|_| ()), Ok(()));
}

#[test]
fn a_proposal_that_has_ended_leaves_memory_and_is_still_listed_shown_and_refused() {
    let office = Office::open(ModelStore::new());
    let text = registry().replace("Party to nothing", "Party to something");
    let [anna, ben] = CUSTODIANS.map(caller);
    let governance = office.engine.governance();
    let proposed = governance.propose_registry(&anna, &text, false, None);
    let proposal = proposed.unwrap().proposal.unwrap().record.proposal.clone();
    let signer = people::signer(CUSTODIANS[1]);
    let (origin, object) = (office.engine.origin(), proposal.encode());
    let no = signer.sign(Deed::RejectProposal, origin, &object).unwrap();
    governance.reject_proposal(&ben, &proposal.id, &no).unwrap();
    day_passes(&office);
    assert!(is_row(&office, &rows::ended_proposal_key(&proposal.id)));
    let (shown, texts) = governance.get_proposal(&anna, &proposal.id).unwrap();
    assert_eq!(shown.state, proposal::State::Rejected);
    assert!(texts.is_none());
    let all = governance.list_proposals(&anna, true).unwrap();
    let found = all.iter().filter(|v| v.record.proposal.id == proposal.id);
    assert_eq!((all.len(), found.count()), (2, 1));
    assert!(governance.list_proposals(&anna, false).unwrap().is_empty());
    let yes = signer.sign(Deed::SignProposal, origin, &object).unwrap();
    let refused = governance.sign_proposal(&ben, &proposal.id, &yes);
    assert_eq!(refused.err().unwrap().reason(), Reason::ProposalDecided);
    let last = entries(&*office.store).pop().unwrap();
    let event = Entry::decode(&last).unwrap().event;
    assert!(event.refused_proposal().is_some(), "it is named");
    // The refusal is read by the rules.
    office.head();
}

#[test]
fn what_is_saved_does_not_grow_with_what_has_ended() {
    let office = Office::open(ModelStore::new());
    let length = || office.engine.log().save().unwrap().unwrap().len();
    day_passes(&office);
    let before = length();
    for _ in 0..20 {
        revoke(&office, &office.grant(STUDY, REGISTER, 10));
    }
    let with_all = length();
    day_passes(&office);
    let after = length();
    // Two hashes of each entry are among what is saved.
    let hashes = 2 * 32 * 20 * 5;
    assert!(with_all > before + hashes + 20 * 1_000, "for a day");
    assert!(after < before + hashes, "{before} {with_all} {after}");
}

#[test]
fn a_start_from_an_earlier_state_does_not_take_later_rows_for_earlier_ones() {
    let office = Office::open(ModelStore::new());
    let saved = office.engine.log().save().unwrap().unwrap();
    let grant = office.grant(STUDY, REGISTER, 10);
    revoke(&office, &grant);
    day_passes(&office);
    assert!(is_row(&office, &rows::ended_grant_key(&grant)));
    let engine = resumed(&office, office.store.clone(), &saved).unwrap();
    assert!(verified(&engine).is_ok());
}

#[test]
fn a_row_that_is_gone_is_written_again_and_one_that_was_changed_is_found() {
    let office = Office::open(ModelStore::new());
    let grants = [0, 1].map(|_| office.grant(STUDY, REGISTER, 10));
    grants.iter().for_each(|grant| revoke(&office, grant));
    day_passes(&office);
    let saved = office.engine.log().save().unwrap().unwrap();
    let keys = grants.map(|grant| rows::ended_grant_key(&grant));
    let log = entries(&*office.store);
    let row = |rows: &[(Family, Row)], key: &[u8]| {
        let at = rows.iter().position(|(_, (k, _))| k == key);
        at.expect("it is there")
    };
    let mut without = all(&*office.store);
    without.remove(row(&without, &keys[0]));
    let store: Arc<dyn Store> = copy(&without, log.clone());
    let engine = resumed(&office, store.clone(), &saved).unwrap();
    assert!(verified(&engine).is_ok());
    assert!(store.get(Family::Grants, &keys[0]).unwrap().is_some());

    let mut changed = all(&*office.store);
    let (one, other) = (row(&changed, &keys[0]), row(&changed, &keys[1]));
    changed[one].1.1 = changed[other].1.1.clone();
    let engine = resumed(&office, copy(&changed, log.clone()), &saved).unwrap();
    assert!(verified(&engine).is_err(), "from a saved state");
    let opened = office.reopened(copy(&changed, log), "").map(drop);
    assert!(matches!(opened, Err(EngineError::Keyring(_))), "{opened:?}");
}
