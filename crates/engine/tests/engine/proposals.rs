//! Proposals and grants at the edge: the first and last moment, too many of them, and what is left of those that came to
//! nothing.

use std::time::{Duration, Instant};

use sluis_domain::Reason;
use sluis_engine::{ProposalView, Refusal, Turns};
use sluis_ledger::grant::Grant;
use sluis_ledger::proposal::{LIFE_MILLIS, State};
use sluis_ledger::statement::Deed;
use sluis_port::{Clock, Family, Store};
use sluis_testkit::faulty_store::FaultyStore;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::{CUSTODIANS, registry};

use crate::life::{OWNERS, sign};
use crate::office::{Office, REGISTER, STUDY, batch, caller, wait};
use crate::subjects;

const SOURCE: &str = "hospital-north/etl";
const DAY: u64 = 24;

fn request_erasure(office: &Office<ModelStore>, identifier: &str) -> Result<ProposalView, Refusal> {
    office.engine.life().request_erasure(
        &caller(SOURCE),
        &"nl.bsn".parse().unwrap(),
        identifier.as_bytes(),
    )
}

#[test]
fn what_is_done_in_the_last_moment_of_a_proposal_stays_done() {
    let mut outcomes = Vec::new();
    // The office opens its store once more at the end: the log must bear out what was done.
    for before_the_end in 0..12 {
        let office = Office::open(ModelStore::new());
        let proposed = request_erasure(&office, &subjects(1)[0]).unwrap();
        assert_eq!(sign(&office.engine, OWNERS[0], &proposed), Ok(State::Open));
        office.clock.advance_millis(LIFE_MILLIS - before_the_end);
        office.clock.tick(1);
        outcomes.push(sign(&office.engine, OWNERS[1], &proposed));
    }
    assert!(
        outcomes.contains(&Ok(State::Effective))
            && outcomes.contains(&Err(Reason::ProposalExpired)),
        "{outcomes:?}"
    );
}

#[test]
fn what_is_released_in_the_first_or_last_moment_of_a_short_grant_stays_on_record() {
    let (minute, length) = (60_000, 30_000);
    let mut outcomes = Vec::new();
    // The office opens its store once more at the end.
    for before in 0..6 {
        for first in [true, false] {
            let office = Office::open(ModelStore::new());
            let tokens = office.pseudonymise(STUDY, &subjects(1));
            let begin = office.clock.now().plus_millis(minute);
            let id = office.grant_between(STUDY, REGISTER, begin, begin.plus_millis(length));
            office.clock.advance_millis(minute + 1_000);
            let session = office
                .engine
                .batches()
                .open_convert(&caller("registry-office/etl"), &id, false)
                .unwrap();
            match first {
                true => office.clock.set_back_millis(1_000 + before),
                false => office.clock.advance_millis(length - 1_000 - before),
            }
            office.clock.tick(1);
            let pending = office.engine.batches().convert(
                &session,
                Turns::default().give(),
                &batch(None, &tokens),
            );
            outcomes.push(
                pending
                    .map(|pending| drop(wait(pending).unwrap()))
                    .map_err(|refusal| refusal.reason()),
            );
        }
    }
    for outcome in [
        Ok(()),
        Err(Reason::GrantNotStarted),
        Err(Reason::GrantExpired),
    ] {
        assert!(outcomes.contains(&outcome), "{outcome:?} in {outcomes:?}");
    }
}

#[test]
fn a_slow_act_is_done_although_quick_ones_keep_coming() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let (engine, store) = (&office.engine, &office.store);
    let text = registry().replace("= \"10y\"", "= \"9y\"");
    let [first, last] = ["uni-research/steward-1", "uni-research/steward-2"];
    let governance = engine.governance();
    let proposed = governance.propose_registry(&caller(CUSTODIANS[0]), &text, false, None);
    let proposed = proposed.unwrap().proposal.unwrap();
    assert_eq!(sign(engine, first, &proposed), Ok(State::Open));
    std::thread::scope(|scope| {
        store.hold_reads(Family::Grants);
        let slow = scope.spawn(|| sign(engine, last, &proposed));
        while !slow.is_finished() {
            if store.reading() == 0 {
                std::thread::yield_now();
                continue;
            }
            // It has decided under a state, and reads the proposed text now.
            let quick = scope.spawn(|| {
                let terms = office.reidentify_terms();
                let requested = office
                    .engine
                    .governance()
                    .request_grant(&caller(SOURCE), terms);
                requested.map(drop).unwrap();
            });
            // Once the slow one keeps others waiting, the quick one comes after it.
            let patience = Instant::now() + Duration::from_millis(100);
            while !quick.is_finished() && Instant::now() < patience {
                std::thread::yield_now();
            }
            store.release_reads(Family::Grants);
            while store.reading() > 0 {
                std::thread::yield_now();
            }
            store.hold_reads(Family::Grants);
        }
        store.release_reads(Family::Grants);
        assert_eq!(slow.join().unwrap(), Ok(State::Effective));
    });
}

#[test]
fn a_proposal_that_ends_while_it_is_read_is_shown_as_it_ended() {
    let office = Office::open(FaultyStore::new(ModelStore::new()));
    let (engine, store) = (&office.engine, &office.store);
    let text = registry().replace("= \"10y\"", "= \"9y\"");
    let (governance, proposer) = (engine.governance(), caller(CUSTODIANS[0]));
    let proposed = governance.propose_registry(&proposer, &text, false, None);
    let proposal = proposed.unwrap().proposal.unwrap().record.proposal.clone();
    let steward = caller("uni-research/steward-1");
    std::thread::scope(|scope| {
        // It has seen that the proposal is open, and reads its text, which goes with the proposal.
        store.hold_next_read(Family::Grants);
        let reader = scope.spawn(|| engine.governance().get_proposal(&steward, &proposal.id));
        while store.reading() == 0 {
            std::thread::yield_now();
        }
        let signer = people::signer(CUSTODIANS[0]);
        let signature = signer.sign(Deed::RejectProposal, engine.origin(), &proposal.encode());
        let withdrawn = governance.reject_proposal(&proposer, &proposal.id, &signature.unwrap());
        store.release_reads(Family::Grants);
        assert_eq!(withdrawn.unwrap().state, State::Rejected);
        let (view, texts) = reader.join().unwrap().unwrap();
        assert_eq!((view.state, texts.is_none()), (State::Rejected, true));
    });
}

#[test]
fn requests_that_are_withdrawn_count_for_a_day() {
    let office = Office::open(ModelStore::new());
    let (hospital, bsn) = (caller(SOURCE), subjects(1));
    let signed = |deed, object: &[u8]| {
        people::signer(SOURCE)
            .sign(deed, office.engine.origin(), object)
            .unwrap()
    };
    let request_grant = || -> Result<Grant, Reason> {
        let view = office
            .engine
            .governance()
            .request_grant(&hospital, office.reidentify_terms())
            .map_err(|refusal| refusal.reason())?;
        Ok(view.record.grant.clone())
    };
    for _ in 0..500 {
        let grant = request_grant().unwrap();
        let signature = signed(Deed::RevokeGrant, &grant.encode());
        office
            .engine
            .governance()
            .revoke_grant(&hospital, &grant.id, &signature)
            .unwrap();
        let proposed = request_erasure(&office, &bsn[0]).unwrap();
        let proposal = &proposed.record.proposal;
        let signature = signed(Deed::RejectProposal, &proposal.encode());
        office
            .engine
            .governance()
            .reject_proposal(&hospital, &proposal.id, &signature)
            .unwrap();
    }
    let refused = || {
        (
            request_grant(),
            request_erasure(&office, &bsn[0])
                .map(drop)
                .map_err(|refused| refused.reason()),
        )
    };
    assert_eq!(
        refused(),
        (Err(Reason::TooManyGrants), Err(Reason::TooManyProposals))
    );
    let colleague = caller("hospital-north/doctor");
    let asked = office.engine.life().request_erasure(
        &colleague,
        &"nl.bsn".parse().unwrap(),
        bsn[0].as_bytes(),
    );
    assert!(asked.is_ok(), "nobody uses up what their colleagues may");
    office.clock.advance_hours(DAY);
    let (grant, proposal) = refused();
    assert!(grant.is_ok() && proposal.is_ok());
}

#[test]
fn promise_11_what_one_person_has_waiting_does_not_hold_up_their_colleagues() {
    let office = Office::open(ModelStore::new());
    let bsn = subjects(1).remove(0);
    let ask = |who: &str| {
        let asked = office.engine.life().request_erasure(
            &caller(who),
            &"nl.bsn".parse().unwrap(),
            bsn.as_bytes(),
        );
        asked.map(drop).map_err(|refusal| refusal.reason())
    };
    while ask(SOURCE).is_ok() {}
    assert_eq!(ask(SOURCE), Err(Reason::TooManyProposals));
    assert_eq!(ask("hospital-north/doctor"), Ok(()));
    let grant = |who: &str| {
        let asked = office
            .engine
            .governance()
            .request_grant(&caller(who), office.reidentify_terms());
        asked.map(drop).map_err(|refusal| refusal.reason())
    };
    while grant(SOURCE).is_ok() {}
    assert_eq!(grant(SOURCE), Err(Reason::TooManyGrants));
    assert_eq!(grant("hospital-north/doctor"), Ok(()));
}

#[test]
fn a_request_that_goes_stale_leaves_the_disk_too() {
    let office = Office::open(ModelStore::new());
    let bsns = subjects(2);
    let notes = || {
        let rows = office.store.scan(Family::Optout, b"c", 100).unwrap();
        rows.into_iter()
            .filter(|(key, _)| key.starts_with(&[b'c', Family::Optout as u8]))
            .count()
    };
    let first = request_erasure(&office, &bsns[0]).unwrap();
    assert_eq!(sign(&office.engine, OWNERS[0], &first), Ok(State::Open));
    let second = request_erasure(&office, &bsns[1]).unwrap();
    for member in OWNERS {
        sign(&office.engine, member, &second).unwrap();
    }
    office.clock.advance_hours(2 * DAY);
    office.engine.life().housekeep().unwrap();
    assert_eq!(notes(), 0, "done for the second");
    // Who signed first gives up the key: the first request comes to nothing.
    let key = |member: &str| people::public_key(member).to_string();
    people::apply(
        &office.engine,
        &registry().replace(&key(OWNERS[0]), &key("uni-research/spare")),
    )
    .unwrap();
    assert_eq!(
        sign(&office.engine, OWNERS[1], &first),
        Err(Reason::ProposalStale)
    );
    assert_eq!(notes(), 1);
    office.engine.life().housekeep().unwrap();
    assert_eq!(notes(), 0);
}
