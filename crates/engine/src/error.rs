//! Why the engine cannot start.

use sluis_keyring::KeyringError;
use sluis_ledger::Wrong;
use sluis_ledger::registry::Problem;
use sluis_port::StoreError;

use sluis_tlog::OpenError;

use crate::Refusal;

/// Why the engine cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The keyring does not open.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A governance value is damaged.
    #[error("stored {0} cannot be read: damaged, or edited by hand")]
    Corrupt(&'static str),
    /// The log has a hole.
    #[error("audit entry {0} is missing: the log was cut or damaged")]
    EntryMissing(u64),
    /// The last entries are not those that were written.
    #[error(
        "the end of the audit log is not what was written: entries around number {0} were cut, changed, swapped or repeated on \
         the disk. Put the whole store back, or restore a backup"
    )]
    LogEnd(u64),
    /// An entry of the log cannot be read, is not signed as it should be, or breaks a rule.
    #[error(
        "the audit log is wrong from {0}. It was damaged, edited, or written by a program that is not this one"
    )]
    Wrong(#[from] Wrong),
    /// The log was begun under another trust domain.
    #[error(
        "the audit log is that of {origin}: `trust_domain` must stay what it was when the custodian was set up"
    )]
    TrustDomain {
        /// Origin of the log.
        origin: String,
    },
    /// The sealed state is not what the audit log says.
    #[error(
        "the store's sealed state is not what its audit log says ({0}): a part of it was put back as it once was, or the \
         log was edited. Put the whole store back, or restore a backup"
    )]
    Differs(String),
    /// The configuration names custodians whom no log may name.
    #[error(
        "the custodians of the configuration {0}: two of them sign, each with a key of their own"
    )]
    Custodians(&'static str),
    /// The custodians of the configuration could not be put on record.
    #[error("the custodians of the configuration cannot be put on record: {}: {}", .0, .0.detail())]
    Refused(Refusal),
    /// One key for a custodian and a steward.
    #[error(
        "a key of `custodians` is pinned for a steward as well: one person must not sign on both sides"
    )]
    SharedKey,
    /// The log and its last signed head do not fit.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The stored registry does not fit the configuration, for example because a custodian is a steward.
    #[error("the stored registry does not fit this configuration:{}", list(.0))]
    Registry(Vec<Problem>),
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  {problem}"))
        .collect()
}

/// Why a log is not accepted with its last signed head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// It is not a checkpoint of this log that one of its keys signed.
    #[error(
        "the signed head of the audit log cannot be believed: {0}; put the last head that was written (or a witness's copy of it) in its place"
    )]
    Open(#[from] OpenError),
    /// The log is shorter than its last signed head.
    #[error(
        "this store is older than the last signed head of its audit log: {log} < {head} entries; it was rolled back or \
         restored. Put the present store back; if it is lost, a backup comes into force with `sluisd restore`, two \
         custodians' signatures and `sluisd accept-restore`"
    )]
    Ahead {
        /// Entries of the head.
        head: u64,
        /// Entries in the store.
        log: u64,
    },
    /// The log has other entries than those the head was signed over.
    #[error(
        "the first {0} entries of this store's audit log are not those of its last signed head: the log was edited or \
         forked, or this is the store after a restore that was not accepted"
    )]
    Forked(u64),
}
