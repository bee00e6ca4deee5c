//! Who runs the custodian, which keys sign its log, and restores.

use std::sync::Arc;

use sluis_crypto::digest::sha256;
use sluis_domain::codec::DecodeError;
use sluis_domain::{Identity, Reason};

use super::Place;
use crate::audit::Entry;
use crate::custodian::{self, Custodian};
use crate::fault::{Fault, SignerFault};
use crate::opening::Opening;
use crate::restore::Restore;
use crate::signer::{Said, check, wrong};
use crate::state::State;
use crate::statement::Deed;

/// The configuration names other custodians.
pub(super) fn name_custodians(state: &mut State, entry: &Entry) -> Result<(), Fault> {
    let detail = |_: DecodeError| Fault::Detail(entry.act.as_str());
    let custodians = custodian::decode(&entry.detail).map_err(detail)?;
    if custodian::encode(&custodians) != entry.detail {
        return Err(Fault::Detail(entry.act.as_str()));
    }
    check_custodians(state, &custodians).map_err(Fault::Custodians)?;
    state.custodians = custodians;
    state.custodian_lists += 1;
    Ok(())
}

/// Two signatures are two people, on one side only.
fn check_custodians(state: &State, custodians: &[Custodian]) -> Result<(), &'static str> {
    custodian::problem(custodians).map_or(Ok(()), Err)?;
    let steward = |custodian: &Custodian| {
        let who = &custodian.identity;
        let organisation = state.registry.organisation(&who.organisation);
        organisation.is_some_and(|of| of.is_steward(&who.member))
    };
    let shared = |custodian: &Custodian| {
        let mut keys = state.registry.keys();
        keys.any(|(_, key)| custodian.key == *key)
    };
    if custodians.iter().any(steward) {
        Err("are stewards")
    } else if custodians.iter().any(shared) {
        Err("have a steward's key")
    } else {
        Ok(())
    }
}

/// What a custodian does while the daemon is open. The daemon itself may close it.
pub(super) fn by_custodian(state: &State, entry: &Entry) -> Result<(), Fault> {
    let custodian = |who: &Identity| state.is_custodian(who);
    if entry.actor.as_ref().is_none_or(custodian) {
        Ok(())
    } else {
        Err(Fault::NotAllowed(Reason::NotACustodian))
    }
}

/// A share was presented, or the keyring opened. Nobody presents a share without being on record.
pub(super) fn unseal(entry: &Entry) -> Result<(), Fault> {
    let opening = Opening::decode(&entry.detail).map_err(|_| Fault::Detail(entry.act.as_str()))?;
    if entry.actor.is_some() || opening.may_be_automatic() {
        Ok(())
    } else {
        Err(Fault::Field("caller"))
    }
}

/// The log goes on from an older copy: two custodians said so, and whatever grant or proposal was open ended.
pub(super) fn accept_restore(
    state: &mut State,
    place: &Place<'_>,
    entry: &Entry,
) -> Result<(), Fault> {
    let restore = Restore::decode(&entry.detail).map_err(|_| Fault::Detail(entry.act.as_str()))?;
    if (place.root_at)(restore.restored_size) != Some(restore.restored_root) {
        return Err(Fault::Restore);
    }
    // Its request saw the log with every restore before.
    let again = |(last, _): (u64, _)| restore.restored_size <= last;
    if state.last_restore.is_some_and(again) {
        return Err(Fault::RestoreAgain);
    }
    if !restore.is_timely(entry.at) {
        return Err(Fault::RestoreAge);
    }
    let [first, second] = entry.signatures.as_slice() else {
        return Err(Fault::Signatures {
            expected: 2,
            found: entry.signatures.len(),
        });
    };
    if first.0 == second.0 {
        return Err(wrong(&second.0, SignerFault::Twice));
    }
    let said = Said {
        deed: Deed::AcceptRestore,
        origin: &state.origin,
        object: &entry.detail,
    };
    for (signer, signed) in [first, second] {
        let custodian = state
            .custodians
            .iter()
            .find(|custodian| custodian.identity == *signer);
        let key = &custodian
            .ok_or_else(|| wrong(signer, SignerFault::NotEntitled))?
            .key;
        check(&said, entry.at, (signer, signed), Some(key))?;
    }
    for grant in state.grants.values_mut() {
        if let Some(ended) = grant.record.end_by_restore(&first.0, entry.at) {
            grant.record = Arc::new(ended);
        }
    }
    for record in state.proposals.values_mut() {
        if let Some(stale) = record.end_as_stale(&first.0, entry.at) {
            *record = Arc::new(stale);
        }
    }
    state.restores += 1;
    state.last_restore = Some((state.entries, sha256(&entry.detail)));
    state.signatures += 2;
    Ok(())
}
