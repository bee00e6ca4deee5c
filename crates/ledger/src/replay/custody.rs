//! Who runs the custodian, which keys sign its log, and restores.

use sluis_crypto::digest::sha256;
use sluis_domain::Reason;

use super::Place;
use crate::custodian::{self, Custodian};
use crate::event::{Header, Restored, Signature};
use crate::fault::{Fault, SignerFault};
use crate::opening::Opening;
use crate::signer::{Said, check, wrong};
use crate::state::State;
use crate::statement::Deed;

/// The configuration names other custodians.
pub(super) fn name_custodians(state: &mut State, custodians: &[Custodian]) -> Result<(), Fault> {
    check_custodians(state, custodians).map_err(Fault::Custodians)?;
    state.custodians = custodians.to_vec();
    state.custodian_lists += 1;
    Ok(())
}

/// Two signatures are two people, on one side only.
fn check_custodians(state: &State, custodians: &[Custodian]) -> Result<(), &'static str> {
    custodian::problem(custodians).map_or(Ok(()), Err)?;
    let stewards = custodians.iter().any(|custodian| {
        let who = &custodian.identity;
        let organisation = state.registry.organisation(&who.organisation);
        organisation.is_some_and(|of| of.is_steward(&who.member))
    });
    let shared = custodians.iter().any(|custodian| {
        let mut keys = state.registry.keys();
        keys.any(|(_, key)| custodian.key == *key)
    });
    if stewards {
        Err("are stewards")
    } else if shared {
        Err("have a steward's key")
    } else {
        Ok(())
    }
}

/// What a custodian does while the daemon is open. The daemon itself may close it.
pub(super) fn by_custodian(state: &State, header: &Header) -> Result<(), Fault> {
    let caller = header.caller.as_ref();
    if caller.is_none_or(|caller| state.is_custodian(&caller.identity)) {
        Ok(())
    } else {
        Err(Fault::NotAllowed(Reason::NotACustodian))
    }
}

/// A share was presented, or the keyring opened. No one presents a share without being on record.
pub(super) fn unseal(header: &Header, opening: &Opening) -> Result<(), Fault> {
    if header.caller.is_some() || opening.may_be_automatic() {
        Ok(())
    } else {
        Err(Fault::Field("caller"))
    }
}

/// The log goes on from an older copy: two custodians said so, and whatever grant or proposal was open ended.
pub(super) fn accept_restore(
    state: &mut State,
    place: &Place<'_>,
    header: &Header,
    restored: &Restored,
) -> Result<(), Fault> {
    let restore = &restored.restore;
    if (place.root_at)(restore.restored_size) != Some(restore.restored_root) {
        return Err(Fault::Restore);
    }
    // Its request saw the log with every restore before.
    let last = state.last_restore;
    if last.is_some_and(|(last, _)| restore.restored_size <= last) {
        return Err(Fault::RestoreAgain);
    }
    if !restore.is_timely(header.at) {
        return Err(Fault::RestoreAge);
    }
    let [first, second] = &restored.signatures;
    if first.signer == second.signer {
        return Err(wrong(&second.signer, SignerFault::Twice));
    }
    let object = restore.encode();
    let said = Said {
        deed: Deed::AcceptRestore,
        origin: &state.origin,
        object: &object,
    };
    for Signature { signer, signed } in &restored.signatures {
        let custodian = state
            .custodians
            .iter()
            .find(|custodian| custodian.identity == *signer);
        let key = &custodian
            .ok_or_else(|| wrong(signer, SignerFault::NotEntitled))?
            .key;
        check(&said, header.at, (signer, signed), Some(key))?;
    }
    let ended: Vec<_> = state
        .grants()
        .filter_map(|grant| grant.record.end_by_restore(&first.signer, header.at))
        .collect();
    for record in ended {
        state.put_grant(record);
    }
    let stale: Vec<_> = state
        .proposals()
        .filter_map(|record| record.end_as_stale(&first.signer, header.at))
        .collect();
    for record in stale {
        state.put_proposal(record);
    }
    state.restores += 1;
    state.last_restore = Some((state.entries, sha256(&object)));
    state.signatures += 2;
    Ok(())
}
