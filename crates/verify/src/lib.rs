//! Checks an audit log without trusting the one who kept it. The rules are in `sluis-ledger`.
//!
//! | module | what |
//! |---|---|
//! | [`replay`] | applies the ledger's rules entry by entry, and grows the tree beside it |
//! | [`export`] | checks a directory made by `sluis audit export`: files, tree, signatures, then the entries |
//! | [`witness`] | compares a head with the last one that was seen |
//!
//! Pure: no files, no network, no clock, no keys. `docs/audit-log.md` says the same for outsiders.

pub mod export;
pub mod replay;
pub mod witness;

#[cfg(test)]
mod tests;

pub use export::{Checked, Files, Problem, verify};
pub use replay::{MAX_BEFORE_RESTORE, Replay};
pub use witness::{Alarm, Head, Seen};
