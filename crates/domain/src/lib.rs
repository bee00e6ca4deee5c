//! The vocabulary of Sluis: ids, identifiers, treatments, registry, grants, audit entries, and the
//! ports (store, clock) behind which the outside world stands.
//!
//! Pure: no I/O, no clock, no ciphers, no async. Everything here is parsed once at the edge and is
//! valid from then on.

pub mod audit;
pub mod batch;
pub mod codec;
pub mod column;
pub mod custodian;
pub mod date;
pub mod days;
pub mod generalise;
pub mod grant;
pub mod id;
pub mod identifier;
pub mod instruction;
pub mod opening;
pub mod plausible;
pub mod port;
pub mod proposal;
pub mod public_key;
pub mod reason;
pub mod registry;
pub mod restore;
pub mod statement;
pub mod time;
pub mod wiped;

pub use batch::{BatchId, BatchOutcome, RecordBatch, Rejection};
pub use column::{Column, ColumnBuilder};
pub use custodian::Custodian;
pub use id::{
    ChainId, ElementName, GrantId, Identity, Kid, MemberName, NamespaceId, OrganisationId,
    ProposalId,
};
pub use instruction::Instruction;
pub use public_key::PublicKey;
pub use reason::Reason;
pub use statement::Signed;
pub use time::Timestamp;
pub use wiped::WipedBuffer;
