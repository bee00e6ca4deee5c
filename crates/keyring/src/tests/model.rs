//! Random sequences of changes: after each, what is stored opens as what is in force, and the versions are those of a model
//! that knows nothing of keys.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sluis_port::Family;

use super::*;
use crate::{KeyState, VersionInfo};

#[derive(Clone, Debug)]
enum Step {
    NewLine(usize),
    NewElements(usize),
    Disable(prop::sample::Index),
    Destroy(prop::sample::Index),
    Cut(prop::sample::Index),
    DestroyChain(usize),
    RotateAuditKey,
    RotateKek(bool),
}

fn steps() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (0..2usize).prop_map(Step::NewLine),
        2 => (0..2usize).prop_map(Step::NewElements),
        4 => index().prop_map(Step::Disable),
        4 => index().prop_map(Step::Destroy),
        2 => index().prop_map(Step::Cut),
        1 => (0..2usize).prop_map(Step::DestroyChain),
        1 => Just(Step::RotateAuditKey),
        1 => any::<bool>().prop_map(Step::RotateKek),
    ]
}

/// State and escrow of each version, by kid.
type Model = BTreeMap<Kid, (KeyState, bool)>;

fn retire(model: &mut Model, versions: &[VersionInfo], next: &VersionInfo) {
    let same_line =
        |info: &&VersionInfo| info.chain == next.chain && info.namespace == next.namespace;
    for info in versions.iter().filter(same_line) {
        let known = model.get_mut(&info.kid).expect("known");
        if known.0 == KeyState::Active {
            known.0 = KeyState::ConvertOnly;
        }
    }
    model.insert(next.kid, (KeyState::Active, next.namespace.is_some()));
}

fn step(desk: &mut Desk, model: &mut Model, step: &Step, now: u64) {
    let versions = desk.keyring.versions();
    let pick =
        |index: &prop::sample::Index| (!versions.is_empty()).then(|| index.get(&versions).kid);
    let name = |at: &usize| chain(["a", "b"][*at]);
    match step {
        Step::NewLine(at) => {
            let made = desk.change(now, |change| {
                change.ensure_chain(&name(at));
                change.ensure_namespace(&namespace());
                change.new_line_version(&name(at), &namespace())
            });
            retire(model, &versions, &made);
        }
        Step::NewElements(at) => {
            let made = desk.change(now, |change| {
                change.ensure_chain(&name(at));
                change.new_element_version(&name(at))
            });
            retire(model, &versions, &made);
        }
        Step::Disable(index) => {
            let Some(kid) = pick(index) else { return };
            let done = desk.change(now, |change| change.disable(kid)).is_ok();
            let known = model.get_mut(&kid).expect("known");
            assert_eq!(done, known.0 == KeyState::ConvertOnly);
            if done {
                known.0 = KeyState::Disabled;
            }
        }
        Step::Destroy(index) => {
            let Some(kid) = pick(index) else { return };
            let done = desk.change(now, |change| change.destroy(kid)).is_ok();
            let known = model.get_mut(&kid).expect("known");
            assert_eq!(done, known.0 == KeyState::Disabled);
            if done {
                *known = (KeyState::Destroyed, false);
            }
        }
        Step::Cut(index) => {
            let Some(kid) = pick(index) else { return };
            let done = desk.change(now, |change| change.cut_escrow(kid)).is_ok();
            let known = model.get_mut(&kid).expect("known");
            assert_eq!(done, known.1);
            known.1 = false;
        }
        Step::DestroyChain(at) => {
            desk.change(now, |change| drop(change.destroy_chain(&name(at))));
            for info in versions.iter().filter(|info| info.chain == name(at)) {
                model.insert(info.kid, (KeyState::Destroyed, false));
            }
        }
        Step::RotateAuditKey => drop(desk.change(now, |change| change.rotate_audit_key())),
        Step::RotateKek(in_shares) => {
            let next = if *in_shares {
                Kek::split(2, 3).expect("splits").0
            } else {
                kek()
            };
            desk.change(now, |change| change.rotate_kek(&next));
            desk.kek = next;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_stored_opens_as_what_is_in_force(steps in prop::collection::vec(steps(), 1..40)) {
        let (mut desk, mut model) = (Desk::new(kek()), Model::new());
        for (now, next) in steps.iter().enumerate() {
            step(&mut desk, &mut model, next, 1001 + now as u64);
            let loaded = desk.reload();
            prop_assert_eq!(traces(&loaded), traces(&desk.keyring));
            prop_assert_eq!(&loaded.active, &desk.keyring.active);
            let seen: Model = loaded.versions().iter().map(|info| (info.kid, (info.state, info.escrow))).collect();
            prop_assert_eq!(&seen, &model);
            // Nothing is stored but what is in force.
            let rows = desk.store.rows().into_keys().filter(|(family, _)| *family == Family::Keyring as u8);
            let mut wanted: Vec<_> = desk.keyring.stored().into_iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key).collect();
            wanted.sort();
            prop_assert_eq!(rows.map(|(_, key)| key).collect::<Vec<_>>(), wanted);
        }
    }
}
