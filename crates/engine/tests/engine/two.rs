//! Two daemons over one store: whatever the one does, the other keeps to.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluis_domain::{GrantId, Reason};
use sluis_engine::{Engine, Refusal, Turns};
use sluis_ledger::grant::State;
use sluis_ledger::statement::Deed;
use sluis_port::store::{Family, Store};
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people::{self, signer};
use sluis_testkit::registry::registry;
use sluis_verify::Replay;

use crate::office::{Office, REGISTER, STUDY, batch, caller, convert_terms, custodian, wait};
use crate::subjects;

const STEPS: usize = 120;
const GRANTEE: &str = "registry-office/etl";
const STEWARDS: [&str; 2] = ["uni-research/steward-1", "registry-office/steward-a"];

/// A random number that is the same in every run of a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

/// What a grant is by the acts that succeeded, whichever engine did them.
#[derive(Default)]
struct Expected {
    approvals: Vec<&'static str>,
    ended: bool,
    used: u64,
}

impl Expected {
    fn is_live(&self) -> bool {
        self.approvals.len() == STEWARDS.len() && !self.ended
    }
}

const MAX_VALUES: u64 = 20;

struct Game {
    office: Office<ModelStore>,
    /// The office's own, and another one over the same store.
    engines: [Arc<Engine>; 2],
    grants: BTreeMap<GrantId, Expected>,
    /// Their ids in the order of the requests: the ids themselves are random.
    order: Vec<GrantId>,
    tokens: Vec<String>,
    /// Whether the registry in force lets the study be converted.
    recipients: bool,
    auditor: Replay,
}

impl Game {
    fn new() -> Self {
        let office = Office::open(ModelStore::new());
        let tokens = office.pseudonymise(STUDY, &subjects(3));
        let head = office.head();
        let other = office.reopened(office.store.clone(), &head.note).unwrap();
        let engines = [office.engine.clone(), Arc::new(other)];
        let auditor = Replay::new(office.engine.origin());
        Self {
            office,
            engines,
            grants: BTreeMap::new(),
            order: Vec::new(),
            tokens,
            recipients: true,
            auditor,
        }
    }

    /// One of the last grants.
    fn some_grant(&self, dice: &mut Dice) -> Option<GrantId> {
        let last = self.order.len().saturating_sub(3);
        let last = &self.order[last..];
        (!last.is_empty()).then(|| last[dice.below(last.len())].clone())
    }

    fn step(&mut self, dice: &mut Dice) {
        let engine = self.engines[dice.below(2)].clone();
        let act = dice.below(20);
        match (act, self.some_grant(dice)) {
            (0 | 1, _) | (_, None) => self.request(&engine),
            (2..=9, Some(id)) => self.approve(&engine, &id, STEWARDS[dice.below(2)]),
            (10, Some(id)) => self.revoke(&engine, &id),
            (11, _) if dice.below(2) == 0 => self.change_registry(&engine),
            (12, _) if dice.below(3) == 0 => self.pass_a_day(),
            (_, Some(id)) => self.convert(&engine, &id),
        }
        self.audit();
    }

    fn request(&mut self, engine: &Engine) {
        let not_after = sluis_port::Clock::now(&*self.office.clock).plus_millis(3_600_000);
        let terms = convert_terms(STUDY, REGISTER, MAX_VALUES, not_after);
        let requested = engine.governance().request_grant(&caller(GRANTEE), terms);
        assert_eq!(requested.is_ok(), self.recipients, "{:?}", requested.err());
        if let Ok(view) = requested {
            let id = view.record.grant.id.clone();
            self.order.push(id.clone());
            self.grants.insert(id, Expected::default());
        }
    }

    fn approve(&mut self, engine: &Engine, id: &GrantId, steward: &'static str) {
        let approved = people::approve(engine, steward, id);
        let grant = self.grants.get_mut(id).unwrap();
        let may = self.recipients && !grant.ended && !grant.approvals.contains(&steward);
        assert_eq!(approved.is_ok(), may, "{:?}", approved.err());
        if may {
            grant.approvals.push(steward);
        }
    }

    fn revoke(&mut self, engine: &Engine, id: &GrantId) {
        let steward = caller(STEWARDS[0]);
        let object = engine
            .governance()
            .get_grant(&steward, id)
            .map(|view| view.record.grant.encode());
        // An engine that did not look since the request may not know it yet.
        let Ok(object) = object else { return };
        let signature = signer(STEWARDS[0]).sign(Deed::RevokeGrant, engine.origin(), &object);
        let revoked = engine
            .governance()
            .revoke_grant(&steward, id, &signature.unwrap());
        let grant = self.grants.get_mut(id).unwrap();
        assert_eq!(revoked.is_ok(), !grant.ended, "{:?}", revoked.err());
        grant.ended = true;
    }

    /// The study takes its recipients away or gives them back. What was granted ends with them.
    fn change_registry(&mut self, engine: &Engine) {
        self.recipients = !self.recipients;
        let with = "recipients = [\"uni-research\", \"registry-office\"]";
        let text = match self.recipients {
            true => registry(),
            false => registry().replace(with, "recipients = [\"uni-research\"]"),
        };
        assert!(
            self.recipients || text != registry(),
            "the sample has {with}"
        );
        people::apply(engine, &text).unwrap();
        if !self.recipients {
            self.grants
                .values_mut()
                .for_each(|grant| grant.ended = true);
        }
    }

    /// Every grant is over, and those that were ended leave memory.
    fn pass_a_day(&mut self) {
        self.office.clock.advance_hours(25);
        for grant in self.grants.values_mut() {
            grant.ended = true;
        }
    }

    fn convert(&mut self, engine: &Engine, id: &GrantId) {
        let first = converted(engine, id, &self.tokens);
        // The other engine counted under it meanwhile: repeated, it is decided again.
        let again = |refusal: &Refusal| refusal.reason() == Reason::Conflict;
        let done = match first {
            Err(refusal) if again(&refusal) => converted(engine, id, &self.tokens),
            first => first,
        };
        let grant = self.grants.get_mut(id).unwrap();
        let values = self.tokens.len() as u64;
        let room = grant.used + values <= MAX_VALUES;
        let may = grant.is_live() && room;
        assert_eq!(done.is_ok(), may, "{id}: {:?}", done.err());
        if may {
            grant.used += values;
        }
    }

    /// The log verifies after every step, and says of every grant what the acts made of it.
    fn audit(&mut self) {
        let store = &self.office.store;
        let from = self.auditor.state().entries();
        let rows = store
            .scan(Family::Audit, &from.to_be_bytes(), usize::MAX)
            .unwrap();
        let engine = &self.office.engine;
        let mut texts = |version| {
            let text = engine
                .governance()
                .registry_text(&custodian(), Some(version));
            text.ok().map(|(_, text)| text)
        };
        for (number, (_, bytes)) in (from..).zip(rows) {
            self.auditor.push(number, &bytes, &mut texts).unwrap();
        }
        let now = sluis_port::Clock::now(&*self.office.clock);
        for (id, expected) in &self.grants {
            let said = self.auditor.state().grant(id).unwrap();
            assert_eq!(said.counter(), expected.used, "{id}");
            let state = said.state(now);
            let live = matches!(state, State::Approved | State::Exhausted);
            assert_eq!(live, expected.is_live(), "{id}: {state:?}");
        }
    }
}

fn converted(engine: &Engine, id: &GrantId, tokens: &[String]) -> Result<(), Refusal> {
    let session = engine.batches().open_convert(&caller(GRANTEE), id, false)?;
    let batch = batch(None, tokens);
    wait(
        engine
            .batches()
            .convert(&session, Turns::default().give(), &batch)?,
    )
    .map(drop)
}

#[test]
fn promise_3_two_engines_over_one_store_keep_to_what_the_other_did() {
    let mut used = 0;
    let mut ended = 0;
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let mut game = Game::new();
        for _ in 0..STEPS {
            game.step(&mut dice);
        }
        used += game.grants.values().filter(|grant| grant.used > 0).count();
        ended += game.grants.values().filter(|grant| grant.ended).count();
    }
    assert!(used > 3 && ended > 3, "{used} used, {ended} ended");
}

#[test]
fn promise_3_two_engines_at_once_leave_a_log_that_verifies() {
    let game = Game::new();
    let ids: Vec<_> = (0..4)
        .map(|_| game.office.grant(STUDY, REGISTER, 12))
        .collect();
    std::thread::scope(|scope| {
        for engine in &game.engines {
            for id in &ids {
                scope.spawn(|| {
                    for round in 0..8 {
                        drop(converted(engine, id, &game.tokens));
                        if round == 6 && *id == ids[0] {
                            let one = people::rotate(engine, &STUDY.parse().unwrap(), None);
                            drop(one);
                        }
                    }
                });
            }
        }
    });
    let mut game = game;
    game.audit();
    for id in &ids {
        let said = game.auditor.state().grant(id).unwrap().counter();
        assert!(said > 0 && said <= 12, "{id}: {said}");
    }
}
