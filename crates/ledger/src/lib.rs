//! What the log decides: registry, grants, proposals, statements, restores, the entries themselves, and the rules that each
//! entry must keep ([`Ledger`]).
//!
//! Pure: no I/O, no clock, no keys, no async. The engine rehearses what others are judged by with these rules
//! before it commits it; batches are not rehearsed (decision 23). An auditor applies them from the first entry.

pub mod audit;
pub mod canonical;
pub mod custodian;
pub mod days;
pub mod event;
pub mod fault;
pub mod grant;
pub mod instruction;
pub mod opening;
pub mod proposal;
pub mod registry;
pub mod replay;
pub mod restore;
pub mod rules;
pub mod state;
pub mod statement;
pub mod told;

mod persistent;
mod signer;

pub use canonical::Canonical;
pub use custodian::Custodian;
pub use fault::{Fault, Wrong};
pub use instruction::Instruction;
pub use replay::{Archive, Ledger, Place, Unread};
pub use state::State;
pub use statement::Signed;
