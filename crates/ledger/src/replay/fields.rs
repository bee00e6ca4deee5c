//! Which fields an entry has: of an act that was done the row of one table says it, of one that was refused one rule.
//!
//! Whatever is not in the row is empty or zero, so nothing can hide in a field that nobody looks at.

use std::collections::BTreeSet;

use crate::audit::{Act, Entry, Outcome};
use crate::fault::{Fault, VersionFault};
use crate::state::State;

/// Whether a field is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Has {
    No,
    May,
    Must,
}

use Has::{May, Must, No};

/// What an entry counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    Nothing,
    /// Rows, values and rejected rows of a batch, and the values of each key use.
    Batch,
    /// Subjects, as values.
    Subjects,
}

/// The fields of an act that was done.
struct Fields {
    caller: Has,
    chain: Has,
    to_chain: Has,
    /// Id, digest and purpose.
    grant: Has,
    object: Has,
    keys: Has,
    counts: Counts,
    counter: Has,
    detail: Has,
    signatures: usize,
}

const NOTHING: Fields = Fields {
    caller: No,
    chain: No,
    to_chain: No,
    grant: No,
    object: No,
    keys: No,
    counts: Counts::Nothing,
    counter: No,
    detail: No,
    signatures: 0,
};

/// What a caller does, and nothing else is known of yet.
const CALLED: Fields = Fields {
    caller: Must,
    ..NOTHING
};

const BATCH: Fields = Fields {
    chain: Must,
    keys: May,
    counts: Counts::Batch,
    ..CALLED
};

const GRANT_STEP: Fields = Fields {
    chain: Must,
    to_chain: May,
    grant: Must,
    signatures: 1,
    ..CALLED
};

const ON_PROPOSAL: Fields = Fields {
    chain: May,
    object: Must,
    detail: Must,
    ..CALLED
};

const INSTRUCTED: Fields = Fields {
    chain: Must,
    keys: Must,
    detail: Must,
    signatures: 1,
    ..CALLED
};

/// The row of an act; `None` for those that are on record only when they were refused.
fn of(act: Act) -> Option<Fields> {
    Some(match act {
        Act::Pseudonymise | Act::Import => BATCH,
        Act::Convert => Fields {
            to_chain: Must,
            grant: Must,
            keys: Must,
            counter: May,
            ..BATCH
        },
        Act::Reidentify => Fields {
            grant: Must,
            counter: May,
            ..BATCH
        },
        Act::RequestGrant => Fields {
            detail: Must,
            signatures: 0,
            ..GRANT_STEP
        },
        Act::ApproveGrant | Act::DenyGrant | Act::RevokeGrant => GRANT_STEP,
        Act::Propose => ON_PROPOSAL,
        Act::SignProposal | Act::RejectProposal => Fields {
            signatures: 1,
            ..ON_PROPOSAL
        },
        Act::ExpireProposal => Fields {
            caller: No,
            ..ON_PROPOSAL
        },
        Act::ApplyRegistry => Fields {
            chain: No,
            keys: May,
            ..ON_PROPOSAL
        },
        Act::DestroyVersion | Act::CutEscrow => Fields {
            chain: Must,
            keys: Must,
            ..ON_PROPOSAL
        },
        Act::OptOut => Fields {
            chain: No,
            ..ON_PROPOSAL
        },
        Act::RotateChain | Act::DisableVersion => INSTRUCTED,
        Act::RotateAuditKey => Fields {
            chain: No,
            keys: No,
            ..INSTRUCTED
        },
        Act::CreateBackup => CALLED,
        Act::Initialise | Act::Custodians => Fields {
            detail: Must,
            ..NOTHING
        },
        Act::Unseal => Fields {
            caller: May,
            detail: Must,
            ..NOTHING
        },
        Act::Seal => Fields {
            caller: May,
            ..NOTHING
        },
        Act::RotateKek => NOTHING,
        Act::AcceptRestore => Fields {
            detail: Must,
            signatures: 2,
            ..NOTHING
        },
        Act::WarnRetention => Fields {
            chain: Must,
            ..NOTHING
        },
        Act::ExpireChain => Fields {
            chain: Must,
            keys: May,
            ..NOTHING
        },
        Act::EraseSubjects => Fields {
            chain: Must,
            keys: May,
            counts: Counts::Subjects,
            ..NOTHING
        },
        Act::ReadGrants
        | Act::ReadRegistry
        | Act::ReadStatus
        | Act::ReadAudit
        | Act::Admit
        | Act::ReadProposals
        | Act::ReadHead => return None,
    })
}

/// Whether somebody can be refused this: everything but what the daemon does by itself and what signatures bring about.
fn can_be_refused(act: Act) -> bool {
    !matches!(
        act,
        Act::Initialise
            | Act::Custodians
            | Act::ApplyRegistry
            | Act::RotateKek
            | Act::AcceptRestore
            | Act::DestroyVersion
            | Act::CutEscrow
            | Act::OptOut
            | Act::WarnRetention
            | Act::ExpireChain
            | Act::EraseSubjects
            | Act::ExpireProposal
    )
}

/// Checks that an entry has the fields of its act and no others.
pub(super) fn check(state: &State, entry: &Entry) -> Result<(), Fault> {
    // Nobody has a certificate whose digest is zero.
    if entry.actor.is_some() != (entry.fingerprint != [0; 32]) {
        return Err(Fault::Certificate);
    }
    match entry.outcome {
        Outcome::Done => check_done(entry, &of(entry.act).ok_or(Fault::NeverDone)?),
        Outcome::Refused(_) => check_refused(state, entry),
    }
}

fn check_done(entry: &Entry, fields: &Fields) -> Result<(), Fault> {
    one("caller", fields.caller, entry.actor.is_some())?;
    one("chain", fields.chain, entry.chain.is_some())?;
    one("to-chain", fields.to_chain, entry.to_chain.is_some())?;
    one("grant", fields.grant, entry.grant.is_some())?;
    one("grant digest", fields.grant, entry.grant_digest.is_some())?;
    one("purpose", fields.grant, !entry.purpose.is_empty())?;
    one(
        "object digest",
        fields.object,
        entry.object_digest.is_some(),
    )?;
    one("key use", fields.keys, !entry.keys.is_empty())?;
    one("counter", fields.counter, entry.counter != 0)?;
    one("detail", fields.detail, !entry.detail.is_empty())?;
    if entry.signatures.len() != fields.signatures {
        return Err(Fault::Signatures {
            expected: fields.signatures,
            found: entry.signatures.len(),
        });
    }
    check_counts(entry, fields.counts)
}

fn one(name: &'static str, has: Has, there: bool) -> Result<(), Fault> {
    match (has, there) {
        (Must, false) => Err(Fault::Lacks(name)),
        (No, true) => Err(Fault::Surplus(name)),
        _ => Ok(()),
    }
}

fn check_counts(entry: &Entry, counts: Counts) -> Result<(), Fault> {
    let mut kids = BTreeSet::new();
    if let Some(twice) = entry.keys.iter().find(|used| !kids.insert(used.kid)) {
        return Err(Fault::Version {
            kid: twice.kid,
            fault: VersionFault::Twice,
        });
    }
    let batch = counts == Counts::Batch;
    if !batch && entry.keys.iter().any(|used| used.values > 0) {
        return Err(Fault::Surplus("number of values of a key use"));
    }
    if !batch && (entry.rows, entry.rejected) != (0, 0) {
        return Err(Fault::Surplus("number of rows"));
    }
    match counts {
        Counts::Nothing if entry.values > 0 => Err(Fault::Surplus("number of values")),
        Counts::Subjects if entry.values == 0 => Err(Fault::Lacks("number of subjects")),
        _ => Ok(()),
    }
}

/// A refusal says who was refused what, and why; beside that at most a chain, a grant or a proposal that exists.
fn check_refused(state: &State, entry: &Entry) -> Result<(), Fault> {
    if !can_be_refused(entry.act) {
        return Err(Fault::NeverRefused);
    }
    one("caller", Must, entry.actor.is_some())?;
    one("key use", No, !entry.keys.is_empty())?;
    one("counter", No, entry.counter != 0)?;
    one("detail", No, !entry.detail.is_empty())?;
    if (entry.rows, entry.values, entry.rejected) != (0, 0, 0) {
        return Err(Fault::Surplus("number of rows or values"));
    }
    if !entry.signatures.is_empty() {
        return Err(Fault::Signatures {
            expected: 0,
            found: entry.signatures.len(),
        });
    }
    if entry.chain.as_ref().is_some_and(|id| !state.had_chain(id)) {
        return Err(Fault::Field("chain"));
    }
    check_refused_grant(state, entry)?;
    match (entry.act, entry.object_digest) {
        // The text of the registry that was not proposed.
        (Act::Propose, _) | (_, None) => Ok(()),
        (Act::SignProposal | Act::RejectProposal | Act::ReadProposals, Some(digest)) => {
            if state.proposal_digests.contains(&digest) {
                Ok(())
            } else {
                Err(Fault::UnknownProposal)
            }
        }
        _ => Err(Fault::Surplus("object digest")),
    }
}

/// A refusal that names a grant says of it what is so. Its chain is left out if no registry has it any more.
fn check_refused_grant(state: &State, entry: &Entry) -> Result<(), Fault> {
    let Some(id) = &entry.grant else {
        one("to-chain", No, entry.to_chain.is_some())?;
        one("grant digest", No, entry.grant_digest.is_some())?;
        return one("purpose", No, !entry.purpose.is_empty());
    };
    let known = state.grants.get(id).ok_or(Fault::UnknownGrant)?;
    let grant = &known.record.grant;
    let (chain, to_chain) = grant.chains();
    if entry.grant_digest != Some(known.digest) {
        return Err(Fault::Digest);
    }
    if entry.chain.as_ref().is_some_and(|named| named != chain)
        || entry.to_chain.as_ref() != to_chain
    {
        return Err(Fault::Field("chain"));
    }
    if entry.purpose == grant.terms.purpose {
        Ok(())
    } else {
        Err(Fault::Field("purpose"))
    }
}
