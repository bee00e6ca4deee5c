//! Values of Sluis: ids, identifiers and their normal forms, dates, columns and batches, refusal reasons,
//! time.
//!
//! Pure: no I/O, no clock, no ciphers, no async. Everything here is parsed once at the edge and is
//! valid from then on.

pub mod batch;
pub mod codec;
pub mod column;
pub mod date;
pub mod generalise;
pub mod id;
pub mod identifier;
pub mod plausible;
pub mod public_key;
pub mod reason;
pub mod time;
pub mod wiped;

pub use batch::{BatchId, BatchOutcome, RecordBatch, Rejection};
pub use column::{Column, ColumnBuilder};
pub use id::{
    ChainId, ElementName, GrantId, Identity, Kid, MemberName, NamespaceId, OrganisationId,
    ProposalId,
};
pub use public_key::PublicKey;
pub use reason::Reason;
pub use time::Timestamp;
pub use wiped::WipedBuffer;
