//! Random operations against a small model. The invariant: a token is a function of the subject and of the key
//! version that made it, whichever way the subject came there, and no two subjects share one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sluis_domain::{GrantId, Kid, Reason};
use sluis_engine::{KeyState, VersionInfo};
use sluis_testkit::identifiers::bsns;
use sluis_testkit::model_store::ModelStore;
use sluis_testkit::people;
use sluis_testkit::registry::registry;

use crate::office::{Office, REGISTER, STUDY, batch, custodian, texts};

const CHAINS: [&str; 2] = [STUDY, REGISTER];
const MAX_VALUES: u64 = 60;

#[derive(Clone, Debug)]
enum Step {
    /// Identifiers of these subjects into a chain.
    Pseudonymise(usize, Vec<usize>),
    /// Tokens seen before (by position) out of a chain, under its grant.
    Convert(usize, Vec<usize>),
    Rotate(usize),
    /// The oldest version of a chain that is convert-only.
    Disable(usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = || proptest::collection::vec(0usize..1000, 1..5);
    let step = prop_oneof![
        4 => (0usize..2, some()).prop_map(|(chain, subjects)| Step::Pseudonymise(chain, subjects)),
        6 => (0usize..2, some()).prop_map(|(chain, tokens)| Step::Convert(chain, tokens)),
        2 => (0usize..2).prop_map(Step::Rotate),
        1 => (0usize..2).prop_map(Step::Disable),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..40)
}

/// What must be true of the engine.
struct Model {
    office: Office<ModelStore>,
    /// Out of each chain, into the other.
    grants: [GrantId; 2],
    used: [u64; 2],
    subjects: Vec<String>,
    /// Token -> (subject, version).
    known: BTreeMap<String, (usize, Kid)>,
    /// (subject, version) -> token.
    tokens: BTreeMap<(usize, Kid), String>,
}

impl Model {
    /// With these link modes.
    fn new(modes: [&str; 2]) -> Self {
        let office = Office::open(ModelStore::new());
        let text = registry().replacen("reversible = true", "reversible = false", 1);
        let text = modes.iter().fold(text, |text, mode| {
            text.replacen("link = \"escrow\"", &format!("link = \"{mode}-\""), 1)
        });
        people::apply(&office.engine, &text.replace("-\"", "\"")).unwrap();
        let grants = [
            office.grant(STUDY, REGISTER, MAX_VALUES),
            office.grant(REGISTER, STUDY, MAX_VALUES),
        ];
        let subjects = bsns().take(4).collect();
        Self {
            office,
            grants,
            used: [0; 2],
            subjects,
            known: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }

    fn versions(&self, chain: usize) -> Vec<VersionInfo> {
        let all = self
            .office
            .engine
            .life()
            .status(&custodian())
            .unwrap()
            .versions;
        let of_line = |info: &VersionInfo| {
            info.chain.as_str() == CHAINS[chain]
                && info
                    .namespace
                    .as_ref()
                    .is_some_and(|n| n.as_str() == "nl.bsn")
        };
        all.into_iter().filter(of_line).collect()
    }

    fn in_state(&self, chain: usize, state: KeyState) -> Vec<Kid> {
        self.versions(chain)
            .iter()
            .filter(|info| info.state == state)
            .map(|info| info.kid)
            .collect()
    }

    fn active(&self, chain: usize) -> Kid {
        let active = self.in_state(chain, KeyState::Active);
        assert_eq!(active.len(), 1, "one version of a line is active");
        active[0]
    }

    /// The invariant, at every token that comes out.
    fn see(&mut self, subject: usize, version: Kid, token: String) {
        let first = self
            .tokens
            .entry((subject, version))
            .or_insert_with(|| token.clone());
        assert_eq!(*first, token, "same subject, same version, same token");
        let owner = *self.known.entry(token).or_insert((subject, version));
        assert_eq!(owner, (subject, version), "no token has two meanings");
    }

    fn pseudonymise(&mut self, chain: usize, subjects: &[usize]) {
        let subjects: Vec<_> = subjects
            .iter()
            .map(|pick| pick % self.subjects.len())
            .collect();
        let identifiers: Vec<_> = subjects
            .iter()
            .map(|subject| self.subjects[*subject].clone())
            .collect();
        let tokens = self.office.pseudonymise(CHAINS[chain], &identifiers);
        let version = self.active(chain);
        subjects
            .into_iter()
            .zip(tokens)
            .for_each(|(subject, token)| self.see(subject, version, token));
    }

    fn convert(&mut self, from: usize, picks: &[usize]) {
        let all: Vec<_> = self
            .known
            .iter()
            .map(|(token, meaning)| (token.clone(), *meaning))
            .collect();
        if all.is_empty() {
            return;
        }
        let picked: Vec<_> = picks
            .iter()
            .map(|pick| all[pick % all.len()].clone())
            .collect();
        let tokens: Vec<_> = picked.iter().map(|(token, _)| token.clone()).collect();
        let outcome = self
            .office
            .convert(&self.grants[from], &batch(None, &tokens));
        if self.used[from] + tokens.len() as u64 > MAX_VALUES {
            assert_eq!(outcome.unwrap_err().reason(), Reason::GrantExhausted);
            return;
        }
        self.used[from] += tokens.len() as u64;
        let outcome = outcome.unwrap();
        let version = self.active(1 - from);
        let (ours, disabled) = (self.versions(from), self.in_state(from, KeyState::Disabled));
        let rejected: BTreeMap<_, _> = outcome
            .rejections
            .iter()
            .map(|r| (r.row as usize, r.reason))
            .collect();
        for (row, ((_, (subject, made_by)), output)) in
            picked.into_iter().zip(texts(&outcome)).enumerate()
        {
            let expected = match () {
                () if disabled.contains(&made_by) => Some(Reason::VersionDisabled),
                () if ours.iter().all(|info| info.kid != made_by) => Some(Reason::UnknownPseudonym),
                () => None,
            };
            assert_eq!(rejected.get(&row).copied(), expected);
            assert_eq!(output.is_empty(), expected.is_some());
            if expected.is_none() {
                self.see(subject, version, output);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Pseudonymise(chain, subjects) => self.pseudonymise(*chain, subjects),
            Step::Convert(from, tokens) => self.convert(*from, tokens),
            Step::Rotate(chain) => {
                let chain = CHAINS[*chain].parse().unwrap();
                drop(people::rotate(&self.office.engine, &chain, None).unwrap());
            }
            Step::Disable(chain) => {
                if let Some(kid) = self.in_state(*chain, KeyState::ConvertOnly).first() {
                    drop(people::disable(&self.office.engine, *kid).unwrap());
                }
            }
            Step::Restart => self.office.reopen(),
        }
        for (grant, used) in self.grants.iter().zip(self.used) {
            assert_eq!(self.office.used(grant), used);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_functions_of_subject_and_version(
        steps in steps(),
        modes in proptest::sample::select(vec![
            ["escrow", "escrow"],
            ["carried", "carried"],
            ["escrow", "carried"],
            ["carried", "escrow"],
        ]),
    ) {
        let mut model = Model::new(modes);
        steps.iter().for_each(|step| model.step(step));
    }
}
