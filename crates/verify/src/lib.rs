//! Checks an audit log without trusting whoever kept it.
//!
//! | module | what |
//! |---|---|
//! | [`replay`] | goes through the entries and rebuilds what they say: grants, approvals, counters, proposals, registry |
//! | [`state`] | what came out of that |
//! | [`export`] | checks a directory made by `sluis audit export`: files, tree, signatures, then the entries |
//! | [`witness`] | compares a head with the last one that was seen |
//! | [`fault`] | what can be wrong |
//!
//! Pure: no files, no network, no clock, no keys. `docs/audit-log.md` says the same for outsiders.

pub mod export;
pub mod fault;
pub mod replay;
pub mod state;
pub mod witness;

mod signer;
mod told;

#[cfg(test)]
mod tests;

pub use export::{Checked, Files, Problem, verify};
pub use fault::{Fault, SignerFault, VersionFault, Wrong};
pub use replay::{MAX_BEFORE_RESTORE, Registries, Replay, Unread};
pub use state::{GrantState, Stage, State, VersionState};
pub use told::{SetBack, StoodStill};
pub use witness::{Alarm, Head, Seen};
