//! The vocabulary of Sluis: ids, identifiers, treatments, registry, grants, audit entries, and the
//! ports (store, clock) behind which the outside world stands.
//!
//! Pure: no I/O, no clock, no ciphers, no async. Everything here is parsed once at the edge and is
//! valid from then on.

pub mod audit;
pub mod batch;
pub mod codec;
pub mod column;
pub mod date;
pub mod generalise;
pub mod grant;
pub mod id;
pub mod identifier;
pub mod port;
pub mod reason;
pub mod registry;
pub mod time;

pub use batch::{BatchId, BatchOutcome, RecordBatch, Rejection};
pub use column::{Column, ColumnBuilder};
pub use id::{ChainId, ElementName, GrantId, Identity, Kid, MemberName, NamespaceId, OrganisationId};
pub use reason::Reason;
pub use time::Timestamp;
