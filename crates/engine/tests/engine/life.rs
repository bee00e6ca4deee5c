//! The life of keys and subjects: destroyed and cut versions, retention, opt-out and erasure.

mod erasure;
mod kek;
mod keys;
mod lines;
mod replay;
mod retention;

pub(crate) use erasure::submitted;

use sluis_domain::{ChainId, Kid, Reason};
use sluis_engine::{Engine, KeyState, OVERDUE_ROUNDS, ProposalView, Refusal, VersionInfo};
use sluis_ledger::audit::Act;
use sluis_ledger::event::Entry;
use sluis_ledger::proposal::State;
use sluis_ledger::statement::Deed;
use sluis_port::{Family, Store};
use sluis_testkit::people::{self, signer};

use crate::office::{Office, batch, caller, custodian};

/// Stewards of both owners of the chains with BSNs.
pub(crate) const OWNERS: [&str; 2] = ["uni-research/steward-1", "registry-office/steward-a"];
pub(crate) const UNI: [&str; 2] = ["uni-research/steward-1", "uni-research/steward-2"];
pub(crate) const DAY: u64 = 24;

/// A steward's yes.
pub(crate) fn sign(
    engine: &Engine,
    member: &str,
    proposed: &ProposalView,
) -> Result<State, Reason> {
    let object = proposed.record.proposal.encode();
    let signature = signer(member)
        .sign(Deed::SignProposal, engine.origin(), &object)
        .unwrap();
    let signed = engine.governance().sign_proposal(
        &caller(member),
        &proposed.record.proposal.id,
        &signature,
    );
    signed
        .map(|view| view.state)
        .map_err(|refusal| refusal.reason())
}

/// Signed by all, and effective.
pub(crate) fn sign_all(engine: &Engine, members: &[&str], proposed: &ProposalView) {
    let states: Vec<_> = members
        .iter()
        .map(|member| sign(engine, member, proposed))
        .collect();
    assert_eq!(states.last(), Some(&Ok(State::Effective)), "{states:?}");
}

fn reason<T>(outcome: Result<T, Refusal>) -> Option<Reason> {
    outcome.err().map(|refusal| refusal.reason())
}

/// Versions of a chain's line, oldest first.
pub(crate) fn line(engine: &Engine, chain: &str, namespace: &str) -> Vec<VersionInfo> {
    let versions = engine
        .life()
        .status(&custodian())
        .unwrap()
        .versions
        .into_iter();
    let of_line = |v: &VersionInfo| {
        v.chain.as_str() == chain
            && v.namespace
                .as_ref()
                .is_some_and(|n| n.as_str() == namespace)
    };
    versions.filter(of_line).collect()
}

/// The chains that are destroyed once that was due in as many rounds on end as it takes, and not before.
fn destroyed(engine: &Engine) -> Vec<ChainId> {
    for _ in 1..OVERDUE_ROUNDS {
        assert_eq!(engine.life().housekeep().unwrap().destroyed, []);
    }
    engine.life().housekeep().unwrap().destroyed
}

/// Number of rows of a version.
pub(crate) fn rows(store: &impl Store, family: Family, kid: Kid) -> usize {
    let rows = store
        .scan(family, &kid.to_be_bytes(), 10_000)
        .unwrap()
        .into_iter();
    rows.take_while(|(key, _)| key.starts_with(&kid.to_be_bytes()))
        .count()
}

/// Entries of an act.
fn entries(store: &impl Store, act: Act) -> Vec<Entry> {
    let all = store
        .scan(Family::Audit, &[], 100_000)
        .unwrap()
        .into_iter()
        .map(|(_, bytes)| Entry::decode(&bytes).unwrap());
    all.filter(|entry| entry.event.act() == act).collect()
}

/// Why each row was refused under a grant: `None` for those that were converted.
pub(crate) fn refusals<S: Store + 'static>(
    office: &Office<S>,
    grant: &sluis_domain::GrantId,
    tokens: &[String],
) -> Vec<Option<Reason>> {
    let outcome = office.convert(grant, &batch(None, tokens)).unwrap();
    let mut refused = vec![None; tokens.len()];
    outcome
        .rejections
        .iter()
        .for_each(|r| refused[r.row as usize] = Some(r.reason));
    refused
}

/// Rotates a chain, and disables the version of its BSN line that was in use.
pub(crate) fn retire<S: Store + 'static>(office: &Office<S>, chain: &str) -> Kid {
    let old = line(&office.engine, chain, "nl.bsn").last().unwrap().kid;
    people::rotate(&office.engine, &chain.parse().unwrap(), None).unwrap();
    assert_eq!(
        people::disable(&office.engine, old).unwrap().state,
        KeyState::Disabled
    );
    old
}
