//! What a registry ends, and what a clock does not.

use sluis_domain::{GrantId, Reason};
use sluis_engine::{OVERDUE_ROUNDS, ProposalView};
use sluis_ledger::grant::State as GrantState;
use sluis_ledger::proposal::{LIFE_MILLIS, State};
use sluis_port::{Clock, Family, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

use crate::life::{OWNERS, sign};
use crate::office::{Office, REGISTER, STUDY, caller, custodian};
use crate::subjects;

/// The registry office is no recipient of the study.
fn without_recipient() -> String {
    let with = "recipients = [\"uni-research\", \"registry-office\"]";
    let text = registry();
    assert!(text.contains(with), "{text}");
    text.replacen(with, "recipients = [\"uni-research\"]", 1)
}

fn state(office: &Office<ModelStore>, id: &GrantId) -> GrantState {
    let view = office
        .engine
        .governance()
        .get_grant(&caller("registry-office/etl"), id);
    view.unwrap().state
}

#[test]
fn a_grant_that_a_registry_made_stale_stays_so_when_the_registry_is_as_before() {
    let mut office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(2));
    let grant = office.grant(STUDY, REGISTER, 10);
    assert!(office.converted(&grant, &tokens).is_ok());
    people::apply(&office.engine, &without_recipient()).unwrap();
    people::apply(&office.engine, &registry()).unwrap();
    for _ in 0..2 {
        assert_eq!(state(&office, &grant), GrantState::Stale);
        assert_eq!(
            office.converted(&grant, &tokens),
            Err(Reason::GrantStale),
            "whoever approved it did so before"
        );
        // The sealed state must be what the log says.
        office.reopen();
    }
    let other = office.grant(STUDY, REGISTER, 10);
    assert!(office.converted(&other, &tokens).is_ok());
}

#[test]
fn a_request_becomes_stale_with_its_chain_and_an_unrelated_change_ends_nothing() {
    let office = Office::open(ModelStore::new());
    let grant = office.grant(STUDY, REGISTER, 10);
    let id = office
        .engine
        .governance()
        .request_grant(&caller("hospital-north/etl"), office.reidentify_terms())
        .unwrap()
        .record
        .grant
        .id
        .clone();
    let text = registry();
    people::apply(&office.engine, &text.replace("= \"10y\"", "= \"11y\"")).unwrap();
    assert_eq!(state(&office, &grant), GrantState::Approved);
    let view = office
        .engine
        .governance()
        .get_grant(&caller("hospital-north/etl"), &id);
    assert_eq!(view.unwrap().state, GrantState::Requested);
    let (both, one) = (
        "reidentify_to = [\"hospital-north\", \"gp-south\"]",
        "reidentify_to = [\"gp-south\"]",
    );
    assert!(text.contains(both));
    people::apply(&office.engine, &text.replacen(both, one, 1)).unwrap();
    people::apply(&office.engine, &text).unwrap();
    let steward = "uni-research/steward-1";
    assert_eq!(
        people::approve(&office.engine, steward, &id)
            .unwrap_err()
            .reason(),
        Reason::GrantStale
    );
    assert_eq!(state(&office, &grant), GrantState::Approved);
}

fn proposed(office: &Office<ModelStore>) -> ProposalView {
    let text = registry().replace("= \"10y\"", "= \"9y\"");
    office
        .engine
        .governance()
        .propose_registry(&custodian(), &text, false, None)
        .unwrap()
        .proposal
        .unwrap()
}

fn text_is_kept(office: &Office<ModelStore>) -> bool {
    let rows = office.store.scan(Family::Grants, b"t", 1).unwrap();
    rows.iter().any(|(key, _)| key.starts_with(b"t"))
}

#[test]
fn a_clock_that_jumps_ahead_and_comes_back_ends_no_proposal_and_no_grant() {
    let mut office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(1));
    let grant = office.grant(STUDY, REGISTER, 10);
    let view = proposed(&office);
    let jump = LIFE_MILLIS + 10 * 24 * 3_600_000;
    let entries = office.store.entries();
    office.clock.advance_millis(jump);
    for _ in 1..OVERDUE_ROUNDS {
        office.engine.life().housekeep().unwrap();
    }
    assert_eq!(
        sign(&office.engine, OWNERS[0], &view),
        Err(Reason::ProposalExpired)
    );
    assert_eq!(office.converted(&grant, &tokens), Err(Reason::GrantExpired));
    office.clock.set_back_millis(jump);
    office.engine.life().housekeep().unwrap();
    assert_eq!(
        office.store.entries(),
        entries + 2,
        "the two refusals, and no end"
    );
    assert!(text_is_kept(&office));
    office.reopen();
    assert_eq!(sign(&office.engine, OWNERS[0], &view), Ok(State::Open));
    assert!(office.converted(&grant, &tokens).is_ok());
}

#[test]
fn a_proposal_that_nobody_signed_in_time_ends_on_record() {
    let mut office = Office::open(ModelStore::new());
    let view = proposed(&office);
    office.clock.advance_millis(LIFE_MILLIS);
    let entries = office.store.entries();
    for _ in 0..OVERDUE_ROUNDS {
        assert!(text_is_kept(&office));
        office.engine.life().housekeep().unwrap();
    }
    assert_eq!(office.store.entries(), entries + 1);
    assert!(!text_is_kept(&office));
    // Whatever the clock says now.
    office.clock.set_back_millis(LIFE_MILLIS);
    for _ in 0..2 {
        assert_eq!(
            sign(&office.engine, OWNERS[0], &view),
            Err(Reason::ProposalExpired)
        );
        office.engine.life().housekeep().unwrap();
        office.reopen();
    }
    assert!(office.clock.now() < view.record.proposal.not_after);
}

#[test]
fn a_grant_whose_end_has_passed_ends_on_record() {
    let mut office = Office::open(ModelStore::new());
    let tokens = office.pseudonymise(STUDY, &subjects(2));
    let grant = office.grant(STUDY, REGISTER, 10);
    assert!(office.converted(&grant, &tokens[..1]).is_ok());
    let life = 3 * 24 * 3_600_000;
    office.clock.advance_millis(life);
    let entries = office.store.entries();
    for _ in 0..OVERDUE_ROUNDS {
        assert_eq!(office.store.entries(), entries);
        office.engine.life().housekeep().unwrap();
    }
    assert_eq!(office.store.entries(), entries + 1);
    // Whatever the clock says now.
    office.clock.set_back_millis(life);
    let refused = Err(Reason::GrantExpired);
    for _ in 0..2 {
        assert_eq!(state(&office, &grant), GrantState::Expired);
        assert_eq!(office.converted(&grant, &tokens), refused);
        office.engine.life().housekeep().unwrap();
        office.reopen();
    }
    assert_eq!(office.store.entries(), entries + 3, "two refusals");
}

#[test]
fn a_proposal_that_a_registry_made_stale_stays_so() {
    let mut office = Office::open(ModelStore::new());
    let first = proposed(&office);
    assert_eq!(sign(&office.engine, OWNERS[0], &first), Ok(State::Open));
    people::apply(&office.engine, &without_recipient()).unwrap();
    people::apply(&office.engine, &registry()).unwrap();
    assert!(!text_is_kept(&office), "it goes with the proposal");
    office.reopen();
    assert_eq!(
        sign(&office.engine, "uni-research/steward-2", &first),
        Err(Reason::ProposalStale)
    );
}
