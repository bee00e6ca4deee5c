//! What the log decides: registry, grants, proposals, statements, restores, and the entries themselves.
//!
//! Pure: no I/O, no clock, no keys, no async. The engine decides with it, an auditor checks with it.

pub mod audit;
pub mod custodian;
pub mod days;
pub mod grant;
pub mod instruction;
pub mod opening;
pub mod proposal;
pub mod registry;
pub mod restore;
pub mod statement;

pub use custodian::Custodian;
pub use instruction::Instruction;
pub use statement::Signed;
