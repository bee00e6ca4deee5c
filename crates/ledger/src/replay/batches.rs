//! The key uses of batches: which versions each kind of batch can name, and how many values of them.

use sluis_domain::{ChainId, Kid, NamespaceId, Reason};

use super::caller;
use super::keys::{self, check_not_destroyed, check_once, wrong};
use super::party::check_party;
use crate::audit::Act;
use crate::event::{Granted, Header, KeyUse, Submitted};
use crate::fault::{Fault, VersionFault};
use crate::grant::{Grant, Kind};
use crate::registry::{Chain, Treatment};
use crate::state::{State, VersionState};

/// A batch of a source: pseudonymised, or imported.
pub(super) fn submit(
    state: &State,
    header: &Header,
    act: Act,
    batch: &Submitted,
) -> Result<(), Fault> {
    let source = caller(header)?;
    check_uses(&batch.keys)?;
    let chain = state.registry.chain(&batch.chain);
    let chain = chain.ok_or(Fault::Field("chain"))?;
    check_party(state, source)?;
    if !chain.is_source(&source.organisation) {
        return Err(Fault::NotAllowed(Reason::NotASource));
    }
    check_not_destroyed(state, chain.id())?;
    for used in &batch.keys {
        used_in(state, act, used, chain.id())?;
        if !has_element(chain, used.namespace.as_ref()) {
            return Err(wrong(used.kid, VersionFault::NoElement));
        }
    }
    // Someone's old pseudonym is kept beside their new one.
    let pseudonyms = batch.keys.iter().any(|used| used.namespace.is_some());
    if act == Act::Import && !pseudonyms {
        return Err(Fault::Lacks("key use"));
    }
    let accepted = batch.rows.checked_sub(batch.rejected);
    let accepted = accepted.ok_or(Fault::Counts("rows and rejected rows"))?;
    if batch.values > product(accepted, chain.elements().len()) {
        return Err(Fault::Counts("rows and values"));
    }
    let with_keys = sum(batch.keys.iter());
    if with_keys == batch.values || (with_keys < batch.values && needs_no_key(chain)) {
        Ok(())
    } else {
        Err(Fault::Counts("values and key uses"))
    }
}

/// Whether elements of the chain are of this namespace, or encrypted.
fn has_element(chain: &Chain, namespace: Option<&NamespaceId>) -> bool {
    let mut elements = chain.elements().iter();
    elements.any(|element| match element.treatment() {
        Treatment::Encrypt => namespace.is_none(),
        treatment => namespace.is_some() && treatment.namespace() == namespace,
    })
}

/// Whether the chain has elements that are treated without a key version.
fn needs_no_key(chain: &Chain) -> bool {
    let mut elements = chain.elements().iter();
    elements.any(|element| {
        matches!(
            element.treatment(),
            Treatment::DateShift { .. } | Treatment::Generalise(_)
        )
    })
}

/// A batch of conversion: versions of the chain converted from, whose tokens were read, and the one of the chain converted to
/// that the new ones were made with, which is always named. What was not made was rejected.
pub(super) fn convert(state: &State, batch: &Granted, grant: &Grant) -> Result<(), Fault> {
    let Kind::Convert { from, to, .. } = &grant.terms.kind else {
        return Err(Fault::NotAllowed(Reason::GrantKind));
    };
    check_not_destroyed(state, &to.0)?;
    check_uses(&batch.keys)?;
    check_rows(batch, 1)?;
    let made = batch.values.checked_sub(batch.rejected);
    let made = made.ok_or(Fault::Counts("values and rejected rows"))?;
    let (mut target, mut cut): (Option<&KeyUse>, Option<Kid>) = (None, None);
    for used in &batch.keys {
        check_granted(grant, used)?;
        let of_target = used.chain == to.0;
        if of_target && from.0 != to.0 && target.is_some() {
            return Err(wrong(used.kid, VersionFault::OtherLine));
        }
        let chain = if of_target { &to.0 } else { &from.0 };
        let version = used_in(state, Act::Convert, used, chain)?;
        // Pseudonyms are made as before with one that had its escrow cut, and nothing leads from them.
        if version.cut && (!of_target || cut.is_some()) {
            return Err(wrong(used.kid, VersionFault::Cut));
        }
        cut = cut.or(version.cut.then_some(used.kid));
        target = target.or(of_target.then_some(used));
    }
    let target = target.ok_or(Fault::Lacks("key use of the chain converted to"))?;
    let all = sum(batch.keys.iter());
    let fits = if from.0 == to.0 {
        // One version may have been both read and made with.
        (product(made, 2)..=made.saturating_add(batch.values)).contains(&all)
    } else {
        target.values == made && (made..=batch.values).contains(&(all - made))
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::Counts("values and key uses"))
    }
}

/// A batch of re-identification: versions of the chain, of what the grant is about. A value that no version was used for was
/// rejected, with its row.
pub(super) fn reidentify(state: &State, batch: &Granted, grant: &Grant) -> Result<(), Fault> {
    let Kind::Reidentify { chain, elements } = &grant.terms.kind else {
        return Err(Fault::NotAllowed(Reason::GrantKind));
    };
    check_uses(&batch.keys)?;
    check_rows(batch, elements.len())?;
    for used in &batch.keys {
        check_granted(grant, used)?;
        used_in(state, Act::Reidentify, used, chain)?;
    }
    let used = sum(batch.keys.iter());
    let most = used.saturating_add(product(batch.rejected, elements.len()));
    if (used..=most).contains(&batch.values) {
        Ok(())
    } else {
        Err(Fault::Counts("values and key uses"))
    }
}

/// What a version of this chain is after an act that uses it.
fn used_in(state: &State, act: Act, used: &KeyUse, chain: &ChainId) -> Result<VersionState, Fault> {
    if used.chain != *chain {
        return Err(wrong(used.kid, VersionFault::OtherLine));
    }
    keys::used(state, act, (chain, used.namespace.as_ref()), used.kid)
}

fn check_uses(keys: &[KeyUse]) -> Result<(), Fault> {
    check_once(keys.iter().map(|used| used.kid))
}

fn check_granted(grant: &Grant, used: &KeyUse) -> Result<(), Fault> {
    if grant.namespaces.contains(&used.namespace) {
        Ok(())
    } else {
        Err(wrong(used.kid, VersionFault::NotGranted))
    }
}

/// Rows of so many columns have so many values at most.
fn check_rows(batch: &Granted, columns: usize) -> Result<(), Fault> {
    if batch.rejected > batch.rows {
        return Err(Fault::Counts("rows and rejected rows"));
    }
    if batch.values > product(batch.rows, columns) {
        return Err(Fault::Counts("rows and values"));
    }
    Ok(())
}

fn sum<'a>(uses: impl Iterator<Item = &'a KeyUse>) -> u64 {
    uses.fold(0, |sum, used| sum.saturating_add(used.values))
}

fn product(rows: u64, columns: usize) -> u64 {
    rows.saturating_mul(u64::try_from(columns).unwrap_or(u64::MAX))
}
